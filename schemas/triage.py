"""Events of `incident`, `policy` and `unit` streams: an office's decisions and acts on a matter."""

from typing import Literal

from schemas.answering import Solution
from schemas.approval import Step
from schemas.catalogue import event
from schemas.fields import (
    REACH,
    Code,
    Digest,
    Done,
    Fact,
    Figure,
    Instant,
    LevelKnown,
    PolicyRef,
    Post,
    StreamId,
    Token,
    UnitCode,
    Uuid,
    Words,
)
from schemas.handing import Handed
from schemas.numbers import Numbered
from schemas.standing import Change
from schemas.verification import Outcome

AnswerKind = Literal["answer", "status", "clarification", "adoption"]
Track = Literal["problem", "answer"]
Proposable = Literal["measure", "explanation", "reply"]
Meeting = Literal["leading_group", "joint", "consultation"]
FollowUpEnd = Literal["over", "risk_gone"]
Asked = Literal["asker", "public"]
"""Whom an explanation is given."""
ClarifiedFor = Literal["not_in_line", "dual_report"]
"""Why a clarification is prepared."""


@event("incident.opened")
class IncidentOpened(Numbered):
    """A matter became the business of an office. `unit` is accountable for it from `discovered_at` on.

    People name it by its `number`. `relates_to` names the incident of the same matter that was resolved or closed
    before this report came in. `handed` says which deployment handed the matter over.
    `entered_late` is taken from the report. `split_from` names the incident that its reports left. `policy` is the pack
    of the matter from now on; without it, none was in force. Without a `report`, a post registered the matter before
    anybody reported it, with `subject`, `text` and `place`. Then nothing is owed to an asker before the first report.
    """

    report: StreamId | None = None
    discovered_at: Instant
    subject: Words | None = None
    text: Words | None = None
    place: Words | None = None
    category: Code | None = None
    channel: Code | None = None
    match_key: Digest | None = None
    place_key: Digest | None = None
    relates_to: StreamId | None = None
    entered_late: bool = False
    split_from: StreamId | None = None
    policy: PolicyRef | None = None
    handed: Handed | None = None


@event("incident.report_attached")
class IncidentReportAttached(Fact):
    """A further report of the same matter joined the incident. `entered_late` is taken from the report."""

    report: StreamId
    unit: UnitCode
    discovered_at: Instant
    entered_late: bool = False
    category: Code | None = None
    place_key: Digest | None = None


@event("incident.report_detached", planned=True)
class IncidentReportDetached(Fact):
    """A report left the incident because it concerns another matter."""

    report: StreamId
    to: StreamId | None = None


@event("incident.instruction_given")
class IncidentInstructionGiven(Done):
    """A leader gave a written instruction on the matter.

    `post` is the post that gave it, if it is one of those whose instruction the pack asks for before an assignment.
    """

    text: Words
    post: Post | None = None


@event("incident.verification_requested")
class IncidentVerificationRequested(Fact):
    """A unit was asked to establish the facts before an answer, until `due`. The matter waits for an outcome.

    `taken_from` names the merged incident in which the unit was asked, if there was an outcome there. Then nothing
    waits for it here.
    """

    unit: UnitCode
    text: Words | None = None
    due: Instant | None = None
    taken_from: StreamId | None = None


@event("incident.clarification_opened")
class IncidentClarificationOpened(Fact):
    """A clarification is to be prepared by `unit`.

    What was reported is not in line with the facts, or the matter was reported to two leaders at once. In the first
    case an answer is owed.
    """

    unit: UnitCode
    cause: ClarifiedFor


@event("incident.help_requested")
class IncidentHelpRequested(Fact):
    """A unit was asked to help in the handling, until its part ends: with which share, and by when."""

    unit: UnitCode
    text: Words | None = None
    due: Instant | None = None


@event("incident.help_accepted")
class IncidentHelpAccepted(Done):
    """A unit that was asked to help confirmed that it has its share."""

    unit: UnitCode


@event("incident.help_returned")
class IncidentHelpReturned(Done):
    """A unit that was asked to help gave its share back, with its explanation. It helps no more."""

    unit: UnitCode
    reason: Words


@event("incident.help_completed")
class IncidentHelpCompleted(Done):
    """A unit that was asked to help has done its share."""

    unit: UnitCode
    text: Words


