"""One matter with many reports: the cost of a further report and of a decision, compared with a matter of few reports.

This measures triage alone, on each of the two databases. The benchmark hands ingest's events to triage's unit of work.
Escalation alone takes in reports that come with the newest discovery first, since each of them moves the limits. A
figure and its floor, the same on a matter with few reports, take turns.
"""

import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from sqlalchemy import select

from benchmarks import rig
from benchmarks.measure import Figure
from schemas.envelope import seal
from schemas.fields import WordsRef
from schemas.ingest import ReportReceived
from schemas.triage import IncidentReportAttached
from services.kernel.core.decider import Actor
from services.kernel.core.ids import derived
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log import EventLog
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.serving import commands
from services.kernel.serving.commands import Caller
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.triage import seen
from services.triage.alike import linking
from services.triage.app import SERVICE
from services.triage.commands import Grade, Merge, Split
from services.triage.offices import setup
from tests.escalation.conftest import Desk as Escalation
from tests.escalation.conftest import Topics
from tests.escalation.conftest import opened as escalation
from tests.escalation.incident import at
from tests.escalation.test_service import opened
from tests.kit import substrate

FEW, MANY, ALL = 10, 10_000, 30_000
MOVES = 400
"""So many reports move the limits one by one."""
TIMES = 40
"""Each thing is done this many times for a median."""
BATCHES = 2_000
"""Reports taken in by the batch, for a rate."""
TWICE = 0.5
CHIEF = Actor("chief@county", "county", frozenset({"chief", "duty_officer"}), "p")


@asynccontextmanager
async def _database(kind: str, service: str) -> AsyncIterator[tuple[Database, Settings]]:
    """An empty database of a service."""
    template = substrate.new_databases("attach", rig.postgres(), (service,)) if kind == "PostgreSQL" else ""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(template.format(service=service) if template else Path(folder) / f"{service}.sqlite")
        try:
            yield database, Settings(data=Path(folder), database=template)
        finally:
            await database.close()
            if template:
                substrate.drop_databases(template)


@asynccontextmanager
async def _triage(kind: str) -> AsyncIterator[Runtime]:
    """Triage on its own empty database, with the shipped units and packs."""
    async with _database(kind, SERVICE.name) as (database, settings):
        made = Runtime(SERVICE, settings, database, TimeSource(), cast(EventLog, None), rig.SECRET)
        async with database.transaction() as connection:
            await connection.run_sync(SERVICE.metadata.create_all)
        await setup.place(made)
        yield made


@dataclass
class Desk:
    """Triage, and the events that it was given."""

    made: Runtime
    topics: Topics = field(default_factory=Topics)
    told: int = 0
    matters: dict[str, str] = field(default_factory=dict)
    """Incident -> the name of its matter."""

    async def take(self, name: str, reports: int) -> float:
        """Takes in this many further reports of a matter; returns the milliseconds."""
        before = {part: len(records) for part, records in self.topics.records.items()}
        for _ in range(reports):
            self._tell(derived(name).replace("-", "") * 2)
        work, began = UnitOfWork(self.made), time.perf_counter()
        for part, records in self.topics.records.items():
            await work.handle(records[before.get(part, 0) :])
        return (time.perf_counter() - began) * 1000

    async def grow(self, name: str, reports: int) -> str:
        """The same, but returns the matter's incident."""
        await self.take(name, reports)
        of = self.made.tables["incident_reports"].c
        (incident,) = await self._found(select(of.incident_id).where(of.report_id == _report(self.told - 1)))
        self.matters[incident] = name
        return str(incident)

    async def attach(self, incident: str) -> float:
        """Milliseconds to take in one further report."""
        return await self.take(self.matters[incident], 1)

    async def grade(self, incident: str) -> float:
        """Milliseconds of a grading."""
        caller = await self.caller(incident)
        level = Grade(level=("major", "general")[(caller.version or 0) % 2], reason="r")
        see = seen.for_grade
        return await _timed(lambda: commands.execute(self.made, caller, incident, level, staff=True, see=see))

    async def split(self, incident: str) -> float:
        """Milliseconds to let a report leave."""
        of, caller = self.made.tables["incident_reports"].c, await self.caller(incident)
        mine = (of.incident_id == incident, of.active, of.position > 1)
        body = Split(reports=tuple(await self._found(select(of.report_id).where(*mine).limit(1))))
        return await _timed(lambda: linking.split(self.made, caller, incident, body))

    async def absorb(self, incident: str) -> float:
        """Milliseconds to merge a matter with few reports into it."""
        other, body = await self.grow(f"to be merged {self.told}", FEW), Merge(into=incident)
        return await _timed(lambda: linking.merge(self.made, Caller(CHIEF, version=0), other, body))

    async def caller(self, incident: str) -> Caller:
        """Its chief, who saw the newest version."""
        of = self.made.tables["incidents"].c
        (version,) = await self._found(select(of.revision).where(of.id == incident))
        return Caller(CHIEF, version=version)

    async def _found(self, chosen: Any) -> list[Any]:
        async with self.made.database.read() as connection:
            return list((await connection.execute(chosen)).scalars())

    def _tell(self, match_key: str) -> None:
        now, words, stream = datetime.now(UTC), WordsRef(ref=derived("words"), digest="0" * 64), _report(self.told)
        received = ReportReceived(
            unit="county",
            channel="board",
            discovered_at=now,
            subject=words,
            text=words,
            match_key=match_key,
            receipt="0" * 64,
        )
        event = seal(
            received,
            id=derived(stream, "event"),
            source="/huiying/bench/ingest",
            stream=stream,
            version=1,
            previous=None,
            time=now,
            recorded=now,
            partitionkey=stream,
            actor="integration",
            unit="county",
        )
        self.topics.add(event, 1)
        self.told += 1


