"""Before it decides, an owner compares its store with its own topics.

A topic is ahead of its owner's store after a restore from a backup. In other cases somebody else wrote to it. After a
restore, the owner takes back the events that its store lacks; otherwise it would write a second history from the backup
on. Without a restore, it sets them aside and decides nothing on the streams concerned until an operator decides. All
other streams go on.

For each version, the first record on the topic counts, since every reader took that one. A later one with other bytes
goes to the dead letters, and so does one that does not follow the store.
"""

import hashlib
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import orjson
import structlog
from sqlalchemy import Select, Table, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event, Undecodable, UnknownType, digest
from schemas.fields import Erasure, Typed
from schemas.operation import OperationDiscarded, OperationRecovered
from services.kernel.access.checkpoints import is_judged
from services.kernel.access.signatures import Awaited, PackAwaited, Unproven, must_be_sealed, prove
from services.kernel.core.decider import Ctx
from services.kernel.delivery import operations, own_topics
from services.kernel.delivery.log import Partition, Record
from services.kernel.delivery.offsets import Offset, Progress
from services.kernel.delivery.records import UNWRITTEN, content_row
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import checkpoints, sql
from services.kernel.store.offices import of_key
from services.kernel.store.session import OWNER, Conflict, Session, partition_of

ATTEMPTS = 8
PAGE = 1000
RESTORED = "restored"
"""The name in `deployment` under which `huiying restore` notes the restore of a store."""
SENDS_FROM = "sends-from"
"""The name in `deployment` of the time of the last restore. What happened before it is told to nobody again."""
Place = tuple[str, int]
"""A stream and a version."""
logger = structlog.get_logger()


class Diverged(Exception):
    """The store contradicts itself or its topic, and no operator's word can heal it. The owner must not serve."""


class Held(NamedTuple):
    """An event of the store."""

    id: str
    bytes: bytes


@dataclass(slots=True)
class Compared:
    """The events that a store lacks and its topic holds, and the records that do not belong there."""

    missing: list[tuple[Record, Event]] = field(default_factory=list)
    foreign: list[tuple[Record, Event, str, str]] = field(default_factory=list)
    """Each with the reason and a sentence."""
    disputed: set[Place] = field(default_factory=set)
    """Versions that the store holds, while a record has other bytes."""
    following: dict[str, int] = field(default_factory=dict)
    """Streams with a foreign record that follows the store's last version, with that version. Readers follow the
    record."""


async def recover(runtime: Runtime) -> int:
    """Compares store and topics. Returns how many events were taken back. Raises `LogGone`."""
    return await _Recovery(runtime, await own_topics.look(runtime), restored=await _was_restored(runtime)).run()


async def _was_restored(runtime: Runtime) -> bool:
    table = runtime.tables["deployment"]
    async with runtime.database.read() as connection:
        found = await connection.execute(select(table.c.value).where(table.c.name == RESTORED))
        return found.scalar() is not None


