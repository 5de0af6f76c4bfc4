"""The answers about a unit's desk, for the API's documents."""

from typing import Literal

from schemas.escalation import WayToTell
from schemas.fields import Code, IncidentId, Instant, Post, UnitCode
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered


class PlannedDuty(Answered):
    """A post that is on duty for a time."""

    post: Post
    """The post."""
    since: Instant
    """When its duty begins."""
    until: Instant
    """When its duty ends."""
    planned_until: Instant | None
    """When it ended by an earlier plan, if the plan was changed."""
    substitute: Post | None
    """The post that may take it up in its place."""
    by: Post | None
    """The post that took it up; null while nobody did."""
    signed_on: Instant | None
    """When."""
    handed_over: Instant | None
    """When it was handed over."""
    handed_to: Post | None
    """To which post."""
    note: str | None
    """The note of the hand-over."""
    open: int | None
    """How many matters of the unit were open then."""
    incidents: tuple[IncidentId, ...]
    """These matters, at most 500."""
    ended: bool
    """Whether its time is over, as recorded."""
    note_missing: bool
    """Whether it was taken up and ended without a hand-over."""


class Gap(Answered):
    """A time for which the pack asks for duty and nobody is planned, or nobody took it up."""

    since: Instant
    """When it begins."""
    until: Instant
    """When it ends."""
    cause: Literal["not_planned", "not_signed_on"]
    """Whether nobody was planned, or nobody took it up."""
    post: Post | None
    """The post that did not take it up."""
    found_ahead: Instant | None
    """When it was found before it began."""
    found: Instant | None
    """When it was found after it had begun."""


class HeldReport(Answered):
    """A matter of which a report came while nobody was on duty."""

    incident_id: IncidentId
    """The matter."""
    since: Instant
    """When the report came."""
    told: Post | None
    """The unit's head, who is told."""


class Reachability(Answered):
    """The last test of a duty post."""

    post: Post
    """The post."""
    way: WayToTell
    """How it was called."""
    reached: bool
    """Whether it answered."""
    at: Instant
    """When."""


class CancelledDuty(Answered):
    """A duty that was taken off the roster before it began."""

    post: Post
    """The post that was planned."""
    since: Instant
    """When it would have begun."""
    until: Instant
    """When it would have ended."""
    at: Instant
    """When it was taken off."""


class Span(Answered):
    """A time, without its last instant."""

    since: Instant
    """When it begins."""
    until: Instant
    """When it ends."""


class PeriodOfDesk(Answered):
    """A special period that holds for the unit."""

    unit: UnitCode
    """The unit for which it was opened: this one, or one above it."""
    period: Code
    """The period, as its pack names it."""
    since: Instant
    """When it begins."""
    until: Instant | None
    """When it ends; null while nobody said so."""


class DailyWindow(Answered):
    """A time of each day, in the time zone of the pack."""

    since: str
    """When it begins, such as `08:00`."""
    until: str
    """When it ends."""


class HoursOfPeriod(Answered):
    """What the pack asks for in a special period."""

    period: Code
    """The period."""
    hours: float
    """Hours of duty a day in it."""


class DutyAsked(Answered):
    """What the pack of a unit asks of its desk."""

    hours: float | None
    """Hours of duty a day; null where the pack leaves them open."""
    windows: tuple[DailyWindow, ...]
    """The times of day within which these hours lie. Without any, the whole day counts."""
    special: tuple[HoursOfPeriod, ...]
    """The hours in special periods."""


class Roster(
    Answered,
    json_schema_extra=example(
        unit="town-east",
        version=1,
        revision=1,
        officer="handler@town-east",
        on_duty=["duty_officer@town-east"],
        duties=[
            {
                "post": "duty_officer@town-east",
                "since": "2026-03-02T00:00:00.000000Z",
                "until": "2026-03-02T12:00:00.000000Z",
                "planned_until": None,
                "substitute": None,
                "by": "duty_officer@town-east",
                "signed_on": "2026-03-01T23:58:00.000000Z",
                "handed_over": None,
                "handed_to": None,
                "note": None,
                "open": None,
                "incidents": [],
                "ended": False,
                "note_missing": False,
            }
        ],
        cancelled=[],
        gaps=[],
        uncovered=[],
        periods=[],
        asks={"hours": 12.0, "windows": [], "special": [{"period": "special", "hours": 24.0}]},
        held=[],
        reachability=[],
        may=["hand-over"],
    ),
):
    """A unit's roster."""

    unit: UnitCode
    """The unit of the roster."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions of staff stand on it. `If-Match` may name this number."""
    officer: Post | None
    """The unit's one information officer; null while none is named."""
    on_duty: tuple[Post, ...]
    """Who is on duty now."""
    duties: tuple[PlannedDuty, ...]
    """The duties, in order of time."""
    cancelled: tuple[CancelledDuty, ...]
    """The duties that were taken off before they began."""
    gaps: tuple[Gap, ...]
    """The gaps on record that no plan has closed, in order of time."""
    uncovered: tuple[Span, ...]
    """The times to come for which the pack asks for duty and nobody is planned: until the instant that the reader
    named, or else for two days. A time within 24 hours is also a gap on record."""
    periods: tuple[PeriodOfDesk, ...]
    """The special periods that hold for the unit within the time that is read."""
    asks: DutyAsked | None
    """What the unit's pack asks of its desk; null if it asks for no duty."""
    held: tuple[HeldReport, ...]
    """What waits for the next post on duty."""
    reachability: tuple[Reachability, ...]
    """The last test of each duty post."""
    may: tuple[str, ...]
    """What you may do at this desk now."""


class LimitOfPeriod(Answered):
    """A limit or a report upward whose rule looks at the period."""

    rule: Code
    """Its name in the pack."""
    title: str
    """Its title."""


class DeskInPeriod(Answered):
    """What a special period changes at a desk."""

    unit: UnitCode
    """The unit of the desk."""
    hours: float | None
    """Hours of duty a day, as things are."""
    hours_then: float | None
    """Hours of duty a day in the period."""
    uncovered: tuple[Span, ...]
    """The times for which nobody is planned and which only the period asks for."""


class PeriodEffect(
    Answered,
    json_schema_extra=example(
        unit="county",
        period="special",
        since="2026-09-27T16:00:00.000000Z",
        until="2026-10-04T16:00:00.000000Z",
        desks=[
            {
                "unit": "town-east",
                "hours": 12.0,
                "hours_then": 24.0,
                "uncovered": [{"since": "2026-09-27T16:00:00.000000Z", "until": "2026-09-28T00:00:00.000000Z"}],
            }
        ],
        limits=[],
        known_at_arrival=False,
    ),
):
    """What would change in a special period. Nothing is opened by asking."""

    unit: UnitCode
    """The unit for which it would be opened."""
    period: Code
    """The period."""
    since: Instant
    """From when the roster is compared."""
    until: Instant
    """Until when the roster is compared."""
    desks: tuple[DeskInPeriod, ...]
    """The desks of the unit and of those below it that it concerns."""
    limits: tuple[LimitOfPeriod, ...]
    """The limits and reports of the unit's pack that look at the period, for what begins in it."""
    known_at_arrival: bool
    """Whether a report outside the hours of duty would count as known at its arrival, which it does not now."""
