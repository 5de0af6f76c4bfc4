"""Queries of audit.

Answers use only the positions below `head.size`. None of these is missing, and none ever changes. So the same question
at the same size always has the same answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Select, and_, func, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.triage import STANDING
from services.audit.rights import LEAVING, reports_left, standing_after
from services.audit.views import DECIDED, ENTRIES, HEAD, LINKS, SIZES, TIMELINE
from services.kernel.core.standings import Moment, Standing
from services.kernel.store import sql
from services.kernel.store.numbers import number_in


@dataclass(frozen=True, slots=True)
class Axes:
    """The basis of an answer: instants as texts, None for now; and the size of the log."""

    size: int
    as_of: str | None = None
    known_at: str | None = None

    def within(self, table: Any) -> list[ColumnElement[bool]]:
        """The conditions on rows with `position`, `time` and `recordedtime`."""
        found = [table.c.position < self.size]
        if self.as_of is not None:
            found.append(table.c.time <= self.as_of)
        if self.known_at is not None:
            found.append(table.c.recordedtime <= self.known_at)
        return found


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list of events; None filters nothing. Instants are texts, both ends included."""

    types: tuple[str, ...] | None = None
    subject: str | None = None
    unit: str | None = None
    incident: str | None = None
    actor: str | None = None
    from_: str | None = None
    to: str | None = None
    as_of: str | None = None
    known_at: str | None = None
    until: str | None = None
    """The last instant of recording that the reader's part in `incident` covers."""


async def head(connection: AsyncConnection) -> tuple[int, int]:
    """How many positions can be used for answers, and how many the log has given in all."""
    row = (await connection.execute(select(HEAD.c.size, HEAD.c.next))).first()
    return (row.size, row.next) if row else (0, 0)


async def complete_until(connection: AsyncConnection, size: int) -> str | None:
    """The instant up to which everything on the topics is in the first `size` positions; None if it is unknown."""
    chosen = select(SIZES.c.complete_until).where(SIZES.c.size <= size).order_by(SIZES.c.size.desc()).limit(1)
    found: str | None = (await connection.execute(chosen)).scalar()
    return found


async def family(connection: AsyncConnection, incident: str, size: int, until: str | None) -> list[str]:
    """An incident and those that it absorbed, also by way of others, see `_linked`."""
    found, further = set[str](), {incident}
    while further:
        found |= further
        chosen = select(LINKS.c.stream_id).where(
            LINKS.c.incident_id.in_(further),
            LINKS.c.stream_id.between("incident-", "incident."),
            *_linked(size, until),
        )
        further = set((await connection.execute(chosen)).scalars()) - found
    return sorted(found)


def members(incidents: Sequence[str], size: int, until: str | None) -> Select[Any]:
    """The streams of these incidents, see `_linked`."""
    return select(LINKS.c.stream_id).where(LINKS.c.incident_id.in_(incidents), *_linked(size, until))


def _linked(size: int, until: str | None) -> list[ColumnElement[bool]]:
    """The links in the first `size` positions that were recorded by the instant `until`.

    If a unit's part had ended by then, it does not see streams that came to the incident later.
    """
    known = [LINKS.c.position < size]
    if until is not None:
        says = TIMELINE.alias()
        linking = select(says.c.position).where(says.c.position == LINKS.c.position, says.c.recordedtime <= until)
        known.append(linking.exists())
    return known


async def knows(connection: AsyncConnection, incident: str) -> bool:
    """Whether any event belongs to this incident."""
    size, _ = await head(connection)
    chosen = select(LINKS.c.position).where(LINKS.c.incident_id == incident, LINKS.c.position < size).limit(1)
    return (await connection.execute(chosen)).first() is not None


async def number(connection: AsyncConnection, incident: str, size: int) -> str | None:
    """The number of an incident, by its first event in the first `size` positions."""
    t = TIMELINE.c
    chosen = select(t.bytes).where(t.stream_id == incident, t.version == 1, t.position < size)
    opened = (await connection.execute(chosen)).scalar()
    return None if opened is None else number_in(Event.parse(opened))


async def standings(connection: AsyncConnection, incident: str) -> dict[str, Standing]:
    """The present standing of an incident, and of the incidents where it goes on; empty if audit does not know it."""
    size, _ = await head(connection)
    says, t = and_(DECIDED, TIMELINE.c.type.in_(upcast.types_of(*STANDING))), TIMELINE.c
    found: dict[str, Standing] = {}
    at: str | None = incident
    while at is not None and at not in found:
        chosen = select(t.bytes).where(t.stream_id == at, t.position < size, says).order_by(t.version)
        events = [Event.parse(bytes_) for bytes_ in (await connection.execute(chosen)).scalars()]
        if not events:
            break
        found[at] = standing_after(events)
        at = found[at].into
    return found


