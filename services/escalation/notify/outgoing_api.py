"""The HTTP path of outgoing notices: of what a unit's posts were told, where it went, and what became of it."""

from collections import defaultdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.escalation import SendingError, Way
from schemas.fields import Code, IncidentId, Instant, Number, Post, UnitCode, Uuid, instant
from services.escalation.queries import rows_of
from services.escalation.rights import READ_ROSTER
from services.escalation.views import CLOCKS, INCIDENTS, METADATA
from services.kernel.core.commands import example
from services.kernel.serving import documents, http, paging
from services.kernel.serving.answers import Answered, Page
from services.kernel.serving.paging import At, Cursor, Limit, must_be_known
from services.kernel.store.views import Row

OUTGOING, ATTEMPTS = METADATA.tables["outgoing"], METADATA.tables["attempts"]
State = Literal["delivered", "failing", "expired", "untried"]
Rule = Literal[
    "new", "assigned", "warn", "breach", "rung", "due", "hop", "informed", "approval", "gap", "held", "surge"
]


class Delivery(Answered):
    """The tries to bring a notice to a place of a post."""

    post: Post
    """The post."""
    way: Way
    """The kind of channel."""
    place: Uuid
    """The id of the place. Its address is never shown."""
    delivered: bool
    """Whether the place took it."""
    tries: int
    """How often it was tried."""
    at: Instant
    """When it was last tried, or given up."""
    error: SendingError | None
    """Why the place has no notice; null if it took it."""


class OutgoingNotice(Answered):
    """Something of which posts are told by mail or message."""

    notice: Uuid
    """Its id."""
    rule: Rule
    """Of what it tells."""
    unit: UnitCode
    """The unit whose posts are told."""
    at: Instant
    """When it arose."""
    incident_id: IncidentId | None
    """The matter; null if it belongs to none."""
    number: Number | None
    """The matter's number."""
    clock: Code | None
    """The limit of which it tells."""
    what: Code | None
    """What waits for approval, why there is a gap, or where a surge is."""
    due: Instant | None
    """The instant of which it tells: the end of a limit, or the begin of a gap."""
    until: Instant | None
    """The end of a gap."""
    posts: tuple[Post, ...]
    """The posts that it names. Where it names none, it goes to those who are on duty, or to those it asks."""
    drill: bool
    """Whether it is of an exercise, and goes nowhere."""
    state: State
    """`expired`: a place did not take it within a day. `failing`: a place has not taken it yet. `delivered`: each
    place that was tried took it. `untried`: it went nowhere, for example since no post that is told has an address."""
    deliveries: tuple[Delivery, ...]
    """The tries, for each place."""


class OutgoingNotices(
    Page,
    json_schema_extra=example(
        items=[
            {
                "notice": "018f0000-0000-7000-8000-000000000001",
                "rule": "breach",
                "unit": "town-east",
                "at": "2026-03-02T05:00:01.000000Z",
                "incident_id": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
                "number": "town-east-2026-00042",
                "clock": "public_statement",
                "what": None,
                "due": "2026-03-02T05:00:00.000000Z",
                "until": None,
                "posts": [],
                "drill": False,
                "state": "delivered",
                "deliveries": [
                    {
                        "post": "duty_officer@town-east",
                        "way": "mail",
                        "place": "018f0000-0000-7000-8000-000000000000",
                        "delivered": True,
                        "tries": 1,
                        "at": "2026-03-02T05:00:02.000000Z",
                        "error": None,
                    }
                ],
            }
        ],
        next=None,
    ),
):
    """Outgoing notices, the newest first."""

    items: tuple[OutgoingNotice, ...]
    """The entries of this page."""


