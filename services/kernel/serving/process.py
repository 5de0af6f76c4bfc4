"""The processes of a service: one leader that recovers, relays and runs the timers; a consumer; an HTTP server."""

import asyncio
import gc
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress

import structlog
from prometheus_client import start_http_server
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from services.kernel import metrics
from services.kernel.core.problems import Unavailable
from services.kernel.delivery import operations, own_topics, placement, recovery, repairs
from services.kernel.delivery.log import EXIT_RANGE, LogGone, TopicsMissing
from services.kernel.delivery.records import is_content
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.tracing import Traces
from services.kernel.delivery.unit_of_work import unit_of_work
from services.kernel.logging import Lasting, brief
from services.kernel.serving.idempotency import keep_pruning
from services.kernel.settings import Settings
from services.kernel.store import failures, lease, migrations
from services.kernel.store.database import REST
from services.kernel.store.lease import Superseded, Term
from services.kernel.store.session import Conflict, Held
from services.kernel.tasks import side_by_side

EXIT_STALLED = 6
WATCH_SECONDS = 60.0
LOOK_SECONDS = 2.0
"""Seconds between two looks at the topics, for readiness."""
OWN_SECONDS = 10.0
"""Seconds between two checks whether somebody else writes to the service's own topics."""
KEEP_SECONDS = 5.0
"""Seconds between two checks whether a topic is gone."""
ASK_SECONDS = 0.5
"""Seconds between two attempts to lead."""
RENEWALS = 5
"""A lease is renewed this many times while it lasts."""
SUM_SECONDS = 15.0
LOOP_SECONDS, LONGEST_PAUSE = 1.0, 30.0
"""Seconds before a failed loop starts again: at first, and at most."""
logger = structlog.get_logger()


def tell_metrics(name: str, settings: Settings) -> None:
    """Serves the metrics of this process at a port of their own, if the settings name one."""
    if settings.metrics_port:
        try:
            start_http_server(settings.metrics_port, settings.host)
        except OSError as error:
            logger.warning("metrics.nowhere", service=name, port=settings.metrics_port, error=str(error))


def tell_traces(settings: Settings, *runtimes: Runtime) -> Callable[[], Awaitable[None]]:
    """Lets these services tell their spans if the settings name a collector; returns what ends that."""
    if not settings.traces:
        return _nothing
    from services.kernel.delivery.collector import Collector

    collector = Collector(settings)
    for runtime in runtimes:
        runtime.traces = Traces(runtime.service.name, settings, collector.take)
    return collector.end


async def _nothing() -> None:
    """What ends if nothing was begun."""