@event("incident.verification_concluded")
class IncidentVerificationConcluded(Done):
    """Verification has an outcome, established by `unit`, with the finding.

    `taken_from` names the incident that brought it along by a merger.
    """

    unit: UnitCode
    outcome: Outcome
    text: Words | None = None
    taken_from: StreamId | None = None


@event("incident.assessed")
class IncidentAssessed(Done):
    """The office assessed the matter: its cause, the truth of the problem, the trend and the possible impact."""

    cause: Words
    truth: Words
    trend: Words
    impact: Words


class FactValue(Done):
    """A fact's value by its kind. A text is `Words`. `evidence` are files of the matter's reports."""

    key: Code
    kind: Literal["text", "number", "time", "code", "yes_no"]
    words: Words | None = None
    number: float | None = None
    at: Instant | None = None
    code: Code | None = None
    yes: bool | None = None
    evidence: tuple[Token, ...] = ()


@event("incident.fact_established")
class IncidentFactEstablished(FactValue):
    """A fact of the matter was established, with its source."""

    source: Words


@event("incident.fact_revised")
class IncidentFactRevised(FactValue):
    """An established fact was found to be different. The earlier value stays in the record."""

    source: Words


@event("incident.classified")
class IncidentClassified(Done):
    """What kind of answer the office will give. It names what the office does, never what somebody said.

    `taken_from` names the incident that brought it along by a merger.
    """

    answer_kind: AnswerKind
    taken_from: StreamId | None = None


@event("incident.categorized")
class IncidentCategorized(Fact):
    """The matter was put into a category of the deployment's list, or into another one than before.

    `previous` is the category that it had. `taken_from` is as in a kind of answer.
    """

    category: Code
    previous: Code | None = None
    reason: Words | None = None
    taken_from: StreamId | None = None


@event("incident.graded")
class IncidentGraded(Done):
    """A person judged how grave the matter is for the public, by the pack in force.

    `known_at` is the time of the first facts for which the pack proposes this level or a higher one. `taken_from`
    names the incident that brought the level along by a merger. Then `known_at` is when the level could be known there.
    """

    level: Code
    rank: Figure
    reason: Words | None = None
    proposed: Code | None = None
    rule: Code | None = None
    known_at: Instant | None = None
    taken_from: StreamId | None = None


@event("incident.regraded")
class IncidentRegraded(Done):
    """The level was changed. `previous` was in force until now, and its duties stay on record.

    `known_at` is since when this level or a higher one was known, by facts or an earlier grading. `taken_from`
    names the incident that brought the level along by a merger. Then `known_at` is when the level could be known there.
    """

    level: Code
    rank: Figure
    previous: Code
    previous_rank: Figure
    reason: Words | None = None
    proposed: Code | None = None
    rule: Code | None = None
    known_at: Instant | None = None
    taken_from: StreamId | None = None


@event("incident.levels_known")
class IncidentLevelsKnown(Fact):
    """Facts changed since when levels above the lowest are known. `levels` are all that are known now.

    Facts are counts, flags and harm. A person still decides about the level.
    """

    levels: tuple[LevelKnown, ...]


@event("incident.reach_counted")
class IncidentReachCounted(Fact):
    """A report counted more of the matter's reach than it had before. Counts of several reports stand side by side.

    `taken_from` names the incident that brought the count along, by a merger or a split.
    """

    report: StreamId
    counted_at: Instant
    clicks: Figure | None = None
    comments: Figure | None = None
    mainstream_sites: Figure | None = None
    shares: Figure | None = None
    taken_from: StreamId | None = None


@event("incident.flag_set")
class IncidentFlagSet(Done):
    """A person set a flag of the pack on the matter. `taken_from` names the incident that brought it by a merger."""

    flag: Code
    reason: Words | None = None
    taken_from: StreamId | None = None


@event("incident.flag_cleared")
class IncidentFlagCleared(Fact):
    """A person took a flag off the matter. What was known by it stays known."""

    flag: Code
    reason: Words


@event("incident.harm_judged")
class IncidentHarmJudged(Done):
    """A person judged the harm to the public, as a step of the pack's scale. `taken_from` is as in a flag."""

    harm: Figure
    reason: Words | None = None
    taken_from: StreamId | None = None


@event("incident.doubt_judged")
class IncidentDoubtJudged(Fact):
    """A person judged whether the matter is in doubt. `taken_from` is as in a flag."""

    doubtful: bool
    reason: Words | None = None
    taken_from: StreamId | None = None


