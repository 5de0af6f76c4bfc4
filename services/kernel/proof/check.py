"""Proves from databases and topics that no event was lost, doubled, altered or put out of order.

It reads in batches. In memory it keeps stream ids and version numbers, never events. It changes nothing and may run
beside a system at work: if something is missing, it looks again after everything in flight has arrived.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue, upcast
from schemas.envelope import Event, Undecodable, digest
from services.kernel.access.signatures import Awaited, Unproven, prove
from services.kernel.core.decider import Decider
from services.kernel.delivery import offsets
from services.kernel.delivery.log import EventLog, Partition, Record
from services.kernel.delivery.offsets import Progress
from services.kernel.delivery.runtime import Runtime, Timeline
from services.kernel.proof import trees
from services.kernel.proof.readers import Reader, Readers
from services.kernel.proof.result import (
    AUDIT_ALTERED,
    AUDIT_LACKS,
    DEAD_LETTER,
    ERASED,
    LAG,
    LOST,
    OUTBOX,
    PARKED,
    STORE,
    TOPIC_HOLDS,
    TOPIC_LACKS,
    UNPROVEN,
    Cause,
    CheckResult,
)
from services.kernel.store.database import Database
from services.kernel.store.session import OWNER, is_counted

BATCH = 500
POLL = 0.05
Fault = tuple[Cause, str, str]
"""A cause, the service, and a sentence."""


@dataclass(frozen=True, slots=True)
class Store:
    """One service's database, as far as the check needs it."""

    database: Database
    tables: Mapping[str, Table]
    reads: tuple[str, ...]
    """The event topics that the service takes in."""
    timeline: Timeline | None = None
    """Set for the one service that keeps the events of all."""
    deciders: Mapping[str, Decider] = field(default_factory=dict)
    """Stream kind -> rules."""
    runtime: Runtime | None = None
    """The service, by which signatures are checked."""

    @classmethod
    def of(cls, runtime: Runtime) -> "Store":
        """The store of a service that runs, or could."""
        service = runtime.service
        return cls(runtime.database, runtime.tables, service.topics, service.timeline, service.deciders, runtime)


async def check(stores: Mapping[str, Store], log: EventLog, wait: float = 30.0) -> CheckResult:
    """Looks at every event of every service, in its store, on its topic, and in audit's timeline.

    `stores` is by service; one of them has the timeline. If something may be on its way, it waits for outboxes and
    consumers, up to `wait` seconds each time. Raises `LogGone` and the database's errors, since unreadable data is not
    proven.
    """
    result = CheckResult()
    audit = next(store for store in stores.values() if store.timeline)
    erased = await _erased(stores)
    for fault in await _settled(stores, log, wait):
        result.fault(*fault)
    standing = await _check_offsets(stores, log, result)
    await _waiting(stores, result)
    discarded = await _discarded(stores)
    absent: list[tuple[str, Event]] = []
    for name, store in stores.items():
        await _check_store(name, store, audit, result, absent)
        for topic in catalogue.event_topics(name):
            reading = {by: of for by, of in stores.items() if topic in of.reads and not of.timeline}
            readers = [Reader(by, of.database, of.tables, standing[by]) for by, of in reading.items()]
            await _check_topic(name, store, topic, log, discarded, result, wait, Readers(topic, readers))
    await _check_absent(stores, log, audit, absent, result, wait)
    await _check_timeline(stores, audit, discarded, result)
    assert audit.timeline is not None
    await trees.check(audit.database, audit.timeline, result)
    for name, store in stores.items():
        await trees.check_kept(name, store.database, store.tables, audit.database, audit.timeline, result)
    await _check_erased(stores, erased, result)
    result.add("erased", len(erased))
    return result


# work that must be finished


