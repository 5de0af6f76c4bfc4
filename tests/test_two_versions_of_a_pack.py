"""Two versions of a pack in one deployment. Each decides from its day on, and leaves earlier decisions unchanged."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from services.apps import operate
from services.apps.embedded import Embedded, running
from services.kernel.core.time_source import TimeSource
from services.kernel.settings import ROOT, Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")
REASON = {"level": "general", "reason": "一处路灯"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    """The shipped pack, and a second version of it, which starts soon and has another name for a level."""
    # In the zone of the pack, and not tomorrow: midnight may come between this line and the last test.
    day = (datetime.now(ZoneInfo("Asia/Shanghai")) + timedelta(days=2)).date()
    folder: Path = tmp_path_factory.mktemp("packs")
    policies = folder / "policies"
    shutil.copytree(ROOT / "policies", policies)
    text = (policies / "county-default.yaml").read_text("utf-8")
    fresh = text.replace("\nversion: 2\n", "\nversion: 3\n", 1)
    first = next(line for line in text.splitlines() if line.startswith("effective_from:"))
    fresh = fresh.replace(first, f"effective_from: {day}", 1).replace("title_zh: 一般", "title_zh: 普通", 1)
    (policies / "county-default-3.yaml").write_text(fresh, "utf-8")
    async with running(Settings(data=folder / "data", policies=policies), TimeSource()) as made:
        yield made


async def ask(system: Embedded, role: str, method: str, path: str, body: Any = None, version: int | None = None) -> Any:
    headers = {} if version is None else {"If-Match": str(version)}
    async with system.client(system.token("town-east", role)) as client:
        answer = await client.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        await system.settle()
        return answer.json()


async def in_force(system: Embedded, version: int) -> None:
    """Waits until every service sees this version in force. A service keeps its last reading for a second."""
    for runtime in system.runtimes.values():
        while True:
            async with runtime.database.read() as connection:
                pack = (await runtime.offices(connection)).pack("town-east")
            if pack.model.version == version:
                break
            await asyncio.sleep(0.05)


async def opened(system: Embedded, subject: str) -> str:
    body = {
        "unit": "town-east",
        "channel": "visit",
        "subject": subject,
        "text": "请尽快处理。",
        "discovered_at": system.time_source.now().isoformat(),
    }
    report = (await ask(system, "duty_officer", "POST", "/ingest/v1/reports", body))["report_id"]
    found = await ask(system, "duty_officer", "GET", f"/triage/v1/incidents?report_id={report}")
    return str(found["items"][0]["id"])


async def policies_of(system: Embedded, incident: str, type_: str) -> list[str]:
    """`pack@version` of the decisions on an incident, in order."""
    page = await ask(system, "auditor", "GET", f"/audit/v1/events?incident={incident}&limit=500")
    return [event["policy"].partition("#")[0] for event in page["items"] if event["type"] == f"huiying.{type_}.v1"]


async def test_each_version_decides_from_its_day_on(system: Embedded) -> None:
    before = await opened(system, "路灯不亮")
    await ask(system, "duty_officer", "POST", f"/triage/v1/incidents/{before}/grade", REASON, 0)
    assert await policies_of(system, before, "incident.graded") == ["county-default@2"]
    owed = await ask(system, "duty_officer", "GET", f"/escalation/v1/clocks?incident={before}")

    system.time_source.move(timedelta(days=3))
    await in_force(system, 3)
    after = await opened(system, "井盖缺失")
    await ask(system, "duty_officer", "POST", f"/triage/v1/incidents/{after}/grade", REASON, 0)
    assert await policies_of(system, after, "incident.graded") == ["county-default@3"]
    assert await policies_of(system, before, "incident.graded") == ["county-default@2"], "what was decided stays"
    still = await ask(system, "duty_officer", "GET", f"/escalation/v1/clocks?incident={before}")
    assert {(clock["clock"], clock["due"]) for clock in owed["items"]} <= {
        (clock["clock"], clock["due"]) for clock in still["items"]
    }, "the same limits, due at the same time"


async def test_both_are_shown_and_one_is_in_force(system: Embedded) -> None:
    packs = (await ask(system, "duty_officer", "GET", "/triage/v1/packs"))["items"]
    county = [pack for pack in packs if pack["pack"] == "county-default"]
    assert [(pack["version"], "city" in pack["units"]) for pack in county] == [(2, False), (3, True)]
    assert not any(pack["units"] for pack in packs if pack not in county), "a pack decides for nobody until assigned"


async def test_the_record_is_sound(system: Embedded) -> None:
    report = await operate.check_stores(operate.Stores(system.runtimes, system.log, system))
    assert report.ok, report.faults
