"""What decisions of escalation read besides their stream: rows of its own views."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, false, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import triage
from schemas.envelope import Event
from schemas.fields import instant, parse_instant
from services.escalation.clock.heirs import Heirs, Link, links_of
from services.escalation.reactions import Batch, outdone
from services.escalation.views import (
    ARRIVALS,
    CLOCKS,
    COUNTING,
    INCIDENTS,
    MERGED,
    ROSTER,
    ROSTERS,
    SPLIT,
    WITHOUT_PACK,
)
from services.kernel.core.ids import stream_of
from services.kernel.store import sql
from services.kernel.store.views import Row

# for commands


async def for_clock(incident: str, connection: AsyncConnection, state: Any) -> Mapping[str, Any]:
    """The content of `ctx.seen` for a decision on an incident's clocks."""
    into = select(INCIDENTS.c.merged_into).where(INCIDENTS.c.incident_id == incident)
    return {"stream": stream_of("clock", incident), "into": (await connection.execute(into)).scalar()}


OPEN_MATTERS = 500
"""The most that a hand-over lists."""


async def for_roster(connection: AsyncConnection, unit: str) -> Mapping[str, Any]:
    """The content of `ctx.seen` for a decision at a desk: the open matters that the unit answers for or handles."""
    of = INCIDENTS.c
    open_ = (or_(of.unit == unit, of.assigned == unit), of.ended.is_(None), of.merged_into.is_(None))
    listed = select(of.incident_id).where(*open_).order_by(of.incident_id).limit(OPEN_MATTERS)
    number = (await connection.execute(select(func.count()).select_from(INCIDENTS).where(*open_))).scalar_one()
    return {"open": number, "incidents": tuple((await connection.execute(listed)).scalars())}


async def arrivals(connection: AsyncConnection, since: datetime, lately: datetime, at_least: int) -> list[Row]:
    """The hours since an instant of each matter and category of which so many reports came `lately`.

    So the many matters with one report are not read.
    """
    place = (ARRIVALS.c.unit, ARRIVALS.c.by, ARRIVALS.c.code)
    many = (
        select(*place)
        .where(ARRIVALS.c.hour >= instant(lately))
        .group_by(*place)
        .having(func.sum(ARRIVALS.c.reports) >= at_least)
    ).subquery()
    same = and_(*(column == many.c[column.name] for column in place))
    chosen = select(ARRIVALS).join(many, same).where(ARRIVALS.c.hour >= instant(since))
    return [dict(row) for row in (await connection.execute(chosen)).mappings()]


async def desks(connection: AsyncConnection) -> dict[str, int]:
    """Unit -> the version of its roster, for every desk that has begun."""
    return {row.unit: row.version for row in await connection.execute(select(ROSTERS.c.unit, ROSTERS.c.version))}


# for the timers


class Wake(NamedTuple):
    """A place in the order in which clocks wake."""

    at: str
    incident: str


async def waking(connection: AsyncConnection, now: datetime, after: Wake, limit: int) -> list[Wake]:
    """Incidents with a limit or rung that has passed by `now`, the earliest first, after a place."""
    place = tuple_(CLOCKS.c.wakes_at, CLOCKS.c.incident_id)
    chosen = (
        select(CLOCKS.c.wakes_at, CLOCKS.c.incident_id)
        .distinct()
        .where(CLOCKS.c.wakes_at < instant(now), place > after)
        .order_by(CLOCKS.c.wakes_at, CLOCKS.c.incident_id)
        .limit(limit)
    )
    return [Wake(*row) for row in await connection.execute(chosen)]


async def without_pack(connection: AsyncConnection, after: str, limit: int) -> list[str]:
    """Incidents without clocks because their pack has not arrived, in order, after an incident."""
    chosen = (
        select(INCIDENTS.c.incident_id)
        .where(WITHOUT_PACK, INCIDENTS.c.incident_id > after)
        .order_by(INCIDENTS.c.incident_id)
        .limit(limit)
    )
    return list((await connection.execute(chosen)).scalars())


async def under_packs(connection: AsyncConnection, after: str, limit: int, packs: Collection[str]) -> list[str]:
    """Incidents under any version of these packs, in order, after an incident."""
    under = or_(false(), *(INCIDENTS.c.policy.startswith(f"{pack}@", autoescape=True) for pack in sorted(packs)))
    chosen = select(INCIDENTS.c.incident_id).where(under, INCIDENTS.c.incident_id > after)
    return list((await connection.execute(chosen.order_by(INCIDENTS.c.incident_id).limit(limit))).scalars())


