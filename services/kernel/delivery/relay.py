"""The relay moves outbox rows to the event log, in order within each stream. It removes them after the acknowledgement.

It always takes the lowest unsent rows and has one batch in flight for each partition. So version n+1 is never on a
topic before version n, whatever crashes and however many relays run. Consumers drop what a crash repeats. Words never
come after their tombstone: a stalled relay is kept out, see `EventLog.writer`.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Select, func, select
from sqlalchemy.exc import DBAPIError

from schemas.envelope import Event
from services.kernel import metrics
from services.kernel.delivery.log import TOGETHER, Entry, LogGone, Partition
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.logging import Lasting, brief
from services.kernel.store import sql
from services.kernel.store.sql import Query
from services.kernel.tasks import side_by_side

ROWS = 3000
"""Outbox rows in one round. For more rows, PostgreSQL would expect so much work that it compiles the query each time.
"""
BATCH_BYTES = 900_000
"""The most bytes for one partition in one round, so that a batch fits the brokers' default message limit."""
BACKSTOP = 1.0
WRITER_SECONDS = 86_400.0
"""How long one writer is used. Brokers forget an id that nobody used for seven days, and with it whom they keep out."""


@dataclass(slots=True)
class Batch:
    """The rows of one sending: the lowest ones, for each partition as many as fit one message."""

    writer: int | None = None
    """The writer at the time of the reading."""
    records: dict[Partition, list[Entry]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)
    traced: list[tuple[Partition, Event]] = field(default_factory=list)
    """The events among them, if a collector takes traces."""
    _sizes: dict[Partition, int] = field(default_factory=dict)

    def add(
        self,
        seq: int,
        partition: Partition,
        key: bytes,
        value: bytes | None,
        header: Callable[[Event], bytes] | None = None,
    ) -> None:
        """Takes the row unless its partition is full. Then this row and its later ones wait for the next batch.

        `header` makes the header of an event, if it is to have one.
        """
        before = self._sizes.get(partition, 0)
        size = self._sizes[partition] = before + len(value or b"") + len(key) + 100
        if size <= BATCH_BYTES or not before:
            entry: Entry = (key, value)
            if header is not None and value is not None:
                event = Event.parse(value)
                entry = (key, value, header(event))
                self.traced.append((partition, event))
            self.records.setdefault(partition, []).append(entry)
            self.rows.append(seq)


class Relay:
    """Sends one service's outbox. Any number may run at once without harm; one is enough."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.tables = runtime.tables
        self._waiting = self.waiting()

    @classmethod
    async def keep(cls, runtime: Runtime) -> None:
        """A separate relay, until cancelled."""
        await cls(runtime).run()

    async def run(self) -> None:
        """Sends until cancelled. Waits for a wake-up, at most a second."""
        pause, waits = 0.1, Lasting("relay.waits", service=self.runtime.service.name)
        anew_at = 0.0
        while True:
            self.runtime.wake.clear()
            try:
                if time.monotonic() >= anew_at:
                    # Even if this process has a writer, another process may have led since it was made.
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
        """Sends until nothing waits, and returns the number of rows. Raises `LogGone`.

        While many rows are being sent, the rows before them are removed and the next ones are read. After few rows it
        pauses, so that rows written meanwhile go out together.
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
            began, traces = time.time_ns(), self.runtime.traces
            await self.runtime.log.append(batch.records, batch.writer)
            if traces is not None:
                traces.sent(batch.traced, began)
            self.runtime.sent.update({partition: len(records) for partition, records in batch.records.items()})
            self.runtime.sending = False
            failpoint("relay.acked")

    async def _next(self, sent: "Batch", on_its_way: "Batch") -> "Batch":
        """Removes acknowledged rows, and reads the lowest unsent rows that are not being sent.

        Rows that come back after a crash of the database are sent again. A tombstone that was sent stays the last: a
        crash takes back the later commits first.
        """
        database_ = self.runtime.database
        # First the writer, then the rows under its term: a later leader has a later writer.
        writer = await self.runtime.log.writer()
        fenced = bool(sent.rows) or database_.fence is not None
        async with database_.transaction() if fenced else database_.read() as connection:
            query = Query(self._waiting, {"on_their_way": on_its_way.rows})
            rows = await sql.remove_and_fetch(connection, self.tables["outbox"], [(seq,) for seq in sent.rows], query)
        metrics.RELAYED.labels(self.runtime.service.name).inc(len(sent.rows))
        batch, traces = Batch(writer), self.runtime.traces
        for seq, topic, number, key, event, ref, salt, words in rows:
            # Words that were erased meanwhile become a tombstone.
            value = event or (orjson.dumps({"ref": ref, "salt": salt.hex(), "words": words}) if salt else None)
            header = traces.header if traces is not None and event else None
            batch.add(seq, Partition(topic, number), key.encode(), value, header)
        return batch

    def waiting(self) -> Select[Any]:
        """The lowest unsent rows except those `on_their_way`, with their events or words.

        They are looked up row by row. For a join, PostgreSQL expects `ROWS` rows and would read both tables whole.
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
        """The lowest of those rows. Never "above the last one sent", since numbers become visible out of order."""
        outbox = self.tables["outbox"]
        waits = sql.is_none_of(outbox.c.seq, "on_their_way")
        return select(outbox).where(waits).order_by(outbox.c.seq).limit(ROWS)

    async def is_empty(self) -> bool:
        """Whether no row waits."""
        outbox = self.tables["outbox"]
        async with self.runtime.database.read() as connection:
            return (await connection.execute(select(func.count()).select_from(outbox))).scalar_one() == 0
