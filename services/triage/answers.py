"""What triage answers, for the API's documents. Words that have not arrived yet are null, erased ones `[erased]`."""

from typing import Any, Literal

from schemas.fields import Code, Figure, IncidentId, Instant, PolicyRef, Post, ReportId, StatementId, UnitCode
from schemas.offices import Role
from schemas.triage import AnswerKind, Track
from services.kernel.core.commands import example
from services.kernel.serving.answers import DONE, Answered, Done, Page

Verb = Literal[
    "instruct",
    "request-verification",
    "request-help",
    "establish-fact",
    "classify",
    "grade",
    "assign",
    "accept",
    "return",
    "transfer",
    "record-handling",
    "resolve",
    "follow-up",
    "reopen",
    "close",
    "merge",
    "split",
]
State = Literal["open", "assigned", "accepted", "resolved", "closed", "dismissed", "merged"]
INCIDENT = "incident-01890a5d-ac96-774b-bcce-b302099a8057"
REPORT = "report-01890a5d-a1b2-7c3d-8e4f-5061728394a5"
_SHOWN: dict[str, Any] = {
    "id": INCIDENT,
    "state": "assigned",
    "unit": "town-east",
    "assigned": "county-roads",
    "lead": None,
    "level": "major",
    "rank": 2,
    "policy": "county-default@1#" + "9f2c" * 16,
    "answer_kind": "answer",
    "category": "roads.lighting",
    "discovered_at": "2026-03-02T01:00:00.000000Z",
    "opened_at": "2026-03-02T01:05:00.000000Z",
    "updated_at": "2026-03-02T02:00:00.000000Z",
    "graded_at": "2026-03-02T01:30:00.000000Z",
    "assigned_at": "2026-03-02T02:00:00.000000Z",
    "accepted_at": None,
    "resolved_at": None,
    "closed_at": None,
    "dismissed_at": None,
    "subject": "卫生院门前路灯不亮",
    "handled": {"problem": None, "answer": None},
    "merged_into": None,
    "relates_to": None,
    "split_from": None,
    "entered_late": False,
    "report_count": 1,
    "drill": False,
    "version": 3,
    "revision": 3,
}


class SplitDone(Done, json_schema_extra=example(**DONE, into=INCIDENT)):
    """What a split did."""

    into: IncidentId
    """The incident that has the reports now."""


class Handled(Answered):
    """Since when the handling is recorded, on either track."""

    problem: Instant | None
    """On the real problem; null while nothing is recorded."""
    answer: Instant | None
    """For the answer; null while nothing is recorded."""


class Refusal(Answered):
    """That a report gets no answer."""

    at: Instant
    """When it was decided."""
    by: str
    """The post that decided it."""
    reason: str | None
    """Why."""


class Incident(Answered):
    """An incident."""

    id: IncidentId
    """The incident's id."""
    state: State
    """How far it is."""
    unit: UnitCode
    """Who is accountable."""
    assigned: UnitCode | None
    """Who is to handle it."""
    lead: UnitCode | None
    """Who leads, where several units work on it."""
    level: Code | None
    """How grave it is, by the pack in force; null while it is not graded."""
    rank: int | None
    """The level's place in its pack, from the mildest on."""
    policy: PolicyRef | None
    """The pack by which it was graded."""
    answer_kind: AnswerKind | None
    """What kind of answer the office will give."""
    category: Code | None
    """What it is about."""
    discovered_at: Instant
    """When the office first knew."""
    opened_at: Instant
    """When the incident was opened."""
    updated_at: Instant
    """When something was last recorded on it."""
    graded_at: Instant | None
    """When it was last graded."""
    assigned_at: Instant | None
    """When it was last assigned."""
    accepted_at: Instant | None
    """When the assigned unit took it on."""
    resolved_at: Instant | None
    """When its handling was completed."""
    closed_at: Instant | None
    """When the office's work on it ended."""
    dismissed_at: Instant | None
    """When it ended because every report was refused an answer."""
    subject: str | None
    """The gist of its first report."""
    handled: Handled
    """What is recorded of the handling."""
    merged_into: IncidentId | None
    """Where the matter goes on."""
    relates_to: IncidentId | None
    """The incident of the same matter that was over when this one was opened."""
    split_from: IncidentId | None
    """The incident that its reports left."""
    entered_late: bool
    """Whether a discovery was old already when it was recorded."""
    report_count: int
    """How many reports belong to it."""
    drill: bool
    """Whether it is an exercise."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions staff took on it, which `If-Match` names."""
    may: tuple[Verb, ...]
    """What the caller can ask for now."""


