"""The keys of posts in the service: made with the first decision, rotated, revoked, and back after a restore."""

from typing import Any

import pytest
from sqlalchemy import select

from schemas.envelope import Event
from schemas.publish import StatementPublished
from services.kernel.access.keys import Keys
from services.kernel.core.problems import Malformed, NotFound
from services.kernel.delivery import recovery
from services.kernel.delivery.log import Record
from services.kernel.proof import check
from services.kernel.proof.result import CheckResult
from services.kernel.serving.commands import Caller
from services.publish import api
from services.publish.verifying import post_keys
from services.publish.views import POST_SECRETS
from tests.publish.conftest import Office
from tests.publish.test_signing import altered

APPROVER, SPEAKER = "approver@county", "spokesperson@county"


async def events(office: Office, id_: str) -> list[Event]:
    table = office.runtime.tables["events"]
    async with office.runtime.database.read() as connection:
        found = await connection.execute(
            select(table.c.bytes).where(table.c.stream_id == id_).order_by(table.c.version)
        )
        return [Event.parse(bytes_) for (bytes_,) in found]


async def of(office: Office, post: str) -> list[dict[str, Any]]:
    return [one for one in await post_keys.every(office.runtime) if one["post"] == post]


async def published_and_shown(office: Office) -> None:
    id_ = await office.published()
    ((approver,), (speaker,)) = await of(office, APPROVER), await of(office, SPEAKER)
    whole = await office.read(id_)
    assert [(one["act"], one["key"], one["post"], one["holds"]) for one in whole["signatures"]] == [
        ("approved", approver["kid"], APPROVER, True),
        ("published", speaker["kid"], SPEAKER, True),
    ]
    acts = (await office.client.get(f"/publish/v1/statements/{id_}/history", headers=office.as_("handler"))).json()
    assert [(one["act"], one["signature"] and one["signature"]["holds"]) for one in acts["items"]] == [
        ("drafted", None),
        ("submitted", None),
        ("approved", True),
        ("published", True),
    ]
    told = await office.client.get("/publish/v1/post-keys", headers=office.as_("admin"))
    assert {one["kid"] for one in told.json()["items"]} == {approver["kid"], speaker["kid"]}


@pytest.mark.requirement("PUB-06")
async def test_a_post_gets_its_key_with_its_first_decision_and_every_reader_sees_the_signature(office: Office) -> None:
    await published_and_shown(office)


@pytest.mark.postgres
async def test_it_is_the_same_on_postgresql(office_on_postgres: Office) -> None:
    await published_and_shown(office_on_postgres)


async def test_a_refused_decision_makes_no_key(office: Office) -> None:
    id_ = await office.draft()
    assert (await office.act(id_, "approve", "approver")).status_code == 409
    assert (await office.act(id_, "publish", "handler")).status_code == 403
    assert await post_keys.every(office.runtime) == []


async def test_a_private_half_is_nowhere_in_the_clear(office: Office) -> None:
    await office.published()
    async with office.runtime.database.read() as connection:
        rows = (await connection.execute(select(POST_SECRETS))).mappings().all()
    assert len(rows) == 2
    for row in rows:
        raw = office.runtime.keys.open(post_keys.USE, row["sealed"], row["kid"])
        assert raw not in row["sealed"]
        with pytest.raises(ValueError, match="under another secret"):
            office.runtime.keys.open(post_keys.USE, row["sealed"], "0" * 64)


async def test_a_rotated_key_stays_valid_for_what_it_signed(office: Office) -> None:
    id_ = await office.draft()
    await office.act(id_, "submit", "handler")
    await office.act(id_, "approve", "approver")
    former = (await of(office, APPROVER))[0]["kid"]
    fresh = await post_keys.rotate(office.runtime, Caller(), APPROVER)
    assert [one["signs"] for one in await of(office, APPROVER)] == [False, True]
    assert (await office.act(id_, "publish", "spokesperson")).status_code == 200
    assert [one["holds"] for one in (await office.read(id_))["signatures"]] == [True, True]
    other = await office.published("另一件事。")
    keys = [one["key"] for one in (await office.read(other))["signatures"]]
    assert (keys[0], former != fresh) == (fresh, True)
    assert await post_keys.create(office.runtime, Caller(), APPROVER) == fresh, "it has one"
    with pytest.raises(Malformed):
        await post_keys.create(office.runtime, Caller(), "nobody@county")


