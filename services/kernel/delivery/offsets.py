"""Where a service stands on topics, and whether they are still the topics that it read.

An offset counts records of one topic. Where records were lost or the topic was made anew, it says nothing any more: not
that all was taken in, and not that something waits. The last record taken tells whether a topic is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import digest
from services.kernel.delivery.log import EventLog, OffsetOutOfRange, Partition, Record, lost_at
from services.kernel.store.database import Database


class Offset(NamedTuple):
    """Where a partition goes on, and the digest of the record before; None where that is not known."""

    next: int
    last: str | None = None


Offsets = Mapping[Partition, Offset]


@dataclass(frozen=True, slots=True)
class Progress:
    """What was taken in of some topics, and where they end. `lost` holds a sentence for each partition that is lost."""

    taken: Offsets
    ends: Mapping[Partition, int]
    lost: Mapping[Partition, str]

    def behind(self) -> dict[Partition, tuple[int, int]]:
        """Where the database goes on and where the topic ends, of the partitions that hold more."""
        of = ((part, self.taken.get(part, Offset(0)).next, end) for part, end in self.ends.items())
        return {part: (next_, end) for part, next_, end in of if next_ < end and part not in self.lost}

    def must_be_known(self) -> None:
        """Raises `OffsetOutOfRange` where a partition is lost: then nothing may be concluded from offsets."""
        if self.lost:
            raise OffsetOutOfRange(min(self.lost.items())[1])


async def taken(connection: AsyncConnection, table: Table, consumer: str) -> dict[Partition, Offset]:
    """The offsets of a consumer, of the partitions of which it took anything in."""
    chosen = select(table.c.topic, table.c.partition, table.c.next, table.c.last).where(table.c.consumer == consumer)
    found = await connection.execute(chosen)
    return {Partition(row.topic, row.partition): Offset(row.next, row.last) for row in found}


async def look(
    database: Database, table: Table, consumer: str, log: EventLog, topics: Sequence[str], *, fast: bool = False
) -> Progress:
    """Where a consumer stands on topics. Raises `LogGone`.

    The database is read first: what is taken in meanwhile makes no offset lie beyond an end. A `fast` look compares
    numbers alone; it takes a topic that was made anew and has grown beyond the offset for the one that was read.
    """
    async with database.read() as connection:
        known = await taken(connection, table, consumer)
    offsets = {part: offset for part, offset in known.items() if part.topic in topics}
    ends = await log.ends(topics)
    lost = beyond(offsets, ends, {}) if fast else await compare(log, offsets, ends)
    return Progress(offsets, ends, lost)


async def compare(log: EventLog, offsets: Offsets, ends: Mapping[Partition, int]) -> dict[Partition, str]:
    """A sentence for each partition whose offset lies on no topic any more. Raises `LogGone`."""
    found = beyond(offsets, ends, await log.begins(list({part.topic for part in offsets})))
    known = {part: offset for part, offset in offsets.items() if offset.last and offset.next and part not in found}
    for part, record in (await log.before({part: offset.next for part, offset in known.items()})).items():
        # A tombstone may have taken the place of words that were erased.
        if record.value is not None and last_of(record) != known[part].last:
            found[part] = lost_at(
                part, known[part].next, "but another record lies before it than the last one taken in"
            )
    return found


def beyond(offsets: Offsets, ends: Mapping[Partition, int], begins: Mapping[Partition, int]) -> dict[Partition, str]:
    """A sentence for each offset that lies outside what the topic holds."""
    found: dict[Partition, str] = {}
    for part, offset in offsets.items():
        first, end = begins.get(part, 0), ends.get(part, 0)
        if not first <= offset.next <= end:
            found[part] = lost_at(part, offset.next, f"but the topic holds {first} to {end}")
    return found


def last_of(record: Record) -> str:
    """What is kept of the last record taken in."""
    return digest(record.value or b"")
