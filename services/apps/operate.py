"""Operations of the command line on a deployment: through its API or its stores, whether it runs here, elsewhere or
not.
"""

import asyncio
import contextlib
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import delete, or_, select
from sqlalchemy.exc import DBAPIError

from schemas import catalogue
from schemas.envelope import Event, digest
from schemas.fields import UUID
from schemas.numbers import parts
from services.apps import embedded, serve
from services.apps.backups import files
from services.apps.backups.folder import FILES
from services.apps.client import Refused
from services.apps.embedded import Embedded
from services.apps.folder import folder_owner
from services.audit import rebuilding
from services.kernel.access import keys
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import NotFound, Problem, Rejected, Unavailable
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery import erasures, operations, own_topics, repairs
from services.kernel.delivery.intake import Poison
from services.kernel.delivery.log import EventLog, Partition, Record
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import PURE, unit_of_work
from services.kernel.logging import brief
from services.kernel.proof import check as checks
from services.kernel.proof import replay as replays
from services.kernel.proof.result import FILES_LACK, CheckResult
from services.kernel.serving import operating, process, records
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.settings import Settings
from services.kernel.store import lease, sql, tables
from services.kernel.store.beside import NotBuilt
from services.kernel.store.database import Database
from services.kernel.store.session import OWNER, Session

OPERATOR = Actor("operator")
"""The actor of repairs on the command line: no post of an office, and not the system itself."""
FORGED = "forged"
"""The reason of a reader that discards an event which its owner never wrote."""
LISTED = ("id", "reason", "topic", "stream_id", "version", "since", "error")
"""The shown columns of a dead letter."""


class SharedLog(EmbeddedLog):
    """The log file of a server in another process. Its end is read each time."""

    async def ends(self, topics: Sequence[str]) -> Any:
        await self.start()
        return await super().ends(topics)


class Stores(NamedTuple):
    """The five services' stores and the event log, without serving."""

    runtimes: dict[str, Runtime]
    log: EventLog
    embedded: Embedded | None = None
    """Set if this process runs the services itself."""


@asynccontextmanager
async def stores(settings: Settings, *, run: bool = False) -> AsyncIterator[Stores]:
    """The stores as they are, also beside a running server.

    With `run`, an embedded system that nobody runs is started here, so that it takes in what is waiting.
    """
    if not settings.embedded:
        async with _deployed(settings) as found:
            yield found
        return
    if not (settings.data / "triage.sqlite").exists():
        raise Refused(f"{settings.data} holds no data; start with `huiying up --data {settings.data}`")
    if run and folder_owner(settings.data) is None:
        async with embedded.running(settings) as here:
            yield Stores(here.runtimes, here.log, here)
        return
    log = SharedLog(settings.data / "log.sqlite", settings.partitions)
    places = {service.name: settings.data / f"{service.name}.sqlite" for service in embedded.SERVICES}
    async with _opened(settings, log, places) as found:
        yield found


@asynccontextmanager
async def _deployed(settings: Settings) -> AsyncIterator[Stores]:
    from services.kernel.delivery.log.kafka import KafkaLog

    if not settings.kafka:
        raise Refused("HUIYING_DATABASE is set and HUIYING_KAFKA is not; set both for a deployment, neither embedded")
    places = {name: settings.database.format(service=name) for name in catalogue.SERVICES}
    async with _opened(settings, KafkaLog(settings), places) as found:
        yield found


@asynccontextmanager
async def _opened(settings: Settings, log: EventLog, places: Mapping[str, Path | str]) -> AsyncIterator[Stores]:
    """The stores of the services at their `places`, over a log that is started for them."""
    secret = keys.deployment_secret(settings)
    await log.start()
    runtimes = {
        name: Runtime(
            serve.load(name), settings, Database(place, settings.lock_seconds), TimeSource(settings.clock), log, secret
        )
        for name, place in places.items()
    }
    try:
        yield Stores(runtimes, log)
    finally:
        for runtime in runtimes.values():
            await runtime.database.close()
        await log.stop()


# proofs


async def check(settings: Settings, wait: float) -> CheckResult:
    """The stores for `huiying check`. An embedded system that nobody runs is started for it."""
    async with stores(settings, run=True) as found:
        if found.embedded:
            await found.embedded.settle()
        return await check_stores(found, wait)


