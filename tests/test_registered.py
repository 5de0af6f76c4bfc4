"""A matter that the office registers before anybody reports it, through all services."""

from pathlib import Path
from typing import Any

import pytest

from schemas.fields import instant, parse_instant
from services.apps import operate
from services.apps.embedded import Embedded, running
from services.kernel.settings import Settings


async def ask(
    system: Embedded, who: str, method: str, path: str, status: int = 200, on: str = "", **send: Any
) -> dict[str, Any]:
    """The API's answer to a post; `on` is the record whose present version the request names."""
    role, _, unit = who.partition("@")
    async with system.client(system.token(unit, role)) as client:
        headers = {"If-Match": (await client.get(on)).headers["etag"]} if on else {}
        answer = await client.request(method, path, headers=headers, **send)
    assert answer.status_code == status, (who, path, answer.text)
    return answer.json()  # type: ignore[no-any-return]


@pytest.mark.requirement("ING-07")
async def test_a_prepared_response_waits_and_limits_run_from_the_first_report(tmp_path: Path) -> None:
    async with running(Settings(data=tmp_path / "data")) as system:
        body = {"unit": "town-east", "subject": "卫生院停诊", "text": "三月五日停诊一天检修"}
        made = await ask(system, "duty_officer@town-east", "POST", "/triage/v1/incidents", 201, json=body)
        matter = f"/triage/v1/incidents/{made['id']}"

        async def decide(who: str, verb: str, **sent: Any) -> None:
            await ask(system, who, "POST", f"{matter}/{verb}", on=matter, json=sent)

        await decide(
            "verifier@town-east", "establish-fact", key="confirmed", kind="yes_no", value=True, source="检修通知"
        )
        await decide("duty_officer@town-east", "grade", level="general", reason="影响一天门诊")
        await system.settle()
        draft = {"incident_id": made["number"], "kind": "facts", "facts": ["confirmed"], "title": "卫生院停诊说明",
                 "text": "卫生院三月五日停诊一天，急诊由县医院承担。",
                 "waive": [{"figures": ["三月五日"], "reason": "停诊安排"}]}  # fmt: skip
        said = await ask(system, "handler@town-east", "POST", "/publish/v1/statements", 201, json=draft)
        statement = f"/publish/v1/statements/{said['id']}"
        await ask(system, "handler@town-east", "POST", f"{statement}/submit", on=statement, json={})
        await ask(system, "approver@town-east", "POST", f"{statement}/approve", on=statement, json={})
        await system.settle()
        limits = f"/escalation/v1/incidents/{made['id']}"
        assert (await ask(system, "auditor@city", "GET", limits))["clocks"] == []

        known = instant(system.time_source.now())
        report = {"unit": "town-east", "channel": "hotline", "subject": "卫生院为什么停诊", "text": "今天停诊了。",
                  "discovered_at": known}  # fmt: skip
        sent = await ask(system, "duty_officer@town-east", "POST", "/ingest/v1/reports", 201, json=report)
        await system.settle()
        found = await ask(system, "auditor@city", "GET", f"/triage/v1/incidents?report_id={sent['report_id']}")
        theirs = f"/triage/v1/incidents/{found['items'][0]['id']}"
        similar = await ask(system, "duty_officer@town-east", "GET", f"{theirs}/similar")
        assert [one["incident_id"] for one in similar["items"]] == [made["id"]]
        merge = {"into": made["number"], "reason": "同一事项"}
        await ask(system, "chief@town-east", "POST", f"{theirs}/merge", on=theirs, json=merge)
        await system.settle()
        clocks = {one["clock"]: one for one in (await ask(system, "auditor@city", "GET", limits))["clocks"]}
        assert parse_instant(clocks["explanation"]["since"]) == parse_instant(known)
        assert clocks["explanation"]["met_at"] is None

        await ask(system, "spokesperson@town-east", "POST", f"{statement}/publish", on=statement, json={})
        await system.settle()
        clocks = {one["clock"]: one for one in (await ask(system, "auditor@city", "GET", limits))["clocks"]}
        assert clocks["explanation"]["met_at"] is not None
        shown = await ask(system, "auditor@city", "GET", matter)
        assert (shown["report_count"], shown["handled"]["answer"] is None) == (1, False)
        timeline = await ask(system, "auditor@city", "GET", f"/audit/v1/incidents/{made['id']}/timeline?lang=zh")
        types = [one["event"]["type"] for one in timeline["items"]]
        assert types[0] == "huiying.incident.opened.v1"
        assert "huiying.report.received.v1" in types, "the report stands in the same timeline"
    settings = Settings(data=tmp_path / "data")
    verdict = await operate.check(settings, 30.0)
    assert verdict.ok, operate.told(verdict, verbose=True)
    assert await operate.replay(settings) == []
