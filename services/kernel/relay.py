"""The relay: outbox rows to the event log, in order per stream, removed only when the log has acknowledged them.

It always takes the lowest unsent rows and has one batch in flight a partition, so version n+1 is never on a topic
before version n, whatever crashes and however many relays run; what a crash repeats, the consumers drop.
"""

import asyncio
from typing import Any

import orjson
import structlog
from sqlalchemy import Select, func, select
from sqlalchemy.exc import DBAPIError

from services.kernel import database, metrics
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
                # `wait_for` of 3.11 can swallow a cancellation that comes with the wake-up.
                async with asyncio.timeout(BACKSTOP):
                    await self.runtime.wake.wait()
            except TimeoutError:
                continue

    async def round(self) -> int:
        """Sends the lowest unsent rows and removes them when acknowledged; returns how many. Raises `LogGone`."""
        async with self.runtime.database.read() as connection:
            rows = (await connection.execute(self.waiting())).all()
        if not rows:
            return 0
        batches: dict[Partition, list[tuple[bytes, bytes | None]]] = {}
        sizes: dict[Partition, int] = {}
        sent: list[tuple[int]] = []
        full: set[Partition] = set()
        for seq, topic, number, key, event, ref, salt, words in rows:
            partition = Partition(topic, number)
            # Words that were erased meanwhile leave a tombstone.
            value = event or (orjson.dumps({"ref": ref, "salt": salt.hex(), "words": words}) if ref else None)
            size = sizes.get(partition, 0) + len(value or b"") + len(key) + 100
            if partition in full or (size > BATCH_BYTES and partition in batches):
                full.add(partition)
                continue
            sizes[partition] = size
            batches.setdefault(partition, []).append((key.encode(), value))
            sent.append((seq,))
        failpoint("relay.before_send")
        await self.runtime.log.append(batches)
        failpoint("relay.acked")
        async with self.runtime.database.transaction() as connection:
            await database.remove(connection, self.tables["outbox"], sent)
        metrics.RELAYED.labels(self.runtime.service.name).inc(len(sent))
        return len(sent)

    def waiting(self) -> Select[Any]:
        """The lowest unsent rows with what they refer to."""
        events, contents = self.tables["events"], self.tables["contents"]
        lowest = self.lowest().subquery()
        return (
            select(
                lowest.c.seq,
                lowest.c.topic,
                lowest.c.partition,
                lowest.c.key,
                events.c.bytes,
                contents.c.ref,
                contents.c.salt,
                contents.c.words,
            )
            .outerjoin(events, events.c.event_id == lowest.c.event_id)
            .outerjoin(contents, contents.c.ref == lowest.c.ref)
            .order_by(lowest.c.seq)
        )

    def lowest(self) -> Select[Any]:
        """The lowest unsent rows. Never "above the last one sent": numbers become visible out of order."""
        outbox = self.tables["outbox"]
        return select(outbox).order_by(outbox.c.seq).limit(ROWS)

    async def is_empty(self) -> bool:
        """Whether nothing waits."""
        outbox = self.tables["outbox"]
        async with self.runtime.database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(outbox))).scalar_one() == 0