async def check_stores(found: Stores, wait: float = 30.0) -> CheckResult:
    """The check over stores that are at hand, and over the folders of files that are in reach."""
    seen = {name: checks.Store.of(runtime) for name, runtime in found.runtimes.items()}
    result = await checks.check(seen, found.log, wait)
    lacking, looked = await files.lacking(found.runtimes["audit"].settings, found.runtimes)
    for folder, names in lacking.items():
        for name in names:
            result.fault(FILES_LACK, FILES[folder], f"{FILES[folder]}: the file {name} is not in its folder {folder}")
    result.add("files", looked)
    return result


def told(report: CheckResult, *, verbose: bool = False) -> list[str]:
    """A result as lines: counts, then each cause as a sentence with what to do, then the verdict.

    With `verbose`, each fault is a line, too.
    """
    lines = [f"{name:<20} {count:>10,}" for name, count in sorted(report.counts.items())]
    lines += [f"fault: {cause.sentence()}" for cause in report.causes.values()]
    if verbose:
        lines += [f"  {sentence}" for sentence in report.faults]
        if report.untold:
            lines.append(f"  and {report.untold} faults more")
    return [*lines, "clean" if report.ok else f"{len(report.faults) + report.untold} faults"]


async def replay(settings: Settings) -> list[str]:
    """Rebuilds each service's views in a scratch folder from the topics alone. Returns each row that differs."""
    lines = []
    async with stores(settings, run=True) as found:
        if found.embedded:
            await found.embedded.settle()
        with tempfile.TemporaryDirectory(prefix="huiying-replay-") as scratch:
            for name, runtime in found.runtimes.items():
                into = Database(Path(scratch) / f"{name}.sqlite")
                try:
                    lines += [_told(name, difference) for difference in await replays.replay(runtime, into)]
                finally:
                    await into.close()
    return lines


async def rebuild(settings: Settings, tell: rebuilding.Tell) -> rebuilding.Rebuilt:
    """Builds audit's tables anew and puts them in place, also beside a running system."""
    async with stores(settings) as found:
        try:
            return await rebuilding.rebuild(found.runtimes["audit"], tell)
        except NotBuilt as error:
            raise Refused(f"{error}. Nothing was changed") from error


def _told(service: str, difference: replays.Difference) -> str:
    key = "/".join(map(str, difference.key))
    place = f"{service}.{difference.table} {key}"
    if difference.live is None:
        return f"{place}: the topics give this row, but it is missing"
    if difference.replayed is None:
        return f"{place}: this row is there, but the topics do not give it"
    live, replayed = difference.live, difference.replayed
    names = [name for name in live if live[name] != replayed[name]]
    return f"{place}: " + ", ".join(f"{name} is {live[name]!r}, the topics give {replayed[name]!r}" for name in names)


# repairs


class Chosen(NamedTuple):
    """A choice of dead letters. None means any."""

    service: str | None = None
    cause: str | None = None
    """Why they were set aside: the `reason` of a dead letter."""
    stream: str | None = None
    type: str | None = None
    """The full name of their event type, or the short one: `report.received`."""

    def must_exist(self) -> None:
        """Raises `Refused` for a cause or a stream that no dead letter can have."""
        if self.cause is not None and self.cause not in operations.CAUSES:
            raise Refused(f"no cause {self.cause!r}; there are {', '.join(operations.CAUSES)}")
        if self.stream is not None and not re.fullmatch(f"[a-z]+-{UUID}", self.stream):
            raise Refused(f"no stream {self.stream!r}; its name is its kind and a uuid, as `redrive --list` shows it")


