"""The event log as a SQLite file: one process, no broker. Durable when `append` returns."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import structlog
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, delete, func, select
from sqlalchemy.exc import DBAPIError

from services.kernel.delivery.log import Entry, Handle, LogGone, Offsets, Partition, Record, check_range
from services.kernel.delivery.log.merging import merged
from services.kernel.logging import brief
from services.kernel.store import sql
from services.kernel.store.columns import key
from services.kernel.store.database import REST, Database
from services.kernel.tasks import to_the_end

logger = structlog.get_logger()
FETCH = 2000
FORGET_SECONDS = 1.0
FAILED_SECONDS = 60.0
"""From a rewriting that failed to the next one. On a full disk, each one takes the space that others need."""
ERASED = 1
"""The file's `user_version` from an erasure until the file is rewritten, so that a start goes on with it."""
METADATA = MetaData()
RECORDS = Table(
    "records",
    METADATA,
    Column("topic", key(100), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", Integer, primary_key=True),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    sqlite_with_rowid=False,
)


class EmbeddedLog:
    """All topics in one file. When a tombstone comes, content topics drop the earlier records of its key."""

    pace = 0.0

    def __init__(self, path: Path, partitions: int) -> None:
        self._database = Database(path)
        self._partitions = partitions
        self._ends: dict[Partition, int] = {}
        self._grown = asyncio.Condition()
        self._appending = asyncio.Lock()
        self._forgetting: asyncio.Task[None] | None = None
        self._erased = asyncio.Event()

    async def start(self) -> None:
        """Opens the file. Makes it if it does not exist."""
        async with self._database.transaction() as connection:
            await connection.run_sync(METADATA.create_all)
            found = await connection.execute(
                select(RECORDS.c.topic, RECORDS.c.partition, func.max(RECORDS.c.offset)).group_by(
                    RECORDS.c.topic, RECORDS.c.partition
                )
            )
            self._ends = {Partition(topic, number): last + 1 for topic, number, last in found}
        self._forget()

    def _forget(self) -> None:
        """Rewrites the file without erased words, and empties its write-ahead file as soon as nobody reads from it."""
        self._erased.set()
        if self._forgetting is None or self._forgetting.done():
            self._forgetting = asyncio.create_task(self._forget_soon())

    async def _forget_soon(self) -> None:
        while self._erased.is_set():
            # What is erased meanwhile may still be there afterwards.
            self._erased.clear()
            began, pause = time.monotonic(), 0.0
            try:
                # If this task is cancelled, `stop` must still wait for the rewriting before it closes the file.
                if not await to_the_end(self._rewrite()):
                    self._erased.set()
                    pause = FORGET_SECONDS
            except (sqlite3.Error, DBAPIError) as error:
                logger.warning("log.erasure_waits", error=brief(error))
                self._erased.set()
                pause = FAILED_SECONDS
            await asyncio.sleep(max(pause, REST * (time.monotonic() - began)))

    async def _rewrite(self) -> bool:
        async with self._appending:
            await asyncio.to_thread(_rewrite, self._database.location)
            return await self._database.forget()

    async def stop(self) -> None:
        """Closes the file."""
        if self._forgetting is not None:
            self._forgetting.cancel()
            await asyncio.gather(self._forgetting, return_exceptions=True)
        async with self._appending:
            await self._database.close()

    async def create_topics(self, event_topics: Sequence[str], content_topics: Sequence[str]) -> Sequence[str]:
        """Topics need not be made here. A partition appears with its first record."""
        return ()

    async def writer(self, *, anew: bool = False) -> int:
        """There is one process."""
        return 0

    async def append(self, batches: Mapping[Partition, Sequence[Entry]], writer: int | None = None) -> set[Partition]:
        """See `EventLog.append`."""
        # The end of the log must be known. Otherwise the next append would write over the records of a cancelled one.
        return await to_the_end(self._append(batches))

    async def _append(self, batches: Mapping[Partition, Sequence[Entry]]) -> set[Partition]:
        async with self._appending:
            return await self._append_next(batches)

    async def _append_next(self, batches: Mapping[Partition, Sequence[Entry]]) -> set[Partition]:
        rows, ends = [], dict(self._ends)
        for partition, records in batches.items():
            # A header is not kept: all consumers are in this process, and derive the same.
            for key_, value, *_ in records:
                offset = ends.get(partition, 0)
                ends[partition] = offset + 1
                place = {"topic": partition.topic, "partition": partition.number, "offset": offset}
                rows.append({**place, "key": key_, "value": value})
        try:
            async with self._database.transaction() as connection:
                await sql.insert(connection, RECORDS, rows)
                if any(row["value"] is None for row in rows):
                    await connection.exec_driver_sql(f"pragma user_version = {ERASED}")
                for row in rows:
                    if row["value"] is None:
                        await connection.execute(
                            delete(RECORDS).where(
                                RECORDS.c.topic == row["topic"],
                                RECORDS.c.partition == row["partition"],
                                RECORDS.c.key == row["key"],
                                RECORDS.c.offset < row["offset"],
                            )
                        )
        except (DBAPIError, OSError) as error:
            raise LogGone(f"the log file cannot be written: {error}") from error
        if any(row["value"] is None for row in rows):
            self._forget()
        self._ends.update({partition: ends[partition] for partition in batches})
        async with self._grown:
            self._grown.notify_all()
        return set(batches)

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        """See `EventLog.ends`."""
        return {part: self._ends.get(part, 0) for part in self._all(topics)}

    async def begins(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        """Nothing is ever removed from the front."""
        return dict.fromkeys(self._all(topics), 0)

    async def before(self, offsets: Mapping[Partition, int]) -> Mapping[Partition, Record]:
        """See `EventLog.before`."""
        places = [(*partition, offset - 1) for partition, offset in offsets.items()]
        async with self._database.read() as connection:
            (found,) = await sql.rows_of(connection, [(RECORDS, places)])
        return {Partition(row["topic"], row["partition"]): Record(**row) for row in found}

    def _all(self, topics: Sequence[str]) -> list[Partition]:
        return [Partition(topic, number) for topic in topics for number in range(self._partitions)]

    async def read(self, partition: Partition, start: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """See `EventLog.read`."""
        while start < end:
            records = await self._fetch(partition, start, end)
            if not records:
                return
            yield records
            start = records[-1].offset + 1

    async def read_together(self, spans: Mapping[Partition, tuple[int, int]]) -> AsyncIterator[Sequence[Record]]:
        """See `EventLog.read_together`."""
        places = {partition: start for partition, (start, _) in spans.items()}

        async def more(asked: Collection[Partition]) -> Mapping[Partition, Sequence[Record]]:
            found = {part: await self._fetch(part, places[part], spans[part][1]) for part in asked}
            places.update({part: records[-1].offset + 1 for part, records in found.items() if records})
            return found

        async for records in merged(spans, more):
            yield records

    async def _fetch(self, partition: Partition, start: int, end: int) -> list[Record]:
        chosen = (
            select(RECORDS.c.offset, RECORDS.c.key, RECORDS.c.value)
            .where(
                RECORDS.c.topic == partition.topic,
                RECORDS.c.partition == partition.number,
                RECORDS.c.offset >= start,
                RECORDS.c.offset < end,
            )
            .order_by(RECORDS.c.offset)
            .limit(FETCH)
        )
        async with self._database.read() as connection:
            found = (await connection.execute(chosen)).all()
        return [Record(partition.topic, partition.number, row.offset, row.key, row.value) for row in found]

    async def consume(self, group: str, topics: Sequence[str], offsets: Offsets, handle: Handle) -> None:
        """See `EventLog.consume`. One task takes all partitions together."""
        partitions = self._all(topics)
        positions = dict(await offsets(partitions))
        for partition, wanted in positions.items():
            check_range(partition, wanted, 0, self._ends.get(partition, 0))
        while True:
            behind = [part for part in partitions if positions[part] < self._ends.get(part, 0)]
            records: list[Record] = []
            following = dict(positions)
            for partition in behind:
                end = self._ends[partition]
                found = await self._fetch(partition, positions[partition], end)
                following[partition] = found[-1].offset + 1 if found else end
                records += found
            if records:
                await handle(records)
            positions = following
            if not behind:
                async with self._grown:
                    if not any(positions[part] < self._ends.get(part, 0) for part in partitions):
                        await self._grown.wait()


def _rewrite(path: str) -> None:
    """Writes the file anew if something was erased.

    SQLite overwrites a row that it deletes, and no copy that it left behind when the row moved to another page.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if connection.execute("pragma user_version").fetchone() == (ERASED,):
            connection.execute("vacuum")
            connection.execute("pragma user_version = 0")
