"""The commands on clocks and rosters: request bodies of staff, and those of reactions and timers."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.escalation import Asking, ClockMilestoneReached, ReportForm, SendingError, Way, WayToTell
from schemas.fields import Addressee, Code, Figure, Post, ReviewId, StreamId, UnitCode, Uuid, WrittenInstant
from schemas.titles import Language
from services.kernel.core.acts import Act
from services.kernel.core.commands import Command, example

Report = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]


class ReportUpward(
    Act, json_schema_extra=example(to="leading_group", form="written", text="已到现场，停水影响三个小区")
):
    """Report the matter to a post or body. Without `to`, it goes where the rules ask this unit to report next."""

    to: Addressee | None = None
    """The addressee: a post or body, such as `leading_group` or `leading_group@county`, or only its unit, such as
    `county`. By default it is the next one to which the rules ask this unit to report, or else the office of the unit
    above."""
    form: ReportForm | None = None
    """How it is reported; by default as the rules ask, or else written. A call fulfils no written report."""
    text: Report | None = None
    """The text of the report. A report with a response plan holds the plan here."""
    proposal: Report | None = None
    """The handling that the unit proposes."""
    review: ReviewId | None = None
    """With it, this is the written report at the end of the matter, by this review. It goes to the principal leader."""
    edition: Figure | None = None
    """The text of the review that is sent."""


class InformOffice(Act, json_schema_extra=example(to="county-water", text="路面塌陷涉及贵单位管网，请知悉并配合")):
    """Tell another office of the matter: one beside, above or below. It confirms by a receipt that it knows."""

    to: Addressee
    """The office: a unit, whose `office` is told, or a post or body of one, such as `leading_group@county`."""
    text: Report
    """What it is told."""


class Receipt(Act, json_schema_extra=example(accepted=True)):
    """Confirm a report, or send it back with a reason. Only its addressee can: the post, or the body's members and duty
    post. By default this is the latest open report to the post that acts.
    """

    report: Uuid | None = None
    """The report's id; by default the latest open report to you."""
    accepted: StrictBool = True
    """True confirms it, false sends it back."""
    reason: Reason | None = None
    """Why it is sent back."""

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if not self.accepted and self.reason is None:
            raise PydanticCustomError("reason-needed", "a report is sent back with a reason; add `reason`")
        return self


class AskLead(Act, json_schema_extra=example(reason="涉及多个乡镇，请市里统一指导")):
    """Ask the unit above that the pack names to lead."""

    reason: Reason
    """Why."""


class AcceptLead(Act, json_schema_extra=example()):
    """Accept the lead that was asked for."""


class TakeLead(Act, json_schema_extra=example(reason="已升级为重大，由县领导小组牵头")):
    """Take the lead, as the pack says at this level. The accountable unit stays accountable."""

    reason: Reason
    """Why."""


class Decide(
    Act,
    json_schema_extra=example(
        decides="meet", yes=True, reason="影响范围扩大，须集体研判", took_part=["approver@town-east"]
    ),
):
    """Decide whether to report the matter upward, or whether to meet, with the reason and with all who took part."""

    decides: Literal["report", "meet"]
    """What is decided."""
    yes: StrictBool
    """Whether to do it."""
    reason: Reason
    """Why, or why not."""
    took_part: tuple[Post, ...] = Field((), max_length=50)
    """The posts that take part. The post that acts is always one of them. Each other one confirms it by itself; until
    then nothing is decided."""


class ConfirmDecision(Act, json_schema_extra=example(decision="01890a5d-0718-5293-8eaf-1a2b3c4d5e6f")):
    """Confirm a decision in which your post takes part. It is recorded when each post has confirmed it."""

    decision: Uuid
    """The decision's id."""


class GiveNotice(
    Act, json_schema_extra=example(text="请自查并整改路灯管护，七日内报结果", due="2026-03-09T18:00:00+08:00")
):
    """Give the accountable unit a notice to correct something, with a limit for its report back."""

    text: Report
    """What is to be corrected."""
    due: WrittenInstant | None = None
    """By when the report back must have arrived; by default as the pack says, from now on."""


