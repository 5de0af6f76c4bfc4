"""Since when a level was known, through the services: what was measured counts, however late a person grades."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from schemas.fields import parse_instant
from services.apps.embedded import Embedded, running
from services.kernel.core.time_source import TimeSource
from services.kernel.settings import ROOT, Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")
NINE = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=4)
"""The 09:00 of the test. It is 13:00 now."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Embedded]:
    """All services, under the shipped packs."""
    data = tmp_path_factory.mktemp("levels")
    async with running(Settings(data=data, policies=ROOT / "policies"), TimeSource()) as made:
        yield made


class Desk:
    """A duty officer of a town, with one matter that was known at 08:30."""

    def __init__(self, system: Embedded) -> None:
        self.system, self.report, self.incident, self.version = system, "", "", 0

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"If-Match": str(self.version)} if "/incidents/" in path and method == "POST" else {}
        async with self.system.client(self.system.token("town-east", "duty_officer")) as client:
            answer = await client.request(method, path, json=body, headers=headers)
            assert answer.is_success, answer.text
            await self.system.settle()
            told = answer.json()
            self.version = told["version"] if headers else self.version
            return told

    async def open(self, subject: str) -> None:
        discovered = NINE - timedelta(minutes=30)
        body = {"unit": "town-east", "channel": "visit", "subject": subject, "text": "请尽快处理。"}
        received = await self.ask("POST", "/ingest/v1/reports", body | {"discovered_at": discovered.isoformat()})
        self.report = received["report_id"]
        found = await self.ask("GET", f"/triage/v1/incidents?report_id={self.report}")
        self.incident = found["items"][0]["id"]

    async def counts(self, hours: float, **figures: int) -> None:
        at = (NINE + timedelta(hours=hours)).isoformat()
        await self.ask("POST", f"/ingest/v1/reports/{self.report}/reach", {**figures, "measured_at": at})

    async def judge(self, verb: str, **body: Any) -> None:
        await self.ask("POST", f"/triage/v1/incidents/{self.incident}/{verb}", {**body, "reason": "r"})

    async def due(self, clock: str) -> float:
        """When the limit falls due, in hours after nine."""
        found = await self.ask("GET", f"/escalation/v1/clocks?incident={self.incident}")
        (due,) = (one["due"] for one in found["items"] if one["clock"] == clock)
        return (parse_instant(due) - NINE) / timedelta(hours=1)


@pytest.fixture
def desk(system: Embedded) -> Desk:
    return Desk(system)


@pytest.mark.requirement("PUB-01")
async def test_any_level_of_the_clock_counts_and_not_only_the_one_that_was_given(desk: Desk) -> None:
    await desk.open("停水")
    await desk.counts(0, clicks=2999)
    await desk.counts(2.5, comments=500)
    await desk.judge("grade", level="extraordinary")
    assert await desk.due("public_statement") == 3
    await desk.judge("grade", level="major")
    assert await desk.due("public_statement") == 3
    await desk.judge("grade", level="general")
    await desk.judge("grade", level="extraordinary")
    assert await desk.due("public_statement") == 3


async def test_a_count_that_comes_late_can_only_bring_it_forward(desk: Desk) -> None:
    await desk.open("停电")
    await desk.counts(2, clicks=1000)
    await desk.judge("grade", level="major")
    assert await desk.due("public_statement") == 5
    await desk.counts(1, clicks=1500)
    assert await desk.due("public_statement") == 4
    await desk.counts(3, clicks=9000, comments=9000)
    assert await desk.due("public_statement") == 4


async def test_what_a_person_judged_first_stays_known_from_the_start(desk: Desk) -> None:
    await desk.open("塌方")
    await desk.judge("grade", level="major")
    assert await desk.due("public_statement") == 2.5
    await desk.counts(2, clicks=9000)
    await desk.judge("grade", level="extraordinary")
    assert await desk.due("public_statement") == 2.5


async def test_harm_is_such_a_fact_and_no_figure_is_needed(desk: Desk) -> None:
    await desk.open("受伤")
    before = datetime.now(UTC)
    await desk.judge("judge-harm", harm=2)
    await desk.judge("set-flag", flag="food")
    await desk.judge("clear-flag", flag="food")
    after = datetime.now(UTC)
    await desk.judge("grade", level="extraordinary")
    found = await desk.due("public_statement")
    assert (before - NINE) / timedelta(hours=1) + 3 <= found <= (after - NINE) / timedelta(hours=1) + 3