def collect_less() -> None:
    """Objects that exist now live as long as the process.

    So the garbage collector need not look at them with each batch.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


async def prepare(runtime: Runtime) -> None:
    """The steps before a service decides: tables, topics, recovery; then the work that waited for it."""
    name = runtime.service.name
    await runtime.clock_must_be_right()
    await migrations.upgrade(runtime.database, runtime.service)
    await placement.keep(runtime)
    await _make_topics(runtime, await own_topics.known(runtime))
    taken = await recovery.recover(runtime)
    runtime.recovered = True
    await repairs.unpark(unit_of_work(runtime))
    await _make_room(runtime)
    if runtime.service.on_start is not None:
        try:
            await runtime.service.on_start(runtime)
        except Held as held:
            logger.critical("start.held", service=name, error=held.detail)
    logger.info("service.prepared", service=name, recovered=taken)


async def _make_room(runtime: Runtime) -> None:
    """Sends what fills the outbox beyond its limit: the service decides nothing before, and no relay runs yet."""
    try:
        await runtime.ready_to_decide()
    except Unavailable as problem:
        if problem.code != "log-behind":
            raise
        await runtime.log.writer(anew=True)
        await Relay(runtime).drain()


async def lead(runtime: Runtime, ready: asyncio.Event) -> None:
    """Takes the service's lease, prepares, then relays and runs the timers until the lease is lost; then again.

    Sets `ready` when it is prepared. Raises `Diverged` and `WrongPartitions`: such a service must not serve.
    """
    wait, waits = 0.2, Lasting("leader.waits", service=runtime.service.name)

    async def work(held: Lead) -> None:
        nonlocal wait
        await prepare(runtime)
        await held.recovered()
        ready.set()
        wait = 0.2
        waits.over()
        await _background(runtime)

    while True:
        try:
            await _make_first_tables(runtime)
            async with leadership(runtime) as held:
                try:
                    await side_by_side((held.keep(), work(held)))
                finally:
                    # Embedded, nobody else has written meanwhile.
                    runtime.recovered = runtime.recovered and runtime.database.is_sqlite
        except (DBAPIError, OSError, LogGone, Unavailable) as error:
            waits.told(brief(error))
            await asyncio.sleep(wait)
            wait = min(wait * 2, 5.0)


async def _make_first_tables(runtime: Runtime) -> None:
    """A new database has no lease yet, so the first process makes the tables. Later only the leader does."""
    if not await _has_tables(runtime):
        await migrations.upgrade(runtime.database, runtime.service)


async def _has_tables(runtime: Runtime) -> bool:
    """Whether tables were made; all are made at once. Embedded, the leader makes them before anything else begins."""
    if runtime.database.is_sqlite:
        return True
    async with runtime.database.read() as connection:
        return await lease.is_there(connection)


async def _background(runtime: Runtime) -> None:
    """The permanent work of the leader."""
    runtime.sending = False
    growth = own_topics.Growth(runtime, await own_topics.look(runtime))

    async def watch(runtime: Runtime) -> None:
        await _watch_own_topics(runtime, growth)

    loops = (Relay.keep, _sum_refusals, _forget, keep_pruning, listen, _keep_topics, watch, *runtime.service.loops)
    await side_by_side(_supervised(runtime, loop) for loop in loops)


async def _supervised(runtime: Runtime, loop: Callable[[Runtime], Awaitable[None]]) -> None:
    """Background work that starts again after a failure: neither a conflict nor one bad record ends the process."""
    known = {"service": runtime.service.name, "loop": loop.__qualname__}
    waits, pause = Lasting("loop.waits", **known), LOOP_SECONDS
    while True:
        began = asyncio.get_running_loop().time()
        try:
            await loop(runtime)
            return
        except Superseded:
            raise
        except (DBAPIError, OSError, LogGone, Conflict) as error:
            waits.told(brief(error))
        except Exception as error:  # noqa: BLE001  whatever it was: the other loops go on
            failures.defect(error, **known)
        if asyncio.get_running_loop().time() - began > LONGEST_PAUSE:
            waits.over()
            pause = LOOP_SECONDS
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def _sum_refusals(runtime: Runtime) -> None:
    while True:
        await asyncio.sleep(SUM_SECONDS)
        await operations.sum_refusals(runtime)


async def _forget(runtime: Runtime) -> None:
    """Removes what is left of erased words in the service's own index, in the file and in the write-ahead file."""
    while True:
        await runtime.erased.wait()
        # What is erased meanwhile may still be there afterwards.
        runtime.erased.clear()
        try:
            if runtime.service.forget is not None:
                await runtime.service.forget(runtime.database)
            began = time.monotonic()
            while not await runtime.database.forget():
                await asyncio.sleep(LOOP_SECONDS)
                began = time.monotonic()
        except Exception:
            runtime.erased.set()
            raise
        await asyncio.sleep(REST * (time.monotonic() - began))


