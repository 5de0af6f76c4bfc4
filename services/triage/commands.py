"""The commands on incidents. Commands in the table of rights are bodies of HTTP requests; the others are internal."""

import math
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from schemas.answering import Solution
from schemas.fields import (
    UUID,
    Code,
    Digest,
    Figure,
    IncidentId,
    IncidentRef,
    Instant,
    PeerName,
    PolicyRef,
    Post,
    ReportId,
    StatementId,
    StreamId,
    Token,
    UnitCode,
    Uuid,
    WordsRef,
    WrittenInstant,
)
from schemas.handing import Handed, Heard, Told
from schemas.triage import AnswerKind, Asked, FollowUpEnd, IncidentReportRefused, Linked, LinkKind, Meeting, Track
from schemas.verification import Outcome
from services.kernel.core.acts import Act
from services.kernel.core.commands import Command, example

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
Basis = Annotated[str, StringConstraints(pattern=f"^[a-z]+-{UUID}@[0-9]+$")]

MAX_NUMBER = 1e15
_CODE: TypeAdapter[str] = TypeAdapter(Code)


class Instruct(Act, json_schema_extra=example(text="请立即到现场，先公布处置情况")):
    """A leader gives a written instruction on the matter."""

    text: Text
    """The instruction."""


class RequestVerification(
    Command,
    json_schema_extra=example(unit="town-east", text="请核实停水范围和原因", due="2026-03-02T12:00:00+08:00"),
):
    """Ask a unit to establish the facts before an answer. Answers that the matter's pack names wait for an outcome."""

    unit: UnitCode
    """The unit that establishes the facts."""
    text: Text | None = None
    """The question."""
    due: WrittenInstant | None = None
    """By when an outcome is asked for."""


class RequestHelp(Command, json_schema_extra=example(unit="county-roads", text="请协助提供路灯线路资料")):
    """Ask a unit to help in the handling. It reads the matter, records its steps and drafts, until its part ends.

    A second request to the same unit changes its share and its limit.
    """

    unit: UnitCode
    """The unit that helps."""
    text: Text | None = None
    """Its share of the work."""
    due: WrittenInstant | None = None
    """By when its share is to be done."""


class _OfHelp(Act):
    unit: UnitCode | None = None
    """The helping unit. By default it is the caller's own, or the only one below it."""


class AcceptHelp(_OfHelp, json_schema_extra=example()):
    """A unit that was asked to help confirms that it has its share."""


class ReturnHelp(_OfHelp, json_schema_extra=example(reason="该线路不属于本单位管护范围")):
    """A unit that was asked to help gives its share back, with its explanation."""

    reason: Text
    """The reason why the unit does not help."""


class CompleteHelp(_OfHelp, json_schema_extra=example(text="已提供线路图")):
    """A unit that was asked to help has done its share."""

    text: Text
    """What it did."""


class ConcludeVerification(Act, json_schema_extra=example(outcome="confirmed", text="现场核查，12盏路灯不亮")):
    """Say how verification ended.

    What is not in line with the facts owes a clarification. At grave levels, the pack may let a unit above conclude.
    """

    outcome: Outcome
    """`confirmed`, `not_in_line` with the facts, or `not_established` yet."""
    text: Text
    """The finding, with its source."""


class Assess(
    Act,
    json_schema_extra=example(
        cause="线路老化", truth="情况属实，涉及12盏路灯", trend="关注集中在周边居民", impact="夜间通行不便"
    ),
):
    """Assess the matter, objectively and completely. A later assessment stands beside the earlier ones."""

    cause: Text
    """The cause."""
    truth: Text
    """The truth of the problem."""
    trend: Text
    """The trend."""
    impact: Text
    """The possible impact on the public."""


class EstablishFact(
    Act, json_schema_extra=example(key="inspected", kind="yes_no", value=True, source="3月2日现场核查记录")
):
    """Establish a fact with its source, or revise it if the value is new.

    `value` depends on `kind`: for `text` and `code` a string, for `number` a number, for `yes_no` true or false, for
    `time` an ISO 8601 time with its offset.
    """

    key: Code
    """The fact's key, from the deployment's list or the pack."""
    kind: Literal["text", "number", "time", "code", "yes_no"]
    """The kind of its value."""
    value: StrictBool | StrictInt | StrictFloat | StrictStr
    """The value, of this kind."""
    source: Text
    """The source."""
    evidence: tuple[Token, ...] = Field((), max_length=100)
    """Files of the matter's reports that show it."""

    @field_validator("value", mode="before")
    @classmethod
    def _is_of_its_kind(cls, value: object, info: ValidationInfo) -> object:
        kind = info.data.get("kind", "")
        if kind and (wanted := _WRONG[kind](value)):
            known = {"kind": kind, "wanted": f"fact-{kind}", "takes": wanted}
            raise PydanticCustomError("wrong-form", "a fact of the kind {kind} takes {takes}", known)
        return value

    @property
    def at(self) -> datetime:
        """The value of a `time`, UTC."""
        return datetime.fromisoformat(str(self.value)).astimezone(UTC)


