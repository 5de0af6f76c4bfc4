"""What escalation answers, for the API's documents."""

from typing import Any, Literal

from schemas.fields import Code, IncidentId, Instant, Post, UnitCode, Uuid
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

INCIDENT = "incident-01890a5d-ac96-774b-bcce-b302099a8057"
_CLOCK: dict[str, Any] = {
    "incident_id": INCIDENT,
    "clock": "public_statement",
    "unit": "town-east",
    "since": "2026-03-02T01:00:00.000000Z",
    "due": "2026-03-02T05:00:00.000000Z",
    "first_answer": False,
    "state": "breached",
    "met_at": None,
    "late": False,
    "cancelled": None,
    "cancelled_at": None,
    "breached_at": "2026-03-02T05:00:00.000000Z",
    "detected_at": "2026-03-02T05:00:01.000000Z",
    "annulled": None,
    "rung": "reminder",
    "rung_at": "2026-03-02T05:00:01.000000Z",
    "level": "major",
    "assigned": "county-roads",
    "may": [],
}


class Clock(Answered):
    """A limit: what is due when, and what became of it."""

    incident_id: IncidentId
    """The incident."""
    clock: Code
    """The limit's name in the pack; a further one of the same name has a number, `public_statement#2`."""
    unit: UnitCode
    """Who is charged with it."""
    since: Instant
    """From when it runs."""
    due: Instant
    """When it ends."""
    first_answer: bool
    """Whether it is the limit of the first answer."""
    state: Literal["running", "met", "breached", "annulled", "cancelled"]
    """How it stands."""
    met_at: Instant | None
    """When what is due was done."""
    late: bool
    """Whether it was done after the end."""
    cancelled: str | None
    """Why it is due no longer."""
    cancelled_at: Instant | None
    """Since when it is due no longer."""
    breached_at: Instant | None
    """The end that passed, where a breach stands; also where it was met late."""
    detected_at: Instant | None
    """When the breach was seen."""
    annulled: str | None
    """On what ground the breach does not stand."""
    rung: Literal["", "reminder", "supervision", "circular"]
    """The last step of the ladder; empty before the first."""
    rung_at: Instant | None
    """When that was sent."""
    level: Code | None
    """How grave the matter is; null where the caller may not read the matter."""
    assigned: UnitCode | None
    """Who handles the matter; null where the caller may not read the matter."""
    may: tuple[Literal["extend", "annul"], ...]
    """What the caller can ask for now."""


class Clocks(Page, json_schema_extra=example(items=[_CLOCK], next=None)):
    """Limits, in the order of their ends."""

    items: tuple[Clock, ...]
    """The entries of this page."""


class UpwardReport(Answered):
    """That a matter was told to a unit above, and what that answered."""

    report: Uuid
    """The report's id, which a receipt names."""
    incident_id: IncidentId
    """The incident."""
    unit: UnitCode
    """Who told it."""
    to: UnitCode
    """Whom it was told."""
    level: Code | None
    """How grave the matter was then."""
    unverified: bool
    """Whether no fact was established then."""
    at: Instant
    """When it was told."""
    state: Literal["sent", "received", "refused"]
    """What the unit above said last."""
    answered_at: Instant | None
    """When it said so."""
    receipts: int
    """How often it was confirmed."""
    text: str | None
    """What was told; null where nothing was written, or it has not arrived yet."""
    may: tuple[Literal["receipt"], ...]
    """What the caller can ask for now."""


class Limits(
    Answered,
    json_schema_extra=example(
        id=INCIDENT,
        version=1,
        revision=1,
        unit="town-east",
        assigned="county-roads",
        level="major",
        merged_into=None,
        may=["report-upward"],
        clocks=[_CLOCK],
        reports=[
            {
                "report": "01890a5d-0718-5293-8eaf-1a2b3c4d5e6f",
                "incident_id": INCIDENT,
                "unit": "town-east",
                "to": "county",
                "level": "major",
                "unverified": True,
                "at": "2026-03-02T01:10:00.000000Z",
                "state": "sent",
                "answered_at": None,
                "receipts": 0,
                "text": "已到现场，停水影响三个小区",
                "may": [],
            }
        ],
    ),
):
    """An incident's limits and reports upward."""

    id: IncidentId
    """The incident."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions staff took here, which `If-Match` names."""
    unit: UnitCode | None
    """Who is accountable."""
    assigned: UnitCode | None
    """Who is to handle it."""
    level: Code | None
    """How grave it is."""
    merged_into: IncidentId | None
    """Where the matter goes on."""
    may: tuple[Literal["report-upward", "receipt"], ...]
    """What the caller can ask for now."""
    clocks: tuple[Clock, ...]
    """Its limits, in the order of their ends."""
    reports: tuple[UpwardReport, ...]
    """Its reports upward, in order of time."""


class PlannedDuty(Answered):
    """A post that is on duty for a time."""

    post: Post
    """The post."""
    since: Instant
    """When its duty begins."""
    until: Instant
    """When its duty ends."""


class Roster(
    Answered,
    json_schema_extra=example(
        unit="town-east",
        version=1,
        revision=1,
        duties=[
            {
                "post": "duty_officer@town-east",
                "since": "2026-03-02T00:00:00.000000Z",
                "until": "2026-03-02T12:00:00.000000Z",
            }
        ],
    ),
):
    """The duties planned for a unit."""

    unit: UnitCode
    """Whose roster it is."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How often it was planned, which `If-Match` may name."""
    duties: tuple[PlannedDuty, ...]
    """Who is on duty, in order of time."""
