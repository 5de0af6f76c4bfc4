"""The answers on drills, for the API's documents."""

from typing import Literal

from schemas.drills import Outcome
from schemas.fields import Code, IncidentId, Instant, Number, ReportId, StreamId, UnitCode, Uuid
from services.audit.answers import STATED, Stated
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

DRILL = "drill-01890a5d-ac96-774b-bcce-b302099a8057"
_TOTALS = {"met": 9, "late": 1, "missed": 0, "wrong": 0}
_MARK = {
    "criterion": "verified",
    "what": "graded",
    "title": "研判定级",
    "title_en": "grade",
    "basis": "scenario",
    "unit": "drill-1",
    "outcome": "met",
    "due": "2026-05-06T01:30:00.000000Z",
    "done": "2026-05-06T01:12:00.000000Z",
    "events": ["01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e"],
}
_ITEM = {
    "id": DRILL,
    "unit": "county",
    "scenario": "burst-main",
    "edition": "2026-01",
    "title": "供水主管爆裂",
    "title_en": "a water main bursts",
    "crisis": "utilities",
    "digest": "0" * 64,
    "seed": 2026,
    "speed": 1,
    "state": "scored",
    "begun_at": "2026-05-06T01:00:00.000000Z",
    "begun_by": "admin@county",
    "ended_at": "2026-05-06T05:00:00.000000Z",
    "cause": "finished",
    "totals": _TOTALS,
    "by_unit": [{"unit": "drill-1", **_TOTALS}],
}
_INJECT = {
    "inject": "first",
    "kind": "report",
    "said": "供水主管爆裂，路面大量积水",
    "at": "PT0S",
    "sent_at": "2026-05-06T01:00:00.000000Z",
    "report_id": "report-01890a5d-ac96-774b-bcce-b302099a8057",
    "incident_id": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
    "number": "drill-1-2026-X00001",
    "delivered": True,
}
_STATED = {**STATED, "log_size": 9, "complete_until": "2026-05-06T05:00:00.000000Z"}


class Totals(Answered):
    """How many marks have which outcome."""

    met: int
    """Done in time and right."""
    late: int
    """Done, but too late."""
    missed: int
    """Not done by the end."""
    wrong: int
    """Done, but to another addressee, at another level, without an approval, or with another text."""


class UnitTotals(Totals):
    """The same of one unit."""

    unit: UnitCode
    """The office for exercises."""


class Mark(Answered):
    """What became of one thing that was expected of a unit."""

    criterion: Code
    """The criterion of the scenario; or `limits`, `approval` or `one_text`, by which every drill is judged."""
    what: Code
    """The expected act, the limit of the pack, or the kind of statement."""
    title: str | None
    """Its title in the scenario; a limit of a pack has its title there."""
    title_en: str | None
    """The same in English."""
    basis: Literal["scenario", "pack"]
    """Whether the scenario expects it or the pack does."""
    unit: UnitCode
    """The unit of which it was expected."""
    outcome: Outcome
    """What became of it."""
    due: Instant | None
    """By when it was due, if it had a limit."""
    done: Instant | None
    """When it was done."""
    events: tuple[Uuid, ...]
    """The events that show it."""


class InjectItem(Answered):
    """An inject of the scenario, and whether it was sent."""

    inject: Code
    """Its code."""
    kind: Literal["report", "reach", "instruction"]
    """What it is."""
    said: str | None
    """The subject of a report, or the words of an instruction; null for reach."""
    at: str
    """How long after the beginning it is to be sent."""
    sent_at: Instant | None
    """When it was sent."""
    report_id: ReportId | None
    """The report that it made."""
    incident_id: IncidentId | None
    """The matter that it is on."""
    number: Number | None
    """The matter's number."""
    delivered: bool | None
    """Whether it reached its matter; false if that had ended before. Null while it is not sent."""


class CriterionItem(Answered):
    """By what the work is judged."""

    criterion: Code
    """Its code."""
    title: str
    """Its title."""
    title_en: str
    """The same in English."""
    text: str
    """What it says."""


class DrillItem(Answered):
    """A drill."""

    id: StreamId
    """The drill."""
    unit: UnitCode
    """The unit that leads it."""
    scenario: Code
    """The scenario."""
    edition: str
    """The scenario's version."""
    title: str
    """The scenario's title."""
    title_en: str
    """The same in English."""
    crisis: Code
    """The type of crisis."""
    digest: str
    """The digest of the scenario. Drills of the same digest compare."""
    seed: int
    """What chose the details."""
    speed: int
    """How many times faster the scenario's own times passed."""
    state: Literal["running", "ended", "scored"]
    """Where it is."""
    begun_at: Instant
    """When it began."""
    begun_by: str
    """The post that began it."""
    ended_at: Instant | None
    """When it ended."""
    cause: Literal["finished", "stopped"] | None
    """Whether it went to its end."""
    totals: Totals | None
    """The score, by outcome."""
    by_unit: tuple[UnitTotals, ...]
    """The score of each office."""


class Drills(Page, Stated, json_schema_extra=example(**_STATED, items=[_ITEM], next=None)):
    """A page of drills."""

    items: tuple[DrillItem, ...]
    """In the order in which they began."""


class PlayedPart(Answered):
    """The unit that rehearses a part."""

    part: Code
    """The part."""
    unit: UnitCode
    """The office for exercises."""


class OneDrill(
    DrillItem,
    Stated,
    json_schema_extra=example(
        **_STATED,
        **_ITEM,
        plan="先核实，再报告，再公布。",
        canonical="{}",
        lasts="PT4H",
        reason=None,
        places=[{"part": "office", "unit": "drill-1"}],
        criteria=[{"criterion": "verified", "title": "先核实", "title_en": "verified first", "text": "公布之前核实。"}],
        injects=[_INJECT],
        marks=[_MARK],
        posts=["duty_officer@drill-1"],
        version=4,
        revision=4,
        may=["judge-drill"],
    ),
):
    """A drill with all that happened, and what the caller may do about it now."""

    plan: str
    """What the office does in such a crisis."""
    canonical: str | None
    """The scenario's whole content, as JSON. While the drill goes on, only who may lead it sees it; for others null."""
    lasts: str
    """How long it goes on."""
    reason: str | None
    """Why it was broken off."""
    places: tuple[PlayedPart, ...]
    """Which unit rehearses which part."""
    criteria: tuple[CriterionItem, ...]
    """By what the work is judged."""
    injects: tuple[InjectItem, ...]
    """In the order of the scenario. While the drill goes on, only who may lead it sees those that are still to come."""
    marks: tuple[Mark, ...]
    """The last score."""
    posts: tuple[str, ...]
    """The posts that acted."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions of staff it has now. The next command names it in `If-Match`."""
    may: tuple[str, ...]
    """The verbs that the caller may ask for now."""
