"""Purging: when the years of an archive are over, words and files go, and everything stays provable."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.apps import embedded, purge
from services.apps.client import Refused
from services.kernel.settings import Settings
from tests.test_backup import close, is_clean, report, rows
from tests.test_restore_drills import attach

PACK = "county-default@2#" + "9f2c" * 16
SEALED = {"ended": True, "kept_until": "2020-03-01", "kept_by": PACK}


def clients(seals: list[dict[str, Any]], state: str = "closed") -> Mapping[str, httpx.AsyncClient]:
    """Audit and triage that know of these archives and of a matter in this state."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"state": state} if "triage" in request.url.path else {"items": seals})

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
        await purge._kept(clients(seals, state), "incident-1", "token")


async def test_words_and_files_go_and_the_record_stays_proven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await purge._kept(clients([SEALED]), "incident-1", "token") == ("2020-03-01", PACK)
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
