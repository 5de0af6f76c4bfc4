"""The event store: it reads streams, takes decided events and writes everything at once.

A `Session` is the work of one transaction, in memory. It reads streams, folds them, takes decided events and seals
their words. `flush` writes events, words, outbox rows and views together, in order of stream and version.
"""

import hashlib
import os
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, Select, Table, bindparam, delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue, upcast
from schemas.envelope import MAX_BYTES, Event, seal
from schemas.fields import Fact, Typed, WordsRef, instant
from schemas.numbers import Numbered
from services.kernel.access import erasure
from services.kernel.core.decider import Ctx, Decider, Occurred
from services.kernel.core.problems import Malformed, Unavailable
from services.kernel.core.texts import check_text, check_value
from services.kernel.core.uuid7 import uuid7
from services.kernel.masking import Listed, mask
from services.kernel.settings import Settings
from services.kernel.store import database, sql
from services.kernel.store.numbers import Counters
from services.kernel.store.sql import Hold, Write
from services.kernel.store.streams import Memory, Stream
from services.kernel.store.tables import READ
from services.kernel.store.views import Key, Row, View

NULL = rb"\u0000"
"""A null character in an event's bytes. After a backslash the same six letters mean something else."""


OWNER = "owner"
"""The service as a consumer of its own topics: for events that it verified there, and for those that do not belong
there."""


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner of streams: a service, as far as its store is concerned."""

    name: str
    metadata: MetaData
    """The service's own tables. The kernel adds its tables to them."""
    deciders: Mapping[str, Decider]
    """Stream kind -> rules."""
    views: tuple[View, ...] = ()
    revisions: Path | None = None
    """The folder of the service's own migrations. Without it, the tables are made directly."""
    memory: Memory = field(default_factory=Memory, init=False, repr=False, compare=False)


class Held(Unavailable):
    """The topic holds events of this stream that the store lacks.

    An operator must say what they are before the next decision.
    """

    def __init__(self, stream: str) -> None:
        sentence = (
            f"the topic of {stream} holds events that this service has not written. Nothing is decided on {stream} "
            "before an operator says what they are, with `huiying recover` or `huiying redrive --discard`"
        )
        super().__init__(sentence, 60, code="stream-held", stream=stream)


class Conflict(Exception):
    """Somebody else appended to one of the streams, or took a claimed key, first. Decide again on a fresh state."""


def partition_of(key: str, partitions: int) -> int:
    """CRC-32 modulo the count, as in the C client's consistent partitioner. It is the same on every substrate."""
    return zlib.crc32(key.encode()) % partitions


