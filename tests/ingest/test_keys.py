"""Keys of integrations, and their owners."""

import asyncio
import hashlib
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest

from services.ingest import keys
from services.ingest.keys import integration_id
from tests.ingest.conftest import PATH, Ingest, post, refused, report
from tests.ingest.test_api import rebuilt
from tests.kernel.test_pictures import PNG

KEYS = "/ingest/v1/keys"


async def made(ingest: Ingest, unit: str = "town-east", **more: Any) -> tuple[dict[str, str], dict[str, str]]:
    """The answer to a new key, and the header with the key."""
    answer = await ingest.client.post(KEYS, json={"unit": unit, **more}, headers=ingest.staff("admin", unit="city"))
    assert answer.status_code == 201, answer.text
    return answer.json(), {"Authorization": f"Bearer {answer.json()['key']}"}


async def revoke(ingest: Ingest, id_: str, role: str = "admin", unit: str = "county") -> httpx.Response:
    return await ingest.client.post(f"{KEYS}/{id_}/revoke", headers=ingest.staff(role, unit=unit))


async def test_an_unknown_key_is_refused(ingest: Ingest) -> None:
    refused(await post(ingest, {"Authorization": "Bearer hy_nothing"}), 401, "unknown or was revoked")
    refused(await post(ingest, {}), 401, "Bearer")


async def test_a_key_where_a_person_must_sign_in_is_called_a_key(ingest: Ingest) -> None:
    answer = await ingest.client.get("/ingest/v1/imports", headers=await ingest.key("town-east", "board"))
    refused(answer, 401, "this is the key of a system; here a person's token is needed")


async def test_a_key_reaches_its_unit_and_those_below(ingest: Ingest) -> None:
    answer, key = await made(ingest)
    assert (await post(ingest, key)).status_code == 201
    refused(await post(ingest, key, unit="county"), 403, "over county", answer["integration"])
    (event,) = await ingest.events("access_refused")
    assert (event.data.act, event.actor) == ("report", answer["integration"])


async def test_keys_are_made_listed_and_revoked_by_who_administers_the_unit(ingest: Ingest) -> None:
    answer, _ = await made(ingest)
    for headers in (ingest.staff("chief"), ingest.staff("admin", unit="town-west")):
        refused(await ingest.client.post(KEYS, json={"unit": "town-east"}, headers=headers), 403, "make a key")
    for role, unit in (("chief", "county"), ("admin", "town-west")):
        refused(await revoke(ingest, answer["id"], role, unit), 403, "revoke a key")
    refused(await ingest.client.get(KEYS, headers=ingest.staff("chief")), 403, "list keys")
    assert (await ingest.client.get(KEYS, headers=ingest.staff("admin", unit="town-west"))).json()["items"] == []


async def test_a_key_is_kept_as_a_digest(ingest: Ingest) -> None:
    answer, _ = await made(ingest, name="hotline-12345")
    digest = hashlib.sha256(answer["key"].encode()).hexdigest()
    (event,) = await ingest.events("operation.key_made")
    assert event.data.model_dump() == {
        "key": answer["id"],
        "integration": integration_id("town-east", "hotline-12345"),
        "name": "hotline-12345",
        "unit": "town-east",
        "scope": "ingest",
        "digest": digest,
    }
    (row,) = await ingest.rows("api_keys")
    assert (row["digest"], row["revoked_at"]) == (digest, None)
    assert not any(answer["key"] in str(row) for row in await ingest.rows("api_keys"))


async def test_a_request_that_is_sent_again_makes_no_second_key_and_shows_none(ingest: Ingest) -> None:
    """Its first answer may be lost, and only the digest of the key is kept."""
    asked = ingest.staff("admin", unit="city") | {"Idempotency-Key": "one"}
    first = await ingest.client.post(KEYS, json={"unit": "town-east"}, headers=asked)
    assert first.status_code == 201
    assert first.json().keys() == {"key", "id", "integration", "name"}
    again = await ingest.client.post(KEYS, json={"unit": "town-east"}, headers=asked)
    refused(again, 409, first.json()["id"], "revoke it if nobody has it")
    assert first.json()["key"] not in again.text
    listed = await ingest.client.get(KEYS, headers=ingest.staff("admin", unit="city"))
    assert [one["id"] for one in listed.json()["items"]] == [first.json()["id"]]
    assert (await post(ingest, {"Authorization": f"Bearer {first.json()['key']}"})).status_code == 201


async def test_a_preview_masks_and_refuses_as_the_report_would_be_and_keeps_nothing(ingest: Ingest) -> None:
    _, key = await made(ingest)
    told = report(text="路灯不亮，请打 13800138000")
    shown = await ingest.client.post(f"{PATH}/preview", json=told, headers=key)
    assert shown.status_code == 200, shown.text
    assert "13800138000" not in shown.text
    assert (shown.json()["masked"], "[手机号]" in shown.json()["text"]) == ({"mobile": 1}, True)
    refused(
        await ingest.client.post(f"{PATH}/preview", json=told | {"unit": "county"}, headers=key), 403, "over county"
    )
    assert not await ingest.events("received")