async def _settled(stores: Mapping[str, Store], log: EventLog, wait: float) -> list[Fault]:
    """Waits until the waiting outbox rows are sent and taken in everywhere. Reports what was not done in time."""
    until = asyncio.get_running_loop().time() + wait
    waiting = [fault for name, store in stores.items() for fault in await _drained(name, store, wait)]
    ends = {name: await log.ends(store.reads) if store.reads else {} for name, store in stores.items()}
    while True:
        behind = [(name, text) for name, store in stores.items() for text in await _lag(name, store, ends[name])]
        if not behind or asyncio.get_running_loop().time() >= until:
            return waiting + [(LAG, name, f"{text} after {wait:g} s") for name, text in behind]
        await asyncio.sleep(POLL)


async def _check_offsets(stores: Mapping[str, Store], log: EventLog, result: CheckResult) -> dict[str, Progress]:
    """Checks that the topics are those that the services read and wrote. For other topics, offsets prove nothing.

    Returns the position of each service on its topics.
    """
    standing: dict[str, Progress] = {}
    for name, store in stores.items():
        own = (*catalogue.event_topics(name), catalogue.content_topic(name))
        table = store.tables["consumer_offset"]
        for consumer, topics in ((name, store.reads), (OWNER, own)):
            found = await offsets.look(store.database, table, consumer, log, topics)
            standing.setdefault(name, found)
            for sentence in found.lost.values():
                result.fault(LOST, name, f"{name}: {sentence}")
    return standing


async def _drained(name: str, store: Store, wait: float) -> list[Fault]:
    """Waits until the present outbox rows are gone. Reports it if that takes too long."""
    until = asyncio.get_running_loop().time() + wait
    mark = await _highest(store)
    while True:
        waiting = await _outbox(name, store, mark)
        if not waiting or asyncio.get_running_loop().time() >= until:
            return [(OUTBOX, name, f"{text} after {wait:g} s") for text in waiting]
        await asyncio.sleep(POLL)


async def _highest(store: Store) -> int:
    outbox = store.tables["outbox"]
    async with store.database.read() as connection:
        return (await connection.execute(select(func.max(outbox.c.seq)))).scalar() or 0


async def _outbox(name: str, store: Store, mark: int) -> list[str]:
    outbox = store.tables["outbox"]
    async with store.database.read() as connection:
        chosen = select(func.count()).select_from(outbox).where(outbox.c.seq <= mark)
        count = (await connection.execute(chosen)).scalar_one()
    return [f"{name}: {count} records still wait in the outbox"] if count else []


async def _lag(name: str, store: Store, ends: Mapping[Partition, int]) -> list[str]:
    table = store.tables["consumer_offset"]
    async with store.database.read() as connection:
        found = await connection.execute(
            select(table.c.topic, table.c.partition, table.c.next).where(table.c.consumer == name)
        )
        taken = {Partition(row.topic, row.partition): row.next for row in found}
    return [
        f"{name}: {part.topic}/{part.number} was taken in up to {taken.get(part, 0)}, but it ends at {end}"
        for part, end in ends.items()
        if taken.get(part, 0) < end
    ]


async def _waiting(stores: Mapping[str, Store], result: CheckResult) -> None:
    for name, store in stores.items():
        dead_letters, cursor = store.tables["dead_letters"], store.tables["stream_cursor"]
        async with store.database.read() as connection:
            aside = await connection.execute(select(dead_letters).where(dead_letters.c.state == "open"))
            for row in aside.mappings():
                what = f" ({row['stream_id']} version {row['version']})" if row["stream_id"] else ""
                place = f"{row['topic']}/{row['partition']}@{row['offset']}"
                result.fault(
                    DEAD_LETTER,
                    name,
                    f"{name}: {place}{what} is a dead letter as {row['id']}: {row['reason']}, {row['error']}",
                )
            parked = await connection.execute(
                select(cursor.c.stream_id, cursor.c.version, cursor.c.blocked).where(cursor.c.blocked.is_not(None))
            )
            for stream, version, blocked in parked:
                result.fault(PARKED, name, f"{name}: {stream} is parked behind version {version}: {blocked}")