class Session:
    """One transaction. Tasks must not share it."""

    def __init__(self, service: Owner, settings: Settings, connection: AsyncConnection, now: datetime) -> None:
        self.service, self.settings, self.connection, self.now = service, settings, connection, now
        self._since = instant(now)
        self.began = time.time_ns()
        """When the work began by this machine's clock, for traces."""
        self.streams: dict[str, Stream] = {}
        self.appended: list[Event] = []
        self.observed: list[Event] = []
        """Events of other services that this transaction takes in, for the views."""
        self.restored: list[Event] = []
        self.claimed: list[Write] = []
        """Rows that this transaction found missing. If another one adds a row with the same key first, that is a
        conflict."""
        self.also: list[Write] = []
        """Further rows, written after everything else."""
        self._words: list[dict[str, Any]] = []
        self._person_on: str | None = None
        """The one stream whose new events carry a digest of the person who acts."""
        self._numbers = Counters(service.metadata)
        self._tables = service.metadata.tables

    async def load(self, ids: Iterable[str]) -> None:
        """Reads streams in one exchange with the database. A stream that does not exist has version 0.

        Some rules count certain events without reading them. Their number follows from the newest version. Of a
        remembered stream, only later events are read.
        """
        wanted = sorted({id_ for id_ in ids if id_ not in self.streams})
        known = {id_: stream for id_ in wanted if (stream := self.service.memory.recall(id_))}
        lost = await self._read({id_: known.get(id_) or self.begin(id_) for id_ in wanted})
        for id_ in lost:
            self.service.memory.forget(id_)
        await self._read({id_: self.begin(id_) for id_ in lost})

    async def _read(self, streams: Mapping[str, Stream]) -> list[str]:
        """Reads these streams on from their last events; returns those whose last event is not in the store."""
        if not streams:
            return []
        events, new = self._tables["events"], {id_ for id_, stream in streams.items() if stream.last is None}
        counting = sorted(id_ for id_, stream in streams.items() if stream.decider and stream.decider.counted)
        # Read the ends first. An event that is appended in between is then read, or collides with an event of this
        # session.
        lists = [
            (_last_of_streams, counting),
            (_of_streams, sorted(new.difference(counting))),
            (_read_of_streams, sorted(new.intersection(counting))),
        ]
        queries = [sql.Query(of(events), {"streams": ids}) for of, ids in lists if ids]
        for id_ in streams.keys() - new:
            after, place = _read_after if id_ in counting else _after, {"stream": id_, "version": streams[id_].version}
            queries += [sql.Query(of(events), place) for of in (_at, after)]
        held, *found = await sql.fetch(self.connection, [self._held(list(streams)), *queries])
        ends = {event.stream: event for event in _parsed(found.pop(0))} if counting else {}
        read: dict[str, dict[int, Event]] = {id_: {} for id_ in streams}
        for rows in found:
            for event in _parsed(rows):
                read[event.stream][event.version] = event
        waiting, lost = {id_ for (id_,) in held}, []
        for id_, stream in streams.items():
            there = read[id_].pop(stream.version, None)
            if stream.last is not None and (there is None or there.digest != stream.digest):
                lost.append(id_)
            stream.read([event for _, event in sorted(read[id_].items())], ends.get(id_))
            stream.held = id_ in waiting
            self.streams[id_] = stream
        return lost

    def _held(self, ids: list[str]) -> sql.Query:
        return sql.Query(_of_held(self._tables["stream_cursor"]), {"streams": ids})

    async def holding(self, event_ids: Iterable[str]) -> set[str]:
        """Those of the ids whose events are in the store."""
        asked = sql.Query(_of_ids(self._tables["events"]), {"ids": sorted(event_ids)})
        (found,) = await sql.fetch(self.connection, [asked])
        return {id_ for (id_,) in found}

    async def load_head(self, id_: str) -> Stream:
        """Only the stream's last version, for streams that grow without rules."""
        asked = sql.Query(_last_of_stream(self._tables["events"]), {"stream": id_})
        found, held = await sql.fetch(self.connection, [asked, self._held([id_])])
        stream = Stream(id_, None, held=bool(held))
        for (bytes_,) in found:
            stream.take(Event.parse(bytes_))
        self.streams[id_] = stream
        return stream

    def begin(self, id_: str) -> Stream:
        """A stream that is known to be new, so nothing is read."""
        kind = catalogue.kind_of(id_)
        stream = Stream(id_, erasure.DECIDER if kind == erasure.KIND else self.service.deciders.get(kind))
        self.streams[id_] = stream
        return stream

    async def hold_numbers(self, units: Iterable[str], ctx: Ctx) -> None:
        """Must come before records of these units are opened; see `Counters.hold`."""
        await self._numbers.hold(self.connection, units, ctx)

    def authorize(self, id_: str, command: Any, ctx: Ctx) -> None:
        """Raises `Forbidden` if the stream's decider gives the actor no right to the command."""
        stream = self.streams[id_]
        assert stream.decider is not None, f"no decider for {id_}"
        stream.decider.authorize(stream.state, command, ctx)

    def decide(self, id_: str, command: Any, ctx: Ctx) -> list[Event]:
        """Runs the stream's decider and appends its events. The stream must be loaded or begun before."""
        stream = self.streams[id_]
        assert stream.decider is not None, f"no decider for {id_}"
        decided = stream.decider.decide(stream.state, command, ctx)
        self.service.memory.keep(stream)
        return self.append(id_, decided, ctx)

    def append(
        self, id_: str, decided: Sequence[Fact | Occurred], ctx: Ctx, correlation: str | None = None
    ) -> list[Event]:
        """Seals decided events as the next versions of the stream, in memory until `flush`. Raises `Held`."""
        stream = self.streams[id_]
        if stream.held and decided:
            raise Held(id_)
        done = []
        for item in decided:
            occurred = item if isinstance(item, Occurred) else Occurred(item)
            last = stream.last
            recorded = max(ctx.now, last.recorded) if last else ctx.now
            kind = catalogue.kind_of(id_)
            incident = correlation or stream.correlation or _incident(kind, id_, occurred.data)
            data = occurred.data
            if isinstance(data, Numbered):
                data = self._numbers.give(data, id_, ctx, drill=stream.drill)
            event = seal(
                self._seal_words(data, ctx.offices.lists.telephones),
                id=ctx.ids.new(""),
                source=self.settings.source(self.service.name),
                stream=id_,
                version=stream.version + 1,
                previous=stream.digest,
                time=occurred.time or ctx.now,
                recorded=recorded,
                partitionkey=last.partitionkey if last else _partitionkey(kind, id_, incident),
                actor=ctx.actor.post,
                by=self._by(kind, id_, data, ctx),
                correlation=incident,
                causation=ctx.cause,
                unit=occurred.unit or ctx.actor.unit,
                policy=occurred.policy,
                basis=",".join(occurred.basis) or None,
                drill=stream.drill,
            )
            if NULL in event.bytes:
                check_value(event.attributes["data"], "data")
            if len(event.bytes) > MAX_BYTES:
                raise Malformed(
                    f"the event would have {len(event.bytes)} bytes; at most {MAX_BYTES} fit on a topic",
                    code="event-too-large",
                    size=len(event.bytes),
                    limit=MAX_BYTES,
                )
            stream.take(event)
            done.append(event)
        self.appended.extend(done)
        return done

    def _by(self, kind: str, stream: str, data: Fact, ctx: Ctx) -> str | None:
        """The digest of the member of staff who acts, where people work on a matter and the data does not carry it.

        Of one act, only the first stream carries it. Two digests in one act would be known to be of one person, and so
        would connect all that this person did on the one stream with all on the other.
        """
        carried = getattr(data, "by", None) is not None
        if not carried and not (kind in catalogue.WORKED_ON and ctx.actor.is_staff):
            return None
        self._person_on = self._person_on or stream
        return ctx.by(stream) if not carried and self._person_on == stream else None

    def restore(self, events: Sequence[Event]) -> None:
        """Takes this service's events that its topic holds and its store lacks.

        They are stored unchanged and not sent again.
        """
        self.restored.extend(events)

    def _seal_words(self, data: Fact, listed: Listed) -> Fact:
        """Words of every field are masked here, so that no way in can forget it."""
        names = catalogue.words_of(type(data))
        sealed = {}
        for name in names:
            words = getattr(data, name)
            if isinstance(words, Typed):
                check_text(words.text, name)
                text = words.text if words.masked else mask(words.text, listed).text
                ref, salt = uuid7(), os.urandom(16)
                digest = hashlib.sha256(salt + text.encode()).hexdigest()
                sealed[name] = WordsRef(ref=ref, digest=digest)
                self._words.append({"ref": ref, "salt": salt, "words": text})
        return data.model_copy(update=sealed) if sealed else data

    async def erase(self, refs: Sequence[str], *, announce: bool) -> None:
        """Deletes words and leaves a marker that refuses late copies.

        The owner also announces the deletion on its topic.
        """
        if not refs:
            return
        contents = self._tables["contents"]
        await self.connection.execute(delete(contents).where(contents.c.ref.in_(refs)))
        await sql.upsert(self.connection, self._tables["erased"], [{"ref": ref} for ref in sorted(set(refs))])
        if announce:
            await sql.insert(self.connection, self._tables["outbox"], [self._content_row(ref) for ref in refs])

    async def flush(self, tell: str | None = None) -> None:
        """Writes all that was decided. Raises `Conflict` if a stream has grown in between, or a claimed row exists.

        An event id that exists already is no conflict, since it would exist at the next try, too. Then the database's
        error is raised.

        After the commit, new events are announced to other processes on the PostgreSQL channel `tell`.
        """
        tables, connection, views = self._tables, self.connection, self.service.views
        folded = await self.fold(
            [view for view in views if not view.by_command], (*self.observed, *self.restored, *self.appended)
        )
        if self.restored:
            folded += await self.fold([view for view in views if view.by_command], self.restored)
        events = sorted(self.appended, key=_order)
        stored = sorted((*self.restored, *events), key=_order)
        outbox = [self._content_row(words["ref"]) for words in self._words]
        outbox += [self._event_outbox(event) for event in events]
        claims = [*self.claimed, *self._numbers.claims()]
        writes = [
            *claims,
            Write(tables["events"], [_event_row(event, self.service.deciders.get(event.kind)) for event in stored]),
            Write(tables["contents"], self._words),
            Write(tables["outbox"], outbox),
            *(Write(table, changed, replaces=True) for table, changed, _ in folded),
            *self.also,
        ]
        try:
            await sql.write(connection, writes, tell if self.appended else None)
        except IntegrityError as error:
            claimed = any(database.violates_key(error, one.table.name) for one in claims)
            if not claimed and not database.violates(error, "events", "stream_id", "version"):
                raise
            raise Conflict("a stream has grown in between, or somebody else took what was free") from error
        for table, _, gone in folded:
            await sql.remove(connection, table, gone)

    async def fold(self, views: Iterable[View], events: Sequence[Event]) -> list[tuple[Any, list[Row], list[Key]]]:
        """The rows of each view after the events: locked, read and folded, not yet written."""
        touched: list[tuple[View, dict[Key, list[Event]]]] = []
        heard: dict[tuple[str, ...] | None, list[Event]] = {}
        for view in views:
            if view.kinds not in heard:
                heard[view.kinds] = [event for event in events if view.listens_to(event)]
            by_key: dict[Key, list[Event]] = {}
            for event in heard[view.kinds]:
                for key in view.keys(event):
                    by_key.setdefault(key, []).append(event)
            if by_key:
                touched.append((view, by_key))
        names = [
            f"{view.table.name}|{'|'.join(map(str, key))}"
            for view, keys in touched
            if not view.one_stream
            for key in keys
        ]
        known = await self._read_rows(touched, names)
        folded = []
        for (view, by_key), rows in zip(touched, known, strict=True):
            changed, gone = [], []
            for key, of_key in by_key.items():
                assert not view.one_stream or all(event.stream == of_key[0].stream for event in of_key), (
                    f"{view.table.name} is said to listen to one stream a row, but {key} listens to several"
                )
                before = row = rows.get(key)
                for event in of_key:
                    row = view.apply(key, row, event)
                if row is not None and row != before:
                    changed.append(row)
                elif row is None and before is not None:
                    gone.append(key)
            folded.append((view.table, changed, gone))
        return folded

    async def _read_rows(
        self, touched: Sequence[tuple[View, dict[Key, list[Event]]]], names: Sequence[str]
    ) -> list[dict[Key, Row]]:
        """The existing rows, under the lock of their names.

        A new stream has no rows of its own, so those are not read.
        """
        wanted = []
        for at, (view, by_key) in enumerate(touched):
            old = sorted(key for key, events in by_key.items() if not (view.one_stream and events[0].version == 1))
            if old:
                wanted.append((at, view.table, old))
        known: list[dict[Key, Row]] = [{} for _ in touched]
        places = [(table, keys) for _, table, keys in wanted]
        found = await sql.rows_of(self.connection, places, Hold("view", names))
        for (at, table, _), rows in zip(wanted, found, strict=True):
            names = [column.name for column in table.primary_key.columns]
            known[at] = {tuple(row[name] for name in names): row for row in rows}
        return known

    def _event_outbox(self, event: Event) -> dict[str, Any]:
        return {
            "event_id": event.id,
            "ref": None,
            "topic": event.topic,
            "partition": partition_of(event.partitionkey, self.settings.partitions),
            "key": event.partitionkey,
            "since": self._since,
        }

    def _content_row(self, ref: str) -> dict[str, Any]:
        return {
            "event_id": None,
            "ref": ref,
            "topic": catalogue.content_topic(self.service.name),
            "partition": partition_of(ref, self.settings.partitions),
            "key": ref,
            "since": self._since,
        }


