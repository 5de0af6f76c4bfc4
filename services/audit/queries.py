"""Queries of audit.

Answers use only the positions below `head.size`. None of these is missing, and none ever changes. So the same question
at the same size always has the same answer.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, func, or_, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.inspections import InspectionRemarkMade
from schemas.triage import STANDING
from services.audit.rights import standing_after
from services.audit.views import (
    DECIDED,
    ENTRIES,
    HEAD,
    INSPECTIONS,
    JOINED,
    LEFT,
    LINKS,
    NAMED,
    PACKAGES,
    SIZES,
    TIMELINE,
)
from services.kernel.core.standings import Standing, Units
from services.kernel.store import sql
from services.kernel.store.numbers import number_in

REMARKS = upcast.types_of(InspectionRemarkMade)
"""Events that name a matter and are not read by all with a part in it, see `heard`."""


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

    @property
    def known_until(self) -> str | None:
        """The instant by which must have been recorded what is answered of `incident`."""
        return earlier(self.known_at, self.until)


def earlier(*instants: str | None) -> str | None:
    """The earliest of some instants; None stands for no bound."""
    return min((at for at in instants if at is not None), default=None)


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
    """An incident and those that it absorbed, also by way of others, see `linked`."""
    found, further = set[str](), {incident}
    while further:
        found |= further
        chosen = select(LINKS.c.stream_id).where(
            LINKS.c.incident_id.in_(further),
            LINKS.c.stream_id.between("incident-", "incident."),
            *linked(size, until),
        )
        further = set((await connection.execute(chosen)).scalars()) - found
    return sorted(found)


def members(incidents: Sequence[str], size: int, until: str | None) -> Select[Any]:
    """The streams of these incidents, see `linked`."""
    return select(LINKS.c.stream_id).where(LINKS.c.incident_id.in_(incidents), *linked(size, until))


def linked(size: int, until: str | None) -> list[ColumnElement[bool]]:
    """The links in the first `size` positions that were recorded by the instant `until`.

    Who asks what was known by then, or whose unit's part had ended by then, sees no stream that came to the incident
    later.
    """
    known = [LINKS.c.position < size]
    if until is not None:
        says = TIMELINE.alias()
        linking = select(says.c.position).where(says.c.position == LINKS.c.position, says.c.recordedtime <= until)
        known.append(linking.exists())
    return known


def within(table: Any, size: int, until: str | None) -> list[ColumnElement[bool]]:
    """The rows in the first `size` positions that were recorded by the instant `until`."""
    return [table.c.position < size, *([] if until is None else [table.c.recordedtime <= until])]


async def knows(connection: AsyncConnection, incident: str) -> bool:
    """Whether any event belongs to this incident."""
    size, _ = await head(connection)
    chosen = select(LINKS.c.position).where(LINKS.c.incident_id == incident, LINKS.c.position < size).limit(1)
    return (await connection.execute(chosen)).first() is not None


async def drills(connection: AsyncConnection, streams: Collection[str]) -> set[str]:
    """Those of the streams that are of exercises."""
    t = TIMELINE.c
    chosen = select(t.stream_id, t.bytes).where(t.stream_id.in_(streams), t.version == 1)
    return {row.stream_id for row in await connection.execute(chosen) if Event.parse(row.bytes).drill}


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


def moved(table: Any, axes: Axes) -> list[ColumnElement[bool]]:
    """The rows of `JOINED` or `LEFT` on these axes."""
    found = within(table, axes.size, axes.known_at)
    if axes.as_of is not None:
        says = TIMELINE.alias()
        happened_ = select(says.c.position).where(says.c.position == table.c.position, says.c.time <= axes.as_of)
        found.append(happened_.correlate(table).exists())
    return found


async def gone(connection: AsyncConnection, incidents: Sequence[str], axes: Axes) -> frozenset[str]:
    """The reports that left these incidents, see `left`.

    What is judged, told or counted of a matter leaves them out, with all that was recorded of them before: it is about
    another matter. A timeline keeps it. `staying` says the same in a query.
    """
    return frozenset(await left(connection, incidents, axes.size, axes.known_at, above=False, as_of=axes.as_of))


def staying(axes: Axes) -> ColumnElement[bool]:
    """The condition on rows of `JOINED` that the report did not leave the matter afterwards."""
    leaves, j = LEFT.alias(), JOINED.c
    of = (leaves.c.incident_id == j.incident_id, leaves.c.report_id == j.report_id, leaves.c.position > j.position)
    return ~select(leaves.c.position).where(*of, *moved(leaves, axes)).correlate(JOINED).exists()


async def left(
    connection: AsyncConnection,
    incidents: Sequence[str],
    size: int,
    until: str | None,
    *,
    above: bool = True,
    as_of: str | None = None,
) -> dict[str, str]:
    """Report -> the instant at which it left these incidents, which are a `family`, see `within`.

    A report that went from one of them to another one, or came back, did not leave. A report that leaves the incident
    in which these go on leaves these as well, unless `above` is false.
    """
    of = LEFT.c
    holding = [*incidents, *(await _above(connection, incidents, size, until) if above else ())]
    elsewhere = or_(of.into.is_(None), of.into.not_in(incidents))
    leaving = select(of.report_id, of.recordedtime, of.position).where(of.incident_id.in_(holding), elsewhere)
    axes = Axes(size, as_of, until)
    rows = await connection.execute(
        leaving.where(*moved(LEFT, axes)).order_by(of.recordedtime.desc(), of.position.desc())
    )
    leaves = [(row.report_id, (row.recordedtime, row.position)) for row in rows]
    if not leaves:
        return {}
    j, left_ = JOINED.c, sql.mapped(dict.fromkeys((report for report, _ in leaves), ""))
    joining = select(j.report_id, j.recordedtime, j.position).join(left_, left_.c.key == j.report_id)
    joining = joining.where(j.incident_id.in_(incidents), *moved(JOINED, axes)).order_by(j.recordedtime, j.position)
    # Of one instant, the later position is the later one: a stream may have several events in it.
    joined = {row.report_id: (row.recordedtime, row.position) for row in await connection.execute(joining)}
    # The first time after it last came: what became of it later is about others.
    return {report: at[0] for report, at in leaves if at > joined.get(report, ("", -1))}


async def _above(connection: AsyncConnection, incidents: Sequence[str], size: int, until: str | None) -> set[str]:
    """The incidents in which these go on, without themselves."""
    found, further = set(incidents), set(incidents)
    while further:
        chosen = select(LINKS.c.incident_id).where(LINKS.c.stream_id.in_(further), *linked(size, until))
        further = set((await connection.execute(chosen)).scalars()) - found
        found |= further
    return found.difference(incidents)


def _there(gone: Mapping[str, str]) -> list[ColumnElement[bool]]:
    """The conditions that leave out what was recorded on a report after it left the incident."""
    if not gone:
        return []
    left_, t = sql.mapped(gone), TIMELINE.alias()
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
    packages: ColumnElement[bool] | None = None,
) -> tuple[Sequence[Any], Place | None]:
    """`position, bytes` of an incident's events after a place, and the place for the next page, or None at the end.

    `until` is the last instant of recording that the reader's part covers. `axes` are further filters, see `happened`
    and `recorded`. `newest` gives the last events instead of the first, in the same order. `packages` adds what was
    done with the incident's file, as far as the condition allows: it is about the record, and no part of it.
    """
    t, incidents = TIMELINE.c, await family(connection, incident, size, until)
    there = [*_there(await left(connection, incidents, size, until)), *linked(size, until)]
    axes = [t.position < size, *recorded(until), *axes]

    def in_order(table: Any, chosen: Select[Any]) -> Select[Any]:
        order = (table.c.recordedtime, table.c.event_id)
        in_turn = [column.desc() for column in order] if newest else order
        return chosen.where(tuple_(*order) > after, *axes).order_by(*in_turn).limit(limit + 1)

    def first_of(table: Any) -> Select[Any]:
        chosen = select(table.c.position, table.c.recordedtime, table.c.event_id)
        return in_order(table, chosen.join(TIMELINE, t.position == table.c.position))

    e = ENTRIES.c
    link = and_(LINKS.c.incident_id == e.incident_id, LINKS.c.stream_id == t.stream_id)
    entries = first_of(ENTRIES).join(LINKS, link).where(*there)
    # The index has the order of one incident. Each incident brings its first entries, and the page takes the first of
    # these.
    if len(incidents) <= PARTS:
        parts = [entries.where(e.incident_id == one) for one in incidents]
    else:
        parts = [entries.where(e.incident_id.in_(incidents)).distinct()]
    parts.append(first_of(NAMED).where(NAMED.c.incident_id.in_(incidents)).distinct())
    if packages is not None:
        done = select(t.position, t.recordedtime, t.event_id).join(PACKAGES, PACKAGES.c.event_id == t.event_id)
        parts.append(in_order(TIMELINE, done.where(PACKAGES.c.incident_id.in_(incidents), packages)))
    chosen = union(*(select(part.subquery()) for part in parts)).subquery()
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


def heard(units: Units) -> list[ColumnElement[bool]]:
    """The condition that leaves out remarks of inspections, but for those who read the inspection.

    These are the units above the office, and the office itself. `units` are those for which somebody reads.
    """
    if units is None:
        return []
    t, i, among = TIMELINE.c, INSPECTIONS.c, sorted(filter(None, units))
    inspected = select(i.inspection_id).where(i.unit.in_(among))
    return [or_(t.type.not_in(REMARKS), t.unit.in_(among), t.stream_id.in_(inspected))]


def without_remarks() -> list[ColumnElement[bool]]:
    """The condition that leaves out all remarks of inspections: for what goes on to others."""
    return [TIMELINE.c.type.not_in(REMARKS)]


async def events(
    connection: AsyncConnection,
    filters: Filters,
    size: int,
    *,
    after: int | None,
    limit: int,
    units: Iterable[str] | None,
    without: Iterable[str] = (),
    heard_by: Units = None,
) -> tuple[Sequence[Any], int | None]:
    """`position, bytes` of events after position `after`, or from the first; and the place of the next page, or None.

    `units` filters by the acting unit. None filters nothing, and is the only way to events of no unit. Types in
    `without` are left out. `heard_by`: see `heard`.
    """
    t = TIMELINE.c
    wanted = [t.position < size, *heard(heard_by)]
    if after is not None:
        wanted.append(t.position > after)
    for column, value in ((t.stream_id, filters.subject), (t.unit, filters.unit), (t.actor, filters.actor)):
        if value is not None:
            wanted.append(column == value)
    if filters.types is not None:
        wanted.append(t.type.in_(filters.types))
    if filters.from_ is not None:
        wanted.append(t.time >= filters.from_)
    if filters.to is not None:
        wanted.append(t.time <= filters.to)
    wanted += [*happened(filters.as_of), *recorded(filters.known_at)]
    if units is not None:
        wanted.append(t.unit.in_(sorted(units)))
    if without:
        wanted.append(t.type.not_in(sorted(without)))
    if filters.incident is None:
        chosen = select(t.position, t.bytes).where(and_(*wanted))
    else:
        both = await of_incident(connection, filters.incident, size, filters.known_until, wanted)
        there = both.order_by(both.selected_columns.position).limit(limit + 1).subquery()
        chosen = select(t.position, t.bytes).join(there, there.c.position == t.position)
    found = (await connection.execute(chosen.order_by(t.position).limit(limit + 1))).all()
    return found[:limit], found[limit - 1].position if len(found) > limit else None


async def of_incident(
    connection: AsyncConnection,
    incident: str,
    size: int,
    until: str | None,
    wanted: Sequence[ColumnElement[bool]],
) -> CompoundSelect[Any]:
    """The positions of those events of an incident that are `wanted`, as its timeline shows it.

    With OR between both parts, PostgreSQL reads the whole log.
    """
    t, incidents = TIMELINE.c, await family(connection, incident, size, until)
    there = [*_there(await left(connection, incidents, size, until)), *linked(size, until)]
    wanted = [t.position < size, *recorded(until), *wanted]
    of_streams = select(t.position).join(LINKS, LINKS.c.stream_id == t.stream_id)
    alone = select(t.position).join(NAMED, NAMED.c.position == t.position)
    return union(
        of_streams.where(LINKS.c.incident_id.in_(incidents), *there, *wanted),
        alone.where(NAMED.c.incident_id.in_(incidents), *wanted),
    )


async def changed(
    connection: AsyncConnection, after: int, size: int, limit: int, heard_by: Units
) -> tuple[dict[str, str], int]:
    """Incident -> the first instant at which something new of it was recorded, and the next position to ask with.

    It looks at the positions from `after` on and below `size`, at no more than `limit` of them. What belongs to no
    incident is left out. `heard_by`: see `heard`.
    """
    t, until = TIMELINE.c, min(size, after + limit)
    of_streams = (
        select(LINKS.c.incident_id, t.recordedtime)
        .join(LINKS, LINKS.c.stream_id == t.stream_id)
        .where(t.position >= after, t.position < until, LINKS.c.position < size)
    )
    alone = select(NAMED.c.incident_id, NAMED.c.recordedtime).join(TIMELINE, t.position == NAMED.c.position)
    alone = alone.where(NAMED.c.position >= after, NAMED.c.position < until, *heard(heard_by))
    new = union(of_streams, alone).subquery()
    chosen = select(new.c.incident_id, func.min(new.c.recordedtime)).group_by(new.c.incident_id)
    return {row[0]: row[1] for row in await connection.execute(chosen.order_by(new.c.incident_id))}, until


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


async def hears(connection: AsyncConnection, position: int, units: Units) -> bool:
    """Whether somebody who reads for these units reads this event, see `heard`."""
    chosen = select(TIMELINE.c.position).where(TIMELINE.c.position == position, *heard(units))
    return (await connection.execute(chosen)).first() is not None


async def incidents_of(connection: AsyncConnection, stream: str, size: int) -> Sequence[str]:
    """The incidents of a stream; an incident is its own."""
    chosen = select(LINKS.c.incident_id).where(LINKS.c.stream_id == stream, LINKS.c.position < size)
    return (await connection.execute(chosen.order_by(LINKS.c.incident_id))).scalars().all()


async def packed_by(connection: AsyncConnection, event_id: str) -> str | None:
    """The incident with whose file something was done by this event; None for any other event."""
    chosen = select(PACKAGES.c.incident_id).where(PACKAGES.c.event_id == event_id)
    found: str | None = (await connection.execute(chosen)).scalar()
    return found


async def named_by(connection: AsyncConnection, position: int) -> Sequence[str]:
    """The incidents that an event names for itself alone."""
    chosen = select(NAMED.c.incident_id).where(NAMED.c.position == position).order_by(NAMED.c.incident_id)
    return (await connection.execute(chosen)).scalars().all()