async def _discarded(stores: Mapping[str, Store]) -> set[str]:
    """Digests of the records that a person looked at and set aside for good. They are no fault any more."""
    digests: set[str] = set()
    for store in stores.values():
        table = store.tables["dead_letters"]
        async with store.database.read() as connection:
            found = await connection.execute(select(table.c.bytes).where(table.c.state == "discarded"))
            digests.update(digest(bytes_ or b"") for bytes_ in found.scalars())
    return digests


# the store


async def _pages(database: Database, table: Table, columns: Sequence[str], keys: Sequence[str]) -> AsyncIterator[Any]:
    """All rows in order of `keys`, which are unique, a batch at a time. Rows that come later are seen, too."""
    order, last = [table.c[name] for name in keys], None
    while True:
        chosen = select(*(table.c[name] for name in columns)).order_by(*order).limit(BATCH)
        if last is not None:
            chosen = chosen.where(tuple_(*order) > tuple_(*(getattr(last, name) for name in keys)))
        async with database.read() as connection:
            rows = (await connection.execute(chosen)).all()
        if not rows:
            return
        yield rows
        last = rows[-1]


async def _check_store(
    name: str, store: Store, audit: Store, result: CheckResult, absent: list[tuple[str, Event]]
) -> None:
    last: Event | None = None
    columns = ("stream_id", "version", "event_id", "type", "recordedtime", "counted", "bytes")
    async for rows in _pages(store.database, store.tables["events"], columns, ("stream_id", "version")):
        events = []
        for row in rows:
            try:
                event = Event.parse(row.bytes)
            except Undecodable as error:
                result.fault(STORE, name, f"{name}: {row.stream_id} version {row.version} is no event: {error}")
                continue
            counted = is_counted(event, store.deciders.get(event.kind))
            if tuple(row)[:-1] != (event.stream, event.version, event.id, event.type, event.recorded_text, counted):
                result.fault(
                    STORE, name, f"{name}: the columns of {row.stream_id} version {row.version} differ from its bytes"
                )
            _check_chain(name, last, event, result)
            last = event
            events.append(event)
        await _check_words(name, store, events, result)
        if store.runtime is not None:
            await _check_signatures(name, store.runtime, events, result)
        kept = [event for event in events if event.kind not in catalogue.UNSEQUENCED]
        absent += [(name, event) for event in await _not_kept(audit, name, kept, result)]
        result.add("events", len(rows))
        result.add(f"events.{name}", len(rows))


def _check_chain(name: str, last: Event | None, event: Event, result: CheckResult) -> None:
    if event.service != name or event.kind not in {topic.rpartition(".")[2] for topic in catalogue.event_topics(name)}:
        result.fault(STORE, name, f"{name}: {event.stream} version {event.version} is an event of {event.service}")
    follows = last is not None and last.stream == event.stream
    before = last.version if last is not None and follows else 0
    if event.version != before + 1:
        result.fault(
            STORE, name, f"{name}: {event.stream} has version {event.version} after {before}: versions are missing"
        )
    elif last is not None and follows:
        if event.previous != last.digest:
            result.fault(
                STORE,
                name,
                f"{name}: {event.stream} version {event.version} does not name the digest of version {before}",
            )
        if event.recorded_text < last.recorded_text:
            result.fault(
                STORE, name, f"{name}: {event.stream} version {event.version} was recorded before version {before}"
            )


async def _check_signatures(name: str, runtime: Runtime, events: Iterable[Event], result: CheckResult) -> None:
    kinds = runtime.service.signatures
    signed = [(event, claims) for event in events if event.kind in kinds and (claims := kinds[event.kind](event))]
    if not signed:
        return
    async with runtime.database.read() as connection:
        offices = await runtime.offices(connection, now=True)
    for event, claims in signed:
        try:
            prove(claims, event, offices)
        except (Awaited, Unproven) as error:
            result.fault(UNPROVEN, name, f"{name}: {event.stream} version {event.version} proves nothing: {error}")
    result.add("signatures", sum(len(claims.signed) for _, claims in signed))