async def test_a_revoked_key_signs_no_more_and_the_next_decision_makes_another(office: Office) -> None:
    before = await office.published()
    (old,) = await of(office, APPROVER)
    for _ in range(2):
        await post_keys.revoke(office.runtime, Caller(), old["kid"], "the test says so")
    with pytest.raises(NotFound):
        await post_keys.revoke(office.runtime, Caller(), old["kid"], "of another post", SPEAKER)
    after = await office.published("另一件事。")
    assert (await office.read(after))["signatures"][0]["key"] != old["kid"]
    assert [one["holds"] for id_ in (before, after) for one in (await office.read(id_))["signatures"]] == [True] * 4


async def test_a_restored_private_half_of_a_revoked_key_signs_nothing(office: Office) -> None:
    await office.published()
    async with office.runtime.database.read() as connection:
        sealed = [dict(row) for row in (await connection.execute(select(POST_SECRETS))).mappings()]
    (old,) = await of(office, APPROVER)
    await post_keys.revoke(office.runtime, Caller(), old["kid"], "the test says so")
    async with office.runtime.database.transaction() as connection:
        row = next(row for row in sealed if row["kid"] == old["kid"])
        await connection.execute(POST_SECRETS.insert(), [row])
    assert [one["signs"] for one in await of(office, APPROVER)] == [False]
    again = await office.published("另一件事。")
    assert (await office.read(again))["signatures"][0]["key"] != old["kid"]


async def test_under_another_secret_a_post_gets_another_key(office: Office) -> None:
    first = await office.published()
    office.runtime.keys = Keys(b"another secret, which is also long enough")
    second = await office.published("另一件事。")
    then, now = [(await office.read(id_))["signatures"] for id_ in (first, second)]
    assert {one["key"] for one in then}.isdisjoint(one["key"] for one in now)
    assert all(one["holds"] for one in (*then, *now))


async def test_what_was_approved_before_posts_had_keys_is_submitted_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = await office.draft()
    await office.act(id_, "submit", "handler")
    with monkeypatch.context() as former:
        former.setattr(api, "SIGNED", ())
        await office.act(id_, "approve", "approver")
    refused = await office.act(id_, "publish", "spokesperson")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:huiying:problem:approvals-unsigned")
    await post_keys.create(office.runtime, Caller(), APPROVER)
    assert "submit" in (await office.read(id_))["may"]
    for verb, role in (("submit", "handler"), ("approve", "approver"), ("publish", "spokesperson")):
        assert (await office.act(id_, verb, role)).status_code == 200


async def test_a_store_takes_back_only_what_its_posts_signed(office: Office) -> None:
    """A restored store meets its own topic. Somebody wrote there meanwhile."""
    id_ = await office.published()
    *before, event = await events(office, id_)
    forged = altered(event, text="已全部修复。")
    after = altered(event, {"streamversion": event.version + 1, "previousdigest": forged.digest})
    for last, missing, foreign in ((event, 1, 0), (forged, 0, 1)):
        line = [last, after] if foreign else [last]
        found = [(Record("publish.statement", 0, at, b"k", one.bytes), one) for at, one in enumerate(line)]
        compared = recovery.Compared(missing=list(found))
        async with office.runtime.database.transaction() as connection:
            await recovery.must_prove(office.runtime, connection, compared)
        assert len(compared.missing) == missing
        assert [reason for _, _, reason, _ in compared.foreign] == ["unproven"] * len(line) * foreign
        assert compared.following == ({id_: before[-1].version} if foreign else {})


async def test_the_check_of_a_store_names_what_no_post_signed(office: Office) -> None:
    id_ = await office.published()
    store = {"publish": check.Store.of(office.runtime)}
    assert await faults(store) == []
    table = office.runtime.tables["events"]
    event = (await events(office, id_))[-1]
    assert isinstance(event.data, StatementPublished)
    forged = altered(event, text="已全部修复。")
    async with office.runtime.database.transaction() as connection:
        here = (table.c.stream_id == id_, table.c.version == event.version)
        await connection.execute(table.update().where(*here).values(bytes=forged.bytes))
    (fault,) = await faults(store)
    assert f"{id_} version {event.version} proves nothing: its text is not the text that was submitted" in fault
    (shown,) = [one for one in (await office.read(id_))["signatures"] if not one["holds"]]
    assert (shown["act"], shown["fault"]) == ("published", "its text is not the text that was submitted")


async def faults(stores: dict[str, check.Store]) -> list[str]:
    result, (store,) = CheckResult(), stores.values()
    assert store.runtime is not None
    table = store.tables["events"]
    async with store.database.read() as connection:
        found = (await connection.execute(select(table.c.bytes))).scalars()
        all_ = [Event.parse(bytes_) for bytes_ in found]
    await check._check_signatures("publish", store.runtime, all_, result)
    return result.faults
