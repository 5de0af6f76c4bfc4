"""The event log on Apache Kafka through aiokafka. Offsets live in the database; Kafka's own are never used.

The producer is idempotent and not transactional. After any error it is closed. Only acknowledged rows leave the outbox,
so the next producer starts again from the lowest unsent row. A service's producers share an id, and each one raises its
epoch. A partition takes nothing of a lower epoch than the highest that it has seen.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    InconsistentGroupProtocolError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    TopicAlreadyExistsError,
    for_code,
)

from services.kernel.core import traces
from services.kernel.delivery.log import (
    PACE,
    Entry,
    Handle,
    LogGone,
    OffsetOutOfRange,
    Offsets,
    Partition,
    Record,
    TopicsMissing,
    WrongPartitions,
    check_range,
    ended,
    hand_on,
)
from services.kernel.delivery.log.brokers import access
from services.kernel.delivery.log.clients import mend
from services.kernel.delivery.log.group import Group
from services.kernel.delivery.log.merging import merged
from services.kernel.settings import Settings
from services.kernel.tasks import side_by_side

FETCH = 500
FETCHES = 4
"""The most fetches that wait to be passed on."""
FETCH_WAIT = 200
"""Milliseconds that a broker may hold a fetch."""
ANSWER = 3.0
"""Seconds after which a topic without an answer is looked for."""
MAX_FETCHED = 8000
"""The most records that are fetched ahead; about as many are passed on at once, in order for each partition."""
BATCH_LIMIT = 1_000_000
TOGETHER_FETCH = 250_000
"""Bytes of one fetch of a partition when many are read together, so that memory holds all of them."""
logger = structlog.get_logger()

EVENT_CONFIG = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
"""Never compacted: compaction would remove history."""
CONTENT_CONFIG = {
    "cleanup.policy": "compact",
    "max.compaction.lag.ms": "86400000",
    "delete.retention.ms": "86400000",
    "segment.ms": "86400000",
}
"""Erased words leave the topic within about two days of the tombstone."""


class KafkaLog:
    """See `EventLog`. `settings.kafka` names the bootstrap servers. `settings.prefix` stands before every topic."""

    pace = PACE
    assignor = RoundRobinPartitionAssignor.name
    """The assignor of its groups."""

    def __init__(self, settings: Settings, owner: str = "") -> None:
        """`owner` is the service whose relay writes. Without an owner, no other writer is kept out."""
        self._settings, self._owner = settings, owner
        self._producer: AIOKafkaProducer | None = None
        self._writers = 0
        self._writing = asyncio.Lock()
        self._reader: AIOKafkaConsumer | None = None
        self._reading = asyncio.Lock()
        self._known: set[str] = set()
        """The topics that existed at the last look. If one is gone, aiokafka waits without a message."""

    async def start(self) -> None:
        """Connects nothing yet, so that the service takes reports even while the brokers are down."""

    async def stop(self) -> None:
        """See `EventLog.stop`."""
        await self._drop_producer()
        await self._drop_reader()

    # topics

    def name(self, topic: str) -> str:
        """The full name of a topic."""
        return self._settings.topic(topic)

    async def create_topics(self, event_topics: Sequence[str], content_topics: Sequence[str]) -> Sequence[str]:
        """See `EventLog.create_topics`."""
        wanted = {self.name(topic): EVENT_CONFIG for topic in event_topics}
        wanted |= {self.name(topic): CONTENT_CONFIG for topic in content_topics}
        admin = AIOKafkaAdminClient(**access(self._settings))
        mend(admin._client)  # noqa: SLF001, it has no other way in
        try:
            await admin.start()
            existing = set(await admin.list_topics())
            new = [
                NewTopic(name, self._settings.partitions, self._settings.replication, topic_configs=config)
                for name, config in wanted.items()
                if name not in existing
            ]
            made = await _make(admin, new)
            for found in await admin.describe_topics([name for name in wanted if name in existing]):
                count = len(found["partitions"])
                if count != self._settings.partitions:
                    raise WrongPartitions(
                        f"{found['topic']} has {count} partitions, and HUIYING_PARTITIONS says "
                        f"{self._settings.partitions}: streams would lose their order. Do not change it to {count}. "
                        f"{WrongPartitions.MOVE}"
                    )
        except (KafkaError, OSError) as error:
            raise LogGone(f"the brokers at {self._settings.kafka} do not answer: {error}") from error
        finally:
            await admin.close()
        prefix = self.name("")
        return [name.removeprefix(prefix) for name in made]

    # writing

    async def writer(self, *, anew: bool = False) -> int:
        """See `EventLog.writer`."""
        async with self._writing:
            if anew:
                await self._drop_producer()
            try:
                async with asyncio.timeout(self._settings.send_seconds):
                    await self._started_producer()
            except (KafkaError, OSError, TimeoutError) as error:
                raise LogGone(f"the brokers take no writer: {error!r}") from error
            return self._writers

    async def append(self, batches: Mapping[Partition, Sequence[Entry]], writer: int | None = None) -> set[Partition]:
        """See `EventLog.append`."""
        if writer is None:
            writer = await self.writer()
        producer = self._producer
        if producer is None or writer != self._writers:
            raise LogGone("the producer that was there when this was read is gone")
        try:
            async with asyncio.timeout(self._settings.send_seconds):
                acks = []
                for partition, records in batches.items():
                    batch = producer.create_batch()
                    for key, value, *header in records:
                        headers = [(traces.HEADER, header[0])] if header else []
                        if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
                            raise ValueError(f"the records for {partition} do not fit one batch")  # noqa: TRY301
                    batch.close()
                    acks.append(
                        await producer.send_batch(batch, self.name(partition.topic), partition=partition.number)
                    )
                await asyncio.gather(*acks)
        except (KafkaError, OSError, TimeoutError) as error:
            await self._drop_producer()
            raise LogGone(f"the brokers did not acknowledge: {error!r}") from error
        except BaseException:
            await self._drop_producer()
            raise
        return set(batches)

    async def _started_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **access(self._settings),
                acks="all",
                enable_idempotence=True,
                transactional_id=f"{self._settings.prefix}.{self._owner}" if self._owner else None,
                max_batch_size=BATCH_LIMIT,
                max_request_size=4 * BATCH_LIMIT,
                request_timeout_ms=int(self._settings.send_seconds * 500),
            )
            mend(producer.client)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            if self._owner:
                # The id has its next epoch now. Nothing else is wanted of it: no transactions follow.
                producer._txn_manager.transactional_id = None  # noqa: SLF001, aiokafka has no other way
            self._producer = producer
            self._writers += 1
        return self._producer

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                async with asyncio.timeout(2):
                    await producer.stop()
            except (KafkaError, OSError, TimeoutError) as error:
                logger.debug("producer.dropped", error=repr(error))
                await _abandon(producer)

    # reading

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        """See `EventLog.ends`."""
        return await self._offsets(topics, at_end=True)

    async def begins(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        """See `EventLog.begins`."""
        return await self._offsets(topics, at_end=False)

    async def _offsets(self, topics: Sequence[str], *, at_end: bool) -> Mapping[Partition, int]:
        partitions = [Partition(topic, n) for topic in topics for n in range(self._settings.partitions)]
        places = {TopicPartition(self.name(part.topic), part.number): part for part in partitions}
        async with self._reading:
            try:
                async with asyncio.timeout(15):
                    found = await self._asked(list(places), at_end=at_end)
            except TopicsMissing:
                raise
            except (KafkaError, OSError, TimeoutError) as error:
                await self._drop_reader()
                raise LogGone(f"the brokers do not say what the topics hold: {error!r}") from error
        return {places[place]: offset for place, offset in found.items()}

    async def _asked(self, places: Sequence[TopicPartition], *, at_end: bool) -> Mapping[TopicPartition, int]:
        reader = await self._started_reader()
        ask = reader.end_offsets if at_end else reader.beginning_offsets
        while True:
            if unsure := {place.topic for place in places} - self._known:
                if missing := unsure - set(await reader.topics()):
                    # Brokers show nobody a topic that they may not read.
                    user = self._settings.kafka_user
                    may = f", or {user} may not read it: see deploy/kafka/acls.sh" if user else ""
                    raise TopicsMissing(f"the brokers hold no topic {', '.join(sorted(missing))}{may}")
                self._known |= unsure
            try:
                async with asyncio.timeout(ANSWER):
                    found: Mapping[TopicPartition, int] = await ask(places)
                    return found
            except TimeoutError:
                self._known.clear()

    async def before(self, offsets: Mapping[Partition, int]) -> Mapping[Partition, Record]:
        """See `EventLog.before`."""
        places = {TopicPartition(self.name(part.topic), part.number): part for part in offsets}
        found: dict[Partition, Record] = {}
        if not places:
            return found
        async with self._reading:
            try:
                async with asyncio.timeout(15):
                    reader = await self._started_reader()
                    reader.assign(list(places))
                    for place, part in places.items():
                        reader.seek(place, offsets[part] - 1)
                    waiting = set(places)
                    while waiting:
                        for place, items in (await reader.getmany(*waiting, timeout_ms=500)).items():
                            record = record_of(places[place].topic, items[0])
                            if record.offset == offsets[places[place]] - 1:
                                found[places[place]] = record
                            waiting.discard(place)
                            reader.pause(place)
                        waiting -= {
                            place for place in waiting if await reader.position(place) >= offsets[places[place]]
                        }
                    reader.unsubscribe()
            except (KafkaError, OSError, TimeoutError) as error:
                await self._drop_reader()
                raise LogGone(f"the brokers do not say what the topics hold: {error!r}") from error
        return found

    async def _started_reader(self) -> AIOKafkaConsumer:
        if self._reader is None:
            # A broker sends at least one batch.
            reader = self._consumer(fetch=1)
            try:
                await reader.start()
            except BaseException:
                await reader.stop()
                raise
            self._reader = reader
        return self._reader

    async def _drop_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            try:
                async with asyncio.timeout(2):
                    await reader.stop()
            except (KafkaError, OSError, TimeoutError) as error:
                logger.debug("reader.dropped", error=repr(error))

    def _consumer(self, *topics: str, group: str | None = None, fetch: int = 4 * BATCH_LIMIT) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            *topics,
            **access(self._settings),
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=fetch,
            session_timeout_ms=int(self._settings.session_seconds * 1000),
            heartbeat_interval_ms=int(self._settings.session_seconds * 200),
            fetch_max_wait_ms=FETCH_WAIT,
        )
        mend(consumer._client)  # noqa: SLF001, it has no other way in
        return consumer

    async def read(self, partition: Partition, start: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """See `EventLog.read`."""
        if start >= end:
            return
        place = TopicPartition(self.name(partition.topic), partition.number)
        reader = self._consumer()
        try:
            await reader.start()
            reader.assign([place])
            reader.seek(place, start)
            while start < end:
                found = await reader.getmany(place, timeout_ms=1000, max_records=FETCH)
                records = [record_of(partition.topic, item) for item in found.get(place, []) if item.offset < end]
                if records:
                    yield records
                start = await reader.position(place)
        except OffsetOutOfRangeError as error:
            raise OffsetOutOfRange(f"{place.topic}/{place.partition} no longer holds offset {start}") from error
        except (KafkaError, OSError) as error:
            raise LogGone(f"the brokers stopped answering: {error!r}") from error
        finally:
            await reader.stop()

    async def read_together(self, spans: Mapping[Partition, tuple[int, int]]) -> AsyncIterator[Sequence[Record]]:
        """See `EventLog.read_together`. One consumer reads all partitions, and holds one fetch of each."""
        places = {
            part: TopicPartition(self.name(part.topic), part.number)
            for part, (start, end) in spans.items()
            if start < end
        }
        if not places:
            return
        parts = {place: part for part, place in places.items()}
        reader = self._consumer(fetch=TOGETHER_FETCH)

        async def more(asked: Collection[Partition]) -> Mapping[Partition, Sequence[Record]]:
            found: dict[Partition, Sequence[Record]] = {}
            for part in asked:
                if await reader.position(places[part]) >= spans[part][1]:
                    found[part] = ()
            left = [places[part] for part in asked if part not in found]
            fetched = await reader.getmany(*left, timeout_ms=1000) if left else {}
            for place, items in fetched.items():
                part = parts[place]
                if records := [record_of(part.topic, item) for item in items if item.offset < spans[part][1]]:
                    found[part] = records
            return found

        try:
            await reader.start()
            reader.assign(list(parts))
            for part, place in places.items():
                reader.seek(place, spans[part][0])
            async for records in merged(places, more):
                yield records
        except OffsetOutOfRangeError as error:
            raise OffsetOutOfRange(f"a topic no longer holds what is to be read: {error}") from error
        except (KafkaError, OSError) as error:
            raise LogGone(f"the brokers stopped answering: {error!r}") from error
        finally:
            await reader.stop()

    def group(self, name: str) -> Group:
        """The consumer group of a service."""
        return Group(self._settings, name, self.assignor)

    async def consume(self, group: str, topics: Sequence[str], offsets: Offsets, handle: Handle) -> None:
        """See `EventLog.consume`. The consumer is a member of the group `<prefix>.<group>`."""
        names = {self.name(topic): topic for topic in topics}
        of = self.group(group)
        await of.may_join()
        consumer = self._consumer(group=f"{self._settings.prefix}.{group}")
        under_way = asyncio.Lock()
        start = _StartAtDatabase(
            consumer, names, offsets, partial(ended, under_way, self._settings.session_seconds / 2)
        )
        consumer.subscribe(list(names), listener=start)
        fetched: asyncio.Queue[tuple[int, Mapping[TopicPartition, Sequence[object]]]] = asyncio.Queue(FETCHES)

        async def fetch() -> None:
            # This goes on during a batch: the next fetch of aiokafka leaves out records that nobody took from the last
            # one.
            while True:
                found = await _next(consumer)
                if start.failed is not None:
                    raise start.failed
                if found:
                    await fetched.put((start.generation, found))

        async def take() -> None:
            while True:
                waiting = [await fetched.get()]
                while not fetched.empty():
                    waiting.append(fetched.get_nowait())
                parts: dict[TopicPartition, list[Record]] = {}
                async with under_way:
                    for generation, found in waiting:
                        # Records that were fetched before the partitions were assigned anew may belong to another
                        # member by now.
                        for place, items in found.items() if generation == start.generation else ():
                            parts.setdefault(place, []).extend(record_of(names[place.topic], item) for item in items)
                    if parts:
                        await hand_on(handle, list(parts.values()))

        try:
            await _start_patiently(consumer, of)
            await side_by_side((fetch(), take(), of.keep()))
        finally:
            await consumer.stop()


async def _make(admin: AIOKafkaAdminClient, new: Sequence[NewTopic]) -> list[str]:
    """The names of the topics that were made; another process may make some of them first.

    Raises `LogGone` with what the brokers say of one that they refuse.
    """
    if not new:
        return []
    answers = (await admin.create_topics(list(new))).topic_errors
    for name, code, *why in answers:
        if code not in (0, TopicAlreadyExistsError.errno):
            said = " ".join(str(part) for part in why if part) or for_code(code).__name__
            raise LogGone(f"the brokers do not make the topic {name}: {said}")
    return [name for name, code, *_ in answers if not code]


async def _next(consumer: AIOKafkaConsumer) -> Mapping[TopicPartition, Sequence[object]]:
    try:
        found: Mapping[TopicPartition, Sequence[object]] = await consumer.getmany(
            timeout_ms=500, max_records=MAX_FETCHED // FETCHES
        )
        return found
    except NoOffsetForPartitionError:
        # The partition is assigned, but its position is still being read from the database.
        await asyncio.sleep(0.01)
        return {}
    except OffsetOutOfRangeError as error:
        raise OffsetOutOfRange(f"a topic no longer holds what comes next: {error}") from error


async def _abandon(producer: AIOKafkaProducer) -> None:
    """Ends a producer that `stop` could not end. It would send its batches when the brokers come back.

    Words that were erased meanwhile would then come after their tombstone.
    """
    task = producer._sender.sender_task  # noqa: SLF001, aiokafka flushes first and has no other way
    if task is not None:
        task.cancel()
        await asyncio.wait([task], timeout=2)
    try:
        async with asyncio.timeout(2):
            await producer.client.close()
    except (KafkaError, OSError, TimeoutError) as error:
        logger.debug("producer.dropped", error=repr(error))


class _StartAtDatabase(ConsumerRebalanceListener):  # type: ignore[misc]
    """Sets each assigned partition to the database's offset. aiokafka swallows exceptions here, so they are kept."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        names: Mapping[str, str],
        offsets: Offsets,
        ended: Callable[[], Awaitable[None]],
    ) -> None:
        self._consumer, self._names, self._offsets, self._ended = consumer, names, offsets, ended
        self.failed: Exception | None = None
        self.generation = 0

    async def on_partitions_revoked(self, revoked: object) -> None:
        """Passes nothing more of these partitions on, and lets the present batch end."""
        self.generation += 1
        await self._ended()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """See the class."""
        try:
            places = {Partition(self._names[place.topic], place.partition): place for place in assigned}
            firsts = await self._consumer.beginning_offsets(list(assigned)) if assigned else {}
            ends = await self._consumer.end_offsets(list(assigned)) if assigned else {}
            for partition, wanted in (await self._offsets(list(places))).items():
                place = places[partition]
                check_range(partition, wanted, firsts[place], ends[place])
                self._consumer.seek(place, wanted)
        except Exception as error:  # noqa: BLE001, kept for the consumer to raise
            self.failed = error


async def _start_patiently(consumer: AIOKafkaConsumer, group: Group) -> None:
    wait = 0.2
    while True:
        try:
            await consumer.start()
            return
        except InconsistentGroupProtocolError as error:
            raise LogGone(group.sentence("another way")) from error
        except (KafkaError, OSError) as error:
            logger.warning("consumer.waits", error=repr(error)[:200], seconds=wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5.0)


def record_of(topic: str, item: object) -> Record:
    headers: Sequence[tuple[str, bytes]] = item.headers  # type: ignore[attr-defined]
    header = next((value for name, value in headers if name == traces.HEADER), None) if headers else None
    return Record(topic, item.partition, item.offset, item.key, item.value, header)  # type: ignore[attr-defined]