async def _check_words(name: str, store: Store, events: Iterable[Event], result: CheckResult) -> None:
    refs: dict[str, tuple[str, str, Event]] = {}
    for event in events:
        for place, value in event.attributes["data"].items():
            if isinstance(value, dict) and value.keys() == {"ref", "digest"}:
                refs[value["ref"]] = (value["digest"], place, event)
    if not refs:
        return
    contents, erased = store.tables["contents"], store.tables["erased"]
    async with store.database.read() as connection:
        found = await connection.execute(select(contents).where(contents.c.ref.in_(list(refs))))
        held = {row.ref: hashlib.sha256(row.salt + row.words.encode()).hexdigest() for row in found}
        gone = set((await connection.execute(select(erased.c.ref).where(erased.c.ref.in_(list(refs))))).scalars())
    for ref, (wanted, place, event) in refs.items():
        where = f"{name}: the words {place} of {event.stream} version {event.version}"
        if ref in held and held[ref] != wanted:
            result.fault(STORE, name, f"{where} are not the words that the event names")
        elif ref not in held and ref not in gone:
            result.fault(STORE, name, f"{where} are missing, and no erasure names {ref}")
    result.add("words", len(refs))


async def _erased(stores: Mapping[str, Store]) -> set[str]:
    refs: set[str] = set()
    for store in stores.values():
        async with store.database.read() as connection:
            refs.update((await connection.execute(select(store.tables["erased"].c.ref))).scalars())
    return refs


async def _check_erased(stores: Mapping[str, Store], erased: set[str], result: CheckResult) -> None:
    wanted = sorted(erased)
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        for name, store in stores.items():
            contents = store.tables["contents"]
            async with store.database.read() as connection:
                held = (await connection.execute(select(contents.c.ref).where(contents.c.ref.in_(part)))).scalars()
                for ref in held:
                    result.fault(ERASED, name, f"{name}: the words {ref} were erased and are still there")


# the topics


async def _check_topic(
    name: str,
    store: Store,
    topic: str,
    log: EventLog,
    discarded: set[str],
    result: CheckResult,
    wait: float,
    readers: Readers,
) -> None:
    """Checks that every event of the store is on the topic with its bytes, after its predecessor, and nothing else."""
    kind = topic.rpartition(".")[2]
    wanted = await _heads(store, kind)
    waiting = await _drained(name, store, wait)
    for fault in waiting:
        result.fault(*fault)
    ends, begins = await log.ends([topic]), await log.begins([topic])
    seen: dict[str, int] = {}
    for partition, end in ends.items():
        async for records in log.read(partition, begins[partition], end):
            for start in range(0, len(records), BATCH):
                await _check_records(name, store, records[start : start + BATCH], discarded, seen, result, readers)
            result.add("records", len(records))
    for stream, version in wanted.items():
        first = seen.get(stream, 0)
        if first < version and not waiting:
            sentence = f"{name}: {stream} is on {topic} in order up to version {first}; the store has {version}"
            result.fault(TOPIC_LACKS, name, sentence)
    await readers.check(seen, result)


async def _heads(store: Store, kind: str) -> dict[str, int]:
    events = store.tables["events"]
    chosen = select(events.c.stream_id, func.max(events.c.version)).where(*_of_kind(events, kind))
    async with store.database.read() as connection:
        found = await connection.execute(chosen.group_by(events.c.stream_id))
        return {row[0]: row[1] for row in found}


def _of_kind(events: Table, kind: str) -> tuple[Any, Any]:
    """The streams of a kind, as a range for the index: '.' is the character after '-'."""
    return events.c.stream_id > f"{kind}-", events.c.stream_id < f"{kind}."


