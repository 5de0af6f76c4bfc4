"""Rights follow the matter through all five services: what each office may read, before and after a hand-over."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from schemas.fields import instant
from services.apps.embedded import Embedded, running
from services.kernel.settings import Settings
from tests.kernel.test_pictures import PNG

REPORT = {
    "unit": "town-east",
    "channel": "hotline",
    "subject": "路面塌陷",
    "text": "人民路路面塌陷。",
}
PART = ("city", "county", "town-east", "county-roads", "county-water", "county-education")
"""The accountable unit and those above it, the assigned one, one that verifies and one that helps."""
NONE = ("town-west", "county-housing")


class Incident:
    """One matter in a system, with the acts of its officers."""

    def __init__(self, system: Embedded) -> None:
        self.system = system
        self.report = self.evidence = self.incident = self.statement = ""

    async def ask(
        self, unit: str, role: str, method: str, path: str, status: int = 200, version: bool = False, **send: Any
    ) -> Any:
        """The API's answer to a post of a unit. With `version`, the request is on the incident's present version."""
        async with self.system.client(self.system.token(unit, role)) as client:
            headers = send.pop("headers", {})
            if version:
                read = await client.get(f"/triage/v1/incidents/{self.incident}")
                headers["If-Match"] = read.headers.get("etag", '"0"')
            answer = await client.request(method, path, headers=headers, **send)
        assert answer.status_code == status, (unit, role, path, answer.text)
        return answer.json()

    async def decide(self, unit: str, role: str, verb: str, /, **body: Any) -> None:
        await self.ask(unit, role, "POST", f"/triage/v1/incidents/{self.incident}/{verb}", version=True, json=body)

    async def attach(self, unit: str) -> str:
        """Adds a picture to the report; returns its reference."""
        path, headers = f"/ingest/v1/reports/{self.report}/evidence", {"Content-Type": "image/png"}
        await self.ask(unit, "handler", "POST", path, 201, content=PNG, headers=headers)
        read = await self.ask("city", "auditor", "GET", f"/ingest/v1/reports/{self.report}")
        return str(read["evidence"][-1]["file"])

    async def begin(self) -> None:
        """A report with evidence, with a draft and clocks. One department is assigned, another one verifies."""
        report = {**REPORT, "discovered_at": instant(self.system.time_source.now())}
        received = await self.ask("town-east", "duty_officer", "POST", "/ingest/v1/reports", 201, json=report)
        self.report = received["report_id"]
        self.evidence = await self.attach("town-east")
        await self.system.settle()
        found = await self.ask("city", "auditor", "GET", f"/triage/v1/incidents?report_id={self.report}")
        self.incident = found["items"][0]["id"]
        await self.decide("town-east", "duty_officer", "assign", unit="county-roads")
        await self.decide("town-east", "duty_officer", "request-verification", unit="county-water")
        await self.decide("town-east", "duty_officer", "request-help", unit="county-education")
        await self.system.settle()
        draft = {"incident_id": self.incident, "kind": "status", "title": "人民路处置", "text": "正在抢修。"}
        made = await self.ask("county-roads", "handler", "POST", "/publish/v1/statements", 201, json=draft)
        self.statement = made["id"]
        await self.system.settle()

    @property
    def places(self) -> Mapping[str, str]:
        """All parts of the matter."""
        report = f"/ingest/v1/reports/{self.report}"
        return {
            "report": report,
            "evidence": f"{report}/evidence/{self.evidence}?purpose=check",
            "incident": f"/triage/v1/incidents/{self.incident}",
            "clocks": f"/escalation/v1/incidents/{self.incident}",
            "statement": f"/publish/v1/statements/{self.statement}",
            "timeline": f"/audit/v1/incidents/{self.incident}/timeline",
            "events": f"/audit/v1/events?incident={self.incident}",
        }

    async def read(self, unit: str) -> dict[str, bool]:
        """The places that a handler of the unit may read. Others get 403 or 404."""
        seen = {}
        async with self.system.client(self.system.token(unit, "handler")) as client:
            for name, path in self.places.items():
                status = (await client.get(path)).status_code
                assert status in (200, 403, 404), (unit, name, status)
                seen[name] = status == 200
        return seen

    async def refusals(self) -> set[tuple[str, str, str]]:
        """Service, post and act of each recorded refusal. Further ones within a minute are added up."""
        await self.system.settle()
        events = await self.ask("city", "auditor", "GET", "/audit/v1/events?type=operation.access_refused&limit=500")
        return {(event["source"].rpartition("/")[2], event["actor"], event["data"]["act"]) for event in events["items"]}


@pytest.mark.timeout(180)
@pytest.mark.requirement("MUL-06")
async def test_a_matter_is_read_by_whoever_has_a_part_in_it_wherever_it_is_kept(tmp_path: Path) -> None:
    async with running(Settings(data=tmp_path / "data")) as system:
        incident = Incident(system)
        await incident.begin()
        everything = dict.fromkeys(incident.places, True)
        for unit in PART:
            assert await incident.read(unit) == everything, unit
        for unit in NONE:
            assert await incident.read(unit) == dict.fromkeys(incident.places, False), unit
        acts = (("ingest", "read-report"), ("escalation", "read-incident"), ("audit", "read-incident"))
        refused = {(service, f"handler@{unit}", act) for unit in NONE for service, act in acts}
        assert await incident.refusals() == refused

        reason = {"reason": "属西镇辖区"}
        await incident.decide("town-east", "chief", "transfer", unit="town-west", **reason)
        await system.settle()
        assert await incident.read("town-west") == everything
        assert await incident.read("town-east") == everything, "what was recorded until then"

        before, incident.evidence = incident.evidence, await incident.attach("town-west")
        await incident.decide("town-west", "duty_officer", "grade", level="major", reason="道路中断")
        await system.settle()
        assert await incident.read("town-west") == everything
        assert await incident.read("town-east") == everything | {"evidence": False}
        incident.evidence = before
        assert (await incident.read("town-east"))["evidence"]
        then = {
            name: await incident.ask("town-east", "handler", "GET", incident.places[name])
            for name in ("report", "incident", "clocks", "timeline")
        }
        assert (len(then["report"]["evidence"]), then["incident"]["level"], then["clocks"]["level"]) == (1, None, None)
        assert then["timeline"]["items"][-1]["event"]["type"] == "huiying.incident.transferred.v1"
        assert {"public_statement"}.isdisjoint(clock["clock"] for clock in then["clocks"]["clocks"])

        refuse = f"/ingest/v1/reports/{incident.report}/refuse"
        await incident.ask("town-east", "chief", "POST", refuse, 403, json=reason)
        for verb, role in (("grade", "duty_officer"), ("close", "chief")):
            body = {"level": "general", **reason} if verb == "grade" else reason
            path = f"/triage/v1/incidents/{incident.incident}/{verb}"
            await incident.ask("town-east", role, "POST", path, 403, json=body)
        await incident.ask("town-west", "chief", "POST", refuse, json=reason)
        decided = {
            ("ingest", "chief@town-east", "refuse"),
            ("triage", "duty_officer@town-east", "grade"),
            ("triage", "chief@town-east", "close"),
        }
        assert await incident.refusals() == refused | decided
