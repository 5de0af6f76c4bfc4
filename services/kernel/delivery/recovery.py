"""Before it decides, an owner reads its own topics and takes back what its store lacks: a backup was restored.

Without this, an owner with an older store would write a second history from the backup's point on. Of each version the
first record on the topic counts, since that is what every reader took. A later one with other bytes, and what does not
follow the store, goes to quarantine; a store that differs from the first stops the owner.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import structlog
from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event, Undecodable, UnknownType, digest
from schemas.fields import Erasure
from schemas.operation import OperationRecovered
from services.kernel.delivery import operations, own_topics
from services.kernel.delivery.log import Partition, Record
from services.kernel.delivery.offsets import Offset, Standing
from services.kernel.delivery.own_topics import OWNER
from services.kernel.delivery.records import content_rows
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import sql
from services.kernel.store.session import Conflict, Session, partition_of

ATTEMPTS = 8
Place = tuple[str, int]
"""A stream and a version."""
log = structlog.get_logger()


class Diverged(Exception):
    """The store holds other bytes than the first record on the topic: the owner must not serve."""


class Held(NamedTuple):
    """An event of the store."""

    id: str
    bytes: bytes


@dataclass(slots=True)
class Compared:
    """What a store lacks of what lies on its topic, and what does not belong there."""

    missing: list[Event] = field(default_factory=list)
    foreign: list[tuple[Record, Event, str, str]] = field(default_factory=list)
    """With the reason and a sentence."""
    disputed: set[Place] = field(default_factory=set)
    """Versions that the store holds and a record has with other bytes."""


async def recover(runtime: Runtime) -> int:
    """Takes back missing events and words; returns how many events. Raises `Diverged`, or `LogGone`."""
    name = runtime.service.name
    operation, words = f"{name}.operation", catalogue.content_topic(name)
    others = [topic for topic in catalogue.event_topics(name) if topic != operation]
    found = await own_topics.look(runtime)
    count = 0
    # The operation streams first and whole: what is taken back is noted on them.
    taken: list[Event] = []
    async for records, mark in _unverified(runtime, found, [operation]):
        taken += await _take_back_events(runtime, records, mark, note=False)
    if taken:
        await _note_taken(runtime, operation, taken)
    async for records, mark in _unverified(runtime, found, others):
        count += len(await _take_back_events(runtime, records, mark, note=True))
    async for records, mark in _unverified(runtime, found, [words]):
        await _take_back_words(runtime, records, mark)
    return count + len(taken)


async def _unverified(
    runtime: Runtime, found: Standing, topics: Sequence[str]
) -> AsyncIterator[tuple[Sequence[Record], list[dict[str, Any]]]]:
    """What the topics hold beyond what was verified, with the mark that says so from then on.

    Of a partition that was lost it is all that there is, and the old mark stays, since that is what tells of the loss.
    """
    for partition, end in found.ends.items():
        if partition.topic in topics:
            is_lost = partition in found.lost
            start = 0 if is_lost else found.taken.get(partition, Offset(0)).next
            async for records in runtime.log.read(partition, start, end):
                yield records, [] if is_lost else [own_topics.mark(records[-1])]


async def _take_back_events(
    runtime: Runtime, records: Sequence[Record], mark: Sequence[Mapping[str, Any]], *, note: bool
) -> list[Event]:
    """The events that were taken back. Compares again where another process of the service appended meanwhile."""
    found = []
    for record in records:
        if event := own(record):
            found.append((record, event))
        else:
            log.warning("topic.foreign_record", topic=record.topic, offset=record.offset)
    for _ in range(ATTEMPTS - 1):
        # The other's event may be the very one, and clash by its id.
        with suppress(Conflict, IntegrityError):
            return await _take_back(runtime, records[-1].topic, found, mark, note=note)
    return await _take_back(runtime, records[-1].topic, found, mark, note=note)


async def _take_back(
    runtime: Runtime,
    topic: str,
    found: Sequence[tuple[Record, Event]],
    mark: Sequence[Mapping[str, Any]],
    *,
    note: bool,
) -> list[Event]:
    async with runtime.database.transaction() as connection:
        stored = await stored_under(runtime, connection, [event for _, event in found])
        compared = compare(found, stored)
        await _refuse_divergence(runtime, topic, {place: stored[place].bytes for place in compared.disputed})
        if compared.missing:
            await _restore(runtime, connection, topic, compared.missing, note=note)
        aside = [operations.quarantined(OWNER, *one, runtime.clock.now()) for one in compared.foreign]
        await _set_aside(runtime, connection, aside)
        await sql.upsert(connection, runtime.tables["consumer_offset"], mark)
    operations.alarm(runtime.service.name, aside)
    return compared.missing


def own(record: Record) -> Event | None:
    """The event in a record, if it is one that belongs on this topic."""
    try:
        event = Event.parse(record.value)
    except Undecodable:
        return None
    return event if event.topic == record.topic else None


async def stored_under(runtime: Runtime, connection: AsyncConnection, events: Sequence[Event]) -> dict[Place, Held]:
    """What the store holds under the events' versions, the versions before them, and their ids."""
    table = runtime.tables["events"]
    streams = {event.stream for event in events}
    versions = {version for event in events for version in (event.version - 1, event.version)}
    under = table.c.stream_id.in_(streams) & table.c.version.in_(versions)
    chosen = select(table.c.stream_id, table.c.version, table.c.event_id, table.c.bytes).where(
        or_(under, table.c.event_id.in_({event.id for event in events}))
    )
    found = await connection.execute(chosen)
    return {(row.stream_id, row.version): Held(row.event_id, row.bytes) for row in found}


