"""The event log's streams on Faust, with the database's offset in place of the group's.

Stock Faust commits past events whose handler was cancelled or failed. So two methods of its Kafka consumer are
replaced. `seek_to_committed` starts each assigned partition at the database's offset. `_commit` writes nothing. As on
the other transports, only the unit of work's compare-and-swap decides then whether an event is lost or doubled. For
speed, all fetched records of a partition go through Faust's stream as one message.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import faust
import structlog
from aiokafka import AIOKafkaConsumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.auth import CredentialsT
from faust.types.tuples import ConsumerMessage

from services.kernel.delivery.log import (
    EXIT_LOST,
    EXIT_RANGE,
    Handle,
    LogGone,
    OffsetOutOfRange,
    Offsets,
    Partition,
    Record,
    check_range,
    ended,
    hand_on,
)
from services.kernel.delivery.log.brokers import trust
from services.kernel.delivery.log.clients import mend
from services.kernel.delivery.log.group import Group
from services.kernel.delivery.log.kafka import FETCH_WAIT, MAX_FETCHED, KafkaLog, record_of
from services.kernel.settings import Settings

LEAVE_SECONDS = 3.0
logger = structlog.get_logger()
Build = Callable[[Settings, Sequence[str], Offsets, Handle], faust.App]


def application(name: str, settings: Settings, offsets: Offsets) -> faust.App:
    """A Faust application that starts every partition at the database's offset."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    app = faust.App(
        f"{settings.prefix}.{name}",
        broker=[f"kafka://{server.strip()}" for server in settings.kafka.split(",")],
        broker_credentials=_credentials(settings),
        store="memory://",
        processing_guarantee="at_least_once",
        key_serializer="raw",
        value_serializer="raw",
        topic_partitions=settings.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        reply_create_topic=False,
        web_enabled=False,
        datadir=settings.data / "faust",
        consumer_auto_offset_reset="earliest",
        broker_session_timeout=settings.session_seconds,
        broker_heartbeat_interval=settings.session_seconds / 5,
        broker_commit_interval=1.0,
        stream_buffer_maxsize=32,
        stream_wait_empty=False,
        loop=asyncio.get_running_loop(),
    )
    prefix = f"{settings.prefix}."

    class Thread(driver.AIOKafkaConsumerThread):
        """Fetches like our other consumer. Faust has no setting for it, and lets brokers wait for 1.5 seconds."""

        def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
            consumer = super()._create_worker_consumer(transport)
            consumer._fetch_max_wait_ms = FETCH_WAIT  # noqa: SLF001, it has no other way in
            mend(consumer._client)  # noqa: SLF001
            return consumer

    class Consumer(driver.Consumer):
        """Starts at the database's offset. The group's offset in Kafka is never used."""

        async def seek_to_committed(self) -> dict[TP, int]:
            places = {Partition(tp.topic.removeprefix(prefix), tp.partition): tp for tp in self.assignment()}
            if not places:
                return {}
            try:
                firsts = await self.earliest_offsets(*places.values())
                ends = await self.highwaters(*places.values())
                wanted = await offsets(list(places))
                for partition, next_ in wanted.items():
                    tp = places[partition]
                    check_range(partition, next_, firsts[tp], ends[tp])
            except OffsetOutOfRange as error:
                logger.critical("consumer.stops", error=str(error))
                os._exit(EXIT_RANGE)
            positions = {places[partition]: next_ for partition, next_ in wanted.items()}
            await self.seek_wait(positions)
            return positions

        async def _commit(self, offsets: Any) -> bool:
            return True

        def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
            return Thread(self, loop=self.loop, beacon=self.beacon)

        async def _getmany(
            self,
            active_partitions: set[TP] | None,
            timeout: float,  # noqa: ASYNC109, Faust's signature
        ) -> Mapping[TP, list[Any]]:
            found = await super()._getmany(active_partitions, timeout)
            return {tp: [records] for tp, records in found.items() if records}

        def _to_message(self, tp: TP, record: Any) -> ConsumerMessage:
            # Faust's own way through conductor, channel and stream costs each message many turns of the loop.
            message: ConsumerMessage = super()._to_message(tp, record[-1])
            vars(message)["records"] = record
            return message

    class Transport(driver.Transport):
        """Faust's Kafka transport with the consumer above."""

    # The base class declares its consumer's class as `Consumer`.
    setattr(Transport, "Consumer", Consumer)  # noqa: B010
    app.transport = Transport(app.conf.broker_consumer, app)
    return app


