"""Lets many holders of receipts wait for news at the cost of one.

While anybody waits, one task looks once a second at all reports that are waited for. It asks the database and not this
process, since other processes take in what offices decide.
"""

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

import structlog
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.ingest.views import ANSWERS, BELONGINGS, EXTENSIONS, METADATA
from services.kernel.delivery.runtime import Runtime
from services.kernel.logging import brief
from services.kernel.store import sql

LONGEST = 60
"""The most seconds that somebody may wait."""
MOST = 10_000
"""Beyond so many, a process lets nobody wait further."""
READING = 4
"""So many read their states at once. They leave connections to the store for others."""
LOOK_SECONDS = 1.0
Mark = tuple[int, ...]
"""What changes when something happens to a report: an event of its own, another matter, an answer, an extension."""
_EVENTS, _OF = METADATA.tables["events"].c, BELONGINGS.c
_MINE = sql.is_one_of(_OF.report_id, "reports")
_COUNTS = (
    select(_EVENTS.stream_id, func.max(_EVENTS.version))
    .where(sql.is_one_of(_EVENTS.stream_id, "reports"))
    .group_by(_EVENTS.stream_id),
    select(_OF.report_id, func.count() + func.count(_OF.left_at)).where(_MINE).group_by(_OF.report_id),
    *(
        select(_OF.report_id, func.count())
        .select_from(BELONGINGS.join(table, table.c.incident_id == _OF.incident_id))
        .where(_MINE)
        .group_by(_OF.report_id)
        for table in (ANSWERS, EXTENSIONS)
    ),
)
logger = structlog.get_logger()


async def marks(connection: AsyncConnection, reports: Collection[str]) -> dict[str, Mark]:
    """The mark of each report."""
    asked = sorted(reports)
    found = await sql.fetch(connection, [sql.Query(counts, {"reports": asked}) for counts in _COUNTS])
    by_part: list[dict[str, int]] = [dict(rows) for rows in found]
    return {report: tuple(part.get(report, 0) for part in by_part) for report in asked}


class _Waiting(NamedTuple):
    seen: Mark
    changed: asyncio.Event


class Waiting:
    """Those who wait, in this process."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting: dict[str, list[_Waiting]] = {}
        self._count = 0
        self.reading = asyncio.Semaphore(READING)
        """Held by whoever reads a state: a statement may wake all who reported on a matter."""
        self._looking: asyncio.Task[None] | None = None

    async def for_change(self, report: str, seen: Mark, seconds: float) -> bool:
        """Whether the report's mark became another one than `seen`. Waits at most these seconds for it."""
        if seconds <= 0 or self._count >= MOST:
            return False
        mine = _Waiting(seen, asyncio.Event())
        self._waiting.setdefault(report, []).append(mine)
        self._count += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await mine.changed.wait()
            return mine.changed.is_set()
        finally:
            self._count -= 1
            self._waiting[report].remove(mine)
            if not self._waiting[report]:
                del self._waiting[report]

    async def _look(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(LOOK_SECONDS)
                try:
                    async with self._runtime.database.read() as connection:
                        now = await marks(connection, self._waiting)
                except (DBAPIError, OSError, TimeoutError) as error:
                    logger.warning("receipts.not_looked", error=brief(error))
                    continue
                for report, mark in now.items():
                    _wake(self._waiting.get(report, ()), mark)
        finally:
            self._looking = None


def _wake(waiting: Sequence[_Waiting], mark: Mark) -> None:
    for one in waiting:
        if one.seen != mark:
            one.changed.set()
