"""The lists of a desk: what waits for the caller's office, and how much of it.

A list holds the matters of the caller's unit and the units below it, the earliest limit first. `inbox` holds what waits
for an act of the caller's roles. `gaps` holds the times for which nobody is on duty.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Path, Query, Response
from pydantic import StringConstraints
from sqlalchemy import ColumnElement, ScalarSelect, and_, func, or_, select, text, true, tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import (
    UUID,
    Code,
    Figure,
    IncidentId,
    Instant,
    Number,
    Post,
    StreamId,
    UnitCode,
    instant,
    parse_instant,
)
from services.kernel.core.commands import example
from services.kernel.core.decider import Ctx
from services.kernel.core.standings import Units
from services.kernel.serving import documents, http, paging
from services.kernel.serving.answers import Answered, Page
from services.kernel.serving.approvals import Gate
from services.kernel.serving.paging import Cursor, Limit, Narrow, must_be_known
from services.kernel.store.views import Row
from services.triage.part_answers import BallOf
from services.triage.queries import subjects, waits
from services.triage.rights import READ_MATTER
from services.triage.views import DESK, DUTY_GAPS, INCIDENTS
from services.triage.worklist import desk, desk_gaps
from services.triage.worklist.desk import INBOX, NAMES, ListName

Asked = Literal["inbox", ListName]
Soon = Literal["overdue", "hour", "day", "later", "none"]
"""How soon the earliest date of a row comes: it has passed, comes within an hour, within a day, later, or never."""
SOON: tuple[Soon, ...] = get_args(Soon)
COUNTED = 1000
"""Rows are counted up to this number."""
FEW = 100
"""One request asks for so many named matters."""
Several = Annotated[
    str, StringConstraints(pattern=f"^incident-{UUID}(,incident-{UUID}){{0,{FEW - 1}}}$", max_length=FEW * 46)
]
_BALL = {"unit": "town-east", "post": None, "since": "2026-03-02T02:00:00.000000Z", "for": "acceptance"}
_LIMIT = {
    "clock": "accept",
    "unit": "town-east",
    "state": "running",
    "due": "2026-03-02T05:00:00.000000Z",
    "seconds_left": 1800.0,
}


class LimitOf(Answered):
    """A limit of the matter that has not been met."""

    clock: Code
    """Its name in the pack."""
    unit: UnitCode | None
    """The unit that is charged with it."""
    state: Literal["running", "paused", "breached", "deferred"]
    """Whether it runs, stands still, has passed, or was deferred to a date of review."""
    due: Instant
    """When it ends; for a deferral, the date of review."""
    seconds_left: float
    """How long is left; below 0 afterwards."""


class Checks(Answered):
    """The checks before the approval of a proposal."""

    proposal: Figure
    """Its number within the incident."""
    gates: tuple[Gate, ...]
    """The checks, as they stand for the caller."""


class DeskRow(Answered):
    """A matter on a desk."""

    number: Number | None
    """The number by which people name it."""
    incident_id: IncidentId
    """The incident's id."""
    title: str | None
    """The first report's concern, in short."""
    unit: UnitCode | None
    """The accountable unit."""
    assigned: UnitCode | None
    """The unit that handles it."""
    level: Code | None
    """Its level."""
    drill: bool
    """Whether it is an exercise."""
    ball: BallOf | None
    """Whom it waits for."""
    lists: tuple[ListName, ...]
    """The lists of which this answer has it. In the inbox they say for what it waits from the caller."""
    proposals: tuple[Figure, ...]
    """The numbers of its proposals that wait for approval."""
    checks: tuple[Checks, ...]
    """The checks of each of them."""
    statements: tuple[StreamId, ...]
    """Its statements that wait for approval."""
    limits: tuple[LimitOf, ...]
    """Its limits, the earliest first."""
    due: Instant | None
    """By which date it stands in the list: that of its earliest limit which does not stand still, of a review, or of
    the plan of a matter that was left unsolved."""
    soon: Soon
    """How soon that date comes: it has passed, comes within an hour, within a day, later, or there is none."""


