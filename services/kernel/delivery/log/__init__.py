"""The event log as a port: an ordered, partitioned, durable log of records. Adapters: embedded, aiokafka, Faust.

Topics are named here without the deployment's prefix; the adapters add it.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import structlog

from services.kernel.tasks import side_by_side

logger = structlog.get_logger()
EXIT_LOST, EXIT_RANGE = 3, 5
"""Codes with which a consumer's process ends: to start again from the database; an offset that no topic holds."""
TOGETHER = 500
"""Records up to which those of several partitions are handed on as one batch."""
PACE = 0.02
"""Seconds from one small batch to the next: the first is taken at once, what comes meanwhile shares a transaction."""


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    number: int


class Record(NamedTuple):
    """One record. `value` is None for a tombstone of a content topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


Handle = Callable[[Sequence[Record]], Awaitable[None]]
"""Takes records, of each partition consecutive ones, and returns when they are durable.

An exception ends the consumer.
"""
Offsets = Callable[[Sequence[Partition]], Awaitable[Mapping[Partition, int]]]
"""Where the database says that each partition goes on."""


class LogGone(Exception):
    """The event log does not answer; nothing is known to be written. The caller tries again."""


class TopicsMissing(LogGone):
    """The event log answers, and does not hold these topics."""


class WrongPartitions(ValueError):
    """Topics have another number of partitions than they had, or than the settings say: streams lose their order."""

    MOVE = (
        "To have another number of partitions, or where topics were widened, give all services a new HUIYING_PREFIX, "
        "start them, and write every event to the new topics with `huiying resend --lost`"
    )


class OffsetOutOfRange(Exception):
    """A stored offset lies on no topic any more: records were lost, or the topic was made anew."""


class EventLog(Protocol):
    """What the kernel needs of a log."""

    pace: float
    """Seconds that a relay leaves between two small batches."""

    async def start(self) -> None:
        """Connects. Raises `LogGone`."""

    async def stop(self) -> None:
        """Disconnects; what was not acknowledged may or may not be written."""

    async def create_topics(self, event_topics: Sequence[str], content_topics: Sequence[str]) -> Sequence[str]:
        """Makes the topics that are missing, and returns them. Raises `WrongPartitions` where those that exist do."""
        ...

    async def writer(self, *, anew: bool = False) -> int:
        """Makes sure that records can be written, and returns the number of who writes them. Raises `LogGone`.

        A later writer of the same service keeps every earlier one out, in this process or another, of each partition
        that it has written to. So what was read when it was there, and is appended by it alone, never lies behind what
        a later one has read and written. `anew` makes a later one in any case.
        """
        ...

    async def append(
        self, batches: Mapping[Partition, Sequence[tuple[bytes, bytes | None]]], writer: int | None = None
    ) -> set[Partition]:
        """Writes one batch of (key, value) a partition, all at once, and returns the partitions that acknowledged.

        A batch is written whole or not at all, and in order. Raises `LogGone` where any failed; then each may or may
        not have been written, and the adapter has thrown its producer away. `writer` alone may write where it is named.
        """
        ...

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        """The offset after the last record of every partition. Raises `TopicsMissing`."""
        ...

    async def begins(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        """The offset of the first record that every partition still holds."""
        ...

    async def before(self, offsets: Mapping[Partition, int]) -> Mapping[Partition, Record]:
        """The record right before each offset, which must lie on the topic; left out where there is none any more."""
        ...

    def read(self, partition: Partition, start: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """The records from `start` up to but without `end`, in batches. Content topics may have holes."""
        ...

    async def consume(self, group: str, topics: Sequence[str], offsets: Offsets, handle: Handle) -> None:
        """Hands records on until cancelled: per partition in order, from the database's offset, a batch at a time.

        Raises what `handle` raises, and `OffsetOutOfRange`; then the process ends and starts again from the database.
        """


def check_range(partition: Partition, wanted: int, first: int, end: int) -> None:
    """Raises `OffsetOutOfRange` with what to do unless the topic holds the offset, or ends there."""
    if not first <= wanted <= end:
        raise OffsetOutOfRange(lost_at(partition, wanted, f"but the topic holds {first} to {end}"))


def lost_at(partition: Partition, next_: int, why: str) -> str:
    """The sentence on a stored offset that lies on no topic any more, with what to do."""
    return (
        f"the database goes on at offset {next_} of {partition.topic}/{partition.number}, {why}: records were lost, or "
        "the topic was made anew. What was not taken in is not known. `huiying resend --lost` lets the owner write its "
        "events again, and sets all readers back"
    )


async def hand_on(handle: Handle, parts: Sequence[Sequence[Record]]) -> None:
    """Hands on what came of several partitions: few records as one batch, whose transaction costs more than they do.

    Many records are handed on side by side, one batch a partition.
    """
    if sum(map(len, parts)) <= TOGETHER:
        began = time.monotonic()
        await handle([record for records in parts for record in records])
        await asyncio.sleep(began + PACE - time.monotonic())
    else:
        await side_by_side(map(handle, parts))


async def ended(under_way: asyncio.Lock, limit: float) -> None:
    """Waits until the batch under way is taken in, at most `limit` seconds: its partitions are to go to another member.

    What takes longer is fenced by the offset's compare-and-swap, which ends one of the two processes.
    """
    try:
        async with asyncio.timeout(limit), under_way:
            return
    except TimeoutError:
        logger.warning("rebalance.waits_no_longer", seconds=limit)