@dataclass(slots=True)
class _Recovery:
    """One comparison, from the verified place to the ends."""

    runtime: Runtime
    progress: Progress
    restored: bool

    async def run(self) -> int:
        name = self.runtime.service.name
        operation = f"{name}.operation"
        others = [topic for topic in catalogue.event_topics(name) if topic != operation]
        count = 0
        # The operation streams come first and whole, since events that are taken back are noted on them.
        taken: list[Event] = []
        async for records, mark in self._unverified([operation]):
            taken += await self._events(records, mark, note=False)
        if taken:
            await _note_taken(self.runtime, operation, taken)
        async for records, mark in self._unverified(others):
            count += len(await self._events(records, mark, note=True))
        lacking = await _lacking(self.runtime) if self.restored else {}
        async for records, mark in self._unverified([catalogue.content_topic(name)]):
            await self._words(records, mark, lacking)
        if self.restored:
            table = self.runtime.tables["deployment"]
            async with self.runtime.database.transaction() as connection:
                await connection.execute(delete(table).where(table.c.name == RESTORED))
        return count + len(taken)

    async def _unverified(self, topics: Sequence[str]) -> AsyncIterator[tuple[Sequence[Record], list[dict[str, Any]]]]:
        """The records beyond the verified place, with the mark for the new place.

        For a lost partition these are all its records. The old mark then stays, since it shows the loss.
        """
        for partition, end in self.progress.ends.items():
            if partition.topic in topics:
                is_lost = partition in self.progress.lost
                start = 0 if is_lost else self.progress.taken.get(partition, Offset(0)).next
                async for records in self.runtime.log.read(partition, start, end):
                    yield records, [] if is_lost else [own_topics.mark(records[-1])]

    async def _events(self, records: Sequence[Record], mark: Sequence[Mapping[str, Any]], *, note: bool) -> list[Event]:
        """The events taken back. Compares again if another process of the service appended meanwhile."""
        for _ in range(ATTEMPTS - 1):
            # The other process may have appended this very event, and the ids clash.
            with suppress(Conflict, IntegrityError):
                return await self._compare(records, mark, note=note)
        return await self._compare(records, mark, note=note)

    async def _compare(
        self, records: Sequence[Record], mark: Sequence[Mapping[str, Any]], *, note: bool
    ) -> list[Event]:
        runtime, topic = self.runtime, records[-1].topic
        found = [(record, event) for record in records if (event := own(record))]
        readable = {record for record, _ in found}
        async with runtime.database.transaction() as connection:
            stored = await stored_under(runtime, connection, [event for _, event in found])
            passed = await discarded(runtime, connection) if self.restored else ()
            compared = compare(found, stored, passed)
            if self.restored:
                await must_prove(runtime, connection, compared)
            differing = await _differing(runtime, topic, {place: stored[place].bytes for place in compared.disputed})
            aside = [_stranger(record) for record in records if record not in readable]
            aside += compared.foreign
            held = compared.following | dict(differing)
            if self.restored and compared.missing:
                await _restore(runtime, connection, topic, [event for _, event in compared.missing], note=note)
            elif compared.missing:
                for record, event in compared.missing:
                    aside.append((record, event, "ahead", f"the store lacks version {event.version}"))
                    held.setdefault(event.stream, event.version - 1)
            rows = await self._set_aside(connection, aside)
            await _hold(runtime, connection, held)
            await sql.upsert(connection, runtime.tables["consumer_offset"], mark)
        operations.alarm(runtime.service.name, rows)
        for stream in sorted(held):
            logger.error("stream.held", service=runtime.service.name, stream=stream)
        return [event for _, event in compared.missing] if self.restored else []

    async def _words(
        self, records: Sequence[Record], mark: Sequence[Mapping[str, Any]], lacking: Mapping[str, str]
    ) -> None:
        """Takes back words that the store's events name. Sets aside words that the service never wrote."""
        runtime, aside, rows = self.runtime, list[Foreign](), dict[str, Any]()
        said: list[tuple[Record, dict[str, Any]]] = []
        for record in records:
            if record.value is not None:
                try:
                    said.append((record, content_row(record.value)))
                except Undecodable as error:
                    aside.append((record, None, "undecodable", str(error)))
        places = [(ref,) for ref in sorted({row["ref"] for _, row in said})]
        async with runtime.database.transaction() as connection:
            contents, erased = (runtime.tables[name] for name in ("contents", "erased"))
            kept, gone = await sql.rows_of(connection, [(contents, places), (erased, places)])
            known = {row["ref"]: (bytes(row["salt"]), row["words"]) for row in kept}
            for record, row in said:
                ref, words = row["ref"], (row["salt"], row["words"])
                if ref in {item["ref"] for item in gone} or known.get(ref) == words:
                    continue
                if ref in known:
                    aside.append((record, None, "fork", f"the words {ref} came with other content"))
                elif lacking.get(ref) == hashlib.sha256(row["salt"] + row["words"].encode()).hexdigest():
                    rows[ref] = row
                else:
                    aside.append((record, None, "ahead", f"no event of {runtime.service.name} names the words {ref}"))
            await sql.add_missing(connection, contents, [rows[ref] for ref in sorted(rows)])
            told = await self._set_aside(connection, aside)
            await sql.upsert(connection, runtime.tables["consumer_offset"], mark)
        operations.alarm(runtime.service.name, told)

    async def _set_aside(self, connection: AsyncConnection, found: "Sequence[Foreign]") -> list[dict[str, Any]]:
        """Adds records to the dead letters. Returns the rows that were not there yet."""
        now = self.runtime.time_source.now()
        by_id = {row["id"]: row for one in found for row in [operations.dead_letter(OWNER, *one, now)]}
        new = await sql.add_missing(
            connection, self.runtime.tables["dead_letters"], [by_id[id_] for id_ in sorted(by_id)]
        )
        return [row for id_, row in sorted(by_id.items()) if (id_,) in new]


