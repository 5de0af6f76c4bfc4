"""The timer loop: a look at open clocks of which none is due, and 10,000 limits that pass within a second.

`HUIYING_BENCH_CLOCKS` says how many are open. The first 100,000 start by events; the others are copies of their rows
under other ids.

Lateness runs from the due instant to the instant of detection in the breach. Each limit is breached once.
"""

import asyncio
import contextlib
import os
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import psycopg

from benchmarks import rig
from benchmarks.measure import Figure, percentile
from schemas.envelope import Event, seal
from schemas.escalation import ClockBreached
from schemas.fields import instant
from schemas.triage import IncidentOpened
from services.escalation.app import SERVICE
from services.escalation.clock import timers
from services.escalation.views import CLOCKS
from services.kernel.core.ids import derived
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.rules.packs import load_pack
from tests.escalation.conftest import Topics

OPEN = int(os.environ.get("HUIYING_BENCH_CLOCKS", "100_000"))
STARTED = 100_000
DUE = 10_000
LIMIT = timedelta(hours=2)
"""The first limit of a matter under the shipped pack."""
LOOKS = 200
SECONDS = 120


async def measure(runs: int) -> list[Figure]:
    """Milliseconds of a look; seconds of lateness."""
    async with rig.runtime(SERVICE) as made:
        topics, log = Topics(), made.log
        made.log = topics  # type: ignore[assignment]
        try:
            _assign_pack(made)
            clocks = await _fill(made, topics, min(OPEN, STARTED), timedelta(minutes=1), "open")
            clocks = _copied(made, OPEN // clocks) if clocks < OPEN else clocks
            looks = [await _look(made) for _ in range(LOOKS)]
            lateness = [await _pass(made, topics, f"due {run}") for run in range(min(runs, 3))]
        finally:
            made.log = log
    medians = [percentile([percentile(run, part) for run in lateness], 0.5) for part in (0.5, 0.99)]
    return [
        Figure(f"timers: a look, {clocks:,} open, none due", "ms", percentile(looks, 0.5), 10, runs=LOOKS),
        Figure(f"timers: {DUE:,} due in a second, late p50", "s", medians[0], 5, runs=len(lateness)),
        Figure(f"timers: {DUE:,} due in a second, late p99", "s", medians[1], 10, runs=len(lateness)),
    ]


def _assign_pack(made: Runtime) -> None:
    pack = load_pack(made.settings.policies / "county-default.yaml")
    stream = "policy-00000000-0000-7000-8000-000000000000"
    with psycopg.connect(rig.plain(made), autocommit=True) as connection:
        connection.execute(
            "insert into packs_assigned (unit, since, policy, stream_id, version) values (%s, %s, %s, %s, 1)",
            ("city", "2000-01-01T00:00:00.000000Z", pack.ref, stream),
        )
        connection.execute(
            "insert into packs (policy, canonical, stream_id, version) values (%s, %s, %s, 1)",
            (pack.ref, pack.canonical, stream),
        )


async def _fill(made: Runtime, topics: Topics, clocks: int, known: timedelta, name: str) -> int:
    """Starts this many clocks, of matters that were discovered at that time. Returns how many are open then."""
    work, number = UnitOfWork(made), 0
    while True:
        before = {part: len(records) for part, records in topics.records.items()}
        for _ in range(1000):
            topics.add(_matter(f"{name} {number}", datetime.now(UTC) - known), made.settings.partitions)
            number += 1
        for part, records in topics.records.items():
            await work.handle(records[before.get(part, 0) :])
        if number % 20_000:
            continue
        with psycopg.connect(rig.plain(made)) as connection:
            (found,) = connection.execute("select count(*) from clocks where state = 'running'").fetchone() or (0,)
        if found >= clocks:
            return int(found)


def _copied(made: Runtime, times: int) -> int:
    """Lets each open clock stand so many times. Returns how many are open then."""
    names = [column.name for column in CLOCKS.columns if column is not CLOCKS.c.incident_id]
    id_ = "'incident-' || md5(incident_id || copy)::uuid"
    with psycopg.connect(rig.plain(made), autocommit=True) as connection:
        connection.execute(
            f"insert into clocks (incident_id, {', '.join(names)}) select {id_}, {', '.join(names)} "
            "from clocks, generate_series(2, %s) as copy where state = 'running'",
            (times,),
        )
        connection.execute("vacuum analyze clocks")  # as the server does by itself
        (found,) = connection.execute("select count(*) from clocks where state = 'running'").fetchone() or (0,)
    return int(found)


def _matter(name: str, known: datetime) -> Event:
    """A matter is opened with this discovery."""
    incident = f"incident-{derived('bench', name)}"
    return seal(
        IncidentOpened(unit="town-east", report=f"report-{derived('bench', name)}", discovered_at=known),
        id=derived("bench", name),
        source="/huiying/bench/triage",
        stream=incident,
        version=1,
        previous=None,
        time=known,
        recorded=datetime.now(UTC),
        partitionkey=incident,
        actor="system",
        correlation=incident,
        unit="town-east",
    )


async def _look(made: Runtime) -> float:
    began = time.perf_counter()
    await timers.turn(made, timers.Horizons(), timers.Pace())
    return (time.perf_counter() - began) * 1000


async def _pass(made: Runtime, topics: Topics, name: str) -> list[float]:
    """The lateness of each limit that passes within one second, while the loop runs."""
    work, first = UnitOfWork(made), datetime.now(UTC) + timedelta(seconds=30)
    before = {part: len(records) for part, records in topics.records.items()}
    for number in range(DUE):
        at = first + timedelta(seconds=number / DUE)
        topics.add(_matter(f"{name} {number}", at - LIMIT), made.settings.partitions)
    for part, records in topics.records.items():
        await work.handle(records[before.get(part, 0) :])
    loop = asyncio.create_task(timers.run(made))
    try:
        breaches = await _breaches(made, instant(first))
    finally:
        loop.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await loop
    times = Counter((event.stream, event.data.clock) for event in breaches)
    assert len(times) == DUE and set(times.values()) == {1}, "each limit is breached once"
    return [(event.data.detected_at - event.data.due).total_seconds() for event in breaches]


async def _breaches(made: Runtime, since: str) -> list[Event]:
    """The breaches of limits that were due from then on, once all are there."""
    until = time.monotonic() + SECONDS
    type_ = "huiying.clock.breached.v1"
    while time.monotonic() < until:
        await asyncio.sleep(0.5)
        with psycopg.connect(rig.plain(made)) as connection:
            (found,) = connection.execute(
                f"select count(*) from {CLOCKS.name} where breached_at >= %s", (since,)
            ).fetchone() or (0,)
            if found >= DUE:
                rows = connection.execute("select bytes from events where type = %s", (type_,)).fetchall()
                events = [Event.parse(bytes(row[0])) for row in rows]
                return [e for e in events if isinstance(e.data, ClockBreached) and instant(e.data.due) >= since]
    raise AssertionError(f"the limits were not all found within {SECONDS} s")
