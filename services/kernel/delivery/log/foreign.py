"""A topic of another system: its name has no prefix, its records have headers, and its partitions are what they are.

Offsets live in the database of whoever reads. The brokers know of no group.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from services.kernel.delivery.log import LogGone, OffsetOutOfRange, TopicsMissing
from services.kernel.delivery.log.brokers import access
from services.kernel.delivery.log.clients import mend
from services.kernel.settings import Settings

FETCHED = 1_000_000
"""Bytes of one fetch of a partition."""
FETCH_WAIT = 200
"""Milliseconds that a broker may hold a fetch."""


class Message(NamedTuple):
    """One record of another system."""

    partition: int
    offset: int
    headers: Sequence[tuple[str, bytes]]
    value: bytes | None


class Span(NamedTuple):
    """What a partition holds: the offset of its first record, and the one after its last."""

    first: int
    end: int


class ForeignTopic:
    """Reads a topic of another system. Records of transactions that were given up are not read."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self._reader = AIOKafkaConsumer(
            **access(settings),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCHED,
            fetch_max_wait_ms=FETCH_WAIT,
        )
        mend(self._reader._client)  # noqa: SLF001, it has no other way in

    async def start(self) -> None:
        """Connects. Raises `LogGone`."""
        try:
            await self._reader.start()
        except (KafkaError, OSError) as error:
            raise LogGone(f"the brokers do not answer: {error!r}") from error

    async def stop(self) -> None:
        """Disconnects."""
        with suppress(KafkaError, OSError):
            await self._reader.stop()

    async def spans(self) -> Mapping[int, Span]:
        """Partition -> what it holds now. Raises `TopicsMissing` and `LogGone`."""
        try:
            if self.name not in await self._reader.topics():
                raise TopicsMissing(f"the brokers hold no topic {self.name}, or this service may not read it")
            # Only now, since asking for a topic by its name may make it.
            await self._reader._client.add_topic(self.name)  # noqa: SLF001, it has no other way in
            places = [TopicPartition(self.name, n) for n in self._reader.partitions_for_topic(self.name) or ()]
            firsts = await self._reader.beginning_offsets(places)
            ends = await self._reader.end_offsets(places)
        except (KafkaError, OSError) as error:
            raise LogGone(f"the brokers do not say what {self.name} holds: {error!r}") from error
        return {place.partition: Span(firsts[place], ends[place]) for place in places}

    def begin(self, offsets: Mapping[int, int]) -> None:
        """Reads on at these offsets, of these partitions alone."""
        places = {TopicPartition(self.name, number): offset for number, offset in offsets.items()}
        self._reader.assign(list(places))
        for place, offset in places.items():
            self._reader.seek(place, offset)

    async def take(self, most: int, seconds: float) -> list[Message]:
        """The next records, in order for each partition; none if none came. Raises `OffsetOutOfRange`, `LogGone`."""
        try:
            found = await self._reader.getmany(timeout_ms=int(seconds * 1000), max_records=most)
        except OffsetOutOfRangeError as error:
            raise OffsetOutOfRange(f"{self.name} no longer holds what comes next: {error}") from error
        except (KafkaError, OSError) as error:
            raise LogGone(f"the brokers stopped answering: {error!r}") from error
        return [
            Message(place.partition, item.offset, item.headers, item.value)
            for place, items in found.items()
            for item in items
        ]

    async def has_passed(self, number: int, offset: int) -> bool:
        """Whether what stands at an offset was taken, or does not exist."""
        return bool(await self._reader.position(TopicPartition(self.name, number)) > offset)
