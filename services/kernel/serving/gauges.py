"""The figures of `/metrics` that are read from stores and topics on request, whichever process wrote them."""

import asyncio
import math
import time
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.exc import DBAPIError

from schemas.fields import parse_instant
from services.kernel import metrics
from services.kernel.delivery import operations
from services.kernel.delivery.log import LogGone
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import unit_of_work
from services.kernel.tasks import side_by_side

LOOK_SECONDS = 3.0
"""A store or the brokers count as unreachable after this many seconds without an answer."""


class Gauges:
    """The gauges of one service. An unknown value is "not a number". If nothing waits, the age is 0 seconds."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime, self._name = runtime, runtime.service.name
        self._taken, self._moved = -1, time.monotonic()

    async def read(self) -> None:
        """Reads all of them. It takes little longer than `LOOK_SECONDS`, even if nothing answers."""
        await side_by_side((self._read_store(), self._read_topics()))

    async def _read_store(self) -> None:
        """Reads the gauges of the database. They stay unknown if it does not answer."""
        name, tables = self._name, self._runtime.tables
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
        committed = metrics.COMMITTED.labels(name, "events")
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                waiting = await operations.attention(self._runtime)
                async with self._runtime.database.read() as connection:
                    found = {gauge: (await connection.execute(chosen)).scalar() for gauge, chosen in oldest.items()}
                    at = (await connection.execute(last)).scalar()
        except (DBAPIError, OSError):
            attention = (metrics.ATTENTION.labels(name, kind) for kind in operations.ATTENTION)
            for gauge in (*oldest, *attention, committed):
                gauge.set(math.nan)
            return
        now = self._runtime.time_source.now()
        for kind, count in waiting.items():
            metrics.ATTENTION.labels(name, kind).set(count)
        metrics.ALARMS.labels(name).set(len(self._runtime.alarms))
        for gauge, since in found.items():
            gauge.set(_age(now, since) if since else 0)
        committed.set(_age(now, at) if at else math.nan)

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


def _age(now: datetime, since: str) -> float:
    return max(0.0, (now - parse_instant(since)).total_seconds())