async def left(connection: AsyncConnection, incidents: Sequence[str], size: int) -> dict[str, Moment]:
    """Report -> the event by which it left these incidents, which are a `family`, unless it came back."""
    says, t = and_(DECIDED, TIMELINE.c.type.in_(upcast.types_of(*LEAVING))), TIMELINE.c
    chosen = select(t.bytes).where(t.stream_id.in_(incidents), t.position < size, says)
    events = (await connection.execute(chosen.order_by(t.recordedtime, t.event_id))).scalars()
    return reports_left(Event.parse(bytes_) for bytes_ in events)


def _there(gone: Mapping[str, Moment]) -> list[ColumnElement[bool]]:
    """The conditions that leave out what was recorded on a report after it left the incident."""
    if not gone:
        return []
    left_, t = sql.mapped({report: moment.at for report, moment in gone.items()}), TIMELINE.alias()
    afterwards = select(t.c.position).join(left_, left_.c.key == t.c.stream_id)
    return [TIMELINE.c.position.not_in(afterwards.where(t.c.recordedtime > left_.c.value))]


class Place(NamedTuple):
    """A place in a timeline, which is in this order."""

    recordedtime: str
    event_id: str


FIRST = Place("", "")
PARTS = 100
"""A query has at most so many parts. SQLite takes 500. The entries of more incidents are sorted."""


async def timeline(
    connection: AsyncConnection,
    incident: str,
    size: int,
    until: str | None,
    axes: Iterable[ColumnElement[bool]],
    after: Place,
    limit: int,
    *,
    newest: bool = False,
) -> tuple[Sequence[Any], Place | None]:
    """`position, bytes` of an incident's events after a place, and the place for the next page, or None at the end.

    `until` is the last instant of recording that the reader's part covers. `axes` are further filters, see `happened`
    and `recorded`. `newest` gives the last events instead of the first, in the same order.
    """
    t, e, incidents = TIMELINE.c, ENTRIES.c, await family(connection, incident, size, until)
    order = (e.recordedtime, e.event_id)
    in_turn = [column.desc() for column in order] if newest else order
    wanted = [
        tuple_(*order) > after,
        t.position < size,
        *recorded(until),
        *axes,
        *_there(await left(connection, incidents, size)),
        *_linked(size, until),
    ]
    link = and_(LINKS.c.incident_id == e.incident_id, LINKS.c.stream_id == t.stream_id)
    entries = select(e.position, *order).join(TIMELINE, t.position == e.position).join(LINKS, link)
    ordered = entries.where(*wanted).order_by(*in_turn).limit(limit + 1)
    # The index has the order of one incident. Each incident brings its first entries, and the page takes the first of
    # these.
    if len(incidents) <= PARTS:
        parts = [ordered.where(e.incident_id == one).subquery() for one in incidents]
    else:
        parts = [ordered.where(e.incident_id.in_(incidents)).distinct().subquery()]
    chosen = union(*map(select, parts)).subquery()
    # Only the bytes of the page are read, not of everything that is sorted.
    page = select(t.position, t.bytes, t.recordedtime, t.event_id).join(chosen, chosen.c.position == t.position)
    in_turn = [column.desc() for column in (t.recordedtime, t.event_id)] if newest else (t.recordedtime, t.event_id)
    found = (await connection.execute(page.order_by(*in_turn).limit(limit + 1))).all()
    if newest:
        return found[:limit][::-1], None
    last = found[limit - 1] if len(found) > limit else None
    return found[:limit], Place(last.recordedtime, last.event_id) if last else None


def happened(until: str | None) -> list[ColumnElement[bool]]:
    """The condition that an event had happened by an instant, inclusive. None filters nothing."""
    return [] if until is None else [TIMELINE.c.time <= until]


def recorded(until: str | None) -> list[ColumnElement[bool]]:
    """The condition that an event had been recorded by an instant, inclusive. None filters nothing."""
    return [] if until is None else [TIMELINE.c.recordedtime <= until]