# Each function names the expected value, or nothing if the value fits.


def _wrong_text(value: object) -> str:
    return "" if isinstance(value, str) and value.strip() and len(value) <= 10_000 else "1 to 10,000 characters"


def _wrong_number(value: object) -> str:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return "" if number and math.isfinite(value) and abs(value) <= MAX_NUMBER else "a number up to 10^15"  # type: ignore[arg-type]


def _wrong_time(value: object) -> str:
    wanted = "an ISO 8601 time with its offset, such as 2026-03-02T09:00:00+08:00"
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return wanted
    return "" if at and at.tzinfo and 1900 <= at.year < 2200 else wanted


def _wrong_code(value: object) -> str:
    try:
        _CODE.validate_python(value, strict=True)
    except ValidationError:
        return "a code of at most 100 letters and digits without spaces"
    return ""


def _wrong_yes_no(value: object) -> str:
    return "" if isinstance(value, bool) else "true or false"


_WRONG = {
    "text": _wrong_text,
    "number": _wrong_number,
    "time": _wrong_time,
    "code": _wrong_code,
    "yes_no": _wrong_yes_no,
}


class Classify(Act, json_schema_extra=example(answer_kind="answer")):
    """Choose what kind of answer the office will give."""

    answer_kind: AnswerKind
    """The kind of answer, from the pack in force."""


class Categorize(Command, json_schema_extra=example(category="roads.lighting", reason="经核对，反映的是路灯")):
    """Put the matter into a category, also where it has another one."""

    category: Code
    """The category, from the deployment's list."""
    reason: Text | None = None
    """The reason for this category."""


class Grade(Act, json_schema_extra=example(level="major", reason="现场核实，影响三个小区")):
    """Judge how grave the matter is for the public, by the pack in force.

    A second grading with another level changes it.
    """

    level: Code
    """The level, from the pack in force."""
    reason: Text
    """The reason for the level."""


class SetFlag(Act, json_schema_extra=example(flag="food", reason="涉及学校食堂")):
    """Set a flag of the pack in force on the matter. Flags may propose a level."""

    flag: Code
    """The flag, from the pack in force."""
    reason: Text
    """The reason for the flag."""


class ClearFlag(Command, json_schema_extra=example(flag="food", reason="经查与食堂无关")):
    """Take a flag off the matter. What was known by it stays known."""

    flag: Code
    """The flag."""
    reason: Text
    """The reason why it does not belong there."""


class JudgeHarm(Act, json_schema_extra=example(harm=2, reason="两人受伤送医")):
    """Judge the harm to the public, by the scale of the pack in force. A second judgement changes it."""

    harm: Figure
    """The step of the scale."""
    reason: Text
    """The reason for this step."""


class JudgeDoubt(Command, json_schema_extra=example(doubtful=True, reason="情况不清，把握不准")):
    """Judge whether the matter is in doubt. The pack may choose other approvers for it."""

    doubtful: StrictBool
    """Whether it is in doubt."""
    reason: Text
    """The reason."""


class Planning(Act):
    """Organises the handling."""


class NameTeam(Planning, json_schema_extra=example(head="chief@town-east", members=["handler@town-east"])):
    """Name the one team that handles the matter. Naming another one replaces it."""

    head: Post
    """The post that heads it."""
    deputy: Post | None = None
    """The head's deputy."""
    members: tuple[Post, ...] = Field((), max_length=100)
    """The other posts."""


class MakePlan(
    Planning,
    json_schema_extra=example(
        unit="county-roads", post="handler@county-roads", due="2030-03-05T09:00:00+08:00", text="先抢修，再排查同类线路"
    ),
):
    """Say how the matter is handled: by when, by whom, in which steps. Measures that need approval are proposed."""

    unit: UnitCode
    """The unit that is responsible."""
    post: Post
    """The post that is responsible."""
    due: WrittenInstant
    """By when."""
    text: Text
    """The procedure and its steps."""


class StartPlan(Planning, json_schema_extra=example(plan="water_outage")):
    """Put the emergency plan in force for the matter."""

    plan: Code
    """The plan's code."""