async def counting_work(connection: AsyncConnection, after: str, limit: int) -> list[str]:
    """Incidents with a clock that another calendar may move, in order, after an incident."""
    chosen = select(CLOCKS.c.incident_id).distinct().where(COUNTING, CLOCKS.c.incident_id > after)
    return list((await connection.execute(chosen.order_by(CLOCKS.c.incident_id).limit(limit))).scalars())


async def links_to(connection: AsyncConnection, incidents: Iterable[str]) -> dict[str, list[Link]]:
    """Incident -> the links by which others count for it, the farthest first. Only incidents with links are there."""
    links, further = dict[str, list[Link]](), set(incidents)
    asked = sorted(further)
    while further:
        found = [link for link in await _linked(connection, LINKED_TO, further) if link.heir in further]
        for link in found:
            links.setdefault(link.heir, []).append(link)
        further = {link.source for link in found} - links.keys()
    return {incident: _farthest_first(incident, links) for incident in asked if incident in links}


def _farthest_first(incident: str, links: Mapping[str, Sequence[Link]]) -> list[Link]:
    nearest, known, further = list[Link](), {incident}, [incident]
    while further:
        for link in links.get(further.pop(0), ()):
            nearest.append(link)
            if link.source not in known:
                known.add(link.source)
                further.append(link.source)
    return nearest[::-1]


# for reactions


_LINKING = select(INCIDENTS.c.incident_id, INCIDENTS.c.merged_into, INCIDENTS.c.split_from, INCIDENTS.c.split_at)
_OF_ONE = sql.is_one_of(INCIDENTS.c.incident_id, "incidents")
# Two queries each: a query with "or" would read the whole table.
LINKED_FROM = (
    _LINKING.where(_OF_ONE, MERGED),
    _LINKING.where(SPLIT, sql.is_one_of(INCIDENTS.c.split_from, "incidents")),
)
LINKED_TO = (
    _LINKING.where(_OF_ONE, SPLIT),
    _LINKING.where(MERGED, sql.is_one_of(INCIDENTS.c.merged_into, "incidents")),
)


async def _linked(connection: AsyncConnection, asked: Sequence[Select[Any]], incidents: Iterable[str]) -> list[Link]:
    named = {"incidents": sorted(incidents)}
    found = await sql.fetch(connection, [sql.Query(one, named) for one in asked])
    return [link for rows in found for row in rows for link in _links(*row)]


def _links(incident: str, into: str | None, split_from: str | None, split_at: str | None) -> Iterable[Link]:
    if into:
        yield Link(incident, into)
    if split_from and split_at:
        yield Link(split_from, incident, parse_instant(split_at))


async def know(connection: AsyncConnection, events: Sequence[Event]) -> Batch:
    """The heirs of the events' incidents, also those that the events themselves tell of; and the superfluous events."""
    links = [link for event in events for link in links_of(event)]
    further = {
        event.correlation or event.stream for event in events if event.kind in ("incident", "statement", "press")
    }
    further |= {link.heir for link in links}
    asked = set[str]()
    while further := further - asked:
        asked |= further
        found = await _linked(connection, LINKED_FROM, further)
        links += found
        further = {link.heir for link in found}
    return Batch(Heirs(links), await _staffed(connection, events), outdone(events))


async def _staffed(connection: AsyncConnection, events: Sequence[Event]) -> dict[str, list[tuple[str, str]]]:
    """When somebody is on duty at the desks of the units to which reports came."""
    coming = [one for one in events if isinstance(one.data, triage.IncidentOpened | triage.IncidentReportAttached)]
    if not coming:
        return {}
    units = sorted({one.data.unit for one in coming})
    desks = select(ROSTERS.c.unit).where(ROSTERS.c.unit.in_(units))
    found: dict[str, list[tuple[str, str]]] = {unit: [] for unit in (await connection.execute(desks)).scalars()}
    if found:
        first = min(one.recorded_text for one in coming)
        chosen = select(ROSTER.c.unit, ROSTER.c.signed_on, ROSTER.c.handed_over, ROSTER.c.until).where(
            ROSTER.c.unit.in_(sorted(found)), ROSTER.c.until > first, ROSTER.c.signed_on.is_not(None)
        )
        for unit, since, handed_over, until in await connection.execute(chosen):
            found[unit].append((since, min(handed_over or until, until)))
    return found