class WritePart(Act, json_schema_extra=example(part="check", text="已全面自查，发现三处线路老化")):
    """Write a part of the answer to a notice. The latest text of a part counts."""

    notice: Uuid | None = None
    """The notice; by default the latest that is not answered."""
    part: Code
    """The part, as the pack names it: such as `check`, `measures`, `next_steps`."""
    text: Report
    """What is said in this part."""


class ReportBack(Act, json_schema_extra=example(text="整改情况报告")):
    """Report back to the unit that gave a notice. It needs every part of the answer."""

    notice: Uuid | None = None
    """The notice; by default the latest that is not answered."""
    text: Report | None = None
    """A covering text."""


class OnLimit(Command):
    """A decision on one limit of a matter."""

    clock: Code
    """The limit's name."""


class SetLimit(
    OnLimit, json_schema_extra=example(clock="on_time", due="2026-03-20T18:00:00+08:00", reason="需安排资金")
):
    """Set the limit of this matter, where the pack leaves it to a person."""

    due: WrittenInstant
    """When it ends."""
    reason: Reason
    """Why then."""


class RequestExtension(
    OnLimit, json_schema_extra=example(clock="petition", due="2026-05-04T18:00:00+08:00", reason="等待检测结果")
):
    """Ask for more time before a limit passes. The post or body that the pack names decides."""

    due: WrittenInstant
    """The new end that is asked for."""
    reason: Reason
    """Why it takes longer."""


class DecideExtension(
    OnLimit,
    json_schema_extra=example(
        clock="petition", granted=True, reason="情况复杂", notice="您反映的事项延期30日办结，原因是等待检测"
    ),
):
    """Grant or refuse the extension that was asked for. Who asked is told when it is granted."""

    granted: StrictBool
    """True grants it, false refuses it."""
    reason: Reason
    """Why."""
    notice: Reason | None = None
    """What the asker of the matter is told; needed if it is granted."""


class Pause(OnLimit, json_schema_extra=example(clock="disclosure", reason="third_party")):
    """Let a limit stand still, for a reason that the pack names."""

    reason: Code
    """The code of the reason, from the pack."""
    text: Reason | None = None
    """More on it."""


class Resume(OnLimit, json_schema_extra=example(clock="disclosure")):
    """Let a limit that stands still run again."""


class TellAsker(OnLimit, json_schema_extra=example(clock="petition", way="call")):
    """Record that the asker of the matter was told of the extension."""

    way: WayToTell
    """How."""


class RequestDeferral(
    OnLimit, json_schema_extra=example(clock="on_time", plan="列入明年道路改造计划", review="2026-09-01T09:00:00+08:00")
):
    """Ask to defer what cannot be solved yet, with a plan. The post or body that the pack names decides."""

    plan: Reason
    """What is planned, and when."""
    review: WrittenInstant
    """By when somebody looks at it again."""


class DecideDeferral(OnLimit, json_schema_extra=example(clock="on_time", granted=True, reason="资金已列入预算")):
    """Grant or refuse the deferral that was asked for. If it is granted, a limit of its own runs until the review."""

    granted: StrictBool
    """True grants it, false refuses it."""
    reason: Reason
    """Why."""


class AnnulBreach(Command, json_schema_extra=example(clock="public_statement", reason="纸质答复按时送达，系统晚录")):
    """Find that a breach does not stand, for example because paper was entered later."""

    clock: Code
    """The clock of the breach."""
    reason: Reason
    """Why it does not stand."""


class Duty(Command):
    """A post of a unit's directory, such as `duty_officer@town-east`, on duty for a time."""

    post: Post
    """The post that is on duty."""
    since: WrittenInstant
    """When its duty begins."""
    until: WrittenInstant
    """When its duty ends."""
    substitute: Post | None = None
    """The post that may sign on in its place."""

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.since >= self.until:
            raise PydanticCustomError(
                "duty-ends-early", "a duty must end after its begin; set `until` later than `since`"
            )
        return self


class OfRoster(Command):
    """What somebody does at a unit's desk."""

    unit: UnitCode
    """The unit of the roster."""


_SHIFT = {
    "post": "duty_officer@town-east",
    "since": "2026-03-02T08:00:00+08:00",
    "until": "2026-03-02T20:00:00+08:00",
}