@lru_cache(8)
def _of_streams(events: Table) -> Select[Any]:
    """The events of `streams`, each in order."""
    chosen = select(events.c.bytes).where(sql.is_one_of(events.c.stream_id, "streams"))
    return chosen.order_by(events.c.stream_id, events.c.version)


@lru_cache(8)
def _read_of_streams(events: Table) -> Select[Any]:
    """The same without the events that are counted."""
    return _of_streams(events).where(READ)


@lru_cache(8)
def _last_of_streams(events: Table) -> Select[Any]:
    """The last event of each of `streams`; null for one that has none."""
    stream = sql.listed("streams")
    last = select(events.c.bytes).where(events.c.stream_id == stream.c.value)
    return select(last.order_by(events.c.version.desc()).limit(1).scalar_subquery()).select_from(stream)


@lru_cache(8)
def _at(events: Table) -> Select[Any]:
    """The event of `stream` with this `version`."""
    return _of_stream(events).where(events.c.version == bindparam("version", None))


@lru_cache(8)
def _after(events: Table) -> Select[Any]:
    """The events of `stream` after this `version`."""
    return _of_stream(events).where(events.c.version > bindparam("version", None))


@lru_cache(8)
def _read_after(events: Table) -> Select[Any]:
    """The same without the events that are counted."""
    return _after(events).where(READ)