class ListedIncident(Incident):
    """An incident in a list."""

    refusal: Refusal | None
    """Of one that ended because every report was refused an answer: the refusal that was recorded last."""


class Incidents(Page, json_schema_extra=example(items=[{**_SHOWN, "refusal": None, "may": ["grade"]}], next=None)):
    """Incidents, newest first."""

    items: tuple[ListedIncident, ...]
    """The entries of this page."""


class Assignment(Answered):
    """Who is to handle an incident, or was when that was merged."""

    incident: IncidentId
    """This incident, or one that was merged into it."""
    unit: UnitCode
    """Who is to handle it."""
    assigned_at: Instant
    """Since when."""
    accepted_at: Instant | None
    """When the unit took it on."""


class EstablishedFact(Answered):
    """What was found out."""

    incident: IncidentId
    """This incident, or one that was merged into it."""
    key: Code
    """What it is, of the list of facts."""
    kind: Literal["text", "number", "time", "code", "yes_no"]
    """What kind of value it has."""
    established_at: Instant
    """When it was established first."""
    revised_at: Instant | None
    """When it was last changed."""
    value: str | float | bool | None
    """The value, of this kind; a `time` in UTC."""
    source: str | None
    """Where it is known from."""


class NewestReach(Answered):
    """How far a report's matter had spread when that was last counted; null what never was."""

    clicks: Figure | None
    """How often it was opened."""
    comments: Figure | None
    """How many comments it had."""
    mainstream_sites: Figure | None
    """On how many mainstream sites it stood."""
    measured_at: Instant | None
    """When it was counted."""


class ReportOf(Answered):
    """A report of an incident."""

    id: ReportId
    """The report's id."""
    unit: UnitCode
    """The office that received it."""
    channel: Code
    """The channel by which it came."""
    category: Code | None
    """What it is about."""
    discovered_at: Instant
    """When the office first knew of it."""
    received_at: Instant
    """When it was recorded."""
    entered_late: bool
    """Whether the discovery was old already when it was recorded."""
    subject: str | None
    """The gist of the concern."""
    text: str | None
    """What was written, with what is personal masked."""
    url: str | None
    """The web page on which it stands."""
    place: str | None
    """Where it is, in words."""
    request: str | None
    """The gist of what is asked for."""
    refused: Refusal | None
    """That it gets no answer."""
    reach: NewestReach
    """How far it had spread."""


class Note(Answered):
    """What staff wrote, or an answer that was published."""

    incident: IncidentId
    """This incident, or one that was merged into it."""
    version: int
    """The event's place in the incident's stream."""
    type: str
    """The event's type, such as `huiying.incident.graded.v1`."""
    recorded_at: Instant
    """When it was recorded."""
    actor: str
    """The post that wrote it, or the system."""
    unit: UnitCode | None
    """The unit of the post."""
    track: Track | None
    """Of handling, which track it is on."""
    statement: StatementId | None
    """Of an answer, the statement."""
    text: str | None
    """What was written."""


class Spread(Answered):
    """How far the matter has spread, of each figure the largest that its reports gave last."""

    clicks: Figure
    """How often it was opened."""
    comments: Figure
    """How many comments it has."""
    mainstream_sites: Figure
    """On how many mainstream sites it stands."""
    basis: tuple[str, ...]
    """Whose figures they are, as `report@version`."""


class Proposed(Answered):
    """What the pack proposes for the figures; a person judges."""

    level: Code
    """The level."""
    rule: Code
    """The pack's rule."""