class DeskList(
    Page,
    json_schema_extra=example(
        items=[
            {
                "number": "town-east-2026-00042",
                "incident_id": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
                "title": "卫生院门前路灯不亮",
                "unit": "town-east",
                "assigned": None,
                "level": "general",
                "drill": False,
                "ball": _BALL,
                "lists": ["to_accept"],
                "proposals": [],
                "checks": [],
                "statements": [],
                "limits": [_LIMIT],
                "due": "2026-03-02T05:00:00.000000Z",
                "soon": "hour",
            }
        ],
        counts={"overdue": 0, "hour": 1, "day": 0, "later": 0, "none": 0},
        next=None,
    ),
):
    """A list of a desk."""

    items: tuple[DeskRow, ...]
    """The entries of this page."""
    counts: dict[Soon, int]
    """How soon -> how many entries of all pages, counted up to 1,000; with the same filters except `soon`."""


class GapRow(Answered):
    """A time for which nobody is on duty at a desk."""

    unit: UnitCode
    """Whose desk."""
    since: Instant
    """When it begins, or began."""
    until: Instant
    """When it ends."""
    cause: Literal["not_planned", "not_signed_on"]
    """Whether nobody is planned, or who was planned has not signed on."""
    post: Post | None
    """Who has not signed on."""
    seconds_left: float
    """How long until it begins; below 0 afterwards."""


class GapList(
    Page,
    json_schema_extra=example(
        items=[
            {
                "unit": "town-east",
                "since": "2026-03-03T00:00:00.000000Z",
                "until": "2026-03-03T12:00:00.000000Z",
                "cause": "not_planned",
                "post": None,
                "seconds_left": 79200.0,
            }
        ],
        next=None,
    ),
):
    """The gaps on duty of a desk."""

    items: tuple[GapRow, ...]
    """The entries of this page."""


class DeskCounts(Answered, json_schema_extra=example(lists={"inbox": 3, "open": 12})):
    """How many matters each list holds."""

    lists: dict[str, int]
    """List -> count."""