async def events(
    connection: AsyncConnection,
    filters: Filters,
    size: int,
    *,
    after: int,
    limit: int,
    units: Iterable[str] | None,
    without: Iterable[str] = (),
) -> tuple[Sequence[Any], int | None]:
    """`position, bytes` of events after position `after`, and the position for the next page, or None at the end.

    `units` filters by the acting unit. None filters nothing, and is the only way to events of no unit. Types in
    `without` are left out.
    """
    t = TIMELINE.c
    wanted = [t.position > after, t.position < size]
    for column, value in ((t.stream_id, filters.subject), (t.unit, filters.unit), (t.actor, filters.actor)):
        if value is not None:
            wanted.append(column == value)
    if filters.types is not None:
        wanted.append(t.type.in_(filters.types))
    if filters.from_ is not None:
        wanted.append(t.time >= filters.from_)
    if filters.to is not None:
        wanted.append(t.time <= filters.to)
    wanted += [*happened(filters.as_of), *recorded(filters.known_at), *recorded(filters.until)]
    if filters.incident is not None:
        incidents = await family(connection, filters.incident, size, filters.until)
        wanted.append(t.stream_id.in_(members(incidents, size, filters.until)))
        wanted += _there(await left(connection, incidents, size))
    if units is not None:
        wanted.append(t.unit.in_(sorted(units)))
    if without:
        wanted.append(t.type.not_in(sorted(without)))
    chosen = select(t.position, t.bytes).where(and_(*wanted)).order_by(t.position).limit(limit + 1)
    found = (await connection.execute(chosen)).all()
    return found[:limit], found[limit - 1].position if len(found) > limit else None


async def changed(connection: AsyncConnection, after: int, size: int, limit: int) -> tuple[dict[str, str], int]:
    """Incident -> the first instant at which something new of it was recorded, and the next position to ask with.

    It looks at the positions from `after` on and below `size`, at no more than `limit` of them. What belongs to no
    incident is left out.
    """
    t, until = TIMELINE.c, min(size, after + limit)
    chosen = (
        select(LINKS.c.incident_id, func.min(t.recordedtime))
        .join(LINKS, LINKS.c.stream_id == t.stream_id)
        .where(t.position >= after, t.position < until, LINKS.c.position < size)
        .group_by(LINKS.c.incident_id)
        .order_by(LINKS.c.incident_id)
    )
    return {row[0]: row[1] for row in await connection.execute(chosen)}, until


async def names(connection: AsyncConnection, types: Sequence[str], size: int) -> dict[str, list[tuple[str, str]]]:
    """Unit, or post@unit -> since when, and name, in order, from these types in the first `size` positions."""
    t = TIMELINE.c
    chosen = select(t.bytes).where(t.type.in_(types), t.position < size).order_by(t.position)
    known: dict[tuple[str, str], str] = {}
    for bytes_ in (await connection.execute(chosen)).scalars():
        data = orjson.loads(bytes_)["data"]
        if "code" in data:
            known[f"{data['code']}@{data['unit']}", data["since"]] = data["title"]
        else:
            known[data["unit"], data["since"]] = data["name"]
    names: dict[str, list[tuple[str, str]]] = {}
    for (code, since), name in sorted(known.items()):
        names.setdefault(code, []).append((since, name))
    return names


async def stands_in_events(connection: AsyncConnection, column: str, value: str) -> bool:
    """Whether any event has this `type`, `unit` or `actor`."""
    chosen = select(TIMELINE.c.position).where(TIMELINE.c[column] == value).limit(1)
    return (await connection.execute(chosen)).first() is not None


async def event(connection: AsyncConnection, event_id: str, size: int) -> Any:
    """`position, unit, stream_id, recordedtime, bytes` of one event, or None."""
    t = TIMELINE.c
    chosen = select(t.position, t.unit, t.stream_id, t.recordedtime, t.bytes).where(
        t.event_id == event_id, t.position < size
    )
    return (await connection.execute(chosen)).first()


async def belongs(
    connection: AsyncConnection, stream: str, incidents: Sequence[str], size: int, until: str | None
) -> bool:
    """Whether a stream is one of these incidents' `members`."""
    chosen = members(incidents, size, until).where(LINKS.c.stream_id == stream).limit(1)
    return (await connection.execute(chosen)).first() is not None


async def incidents_of(connection: AsyncConnection, stream: str, size: int) -> Sequence[str]:
    """The incidents of a stream; an incident is its own."""
    chosen = select(LINKS.c.incident_id).where(LINKS.c.stream_id == stream, LINKS.c.position < size)
    return (await connection.execute(chosen.order_by(LINKS.c.incident_id))).scalars().all()