class WholeIncident(
    Incident,
    json_schema_extra=example(
        **_SHOWN,
        absorbed=[],
        related=[],
        split_off=[],
        assignments=[
            {
                "incident": INCIDENT,
                "unit": "county-roads",
                "assigned_at": "2026-03-02T02:00:00.000000Z",
                "accepted_at": None,
            }
        ],
        facts=[
            {
                "incident": INCIDENT,
                "key": "inspected",
                "kind": "yes_no",
                "established_at": "2026-03-02T01:50:00.000000Z",
                "revised_at": None,
                "value": True,
                "source": "3月2日现场核查记录",
            }
        ],
        reports=[
            {
                "id": REPORT,
                "unit": "town-east",
                "channel": "board",
                "category": "roads.lighting",
                "discovered_at": "2026-03-02T01:00:00.000000Z",
                "received_at": "2026-03-02T01:05:00.000000Z",
                "entered_late": False,
                "subject": "卫生院门前路灯不亮",
                "text": "卫生院门前的路灯已经四天不亮。请联系[手机号]。",
                "url": None,
                "place": None,
                "request": "请尽快修复",
                "refused": None,
                "reach": {"clicks": 1200, "comments": 86, "mainstream_sites": None}
                | {"measured_at": "2026-03-02T04:00:00.000000Z"},
            }
        ],
        handling=[],
        notes=[],
        reach={"clicks": 1200, "comments": 86, "mainstream_sites": 0, "basis": [f"{REPORT}@2"]},
        proposed={"level": "major", "rule": "major/clicks"},
        may=["grade", "assign"],
    ),
):
    """An incident with all that belongs to it."""

    absorbed: tuple[IncidentId, ...]
    """The incidents that were merged into it."""
    related: tuple[IncidentId, ...]
    """Those of the same matter that were opened when it was over."""
    split_off: tuple[IncidentId, ...]
    """Those that some of its reports left for."""
    assignments: tuple[Assignment, ...]
    """Who is to handle it, and who was to handle what was merged into it."""
    facts: tuple[EstablishedFact, ...]
    """What was found out."""
    reports: tuple[ReportOf, ...]
    """Its reports in the order in which they came, at most 500."""
    handling: tuple[Note, ...]
    """What was done, in order."""
    notes: tuple[Note, ...]
    """Instructions, reasons, follow-ups and answers, in order."""
    reach: Spread | None
    """How far the matter has spread; null where nothing was measured."""
    proposed: Proposed | None
    """What the figures propose; null where they propose nothing."""


class PostOf(Answered):
    """A post of a unit's directory."""

    post: Post
    """The post, as tokens and rosters name it."""
    title: str
    """What it is called."""
    roles: tuple[Role, ...]
    """What it may do, over its unit and those below."""
    head: bool
    """Whether it is the unit's head and first person responsible."""
    members: tuple[Post, ...]
    """Of a body that decides together, its posts."""


class Unit(Answered):
    """A unit as it stands now."""

    unit: UnitCode
    """The unit's code."""
    kind: Literal["city", "county", "town", "department"]
    """What kind of office it is."""
    name: str
    """What it is called."""
    parent: UnitCode | None
    """The unit above it."""
    policy: PolicyRef | None
    """The pack by which it works."""
    posts: tuple[PostOf, ...]
    """Its directory."""


class Units(
    Page,
    json_schema_extra=example(
        items=[
            {
                "unit": "town-east",
                "kind": "town",
                "name": "东镇",
                "parent": "county",
                "policy": "county-default@1#" + "9f2c" * 16,
                "posts": [
                    {
                        "post": "duty_officer@town-east",
                        "title": "值班员",
                        "roles": ["duty_officer"],
                        "head": False,
                        "members": [],
                    }
                ],
            }
        ],
        next=None,
        basis=["unit-01890a5d-f607-5182-8d9e-0f1a2b3c4d5e@12"],
    ),
):
    """The tree of units, from the root on."""

    items: tuple[Unit, ...]
    """The entries of this page."""

    basis: tuple[str, ...]
    """The versions of the streams that say so."""


class Level(Answered):
    """A level of a pack."""

    level: Code
    """The level's code."""
    rank: int
    """Its place, from the mildest on."""
    title: str
    """What it is called."""


class KindOfAnswer(Answered):
    """A kind of answer that a pack has."""

    answer_kind: AnswerKind
    """Its code."""
    title: str
    """What it is called."""
    levels: tuple[Code, ...]
    """The levels at which it may be chosen."""


class Pack(Answered):
    """A pack of rules."""

    policy: PolicyRef
    """How events name it."""
    pack: Code
    """Its id."""
    version: int | str
    """Its version."""
    title: str
    """What it is called."""
    levels: tuple[Level, ...]
    """Its levels."""
    answer_kinds: tuple[KindOfAnswer, ...]
    """Its kinds of answer."""
    units: tuple[UnitCode, ...]
    """The units that work by it now."""


class Packs(
    Page,
    json_schema_extra=example(
        items=[
            {
                "policy": "county-default@1#" + "9f2c" * 16,
                "pack": "county-default",
                "version": 1,
                "title": "县级示例规则",
                "levels": [{"level": "major", "rank": 2, "title": "重大"}],
                "answer_kinds": [{"answer_kind": "answer", "title": "答复", "levels": ["general", "major"]}],
                "units": ["town-east"],
            }
        ],
        next=None,
    ),
):
    """The packs that this service has."""

    items: tuple[Pack, ...]
    """The entries of this page."""