def _credentials(settings: Settings) -> CredentialsT | None:
    """TLS and the name of this process as Faust takes them."""
    context = trust(settings)
    if settings.kafka_user:
        return faust.SASLCredentials(
            username=settings.kafka_user,
            password=settings.kafka_password.get_secret_value(),
            mechanism=settings.kafka_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None


def take(app: faust.App, settings: Settings, topics: Sequence[str], handle: Handle) -> None:
    """Adds the agent, which passes on batches of raw records and does nothing else."""
    names = {settings.topic(topic): topic for topic in topics}
    under_way = asyncio.Lock()

    async def revoked(*_: object, **__: object) -> None:
        await ended(under_way, settings.session_seconds / 2)

    async def agent(stream: Any) -> None:
        waiting: list[list[Record]] = []
        generation = 0
        async for event in stream.events():
            if event.message.generation_id != generation:
                # The partitions were assigned anew, so the waiting records may belong to another member by now.
                waiting.clear()
                generation = event.message.generation_id
            # Records that come during a batch form the next one. No record waits for others to come.
            topic = names[event.message.topic]
            waiting.append([record_of(topic, item) for item in event.message.records])
            if stream.channel.empty() or sum(map(len, waiting)) >= MAX_FETCHED:
                async with under_way:
                    await _hand_on(waiting, handle)
                waiting.clear()

    # Without acknowledgements, since Faust must not commit any offset.
    channel = app.topic(*names, key_serializer="raw", value_serializer="raw", acks=False)
    app.agent(channel, name="intake", concurrency=1)(agent)
    app.on_partitions_revoked.connect(revoked)


async def _hand_on(parts: Sequence[Sequence[Record]], handle: Handle) -> None:
    """Faust goes on after any failure of an event. So an exception here must end the process, not only the agent."""
    joined: dict[Partition, list[Record]] = {}
    for records in parts:
        joined.setdefault(Partition(records[0].topic, records[0].partition), []).extend(records)
    try:
        await hand_on(handle, list(joined.values()))
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001, whatever it was: Faust would go on with the next
        logger.critical("consumer.stops", error=repr(error))
        os._exit(EXIT_LOST)


async def _keep(group: Group) -> None:
    """Faust waits for ever for the partitions of a group that others have."""
    try:
        await group.keep()
    except LogGone as error:
        logger.critical("consumer.stops", error=str(error))
        os._exit(EXIT_LOST)


class FaustLog(KafkaLog):
    """Kafka with Faust's streams as its consumer. `build` is the service's own Faust application."""

    assignor = "faust"

    def __init__(self, settings: Settings, build: Build | None = None, owner: str = "") -> None:
        super().__init__(settings, owner)
        self._faust, self._build = settings, build

    async def consume(self, group: str, topics: Sequence[str], offsets: Offsets, handle: Handle) -> None:
        """See `EventLog.consume`. A failure in a stream ends the process."""
        if self._build is not None:
            app = self._build(self._faust, topics, offsets, handle)
        else:
            app = application(group, self._faust, offsets)
            take(app, self._faust, topics, handle)
        of = self.group(group)
        await of.may_join()
        worker = faust.Worker(
            app, loop=asyncio.get_running_loop(), loglevel="WARNING", redirect_stdouts=False, quiet=True
        )
        worker.override_logging = False
        worker.spinner = None  # otherwise it would still write to the terminal
        watching = asyncio.create_task(_keep(of))
        try:
            await worker.start()
            await worker.wait_until_stopped()
        finally:
            watching.cancel()
            await worker.stop()
            # Faust handles signals itself, and leaves the group at the end of its stop. If a member has not left, the
            # next one waits until its session has run out.
            if (stopping := worker._signal_stop_future) is not None:  # noqa: SLF001, it has no other way in
                await asyncio.wait([stopping], timeout=LEAVE_SECONDS)