class HoldMeeting(
    Planning,
    json_schema_extra=example(
        meeting="leading_group",
        units=["county"],
        took_part=["chief@county"],
        minutes="统一口径，成立发布小组",
        spokesperson="spokesperson@county",
    ),
):
    """Record a meeting about the matter: of the leading group, of offices together, or on a new situation."""

    meeting: Meeting
    """Who met, and what for."""
    units: tuple[UnitCode, ...] = Field(min_length=1, max_length=100)
    """The units that met."""
    took_part: tuple[Post, ...] = Field(min_length=1, max_length=100)
    """The posts that took part."""
    minutes: Text
    """The minutes."""
    release_group: tuple[Post, ...] = Field((), max_length=100)
    """The release group that it formed."""
    spokesperson: Post | None = None
    """The spokesperson that it named."""


class PassUpward(Planning, json_schema_extra=example(reason="涉及多个部门，本单位无法单独解决")):
    """Pass upward what the unit cannot solve alone. The unit above designates who handles it."""

    reason: Text
    """Why the unit cannot solve it."""


class _Dispatch(Act):
    share: Text | None = None
    """The unit's own share of the work, if others help."""
    due: WrittenInstant | None = None
    """By when its share is to be done."""


class Assign(_Dispatch, json_schema_extra=example(unit="county-roads", reason="由道路主管部门办理")):
    """Tell one unit to handle the matter. It leads, and others may help. Another assignment changes it.

    Where the matter's pack asks for a leader's instruction, that comes first.
    """

    unit: UnitCode | None = None
    """The unit that handles the matter. Without it, the unit that received the first report, if the pack says so."""
    reason: Text | None = None
    """The reason for this unit."""


class Designate(_Dispatch, json_schema_extra=example(unit="county-roads", reason="三次退回，由上级指定")):
    """The unit above says who handles the matter, and that binds: the unit cannot give it back.

    It does so after as many dispatches as the pack names, after a late return, or if nobody takes an assignment. Where
    no unit is above, the head designates.
    """

    unit: UnitCode
    """The unit that handles the matter."""
    reason: Text
    """The reason for this unit."""


class Accept(Act, json_schema_extra=example()):
    """The assigned unit accepts the matter."""


class Return(Act, json_schema_extra=example(ground="not_ours_by_duty", reason="该路段不属于本单位管护范围")):
    """The assigned unit returns the matter, with its explanation. All limits of the matter go on."""

    ground: Code | None = None
    """The reason, from the list of the matter's pack."""
    reason: Text
    """The explanation in words."""


class Transfer(Act, json_schema_extra=example(unit="county", reason="涉及两个乡镇")):
    """Make another unit accountable for the matter. The assigned unit stays."""

    unit: UnitCode
    """The new accountable unit."""
    reason: Text
    """The reason for this unit."""
    level: Code | None = None
    """The level by the new unit's pack, if that is another pack and does not map the level."""


class HandToPeer(
    Command,
    json_schema_extra=example(to="city", subject="跨区河道污染", reason="涉及两个区，请市级统一处理", reports=[]),
):
    """Hand the matter over to another deployment of the list. It stays here until that one accepts it.

    The texts of `reports` go with it, masked as they are here. Files do not.
    """

    to: PeerName
    """The other deployment, from the list."""
    subject: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    """The matter in short, for the other deployment."""
    reason: Text
    """Why it is handed over."""
    reports: tuple[ReportId, ...] = Field((), max_length=20)
    """The reports whose texts go with it."""


class TellPeer(Command, json_schema_extra=example(said="accepted", text="已受理，由市水务局承办")):
    """Tell the deployment that handed the matter over what becomes of it.

    It is accepted or refused. Once accepted, it can be answered or returned. What is refused or returned is closed
    here.
    """

    said: Told
    """What is told."""
    text: Text | None = None
    """The words for the other deployment. An answer, a refusal and a return need them."""


class RecordPeerSaid(Command):
    """The deployment to which a matter was handed over said something. `message` is its stream, with the proof."""

    of: PeerName
    about: Uuid
    said: Heard
    message: StreamId
    text: WordsRef | None = None
    basis: Basis


class MovePolicy(Command, json_schema_extra=example(pack="county-default@3", reason="新制度对本事项更适合")):
    """Let the matter go on under another pack, or another version of its pack.

    Its time limits are derived anew. First answers that are owed already stay owed.
    """

    pack: Code
    """The pack as `id@version`."""
    level: Code | None = None
    """The level by the new pack, if that does not map the level."""
    reason: Text
    """The reason for this pack."""


