"""The relay: outbox rows to the event log, in order per stream, removed only when the log has acknowledged them.

It always takes the lowest unsent rows and has one batch in flight a partition, so version n+1 is never on a topic
before version n, whatever crashes and however many relays run; what a crash repeats, the consumers drop. Words never
come behind their tombstone: a relay that was stalled with them is kept out, see `EventLog.writer`.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Select, func, select
from sqlalchemy.exc import DBAPIError

from services.kernel import metrics
from services.kernel.delivery.log import TOGETHER, LogGone, Partition
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.logging import Lasting, brief
from services.kernel.store import sql
from services.kernel.store.sql import Query
from services.kernel.tasks import side_by_side

ROWS = 3000
"""Outbox rows in one round. For more, PostgreSQL would expect so much work that it compiles the query each time."""
BATCH_BYTES = 900_000
"""The most that one partition gets in one round: a batch fits the brokers' default message limit."""
BACKSTOP = 1.0
WRITER_SECONDS = 86_400.0
"""How long one writer is used: brokers forget an id that nobody took for seven days, and who was kept out with it."""


@dataclass(slots=True)
class Batch:
    """What is sent at once: the lowest rows, of each partition as many as fit one message."""

    writer: int | None = None
    """Who was there to write when it was read."""
    records: dict[Partition, list[tuple[bytes, bytes | None]]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    _sizes: dict[Partition, int] = field(default_factory=dict)

    def add(self, seq: int, partition: Partition, key: bytes, value: bytes | None) -> None:
        """Takes the row, unless its partition is full: then this and all further ones of it wait for the next batch."""
        before = self._sizes.get(partition, 0)
        size = self._sizes[partition] = before + len(value or b"") + len(key) + 100
        if size <= BATCH_BYTES or not before:
            self.records.setdefault(partition, []).append((key, value))
            self.rows.append(seq)


class Relay:
    """Sends one service's outbox. Any number may run at once without harm; one is enough."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.tables = runtime.tables
        self._waiting = self.waiting()

    @classmethod
    async def keep(cls, runtime: Runtime) -> None:
        """A relay of its own, until cancelled."""
        await cls(runtime).run()

    async def run(self) -> None:
        """Sends until cancelled; waits for a wake-up, at the latest for a second."""
        pause, waits = 0.1, Lasting("relay.waits", service=self.runtime.service.name)
        anew_at = 0.0
        while True:
            self.runtime.wake.clear()
            try:
                if time.monotonic() >= anew_at:
                    # Also where this process has one: another process may have led since it was made.
                    await self.runtime.log.writer(anew=True)
                    anew_at = time.monotonic() + WRITER_SECONDS
                await self.drain()
                pause = 0.1
                waits.over()
            except (LogGone, DBAPIError, OSError) as error:
                waits.told(brief(error))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
                continue
            try:
                # `wait_for` of 3.11 can swallow a cancellation that comes with the wake-up.
                async with asyncio.timeout(BACKSTOP):
                    await self.runtime.wake.wait()
            except TimeoutError:
                continue

    async def drain(self) -> int:
        """Sends until nothing waits, and returns how many rows. Raises `LogGone`.

        While many rows are on their way, those before them are removed and the next are read. Few are followed by a
        pause, so that what is written meanwhile goes out together.
        """
        count, sent = 0, Batch()
        batch = await self._next(sent, Batch())
        while batch.rows or sent.rows:
            count += len(batch.rows)
            if len(batch.rows) > TOGETHER:
                following, _ = await side_by_side((self._next(sent, batch), self._send(batch)))
                sent, batch = batch, following or Batch()
            else:
                began = time.monotonic()
                await self._send(batch)
                await asyncio.sleep(began + self.runtime.log.pace - time.monotonic())
                sent.rows += batch.rows
                sent, batch = Batch(), await self._next(sent, Batch())
        return count

    async def _send(self, batch: "Batch") -> None:
        if batch.rows:
            failpoint("relay.before_send")
            self.runtime.sending = True
            await self.runtime.log.append(batch.records, batch.writer)
            self.runtime.sent.update({partition: len(records) for partition, records in batch.records.items()})
            self.runtime.sending = False
            failpoint("relay.acked")

    async def _next(self, sent: "Batch", on_its_way: "Batch") -> "Batch":
        """Removes what was acknowledged, and reads the lowest unsent rows that are not on their way."""
        database_ = self.runtime.database
        # The writer first, then the rows while the term stands: whoever leads after that has a later writer.
        writer = await self.runtime.log.writer()
        fenced = bool(sent.rows) or database_.fence is not None
        async with database_.transaction() if fenced else database_.read() as connection:
            query = Query(self._waiting, {"on_their_way": on_its_way.rows})
            rows = await sql.remove_and_fetch(connection, self.tables["outbox"], [(seq,) for seq in sent.rows], query)
        metrics.RELAYED.labels(self.runtime.service.name).inc(len(sent.rows))
        batch = Batch(writer)
        for seq, topic, number, key, event, ref, salt, words in rows:
            # Words that were erased meanwhile leave a tombstone.
            value = event or (orjson.dumps({"ref": ref, "salt": salt.hex(), "words": words}) if salt else None)
            batch.add(seq, Partition(topic, number), key.encode(), value)
        return batch

    def waiting(self) -> Select[Any]:
        """The lowest unsent rows but those `on_their_way`, with what they refer to.

        Looked up row by row: of a join PostgreSQL believes that `ROWS` rows come, and would read both tables whole.
        """
        events, contents = self.tables["events"], self.tables["contents"]
        lowest = self.lowest().subquery()
        of_words = contents.c.ref == lowest.c.ref
        return select(
            lowest.c.seq,
            lowest.c.topic,
            lowest.c.partition,
            lowest.c.key,
            select(events.c.bytes).where(events.c.event_id == lowest.c.event_id).scalar_subquery(),
            lowest.c.ref,
            select(contents.c.salt).where(of_words).scalar_subquery(),
            select(contents.c.words).where(of_words).scalar_subquery(),
        ).order_by(lowest.c.seq)

    def lowest(self) -> Select[Any]:
        """The lowest of those rows. Never "above the last one sent": numbers become visible out of order."""
        outbox = self.tables["outbox"]
        waits = sql.is_none_of(outbox.c.seq, "on_their_way")
        return select(outbox).where(waits).order_by(outbox.c.seq).limit(ROWS)

    async def is_empty(self) -> bool:
        """Whether nothing waits."""
        outbox = self.tables["outbox"]
        async with self.runtime.database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(outbox))).scalar_one() == 0