def add_routes(api: APIRouter) -> None:
    """Adds the list."""

    @api.get("/outgoing-notices", **documents.answers(OutgoingNotices))
    async def list_outgoing_notices(
        runtime: http.Serving,
        staff: http.Staff,
        unit: Annotated[UnitCode, Query(description="Of what posts of this unit, and of units below, are told.")],
        state: Annotated[State | None, Query(description="Only notices of which this became.")] = None,
        rule: Annotated[Rule | None, Query(description="Only notices of this kind.")] = None,
        since: Annotated[At | None, Query(description="Only notices that arose at this instant or later.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Of what the posts of a unit were told, where it went, and what became of it."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            READ_ROSTER.require(unit, ctx)
            chosen = _chosen(ctx.offices.below(unit), state, rule, since, cursor)
            if removed := sorted(ctx.offices.removed):
                chosen = chosen.where(or_(INCIDENTS.c.unit.is_(None), INCIDENTS.c.unit.not_in(removed)))
            found = await rows_of(connection, chosen.limit(limit + 1))
            rows, further = paging.page(found, limit, lambda row: [row["at"], row["notice"]])
            tries = await _tries(connection, [row["notice"] for row in rows])
        items = [_shown(row, tries[row["notice"]]) for row in rows]
        return http.json_response({"items": items, "next": further})


def _chosen(
    units: frozenset[str], state: State | None, rule: Rule | None, since: datetime | None, cursor: str | None
) -> Any:
    """The notices of units, the newest first. Where one names no unit, its limit or its matter does."""
    unit = func.coalesce(OUTGOING.c.unit, CLOCKS.c.unit, INCIDENTS.c.unit)
    of_clock = and_(CLOCKS.c.incident_id == OUTGOING.c.incident_id, CLOCKS.c.clock == OUTGOING.c.clock)
    joined = OUTGOING.outerjoin(CLOCKS, of_clock).outerjoin(
        INCIDENTS, INCIDENTS.c.incident_id == OUTGOING.c.incident_id
    )
    columns = [column for column in OUTGOING.columns if column.name != "unit"]
    chosen = select(*columns, unit.label("unit"), INCIDENTS.c.number).select_from(joined).where(unit.in_(sorted(units)))
    if state is not None:
        chosen = chosen.where(_became(state))
    if rule is not None:
        chosen = chosen.where(OUTGOING.c.rule == rule)
    if since is not None:
        chosen = chosen.where(OUTGOING.c.at >= instant(since))
    if cursor is not None:
        chosen = chosen.where(tuple_(OUTGOING.c.at, OUTGOING.c.notice) < paging.place_of(cursor, str, str))
    return chosen.order_by(OUTGOING.c.at.desc(), OUTGOING.c.notice.desc())


async def _tries(connection: AsyncConnection, notices: list[str]) -> dict[str, list[Row]]:
    chosen = select(ATTEMPTS).where(ATTEMPTS.c.notice.in_(notices)).order_by(ATTEMPTS.c.post, ATTEMPTS.c.place)
    found = defaultdict[str, list[Row]](list)
    for row in await rows_of(connection, chosen):
        found[row["notice"]].append(row)
    return found


def _became(state: State) -> ColumnElement[bool]:
    """The same as `_state`, in SQL."""

    def some(*more: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(ATTEMPTS.c.notice == OUTGOING.c.notice, *more)

    missing = ATTEMPTS.c.delivered.is_(False)
    over = some(missing, ATTEMPTS.c.over.is_(True))
    match state:
        case "expired":
            return over
        case "failing":
            return and_(some(missing), not_(over))
        case "delivered":
            return and_(some(), not_(some(missing)))
        case "untried":
            return not_(some())


def _state(tries: list[Row]) -> State:
    left = [one for one in tries if not one["delivered"]]
    if any(one["over"] for one in left):
        return "expired"
    return "failing" if left else "delivered" if tries else "untried"


def _shown(row: Row, tries: list[Row]) -> dict[str, Any]:
    plain = ("notice", "rule", "unit", "at", "incident_id", "number", "clock", "what", "due", "until", "drill")
    of_try = ("post", "way", "place", "delivered", "at", "error")
    return {
        **{name: row[name] for name in plain},
        "posts": row["posts"].split(),
        "state": _state(tries),
        "deliveries": [{**{name: one[name] for name in of_try}, "tries": one["count"]} for one in tries],
    }
