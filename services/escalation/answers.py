"""The answers of escalation, for the API's documents."""

from typing import Any, Literal

from schemas.escalation import ReportForm, Way
from schemas.fields import Code, IncidentId, Instant, Number, Post, PostCode, UnitCode, Uuid
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

INCIDENT = "incident-01890a5d-ac96-774b-bcce-b302099a8057"
_CLOCK: dict[str, Any] = {
    "number": "town-east-2026-00042",
    "incident_id": INCIDENT,
    "clock": "public_statement",
    "unit": "town-east",
    "since": "2026-03-02T01:00:00.000000Z",
    "due": "2026-03-02T05:00:00.000000Z",
    "first_answer": False,
    "provisional": False,
    "counts_work": False,
    "due_is_late": False,
    "state": "breached",
    "met_at": None,
    "happened_at": None,
    "paused_at": None,
    "warned_at": None,
    "original_due": None,
    "asker_untold": False,
    "requested": None,
    "requested_due": None,
    "late": False,
    "late_by": None,
    "late_by_happened": None,
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
    """A time limit: what is due by when, and its state."""

    number: Number | None
    """The incident's number."""
    incident_id: IncidentId
    """The incident."""
    clock: Code
    """The limit's name in the pack. A second run of the same limit has a number, `public_statement#2`."""
    unit: UnitCode
    """The unit that is charged with it."""
    since: Instant
    """From when it runs."""
    due: Instant
    """When it ends."""
    first_answer: bool
    """Whether it is the limit of the first answer."""
    provisional: bool
    """Whether `due` rests on days of a year that is not announced yet. It may still change."""
    counts_work: bool
    """Whether `due` depends on which days are working days."""
    due_is_late: bool
    """Whether the instant `due` itself is too late, since the day is over then."""
    state: Literal["running", "met", "breached", "annulled", "cancelled"]
    """Its state."""
    met_at: Instant | None
    """When the duty was recorded as done."""
    happened_at: Instant | None
    """When it was done, if it was entered later."""
    paused_at: Instant | None
    """Since when the limit stands still. `due` then moves by as long as that lasts."""
    warned_at: Instant | None
    """When the unit was last warned that the end is near."""
    original_due: Instant | None
    """The end before any extension or pause; null if there was none."""
    asker_untold: bool
    """Whether the asker of the matter must still be told of an extension."""
    requested: Literal["extension", "deferral"] | None
    """What was asked for, until somebody decides on it."""
    requested_due: Instant | None
    """The end, or the date of review, that was asked for."""
    late: bool
    """Whether the duty was done after the end, by its recording."""
    late_by: float | None
    """By how many seconds it was recorded late; null if it was in time or is missing."""
    late_by_happened: float | None
    """By how many seconds it was done late. An auditor decides which of the two counts."""
    cancelled: str | None
    """Why the duty ended without being done."""
    cancelled_at: Instant | None
    """Since when the duty is ended."""
    breached_at: Instant | None
    """The end that passed, if a breach stands; also if the duty was done late."""
    detected_at: Instant | None
    """When the breach was seen."""
    annulled: str | None
    """Why the breach does not stand."""
    rung: Literal["", "reminder", "supervision", "circular"]
    """The last rung of the ladder; empty before the first."""
    rung_at: Instant | None
    """When that rung was sent."""
    level: Code | None
    """How grave the matter is; null where the caller may not read the matter."""
    assigned: UnitCode | None
    """The unit that handles the matter; null where the caller may not read the matter."""
    may: tuple[
        Literal[
            "set-limit",
            "request-extension",
            "decide-extension",
            "tell-asker",
            "pause",
            "resume",
            "request-deferral",
            "decide-deferral",
            "annul",
        ],
        ...,
    ]
    """The commands that the caller may send now."""


class Clocks(Page, json_schema_extra=example(items=[_CLOCK], next=None)):
    """Limits, in the order of their ends."""

    items: tuple[Clock, ...]
    """The entries of this page."""


class UpwardReport(Answered):
    """A report of a matter to a post or body, with its receipt."""

    report: Uuid
    """The report's id. A receipt names it."""
    incident_id: IncidentId
    """The incident."""
    unit: UnitCode
    """The unit that reported."""
    to: UnitCode
    """The unit of the addressee."""
    addressee: PostCode
    """The post or body of that unit that got the report."""
    form: ReportForm
    """How it was reported. A call fulfils no written report."""
    informs: bool
    """Whether it only tells another office of the matter, and fulfils nothing."""
    hop: Code | None
    """The rule's hop for which it was meant; it is the name of a limit."""
    level: Code | None
    """The matter's level then."""
    unverified: bool
    """Whether no fact was established then."""
    at: Instant
    """When it was reported."""
    state: Literal["sent", "received", "refused"]
    """The latest answer of the addressee."""
    answered_at: Instant | None
    """The time of this answer."""
    receipts: int
    """How often it was confirmed."""
    text: str | None
    """The text; null if there is none, or it has not arrived yet."""
    proposal: str | None
    """The proposed handling; null if there is none, or it has not arrived yet."""
    may: tuple[Literal["receipt"], ...]
    """The commands that the caller may send now."""


class Decision(Answered):
    """A decision whether to report the matter upward, or whether to meet."""

    decision: Uuid
    """Its id."""
    state: Literal["proposed", "recorded"]
    """`proposed` until each post that takes part has confirmed it; until then nothing is decided."""
    decides: Literal["report", "meet"]
    """What was decided."""
    yes: bool
    """Whether to do it."""
    unit: UnitCode
    """The accountable unit then."""
    at: Instant
    """When."""
    took_part: tuple[Post, ...]
    """The posts that take part."""
    confirmed_by: tuple[Post, ...]
    """Those that confirmed it, each by an act of its own."""
    reason: str | None
    """The reason; null if it has not arrived yet."""
    may: tuple[Literal["confirm-decision"], ...]
    """The commands that the caller may send now."""


class NoticePart(Answered):
    """A part of the answer to a notice."""

    part: Code
    """The part, as the pack names it."""
    at: Instant
    """When its latest text was written."""
    text: str | None
    """The text; null if it has not arrived yet."""


class Notice(Answered):
    """A notice of a unit above to correct something, with its answer."""

    notice: Uuid
    """The notice's id."""
    unit: UnitCode
    """The unit that gave it."""
    to: UnitCode
    """The unit that answers it."""
    at: Instant
    """When it was given."""
    due: Instant
    """By when the report back must have arrived."""
    text: str | None
    """The text; null if it has not arrived yet."""
    parts: tuple[NoticePart, ...]
    """The parts that are written."""
    missing: tuple[Code, ...]
    """The parts that are still missing."""
    report: Uuid | None
    """The latest report back."""
    answered: bool
    """Whether the report back was confirmed."""
    may: tuple[Literal["write-part", "report-back"], ...]
    """The commands that the caller may send now."""


_HOP: dict[str, Any] = {
    "hop": "report_to_county",
    "to": "leading_group",
    "unit": "county",
    "owed_by": "town-east",
    "form": "written",
    "with_proposal": False,
    "owed": True,
    "clock": None,
}


_REPORT: dict[str, Any] = {
    "report": "01890a5d-0718-5293-8eaf-1a2b3c4d5e6f",
    "incident_id": INCIDENT,
    "unit": "town-east",
    "to": "county",
    "addressee": "leading_group",
    "form": "written",
    "informs": False,
    "hop": "report_to_county",
    "level": "major",
    "unverified": True,
    "at": "2026-03-02T01:10:00.000000Z",
    "state": "sent",
    "answered_at": None,
    "receipts": 0,
    "text": "已到现场，停水影响三个小区",
    "proposal": None,
    "may": [],
}


class ReportToConfirm(UpwardReport):
    """A report or a notice sideways that its addressee has neither confirmed nor sent back."""

    number: Number | None
    """The incident's number."""
    revision: int
    """The revision of the incident's limits, for `If-Match` of the receipt."""


class ReportsToConfirm(
    Page,
    json_schema_extra=example(items=[{**_REPORT, "number": "town-east-2026-00042", "revision": 3}], count=1, next=None),
):
    """What waits for a receipt, the oldest first."""

    items: tuple[ReportToConfirm, ...]
    """The entries of this page."""
    count: int
    """How many entries all pages have, counted up to 1,000."""


class ReportTo(Answered):
    """A hop of a report that the rules ask for."""

    hop: Code
    """The hop's code."""
    to: PostCode
    """The post or body that must get it."""
    unit: UnitCode
    """The unit of this addressee."""
    owed_by: UnitCode
    """The unit that must report."""
    form: ReportForm
    """The least form that fulfils it."""
    with_proposal: bool
    """Whether the report carries a proposed handling."""
    owed: bool
    """Whether its turn has come and nobody confirmed it yet."""
    clock: Code | None
    """Its limit; null where the rules or the office set none. It is owed nevertheless."""


class MatterToReport(Answered):
    """A matter with the reports that units owe on it now."""

    number: Number | None
    """The incident's number."""
    incident_id: IncidentId
    """The incident."""
    report_to: tuple[ReportTo, ...]
    """What is owed, in the order of the rules."""


class ReportsOwed(
    Page,
    json_schema_extra=example(
        items=[{"number": "town-east-2026-00042", "incident_id": INCIDENT, "report_to": [_HOP]}], next=None
    ),
):
    """Matters on which reports are owed."""

    items: tuple[MatterToReport, ...]
    """The entries of this page. It may be empty though a further page follows."""


class Limits(
    Answered,
    json_schema_extra=example(
        number="town-east-2026-00042",
        id=INCIDENT,
        version=1,
        revision=1,
        unit="town-east",
        assigned="county-roads",
        lead=None,
        asked_to_lead=None,
        level="major",
        merged_into=None,
        may=["report-upward", "inform-office"],
        clocks=[_CLOCK],
        reports=[_REPORT],
        notices=[],
        decisions=[],
        report_to=[_HOP],
    ),
):
    """An incident's limits and reports upward."""

    number: Number | None
    """The incident's number."""
    id: IncidentId
    """The incident."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions staff took here. `If-Match` names this number."""
    unit: UnitCode | None
    """Who is accountable."""
    assigned: UnitCode | None
    """The unit that handles it."""
    lead: UnitCode | None
    """The unit above that leads. `unit` stays accountable."""
    asked_to_lead: UnitCode | None
    """The unit that was asked to lead."""
    level: Code | None
    """Its level."""
    merged_into: IncidentId | None
    """Where the matter goes on."""
    may: tuple[
        Literal[
            "report-upward",
            "inform-office",
            "give-notice",
            "decide",
            "ask-lead",
            "accept-lead",
            "take-lead",
            "receipt",
        ],
        ...,
    ]
    """The commands that the caller may send now."""
    clocks: tuple[Clock, ...]
    """Its limits, in the order of their ends."""
    report_to: tuple[ReportTo, ...]
    """To whom its level and nature ask to report, in the order of the rules."""
    reports: tuple[UpwardReport, ...]
    """Its reports upward, in order of time."""
    notices: tuple[Notice, ...]
    """Notices of units above, in order of time."""
    decisions: tuple[Decision, ...]
    """Decisions whether to report and whether to meet, in order of time."""


class Surge(Answered):
    """An early warning."""

    unit: UnitCode
    """The unit to which the reports came."""
    by: Literal["matter", "category", "place"]
    """What the reports have in common."""
    code: Code
    """The incident, the category, or the digest of the place."""
    incident_id: IncidentId | None
    """The matter, or the latest one from the place."""
    reports: int
    """How many came from `since` until `until`."""
    usual: float
    """The usual number for as long a time."""
    since: Instant
    """The begin of the window."""
    until: Instant
    """Its end: when it was noticed."""
    told: Post | None
    """The post that is warned."""


class Surges(
    Page,
    json_schema_extra=example(
        items=[
            {
                "unit": "town-east",
                "by": "category",
                "code": "water",
                "incident_id": None,
                "reports": 12,
                "usual": 1.5,
                "since": "2026-03-01T01:00:00.000000Z",
                "until": "2026-03-02T01:00:00.000000Z",
                "told": "approver@town-east",
            }
        ],
        next=None,
    ),
):
    """Early warnings, the newest first. The source is what came to the office's own channels."""

    items: tuple[Surge, ...]
    """The entries of this page."""


_PLACE: dict[str, Any] = {
    "place": "018f0000-0000-7000-8000-000000000000",
    "post": "duty_officer@town-east",
    "way": "mail",
    "language": "zh",
    "since": "2026-03-02T00:00:00.000000Z",
}


class Place(Answered, json_schema_extra=example(**_PLACE)):
    """A place to which notices for a post go. Its address is never shown."""

    place: Uuid
    """Its id."""
    post: Post
    """The post."""
    way: Way
    """The kind of channel."""
    language: Literal["zh", "en"]
    """The language of its notices."""
    since: Instant
    """When it was set. Earlier notices never go there."""


class Addresses(Answered, json_schema_extra=example(items=[_PLACE], may=[])):
    """The places of posts."""

    items: tuple[Place, ...]
    """In the order of their setting."""
    may: tuple[Literal["set-address", "end-address"], ...]
    """What you may do with them."""