async def dead_letters(found: Stores, chosen: Chosen) -> list[dict[str, Any]]:
    """The open dead letters, by service, stream and version, without the raw bytes.

    Raises `Refused` if a filter names something impossible: an empty list must not look as if nothing were to do.
    """
    chosen.must_exist()
    rows, types = list[dict[str, Any]](), set(map(_short, catalogue.types()))
    for name, runtime in found.runtimes.items():
        if chosen.service not in (None, name):
            continue
        table = runtime.tables["dead_letters"]
        wanted = select(table).where(table.c.state == "open").order_by(table.c.stream_id, table.c.version, table.c.id)
        if chosen.cause is not None:
            wanted = wanted.where(table.c.reason == chosen.cause)
        if chosen.stream is not None:
            wanted = wanted.where(table.c.stream_id == chosen.stream)
        async with runtime.database.read() as connection:
            for row in (await connection.execute(wanted)).mappings():
                type_ = Event.parse(row["bytes"]).type if row["stream_id"] else None
                types.update({type_, _short(type_)} if type_ else ())
                if chosen.type is None or (type_ and chosen.type in (type_, _short(type_))):
                    rows.append({"service": name} | {column: row[column] for column in LISTED} | {"type": type_})
    if chosen.type not in (None, *types, *catalogue.types()):
        raise Refused(f"no event type {chosen.type!r}; types are named like report.received")
    return rows


def _short(type_: str) -> str:
    return type_.removeprefix(catalogue.PREFIX).rpartition(".v")[0]


class Settled(NamedTuple):
    """The result for dead letters."""

    settled: list[str]
    """Ids of those that were redriven or discarded."""
    failed: list[dict[str, str]]
    """`service`, `id` and `error` of those that fail as before."""


async def settle_records(
    found: Stores, rows: Sequence[Mapping[str, Any]], reason: str, *, discard: bool, tell: Callable[[int, int], None]
) -> Settled:
    """Redrives or discards these records, each in its own transaction. Calls `tell` with the number done, of all.

    A record that another one settles on the way counts as settled. Raises `Unavailable` if the store fails.
    """
    settled, failed = list[str](), list[dict[str, str]]()
    for number, row in enumerate(rows):
        tell(number, len(rows))
        service, id_ = row["service"], row["id"]
        try:
            await _settle(found, service, id_, reason, discard=discard)
            settled.append(id_)
        except Unavailable:
            raise
        except Problem as problem:
            if problem.code == "record-settled":
                settled.append(id_)
            else:
                failed.append({"service": service, "id": id_, "error": problem.detail})
        except (Poison, *PURE) as error:
            said = error.error if isinstance(error, Poison) else brief(error)
            failed.append({"service": service, "id": id_, "error": f"the record {id_} fails as before: {said}"})
    for service in dict.fromkeys(row["service"] for row in rows):
        await repairs.unpark(unit_of_work(found.runtimes[service]))
    return Settled(settled, failed)


async def settle_record(found: Stores, service: str, id_: str, reason: str, *, discard: bool) -> None:
    """Redrives or discards one dead letter. Raises `Problem`s."""
    await _settle(found, service, id_, reason, discard=discard)
    await repairs.unpark(unit_of_work(found.runtimes[service]))


async def _settle(found: Stores, service: str, id_: str, reason: str, *, discard: bool) -> None:
    """Settles one record, without the records that may go on then.

    A record that an owner discards on its own topic is forged. Every reader of the topic is told first: the owner's
    next event in its place must not look like the forgery there.
    """
    runtime = found.runtimes[service]
    table = runtime.tables["dead_letters"]
    async with runtime.database.read() as connection:
        row = (await connection.execute(select(table).where(table.c.id == id_))).mappings().first()
    forged = row is not None and discard and row["consumer"] == OWNER and row["state"] == "open"
    for reader in found.runtimes.values() if forged else ():
        if row and row["topic"] in (*reader.service.topics, *reader.service.content_topics):
            await _know_forged(reader, dict(row), reason)
    await operating.settle(runtime, Caller(actor=OPERATOR), id_, reason, discard=discard)


async def _know_forged(runtime: Runtime, row: Mapping[str, Any], reason: str) -> None:
    """Discards a record in a reader, too, whether it was set aside there or taken in."""
    work, name = unit_of_work(runtime), runtime.service.name
    record = Record(row["topic"], row["partition"], row["offset"], row["key"], row["bytes"])
    event = Event.parse(row["bytes"]) if row["stream_id"] else None
    known = operations.dead_letter(name, record, event, FORGED, row["error"], runtime.time_source.now())

    async def act(session: Session, ctx: Ctx) -> Answer:
        await sql.add_missing(session.connection, runtime.tables["dead_letters"], [known])
        with contextlib.suppress(Rejected):
            await repairs.discard(work, session, ctx, known["id"], reason)
        return Answer({})

    await transact(runtime, Caller(actor=OPERATOR), act)