async def test_a_key_ends_by_its_id_alone(ingest: Ingest) -> None:
    answer, key = await made(ingest)
    assert (await post(ingest, key)).status_code == 201
    for _ in range(2):
        assert (await revoke(ingest, answer["id"])).status_code == 200
    refused(await post(ingest, key), 401, "revoked")
    assert len(await ingest.events("operation.key_revoked")) == 1
    refused(await revoke(ingest, "key-01890a5d-ac96-774b-bcce-b302099a8057"), 404, "huiying keys list")
    refused(await revoke(ingest, "x"), 404, "there is no key")


async def test_keys_are_listed_in_pages_without_their_digests(ingest: Ingest) -> None:
    ids = [(await made(ingest, name=f"board-{number}"))[0]["id"] for number in range(3)]
    await revoke(ingest, ids[1])
    admin = ingest.staff("admin")
    first = (await ingest.client.get(f"{KEYS}?limit=2", headers=admin)).json()
    second = (await ingest.client.get(KEYS, params={"cursor": first["next"]}, headers=admin)).json()
    items = [*first["items"], *second["items"]]
    assert [item["id"] for item in items] == ids
    assert [item["name"] for item in items] == ["board-0", "board-1", "board-2"]
    assert [item["revoked_at"] is None for item in items] == [True, False, True]
    assert second["next"] is None
    assert "digest" not in items[0]


@pytest.mark.parametrize("name", ["张三", "Board", "", "a b", "a" * 61])
async def test_a_name_is_a_code(ingest: Ingest, name: str) -> None:
    body = {"unit": "town-east", "name": name}
    answer = await ingest.client.post(KEYS, json=body, headers=ingest.staff("admin"))
    assert (answer.status_code, answer.json()["field"]) == (422, "name")


async def test_keys_are_the_same_whatever_order_a_replay_takes(ingest: Ingest) -> None:
    await revoke(ingest, (await made(ingest))[0]["id"])
    events = await ingest.events("operation.key")
    assert rebuilt("api_keys", events) == rebuilt("api_keys", events[::-1]) == await ingest.rows("api_keys")


async def test_two_keys_of_a_unit_are_two_integrations(ingest: Ingest) -> None:
    (_, one), (_, other) = await made(ingest), await made(ingest)
    body = report()
    key = {"Idempotency-Key": "7"}
    first = await post(ingest, {**one, **key}, body)
    url = f"{PATH}/{first.json()['report_id']}"
    refused(await ingest.client.get(url, headers=other), 403, "belongs to town-east")
    image = {**other, "Content-Type": "image/png"}
    refused(await ingest.client.post(f"{url}/evidence", content=PNG, headers=image), 403, "attach evidence")
    reach = {"clicks": 1, "measured_at": body["discovered_at"]}
    refused(await ingest.client.post(f"{url}/reach", json=reach, headers=other), 403, "report the reach")
    assert (await ingest.client.get(url, headers=one)).status_code == 200
    second = await post(ingest, {**other, **key}, body)
    assert second.status_code == 201
    assert second.json() != first.json()


async def test_a_further_key_of_the_same_name_is_the_same_integration(ingest: Ingest) -> None:
    """A key can be replaced. Reports of the former key still belong to the integration."""
    (former, old), (fresh, new) = await made(ingest, name="board"), await made(ingest, name="board")
    _, elsewhere = await made(ingest, "town-west", name="board")
    assert former["integration"] == fresh["integration"]
    assert former["id"] != fresh["id"]
    url = f"{PATH}/{(await post(ingest, old)).json()['report_id']}"
    await revoke(ingest, former["id"])
    assert (await ingest.client.get(url, headers=new)).status_code == 200
    assert (await ingest.client.get(url, headers=elsewhere)).status_code == 403


async def test_no_report_waits_for_the_note_that_its_key_was_used(
    ingest: Ingest, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = await ingest.key()

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("services.ingest.keys.sql", SimpleNamespace(upsert=never))
    async with asyncio.timeout(5):
        assert (await post(ingest, key)).status_code == 201


async def test_what_an_integration_sent_in_vain_is_counted(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "COUNT_SECONDS", 0)
    _, key = await made(ingest, name="hotline")
    _, other = await made(ingest, name="hotline")
    assert (await post(ingest, key)).status_code == 201
    refused(await post(ingest, key, unit="county"), 403)
    refused(await post(ingest, other, subject=None), 422, field="subject")
    lines = b'{"subject": 1}\n\n' + orjson.dumps(report()) + b"\n[]\n"
    sent = {**key, "Content-Type": "application/x-ndjson"}
    assert (await ingest.client.post(f"{PATH}/batch", content=lines, headers=sent)).status_code == 200
    refused(await post(ingest, ingest.staff("chief"), subject=None), 422, field="subject")
    await asyncio.sleep(0)

    async def told() -> list[tuple[int, str]]:
        listed = await ingest.client.get(KEYS, headers=ingest.staff("admin", unit="city"))
        return [(one["refused"], one["refusal"]) for one in listed.json()["items"]]

    async with asyncio.timeout(5):
        while await told() != [(4, "wrong-form")] * 2:
            await asyncio.sleep(0.01)
