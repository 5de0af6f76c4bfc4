"""Records of several partitions in one order: each partition's own, and across them by the time of recording."""

import heapq
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence

from services.kernel.delivery.log import Partition, Record

BATCH = 2000
_NAME = b'"recordedtime":"'
_LENGTH = 27

More = Callable[[Collection[Partition]], Awaitable[Mapping[Partition, Sequence[Record]]]]
"""The next records of at least one of these partitions. No records for a partition means that it is at its end."""


async def merged(partitions: Collection[Partition], more: More) -> AsyncIterator[Sequence[Record]]:
    """All records of the partitions, in batches. A record that names no time comes as soon as its partition lets it.

    It holds what `more` gave last of each partition, however much there is in all.
    """
    waiting: dict[Partition, deque[Record]] = {}
    asked, heads, batch = set(partitions), list[tuple[bytes, Partition]](), list[Record]()
    while asked or heads:
        while asked:
            for partition, records in (await more(asked)).items():
                asked.discard(partition)
                if records:
                    waiting[partition] = deque(records)
                    heapq.heappush(heads, (_recorded(records[0]), partition))
        while heads and not asked:
            _, partition = heapq.heappop(heads)
            queue = waiting[partition]
            batch.append(queue.popleft())
            if queue:
                heapq.heappush(heads, (_recorded(queue[0]), partition))
            else:
                asked.add(partition)
            if len(batch) >= BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


def _recorded(record: Record) -> bytes:
    """The time of recording as it stands in the bytes. Order is all that it is for, so nothing is parsed."""
    value = record.value or b""
    at = value.find(_NAME) + len(_NAME)
    return value[at : at + _LENGTH] if at >= len(_NAME) else b""