async def recover(runtime: Runtime, streams: Sequence[str], reason: str) -> list[Event]:
    """Takes in events that the service's topics hold and its store lacks, of all streams or of some. Returns them.

    Raises `Problem`s, `NotFound` for a named stream of which nothing waits, and `LogGone`, since words are read from
    the topic.
    """
    work, table = unit_of_work(runtime), runtime.tables["dead_letters"]
    chosen = select(table).where(table.c.consumer == OWNER, table.c.reason == "ahead", table.c.state == "open")
    if streams:
        chosen = chosen.where(table.c.stream_id.in_(streams))
    async with runtime.database.read() as connection:
        rows = [dict(row) for row in (await connection.execute(chosen)).mappings() if row["stream_id"]]
    if missing := sorted({*streams} - {row["stream_id"] for row in rows}):
        raise NotFound(f"nothing of {', '.join(missing)} waits on {runtime.service.name}'s topics", what=missing)
    by_topic: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["stream_id"], row["version"])):
        by_topic.setdefault(row["topic"], []).append(row)
    taken: list[Event] = []
    for of_topic in by_topic.values():

        async def act(session: Session, ctx: Ctx, rows: Sequence[Mapping[str, Any]] = of_topic) -> Answer:
            return Answer({}, events=tuple(await repairs.recover(work, session, ctx, rows, reason)))

        taken += (await transact(runtime, Caller(actor=OPERATOR), act)).events
    await repairs.unpark(work)
    return taken


async def resend(runtime: Runtime, streams: Sequence[str] | None) -> int:
    """Puts events into the outbox again. A relay that runs elsewhere finds them within a second."""
    if streams is not None:
        events = runtime.tables["events"]
        async with runtime.database.read() as connection:
            chosen = select(events.c.stream_id).where(events.c.stream_id.in_(list(streams))).distinct()
            known = set((await connection.execute(chosen)).scalars())
        if missing := sorted(set(streams) - known):
            raise NotFound(f"{runtime.service.name} owns no stream {', '.join(missing)}", what=missing)
    return await operations.resend(runtime, streams)


async def named(found: Stores, stream: str) -> str:
    """The stream that is named by its id, or by the number of its record. Raises `Refused` for an unknown number."""
    if parts(stream) is None:
        return stream
    for runtime in found.runtimes.values():
        if known := await records.find(runtime, None, stream):
            return known
    raise Refused(f"no record has the number {stream!r}; look it up again")


async def owner_of(found: Stores, stream: str) -> str:
    """The service that owns a stream. For an operation stream, it is the service that holds the stream."""
    kind = catalogue.kind_of(stream)
    if kind in catalogue.STREAMS:
        return catalogue.owner(kind)
    for name, runtime in found.runtimes.items():
        events = runtime.tables["events"]
        async with runtime.database.read() as connection:
            if (await connection.execute(select(events.c.seq).where(events.c.stream_id == stream).limit(1))).first():
                return name
    raise NotFound(f"no service owns a stream {stream}", what=stream)


async def rewind(found: Stores, service: str, topic: str) -> int:
    """Sets a consumer back to the beginning of a topic. Returns how many partitions go back.

    It drops events that it has already. On Kafka, a running consumer notices with the next record, or after a minute,
    and starts again from there. An embedded server would end, so it must not run.
    """
    runtime = found.runtimes[service]
    reads = (*runtime.service.topics, *runtime.service.content_topics)
    if topic not in reads:
        raise Refused(f"{service} does not read {topic}; it reads {', '.join(reads)}")
    return await _set_back(runtime, service, await found.log.begins([topic]))