class PlanDuties(OfRoster, json_schema_extra=example(unit="town-east", duties=[_SHIFT])):
    """Put duties on a unit's roster, or change the end or the substitute of one that has not begun. Earlier duties that
    are not named stay.
    """

    duties: tuple[Duty, ...] = Field(max_length=500)
    """The duties, in any order."""


class CancelDuty(
    OfRoster,
    json_schema_extra=example(unit="town-east", post=_SHIFT["post"], since=_SHIFT["since"], reason="班次有误"),
):
    """Take a duty off the roster before it begins."""

    post: Post
    """The post that was planned."""
    since: WrittenInstant
    """When the duty would begin."""
    reason: Reason
    """Why."""


class NameSubstitute(
    OfRoster,
    json_schema_extra=example(
        unit="town-east", post=_SHIFT["post"], since=_SHIFT["since"], substitute="handler@town-east", reason="请假"
    ),
):
    """Name a post that may sign on to a duty in place of the planned one, until the duty is taken up."""

    post: Post
    """The post that was planned."""
    since: WrittenInstant
    """When the duty begins."""
    substitute: Post
    """The post that may take it up."""
    reason: Reason
    """Why."""


class SignOn(OfRoster, json_schema_extra=example(unit="town-east")):
    """Take up the duty that is planned for your post now, or for which it is the substitute. What was held comes to
    you.
    """


class HandOver(OfRoster, json_schema_extra=example(unit="town-east", note="两件待核实，停水一事等水务局回复")):
    """Hand your duty over, with a note, until half an hour after its end. The list of the unit's open matters goes with
    it.
    """

    to: Post | None = None
    """The post that takes over; by default the one that is planned next."""
    note: Report
    """What the next post must know."""


class TestReachability(
    OfRoster, json_schema_extra=example(unit="town-east", post=_SHIFT["post"], way="call", reached=True)
):
    """Record that a duty post was called, and whether it answered."""

    __test__ = False

    post: Post
    """The post that was called."""
    way: WayToTell
    """How."""
    reached: StrictBool
    """Whether it answered."""


class HoldReport(OfRoster):
    """A report came in at `at`. Nobody asks for this; it is held if nobody was on duty then."""

    incident: StreamId
    report: StreamId
    at: datetime


class ReviewRoster(OfRoster):
    """Record what time alone brings: gaps, duties that nobody took up, ends of duties."""


class CountArrivals(OfRoster):
    """Compare what came in lately with what is usual. Each entry: by, code, hour, number of reports."""

    arrivals: tuple[tuple[str, str, datetime, int], ...]
    matters: dict[str, StreamId] = Field(default_factory=dict)
    """Place -> the latest matter from there."""


class RecordMilestones(Command):
    """The milestones of one event of another service."""

    milestones: tuple[ClockMilestoneReached, ...]
    basis: tuple[str, ...] = ()
    """`stream@version` of that event."""


class TakeOver(Command):
    """Work under another incident counts here, as done under `via`. `source` is the other incident's clock stream.

    With `split_at`, this matter was split off at that time. Without it, the other one was merged into this one.
    """

    source: StreamId
    via: StreamId
    split_at: datetime | None = None
    basis: tuple[str, ...] = ()


class DetectBreaches(Command):
    """Judge limits that passed before `until`. Everything that was recorded by then has been taken in.

    `incomplete` means that a stream of the matter has been parked too long to wait for it.
    """

    until: datetime
    incomplete: bool = False


class AwaitApproval(Command):
    """A statement or a proposal waits for approval, by `event` of another service."""

    of: Asking | None
    """None for a further step of the same record."""
    record: StreamId
    proposal: int | None
    unit: UnitCode | None
    who: tuple[Code, ...]
    event: Uuid
    basis: tuple[str, ...] = ()
    """`stream@version` of that event."""


class KeepAddress(Command):
    """An address of a post was added, or with `ended` forgotten."""

    post: Post
    way: Way
    place: Uuid
    language: Language
    ended: bool = False


class RecordAttempt(Command):
    """A place took an outgoing notice, or did not: then `error` says why."""

    notice: Uuid
    unit: UnitCode
    post: Post
    way: Way
    place: Uuid
    attempt: int
    error: SendingError | None = None
