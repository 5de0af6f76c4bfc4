"""Signed manifests: the exact bytes, the keys, and a saved file that proves itself without any service."""

import base64
import codecs
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import delete, select

from schemas.manifest import canonical, digest_of
from services.apps import cli
from services.kernel.access import notary
from services.kernel.access.keys import Keys
from services.kernel.core.problems import NotFound
from services.kernel.serving.commands import Caller
from services.publish.verifying import keys, manifests
from services.publish.views import STATEMENT_KEYS, STATEMENT_SECRETS
from tests.publish.conftest import TEXT, TITLE, Office, opened


@pytest.fixture
async def signing(office: Office) -> Office:
    """An office whose bulletin has its first key."""
    await keys.make_first(office.runtime)
    return office


async def believed(office: Office) -> dict[str, Ed25519PublicKey]:
    told = (await office.client.get("/.well-known/huiying.json")).json()
    return {one["kid"]: jwt.PyJWK(one).key for one in told["keys"]}


async def saved(office: Office, id_: str) -> bytes:
    answer = await office.client.get(f"/bulletin/statements/{id_}/manifest.json")
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.parametrize(
    ("value", "bytes_"),
    [
        ({"b": 1, "a": [True, None, "x"]}, b'{"a":[true,null,"x"],"b":1}'),
        # The example of RFC 8785, 3.2.3, without its numbers.
        (
            {"string": '€$\x0f\nA\'B"\\\\"/'},
            '{"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode(),
        ),
        ({"text": "\u2028\u007f\U0001f600"}, '{"text":"\u2028\u007f\U0001f600"}'.encode()),
    ],
)
def test_canonical_json_is_that_of_rfc_8785(value: Any, bytes_: bytes) -> None:
    assert canonical(value) == bytes_


@pytest.mark.parametrize("value", [1.5, 2**53, {"一": 1}, {1: 2}, "\ud800", object()])
def test_what_has_no_single_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"number|name|JSON|utf-8"):
        canonical({"it": value})


async def a_statement_with_three_releases_is_signed(office: Office) -> None:
    await keys.make_first(office.runtime)
    id_ = await office.published()
    await office.act(id_, "correct", "spokesperson", {"text": "明日恢复通行。", "reason": "时间有误"})
    await office.act(id_, "withdraw", "spokesperson", {"reason": "另行通报"})
    told = json.loads(await saved(office, id_))
    assert [one["content"]["kind"] for one in told["releases"]] == ["publication", "correction", "withdrawal"]
    first, second, third = (one["content"] for one in told["releases"])
    assert (first["title"], first["text"], first["release"], first["unit"]) == (TITLE, TEXT, 1, "town-east")
    assert (second["title"], second["text"], second["reason"]) == (TITLE, "明日恢复通行。", "时间有误")
    assert (third["title"], third["text"], third["reason"]) == (None, None, "另行通报")
    proven = notary.proven(json.dumps(told, ensure_ascii=False, indent=2).encode(), await believed(office))
    assert [one["approvals"] for one in proven.manifests] == [1, 0, 0]
    assert {one["unit_name"] for one in proven.manifests} == {"东镇"}
    assert not any(value is None for one in proven.manifests for value in one.values()), "a manifest promises nothing"
    assert (proven.state["state"], told["state"], proven.state["number"]) == ("withdrawn",) * 2 + (told["number"],)
    found = await office.client.get(f"/bulletin/statements/{told['number']}/manifest.json")
    assert found.content == await saved(office, id_)
    assert found.headers["etag"]


@pytest.mark.requirement("PUB-16")
async def test_every_release_has_a_manifest_that_anybody_can_check(office: Office) -> None:
    await a_statement_with_three_releases_is_signed(office)


@pytest.mark.postgres
async def test_manifests_are_the_same_on_postgresql(office_on_postgres: Office) -> None:
    await a_statement_with_three_releases_is_signed(office_on_postgres)