def _of_stream(events: Table) -> Select[Any]:
    return select(events.c.bytes).where(events.c.stream_id == bindparam("stream", None))


def _parsed(rows: sql.Rows) -> Iterator[Event]:
    return (Event.parse(bytes_) for (bytes_,) in rows if bytes_)


@lru_cache(8)
def _of_ids(events: Table) -> Select[Any]:
    """Those of `ids` that exist."""
    return select(events.c.event_id).where(sql.is_one_of(events.c.event_id, "ids"))


@lru_cache(8)
def _of_held(cursor: Table) -> Select[Any]:
    """Those of `streams` that wait for an operator."""
    mine = (cursor.c.consumer == OWNER, sql.is_one_of(cursor.c.stream_id, "streams"))
    return select(cursor.c.stream_id).where(*mine, cursor.c.blocked.is_not(None))


@lru_cache(8)
def _last_of_stream(events: Table) -> Select[Any]:
    """The last event of `stream`."""
    return _of_stream(events).order_by(events.c.version.desc()).limit(1)


def _order(event: Event) -> tuple[str, int]:
    """All writers take rows in this one order, so that no two of them wait for each other in a ring."""
    return event.stream, event.version


def _incident(kind: str, id_: str, data: Fact) -> str | None:
    """The incident of a stream's first event: the stream itself, the incident with its UUID, or the one that the data
    names.

    Only of a stream that belongs to one incident as a whole. Others name incidents in some events, and what else stands
    on them is not about these.
    """
    if kind not in catalogue.FOLLOWS_INCIDENT:
        return None
    if kind == "incident":
        return id_
    if kind in ("clock", "press"):
        return "incident-" + id_.partition("-")[2]
    return getattr(data, "incident") if _names_incident(type(data)) else None  # noqa: B009, some facts have it


@lru_cache(256)
def _names_incident(fact: type[Fact]) -> bool:
    return "incident" in fact.model_fields


def _partitionkey(kind: str, id_: str, incident: str | None) -> str:
    return incident if incident and kind in catalogue.FOLLOWS_INCIDENT else id_


def _event_row(event: Event, decider: Decider | None) -> dict[str, Any]:
    return {
        "stream_id": event.stream,
        "version": event.version,
        "event_id": event.id,
        "type": event.type,
        "recordedtime": event.recorded_text,
        "bytes": event.bytes,
        "counted": is_counted(event, decider),
    }


def is_counted(event: Event, decider: Decider | None) -> bool | None:
    """Whether decisions need only the number of such events; None on streams whose events are all read."""
    if decider is None or not decider.counted:
        return None
    return event.actor == "system" and event.type in _types(decider.counted)


_types = lru_cache(8)(lambda counted: upcast.types_of(*counted))