class Lead:
    """A process's time as leader of a service, on its own connection. Embedded, the folder's lock is enough."""

    def __init__(self, runtime: Runtime, session: AsyncConnection | None = None, term: Term | None = None) -> None:
        self._runtime = runtime
        self._service, self._seconds = runtime.service.name, runtime.settings.lease_seconds
        self._session, self._term = session, term
        self._one_at_a_time = asyncio.Lock()
        self._told = False

    async def keep(self) -> None:
        """Renews the lease until that fails, or this machine's clock goes wrong, and raises the error."""
        while self._session is not None:
            await asyncio.sleep(self._seconds / RENEWALS)
            await self._renew()
            # Who does not answer in time says nothing of the clock.
            with suppress(DBAPIError, OSError, TimeoutError):
                async with asyncio.timeout(self._seconds / RENEWALS):
                    await self._runtime.clock_must_be_right()
        await asyncio.get_running_loop().create_future()

    async def recovered(self) -> None:
        """Lets consumers begin, as long as this process leads; see `has_recovered`."""
        await self._renew(recovered=True)
        metrics.LEADS_SINCE.labels(self._service).set(time.time())
        if self._term is not None:
            self._told = True
            metrics.TERM.labels(self._service).set(self._term.number)
            logger.info("leader.begins", service=self._service, term=self._term.number)

    async def over(self) -> None:
        """Ends the lead."""
        metrics.LEADS_SINCE.labels(self._service).set(0)
        if self._session is not None and self._term is not None:
            # Otherwise others see it when the session is gone, or when the lease has run out.
            with suppress(SQLAlchemyError, OSError):
                async with asyncio.timeout(self._seconds / RENEWALS):
                    await lease.leave(self._session, self._term)
        if self._term is not None and self._told:
            metrics.TERM.labels(self._service).set(0)
            logger.warning("leader.ends", service=self._service, term=self._term.number)

    async def _renew(self, *, recovered: bool = False) -> None:
        if self._session is not None and self._term is not None:
            async with asyncio.timeout(self._seconds / 2), self._one_at_a_time:
                await lease.renew(self._session, self._term, self._seconds, recovered=recovered)


@asynccontextmanager
async def leadership(runtime: Runtime) -> AsyncIterator[Lead]:
    """Waits until no other process leads the service, and leads it until the end."""
    database = runtime.database
    if database.is_sqlite:
        yield Lead(runtime)
        return
    async with database.session() as session:
        try:
            while (term := await lease.take(database, session, runtime.settings.lease_seconds)) is None:
                await asyncio.sleep(ASK_SECONDS)
            database.fence = term.must_stand
            held = Lead(runtime, session, term)
            try:
                yield held
            finally:
                await held.over()
        finally:
            # A pooled connection must not keep the lease.
            await session.invalidate()


async def has_recovered(runtime: Runtime) -> bool:
    """Whether the leader has compared the store with the event log.

    Before that, a restored store lacks some of its own events. A reaction on it would write other events in their
    place.
    """
    async with runtime.database.read() as connection:
        return await lease.has_recovered(connection)


async def listen(runtime: Runtime) -> None:
    """Wakes the relay when another process of the service has committed. Embedded, there is no other process."""
    if runtime.database.is_sqlite:
        await asyncio.get_running_loop().create_future()
        return
    async with runtime.database.session() as connection:
        raw = await connection.get_raw_connection()
        driver = raw.driver_connection
        assert driver is not None
        await connection.execute(text("listen outbox"))
        import psycopg

        try:
            async for _ in driver.notifies():
                runtime.wake.set()
                runtime.changed.set()
        except psycopg.Error as error:
            raise DBAPIError("listen", None, error) from error


async def consume(runtime: Runtime) -> None:
    """Takes in the service's topics, until cancelled or until it must start again."""
    work = unit_of_work(runtime)
    topics = (*runtime.service.topics, *runtime.service.content_topics)
    if topics:
        await runtime.log.consume(runtime.service.name, topics, work.offsets, work.handle)
    else:
        await asyncio.get_running_loop().create_future()


async def wait_until_prepared(runtime: Runtime) -> None:
    """Waits until the leader has made tables and topics, and has recovered, since a consumer may start first.

    Raises `WrongPartitions` if this process and the leader have different settings.
    """
    work = unit_of_work(runtime)
    topics = (*runtime.service.topics, *runtime.service.content_topics)
    told = ""
    while True:
        try:
            if await has_recovered(runtime):
                await placement.compare(runtime)
                await work.offsets([])
                await runtime.log.ends(topics)
                return
            reason = "the API process has not compared its record with the event log yet"
        except (DBAPIError, OSError, LogGone) as error:
            reason = brief(error)
        if reason != told:
            told = reason
            logger.info("consumer.waits", service=runtime.service.name, until=reason)
        await asyncio.sleep(0.5)


