"""The position of a service on topics, and whether these are still the topics that it read.

An offset counts the records of one topic. If records were lost or the topic was made anew, the offset says nothing any
more, neither that all was taken in nor that something waits. The last record that was taken in shows whether a topic is
the same.
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
    """The offset at which a partition goes on, and the digest of the record before; None if that is unknown."""

    next: int
    last: str | None = None


Offsets = Mapping[Partition, Offset]


@dataclass(frozen=True, slots=True)
class Progress:
    """Taken records of some topics, and the ends of the topics. `lost` holds a sentence for each lost partition."""

    taken: Offsets
    ends: Mapping[Partition, int]
    lost: Mapping[Partition, str]

    def behind(self) -> dict[Partition, tuple[int, int]]:
        """The database's offset and the topic's end, for the partitions that hold more."""
        of = ((part, self.taken.get(part, Offset(0)).next, end) for part, end in self.ends.items())
        return {part: (next_, end) for part, next_, end in of if next_ < end and part not in self.lost}

    def must_be_known(self) -> None:
        """Raises `OffsetOutOfRange` if a partition is lost. Then offsets prove nothing."""
        if self.lost:
            raise OffsetOutOfRange(min(self.lost.items())[1])


async def taken(connection: AsyncConnection, table: Table, consumer: str) -> dict[Partition, Offset]:
    """The offsets of a consumer, for the partitions of which it took records in."""
    chosen = select(table.c.topic, table.c.partition, table.c.next, table.c.last).where(table.c.consumer == consumer)
    found = await connection.execute(chosen)
    return {Partition(row.topic, row.partition): Offset(row.next, row.last) for row in found}


async def look(
    database: Database, table: Table, consumer: str, log: EventLog, topics: Sequence[str], *, fast: bool = False
) -> Progress:
    """The position of a consumer on topics. Raises `LogGone`.

    The database is read first, so that records taken in meanwhile put no offset beyond an end. A `fast` look compares
    only numbers. If a topic was made anew and has grown beyond the offset, a fast look takes it for the old one.
    """
    async with database.read() as connection:
        known = await taken(connection, table, consumer)
    offsets = {part: offset for part, offset in known.items() if part.topic in topics}
    ends = await log.ends(topics)
    lost = beyond(offsets, ends, {}) if fast else await compare(log, offsets, ends)
    return Progress(offsets, ends, lost)


async def compare(log: EventLog, offsets: Offsets, ends: Mapping[Partition, int]) -> dict[Partition, str]:
    """A sentence for each partition whose offset is not on its topic any more. Raises `LogGone`."""
    found = beyond(offsets, ends, await log.begins(list({part.topic for part in offsets})))
    known = {part: offset for part, offset in offsets.items() if offset.last and offset.next and part not in found}
    for part, record in (await log.before({part: offset.next for part, offset in known.items()})).items():
        # A tombstone may have replaced words that were erased.
        if record.value is not None and last_of(record) != known[part].last:
            found[part] = lost_at(
                part, known[part].next, "but the record before it is not the last one that was taken in"
            )
    return found


def beyond(offsets: Offsets, ends: Mapping[Partition, int], begins: Mapping[Partition, int]) -> dict[Partition, str]:
    """A sentence for each offset that the topic does not hold."""
    found: dict[Partition, str] = {}
    for part, offset in offsets.items():
        first, end = begins.get(part, 0), ends.get(part, 0)
        if not first <= offset.next <= end:
            found[part] = lost_at(part, offset.next, f"but the topic holds {first} to {end}")
    return found


def last_of(record: Record) -> str:
    """The digest that is kept of the last record taken in."""
    return digest(record.value or b"")
