"""How audit takes events in: each gets the next position, and audit's own topic records the order.

One transaction at a time holds the row of `head`. So positions have no gap and no duplicate, however many consumers
run. Envelopes are read once with orjson, and their data is not checked: an unknown type is kept like any other.
"""

import math
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, TypeGuard

import structlog
from sqlalchemy import Table, bindparam, delete, func, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue, upcast
from schemas.audit import LogSequenced
from schemas.envelope import Event, Undecodable, UnknownType
from schemas.fields import Erasure, Fact, instant, parse_instant
from schemas.triage import IncidentAbsorbed, IncidentOpened, IncidentReportAttached
from services.audit.log import growing
from services.audit.matters import marks, moves
from services.audit.statistics import steps
from services.audit.subscriptions.views import KEY_EVENTS
from services.audit.views import (
    DESK,
    ENTRIES,
    HEAD,
    JOINED,
    LEFT,
    LIMITS,
    LINKED_TYPES,
    LINKS,
    LOG,
    MARKS,
    METADATA,
    NAMED,
    PLANNED,
    SAID,
    SIZES,
    STEPS,
    TIMELINE,
)
from services.kernel.delivery.intake import Cursor, Intake
from services.kernel.delivery.log import LogGone, Partition, Record
from services.kernel.delivery.recovery import Diverged
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import UnitOfWork, hold
from services.kernel.store import offices, sql
from services.kernel.store.numbers import number_in
from services.kernel.store.session import Conflict, Session
from services.kernel.store.sql import Query, Write
from services.kernel.store.views import Row
from services.kernel.tlog import Refused
from services.kernel.tlog.leaf import leaf_of

BATCH = 4000
"""Events in one transaction."""
ORDERED = 2000
"""Events whose order one event of the log tells."""
AIM_SECONDS = 0.25
"""The least time between two looks at the ends of the topics on brokers. Embedded, a look costs nothing."""
EXERCISES = "drill:"
"""Before the name of a type from which was drawn whether a matter is an exercise."""
COUNTED = "counted:"
"""Before the name of a type from which the rows of statistics were drawn."""
MOVED, NAMING = "moved:", "named:"
"""The same for the moves of reports, and for single events that name a matter."""
LINKING = (IncidentOpened, IncidentReportAttached, IncidentAbsorbed)
"""Types of events that link another stream to an incident."""
LOCKED = Query(select(HEAD.c.size, HEAD.c.next, HEAD.c.logged, HEAD.c.complete_until).with_for_update(), {})
LEARNED = Query(select(LINKED_TYPES.c.type), {})
LINKED = select(LINKS.c.stream_id, LINKS.c.incident_id).where(sql.is_one_of(LINKS.c.stream_id, "streams"))
ORDERS = (
    select(METADATA.tables["events"].c.version, METADATA.tables["events"].c.bytes)
    .where(
        METADATA.tables["events"].c.stream_id == LOG,
        METADATA.tables["events"].c.version > bindparam("above"),
        METADATA.tables["events"].c.type.in_(upcast.types_of(LogSequenced)),
    )
    .order_by(METADATA.tables["events"].c.version)
    .limit(50)
)
"""The next events that name the order, few at once: each names up to `ORDERED` events."""
KEPT = select(TIMELINE.c.stream_id, TIMELINE.c.recordedtime, TIMELINE.c.event_id, TIMELINE.c.position).where(
    sql.is_one_of(TIMELINE.c.stream_id, "streams")
)
logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Head:
    """See `views.HEAD`."""

    size: int
    next: int
    logged: int
    complete_until: str | None

    def write(self) -> Write:
        """The writing of the row."""
        return Write(HEAD, [{"id": 1, **asdict(self)}], replaces=True)


class Unlearned(Conflict):
    """Another version draws audit's tables: events that are taken in now would stand in them in part."""