async def test_a_manifest_is_a_standard_signature(signing: Office) -> None:
    (release,) = json.loads(await saved(signing, await signing.published()))["releases"]
    (jwk,) = (await signing.client.get("/.well-known/huiying.json")).json()["keys"]
    told = jwt.PyJWS().decode_complete(release["signed"], jwt.PyJWK(jwk), algorithms=["EdDSA"])
    assert told["payload"] == canonical(json.loads(told["payload"]))
    assert json.loads(told["payload"])["digest"] == release["digest"] == digest_of(release["content"])
    assert told["header"] == {"alg": "EdDSA", "kid": jwk["kid"], "typ": notary.KIND}
    # RFC 7638: the digest of the key's required members in order.
    named = canonical({name: jwk[name] for name in ("crv", "kty", "x")})
    assert jwk["kid"] == hashlib.sha256(named).hexdigest()


async def test_only_what_was_published_has_a_manifest(signing: Office) -> None:
    draft = await signing.draft()
    drill = await signing.incident(opened(), uuid="01890a5d-ac96-774b-bcce-b302099a8aaa", drill=True)
    exercise = await signing.draft(incident_id=drill)
    for hidden in (draft, exercise, "statement-none", "town-east-2026-S00099"):
        answer = await signing.client.get(f"/bulletin/statements/{hidden}/manifest.json")
        assert answer.status_code == 404, hidden


async def test_before_the_first_key_nothing_is_signed(office: Office) -> None:
    id_ = await office.published()
    answer = await office.client.get(f"/bulletin/statements/{id_}/manifest.json")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert (await office.client.get("/.well-known/huiying.json")).json()["keys"] == []


async def test_each_flipped_byte_of_a_saved_file_is_found(signing: Office) -> None:
    file, trusted = await saved(signing, await signing.published("已修复。")), await believed(signing)
    assert notary.proven(file, trusted).state["state"] == "published"
    for at in range(len(file)):
        for bit in (0x01, 0x20):
            altered = bytes([*file[:at], file[at] ^ bit, *file[at + 1 :]])
            with pytest.raises(notary.NotSigned):
                notary.proven(altered, trusted)
    for at in range(len(file)):
        with pytest.raises(notary.NotSigned):
            notary.proven(file[:at], trusted)


async def test_a_later_release_cannot_be_left_out_or_taken_from_another_statement(signing: Office) -> None:
    id_, other = await signing.published(), await signing.published("别的事。")
    await signing.act(id_, "correct", "spokesperson", {"text": "改正", "reason": "写错"})
    trusted = await believed(signing)
    whole, foreign = json.loads(await saved(signing, id_)), json.loads(await saved(signing, other))

    def with_(**changed: Any) -> bytes:
        return json.dumps(whole | changed).encode()

    releases: Sequence[Any] = whole["releases"]
    plain = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    swapped = {**releases[0], "signed": foreign["releases"][0]["signed"]}
    for forged in (
        with_(releases=releases[:1]),
        with_(releases=releases[:1], signed_state=foreign["signed_state"]),
        with_(releases=releases[::-1]),
        with_(releases=[*releases, releases[0]]),
        with_(releases=[]),
        with_(releases=[swapped, releases[1]]),
        with_(signed_state=releases[0]["signed"]),
        with_(state="published"),
        with_(more="words"),
        with_(signed_state=f"{plain}.{whole['signed_state'].split('.')[1]}."),
        b"[]",
        b"{}",
        b"",
        b"\xff",
        b"[" * 100_000,
    ):
        with pytest.raises(notary.NotSigned):
            notary.proven(forged, trusted)
    with pytest.raises(notary.NotSigned, match="none of the given public keys"):
        notary.proven(json.dumps(whole).encode(), {})


async def test_a_former_key_stays_valid_until_it_is_revoked(signing: Office) -> None:
    id_ = await signing.published()
    before = await saved(signing, id_)
    (first,) = await believed(signing)
    second = await keys.rotate(signing.runtime, Caller())
    trusted = await believed(signing)
    assert set(trusted) == {first, second}
    assert notary.proven(before, trusted).kids == {first}
    assert notary.proven(await saved(signing, id_), trusted).kids == {second}
    await keys.revoke(signing.runtime, Caller(), second, "泄露")
    await keys.revoke(signing.runtime, Caller(), second, "泄露")
    assert notary.proven(await saved(signing, id_), await believed(signing)).kids == {first}
    await keys.revoke(signing.runtime, Caller(), first, "泄露")
    trusted = await believed(signing)
    assert not {first, second} & set(trusted)
    assert notary.proven(await saved(signing, id_), trusted)
    with pytest.raises(notary.NotSigned, match="revoked"):
        notary.proven(before, trusted)
    told = (await signing.client.get("/.well-known/huiying.json")).json()["revoked"]
    assert {one["kid"] for one in told} == {first, second}
    with pytest.raises(NotFound):
        await keys.revoke(signing.runtime, Caller(), "0" * 64, "无")


