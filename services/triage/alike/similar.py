"""Which known matters are like a report: ranked and offered, never decided.

Compared are subject, text and place, then category and time; nothing about who wrote. The index of words names some
hundred reports that have the rarest pairs of characters of what is asked; these are compared exactly. So the time and
the memory of one question are bounded, however many matters there are.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, and_, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant, parse_instant
from services.kernel.core.decider import Ctx
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import sql, standings, word_index
from services.kernel.store.views import Row
from services.kernel.store.words import texts
from services.triage.alike.tokens import Commonness, commonness, cosine, document, shared, vector
from services.triage.rights import READ_MATTER
from services.triage.seen import rows_of
from services.triage.views import INCIDENT_REPORTS, INCIDENTS, METADATA, REPORTS, SAID

OFFERED_FROM = 0.08
"""The lowest score that is offered. No score tells "the same" from "alike", so this only keeps the list short."""
RECENT = timedelta(days=365)
"""How long after its closing a matter is still compared."""
FOUND = 1000
"""So many texts the index names."""
EXACT = 60
"""So many of their reports are compared exactly."""
OF_MATTER = 3
"""At most so many of them are of one matter, so that one with thousands of near copies hides no other."""
EQUALS = 10
"""At most so many of them have the same pairs of what is asked, so that near copies of many matters hide no other."""
SAMPLE = 2000
"""The newest matters from which the commonness of characters is known."""
_OF_REPORT = ("report_id", "discovered_at", *SAID)
FRESH = 600.0
"""Seconds for which it is known, unless the matters grow by a tenth."""


class Asked(NamedTuple):
    """What is compared with the known matters."""

    unit: str
    subject: str
    text: str
    place: str | None = None
    category: str | None = None
    at: str = ""
    """When it was discovered, as text; nothing for now."""
    drill: bool = False
    besides: frozenset[str] = frozenset()
    """Incidents that are not compared."""
    until: str | None = None
    """Incidents that were opened later are not compared."""


class Near(NamedTuple):
    """A known matter and how alike its nearest report is, from 0 to 1."""

    row: Row
    score: float
    shared: list[str]


class Found(NamedTuple):
    """The nearest matters of the asked unit and of those below it, best first; and the units above that have some."""

    near: list[Near]
    above: list[str]


@dataclass(slots=True)
class _Known:
    common: Commonness
    matters: int
    until: float
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


_known: WeakKeyDictionary[Runtime, _Known] = WeakKeyDictionary()


async def common(runtime: Runtime, connection: AsyncConnection) -> Commonness:
    """How common runs of characters are among the newest matters of this deployment."""
    known = _known.setdefault(runtime, _Known(Commonness({}, 1.0), 0, 0.0))
    async with known.lock:
        newest = select(INCIDENTS.c.id).limit(SAMPLE + 1).subquery()
        matters = (await connection.execute(select(func.count()).select_from(newest))).scalar_one()
        grown = matters != known.matters and matters > known.matters * 1.1
        if grown or time.monotonic() > known.until:
            documents = await _newest(connection)
            known.common = await asyncio.to_thread(commonness, documents)
            known.matters, known.until = matters, time.monotonic() + FRESH
    return known.common


async def _newest(connection: AsyncConnection) -> list[str]:
    """What the first reports of the newest matters say."""
    of, table = INCIDENT_REPORTS, INCIDENTS
    newest = select(table.c.id).order_by(table.c.opened_at.desc(), table.c.id.desc()).limit(SAMPLE).subquery()
    chosen = (
        select(of.c.incident_id, of.c.position, REPORTS.c.subject, REPORTS.c.text, REPORTS.c.place)
        .join(newest, newest.c.id == of.c.incident_id)
        .join(REPORTS, REPORTS.c.report_id == of.c.report_id)
        .where(of.c.position == 1)
    )
    rows = (await connection.execute(chosen)).all()
    words = await texts(connection, METADATA, [ref for row in rows for ref in (row.subject, row.text, row.place)])
    return [document(*(words.get(ref or "") for ref in (row.subject, row.text, row.place))) for row in rows]


async def find(
    runtime: Runtime, connection: AsyncConnection, ctx: Ctx, asked: Asked, limit: int, threshold: float = OFFERED_FROM
) -> Found:
    """The matters that are most like what is asked, and the units above that have such a matter.

    Of the matters, those in which a unit has a part that the actor oversees: an assigned or helping unit sees others of
    the accountable unit as little here as in any list.
    """
    known = await common(runtime, connection)
    told = document(asked.subject, asked.text, asked.place)
    weights = {pair: known.weight(pair) for pair in word_index.pairs_of(told) if pair.isalnum()}
    rarest = sorted(weights, key=lambda pair: (-weights[pair], pair))[: word_index.ASKED]
    of = tuple(column for columns in SAID.values() for column in columns)
    refs = await word_index.nearest(connection, {pair: weights[pair] for pair in rarest}, of, FOUND)
    below, above = ctx.offices.below(asked.unit), ctx.offices.above(asked.unit)[1:]
    rows = await _reports(connection, ctx, asked, refs, {*below, *above})
    words = await texts(connection, METADATA, [ref for row in rows for ref in _refs(row)])
    mine, best = vector(told, known), dict[str, tuple[float, Row, str]]()
    for row in rows:
        other = document(*(words.get(ref or "") for ref in _refs(row)))
        score = _adjusted(cosine(mine, vector(other, known)), row, asked, words, ctx)
        if score >= threshold and score > best.get(row["id"], (0.0,))[0]:
            best[row["id"]] = (score, row, other)
    ranked = sorted(best.values(), key=lambda one: (-one[0], one[1]["id"]))
    readable = await _readable(connection, ctx, [row["id"] for _, row, _ in ranked])
    near = [one for one in ranked if one[1]["unit"] in below and one[1]["id"] in readable][:limit]
    return Found(
        [Near(row, round(score, 3), shared(told, other, known)) for score, row, other in near],
        [unit for unit in above if any(row["unit"] == unit for _, row, _ in ranked)],
    )


async def _readable(connection: AsyncConnection, ctx: Ctx, ids: Collection[str]) -> Collection[str]:
    """Those of the incidents in which a unit has a part that the actor oversees."""
    overseen = READ_MATTER.units(ctx)
    if overseen is None:
        return ids
    known = await standings.read(connection, METADATA, ids)
    return {id_ for id_ in ids if not known[id_].units.isdisjoint(overseen)}


def _refs(row: Mapping[str, Any]) -> tuple[str | None, ...]:
    return row["subject"], row["text"], row["place"]


def _adjusted(alike: float, row: Row, asked: Asked, words: Mapping[str, str], ctx: Ctx) -> float:
    """The score: the same place and category speak for the same matter, a year between them speaks against it."""
    place = words.get(row["place"] or "")
    if asked.place and place and asked.place.strip() == place.strip():
        alike *= 1.2
    if asked.category and asked.category == row["category"]:
        alike *= 1.05
    at = parse_instant(asked.at) if asked.at else ctx.now
    apart = abs(at - parse_instant(row["discovered_at"]))
    return min(1.0, alike * math.pow(0.95, apart / timedelta(days=365)))


async def _reports(
    connection: AsyncConnection, ctx: Ctx, asked: Asked, refs: Mapping[str, float], units: Collection[str]
) -> list[Row]:
    """The reports and registrations of these texts, with their incidents, as far as they are compared.

    The likeliest ones come first.
    """
    if not refs:
        return []
    # One parameter, however many texts there are.
    holding = select(sql.mapped(dict.fromkeys(refs, "")).c.key)
    near = (
        INCIDENTS.c.drill.is_(asked.drill),
        INCIDENTS.c.unit.in_(sorted(units)),
        _compared(ctx),
        true() if asked.until is None else INCIDENTS.c.opened_at <= asked.until,
    )
    reported = (
        select(INCIDENTS.c.id, *(REPORTS.c[name] for name in _OF_REPORT))
        .select_from(REPORTS)
        .join(INCIDENT_REPORTS, INCIDENT_REPORTS.c.report_id == REPORTS.c.report_id)
        .join(INCIDENTS, INCIDENTS.c.id == INCIDENT_REPORTS.c.incident_id)
        .where(or_(*(REPORTS.c[name].in_(holding) for name in SAID)), INCIDENT_REPORTS.c.active, *near)
    )
    of_matter = (INCIDENTS.c[name] for name in _OF_REPORT[1:])
    registered = select(INCIDENTS.c.id, INCIDENTS.c.id.label("report_id"), *of_matter).where(
        or_(*(INCIDENTS.c[name].in_(holding) for name in SAID)), *near
    )
    rows = [dict(row) for one in (reported, registered) for row in (await connection.execute(one)).mappings()]
    nearest = _likeliest([row for row in rows if row["id"] not in asked.besides], refs)
    # The whole rows of those few alone: the index may name as many texts as it likes.
    whole = await rows_of(connection, INCIDENTS, INCIDENTS.c.id.in_(sorted({row["id"] for row in nearest})))
    matters = {row["id"]: row for row in whole}
    return [{**matters[row["id"]], **row} for row in nearest]


def _likeliest(rows: list[Row], refs: Mapping[str, float]) -> list[Row]:
    """The reports that are compared exactly, the heaviest first."""
    weights = {row["report_id"]: round(sum(refs.get(ref or "", 0.0) for ref in _refs(row)), 6) for row in rows}
    rows.sort(key=lambda row: (-weights[row["report_id"]], row["report_id"]))
    of_matter, equals, found = Counter[str](), Counter[float](), list[Row]()
    for row in rows:
        weight = weights[row["report_id"]]
        if of_matter[row["id"]] < OF_MATTER and equals[weight] < EQUALS:
            of_matter[row["id"]] += 1
            equals[weight] += 1
            found.append(row)
    return found[:EXACT]


def _compared(ctx: Ctx) -> ColumnElement[bool]:
    """Open and resolved incidents, and those that were closed not long ago."""
    state = INCIDENTS.c.state
    closed = and_(state == "closed", INCIDENTS.c.closed_at >= instant(ctx.now - RECENT))
    return or_(state.in_(("open", "assigned", "accepted", "resolved")), closed)


async def asked_of(connection: AsyncConnection, row: Row) -> Asked | None:
    """What an incident says: its registration, or its first report. None if its words have not come, or were erased."""
    of = INCIDENT_REPORTS
    first = select(of.c.report_id).where(of.c.incident_id == row["id"], of.c.active).order_by(of.c.position).limit(1)
    (report,) = await rows_of(connection, REPORTS, REPORTS.c.report_id.in_(first.scalar_subquery())) or (None,)
    if row["subject"]:
        report = row
    if report is None:
        return None
    words = await texts(connection, METADATA, _refs(report))
    if not words:
        return None
    return Asked(
        unit=row["unit"],
        subject=words.get(report["subject"], ""),
        text=words.get(report["text"], ""),
        place=words.get(report["place"] or ""),
        category=row["category"],
        at=report["discovered_at"],
        drill=row["drill"],
        besides=frozenset({row["id"]}),
    )