async def _check_records(
    name: str,
    store: Store,
    records: Sequence[Record],
    discarded: set[str],
    seen: dict[str, int],
    result: CheckResult,
    readers: Readers,
) -> None:
    """A foreign record is a fault unless it was discarded. The owner's own events count, discarded or not."""
    read: list[tuple[Record, Event]] = []
    for record in records:
        try:
            read.append((record, Event.parse(record.value)))
        except Undecodable as error:
            if digest(record.value or b"") not in discarded:
                result.fault(
                    TOPIC_HOLDS, name, f"{name}: {record.topic}/{record.partition}@{record.offset} is no event: {error}"
                )
    events = store.tables["events"]
    async with store.database.read() as connection:
        ids = {event.id for _, event in read}
        found = await connection.execute(select(events.c.event_id, events.c.bytes).where(events.c.event_id.in_(ids)))
        stored = {row.event_id: digest(row.bytes) for row in found}
    for record, event in read:
        where = f"{record.topic}/{record.partition}@{record.offset}"
        own = stored.get(event.id) == event.digest and event.topic == record.topic
        if not own and event.digest in discarded:
            continue
        if event.id not in stored:
            result.fault(
                TOPIC_HOLDS,
                name,
                f"{name}: {where} holds {event.stream} version {event.version}, which the store lacks",
            )
        elif stored[event.id] != event.digest:
            result.fault(
                TOPIC_HOLDS,
                name,
                f"{name}: {where} holds {event.stream} version {event.version} with other bytes than the store",
            )
        elif event.topic != record.topic:
            result.fault(
                TOPIC_HOLDS,
                name,
                f"{name}: {where} holds {event.stream} version {event.version}, which belongs on {event.topic}",
            )
        else:
            readers.note(record, event)
            # An event that came too early counts when it comes again: after a loss, a topic is written again from the
            # start.
            if event.version == seen.get(event.stream, 0) + 1:
                seen[event.stream] = event.version


# audit


async def _not_kept(audit: Store, name: str, events: Sequence[Event], result: CheckResult) -> list[Event]:
    """The events that audit lacks. Audit's other events are compared, byte by byte."""
    assert audit.timeline is not None
    t = audit.timeline.table.c
    chosen = select(t.position, t.event_id, t.digest, t.type, t.stream_id, t.version, t.recordedtime, t.bytes)
    async with audit.database.read() as connection:
        rows = (await connection.execute(chosen.where(t.event_id.in_([event.id for event in events])))).all()
    kept: dict[str, list[Any]] = {}
    for row in rows:
        kept.setdefault(row.event_id, []).append(row)
    for event in events:
        what = f"{name}: {event.stream} version {event.version}"
        found = kept.get(event.id, [])
        if len(found) > 1:
            result.fault(AUDIT_ALTERED, "audit", f"{what} is in audit {len(found)} times")
        for row in found:
            columns = (event.digest, event.type, event.stream, event.version, event.recorded_text)
            if row.bytes != event.bytes:
                result.fault(AUDIT_ALTERED, "audit", f"{what} has other bytes in audit, at position {row.position}")
            elif (row.digest, row.type, row.stream_id, row.version, row.recordedtime) != columns:
                result.fault(
                    AUDIT_ALTERED,
                    "audit",
                    f"{what} is in audit at position {row.position} under other columns than its bytes say",
                )
    result.add("audited", len(kept))
    return [event for event in events if event.id not in kept]


async def _check_absent(
    stores: Mapping[str, Store],
    log: EventLog,
    audit: Store,
    absent: Sequence[tuple[str, Event]],
    result: CheckResult,
    wait: float,
) -> None:
    """Looks again for events that were on their way to audit when the stores were read."""
    if absent:
        await _settled(stores, log, wait)
    for start in range(0, len(absent), BATCH):
        part = absent[start : start + BATCH]
        for name in {name for name, _ in part}:
            events = [event for by, event in part if by == name]
            for event in await _not_kept(audit, name, events, result):
                result.fault(AUDIT_LACKS, name, f"{name}: {event.stream} version {event.version} is not in audit")