class RecordHandling(Command, json_schema_extra=example(track="problem", text="已更换破损水管，恢复供水")):
    """Note work on the real problem, or on the answer. A note is no act and meets no limit."""

    track: Track
    """`problem` or `answer`."""
    text: Text
    """The work."""


class Proposed(Command):
    """What may need approval says what may choose its approvers."""

    secret: StrictBool = False
    """Whether it touches a secret. A pack may ask for further approvals then."""
    major_information: StrictBool = False
    """Whether it is major information. A pack may ask for further approvals then."""


class Explain(Act, Proposed, json_schema_extra=example(text="线路故障，正在更换，预计今晚恢复", to="asker")):
    """Give the explanation that is owed, to the asker or in public.

    Where the matter's pack asks for approvals, it is proposed, and given with the last of them.
    """

    text: Text
    """The explanation."""
    to: Asked = "asker"
    """Whom it was given."""


class Reply(Act, Proposed, json_schema_extra=example(text="您反映的问题已安排处理")):
    """Reply at the place where the question was asked.

    Where the matter's pack asks for approvals, it is proposed, and given with the last of them.
    """

    text: Text
    """The reply."""


class Solve(Act, json_schema_extra=example(text="已更换破损水管，恢复供水")):
    """The real problem is solved. What is still owed to the asker is another track."""

    text: Text
    """How it was solved."""
    outcome: Solution = "solved"
    """`solved` at once, `helped` in hardship, or `adopted` if it was a suggestion."""


class ExplainDelay(Act, json_schema_extra=example(text="配件未到，预计周五完成")):
    """The unit explains to the office why it is late. It meets no limit, but stops the circular."""

    text: Text
    """Why it takes longer."""


class ReceiveMaterial(
    Act, json_schema_extra=example(unit="county-water", signed=True, sealed=True, signed_by="chief@county-water")
):
    """Enter that the responsible department sent its material for the answer.

    Only material that is signed and sealed meets a limit. Where the matter's pack asks for it, other material is
    refused.
    """

    unit: UnitCode
    """The department."""
    signed: StrictBool
    """Whether its head signed it."""
    sealed: StrictBool
    """Whether it carries the department's seal."""
    signed_by: Post | None = None
    """The post of the department that signed it."""


class ProposeMeasure(Act, Proposed, json_schema_extra=example(text="临时封闭路段，安排绕行")):
    """Propose a measure that the matter's pack lets approve before it is taken."""

    text: Text
    """The measure."""


class ApproveProposal(Command, json_schema_extra=example(proposal=1, reason="同意")):
    """Agree to a proposed measure, explanation or reply at its present step."""

    proposal: Figure
    """The proposal's number."""
    reason: Text | None = None
    """A remark of the approver."""
    took_part: tuple[Post, ...] = Field((), max_length=100)
    """If a body decides: the posts of the other members who took part."""


class RejectProposal(Command, json_schema_extra=example(proposal=1, reason="范围过大")):
    """Reject a proposed measure, explanation or reply. What is still wanted is proposed anew."""

    proposal: Figure
    """The proposal's number."""
    reason: Text
    """Why it is rejected."""


class CannotJudgeProposal(Command, json_schema_extra=example(proposal=1, reason="把握不准")):
    """Say that the present step cannot be judged here. The proposal goes to the post that the pack names for this."""

    proposal: Figure
    """The proposal's number."""
    reason: Text
    """Why it cannot be judged."""


class Resolve(Act, json_schema_extra=example(reason="已恢复供水并答复", follows_up="handler@town-east")):
    """The handling is complete: the real problem is solved, and the asker or the public has the answer."""

    reason: Text
    """The reason why the matter counts as handled."""
    follows_up: Post | None = None
    """The post that looks at the matter afterwards. If the pack asks for one, it is by default the one that acts."""


class FollowUp(Act, json_schema_extra=example(text="回访三户，供水正常")):
    """Somebody looked again at the matter after it was handled."""

    text: Text
    """The finding."""
    ends: FollowUpEnd | None = None
    """Why nobody need look again: the matter is over, or the risk is gone."""


class DeclineRound(
    Command,
    json_schema_extra=example(report="report-01890a5d-a1b2-7c3d-8e4f-5061728394a5", reason="属另一路段，另案办理"),
):
    """The answer did not help an asker, and the office opens no round of its own. It says why."""

    report: ReportId
    """The report of the asker."""
    reason: Text
    """The reason."""


class Reopen(Act, json_schema_extra=example(reason="再次停水")):
    """Open a resolved or closed matter again. Both tracks then need new records."""

    reason: Text
    """The reason for opening it again."""
    report: ReportId | None = None
    """The report that tells of it. What is owed in this round counts from when the office learned of it."""