class AuditWork(UnitOfWork):
    """Takes in every event of every service."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.batch = BATCH
        self._linking = upcast.types_of(*LINKING)
        self._noted = _noted(drawn_types())
        self._consumes = False
        self._aim: tuple[str, Mapping[Partition, int]] | None = None
        self._aimed = 0.0
        self._pause = 0.0 if runtime.settings.embedded else AIM_SECONDS

    async def handle(self, records: Sequence[Record]) -> None:
        """See `UnitOfWork.handle`."""
        self._consumes = True
        await self._take_aim()
        await super().handle(records)

    def read(self, event: Event) -> None:
        """Nothing is checked: data stays unread, and an unknown type is kept like any other."""

    async def must_keep(self, session: Session, event: Event) -> bool:
        """Whether the log has given a position to exactly these bytes: it never loses one."""
        await _planned_head(session)
        kept = TIMELINE.c
        mine = (kept.stream_id == event.stream, kept.version == event.version, kept.digest == event.digest)
        chosen = union_all(
            select(kept.position).where(*mine), select(PLANNED.c.position).where(PLANNED.c.digest == event.digest)
        )
        return (await session.connection.execute(chosen)).first() is not None

    async def altered(self, session: Session, event: Event, cursor: Cursor) -> bool:
        """Compares every version that was taken in before, not only the last one."""
        if event.version == cursor.version:
            return event.digest != cursor.digest
        chosen = select(TIMELINE.c.digest).where(
            TIMELINE.c.stream_id == event.stream, TIMELINE.c.version == event.version
        )
        stored = set((await session.connection.execute(chosen)).scalars())
        return bool(stored) and event.digest not in stored

    async def apply(self, session: Session, events: Sequence[Event], intake: Intake) -> None:
        """Gives the events their positions, keeps them, and records their order on audit's own stream."""
        for event in events:
            await self._observe(session, event)
        if not events:
            return
        connection = session.connection
        head = await _planned_head(session)
        if self._consumes and not self.replaying:
            await self._must_be_learned(connection)
        own = session.streams[LOG]
        regaining = head.size < head.next
        known = await _planned(connection, events) if regaining else {}
        fresh = [event.digest for event in events if event.digest not in known]
        positions = dict(zip(fresh, range(head.next, head.next + len(fresh)), strict=True))
        placed = [(known.get(event.digest, positions.get(event.digest, 0)), event) for event in events]
        session.also.append(Write(TIMELINE, [_row(position, event) for position, event in placed]))
        links = _links(placed, self._linking)
        session.also.append(Write(ENTRIES, await _entries(connection, placed, links)))
        session.also.append(Write(SAID, _said_in(placed)))
        session.also += _drawn(placed, MARKING, COUNTING, MOVES, NAMES)
        if regaining:
            session.also.append(Write(LINKS, await _lower(connection, links), replaces=True))
        else:
            session.also.append(Write(LINKS, links, skips=True))
        next_ = head.next + len(fresh)
        size = await _gapless(connection, known, next_) if regaining else next_
        complete = head.complete_until
        session.also += await _grown(connection, head.size, size, placed, regaining=regaining)
        if not regaining and _is_later(until := await self._complete(connection, intake), complete):
            complete = until
            session.also.append(_size(size, until))
        if fresh and not self.replaying:
            session.append(LOG, _said(head.next, fresh, complete), await self.runtime.context(connection))
        session.also.append(Head(size, next_, own.version, complete).write())

    async def _must_be_learned(self, connection: AsyncConnection) -> None:
        """Raises `Unlearned` unless the tables hold what this version draws, and nothing that it does not know.

        The leader learns when it starts, after it has taken in again what was set aside.
        """
        (rows,) = await sql.fetch(connection, [LEARNED])
        known = {type_ for (type_,) in rows}
        if known != self._noted:
            which, differs = ("older", self._noted - known) if self._noted - known else ("newer", known - self._noted)
            raise Unlearned(
                f"the leader drew audit's tables with {which} code, which differs in {min(differs)}; it takes "
                "events in here as soon as the leader runs its version"
            )

    async def _observe(self, session: Session, event: Event) -> None:
        if not offices.changes(event) and not catalogue.is_erasure(event.type):
            if number_in(event) is not None or (event.type in KEY_EVENTS and _is_read(event)):
                session.observed.append(event)
            return
        if not _is_read(event):
            return
        if isinstance(event.data, Erasure):
            await session.erase(event.data.refs, announce=False)
        else:
            session.observed.append(event)

    async def _take_aim(self) -> None:
        """Notes, from time to time, where the topics end.

        When audit has taken in everything up to there, it is complete until now.
        """
        if self._aim is not None or time.monotonic() - self._aimed < self._pause:
            return
        self._aimed = time.monotonic()
        now = instant(self.runtime.time_source.now())
        try:
            found = await self.look(fast=True)
        except LogGone as error:
            logger.debug("log.ends_unknown", error=str(error))
            return
        if not found.lost:
            events = {part: end for part, end in found.ends.items() if part.topic in self.service.topics}
            self._aim = (now, events)

    async def _complete(self, connection: AsyncConnection, intake: Intake) -> str | None:
        """The instant of the last aim, if this transaction reaches it."""
        if self._aim is None:
            return None
        until, ends = self._aim
        taken = await self.taken(connection)
        for _, record in intake.accepted:
            partition = Partition(record.topic, record.partition)
            taken[partition] = max(taken.get(partition, 0), record.offset + 1)
        if any(taken.get(partition, 0) < end for partition, end in ends.items()):
            return None
        self._aim = None
        return until