def compare(found: Sequence[tuple[Record, Event]], stored: Mapping[Place, Held]) -> Compared:
    """Judges what lies on a topic, in its order, by what the store holds."""
    compared, held = Compared(), dict(stored)
    ids = {one.id for one in stored.values()}
    for record, event in found:
        place = (event.stream, event.version)
        known = held.get(place)
        if known is None and (fault := _fault(event, held.get((event.stream, event.version - 1)), ids)):
            compared.foreign.append((record, event, *fault))
        elif known is None:
            compared.missing.append(event)
            held[place] = Held(event.id, event.bytes)
            ids.add(event.id)
        elif known.bytes != event.bytes:
            compared.foreign.append((record, event, "fork", f"version {event.version} came with other bytes"))
            if place in stored:
                compared.disputed.add(place)
    return compared


def _fault(event: Event, before: Held | None, ids: set[str]) -> tuple[str, str] | None:
    """Why the store cannot take an event as its own: a reason of the quarantine, and a sentence."""
    if event.id in ids:
        return "fork", f"version {event.version} came under the id of another event"
    if event.previous != (digest(before.bytes) if before else None):
        return "fork", f"version {event.version} does not follow what the store holds"
    try:
        _ = event.data
    except UnknownType as error:
        return "unknown_type", str(error)
    except Undecodable as error:
        return "poison", str(error)
    return None


async def _refuse_divergence(runtime: Runtime, topic: str, disputed: Mapping[Place, bytes]) -> None:
    """Raises `Diverged` unless the topic's first record of each disputed version is what the store holds."""
    if not disputed:
        return
    keys = {Event.parse(bytes_).partitionkey for bytes_ in disputed.values()}
    partitions = {Partition(topic, partition_of(key, runtime.settings.partitions)) for key in keys}
    begins, ends = await runtime.log.begins([topic]), await runtime.log.ends([topic])
    first: dict[Place, bytes] = {}
    for partition in partitions:
        async for records in runtime.log.read(partition, begins[partition], ends[partition]):
            for event in filter(None, map(own, records)):
                if (event.stream, event.version) in disputed:
                    first.setdefault((event.stream, event.version), event.bytes)
    for place, bytes_ in disputed.items():
        if first.get(place) != bytes_:
            name, (stream, version) = runtime.service.name, place
            raise Diverged(
                f"{name}'s store holds other bytes under version {version} of {stream} than the first record of it on "
                f"{topic}, which is what every reader took. {name} does not start. Compare the two; then put back a "
                f"backup from before that version with `huiying restore --from DIR --service {name}`: what came since "
                "is taken from the topic"
            )


async def _set_aside(runtime: Runtime, connection: AsyncConnection, rows: Sequence[Mapping[str, Any]]) -> None:
    by_id = {row["id"]: row for row in rows}
    await sql.add_missing(connection, runtime.tables["quarantine"], [by_id[id_] for id_ in sorted(by_id)])


async def _restore(
    runtime: Runtime, connection: AsyncConnection, topic: str, missing: list[Event], *, note: bool
) -> None:
    session = Session(runtime.service, runtime.settings, connection, runtime.clock.now())
    session.restore(missing)
    for event in missing:
        if isinstance(event.data, Erasure):
            await session.erase(event.data.refs, announce=False)
    if note:
        await _note(runtime, session, topic, missing)
    await session.flush()
    log.warning("store.recovered", service=runtime.service.name, topic=topic, events=len(missing))


async def _note_taken(runtime: Runtime, topic: str, taken: Sequence[Event]) -> None:
    async with runtime.database.transaction() as connection:
        session = Session(runtime.service, runtime.settings, connection, runtime.clock.now())
        await _note(runtime, session, topic, taken)
        await session.flush()


async def _note(runtime: Runtime, session: Session, topic: str, taken: Sequence[Event]) -> None:
    ctx = await runtime.context(session.connection)
    fact = OperationRecovered(topic=topic, events=len(taken), first=taken[0].digest, at=ctx.now)
    await operations.record(session, ctx, fact)


async def _take_back_words(runtime: Runtime, records: Sequence[Record], mark: Sequence[Mapping[str, Any]]) -> None:
    contents, erased = runtime.tables["contents"], runtime.tables["erased"]
    rows, broken = content_rows(records)
    now = runtime.clock.now()
    aside = [operations.quarantined(OWNER, record, None, "undecodable", error, now) for record, error in broken]
    async with runtime.database.transaction() as connection:
        gone = set((await connection.execute(select(erased.c.ref).where(erased.c.ref.in_(list(rows))))).scalars())
        await sql.add_missing(connection, contents, [rows[ref] for ref in sorted(rows) if ref not in gone])
        await _set_aside(runtime, connection, aside)
        await sql.upsert(connection, runtime.tables["consumer_offset"], mark)
    operations.alarm(runtime.service.name, aside)
