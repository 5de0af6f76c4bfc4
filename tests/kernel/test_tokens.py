"""Staff tokens: which are believed, what they contain, and how their keys change."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from sqlalchemy import delete, update

from services.kernel.access import signing, tokens
from services.kernel.access.keys import Keys
from services.kernel.access.signing import PublicKeys, SigningKey
from services.kernel.core.problems import Unauthenticated
from services.kernel.settings import Settings
from tests.ingest.conftest import PATH, Ingest, refused, running
from tests.kit import access, spec

GOOD = tokens.claims("local", person="p", unit="county", post="chief", roles=["chief"]).model_dump()
URL = f"{PATH}/report-{spec.UUID}"


@pytest.fixture
async def ingest(tmp_path: Path) -> AsyncIterator[Ingest]:
    async with running(tmp_path, tmp_path / "ingest.sqlite") as service:
        yield service


def signed(claims: Any) -> str:
    """Any content under a good signature."""
    headers = {"kid": access.SIGNING.kid}
    return jwt.PyJWS().encode(json.dumps(claims).encode(), access.SIGNING._private, "EdDSA", headers)


async def ask(ingest: Ingest, token: str) -> Any:
    return await ingest.client.get(URL, headers={"Authorization": f"Bearer {token}"})


async def test_a_token_is_believed_by_its_signature(ingest: Ingest) -> None:
    assert (await ask(ingest, access.token("county", "chief"))).status_code == 404
    for token in (
        access.token("county", "chief", key=SigningKey.new()),
        access.token("county", "chief", deployment="another"),
        jwt.encode(GOOD, "a secret that services hold " * 3, "HS256", headers={"kid": access.SIGNING.kid}),
        jwt.encode(GOOD, "", "none", headers={"kid": access.SIGNING.kid}),
        jwt.encode(GOOD, access.SIGNING._private, "EdDSA"),
    ):
        refused(await ask(ingest, token), 401, "not valid here")


async def test_a_token_has_its_time(ingest: Ingest) -> None:
    refused(await ask(ingest, access.token("county", "chief", life=timedelta(seconds=-1))), 401, "has expired")
    refused(await ask(ingest, access.token("county", "chief", life=timedelta(days=2))), 401, "not valid here")
    later = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
    ahead = access.SIGNING.sign({**GOOD, "iat": later, "exp": later + 60})
    refused(await ask(ingest, ahead), 401, "begins in the future")


WRONG: list[Any] = [None, 7, 7.5, True, "", [], {}, ["x"], "x" * 5000, -1, 10**400, "\x00", "张三"]


@pytest.mark.parametrize("name", GOOD)
async def test_claims_of_another_shape_are_401(ingest: Ingest, name: str) -> None:
    """The signature is right, but the claims are still checked."""
    for value in WRONG:
        if (name, value) in (("sub", "张三"), ("sub", "\x00"), ("roles", []), ("roles", None)):
            continue  # a person may be called anything; an empty list gives no right, no list gives those of the post
        answer = await ask(ingest, signed({**GOOD, name: value}))
        assert answer.status_code == 401, (name, value, answer.text)
    without = signed({other: value for other, value in GOOD.items() if other != name})
    assert (await ask(ingest, without)).status_code == (404 if name == "roles" else 401)


async def test_a_token_without_a_unit_is_the_operators_or_nobodys(ingest: Ingest) -> None:
    said = {**GOOD, "unit": None, "roles": []}
    assert (await ask(ingest, signed(said))).status_code == 401
    assert (await ask(ingest, signed({**said, "unit": "county", "post": "operator"}))).status_code == 401
    headers = {"Authorization": f"Bearer {signed({**said, 'post': 'operator'})}"}
    made = await ingest.client.post("/ingest/v1/keys", json={"unit": "county"}, headers=headers)
    assert made.status_code == 201
    (event,) = await ingest.events("key_made")
    assert event.actor == "operator"


@pytest.mark.parametrize("token", ["a.b.c", "e30.e30.e30", ".", "x" * 5000, "W1tb" * 900 + ".e30.e30", "é.é.é"])
async def test_what_is_no_token_is_401(ingest: Ingest, token: str) -> None:
    header = f"Bearer {token}".encode("latin-1")
    refused(await ingest.client.get(URL, headers={b"Authorization": header}), 401, "not valid here")


async def test_a_revoked_token_is_believed_no_more(ingest: Ingest) -> None:
    good, other = access.token("county", "chief", id_=spec.UUID), access.token("county", "chief")
    async with ingest.runtime.database.transaction() as connection:
        await connection.execute(ingest.runtime.tables["revoked_tokens"].insert(), [{"token": spec.UUID}])
    refused(await ask(ingest, good), 401, "revoked")
    assert (await ask(ingest, other)).status_code == 404


async def test_a_token_gives_no_more_than_the_directory(ingest: Ingest) -> None:
    posts, key = ingest.runtime.tables["posts"], {"name": None, "unit": "county"}
    refused(await ask(ingest, access.token("county", "chief", post="zhang_san")), 401, "county has no post zhang_san")
    refused(await ask(ingest, access.token("nowhere", "chief")), 401, "nowhere has no post chief")
    chief = (posts.c.unit == "county", posts.c.code == "admin")

    async def make(person: str) -> int:
        headers = access.bearer("county", "admin", person=person)
        return (await ingest.client.post("/ingest/v1/keys", json=key, headers=headers)).status_code

    assert await make("one") == 201
    async with ingest.runtime.database.transaction() as connection:
        await connection.execute(update(posts).where(*chief).values(roles="auditor"))
    ingest.runtime.offices_changed()
    assert await make("two") == 403
    async with ingest.runtime.database.transaction() as connection:
        await connection.execute(update(posts).where(*chief).values(roles="", members="chief@county"))
    ingest.runtime.offices_changed()
    assert await make("three") == 401
    async with ingest.runtime.database.transaction() as connection:
        await connection.execute(delete(posts).where(*chief))
    ingest.runtime.offices_changed()
    assert await make("four") == 401


async def test_before_the_units_are_known_nobody_is_turned_away_for_good(ingest: Ingest) -> None:
    async with ingest.runtime.database.transaction() as connection:
        await connection.execute(delete(ingest.runtime.tables["units"]))
    ingest.runtime.offices_changed()
    answer = await ask(ingest, access.token("county", "chief"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")


def settings_in(folder: Path) -> Settings:
    return Settings(data=folder)


def test_keys_change_while_tokens_of_the_former_one_are_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "FRESH", 0.0)
    settings = settings_in(tmp_path)
    signing.make_keys(settings)
    before = SigningKey.read(signing.signing_key_file(settings))
    believed = signing.public_keys(settings)
    digest = Keys(b"x" * 32).digest("match", "county", "路灯")
    signing.make_keys(settings)
    assert SigningKey.read(signing.signing_key_file(settings)).kid == before.kid
    signing.rotate(settings)
    after = SigningKey.read(signing.signing_key_file(settings))
    assert after.kid != before.kid
    of_both = [access.token("county", "chief", key=key) for key in (before, after)]
    for token in of_both:
        tokens.read(token, believed, "local", datetime.now(UTC))
    with pytest.raises(ValueError, match="signs by this key; run `huiying users rotate` first"):
        signing.drop(settings, after.kid)
    tokens.read(of_both[1], believed, "local", datetime.now(UTC))
    signing.drop(settings, before.kid)
    with pytest.raises(Unauthenticated):
        tokens.read(of_both[0], believed, "local", datetime.now(UTC))
    tokens.read(of_both[1], believed, "local", datetime.now(UTC))
    assert Keys(b"x" * 32).digest("match", "county", "路灯") == digest
    with pytest.raises(ValueError, match="the only key"):
        signing.drop(settings, after.kid)
    with pytest.raises(ValueError, match="holds no key zzz"):
        signing.drop(settings, "zzz")


def test_the_signing_key_is_its_owners_alone_and_no_service_holds_one(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    signing.make_keys(settings)
    assert signing.signing_key_file(settings).stat().st_mode & 0o077 == 0
    private = {**access.SIGNING.public, "d": "x"}
    with pytest.raises(ValueError, match="holds a private key"):
        PublicKeys(json.dumps({"keys": [private]}))


@pytest.mark.parametrize(
    "text", ["{}", "[]", "{", '{"keys": []}', '{"keys": 7}', '{"keys": [7]}', '{"keys": [{"kty": "RSA", "kid": "x"}]}']
)
def test_what_is_no_key_set_is_told_at_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="HUIYING_TOKEN_KEYS"):
        PublicKeys(text)


def test_a_key_set_that_cannot_be_read_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "FRESH", 0.0)
    path = tmp_path / "keys.json"
    path.write_text(access.KEY_SET)
    believed = PublicKeys(path)
    path.write_text("{")
    assert believed.find(access.SIGNING.kid) is not None
    path.unlink()
    assert believed.find(access.SIGNING.kid) is not None
    with pytest.raises(ValueError, match="cannot be read"):
        PublicKeys(path)


def test_a_deployed_service_is_told_that_keys_are_missing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="set HUIYING_TOKEN_KEYS"):
        signing.public_keys(Settings(data=tmp_path, database="postgresql+psycopg://x/{service}"))


def test_a_key_for_each_use() -> None:
    keys = Keys(b"x" * 32)
    uses = ("match", "duplicate", "by", "receipt", "receipt-of")
    assert len({keys.digest(use, "same") for use in uses}) == len(uses)
    assert keys.digest("match", "same") != Keys(b"y" * 32).digest("match", "same")
    with pytest.raises(ValueError, match="no key is for 'mater'"):
        keys.digest("mater", "same")
    sealed = keys.seal("answer", b"words", "here")
    assert keys.open("answer", sealed, "here") == b"words"
    assert b"words" not in sealed
    for elsewhere, place in ((keys, "there"), (Keys(b"y" * 32), "here")):
        with pytest.raises(ValueError, match="another secret"):
            elsewhere.open("answer", sealed, place)


async def test_a_token_without_roles_has_those_of_its_post_at_each_request(ingest: Ingest) -> None:
    def read(post: str) -> frozenset[str]:
        return tokens.actor(tokens.claims("local", person="p", unit="county", post=post), offices).roles

    async with ingest.runtime.database.read() as connection:
        offices = await ingest.runtime.offices(connection)
    assert (read("chief"), read("handler")) == ({"chief"}, {"handler"})