async def start(runtime: Runtime) -> None:
    """The work of audit before it takes events in: it plans its lost positions, and reads what only this version can
    read.
    """
    await _regain(runtime)
    await learn(runtime)
    await _observe_again(runtime)


async def learn(runtime: Runtime) -> None:
    """Draws rows from events that were kept when no version of this code drew them: links and marks, and numbers.

    It holds the head, so nothing is taken in meanwhile, and two never draw at once. Rows that stand already stay. It
    forgets what only another version draws, so that that one draws it anew.
    """
    async with runtime.database.transaction() as connection:
        head, linking = await lock_head(connection), upcast.types_of(*LINKING)
        await connection.execute(delete(LINKED_TYPES).where(LINKED_TYPES.c.type.not_in(_noted(drawn_types()))))
        async for placed in _unlearned(connection, "", head.next):
            links = _links(placed, linking)
            entries = await _entries(connection, (), links)
            await sql.write(connection, [Write(ENTRIES, entries, skips=True), *_drawn(placed, MARKING, skips=True)])
            await sql.upsert(connection, LINKS, await _lower(connection, links))
        async for placed in _unlearned(connection, EXERCISES, head.next):
            (made,) = _drawn(placed, MARKING, skips=True)
            rows = [row for row in made.rows if row["kind"] == marks.DRILL]
            await sql.write(connection, [made._replace(rows=rows)])
        for purpose, drawings in ((COUNTED, COUNTING), (MOVED, MOVES), (NAMING, NAMES)):
            async for placed in _unlearned(connection, purpose, head.next):
                await sql.write(connection, _drawn(placed, drawings, skips=True))


def drawn_types() -> dict[str, frozenset[str]]:
    """Purpose -> the types of events from which this version draws rows for it."""
    linking = upcast.types_of(*LINKING)
    return {
        "": linking.union(marks.MARKING),
        EXERCISES: frozenset(marks.OPENINGS),
        COUNTED: _types_of(COUNTING),
        MOVED: _types_of(MOVES),
        NAMING: _types_of(NAMES),
    }


def _types_of(drawings: "Iterable[Drawing]") -> frozenset[str]:
    return frozenset(type_ for drawing in drawings for type_ in drawing.types)