Foreign = tuple[Record, Event | None, str, str]
"""A record in a wrong place, its event, the reason of a dead letter, and a sentence."""


def own(record: Record) -> Event | None:
    """The event in a record, if it is an event that belongs on this topic, as services write events."""
    try:
        event = Event.parse(record.value)
    except Undecodable:
        return None
    return event if event.topic == record.topic and event.is_canonical else None


def _stranger(record: Record) -> Foreign:
    """A record that is no event of its topic, or one that no service wrote so."""
    with suppress(Undecodable):
        event = Event.parse(record.value)
        if event.topic == record.topic:
            return record, event, "unwritten", UNWRITTEN.format(event.version, event.stream)
    return record, None, "undecodable", "this is no event of the topic"


async def stored_under(runtime: Runtime, connection: AsyncConnection, events: Sequence[Event]) -> dict[Place, Held]:
    """The store's digests under the events' versions, the versions before them, and their ids."""
    versions = sorted({version for event in events for version in (event.version - 1, event.version)})
    placed, named = under(runtime.tables["events"])
    found = await sql.fetch(
        connection,
        [
            sql.Query(placed, {"streams": sorted({event.stream for event in events}), "versions": versions}),
            sql.Query(named, {"ids": sorted({event.id for event in events})}),
        ],
    )
    return {(stream, version): Held(event_id, bytes_) for rows in found for stream, version, event_id, bytes_ in rows}


@lru_cache(8)
def under(events: Table) -> tuple[Select[Any], Select[Any]]:
    """The events of `streams` with one of `versions`, and those of `ids`: one query with "or" would read the table."""
    chosen = select(events.c.stream_id, events.c.version, events.c.event_id, events.c.bytes)
    return (
        chosen.where(sql.is_one_of(events.c.stream_id, "streams"), sql.is_one_of(events.c.version, "versions")),
        chosen.where(sql.is_one_of(events.c.event_id, "ids")),
    )


def compare(
    found: Sequence[tuple[Record, Event]], stored: Mapping[Place, Held], discarded: Collection[str] = ()
) -> Compared:
    """Judges the records of a topic, in order, by the store. Passes over digests that were discarded."""
    compared, held = Compared(), dict(stored)
    ids = {one.id for one in stored.values()}
    for record, event in found:
        place = (event.stream, event.version)
        known = held.get(place)
        if event.digest in discarded and (known is None or known.bytes != event.bytes):
            continue
        if known is None and (fault := _fault(event, held.get((event.stream, event.version - 1)), ids)):
            compared.foreign.append((record, event, *fault))
            if _follows(event, held.get((event.stream, event.version - 1))):
                compared.following.setdefault(event.stream, event.version - 1)
        elif known is None:
            compared.missing.append((record, event))
            held[place] = Held(event.id, event.bytes)
            ids.add(event.id)
        elif known.bytes != event.bytes:
            compared.foreign.append((record, event, "fork", f"version {event.version} came with other bytes"))
            if place in stored:
                compared.disputed.add(place)
    return compared


