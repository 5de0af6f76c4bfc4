"""Who is calling, in the whole system: each service itself knows the directory and the revoked tokens."""

import asyncio
from pathlib import Path

import httpx
import pytest

from services.apps.embedded import running
from services.kernel.access import signing
from services.kernel.access.signing import SigningKey
from services.kernel.serving import http, sign_in
from services.kernel.settings import Settings
from tests.kit import access

PATHS = {
    "ingest": "/ingest/v1/keys",
    "triage": "/triage/v1/incidents",
    "escalation": "/escalation/v1/clocks",
    "publish": "/publish/v1/statements",
    "audit": "/audit/v1/events",
}


async def test_a_revoked_token_ends_in_every_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "FRESH", 0.0)
    settings = Settings(data=tmp_path)
    async with running(settings) as system:
        key, keys = SigningKey.read(signing.signing_key_file(settings)), signing.public_keys(settings)
        id_ = "01890a5d-ac96-774b-bcce-b302099a8057"
        token = access.token("city", "admin", "auditor", key=key, id_=id_)
        apps = {name: http.application([one], title=name, keys=keys) for name, one in system.runtimes.items()}

        async def ask(name: str, bearer: str = token) -> httpx.Response:
            transport = httpx.ASGITransport(apps[name])
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                return await client.get(PATHS[name], headers={"Authorization": f"Bearer {bearer}"})

        assert {name: (await ask(name)).status_code for name in apps} == dict.fromkeys(apps, 200)
        for role, status in (("chief", 403), ("admin", 200), ("admin", 200)):
            async with system.client(access.token("city", role, key=key)) as client:
                answer = await client.post(f"/triage/v1/tokens/{id_}/revoke")
            assert answer.status_code == status, answer.text
        assert answer.json()["events"] == [], "a repetition changes nothing"
        async with system.client(access.token("county", "admin", key=key)) as client:
            assert (await client.post(f"/triage/v1/tokens/{id_}/revoke")).status_code == 403, "of the root alone"
        await system.settle()
        for name in apps:
            refused = await ask(name)
            assert (refused.status_code, refused.json()["type"]) == (401, "urn:huiying:problem:token-revoked"), name
        other = access.token("city", "admin", "auditor", key=key)
        assert {name: (await ask(name, other)).status_code for name in apps} == dict.fromkeys(apps, 200)


async def test_keys_of_tokens_change_under_a_system_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_in, "FRESH", 0.0)
    monkeypatch.setattr(signing, "FRESH", 0.0)
    settings = Settings(data=tmp_path)
    async with running(settings) as system:

        async def ask(token: str) -> int:
            async with system.client(token) as client:
                return (await client.get("/triage/v1/units")).status_code

        before = SigningKey.read(signing.signing_key_file(settings))
        old = system.token("county", "chief")
        assert await ask(old) == 200
        digests = {name: runtime.keys.digest("match", "x") for name, runtime in system.runtimes.items()}
        await asyncio.to_thread(signing.rotate, settings)
        assert await ask(old) == 200
        assert await ask(system.token("county", "chief")) == 200
        await asyncio.to_thread(signing.drop, settings, before.kid)
        assert await ask(old) == 401
        assert await ask(system.token("county", "chief")) == 200
        assert {name: runtime.keys.digest("match", "x") for name, runtime in system.runtimes.items()} == digests