async def test_the_private_half_is_at_rest_only_as_sealed_bytes(signing: Office) -> None:
    async with signing.runtime.database.read() as connection:
        raw = (await keys.current(signing.runtime, connection)).raw
        (row,) = (await connection.execute(select(STATEMENT_SECRETS))).mappings().all()
    assert raw not in bytes(row["sealed"])
    assert signing.runtime.keys.open(keys.USE, row["sealed"], row["kid"]) == raw
    with pytest.raises(ValueError, match="another secret"):
        signing.runtime.keys.open(keys.USE, row["sealed"], "another place")
    events = signing.runtime.tables["events"]
    async with signing.runtime.database.read() as connection:
        bytes_ = b"".join((await connection.execute(select(events.c.bytes))).scalars())
    assert not any(form in bytes_ for form in (raw, raw.hex().encode(), base64.urlsafe_b64encode(raw)[:-1]))


async def test_a_store_without_a_private_half_gets_a_new_key(signing: Office) -> None:
    (first,) = await believed(signing)
    await keys.make_first(signing.runtime)
    assert list(await believed(signing)) == [first]
    async with signing.runtime.database.transaction() as connection:
        await connection.execute(delete(STATEMENT_SECRETS))
    await keys.make_first(signing.runtime)
    assert len(await believed(signing)) == 2
    async with signing.runtime.database.read() as connection:
        rows = (await connection.execute(select(STATEMENT_KEYS))).mappings().all()
    assert {row["kid"] for row in rows} == set(await believed(signing))
    signing.runtime.keys = Keys(b"another secret of this deployment, as long")
    await keys.make_first(signing.runtime)
    await keys.make_first(signing.runtime)
    trusted = await believed(signing)
    assert len(trusted) == 3
    assert notary.proven(await saved(signing, await signing.published()), trusted)
    newest = await keys.rotate(signing.runtime, Caller())
    signing.runtime.keys = Keys(b"a third secret of this deployment, as long")
    await keys.revoke(signing.runtime, Caller(), newest, "泄露")
    assert notary.proven(await saved(signing, await signing.published()), await believed(signing)), (
        "a revocation makes a key where those that are left cannot sign"
    )


async def test_no_other_stream_is_read_for_a_manifest(signing: Office) -> None:
    events = signing.runtime.tables["events"]
    async with signing.runtime.database.read() as connection:
        streams = set((await connection.execute(select(events.c.stream_id))).scalars())
        assert any(not stream.startswith("statement-") for stream in streams), "the first key is an event"
        with mock.patch.object(manifests.Event, "parse") as parse:
            assert [await manifests.releases(connection, stream) for stream in streams] == [[]] * len(streams)
    parse.assert_not_called()


async def test_the_command_line_checks_a_saved_file_alone(
    signing: Office, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    id_ = await signing.published()
    file, trusted = tmp_path / "manifest.json", tmp_path / "huiying.json"
    file.write_bytes(await saved(signing, id_))
    trusted.write_bytes((await signing.client.get("/.well-known/huiying.json")).content)
    assert cli.execute(["verify", "statement", str(file)]) == 0
    said = capsys.readouterr().out
    assert "published by 东镇 (town-east, local) at " in said
    assert said.count("\n") == 1
    for path in (file, trusted):
        path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert cli.execute(["verify", "statement", str(file)]) == 0, "an editor put its mark in front"
    capsys.readouterr()
    file.write_text(file.read_text("utf-8-sig").replace("今日恢复", "明日恢复"))
    assert cli.execute(["verify", "statement", str(file), "--keys", str(trusted)]) == 1
    assert "not proven: the releases are not those of the signed state" in capsys.readouterr().out
    foreign = json.loads(trusted.read_text("utf-8-sig"))
    foreign["keys"][0]["kid"] = "0" * 64
    trusted.write_text(json.dumps(foreign))
    assert cli.execute(["verify", "statement", str(file)]) == 2
    assert "is not its thumbprint" in capsys.readouterr().err