async def must_prove(runtime: Runtime, connection: AsyncConnection, compared: Compared) -> None:
    """Puts signed events that do not prove what they claim among the foreign ones, with all that follows them.

    A pack that was loaded after the backup comes again later. The owner looked into it when it recorded the event.
    """
    kinds = runtime.service.signatures
    if not any(event.kind in kinds or of_key(event) or is_judged(event) for _, event in compared.missing):
        return
    offices, log = await runtime.offices(connection, now=True), await checkpoints.kept(connection, runtime.tables)
    kept: list[tuple[Record, Event]] = []
    stopped: dict[str, int] = {}
    for record, event in compared.missing:
        sentence = f"version {stopped[event.stream] + 1} does not prove itself" if event.stream in stopped else ""
        try:
            if of_key(event):
                must_be_sealed(event, runtime.keys.digest)
            if not sentence and is_judged(event):
                log = log.after(event, runtime.keys.digest)
            if not sentence and (claims := kinds[event.kind](event) if event.kind in kinds else None):
                prove(claims, event, offices)
        except PackAwaited:
            pass
        except (Unproven, Awaited) as error:
            sentence = str(error)
        if sentence:
            stopped.setdefault(event.stream, event.version - 1)
            compared.foreign.append((record, event, "unproven", sentence))
        else:
            kept.append((record, event))
    compared.missing = kept
    compared.following |= stopped


def _follows(event: Event, before: Held | None) -> bool:
    """Whether an event is the next version of its stream."""
    if before is None:
        return event.version == 1 and event.previous is None
    return event.previous == digest(before.bytes)


def _fault(event: Event, before: Held | None, ids: set[str]) -> tuple[str, str] | None:
    """Why the store cannot take an event in as its own: a reason of a dead letter, and a sentence."""
    if event.id in ids:
        return "fork", f"version {event.version} has the id of another event"
    if not _follows(event, before):
        return "fork", f"version {event.version} does not follow the store's last version"
    try:
        _ = event.data
    except UnknownType as error:
        return "unknown_type", str(error)
    except Undecodable as error:
        return "poison", str(error)
    return None


async def _differing(runtime: Runtime, topic: str, disputed: Mapping[Place, bytes]) -> set[Place]:
    """The disputed versions whose first record on the topic, which readers took, differs from the store."""
    if not disputed:
        return set()
    keys = {Event.parse(bytes_).partitionkey for bytes_ in disputed.values()}
    partitions = {Partition(topic, partition_of(key, runtime.settings.partitions)) for key in keys}
    begins, ends = await runtime.log.begins([topic]), await runtime.log.ends([topic])
    first: dict[Place, bytes] = {}
    for partition in partitions:
        async for records in runtime.log.read(partition, begins[partition], ends[partition]):
            for event in filter(None, map(own, records)):
                if (event.stream, event.version) in disputed:
                    first.setdefault((event.stream, event.version), event.bytes)
    return {place for place, bytes_ in disputed.items() if first.get(place) != bytes_}


async def _hold(runtime: Runtime, connection: AsyncConnection, held: Mapping[str, int]) -> None:
    """Lets streams wait for an operator's word, see `session.Held`. The versions are the last undisputed ones."""
    rows = [
        {"consumer": OWNER, "stream_id": stream, "version": version, "digest": "", "blocked": "held"}
        for stream, version in sorted(held.items())
    ]
    await sql.add_missing(connection, runtime.tables["stream_cursor"], rows)


