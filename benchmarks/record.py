"""What the record costs as it grows: taking events in, a timeline, a proof, the lists and numbers that audit answers,
and a start. `HUIYING_BENCH_EVENTS` says how many.

The events come straight from memory. The first tenth of them is the floor for all of them.
"""

import math
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import islice

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from benchmarks import rig
from benchmarks.histories import Histories
from benchmarks.measure import Figure, percentile
from services.audit.app import SERVICE
from services.audit.log import growing
from services.audit.projection import BATCH, AuditWork, learn
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import http
from services.kernel.tlog import tree
from tests.kit import access, spec

EVENTS = int(os.environ.get("HUIYING_BENCH_EVENTS", "1_000_000"))
ASKED, LISTED, SEED = 500, 20, 12
SECONDS = 20
"""A path that takes long is asked fewer times."""
GOAL_TIMELINE, GOAL_PROOF, GOAL_LIST = 1 / 1.3, 0.2, 0.5


async def measure(runs: int) -> list[Figure]:
    """Events a second, milliseconds of a timeline and of a proof, at a tenth of the events and at all of them."""
    async with rig.runtime(SERVICE) as made:
        histories = Histories(made.settings.partitions)
        await _start(made)
        work = Alone(made)
        small = EVENTS // 10 // histories.each
        first = await _take(work, histories, small)
        before = await _timelines(made, histories, small)
        lists = await _lists(made, histories, small)
        second = await _take(work, histories, EVENTS // histories.each - small)
        after = await _timelines(made, histories, EVENTS // histories.each)
        computed, read = await _proofs(made, histories, EVENTS // histories.each)
        grown = await _lists(made, histories, EVENTS // histories.each)
        start = await _start(made)
        async with made.database.read() as connection:
            disk = (await connection.execute(text("select pg_database_size(current_database())"))).scalar_one()
        count = histories.each * (EVENTS // histories.each)
        size = f"{count:,}"
    slow, fast = percentile(after, 0.99), percentile(before, 0.99)
    floor_is = "at a tenth of the events"
    return [
        Figure(f"taken in up to {size}", "events/s", second, 0.8, first, second / first, floor_is),
        Figure(f"timeline p99 at {size}", "ms", slow, GOAL_TIMELINE, fast, fast / slow, floor_is),
        Figure(f"inclusion proof at {size}, computed", "ms", percentile(computed, 0.5), GOAL_PROOF),
        Figure(f"inclusion proof at {size}, read", "ms", percentile(read, 0.5), 5.0),
        Figure(f"audit's database at {size}", "bytes an event", disk / count, 5e3),
        Figure(f"start of audit on {size}", "s", start, 3.0),
        *(
            Figure(f"{path} at {size}", "ms", ms, GOAL_LIST, lists[path], lists[path] / ms, floor_is)
            for path, ms in grown.items()
        ),
    ]


class Alone(AuditWork):
    """Audit without brokers: it cannot ask where the topics end."""

    async def _take_aim(self) -> None:
        pass


async def _take(work: AuditWork, histories: Histories, matters: int) -> float:
    records, began, count = histories.more(matters), time.perf_counter(), 0
    while batch := list(islice(records, BATCH)):
        await work.handle(batch)
        count += len(batch)
    return count / (time.perf_counter() - began)


@asynccontextmanager
async def _auditor(made: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an auditor of the root."""
    app = http.application([made], title="audit", keys=access.PUBLIC)
    known = Runtime.offices

    async def with_posts(connection: AsyncConnection, **more: bool) -> Offices:
        found = await known(made, connection, **more)
        return replace(found, posts=dict.fromkeys(found.units, spec.offices().posts["city"]))

    made.offices = with_posts  # type: ignore[method-assign]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://audit/audit/v1",
        headers=access.bearer("city", "auditor"),
        timeout=600,
    ) as client:
        yield client


async def _lists(made: Runtime, histories: Histories, matters: int) -> dict[str, float]:
    """Path -> the median of the milliseconds of its answers; infinite if there is none in time.

    The record has matters, their events and limits. It has no texts, and no findings or inspections: these lists are
    asked because a plan of the database may read all else to find that.
    """
    number, month = f"town-east-2026-{matters // 2:05}", "from=2026-03&to=2026-03"
    paths = (
        "incidents",
        f"incidents?number={number}",
        "incidents?unit=town-east&clock=verify&clock_state=breached",
        "incidents?post=approver@town-east",
        "incidents?from=2026-03-02T00:00:00Z&to=2026-03-03T00:00:00Z",
        "incidents?known_at=2026-03-03T00:00:00Z",
        "events?unit=town-east",
        "events?type=huiying.clock.breached.v1",
        "findings",
        "findings?newest=true&unit=town-east",
        "inspections",
        f"statistics?unit=county&{month}",
        f"statistics?unit=county&by=month&{month}",
        "statistics/duty-desk?unit=town-east&month=2026-03",
        "statistics/year?unit=county&year=2026",
        f"statistics/analysis?unit=county&{month}",
    )
    took = {}
    async with _auditor(made) as client:
        for path in paths:
            times: list[float] = []
            for _ in range(LISTED):
                began = time.perf_counter()
                answer = await client.get(path)
                times.append((time.perf_counter() - began) * 1000)
                if answer.status_code == 503:
                    times = [math.inf]
                    break
                assert answer.status_code == 200, (path, answer.text)
                if sum(times) > SECONDS * 1000:
                    break
            took[path.replace(number, "N")] = median = percentile(times, 0.5)
            print(f"{path}: {median:.1f} ms, {len(answer.content)} bytes")
    return took


async def _timelines(made: Runtime, histories: Histories, matters: int) -> list[float]:
    chance = random.Random(SEED)
    async with _auditor(made) as client:

        async def one() -> None:
            answer = await client.get(f"incidents/{histories.incident(chance.randrange(matters))}/timeline")
            assert answer.status_code == 200, answer.text
            assert len(answer.json()["items"]) == histories.each

        return await _timed(one)


async def _proofs(made: Runtime, histories: Histories, matters: int) -> tuple[list[float], list[float]]:
    """Milliseconds for the hashing of a proof, and for reading and hashing."""
    size, chance, computed = matters * histories.each, random.Random(SEED), []
    async with made.database.read() as connection:

        async def one() -> None:
            spans = tree.inclusion(chance.randrange(size), size)
            held = await growing.rows(connection, tree.rows_of(spans))
            began = time.perf_counter()
            for span in spans:
                tree.hash_of(span, held)
            computed.append((time.perf_counter() - began) * 1000)

        read = await _timed(one)
    return computed, read


async def _start(made: Runtime) -> float:
    """Seconds of what audit does with its record when it starts."""
    began = time.perf_counter()
    await learn(made)
    if SERVICE.on_start is not None:
        await SERVICE.on_start(made)
    return time.perf_counter() - began


async def _timed(one: Callable[[], Awaitable[None]]) -> list[float]:
    found = []
    for at in range(ASKED + 50):
        began = time.perf_counter()
        await one()
        if at >= 50:
            found.append((time.perf_counter() - began) * 1000)
    return found