def _report(number: int) -> str:
    return f"report-{derived('attach', str(number))}"


async def _timed(act: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await act()
    return (time.perf_counter() - began) * 1000


async def measure(runs: int) -> list[Figure]:
    """Milliseconds, and reports a second. Each figure stands beside the one with few reports."""
    kinds = ("SQLite", "PostgreSQL")
    return [figure for kind in kinds for figure in [*await _measure(kind), *await _newest_first(kind)]]


async def _newest_first(kind: str) -> list[Figure]:
    """The cost of reports that were each discovered before all earlier ones, by the batch and one by one."""
    rates, took = [], []
    async with _database(kind, "escalation") as places, escalation(*places) as desk:
        incident = opened(desk)
        for number in range(1, MANY + 1):
            _tell_earlier(desk, incident, number)
            if number % BATCHES == 0:
                began = time.perf_counter()
                await desk.consume()
                rates.append(BATCHES / (time.perf_counter() - began))
    async with _database(kind, "escalation") as places, escalation(*places) as desk:
        incident = opened(desk)
        for number in range(1, MOVES + 1):
            _tell_earlier(desk, incident, number)
            took.append(await _timed(desk.consume))
    few, many = statistics.median(took[:TIMES]), statistics.median(took[-TIMES:])
    by_batch, alone = f"limits moved by the batch, newest first, {MANY:,} reports", f"limits moved {MOVES:,} times"
    return [
        Figure(f"{kind}: {by_batch}", "/s", rates[-1], TWICE, rates[0], rates[-1] / rates[0], f"the first {BATCHES:,}"),
        Figure(f"{kind}: {alone}, one by one", "ms", many, TWICE, few, few / many, f"the first {TIMES}"),
    ]


def _tell_earlier(desk: Escalation, incident: str, number: int) -> None:
    """A report that was discovered before all earlier ones."""
    before = at(0) - timedelta(seconds=number)
    attached = IncidentReportAttached(report=_report(number), unit="town-east", discovered_at=before)
    desk.tell(incident, attached, at(0) + timedelta(seconds=number))


async def _measure(kind: str) -> list[Figure]:
    figures: list[Figure] = []
    async with _triage(kind) as made:
        desk = Desk(made)

        async def compare(what: str, act: Callable[[str], Awaitable[float]], reports: int, incident: str) -> None:
            pairs = [(await act(few), await act(incident)) for _ in range(TIMES)]
            floors, reached = ([pair[at] for pair in pairs] for at in (0, 1))
            ratio = statistics.median(floor / of for floor, of in pairs)
            name, with_few = f"{kind}: {what}, {reports:,} reports", f"with {FEW} reports at first"
            median = statistics.median
            figures.append(Figure(name, "ms", median(reached), TWICE, median(floors), ratio, with_few, runs=TIMES))

        few, many = await desk.grow("few", FEW), await desk.grow("many", FEW)
        slow = await desk.take("many", BATCHES)
        await desk.grow("many", MANY - BATCHES - FEW)
        await compare("attach", desk.attach, MANY, many)
        await compare("grade", desk.grade, MANY, many)
        await desk.grow("many", ALL - MANY - TIMES - BATCHES)
        fast = await desk.take("many", BATCHES)
        for what, act in {"attach": desk.attach, "grade": desk.grade, "split": desk.split}.items():
            await compare(what, act, ALL, many)
        await compare("merge into", desk.absorb, ALL, many)
        into, caller = await desk.grow("another", FEW), await desk.caller(many)
        away = await _timed(lambda: linking.merge(made, caller, many, Merge(into=into)))
        await compare("attach after a merger", desk.attach, ALL, into)
    rates = [BATCHES / took * 1000 for took in (slow, fast)]
    by_batch, merged = f"{kind}: attach by the batch, {ALL:,} reports", f"{kind}: merge {ALL:,} reports away"
    figures.append(Figure(by_batch, "/s", rates[1], TWICE, rates[0], rates[1] / rates[0], f"the first {BATCHES:,}"))
    return [*figures, Figure(merged, "ms", away, 2000)]