@functools.cache
def router() -> APIRouter:
    """The paths of the desk."""
    routes = http.router("/triage/v1", "triage")

    @routes.get("/desk", **documents.answers(DeskCounts))
    async def count_desk(runtime: http.Serving, staff: http.Staff) -> Response:
        """How many matters each list of the caller's desk holds, in one request."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            units = READ_MATTER.listed(ctx)
            found = await counts(connection, units, inbox_of(ctx))
            gaps = await desk_gaps.open_gaps(connection, DUTY_GAPS, units, ctx.now)
        return http.json_response({"lists": {**found, "gaps": len(gaps)}})

    @routes.get("/desk/gaps", **documents.answers(GapList))
    async def list_gaps(runtime: http.Serving, staff: http.Staff, limit: Limit = 50, cursor: Cursor = None) -> Response:
        """The times for which nobody is on duty at the caller's desk and those below it, the earliest first."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            found = await desk_gaps.open_gaps(connection, DUTY_GAPS, READ_MATTER.listed(ctx), ctx.now)
        if cursor is not None:
            after = paging.place_of(cursor, str, str, str, str)
            found = [gap for gap in found if desk_gaps.place(gap) > after]
        gaps, further = paging.page(found, limit, desk_gaps.place)
        for gap in gaps:
            gap["seconds_left"] = (parse_instant(gap["since"]) - ctx.now).total_seconds()
        return http.json_response({"items": gaps, "next": further})

    @routes.get("/desk/{name}", **documents.answers(DeskList))
    async def list_desk(
        runtime: http.Serving,
        name: Annotated[Asked, Path(description="The list.")],
        staff: http.Staff,
        unit: Annotated[UnitCode | None, Query(description="Only on the desks of this unit and those below.")] = None,
        level: Annotated[Narrow, Query(description="Only matters of this level.")] = None,
        category: Annotated[Narrow, Query(description="Only matters of this category and those below it.")] = None,
        soon: Annotated[Soon | None, Query(description="Only matters whose earliest date comes so soon.")] = None,
        incidents: Annotated[
            Several | None,
            Query(description="Only these matters, ids with commas between them, as far as it has them."),
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """One list of the caller's desk, the earliest limit first. Matters without a limit come last."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            packs = [pack.model for pack in ctx.offices.packs.values()]
            must_be_known("unit", unit, ctx.offices.ever)
            must_be_known("level", level, {of.code for pack in packs for of in pack.levels})
            must_be_known("category", category, ctx.offices.lists.categories)
            names: tuple[ListName, ...] = inbox_of(ctx) if name == "inbox" else (name,)
            units = _within(ctx, unit)
            filters = Filters(level, category, soon, incidents and incidents.split(","))
            found = await page(connection, names, units, cursor, limit, filters.conditions(ctx.now))
            rows, further = paging.page(found, limit, lambda row: (row["due"], row["incident_id"]))
            ids = [row["incident_id"] for row in rows]
            titles, waiting = await subjects(connection, ids), await waits(connection, ctx, ids)
            counted = await by_date(connection, names, units, filters, ctx.now)
        items = [
            _shown(row, titles.get(row["incident_id"]), waiting.get(row["incident_id"], {}), ctx.now)
            | {"lists": [one for one in names if _is_on(one, row, units)]}
            for row in rows
        ]
        return http.json_response({"items": items, "counts": counted, "next": further})

    return routes


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows a list; None narrows nothing."""

    level: str | None = None
    category: str | None = None
    soon: Soon | None = None
    incidents: Sequence[str] | None = None

    def conditions(self, now: datetime) -> list[ColumnElement[bool]]:
        """The conditions of the rows that stay."""
        found = [] if self.soon is None else _dates(self.soon, now)
        if self.level is not None:
            found.append(DESK.c.level == self.level)
        if self.category is not None:
            below = INCIDENTS.c.category.startswith(f"{self.category}.", autoescape=True)
            of_it = select(INCIDENTS.c.id).where(INCIDENTS.c.id == DESK.c.incident_id)
            found.append(of_it.where(or_(INCIDENTS.c.category == self.category, below)).exists())
        if self.incidents is not None:
            found.append(DESK.c.incident_id.in_(self.incidents))
        return found


def _dates(soon: Soon, now: datetime) -> list[ColumnElement[bool]]:
    """The conditions of the rows whose date comes so soon."""
    ends = [instant(now), instant(now + timedelta(hours=1)), instant(now + timedelta(days=1)), desk.NEVER]
    at = SOON.index(soon)
    since = [DESK.c.due >= ends[at - 1]] if at else []
    return since + ([DESK.c.due < ends[at]] if at < len(ends) else [])


def _soon(due: str, now: datetime) -> Soon:
    if due == desk.NEVER:
        return "none"
    left = parse_instant(due) - now
    if left < timedelta():
        return "overdue"
    return "hour" if left < timedelta(hours=1) else "day" if left < timedelta(days=1) else "later"


def _within(ctx: Ctx, unit: str | None) -> Units:
    """The units that the actor oversees, or of these only one and those below it."""
    listed = READ_MATTER.listed(ctx)
    if unit is None:
        return listed
    below = ctx.offices.below(unit)
    return below if listed is None else below & set(listed)


def inbox_of(ctx: Ctx) -> tuple[ListName, ...]:
    """The lists that wait for an act of the caller's roles."""
    return tuple(sorted({name for role in ctx.actor.roles for name in INBOX.get(role, ())}))


def _holds(name: ListName, units: Units) -> list[ColumnElement[bool]]:
    """Conditions of the rows on the desks of these units; a row may fulfil several of them. Each has its own index."""
    if units is None:
        return [and_(true(), text(f"desk.{name}"))]
    found: list[ColumnElement[bool]] = [and_(text(f"desk.{name}"), DESK.c[desk.unit_column(name)].in_(sorted(units)))]
    if name in desk.SEVERAL:
        # The column above names only the first of the units.
        found.append(and_(text(desk.has_several(name)), desk.names_any(DESK.c[desk.SEVERAL[name]], units)))
    return found


def _is_on(name: ListName, row: Row, units: Units) -> bool:
    """Whether a list holds a row on the desks of these units: `_holds` for one row that was read."""
    has = str(row[desk.SEVERAL.get(name, desk.unit_column(name))] or "").split()
    return bool(row[name]) and (units is None or any(one in units for one in has))


async def counts(connection: AsyncConnection, units: Units, inbox: tuple[ListName, ...]) -> dict[str, int]:
    """List -> how many rows of these units it holds."""
    on_it = true() if units is None else DESK.c.unit.in_(sorted(units))
    held = select(DESK.c.unit, DESK.c.lists, func.count()).where(desk.HELD, on_it)
    # In the order of the index, so that nothing is sorted.
    found = [(lists, count) for _, lists, count in await connection.execute(held.group_by(DESK.c.unit, DESK.c.lists))]

    def by_mask(*names: ListName) -> int:
        return sum(count for lists, count in found if lists & desk.mask(names))

    def held_by(*names: ListName, besides: Sequence[ListName] = ()) -> ScalarSelect[int]:
        """The count of the rows that these lists hold, each once; without those that `by_mask` counts for `besides`."""
        unit, others = DESK.c.unit, DESK.c.lists.bitwise_and(desk.mask(besides)) == 0
        left = [or_(unit.is_(None), unit.not_in(sorted(units or ())), others)] if besides else []
        parts = (select(DESK.c.incident_id).where(holds, *left) for name in names for holds in _holds(name, units))
        return select(func.count()).select_from(union(*parts).subquery()).scalar_subquery()

    answer = {"inbox": 0} | {name: by_mask(name) for name in NAMES}
    if units is None:
        return answer | {"inbox": by_mask(*inbox)}
    # These lists go by another unit than the accountable one.
    elsewhere = [name for name in NAMES if desk.unit_column(name) != "unit"]
    here = [name for name in inbox if name not in elsewhere]
    there = [name for name in inbox if name in elsewhere]
    counted: dict[str, ScalarSelect[int]] = {name: held_by(name) for name in elsewhere}
    if there:
        counted["inbox"] = held_by(*there, besides=here)
    row = (await connection.execute(select(*counted.values()))).one()
    answer |= dict(zip(counted, row, strict=True))
    return answer | {"inbox": answer["inbox"] + by_mask(*here)}


async def page(
    connection: AsyncConnection,
    names: tuple[ListName, ...],
    units: Units,
    cursor: str | None,
    limit: int,
    narrow: Sequence[ColumnElement[bool]] = (),
) -> list[Row]:
    """`limit + 1` rows of these lists after the cursor, each once, in order of their earliest limit.

    `narrow` are further conditions.
    """
    order = (DESK.c.due, DESK.c.incident_id)
    after = true() if cursor is None else tuple_(*order) > paging.place_of(cursor, str, str)
    rows: dict[str, Row] = {}
    # Each list has its own index in this order.
    for holds in (one for name in names for one in _holds(name, units)):
        chosen = select(DESK).where(holds, after, *narrow).order_by(*order).limit(limit + 1)
        rows |= {row["incident_id"]: dict(row) for row in (await connection.execute(chosen)).mappings()}
    return sorted(rows.values(), key=itemgetter("due", "incident_id"))[: limit + 1]


async def by_date(
    connection: AsyncConnection, names: tuple[ListName, ...], units: Units, filters: Filters, now: datetime
) -> dict[Soon, int]:
    """How soon -> how many rows of these lists, each once, up to `COUNTED`."""
    held = [holds for name in names for holds in _holds(name, units)]
    if not held:
        return dict.fromkeys(SOON, 0)
    counted = []
    for soon in SOON:
        narrow = replace(filters, soon=soon).conditions(now)
        parts = (select(select(DESK.c.incident_id).where(holds, *narrow).limit(COUNTED).subquery()) for holds in held)
        each_once = union(*parts).limit(COUNTED).subquery()
        counted.append(select(func.count()).select_from(each_once).scalar_subquery())
    return dict(zip(SOON, (await connection.execute(select(*counted))).one(), strict=True))


def _shown(row: Row, title: str | None, waits: Row, now: datetime) -> Row:
    limits = [
        {"clock": clock, "unit": None, **one, "seconds_left": (parse_instant(one["due"]) - now).total_seconds()}
        for clock, one in json.loads(row["limits"]).items()
    ]
    return {
        **{name: row[name] for name in ("number", "incident_id")},
        "title": title,
        **{name: row[name] for name in ("unit", "assigned", "level", "drill")},
        "ball": waits.get("ball"),
        "proposals": [int(number) for number in row["proposals"].split()],
        "checks": waits.get("checks", []),
        "statements": row["statements"].split(),
        "limits": sorted(limits, key=itemgetter("due", "clock")),
        "due": None if row["due"] == desk.NEVER else row["due"],
        "soon": _soon(row["due"], now),
    }
