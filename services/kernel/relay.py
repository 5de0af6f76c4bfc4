"""The relay: outbox rows to the event log, in order per stream, removed only when the log has acknowledged them.

It always takes the lowest unsent rows and has one batch in flight a partition, so version n+1 is never on a topic
before version n, whatever crashes and however many relays run; what a crash repeats, the consumers drop.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.exc import DBAPIError

from services.kernel import metrics
from services.kernel.failpoints import failpoint
from services.kernel.log import LogGone, Partition
from services.kernel.runtime import Runtime

ROWS = 4000
"""Outbox rows in one round."""
BATCH_BYTES = 900_000
"""The most that one partition gets in one round: a batch fits the brokers' default message limit."""
BACKSTOP = 1.0
log = structlog.get_logger()


class Relay:
    """Sends one service's outbox. Any number may run at once without harm; one is enough."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.tables = runtime.tables

    async def run(self) -> None:
        """Sends until cancelled; waits for a wake-up, at the latest for a second."""
        pause = 0.1
        while True:
            self.runtime.wake.clear()
            try:
                while await self.round():
                    pause = 0.1
            except (LogGone, DBAPIError, OSError) as error:
                log.warning("relay.waits", service=self.runtime.service.name, error=str(error)[:300], seconds=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
                continue
            try:
                await asyncio.wait_for(self.runtime.wake.wait(), BACKSTOP)
            except TimeoutError:
                continue

    async def round(self) -> int:
        """Sends the lowest unsent rows and removes them when acknowledged; returns how many. Raises `LogGone`."""
        outbox = self.tables["outbox"]
        async with self.runtime.database.read() as connection:
            rows = await self.waiting(connection)
            values = await self._values(connection, rows)
        if not rows:
            return 0
        batches: dict[Partition, list[tuple[bytes, bytes | None]]] = {}
        sizes: dict[Partition, int] = {}
        sent: list[int] = []
        full: set[Partition] = set()
        for row in rows:
            partition = Partition(row.topic, row.partition)
            value = values.get(row.event_id or row.ref)
            size = len(value or b"") + len(row.key) + 100
            if partition in full or (sizes.get(partition, 0) + size > BATCH_BYTES and partition in batches):
                full.add(partition)
                continue
            sizes[partition] = sizes.get(partition, 0) + size
            batches.setdefault(partition, []).append((row.key.encode(), value))
            sent.append(row.seq)
        failpoint("relay.before_send")
        await self.runtime.log.append(batches)
        failpoint("relay.acked")
        async with self.runtime.database.transaction() as connection:
            await connection.execute(delete(outbox).where(outbox.c.seq.in_(sent)))
        metrics.RELAYED.labels(self.runtime.service.name).inc(len(sent))
        return len(sent)

    async def waiting(self, connection: Any) -> list[Any]:
        """The lowest unsent rows. Never "above the last one sent": numbers become visible out of order."""
        outbox = self.tables["outbox"]
        return list((await connection.execute(select(outbox).order_by(outbox.c.seq).limit(ROWS))).all())

    async def _values(self, connection: Any, rows: list[Any]) -> Mapping[str, bytes | None]:
        """The bytes of each row: the event's, or a content record; None, a tombstone, for words that are erased."""
        events, contents = self.tables["events"], self.tables["contents"]
        ids = [row.event_id for row in rows if row.event_id]
        refs = [row.ref for row in rows if row.ref]
        values: dict[str, bytes | None] = dict.fromkeys(refs)
        if ids:
            found = await connection.execute(
                select(events.c.event_id, events.c.bytes).where(events.c.event_id.in_(ids))
            )
            values.update((row.event_id, row.bytes) for row in found)
        if refs:
            found = await connection.execute(select(contents).where(contents.c.ref.in_(refs)))
            for row in found:
                values[row.ref] = orjson.dumps({"ref": row.ref, "salt": row.salt.hex(), "words": row.words})
        return values

    async def is_empty(self) -> bool:
        """Whether nothing waits."""
        outbox = self.tables["outbox"]
        async with self.runtime.database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(outbox))).scalar_one() == 0