@event("incident.assigned")
class IncidentAssigned(Done):
    """A unit was told to handle the matter, and leads the handling. Others may help.

    `share` is its own part of the work, `due` when that is to be done. If `designated_by` is there, that unit above
    decided, and nobody gives the matter back. `taken_from` names the incident that brought the assignment along, by a
    merger or a split.
    """

    unit: UnitCode
    reason: Words | None = None
    share: Words | None = None
    due: Instant | None = None
    designated_by: UnitCode | None = None
    taken_from: StreamId | None = None


@event("incident.accepted")
class IncidentAccepted(Done):
    """The assigned unit took the matter on. `taken_from` is as in `incident.assigned`."""

    unit: UnitCode
    taken_from: StreamId | None = None


@event("incident.returned")
class IncidentReturned(Done):
    """The assigned unit gave the matter back, with its explanation.

    `ground` is one of the pack's reasons, `returns` the number of returns of the matter with this one. `late` says that
    the limit for returning had passed. `designates` is the unit that must say now who handles the matter.
    """

    unit: UnitCode
    reason: Words
    ground: Code | None = None
    returns: Figure = 1
    late: bool = False
    designates: UnitCode | None = None


@event("incident.transferred")
class IncidentTransferred(Done):
    """Another unit became accountable for the matter. The earlier one stays visible."""

    unit: UnitCode
    previous: UnitCode
    reason: Words


@event("incident.policy_moved")
class IncidentPolicyMoved(Fact):
    """The matter goes on under another pack: a unit above decided so, or a unit with another pack took it over.

    `level` is its level by the new pack from now on; without it, the matter has none. `known_at` is as in
    `incident.graded`. A hand-over has its own reason.
    """

    policy: PolicyRef
    previous: PolicyRef
    level: Code | None = None
    rank: Figure | None = None
    known_at: Instant | None = None
    reason: Words | None = None

    @property
    def changes_rules(self) -> bool:
        """Whether it is another pack, and not another version: levels and steps of harm then mean something else."""
        return self.policy.partition("@")[0] != self.previous.partition("@")[0]


@event("incident.team_named")
class IncidentTeamNamed(Done):
    """The one team that handles the matter was named, by posts. A later naming replaces it."""

    head: Post
    deputy: Post | None = None
    members: tuple[Post, ...] = ()


@event("incident.plan_made")
class IncidentPlanMade(Done):
    """How the matter is handled: by when, by which unit and post, in which steps. A later plan replaces it."""

    unit: UnitCode
    post: Post
    due: Instant
    text: Words


@event("incident.plan_started")
class IncidentPlanStarted(Done):
    """The emergency plan was put in force for the matter."""

    plan: Code


@event("incident.meeting_held")
class IncidentMeetingHeld(Done):
    """The leading group or the offices concerned met about the matter, or consulted on a new situation.

    The minutes are words. A meeting may form the release group and name the spokesperson.
    """

    meeting: Meeting
    units: tuple[UnitCode, ...]
    took_part: tuple[Post, ...]
    minutes: Words
    release_group: tuple[Post, ...] = ()
    spokesperson: Post | None = None


@event("incident.passed_upward")
class IncidentPassedUpward(Done):
    """A unit cannot solve the matter alone. `designates` is the unit above, which says who handles it."""

    unit: UnitCode
    designates: UnitCode
    reason: Words


@event("incident.proposed")
class IncidentProposed(Done):
    """A measure, an explanation or a reply was proposed, and waits for the approvals that the matter's pack asks for.

    `proposal` numbers the proposals of the incident. The steps stay fixed. `to` says who gets an explanation. With a
    `late_reason`, the event's time is when it was given or the measure was approved, before the approvals were entered.
    """

    proposal: Figure
    of: Proposable
    text: Words
    to: Asked | None = None
    secret: bool = False
    major_information: bool = False
    chain: Code
    steps: tuple[Step, ...]
    by: Digest


@event("incident.proposal_approved")
class IncidentProposalApproved(Fact):
    """A post or body of a step agreed to the proposal; the fields are as in `statement.approved`."""

    proposal: Figure
    step: Code
    who: Code
    post: Post
    took_part: tuple[Post, ...] = ()
    last: bool
    next: tuple[Code, ...] = ()
    reason: Words | None = None
    by: Digest