async def discarded(runtime: Runtime, connection: AsyncConnection) -> set[str]:
    """Digests of records on the service's topics that were set aside for good, also before a restore."""
    dead_letters, events = runtime.tables["dead_letters"], runtime.tables["events"]
    rows = await connection.execute(
        select(dead_letters.c.bytes).where(dead_letters.c.consumer == OWNER, dead_letters.c.state == "discarded")
    )
    found = {digest(bytes_ or b"") for bytes_ in rows.scalars()}
    said = select(events.c.bytes).where(events.c.type == catalogue.type_of(OperationDiscarded))
    for bytes_ in (await connection.execute(said)).scalars():
        data = Event.parse(bytes_).data
        if isinstance(data, OperationDiscarded) and data.digest:
            found.add(data.digest)
    return found


async def _restore(
    runtime: Runtime, connection: AsyncConnection, topic: str, missing: list[Event], *, note: bool
) -> None:
    session = Session(runtime.service, runtime.settings, connection, runtime.time_source.now())
    await take_back(session, missing)
    if note:
        await _note(runtime, session, topic, missing)
    await session.flush()
    logger.warning("store.recovered", service=runtime.service.name, topic=topic, events=len(missing))


async def take_back(session: Session, missing: Sequence[Event]) -> None:
    """Puts events of the service's own topics into the session, with their erasures."""
    session.restore(missing)
    for event in missing:
        if isinstance(event.data, Erasure):
            await session.erase(event.data.refs, announce=False)


async def _note_taken(runtime: Runtime, topic: str, taken: Sequence[Event]) -> None:
    async with runtime.database.transaction() as connection:
        session = Session(runtime.service, runtime.settings, connection, runtime.time_source.now())
        await _note(runtime, session, topic, taken)
        await session.flush()


async def _note(runtime: Runtime, session: Session, topic: str, taken: Sequence[Event]) -> None:
    ctx = await runtime.context(session.connection)
    fact = OperationRecovered(topic=topic, events=len(taken), first=taken[0].digest, at=ctx.now)
    await operations.record(session, ctx, fact)


async def _lacking(runtime: Runtime) -> dict[str, str]:
    """Reference -> digest of the words that the store's events name and the store lacks."""
    events, last = runtime.tables["events"], 0
    contents, erased = (runtime.tables[name] for name in ("contents", "erased"))
    lacking: dict[str, str] = {}
    while True:
        chosen = select(events.c.seq, events.c.bytes).where(events.c.seq > last).order_by(events.c.seq).limit(PAGE)
        async with runtime.database.read() as connection:
            found = (await connection.execute(chosen)).all()
            if not found:
                return lacking
            named = dict(pair for row in found for pair in named_words(row.bytes))
            places = [(ref,) for ref in sorted(named)]
            for rows in await sql.rows_of(connection, [(contents, places), (erased, places)]):
                for row in rows:
                    named.pop(row["ref"], None)
        lacking |= named
        last = found[-1].seq


def named_words(bytes_: bytes) -> Iterable[tuple[str, str]]:
    """The references that an event carries, each with the digest of its words."""
    for value in orjson.loads(bytes_)["data"].values():
        if isinstance(value, dict) and value.keys() == {"ref", "digest"}:
            yield value["ref"], value["digest"]


async def fetch_words(runtime: Runtime, lacking: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows of `contents` for these references on the service's own content topic."""
    topic, found = catalogue.content_topic(runtime.service.name), dict[str, dict[str, Any]]()
    begins = await runtime.log.begins([topic])
    for partition, end in (await runtime.log.ends([topic])).items():
        async for records in runtime.log.read(partition, begins[partition], end):
            for record in records:
                with suppress(Undecodable):
                    row = content_row(record.value or b"")
                    if lacking.get(row["ref"]) == hashlib.sha256(row["salt"] + row["words"].encode()).hexdigest():
                        found[row["ref"]] = row
    return [found[ref] for ref in sorted(found)]


def ordered(topic: str, taken: Sequence[Event], reason: str, ctx: Ctx) -> OperationRecovered:
    """The event that an operator had events taken in."""
    cause: Literal["ordered"] = "ordered"
    return OperationRecovered(
        topic=topic, events=len(taken), first=taken[0].digest, cause=cause, reason=Typed(text=reason), at=ctx.now
    )
