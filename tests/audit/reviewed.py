"""A matter with everything that a review tells, and audit that drafted it."""

import asyncio
import os
from pathlib import Path
from typing import Any

import httpx

from schemas import escalation as e
from schemas import ingest as i
from schemas import triage as t
from services.audit.review import loop as drafting
from services.kernel import failpoints
from tests.audit.matter import TOWN, Matter, at
from tests.audit.test_findings import settle, with_packs
from tests.audit.world import World, id_of, words
from tests.kit import access


def handled(name: str = "road", ends: bool = True) -> Matter:
    """A matter that was reported seven times, graded, answered late, regraded and resolved."""
    matter = Matter(name).known()
    for n in range(6):
        when, report = 1 + n * 9, id_of("report", f"{name} {n}")
        received = i.ReportReceived(
            unit=TOWN,
            channel="board",
            discovered_at=at(when),
            subject=words("s"),
            text=words("t"),
            receipt="1" * 64,
        )
        matter.add(when, received, stream=report, unit=TOWN)
        matter.add(when, t.IncidentReportAttached(report=report, unit=TOWN, discovered_at=at(when)), unit=TOWN)
        reach = i.ReportReachMeasured(clicks=1000 * (n + 1), comments=30 * n, measured_at=at(when + 0.5))
        matter.add(when + 0.5, reach, stream=report, unit=TOWN)
    by: dict[str, Any] = {"unit": TOWN, "actor": "duty_officer@town-east"}
    matter.add(2, t.IncidentGraded(level="major", rank=2, rule="levels.major.conditions.clicks"), **by)
    matter.clock("report_to_town", 3).reported(2.5, "report_to_county")
    matter.missed("public_statement", 3)
    matter.add(4, t.IncidentAssigned(unit=TOWN), unit=TOWN, actor="chief@town-east")
    matter.published(6, "The road was closed at six and is being repaired.")
    matter.add(6.1, e.ClockMet(clock="public_statement", met_at=at(6.1), late=True))
    matter.add(6.2, e.ClockMet(clock="report_to_town", met_at=at(2.2), late=False))
    matter.add(20, t.IncidentRegraded(level="general", rank=1, previous="major", previous_rank=2), **by)
    if ends:
        matter.add(60, t.IncidentResolved(reason=words("r")), unit=TOWN, actor="chief@town-east")
    return matter


async def draft(world: World, *matters: Matter) -> None:
    """Lets audit take events in, judge them and draft reviews. What it decides comes back, so it takes in twice."""
    await settle(world, *matters)
    await drafting.settle(world.runtime)
    for _ in range(2):
        await world.take()


async def ask(
    world: World, matter: Matter, verb: str, body: Any, role: str, unit: str = TOWN, version: int | None = None
) -> httpx.Response:
    """A command of staff on the review; by default on its newest version."""
    path = f"/audit/v1/incidents/{matter.id}/review"
    if version is None:
        version = (await world.get(f"incidents/{matter.id}/review"))["version"]
    async with world.client(unit, role) as client:
        client.headers.update(access.bearer(unit, role))
        answer = await client.post(f"{path}/{verb}", json=body, headers={"If-Match": str(version)})
    for _ in range(2):
        await world.take()
    return answer


async def done(world: World, matter: Matter, verb: str, body: Any, role: str = "chief") -> None:
    """A command that must succeed."""
    answer = await ask(world, matter, verb, body, role)
    assert answer.status_code == 200, answer.text


def drafted_until(folder: Path, database: str, failpoint: str) -> int:
    """Drafts what was judged in a folder in a process of its own, which dies at a failpoint. Returns its code."""
    child = os.fork()
    if child == 0:
        os.environ["HUIYING_FAILPOINT"] = failpoint
        failpoints._chosen.cache_clear()
        try:
            asyncio.run(_draft_once(folder, database))
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


async def _draft_once(folder: Path, database: str) -> None:
    world = World(folder, database)
    await world.start()
    with_packs(world)
    await drafting.settle(world.runtime)


def sent(matter: Matter, review: str, edition: int, when: float = 70) -> None:
    """The written report with a review to the town's leader, which confirms it."""
    report = {"report": "0" * 8 + "-0000-4000-8000-" + "0" * 12, "unit": TOWN, "to": TOWN}
    reported = e.ClockReportedUpward(
        **report,
        addressee="principal_leader",
        form="written",
        hop="written_report",
        unverified=False,
        review=review,
        edition=edition,
    )
    matter.add(when, reported, unit=TOWN, actor="duty_officer@town-east")
    given = e.ClockReceiptGiven(report=report["report"], unit=TOWN)
    matter.add(when + 1, given, unit=TOWN, actor="chief@town-east")
