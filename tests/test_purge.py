"""Purging: when the years of an archive are over, words and files go, and everything stays provable."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.apps import embedded, purge
from services.apps.client import Refused, ask
from services.apps.embedded import Embedded
from services.audit.log import signing
from services.kernel.settings import Settings
from tests.test_backup import close, is_clean, report, rows
from tests.test_restore_drills import attach

PACK = "county-default@2#" + "9f2c" * 16
SEALED = {"ended": True, "log_size": 9, "kept_until": "2020-03-01", "kept_by": PACK}


def clients(seals: list[dict[str, Any]], state: str = "closed") -> Mapping[str, httpx.AsyncClient]:
    """Audit and triage that know of these archives and of a matter in this state."""
    matter = {"state": state, "merged_into": None}

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=matter if "triage" in request.url.path else {"items": seals})

    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://huiying")
    return {"audit": client, "triage": client}


@pytest.mark.parametrize(
    ("seals", "state", "said"),
    [
        ([], "closed", "no archive"),
        ([SEALED], "open", "goes on"),
        ([SEALED | {"ended": False}], "closed", "goes on"),
        ([SEALED, SEALED | {"kept_until": None}], "closed", "for ever"),
        ([SEALED | {"kept_until": None, "kept_by": None}], "closed", "does not say how long"),
        ([SEALED | {"kept_until": "2999-01-01"}], "closed", "is kept until 2999-01-01"),
    ],
)
async def test_nothing_goes_before_its_time(seals: list[dict[str, Any]], state: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        await purge._kept(clients(seals, state), "incident-1", "token", [])


async def sealed(system: Embedded, incident: str) -> None:
    """Seals the file of a matter, when the log is signed."""
    async with system.client(system.token("city", "auditor")) as client:
        path = f"/audit/v1/incidents/{incident}/archive"
        lacking = (await client.get(f"{path}s")).json()["lacking"]
        await system.settle()
        await signing.sign(system.runtimes["audit"])
        answer = await client.post(path, json={"reasons": dict.fromkeys(lacking, "无")})
    assert answer.status_code == 201, answer.text
    await system.settle()


@pytest.fixture
def kept_until(monkeypatch: pytest.MonkeyPatch) -> None:
    """The years of all archives are over, by a pack that says so."""

    async def asked(client: httpx.AsyncClient, method: str, path: str, token: str, **request: Any) -> Any:
        answer = await ask(client, method, path, token, **request)
        for seal in answer["items"] if path.endswith("/archives") else ():
            seal |= {"kept_until": "2020-03-01", "kept_by": PACK}
        return answer

    monkeypatch.setattr(purge, "ask", asked)


async def incident_of(client: httpx.AsyncClient, report_id: str) -> dict[str, Any]:
    found = await client.get("/triage/v1/incidents", params={"report_id": report_id})
    (one,) = found.json()["items"]
    return dict(one)


async def act(client: httpx.AsyncClient, incident: str, verb: str, body: Any) -> None:
    version = (await client.get(f"/triage/v1/incidents/{incident}")).json()["version"]
    path = f"/triage/v1/incidents/{incident}/{verb}"
    answer = await client.post(path, json=body, headers={"If-Match": str(version)})
    assert answer.status_code == 200, answer.text


def held(data: Path, words: str) -> bool:
    return bool(rows(data / "ingest.sqlite", f"select 1 from contents where words like '%{words}%'"))


@pytest.mark.usefixtures("kept_until")
async def test_what_went_to_another_matter_stays_and_a_merged_matter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data=tmp_path / "data")
    async with embedded.running(settings) as system:
        monkeypatch.setattr(purge, "api", lambda *_: system.client())
        subjects = ("路灯不亮", "道路积水", "水管爆裂", "井盖松动", "树枝折断")
        first, *others = [await report(system, subject) for subject in subjects]
        split, released, moved, absorbed = others
        staff, admin = system.token("town-east", "chief"), system.token("county", "admin", "chief")
        async with system.client(staff) as client:
            incident = (await incident_of(client, first))["id"]
            running, last = [(await incident_of(client, one))["id"] for one in (moved, absorbed)]
            for one in others:
                await act(client, (await incident_of(client, one))["id"], "merge", {"into": incident})
                await system.settle()
            await act(client, incident, "split", {"reports": [split, moved, released]})
            await system.settle()
            assert (await incident_of(client, split))["state"] == "open"
        await close(system, first)
        await sealed(system, incident)
        for gone in (running, last):
            with pytest.raises(Refused, match=f"was merged into {incident}"):
                await purge.purge(settings, gone, admin)
        done = await purge.purge(settings, incident, admin)
        assert done.erased
        await system.settle()
        assert await is_clean(system)
    assert [held(settings.data, subject) for subject in subjects] == [False, True, True, True, False]


@pytest.mark.usefixtures("kept_until")
async def test_a_matter_that_was_taken_up_again_is_sealed_anew_before_anything_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data=tmp_path / "data")
    async with embedded.running(settings) as system:
        monkeypatch.setattr(purge, "api", lambda *_: system.client())
        id_ = await report(system, "路灯不亮")
        await close(system, id_)
        staff, admin = (
            system.token("town-east", "chief", "handler", "duty_officer"),
            system.token("county", "admin", "chief"),
        )
        async with system.client(staff) as client:
            incident = (await incident_of(client, id_))["id"]
            await sealed(system, incident)
            await act(client, incident, "reopen", {"reason": "又不亮了"})
            await system.settle()
            with pytest.raises(Refused, match="goes on"):
                await purge.purge(settings, incident, admin)
            await act(client, incident, "solve", {"text": "换了灯泡"})
            await act(client, incident, "reply", {"text": "已答复"})
            async with system.client(system.token("town-east", "approver")) as approver:
                await act(approver, incident, "approve", {"proposal": 2})
            await act(client, incident, "resolve", {"reason": "办结"})
            await act(client, incident, "close", {"reason": "结案"})
            await system.settle()
        with pytest.raises(Refused, match="seal it anew"):
            await purge.purge(settings, incident, admin)
        assert held(settings.data, "路灯")
        await sealed(system, incident)
        assert (await purge.purge(settings, incident, admin)).erased
        assert (await purge.purge(settings, incident, admin)).erased == 0, "an erasure asks for no further seal"
        await system.settle()
    assert not held(settings.data, "路灯")


async def test_words_and_files_go_and_the_record_stays_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await purge._kept(clients([SEALED]), "incident-1", "token", []) == ("2020-03-01", PACK)
    settings = Settings(data=tmp_path / "data")

    async def kept(*_: object) -> tuple[str, str]:
        return "2020-03-01", PACK

    monkeypatch.setattr(purge, "_kept", kept)
    async with embedded.running(settings) as system:
        monkeypatch.setattr(purge, "api", lambda *_: system.client())
        other, id_ = await report(system, "道路积水"), await report(system, "路灯不亮")
        await attach(system, id_, "路灯的情况")
        await close(system, id_)
        async with system.client(system.token("city", "auditor")) as client:
            found = await client.get("/triage/v1/incidents", params={"report_id": id_})
        incident = found.json()["items"][0]["id"]
        done = await purge.purge(settings, incident, system.token("county", "admin", "chief"))
        assert (done.erased, done.asked) == (2, 0), "the report and the incident"
        await system.settle()
        assert await is_clean(system)
        assert (await purge.purge(settings, incident, system.token("county", "admin", "chief")))[:2] == (0, 0)
    assert not list((settings.data / "evidence").iterdir())
    for service in ("ingest", "triage", "audit"):
        words = [row[0] for row in rows(settings.data / f"{service}.sqlite", "select words from contents")]
        assert any("道路" in one for one in words) and other
        assert not [one for one in words if "路灯" in one or "换了灯泡" in one or "已答复" in one], service
    reasons = rows(settings.data / "audit.sqlite", "select words from contents where words like '%archive.kept%'")
    assert {row[0] for row in reasons} == {"county-default@2: archive.kept, 2020-03-01"}