async def resend_lost(found: Stores, service: str | None = None) -> dict[str, int]:
    """Repairs the loss of topics: sets all readers of an owner's topics back, and lets it write everything again.

    This is for the named service, or for each service whose topics are not the same any more. Returns how many events
    each owner sends again.
    """
    name_of = catalogue.content_topic
    events = [topic for name in catalogue.SERVICES for topic in catalogue.event_topics(name)]
    made = await found.log.create_topics(events, [name_of(name) for name in catalogue.SERVICES])
    owners = [service] if service else await _owners_of_lost(found, made)
    sent = {}
    for owner in owners:
        begins = await found.log.begins([*catalogue.event_topics(owner), name_of(owner)])
        for name, runtime in found.runtimes.items():
            for consumer in (name, OWNER):
                await _set_back(runtime, consumer, begins)
        sent[owner] = await operations.resend(found.runtimes[owner])
    return sent


async def _owners_of_lost(found: Stores, made: Sequence[str]) -> list[str]:
    lost: set[str] = set()
    for runtime in found.runtimes.values():
        lost |= set(made) & await own_topics.known(runtime) | await own_topics.lacking(runtime)
        for standing in (await unit_of_work(runtime).look(), await own_topics.look(runtime)):
            lost |= {partition.topic for partition in standing.lost}
    return [name for name in found.runtimes if any(topic.partition(".")[0] == name for topic in lost)]


async def _set_back(runtime: Runtime, consumer: str, begins: Mapping[Partition, int]) -> int:
    """Moves a consumer's offsets to the beginning of these partitions. Returns how many of them move."""
    table = runtime.tables["consumer_offset"]
    async with runtime.database.transaction() as connection:
        mine = (table.c.consumer == consumer, table.c.topic.in_({partition.topic for partition in begins}))
        known = await connection.execute(select(table.c.topic, table.c.partition, table.c.next).where(*mine))
        before = {Partition(row.topic, row.partition): row.next for row in known}
        await connection.execute(delete(table).where(*mine))
        # A running consumer finds its row set back. Without the row, it would start where it is.
        rows = [
            {"consumer": consumer, "topic": part.topic, "partition": part.number, "next": first}
            for part, first in sorted(begins.items())
            if part in before
        ]
        await sql.upsert(connection, table, rows)
    return sum(part in before and before[part] != first for part, first in begins.items())


async def erased(settings: Settings, *, log_goes_back: bool = False) -> set[str]:
    """References of the words that were erased according to the topics, before stores are put back. Raises `LogGone`.

    Raises `Refused` if the embedded log cannot be read. If the log is itself put back, it then says nothing.

    An erasure that an operator discarded as forged does not count. One that a reader discarded counts, since it is
    still its owner's.
    """
    log: EventLog
    places: list[Path | str]
    if settings.embedded:
        places = [path for name in catalogue.SERVICES if (path := settings.data / f"{name}.sqlite").exists()]
        if not (path := settings.data / "log.sqlite").exists():
            return set()
        log = EmbeddedLog(path, settings.partitions)
    else:
        from services.kernel.delivery.log.kafka import KafkaLog

        log, places = KafkaLog(settings), [settings.database.format(service=name) for name in catalogue.SERVICES]
    letters, discarded = tables.metadata().tables["dead_letters"], set[str]()
    for place in places:
        database = Database(place, settings.lock_seconds)
        try:
            async with database.read() as connection:
                forged = or_(letters.c.consumer == OWNER, letters.c.reason == FORGED)
                chosen = select(letters.c.bytes).where(letters.c.state == "discarded", forged)
                discarded |= {digest(bytes_ or b"") for bytes_ in (await connection.execute(chosen)).scalars()}
        except (DBAPIError, OSError):
            continue
        finally:
            await database.close()
    try:
        await log.start()
        return await erasures.on_topics(log, discarded)
    except DBAPIError as error:
        if log_goes_back:
            return set()
        raise Refused(f"the event log in {settings.data} cannot be read; put it back too, with --log") from error
    finally:
        await log.stop()


async def hold_leadership(runtime: Runtime, limit: float = 2.0) -> None:
    """Raises `Refused` while a process of this service runs."""
    async with runtime.database.read() as connection:
        if not await lease.is_there(connection):
            return
    try:
        async with asyncio.timeout(limit), process.leadership(runtime):
            return
    except TimeoutError:
        raise Refused(f"{runtime.service.name} is running; stop the services before a restore") from None
