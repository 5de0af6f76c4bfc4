"""The answers on inspections, for the API's documents."""

from typing import Literal

from schemas.fields import Day, IncidentId, Instant, Number, StreamId, UnitCode, Uuid
from services.audit.answers import STATED, Stated
from services.audit.inspections.decider import Stage
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

INSPECTION = "inspection-01890a5d-ac96-774b-bcce-b302099a8057"
_REMARK = {
    "remark": 1,
    "state": "due",
    "incident_id": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
    "number": "town-east-2026-00042",
    "finding": None,
    "words": "01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e",
    "text": "三件来件超过时限才答复",
    "remedy": "补充答复",
    "due": "2026-05-01T10:00:00.000000Z",
    "overdue": False,
    "steps": [],
}
_ITEM = {
    "id": INSPECTION,
    "unit": "town-east",
    "by_unit": "county",
    "since": "2026-01-01",
    "until": "2026-03-31",
    "scope": "一季度来件办理与答复",
    "superior": None,
    "state": "open",
    "opened_at": "2026-04-01T01:00:00.000000Z",
    "opened_by": "auditor@county",
    "remarks": [_REMARK],
    "ended_at": None,
    "conclusion": None,
    "drill": False,
}
_STATED = {**STATED, "log_size": 9, "complete_until": "2026-04-01T01:00:00.000000Z"}


class RemedyStep(Answered):
    """What was done about a remark."""

    at: Instant
    """When."""
    by: str
    """The post."""
    step: Literal["remedy_reported", "remedy_accepted", "remedy_returned", "remark_withdrawn"]
    """What."""
    words: Uuid | None
    """The reference of what was said."""
    text: str | None
    """What was said."""


class RemarkItem(Answered):
    """What an inspection found, and what came of it."""

    remark: int
    """Its number, from 1 on."""
    state: Stage
    """Whether its remedy is due, was reported, is remedied, or the remark was withdrawn."""
    incident_id: IncidentId | None
    """The matter in which it was found."""
    number: Number | None
    """The matter's number."""
    finding: StreamId | None
    """The finding on which it rests."""
    words: Uuid | None
    """The reference of its text."""
    text: str | None
    """What was found."""
    remedy: str | None
    """What is to be done."""
    due: Instant
    """By when."""
    overdue: bool
    """Whether that time has passed, on these axes, without a reported remedy."""
    steps: tuple[RemedyStep, ...]
    """What was done about it, in order."""


class InspectionItem(Answered):
    """An inspection of an office by a unit above."""

    id: StreamId
    """The inspection."""
    unit: UnitCode
    """The office."""
    by_unit: UnitCode | None
    """The unit that inspects."""
    since: Day
    """The first day that is looked into."""
    until: Day
    """The last one."""
    scope: str | None
    """What is looked into."""
    superior: str | None
    """Who inspects, where it is nobody of the deployment."""
    state: Literal["open", "ended"]
    """Whether it goes on."""
    opened_at: Instant
    """When it began."""
    opened_by: str
    """The post that opened it."""
    remarks: tuple[RemarkItem, ...]
    """What was found."""
    ended_at: Instant | None
    """When it ended."""
    conclusion: str | None
    """What it came to."""
    drill: bool
    """Whether it is of an exercise."""


class Inspections(Page, Stated, json_schema_extra=example(**_STATED, items=[_ITEM], next=None)):
    """A page of inspections."""

    items: tuple[InspectionItem, ...]
    """In the order in which they began."""


class OneInspection(
    InspectionItem, Stated, json_schema_extra=example(**_STATED, **_ITEM, version=1, revision=1, may=["make-remark"])
):
    """An inspection, and what the caller may do about it now."""

    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions of staff it has now. The next command names it in `If-Match`."""
    may: tuple[str, ...]
    """The verbs that the caller may ask for now."""