class Close(Act, json_schema_extra=example(reason="回访满意", parts=["handling"])):
    """End the office's work on a resolved matter. The record says which parts its file lacks."""

    reason: Text
    """The reason for closing, and why a part of the file is missing."""
    parts: tuple[Code, ...] = Field((), max_length=100)
    """The parts that the file has, of those that the matter's pack names."""


class Merge(
    Command, json_schema_extra=example(into="incident-01890a5d-ac96-774b-bcce-b302099a8057", reason="同一处停水")
):
    """Merge this incident into `into`, which is the same matter and where it goes on."""

    into: IncidentRef
    """The incident in which the matter goes on."""
    reason: Text | None = None
    """The reason why they are one matter."""


class Link(
    Command,
    json_schema_extra=example(
        to="incident-01890a5d-ac96-774b-bcce-b302099a8057", kind="related", reason="同一路段的另一处"
    ),
):
    """Decide how this incident and another one belong together. A later decision on the same two replaces it."""

    to: IncidentRef
    """The other incident."""
    kind: LinkKind
    """`same`: one matter, which a chief may merge. `part`: this is a part of the other one. `related`: not the same.
    `other`: they have nothing to do with each other.
    """
    reason: Text
    """The reason."""


class Offer(Command, json_schema_extra=example(to="county", reason="县里有类似事项")):
    """Offer the matter to a unit above, which has a similar one. That unit decides whether they are one."""

    to: UnitCode
    """The unit above."""
    reason: Text | None = None
    """The reason."""


class Split(Command, json_schema_extra=example(reports=["report-01890a5d-a1b2-7c3d-8e4f-5061728394a5"])):
    """Split reports of another matter off into a new incident."""

    reports: tuple[ReportId, ...] = Field(min_length=1, max_length=500)
    """The reports that leave. At least one must stay."""


class TakeReport(Command):
    """A report came in. It joins its incident, or opens `opens` if its incident has ended or there is none.

    `basis` is the report as `stream@version`, `relates_to` the ended incident of the same matter.
    """

    unit: UnitCode
    report: ReportId
    discovered_at: Instant
    entered_late: bool = False
    category: Code | None = None
    channel: Code | None = None
    match_key: Digest | None = None
    place_key: Digest | None = None
    opens: IncidentId
    relates_to: IncidentId | None = None
    handed: Handed | None = None
    basis: Basis


class CountReach(Command):
    """A report of the matter counted its reach. `basis` is the report as `stream@version`."""

    report: ReportId
    counted_at: Instant
    clicks: Figure | None = None
    comments: Figure | None = None
    mainstream_sites: Figure | None = None
    shares: Figure | None = None
    basis: Basis


class RecordRefusal(Command):
    """The office refused a report an answer. `basis` is the report as `stream@version`.

    `post` refused it, `by` is a digest of the person within the report's stream.
    """

    report: ReportId
    post: Post | None = None
    by: Digest | None = None
    basis: Basis


class RecordJudgement(Command):
    """The asker of a report said whether the answer helped. `answer` is its event, `basis` is as in a refusal."""

    report: ReportId
    answer: Uuid
    helps: bool
    basis: Basis


class RecordAnswerPublished(Command):
    """The office published a statement of facts on the incident. `unit` is the unit that speaks."""

    statement: StatementId
    unit: UnitCode
    closing: bool = False
    """Whether it is the closing account."""
    basis: Basis


class PrepareClarification(Command):
    """The matter was reported upward to `addressee`. `basis` is the report as `stream@version`."""

    addressee: Code
    basis: Basis


class RecordLink(Command):
    """On another incident it was decided how that one and this one belong together."""

    to: IncidentId
    kind: Linked
    """The decision, seen from this incident."""


class Absorb(Command):
    """Another incident was merged into this one."""

    incident: IncidentId


class Received(Command):
    """A report from ingest: which unit knew of it, and since when."""

    report: ReportId
    unit: UnitCode
    discovered_at: Instant
    entered_late: bool = False


class OpenSplit(Command):
    """A new incident for the reports that left another one, with the unit that handled that one."""

    split_from: IncidentId
    unit: UnitCode
    policy: PolicyRef | None = None
    assigned: UnitCode | None = None
    accepted: bool = False
    designated_by: UnitCode | None = None
    reports: tuple[Received, ...] = Field(min_length=1)
    refused: tuple[IncidentReportRefused, ...] = ()
    """The refusals of reports that were refused an answer before they left."""
    counts: tuple[CountReach, ...] = ()
    """What these reports had counted."""