def _noted(types: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """What `LINKED_TYPES` says when rows of these types were drawn."""
    return frozenset(purpose + type_ for purpose, of in types.items() for type_ in of)


async def _unlearned(connection: AsyncConnection, purpose: str, end: int) -> AsyncIterator[list[tuple[int, Event]]]:
    """The events below position `end` of types from which nothing was drawn for a purpose yet, in parts.

    It notes that they are drawn.
    """
    known = set((await connection.execute(select(LINKED_TYPES.c.type))).scalars())
    fresh = sorted(type_ for type_ in drawn_types()[purpose] if purpose + type_ not in known)
    if not fresh:
        return
    await sql.insert(connection, LINKED_TYPES, [{"type": purpose + type_} for type_ in fresh])
    position = -1
    while True:
        chosen = select(TIMELINE.c.position, TIMELINE.c.bytes).where(
            TIMELINE.c.type.in_(fresh), TIMELINE.c.position > position, TIMELINE.c.position < end
        )
        rows = (await connection.execute(chosen.order_by(TIMELINE.c.position).limit(BATCH))).all()
        if not rows:
            return
        position = rows[-1].position
        yield [(row.position, Event.parse(row.bytes)) for row in rows]


async def _observe_again(runtime: Runtime) -> None:
    """Folds the offices' events in the timeline once more, since an earlier version may have kept types unread."""
    async with runtime.database.transaction() as connection:
        await sql.lock(connection, hold(alone=True))
        session = Session(runtime.service, runtime.settings, connection, runtime.time_source.now())
        of_offices = or_(
            *(TIMELINE.c.stream_id.between(f"{kind}-", f"{kind}.") for kind in ("policy", "unit")),
            TIMELINE.c.type.in_(sorted(offices.KEY_EVENTS | KEY_EVENTS)),
        )
        chosen = select(TIMELINE.c.bytes).where(of_offices).order_by(TIMELINE.c.stream_id, TIMELINE.c.version)
        for (bytes_,) in await connection.execute(chosen):
            event = Event.parse(bytes_)
            if _is_read(event):
                session.observed.append(event)
        await session.flush()
    runtime.offices_changed()


def _is_read(event: Event) -> bool:
    """Whether this version can read an event's data. Audit keeps it in any case."""
    try:
        _ = event.data
    except (UnknownType, Undecodable) as error:
        logger.warning("event.unread", id=event.id, type=event.type, error=str(error))
        return False
    return True


async def _regain(runtime: Runtime) -> None:
    """Plans the positions that the log gave and a restored timeline lacks."""
    async with runtime.database.transaction() as connection:
        head = await _planned_head(Session(runtime.service, runtime.settings, connection, runtime.time_source.now()))
    if head.size < head.next:
        logger.warning("audit.regains", have=head.size, wanted=head.next)


async def lock_head(connection: AsyncConnection) -> Head:
    """The head, held until the transaction ends."""
    (found,) = await sql.fetch(connection, [LOCKED])
    if not found:
        await sql.add_missing(connection, HEAD, [{"id": 1, "size": 0, "next": 0, "logged": 0}])
        (found,) = await sql.fetch(connection, [LOCKED])
    return Head(*found[0])


async def _planned_head(session: Session) -> Head:
    """The head, held until the transaction ends, after the plan of what the log placed and the timeline lacks."""
    head = await lock_head(session.connection)
    own = await session.load_head(LOG)
    return head if own.version <= head.logged else await plan(session.connection, head, own.version)


async def plan(connection: AsyncConnection, head: Head, version: int) -> Head:
    """Notes the positions in the versions of the log above `head.logged`. Such versions exist only after a restore."""
    next_, logged, complete = head.next, head.logged, head.complete_until
    while rows := (await connection.execute(ORDERS, {"above": logged})).all():
        for of_version, bytes_ in rows:
            event = Event.parse(bytes_)
            _, said = upcast.newest(event.type, event.attributes["data"])
            if said["first"] != next_:
                raise Diverged(
                    f"audit's log goes on at position {said['first']}, but {next_} is next. Its stream {LOG} was "
                    "altered, or its timeline was put back without its events. Restore the whole database from one "
                    "backup"
                )
            planned = [{"digest": digest, "position": next_ + index} for index, digest in enumerate(said["events"])]
            await sql.insert(connection, PLANNED, planned)
            next_, logged = next_ + len(planned), of_version
            if _is_later(until := said.get("complete_until"), complete):
                complete = until
                await sql.write(connection, [_size(next_, until)])
    moved = Head(head.size, next_, version, complete)
    await sql.write(connection, [moved.write()])
    return moved


async def _planned(connection: AsyncConnection, events: Sequence[Event]) -> dict[str, int]:
    """The positions that the log gave to these events before, by digest."""
    digests = [event.digest for event in events]
    found = await connection.execute(select(PLANNED.c.digest, PLANNED.c.position).where(PLANNED.c.digest.in_(digests)))
    return {row.digest: row.position for row in found}


async def _gapless(connection: AsyncConnection, taken: Iterable[str], next_: int) -> int:
    """Removes the events that were taken in from the plan, and returns the first position that is still missing."""
    await connection.execute(delete(PLANNED).where(PLANNED.c.digest.in_(list(taken))))
    missing: int | None = (await connection.execute(select(func.min(PLANNED.c.position)))).scalar()
    return next_ if missing is None else missing


async def _grown(
    connection: AsyncConnection, start: int, end: int, placed: Sequence[tuple[int, Event]], *, regaining: bool
) -> list[Write]:
    """The tree's growth. Raises `Diverged` if its right edge is not that of its size: nothing can grow on it."""
    try:
        if not regaining:
            return await growing.grown(connection, start, [leaf_of(event).hash for _, event in placed])
        await growing.grown_to(connection, start, end, dict(placed))
    except Refused as refused:
        raise Diverged(f"audit's tree was altered: {refused}. Restore the database from a backup") from None
    return []


def _is_later(now: str | None, before: str | None) -> TypeGuard[str]:
    return now is not None and (before is None or now > before)


def _size(size: int, complete_until: str) -> Write:
    """Records up to when the log of this size is complete."""
    return Write(SIZES, [{"size": size, "complete_until": complete_until}])


def _said(first: int, digests: Sequence[str], complete: str | None) -> list[Fact]:
    """The order as events, each small enough for a topic. They are not validated, since they were made right here."""
    facts: list[Fact] = []
    for start in range(0, len(digests), ORDERED):
        said: dict[str, Any] = {"first": first + start, "events": tuple(digests[start : start + ORDERED])}
        if complete and start + ORDERED >= len(digests):
            said["complete_until"] = parse_instant(complete)
        facts.append(LogSequenced.model_construct(**said))
    return facts


def _row(position: int, event: Event) -> dict[str, Any]:
    return {
        "position": position,
        "event_id": event.id,
        "digest": event.digest,
        "type": event.type,
        "stream_id": event.stream,
        "version": event.version,
        "time": event.time_text,
        "recordedtime": event.recorded_text,
        "unit": event.unit,
        "actor": event.actor,
        "correlation": event.correlation,
        "topic": event.topic,
        "bytes": event.bytes,
    }


class Drawing(NamedTuple):
    """A table, the types of the events that may bring rows to it, and the rows of an event at a position."""

    table: Table
    types: Collection[str]
    rows_of: Callable[[int, Event], Iterable[Row]]


MARKING = (Drawing(MARKS, marks.MARKING, marks.rows_of),)
COUNTING = (
    Drawing(STEPS, steps.STEPPING, steps.steps_of),
    Drawing(LIMITS, steps.LIMITING, steps.limits_of),
    Drawing(DESK, steps.AT_DESKS, steps.desk_of),
)
"""The rows from which statistics count."""
MOVES = (Drawing(JOINED, moves.JOINING, moves.joined_of), Drawing(LEFT, moves.LEAVING, moves.left_of))
"""The moves of reports between matters."""
NAMES = (Drawing(NAMED, moves.NAMING, moves.named_of),)
"""The single events that name a matter."""


def _drawn(placed: Sequence[tuple[int, Event]], *of: tuple[Drawing, ...], skips: bool = False) -> list[Write]:
    """The rows that events bring. Most events bring none to most tables, and need no further look."""
    return [
        Write(table, [row for one in placed if one[1].type in types for row in rows_of(*one)], skips=skips)
        for drawings in of
        for table, types, rows_of in drawings
    ]


def _said_in(placed: Sequence[tuple[int, Event]]) -> list[dict[str, Any]]:
    return [
        {"ref": ref, "position": position}
        for position, event in placed
        for ref in dict.fromkeys(marks.refs_of(event.attributes["data"]))
    ]


def linked(event: Event, linking: Collection[str]) -> Iterable[tuple[str, str]]:
    """(incident, stream) pairs that belong together according to the event. An incident belongs to itself.

    `linking` are the types that name further streams, in every version that this code reads.
    """
    if event.correlation and event.kind in catalogue.FOLLOWS_INCIDENT:
        yield event.correlation, event.stream
    if event.type in linking:
        _, data = upcast.newest(event.type, event.attributes["data"])
        others = data.get("reports") or ()
        for stream in (data.get("report"), data.get("incident"), *(others if isinstance(others, list) else ())):
            if isinstance(stream, str) and len(stream) <= 64 and "\x00" not in stream:
                yield event.stream, stream


def _links(placed: Sequence[tuple[int, Event]], linking: Collection[str]) -> list[dict[str, Any]]:
    first: dict[tuple[str, str], int] = {}
    for position, event in placed:
        for pair in linked(event, linking):
            first[pair] = min(position, first.get(pair, position))
    return [{"incident_id": i, "stream_id": s, "position": first[i, s]} for i, s in sorted(first)]


async def _entries(
    connection: AsyncConnection, placed: Sequence[tuple[int, Event]], links: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The rows of `ENTRIES` that new events and links bring. These are not in the tables yet."""
    pairs = {(link["stream_id"], link["incident_id"]) for link in links}
    streams = {*(event.stream for _, event in placed), *(stream for stream, _ in pairs)}
    (found,) = await sql.fetch(connection, [Query(LINKED, {"streams": sorted(streams)})])
    known = {(stream, incident) for stream, incident in found}
    fresh = pairs - known
    (kept,) = await sql.fetch(connection, [Query(KEPT, {"streams": sorted({stream for stream, _ in fresh})})])
    new = [(event.stream, event.recorded_text, event.id, position) for position, event in placed]
    rows = []
    for linked_, events in ((known | fresh, new), (fresh, kept)):
        of: dict[str, list[str]] = {}
        for stream, incident in linked_:
            of.setdefault(stream, []).append(incident)
        rows += [(incident, *place) for stream, *place in events for incident in of.get(stream, ())]
    return [dict(zip(ENTRIES.columns.keys(), row, strict=True)) for row in sorted(rows)]


async def _lower(connection: AsyncConnection, links: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The links to write. Positions that are given again do not come in order, so a link counts from the lowest."""
    (rows,) = await sql.rows_of(connection, [(LINKS, [(link["incident_id"], link["stream_id"]) for link in links])])
    known = {(row["incident_id"], row["stream_id"]): row["position"] for row in rows}
    lower = [link for link in links if link["position"] < known.get((link["incident_id"], link["stream_id"]), math.inf)]
    return [dict(link) for link in lower]
