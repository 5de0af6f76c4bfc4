"""The event log as a port: an ordered, partitioned, durable log of records. Adapters: embedded, aiokafka, Faust.

Topics are named here without the deployment's prefix; the adapters add it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import structlog

logger = structlog.get_logger()
EXIT_LOST, EXIT_RANGE = 3, 5
"""Exit codes of a consumer's process: start again from the database; a stored offset is not on the topic."""
TOGETHER = 500
"""A batch of at most this many records is small, and a pause follows it."""
PACE = 0.05
"""Seconds from one small batch to the next. The first is taken at once; records that come meanwhile share a
transaction. At 100 reports a second on two cores, a shorter pace spends the processors on transactions, and each record
waits longer for them."""


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


class Record(NamedTuple):
    """One record. `value` is None for a tombstone of a content topic. `traceparent` is its header, if it has one."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    traceparent: bytes | None = None


Entry = tuple[bytes, bytes | None] | tuple[bytes, bytes | None, bytes]
"""What is written as a record: key, value, and the header `traceparent` if a collector takes traces."""
Handle = Callable[[Sequence[Record]], Awaitable[None]]
"""Takes records, consecutive ones of each partition, and returns when they are durable.

An exception ends the consumer.
"""
Offsets = Callable[[Sequence[Partition]], Awaitable[Mapping[Partition, int]]]
"""The offset at which each partition goes on, according to the database."""


class LogGone(Exception):
    """The event log does not answer. Nothing is known to be written; the caller tries again."""


class TopicsMissing(LogGone):
    """The event log answers, but has no such topics, or does not show them."""


class WrongPartitions(ValueError):
    """Topics have another number of partitions than before, or than in the settings. Streams would lose their order."""

    MOVE = (
        "To change the number of partitions, or after topics were widened, give all services a new HUIYING_PREFIX, "
        "start them, and write every event to the new topics with `huiying resend --lost`"
    )


class OffsetOutOfRange(Exception):
    """A stored offset is not on its topic any more: records were lost, or the topic was made anew."""


class EventLog(Protocol):
    """What the kernel needs of an event log."""

    pace: float
    """Seconds between two small batches of a relay."""

    async def start(self) -> None:
        """Connects. Raises `LogGone`."""

    async def stop(self) -> None:
        """Disconnects. Records without acknowledgement may or may not be written."""

    async def create_topics(self, event_topics: Sequence[str], content_topics: Sequence[str]) -> Sequence[str]:
        """Makes the missing topics and returns them. Raises `WrongPartitions` if existing ones differ."""
        ...

    async def writer(self, *, anew: bool = False) -> int:
        """Makes sure that records can be written, and returns the number of the writer. Raises `LogGone`.

        A later writer of the same service keeps every earlier one out of each partition that it has written to, in this
        process or another. So take a writer first, then read, then append by this writer only: the records never come
        after those that a later writer has read and written. `anew` makes a later writer in any case.
        """
        ...

    async def append(self, batches: Mapping[Partition, Sequence[Entry]], writer: int | None = None) -> set[Partition]:
        """Writes one batch for each partition, all at once, and returns the partitions that
        acknowledged.

        A batch is written whole or not at all, and in order. Raises `LogGone` if any failed. Then each may or may not
        have been written, and the adapter has closed its producer. If `writer` is named, only that writer may write.
        """
        ...

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        """The offset after the last record of every partition. Raises `TopicsMissing`."""
        ...

    async def begins(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        """The offset of the first record that each partition still holds."""
        ...

    async def before(self, offsets: Mapping[Partition, int]) -> Mapping[Partition, Record]:
        """The record right before each offset, which must be on the topic.

        Absent if that record does not exist any more.
        """
        ...

    def read(self, partition: Partition, start: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """The records from `start` to before `end`, in batches. Content topics may have holes."""
        ...

    def read_together(self, spans: Mapping[Partition, tuple[int, int]]) -> AsyncIterator[Sequence[Record]]:
        """The records of these partitions, each from its first to before its second offset, in batches.

        Each partition's records come in order; those of different ones come about as they were recorded.
        """

    async def consume(self, group: str, topics: Sequence[str], offsets: Offsets, handle: Handle) -> None:
        """Passes records on until cancelled: in order for each partition, from the database's offset, one batch at a
        time.

        Raises the errors of `handle`, and `OffsetOutOfRange`. Then the process ends and starts again from the database.
        """


def check_range(partition: Partition, wanted: int, first: int, end: int) -> None:
    """Raises `OffsetOutOfRange`, with what to do, unless the topic holds the offset or ends there."""
    if not first <= wanted <= end:
        raise OffsetOutOfRange(lost_at(partition, wanted, f"but the topic holds {first} to {end}"))


def lost_at(partition: Partition, next_: int, why: str) -> str:
    """The sentence about a stored offset that is not on its topic any more, with what to do."""
    return (
        f"the database goes on at offset {next_} of {partition.topic}/{partition.number}, {why}: records were lost, or "
        "the topic was made anew. Nobody knows what was missed. `huiying resend --lost` lets the owner write its "
        "events again, and sets all readers back"
    )


async def hand_on(handle: Handle, parts: Sequence[Sequence[Record]]) -> None:
    """Passes on the records of several partitions as one batch. After a small batch it pauses.

    A batch for each partition, side by side, would give many small transactions, which cost more than their records do.
    They would also wait for each other, since they write the same rows of views.
    """
    records, began = [record for part in parts for record in part], time.monotonic()
    await handle(records)
    if len(records) <= TOGETHER:
        await asyncio.sleep(began + PACE - time.monotonic())


async def ended(under_way: asyncio.Lock, limit: float) -> None:
    """Waits until the present batch is taken in, at most `limit` seconds, before its partitions go to another member.

    If it takes longer, the offset's compare-and-swap fences it: that ends one of the two processes.
    """
    try:
        async with asyncio.timeout(limit), under_way:
            return
    except TimeoutError:
        logger.warning("rebalance.waits_no_longer", seconds=limit)