async def _check_timeline(
    stores: Mapping[str, Store], audit: Store, discarded: Collection[str], result: CheckResult
) -> None:
    """Checks that positions have no gap and follow audit's own order, versions follow each other, and events have
    owners.

    An event that was taken in and later found forged keeps its position. It does not count in its stream.
    """
    assert audit.timeline is not None
    order = _order(audit)
    next_, versions = 0, dict[str, int]()
    columns = ("position", "event_id", "digest", "stream_id", "version", "topic")
    async for rows in _pages(audit.database, audit.timeline.table, columns, ("position",)):
        forged = await _forged(stores, [row for row in rows if row.digest in discarded])
        for row in rows:
            what = f"{row.stream_id} version {row.version}"
            while next_ < row.position:
                result.fault(AUDIT_ALTERED, "audit", f"audit: position {next_} is missing")
                await anext(order, None)
                next_ += 1
            if await anext(order, None) != row.digest:
                result.fault(
                    AUDIT_ALTERED,
                    "audit",
                    f"audit: position {next_} holds {what}; audit's own order names another event there",
                )
            next_ += 1
            if row.digest in forged:
                continue
            before = versions.get(row.stream_id, 0)
            if row.version != before + 1:
                result.fault(
                    AUDIT_ALTERED, "audit", f"audit: {what} stands at position {row.position} behind version {before}"
                )
            versions[row.stream_id] = max(before, row.version)
        await _check_owned(stores, [row for row in rows if row.digest not in forged], result)
        result.add("positions", len(rows))


async def _forged(stores: Mapping[str, Store], discarded: Sequence[Any]) -> set[str]:
    """Digests of the discarded records that their owner never wrote. A reader may also discard an owner's own event."""
    forged = {row.digest for row in discarded}
    for name, store in stores.items():
        owned = [row.event_id for row in discarded if row.topic.partition(".")[0] == name]
        if owned:
            events = store.tables["events"]
            async with store.database.read() as connection:
                found = await connection.execute(select(events.c.bytes).where(events.c.event_id.in_(owned)))
                forged -= {digest(bytes_) for bytes_ in found.scalars()}
    return forged


async def _order(audit: Store) -> AsyncIterator[str]:
    """The digests in the order that audit recorded on its own stream."""
    assert audit.timeline is not None
    events = audit.tables["events"]
    types = sorted(upcast.types_of(audit.timeline.order))
    kind, last = types[0].removeprefix(catalogue.PREFIX).partition(".")[0], 0
    while True:
        chosen = select(events.c.version, events.c.bytes).where(
            *_of_kind(events, kind), events.c.type.in_(types), events.c.version > last
        )
        async with audit.database.read() as connection:
            rows = (await connection.execute(chosen.order_by(events.c.version).limit(20))).all()
        if not rows:
            return
        for row in rows:
            for said in Event.parse(row.bytes).attributes["data"]["events"]:
                yield said
        last = rows[-1].version


async def _check_owned(stores: Mapping[str, Store], rows: Sequence[Any], result: CheckResult) -> None:
    by_owner: dict[str, list[Any]] = {}
    for row in rows:
        by_owner.setdefault(row.topic.partition(".")[0], []).append(row)
    for name, owned in by_owner.items():
        known: set[str] = set()
        if name in stores:
            async with stores[name].database.read() as connection:
                known = await _held(connection, stores[name], [row.event_id for row in owned])
        for row in owned:
            if row.event_id not in known:
                what = f"{row.stream_id} version {row.version}"
                result.fault(
                    AUDIT_ALTERED, "audit", f"audit: position {row.position} holds {what} of {name}, which no store has"
                )


async def _held(connection: AsyncConnection, store: Store, ids: Sequence[str]) -> set[str]:
    events = store.tables["events"]
    return set((await connection.execute(select(events.c.event_id).where(events.c.event_id.in_(ids)))).scalars())