@event("incident.proposal_referred")
class IncidentProposalReferred(Fact):
    """An approver could not judge the proposal at a step, with a reason. `to` decides in place of `who`."""

    proposal: Figure
    step: Code
    who: Code
    post: Post
    to: Code
    reason: Words
    by: Digest


@event("incident.proposal_rejected")
class IncidentProposalRejected(Fact):
    """The proposal was rejected at a step, with a reason."""

    proposal: Figure
    step: Code
    reason: Words
    by: Digest


@event("incident.proposal_withdrawn")
class IncidentProposalWithdrawn(Fact):
    """The matter ended while the proposal waited for approval. What is still wanted is proposed anew."""

    proposal: Figure
    cause: Literal["resolved", "closed", "dismissed", "merged"]


@event("incident.measure_approved")
class IncidentMeasureApproved(Done):
    """A measure, not only a text, was approved before it was taken: the proposal of this number."""

    proposal: Figure
    measure: Words


@event("incident.explained")
class IncidentExplained(Done):
    """The office gave the explanation that it owed, to the asker or in public."""

    text: Words
    to: Asked


@event("incident.replied")
class IncidentReplied(Done):
    """The office replied at the place where the question was asked, after the approvals that the pack asks for."""

    text: Words


@event("incident.solved")
class IncidentSolved(Done):
    """The real problem is solved. The answer is another track."""

    text: Words
    outcome: Solution = "solved"


@event("incident.delay_explained")
class IncidentDelayExplained(Done):
    """A unit explained to the office why it is late. This meets no limit, and no circular names the matter."""

    text: Words


@event("incident.material_received")
class IncidentMaterialReceived(Done):
    """The responsible department sent material for the answer.

    Only material that its head signed and that carries its seal is accepted, and meets a limit.
    """

    unit: UnitCode
    signed: bool
    sealed: bool
    signed_by: Post | None = None
    file: Token | None = None


@event("incident.handling_recorded")
class IncidentHandlingRecorded(Fact):
    """A note of work on one of the two tracks: the real problem, or the answer.

    With `statement`, the published statement of facts is the answer; `closing` says that it also ends the matter.
    """

    track: Track
    text: Words | None = None
    statement: StreamId | None = None
    closing: bool = False


@event("incident.resolved")
class IncidentResolved(Done):
    """The handling is completed: the problem is solved, and the answer was given.

    `follows_up` is the post that looks at the matter afterwards, if the pack asks for one or somebody named it.
    """

    reason: Words
    follows_up: Post | None = None


@event("incident.followed_up")
class IncidentFollowedUp(Done):
    """Somebody looked again at the matter after it was handled.

    With `ends`, nobody need look again: the matter is over, or the risk is gone.
    """

    text: Words
    ends: FollowUpEnd | None = None


@event("incident.answer_judged")
class IncidentAnswerJudged(Fact):
    """The asker of a report said whether the answer helped. The asker's words stand with the report."""

    report: StreamId
    answer: Uuid
    helps: bool


@event("incident.round_declined")
class IncidentRoundDeclined(Fact):
    """The office opens no new round although the answer did not help the asker of a report, and says why."""

    report: StreamId
    reason: Words


@event("incident.reopened")
class IncidentReopened(Done):
    """The matter is open again: it came back, or the answer did not hold. The rounds of a matter count from 1.

    `report` tells of it, and `discovered_at` is when the office learned of it. What is owed in this round counts from
    then on; without it, from the reopening.
    """

    reason: Words
    report: StreamId | None = None
    discovered_at: Instant | None = None
    round: Figure = 2


@event("incident.closed")
class IncidentClosed(Done):
    """The office ended its work on the matter, with a reason.

    `missing` are the parts of its file that the pack names and that are not there, `evaluated_by` the posts and bodies
    that evaluate the handling by the pack.
    """

    reason: Words
    missing: tuple[Code, ...] = ()
    evaluated_by: tuple[Post, ...] = ()


@event("incident.report_refused")
class IncidentReportRefused(Fact):
    """The office decided that a report of the matter gets no answer. The reason stands with the report.

    `post` decided it, and `by` is a digest of the person within the report's stream.
    """

    report: StreamId
    post: Post | None = None
    by: Digest | None = None


@event("incident.dismissed")
class IncidentDismissed(Fact):
    """No report of the matter gets an answer, so the office ended its work on it. Each refusal has its own reason."""

    report_count: Figure


