"""Triage's answers on incidents, for the API's documents.

Words that have not arrived yet are null, erased ones `[erased]`.
"""

from typing import Any, Literal

from schemas.answering import RequestOutcome
from schemas.fields import (
    Code,
    IncidentId,
    Instant,
    Number,
    PolicyRef,
    Post,
    UnitCode,
)
from schemas.triage import AnswerKind, FollowUpEnd
from services.kernel.core.commands import example
from services.kernel.serving.answers import DONE, Answered, Done, Page
from services.triage.alike.similar_answers import LinkOf
from services.triage.owed.explaining import Owed
from services.triage.part_answers import (
    Assessment,
    Assignment,
    BallOf,
    CitedLesson,
    DoubtOf,
    EmergencyPlanOf,
    EstablishedFact,
    FactOfSheet,
    FlagOf,
    HandingOf,
    HarmOf,
    LevelKnown,
    MeetingOf,
    Note,
    OrderOf,
    PlanOf,
    ProposalOf,
    Proposed,
    Refusal,
    ReportOf,
    ScreeningOf,
    ShareOf,
    Spread,
    TeamOf,
    UnhelpfulAnswer,
    VerificationOf,
)

Verb = Literal[
    "instruct",
    "request-verification",
    "request-help",
    "establish-fact",
    "conclude-verification",
    "assess",
    "classify",
    "categorize",
    "grade",
    "set-flag",
    "clear-flag",
    "judge-harm",
    "judge-doubt",
    "name-team",
    "make-plan",
    "start-plan",
    "hold-meeting",
    "pass-upward",
    "assign",
    "designate",
    "accept",
    "return",
    "accept-help",
    "return-help",
    "complete-help",
    "transfer",
    "hand-to-peer",
    "tell-peer",
    "move-policy",
    "record-handling",
    "explain",
    "reply",
    "solve",
    "leave-unsolved",
    "screen",
    "review-screening",
    "order-explanation",
    "explain-to-office",
    "explain-delay",
    "receive-material",
    "propose-measure",
    "approve",
    "reject",
    "cannot-judge",
    "resolve",
    "follow-up",
    "decline-round",
    "reopen",
    "close",
    "merge",
    "link",
    "offer",
    "split",
]
State = Literal["open", "assigned", "accepted", "resolved", "closed", "dismissed", "merged"]
INCIDENT = "incident-01890a5d-ac96-774b-bcce-b302099a8057"
REPORT = "report-01890a5d-a1b2-7c3d-8e4f-5061728394a5"
_SHOWN: dict[str, Any] = {
    "number": "town-east-2026-00042",
    "id": INCIDENT,
    "state": "assigned",
    "unit": "town-east",
    "assigned": "county-roads",
    "level": "major",
    "rank": 2,
    "policy": "county-default@2#" + "9f2c" * 16,
    "answer_kind": "answer",
    "category": "roads.lighting",
    "discovered_at": "2026-03-02T01:00:00.000000Z",
    "registered_at": None,
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
    "dispatches": 1,
    "returns": 0,
    "designates": None,
    "designated_by": None,
    "round": 1,
    "unhelpful": [],
    "follows_up": None,
    "follow_up_ended": None,
    "outcome": None,
    "outcome_at": None,
    "plan_due": None,
    "screening": None,
    "explanation_ordered": None,
    "unit_explained_at": None,
    "reply_proposed_at": None,
    "owes": ["unit_explanation"],
    "ball": {"unit": "county-roads", "post": None, "since": "2026-03-02T02:00:00.000000Z", "for": "acceptance"},
    "verification": {"asked": ["county-water"], "due": "2026-03-02T04:00:00.000000Z", "outcome": None, "by": None},
    "clarifying": False,
    "handing": {
        "to": "city",
        "since": "2026-03-02T02:00:00.000000Z",
        "heard": None,
        "came_from": None,
        "told": None,
    },
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
    """The result of a split."""

    into: IncidentId
    """The incident that has the reports now."""


class Handled(Answered):
    """Since when each track of the handling has a record."""

    problem: Instant | None
    """The real problem; null while nothing is recorded."""
    answer: Instant | None
    """The answer; null while nothing is recorded."""


class Incident(Answered):
    """An incident."""

    number: Number
    """The number by which people name it."""
    id: IncidentId
    """The incident's id."""
    state: State
    """Its state."""
    unit: UnitCode
    """The accountable unit."""
    assigned: UnitCode | None
    """The unit that handles it."""
    level: Code | None
    """Its level, by the pack in force; null before the grading."""
    rank: int | None
    """The level's place in its pack, the mildest first."""
    policy: PolicyRef | None
    """The pack by which it was graded."""
    answer_kind: AnswerKind | None
    """What kind of answer the office will give."""
    category: Code | None
    """Its category."""
    discovered_at: Instant
    """When the office first knew by a report; of a matter that nobody has reported yet, when it knew by itself."""
    registered_at: Instant | None
    """When the office knew by itself, if it registered the matter before anybody reported it."""
    opened_at: Instant
    """When the incident was opened."""
    updated_at: Instant
    """When something was last recorded on it."""
    graded_at: Instant | None
    """When it was last graded."""
    assigned_at: Instant | None
    """When it was last assigned."""
    accepted_at: Instant | None
    """When the assigned unit accepted it."""
    resolved_at: Instant | None
    """When its handling was completed."""
    closed_at: Instant | None
    """When the office's work on it ended."""
    dismissed_at: Instant | None
    """When it ended because every report was refused an answer."""
    subject: str | None
    """The concern in short: of the registration, or of the first report."""
    handled: Handled
    """The records of the handling."""
    dispatches: int
    """How often it was given to a unit since it was opened, or opened again."""
    returns: int
    """How often a unit gave it back."""
    designates: UnitCode | None
    """The unit that must designate who handles it."""
    designated_by: UnitCode | None
    """The unit that designated who handles it; then nobody gives it back."""
    round: int
    """The round of its handling: 1, and one more for each reopening."""
    unhelpful: tuple[UnhelpfulAnswer, ...]
    """The askers whom the answer did not help, as long as the office has not decided on them."""
    follows_up: Post | None
    """The post that follows it after its end."""
    follow_up_ended: FollowUpEnd | None
    """Why nobody need follow it any more: it is over, or the risk is gone."""
    outcome: RequestOutcome | None
    """The outcome of the request; null while the problem has none."""
    outcome_at: Instant | None
    """When it came to this outcome: the end of the problem's track."""
    plan_due: Instant | None
    """The date of the plan, if the outcome is `planned`. The matter is followed up then."""
    screening: ScreeningOf | None
    """The last decision whether it needs a reply; null if nobody decided, and then it does."""
    explanation_ordered: OrderOf | None
    """The leader's order that the unit concerned explains it to the office."""
    unit_explained_at: Instant | None
    """When that unit first explained it to the office."""
    reply_proposed_at: Instant | None
    """When that unit first proposed a reply."""
    owes: tuple[Owed, ...]
    """What the office still owes itself by the matter's pack before it is closed."""
    ball: BallOf | None
    """Whom it waits for; null if it waits for nobody."""
    verification: VerificationOf
    """Whether its facts are verified."""
    clarifying: bool
    """Whether what was reported is not in line with the facts, and no answer has said so yet."""
    handing: HandingOf | None
    """Where it stands between this deployment and others; null if it is the business of this one alone."""
    merged_into: IncidentId | None
    """The incident into which it was merged."""
    relates_to: IncidentId | None
    """The ended incident of the same matter, when this one was opened."""
    split_from: IncidentId | None
    """The incident that its reports left."""
    entered_late: bool
    """Whether a discovery was already old when it was recorded."""
    report_count: int
    """How many reports belong to it."""
    drill: bool
    """Whether it is an exercise."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions staff took on it. `If-Match` names this number."""
    may: tuple[Verb, ...]
    """The commands that the caller may send now."""


class ListedIncident(Incident):
    """An incident in a list."""

    refusal: Refusal | None
    """If it ended because every report was refused an answer: the latest refusal."""


class Incidents(Page, json_schema_extra=example(items=[{**_SHOWN, "refusal": None, "may": ["grade"]}], next=None)):
    """Incidents, newest first."""

    items: tuple[ListedIncident, ...]
    """The entries of this page."""


class HandoverCount(Answered):
    """How often a unit got matters, or gave them back."""

    unit: UnitCode
    """The unit."""
    kind: Literal["assigned", "designated", "returned"]
    """Whether it was told to handle them by a desk, by the unit above, or gave them back."""
    ground: Code | None
    """For returns: the reason; null if none was named from the list."""
    number: int
    """How often."""
    late: int
    """For returns: how many of them came after the limit."""


class Handovers(
    Page,
    json_schema_extra=example(
        items=[{"unit": "county-roads", "kind": "returned", "ground": "not_ours_by_duty", "number": 3, "late": 1}],
        next=None,
    ),
):
    """The figures, by unit, kind and reason. The answer has one page."""

    items: tuple[HandoverCount, ...]
    """The entries of this page."""


_COUNTED = {
    "clicks": 1200,
    "comments": 86,
    "mainstream_sites": None,
    "shares": None,
    "measured_at": "2026-03-02T04:00:00.000000Z",
}


class WholeIncident(
    Incident,
    json_schema_extra=example(
        **_SHOWN,
        place=None,
        proposed_reply=None,
        absorbed=[],
        links=[
            {
                "incident": INCIDENT,
                "to": "incident-01890a5d-b1c2-7d3e-9f40-617283940516",
                "number": "town-east-2026-00040",
                "goes_on_in": None,
                "kind": "part",
                "at": "2026-03-02T02:00:00.000000Z",
                "by": "duty_officer@town-east",
                "reason": "同一路段",
            }
        ],
        lessons=[
            {
                "lesson": 4,
                "incident": "incident-01890a5d-b1c2-7d3e-9f40-617283940516",
                "text": "夜间无人值守，路灯故障两日后才派修",
                "change": "重大事项的接办时限由4小时改为2小时",
            }
        ],
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
        shares=[
            {
                "part": "lead",
                "unit": "county-roads",
                "share": "更换灯具",
                "due": "2026-03-04T09:00:00.000000Z",
                "asked_at": "2026-03-02T02:00:00.000000Z",
                "accepted_at": None,
                "completed_at": None,
            }
        ],
        team=None,
        plan=None,
        emergency_plan=None,
        meetings=[],
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
                "withheld": False,
                "url": None,
                "place": None,
                "request": "请尽快修复",
                "refused": None,
                "reach": _COUNTED,
                "counts": [_COUNTED | {"recorded_at": "2026-03-02T04:01:00.000000Z"}],
            }
        ],
        proposals=[],
        flags=[
            {
                "flag": "public",
                "at": "2026-03-02T02:00:00.000000Z",
                "by": "duty_officer@town-east",
                "reason": "涉及公共照明",
                "taken_from": None,
            }
        ],
        harm=None,
        doubt=None,
        assessments=[
            {
                "incident": INCIDENT,
                "cause": "线路老化",
                "truth": "情况属实，涉及12盏路灯",
                "trend": "关注集中在周边居民",
                "impact": "夜间通行不便",
                "at": "2026-03-02T02:00:00.000000Z",
                "recorded_at": "2026-03-02T02:00:00.000000Z",
                "by": "duty_officer@town-east",
            }
        ],
        handling=[],
        notes=[],
        reach={"clicks": 1200, "comments": 86, "mainstream_sites": None, "shares": None, "basis": [f"{REPORT}@2"]},
        levels_known=[{"level": "major", "known_at": "2026-03-02T04:00:00.000000Z"}],
        proposed={"level": "major", "rule": "major/clicks"},
        may=["grade", "assign"],
    ),
):
    """An incident with all its records."""

    place: str | None
    """The place, if it was registered before anybody reported it."""
    proposed_reply: str | None
    """What the unit concerned last proposed to reply."""
    absorbed: tuple[IncidentId, ...]
    """The incidents that were merged into it."""
    links: tuple[LinkOf, ...]
    """How it and other matters belong together, as people decided; only matters that the caller may read."""
    lessons: tuple[CitedLesson, ...]
    """What earlier matters and exercises taught, as far as the version of its pack answers it."""
    related: tuple[IncidentId, ...]
    """Incidents of the same matter that were opened after it had ended."""
    split_off: tuple[IncidentId, ...]
    """The incidents to which some of its reports were split off."""
    assignments: tuple[Assignment, ...]
    """The unit that handles it, and those that handled the merged incidents."""
    shares: tuple[ShareOf, ...]
    """The shares in the handling: that of the lead, then those of the units that help."""
    team: TeamOf | None
    """The team that handles it; null if none was named."""
    plan: PlanOf | None
    """How it is handled; null if nobody made a plan."""
    emergency_plan: EmergencyPlanOf | None
    """The emergency plan in force; null if none is."""
    meetings: tuple[MeetingOf, ...]
    """The meetings about it, in order."""
    facts: tuple[EstablishedFact, ...]
    """The established facts."""
    reports: tuple[ReportOf, ...]
    """Its reports in the order in which they came, at most 500."""
    proposals: tuple[ProposalOf, ...]
    """Measures and explanations that need approval, in order."""
    flags: tuple[FlagOf, ...]
    """The flags that are set on it."""
    harm: HarmOf | None
    """The last judgement of the harm to the public; null if nobody judged it."""
    doubt: DoubtOf | None
    """The last judgement whether it is in doubt; null if nobody judged it."""
    assessments: tuple[Assessment, ...]
    """Its assessments, in order."""
    handling: tuple[Note, ...]
    """What was done, in order."""
    notes: tuple[Note, ...]
    """Instructions, reasons, follow-ups and answers, in order."""
    reach: Spread | None
    """How far the matter has spread; null if nothing was measured."""
    levels_known: tuple[LevelKnown, ...]
    """The levels above the lowest that facts have proposed, and since when each is known."""
    proposed: Proposed | None
    """The pack's proposal; null if it proposes nothing."""


class FactSheet(
    Page,
    json_schema_extra=example(
        items=[
            {
                "key": "lamps",
                "title": "路灯数量",
                "title_en": "Street lamps",
                "kind": "number",
                "measure": "盏",
                "codes": [],
                "values": [
                    {
                        "incident": INCIDENT,
                        "version": 4,
                        "value": 12,
                        "source": "3月2日现场核查记录",
                        "evidence": [],
                        "by": "verifier@town-east",
                        "unit": "town-east",
                        "at": "2026-03-02T01:50:00.000000Z",
                        "recorded_at": "2026-03-02T01:50:00.000000Z",
                        "used_by": [],
                    }
                ],
            }
        ],
        next=None,
    ),
):
    """The facts of a matter, in order of their keys."""

    items: tuple[FactOfSheet, ...]
    """The facts."""
