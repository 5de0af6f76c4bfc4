"""The figures of `/metrics` that are read from stores and topics on request, whichever process wrote them."""

import asyncio
import math
import time
from datetime import datetime
from typing import Any

from prometheus_client import Gauge
from sqlalchemy import Select, func, select
from sqlalchemy.exc import DBAPIError

from schemas.fields import parse_instant
from services.kernel import metrics
from services.kernel.core.problems import Problem
from services.kernel.delivery import operations
from services.kernel.delivery.log import LogGone
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import unit_of_work
from services.kernel.tasks import side_by_side

LOOK_SECONDS = 3.0
"""A store or the brokers count as unreachable after this many seconds without an answer."""

AHEAD_SECONDS = 60.0
"""Clocks of two machines may differ by a few seconds. What lies further ahead was written by a clock that was wrong."""


class Gauges:
    """The gauges of one service. An unknown value is "not a number". If nothing waits, the age is 0 seconds."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._name = runtime, runtime.service.name
        self._taken, self._moved = -1, time.monotonic()
        self._own: tuple[Gauge, ...] = ()
        """The service's own gauges, as far as they were read before."""

    async def read(self) -> None:
        """Reads all of them. It takes little longer than `LOOK_SECONDS`, even if nothing answers."""
        await side_by_side((self._read_store(), self._read_topics(), self._read_ready()))

    async def _read_ready(self) -> None:
        ready = True
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._runtime.ready_to_serve()
        except (Problem, DBAPIError, OSError):
            ready = False
        metrics.READY.labels(self._name).set(ready)

    async def _read_store(self) -> None:
        """Reads the gauges of the database. They stay unknown if it does not answer."""
        name, service, tables = self._name, self._runtime.service, self._runtime.tables
        outbox, parked, dead_letters = tables["outbox"], tables["parked"], tables["dead_letters"]
        stops = (dead_letters.c.stream_id.is_not(None), dead_letters.c.reason != "unwritten")
        waits = (dead_letters.c.state == "open", *stops)
        oldest: dict[Any, Select[Any]] = {
            metrics.OUTBOX_OLDEST.labels(name): select(outbox.c.since).order_by(outbox.c.seq).limit(1),
            metrics.PARKED_OLDEST.labels(name): select(
                func.min(
                    select(func.min(parked.c.since).label("since"))
                    .union_all(select(func.min(dead_letters.c.since)).where(*waits))
                    .subquery()
                    .c.since
                )
            ),
        }
        events = tables["events"]
        last = select(events.c.recordedtime).order_by(events.c.seq.desc()).limit(1)
        kept = select(tables["log_kept"].c.size, tables["log_kept"].c.at)
        committed, skew = metrics.COMMITTED.labels(name, "events"), metrics.SKEW.labels(name)
        size, signed = metrics.CHECKPOINT_SIZE.labels(name, "kept"), metrics.CHECKPOINT_AGE.labels(name, "kept")
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                waiting = await operations.attention(self._runtime)
                async with self._runtime.database.read() as connection:
                    found = {gauge: (await connection.execute(chosen)).scalar() for gauge, chosen in oldest.items()}
                    at = (await connection.execute(last)).scalar()
                    checkpoint = (await connection.execute(kept)).first()
                    own = {} if service.gauges is None else await service.gauges(self._runtime, connection)
                off = await self._runtime.skew()
        except (DBAPIError, OSError):
            attention = (metrics.ATTENTION.labels(name, kind) for kind in operations.ATTENTION)
            for gauge in (*oldest, *attention, *self._own, committed, skew, size, signed):
                gauge.set(math.nan)
            return
        self._own = tuple(own)
        now = self._runtime.time_source.now()
        for kind, count in waiting.items():
            metrics.ATTENTION.labels(name, kind).set(count)
        metrics.ALARMS.labels(name).set(len(self._runtime.alarms))
        for gauge, since in found.items():
            gauge.set(age(now, since) if since else 0)
        for gauge, value in own.items():
            gauge.set(value)
        committed.set(age(now, at) if at else math.nan)
        skew.set(off)
        size.set(checkpoint.size if checkpoint else 0)
        signed.set(age(now, checkpoint.at) if checkpoint else math.nan)

    async def _read_topics(self) -> None:
        """How far the service is behind, and since when its offsets stand still, as far as earlier calls saw it."""
        name, service = self._name, self._runtime.service
        topics = (*service.topics, *service.content_topics)
        if not topics:
            return
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                found = await unit_of_work(self._runtime).look(fast=True)
        except (DBAPIError, OSError, LogGone):
            for topic in topics:
                for number in range(self._runtime.settings.partitions):
                    metrics.LAG.labels(name, topic, number).set(math.nan)
            metrics.COMMITTED.labels(name, "offsets").set(math.nan)
            return
        behind = found.behind()
        for partition, end in found.ends.items():
            next_, _ = behind.get(partition, (end, end))
            lag = math.nan if partition in found.lost else end - next_
            metrics.LAG.labels(name, partition.topic, partition.number).set(lag)
        taken = sum(offset.next for offset in found.taken.values())
        if taken != self._taken:
            self._taken, self._moved = taken, time.monotonic()
        metrics.COMMITTED.labels(name, "offsets").set(time.monotonic() - self._moved)


def age(now: datetime, since: str) -> float:
    """Seconds since an instant, 0 if it comes within a minute.

    Infinite if it lies further ahead: the clock was wrong then. Nobody knows the age, and an alarm on it must not wait
    until that instant has come.
    """
    passed = (now - parse_instant(since)).total_seconds()
    return math.inf if passed < -AHEAD_SECONDS else max(0.0, passed)