async def watch_progress(runtime: Runtime, limit: float = WATCH_SECONDS) -> None:
    """Ends the process when records wait and the database's offsets stand still. The supervisor starts it again.

    It also ends when a topic is not the one that was read any more. The sentence says what to do.
    """
    work = unit_of_work(runtime)
    before, since = -1, asyncio.get_running_loop().time()
    unknown = Lasting("topics.unknown", service=runtime.service.name)
    while runtime.service.topics:
        await asyncio.sleep(limit / 6)
        try:
            found = await work.look()
            unknown.over()
        except (LogGone, DBAPIError, OSError) as error:
            unknown.told(brief(error))
            since = asyncio.get_running_loop().time()
            continue
        if found.lost:
            logger.critical("consumer.stops", service=runtime.service.name, error=min(found.lost.items())[1])
            os._exit(EXIT_RANGE)
        now = sum(offset.next for offset in found.taken.values())
        behind = any(not is_content(partition.topic) for partition in found.behind())
        if not behind or now != before:
            before, since = now, asyncio.get_running_loop().time()
        elif asyncio.get_running_loop().time() - since > limit:
            logger.critical("consumer.stalled", service=runtime.service.name, seconds=limit)
            os._exit(EXIT_STALLED)


async def watch_topics(runtime: Runtime) -> None:
    """Shows in readiness when topics are not the ones that this service read or wrote any more."""
    unknown = Lasting("topics.unknown", service=runtime.service.name)
    while True:
        try:
            if await _has_tables(runtime):
                runtime.lost = await _lost(runtime)
            unknown.over()
        except TopicsMissing as error:
            runtime.lost = f"{error}; the process that leads makes it"
        except (LogGone, DBAPIError, OSError) as error:
            unknown.told(brief(error))
        await asyncio.sleep(LOOK_SECONDS)


async def _lost(runtime: Runtime) -> str:
    read, own = await unit_of_work(runtime).look(), await own_topics.look(runtime)
    return min({**own.lost, **read.lost}.items(), default=(None, ""))[1]


async def _watch_own_topics(runtime: Runtime, growth: own_topics.Growth) -> None:
    """Compares the store with its topics again when these have grown by other records than those of our relay.

    This happens when somebody else writes to them, or when a batch was written and not acknowledged.
    """
    counts = True
    while True:
        await asyncio.sleep(OWN_SECONDS)
        if (await own_topics.look(runtime)).lost:
            counts = False
        elif counts:
            counts = await growth.is_ours() is not False
        elif await growth.begin():
            await recovery.recover(runtime)
            counts = True


async def _keep_topics(runtime: Runtime) -> None:
    """Makes topics anew that were lost while the service runs."""
    while True:
        await asyncio.sleep(KEEP_SECONDS)
        try:
            await runtime.log.ends(catalogue.all_topics())
        except TopicsMissing:
            # All of them were there when the service began, also those that it neither reads nor writes.
            await _make_topics(runtime, set(catalogue.all_topics()))


async def _make_topics(runtime: Runtime, known: Collection[str]) -> None:
    """Makes the topics that are missing, and names those that existed before."""
    events = [topic for service in catalogue.SERVICES for topic in catalogue.event_topics(service)]
    contents = [catalogue.content_topic(service) for service in catalogue.SERVICES]
    made = await runtime.log.create_topics(events, contents)
    if new := sorted({*made} - {*known}):
        logger.info("topics.made", service=runtime.service.name, topics=new)
    for topic in sorted({*made} & {*known}):
        logger.critical(
            "topic.made_anew",
            service=runtime.service.name,
            topic=topic,
            error=f"{topic} was lost. `huiying resend --lost` lets its owner write its events again",
        )
