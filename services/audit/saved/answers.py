"""The answers on saved queries, for the API's documents."""

from schemas.fields import Code, Instant, Post, StreamId, UnitCode
from schemas.operation import Period
from services.audit.matters.listing import ClockState, State
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered

QUERY = "query-01890a5d-ac96-774b-bcce-b302099a8057"
_ASKS = {"clock_state": "breached", "period": "last_month"}
_ITEM = {
    "id": QUERY,
    "title": "上月逾期的回应",
    "unit": "town-east",
    "asks": _ASKS,
    "asked": {
        "clock_state": "breached",
        "from": "2026-01-31T16:00:00.000000Z",
        "to": "2026-02-28T15:59:59.999999Z",
    },
    "by": "chief@town-east",
    "saved_at": "2026-03-02T02:10:00.000000Z",
    "revision": 1,
}


class Asks(Answered):
    """The question. What is not asked is null."""

    unit: UnitCode | None = None
    """Accountable unit, with those below it."""
    post: Post | None = None
    """A post that acted."""
    type: Code | None = None
    """An event's type."""
    level: Code | None = None
    """The level."""
    category: Code | None = None
    """The category."""
    state: State | None = None
    """The state."""
    clock: Code | None = None
    """A limit's name."""
    clock_state: ClockState | None = None
    """A limit's state."""
    drill: bool | None = None
    """Only exercises, or only real matters."""
    period: Period | None = None
    """The period in which matters were opened."""


class SavedQuery(Answered):
    """A question that a unit keeps."""

    id: StreamId
    """Its id."""
    title: str | None
    """Its title; null if it was erased."""
    unit: UnitCode
    """The unit that keeps it."""
    asks: Asks
    """The question as it is kept."""
    asked: dict[str, str]
    """The parameters of `/audit/v1/incidents` that ask it now, with the period cut into `from` and `to`."""
    by: Post
    """The post that kept it last."""
    saved_at: Instant
    """When."""
    revision: int
    """How often it was kept. The next command names it in `If-Match`."""


class SavedQueries(Answered, json_schema_extra=example(items=[_ITEM])):
    """The questions of the caller's unit, oldest first."""

    items: tuple[SavedQuery, ...]
    """The questions."""


class Kept(Answered, json_schema_extra=example(id=QUERY)):
    """The question that was kept, changed or removed."""

    id: StreamId
    """Its id."""