LinkKind = Literal["same", "part", "related", "other"]
Linked = Literal["same", "part", "whole", "related", "other"]
"""A link, seen from one of the two matters: it is a part of the other one, or the whole of which that is a part."""


@event("incident.linked")
class IncidentLinked(Fact):
    """A person decided how this incident and `to` belong together.

    They are the same matter, this one is a part of the other or its whole, they are related, or they have nothing to do
    with each other. A later decision replaces it. Both incidents record it; the reason stands where it was decided.
    """

    to: StreamId
    kind: Linked
    reason: Words | None = None


@event("incident.offered")
class IncidentOffered(Fact):
    """The matter was offered to a unit above, which has a similar one."""

    to: UnitCode
    reason: Words | None = None


@event("incident.merged")
class IncidentMerged(Fact):
    """This incident is the same matter as `into` and goes on there. Its breaches stay its own."""

    into: StreamId
    reason: Words | None = None


@event("incident.absorbed")
class IncidentAbsorbed(Fact):
    """Another incident of the same matter goes on here. The earlier first knowledge counts.

    Without `discovered_at`, nobody has reported the matter yet. `refused` are its reports that get no answer, `handled`
    the tracks on which it was handled, `verified_by` the units that established its facts. `entered_late` says whether
    one of its discoveries was old when it was entered. `dispatches` and `returns` say how often it was given on and
    back, `designates` which unit above must say who handles it, `instructed` whether the leader gave the instruction
    that its pack asks for before an assignment, and `round` in which round it was.
    """

    incident: StreamId
    reports: tuple[StreamId, ...]
    discovered_at: Instant | None = None
    entered_late: bool = False
    refused: tuple[StreamId, ...] = ()
    handled: tuple[Track, ...] = ()
    dispatches: Figure = 0
    returns: Figure = 0
    designates: UnitCode | None = None
    instructed: bool = False
    round: Figure = 1
    verified_by: tuple[UnitCode, ...] = ()


@event("incident.split")
class IncidentSplit(Fact):
    """Reports of another matter left for an incident of their own. Further reports with `match_keys` go there too."""

    into: StreamId
    reports: tuple[StreamId, ...]
    match_keys: tuple[Digest, ...] = ()


def reach_of(data: Fact) -> dict[str, dict[str, int | None] | None]:
    """Report -> the figures that an event counts of it; None if it leaves the incident. Empty for most events."""
    match data:
        case IncidentReachCounted():
            return {data.report: {name: getattr(data, name) for name in REACH}}
        case IncidentSplit():
            return dict.fromkeys(data.reports)
    return {}


def standing_of(data: Fact) -> Change | None:
    """The change that an event makes to the parts of units; None for most events."""
    match data:
        case IncidentOpened(unit=unit) | IncidentTransferred(unit=unit):
            return Change("accountable", unit)
        case IncidentAssigned(unit=unit):
            return Change("assigned", unit)
        case IncidentReturned():
            return Change("assigned")
        case IncidentVerificationRequested(unit=unit):
            return Change("verifying", unit)
        case IncidentHelpRequested(unit=unit):
            return Change("helping", unit)
        case IncidentHelpReturned(unit=unit):
            return Change("helping", unit, ends=True)
        case IncidentResolved():
            return Change("helping")
        case IncidentClosed() | IncidentDismissed():
            return Change("verifying")
        case IncidentMerged(into=into):
            return Change(into=into)
    return None


def reports_moved(data: Fact) -> tuple[tuple[StreamId, ...], bool]:
    """The reports that an event brings to its incident, or takes from it, and whether it takes them."""
    match data:
        case IncidentOpened(report=report) | IncidentReportAttached(report=report):
            return ((report,) if report else ()), False
        case IncidentAbsorbed(reports=reports):
            return reports, False
        case IncidentReportDetached(report=report):
            return (report,), True
        case IncidentSplit(reports=reports):
            return reports, True
    return (), False


STANDING = (
    IncidentOpened,
    IncidentTransferred,
    IncidentAssigned,
    IncidentReturned,
    IncidentVerificationRequested,
    IncidentHelpRequested,
    IncidentHelpReturned,
    IncidentResolved,
    IncidentClosed,
    IncidentDismissed,
    IncidentMerged,
)
"""The models for which `standing_of` gives a change."""
