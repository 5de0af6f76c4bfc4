"""The rights over a matter's clocks, its reports upward, and a roster.

A unit that is charged with a breach cannot annul it. An auditor of a unit above can. The root has no unit above it, so
its breaches take two auditors of the root.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from schemas.pack.clocks import ClockRule
from schemas.titles import titled
from services.escalation.clock import leads
from services.escalation.commands import (
    AcceptLead,
    AnnulBreach,
    AskLead,
    CancelDuty,
    ConfirmDecision,
    Decide,
    DecideDeferral,
    DecideExtension,
    GiveNotice,
    HandOver,
    InformOffice,
    NameSubstitute,
    Pause,
    PlanDuties,
    Receipt,
    ReportBack,
    ReportUpward,
    RequestDeferral,
    RequestExtension,
    Resume,
    SetLimit,
    SignOn,
    TakeLead,
    TellAsker,
    TestReachability,
    WritePart,
)
from services.escalation.duty import desk
from services.kernel.access.approving import acting_posts, head_of
from services.kernel.access.rights import Read, Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Forbidden, Rejected, Unavailable
from services.kernel.core.units import LoadedPack, Offices

Refusal = Rejected | None
HEAD = "principal_leader"
"""The addressee's code of a unit's head."""


@dataclass(frozen=True, slots=True)
class Reportable:
    """A matter that can be reported upward."""

    unit: str
    """The accountable unit."""
    told: frozenset[str] = frozenset()
    """The units that it was reported to, and those that owe a report of it."""
    merged: bool = False
    into: str | None = None
    """The incident into which it was merged, if that is known."""

    notices: bool = False
    """Whether the pack has a rule on notices."""

    def reporting(self, ctx: Ctx) -> str:
        """The unit that reports it: the actor's unit if it got a report of the matter, else the accountable unit."""
        unit = ctx.actor.unit
        return unit if unit in self.told else self.unit


@dataclass(frozen=True, slots=True)
class Reported:
    """A report upward that needs a receipt; without one, the units above that could have got a report."""

    to: tuple[str, ...]
    answered: frozenset[str] | None = None
    """Posts that confirmed it or sent it back; None if there is no report."""
    addressee: str = ""
    """The code of its addressee in that unit."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A clock of a matter."""

    clock: str
    unit: str
    """The unit that is charged with it."""
    due: datetime | None = None
    ended: bool = False
    """Whether the owed act is on record, or the clock ended."""
    breached: bool = False
    asked: str | None = None
    """Digest of the person who asked to annul the breach that stands."""
    by: str = ""
    """Digest of the person who acts."""
    spec: ClockRule | None = None
    """The pack's rule of this clock; None if it has none."""
    accountable: str = ""
    requested: Literal["extension", "deferral"] | None = None
    """What waits for a decision."""
    requested_by: str | None = None
    """Digest of the person who asked for it."""
    granted: int = 0
    """How often it was extended."""
    asker_untold: bool = False
    paused: bool = False
    deferred: bool = False
    pack: str | None = None
    """The name of the policy."""
    merged: bool = False
    into: str | None = None
    closed: bool = False


def pack_of(policy: str | None, unit: str, offices: Offices) -> LoadedPack | None:
    """The pack of a matter's clocks: the recorded one, or else the pack of the accountable unit.

    None while it has not come.
    """
    try:
        return offices.pack_of(policy, unit)
    except Unavailable:
        return None


def decidable(pack: LoadedPack | None, clock: str) -> ClockRule | None:
    """The pack's rule by which people decide on a clock. The review of a deferral moves by another deferral alone."""
    return None if ".review" in clock else rule_of(pack, clock)


def rule_of(pack: LoadedPack | None, clock: str) -> ClockRule | None:
    """The pack's rule of a clock, for any of its runs and reviews."""
    name = clock.partition("#")[0].removesuffix(".review")
    return next((spec for spec in pack.model.clocks if spec.name == name), None) if pack else None


def _reporting(incident: Reportable, ctx: Ctx) -> Sequence[str]:
    return (incident.reporting(ctx),)


def _told(report: Reported, ctx: Ctx) -> Sequence[str]:
    return report.to


def _charged(clock: Owed, ctx: Ctx) -> Sequence[str]:
    return (clock.unit,)


def _charged_or_accountable(clock: Owed, ctx: Ctx) -> Sequence[str]:
    return (clock.unit, clock.accountable or clock.unit)


def _above_charged(clock: Owed, ctx: Ctx) -> Sequence[str]:
    return (ctx.offices.parent(clock.unit) or clock.unit,)


@dataclass(frozen=True, slots=True)
class Deciding:
    """A decision on a matter. `posts` are those that may take it; None if the pack has no rule on it."""

    unit: str
    posts: frozenset[str] | None = None
    merged: bool = False
    into: str | None = None
    rule: str | None = None
    """Where the pack has its rule on it."""
    pack: str | None = None
    """The pack as `id@version`."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """A notice that is to be answered; without one, the accountable unit."""

    to: str
    open: bool = False
    """Whether a notice waits for its report back to arrive."""
    sent: bool = False
    """Whether a report back waits for its receipt."""


def _answering(notice: Noticed, ctx: Ctx) -> Sequence[str]:
    return (notice.to,)


def _above(incident: Reportable, ctx: Ctx) -> Sequence[str | None]:
    return (ctx.offices.parent(incident.unit),)


def _can_be_noticed(incident: Reportable, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _merged(incident, verb):
        return refusal
    if not incident.notices:
        return Rejected("the pack of this matter has no rule on notices; instruct the unit instead", code="no-notices")
    return None


def _is_open(notice: Noticed, ctx: Ctx, verb: str) -> Refusal:
    if not notice.open:
        return Rejected(
            "no notice waits for an answer; one whose report back was confirmed is closed", code="no-open-notice"
        )
    return None


def _can_report_back(notice: Noticed, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _is_open(notice, ctx, verb):
        return refusal
    if notice.sent:
        return Rejected(
            "the last report back waits for its receipt; report again if it is sent back", code="report-back-waits"
        )
    return None


def _merged(subject: Reportable | Owed | Deciding, verb: str) -> Refusal:
    if not subject.merged:
        return None
    return Rejected(
        f"the matter was merged into {subject.into or 'another one'}; {titled(verb, 'en')} there",
        code="merged",
        into=subject.into,
        act=verb,
    )


def _goes_on(incident: Reportable, ctx: Ctx, verb: str) -> Refusal:
    return _merged(incident, verb)


D = TypeVar("D", bound=Deciding)


class OfDeciders(Right[D], Generic[D]):
    """The right of the posts that the pack names."""

    def holds(self, subject: D, ctx: Ctx) -> bool:
        """Whether the actor is one of them."""
        return super().holds(subject, ctx) if subject.posts is None else ctx.actor.post in subject.posts

    def require(self, subject: D, ctx: Ctx) -> None:
        """Raises `Forbidden`, naming the posts that have the right."""
        if subject.posts is None:
            return super().require(subject, ctx)
        if not self.holds(subject, ctx):
            posts = sorted(subject.posts)
            raise Forbidden(
                f"{' or '.join(posts) or 'nobody now'} decides this, and you act as {ctx.actor.post}",
                code="other-decider",
                rule=subject.rule,
                pack=subject.pack,
                act=self.verb,
                posts=posts,
                post=ctx.actor.post,
            )
        return None


@dataclass(frozen=True, slots=True)
class Confirming(Deciding):
    """A decision of several posts, each of which confirms it."""

    confirmed: frozenset[str] = frozenset()
    persons: frozenset[str] = frozenset()
    """Digests of the persons who confirmed it."""
    by: str = ""
    """Digest of the person who acts."""
    stands: bool = True
    """Whether those who take part still decide this together."""


def _unconfirmed(subject: Confirming, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _merged(subject, verb):
        return refusal
    if ctx.actor.post in subject.confirmed:
        says = f"{ctx.actor.post} has confirmed this decision already"
        return Rejected(says, code="confirmed-already", post=ctx.actor.post)
    if subject.by in subject.persons:
        says = "you take part in this decision as another post already; another person must confirm it"
        return Rejected(says, code="confirmed-by-you", rule=subject.rule, pack=subject.pack)
    if not subject.stands:
        says = "since this was proposed, other posts decide it, by the matter's unit, level or pack; propose it anew"
        return Rejected(says, code="decision-outdated", rule=subject.rule, pack=subject.pack)
    return None


def _of_matter(subject: Deciding, ctx: Ctx) -> Sequence[str]:
    return (subject.unit,)


def _has_rule(subject: Deciding, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _merged(subject, verb):
        return refusal
    if subject.posts is None:
        return Rejected("the pack of this matter asks for no such decision at its level", code="no-decision")
    return None


class OfAddressee(Right[Reported]):
    """The right of a report's addressee alone: no role replaces it, not even one of the unit above."""

    def holds(self, subject: Reported, ctx: Ctx) -> bool:
        """Whether the actor is the addressee: the post itself, a member of the body, or its duty post."""
        if subject.answered is None:
            return super().holds(subject, ctx)
        return ctx.actor.post in _receivers(subject, ctx)

    def require(self, subject: Reported, ctx: Ctx) -> None:
        """Raises `Forbidden`, naming the posts that have the right."""
        if subject.answered is None:
            return super().require(subject, ctx)
        if not self.holds(subject, ctx):
            posts, where = sorted(_receivers(subject, ctx)), subject.to[0]
            raise Forbidden(
                f"the report went to {subject.addressee} of {where}; only {' or '.join(posts) or 'nobody now'} can "
                f"confirm it, and you act as {ctx.actor.post}",
                code="other-addressee",
                act=self.verb,
                addressee=subject.addressee,
                unit=where,
                posts=posts,
                post=ctx.actor.post,
            )
        return None


def _receivers(report: Reported, ctx: Ctx) -> frozenset[str]:
    return frozenset(post for unit in report.to for post in ctx.offices.receivers(unit, report.addressee))


def _waits(report: Reported, ctx: Ctx, verb: str) -> Refusal:
    if report.answered is None:
        return Rejected("no report waits for a receipt; name the report in `report`", code="no-open-report")
    if ctx.actor.post in report.answered:
        return Rejected(
            f"{ctx.actor.post} has answered this report already", code="already-answered", post=ctx.actor.post
        )
    return None


def _accountable(clock: Owed, ctx: Ctx) -> Sequence[str]:
    return (clock.accountable or clock.unit,)


def _of_extension(clock: Owed, ctx: Ctx) -> frozenset[str]:
    return deciders_of("extension", clock.spec, clock.unit, clock.accountable, ctx.offices)


def _of_deferral(clock: Owed, ctx: Ctx) -> frozenset[str]:
    return deciders_of("deferral", clock.spec, clock.unit, clock.accountable, ctx.offices)


def deciders_of(
    request: Literal["extension", "deferral"], spec: ClockRule | None, charged: str, accountable: str, offices: Offices
) -> frozenset[str]:
    """The posts that decide on a request about a limit; none if the pack has no rule on it."""
    if request == "extension":
        extension = spec.extension if spec else None
        return _approvers(charged, extension.approved_by, offices) if extension else frozenset()
    deferral = spec.deferral if spec else None
    return _approvers(accountable, deferral.approved_by or HEAD, offices) if deferral else frozenset()


def _approvers(unit: str, named: str, offices: Offices) -> frozenset[str]:
    """The posts that the pack lets decide: the addressee, or the head of that body.

    They sit in the unit, or in the nearest unit above that has any.
    """
    for at in offices.above(unit):
        if entries := offices.addressee(at, named):
            return frozenset(
                head_of(offices, at, entry) if entry.members else f"{entry.code}@{at}" for entry in entries
            )
    return frozenset()


@dataclass(frozen=True, slots=True)
class OfApprover(Right[Owed]):
    """The right of the post or body that the pack names, as it approves: by itself, or by a delegation."""

    request: Literal["extension", "deferral"] = "extension"

    def _posts(self, subject: Owed, ctx: Ctx) -> frozenset[str]:
        return _of_deferral(subject, ctx) if self.request == "deferral" else _of_extension(subject, ctx)

    def holds(self, subject: Owed, ctx: Ctx) -> bool:
        """Whether the actor is that post or the head of that body, or may approve for it."""
        return self.decides_as(subject, ctx) is not None

    def decides_as(self, subject: Owed, ctx: Ctx) -> str | None:
        """The post as which the actor decides: the own one, or another for which the actor may approve."""
        posts = self._posts(subject, ctx)
        return next((post for post in acting_posts(ctx) if post in posts), None)

    def require(self, subject: Owed, ctx: Ctx) -> None:
        """Raises `Forbidden`, naming the posts that have the right, or `Rejected` if the pack knows no such request."""
        if not self.holds(subject, ctx):
            posts = sorted(self._posts(subject, ctx))
            if not posts:
                raise _no_deferral(subject) if self.request == "deferral" else _no_extension(subject)
            raise Forbidden(
                f"{' or '.join(posts)} decides on the {self.request} of {subject.clock}; you act as {ctx.actor.post}",
                code="not-the-approver",
                rule=_place(subject, f".{self.request}"),
                pack=subject.pack,
                act=self.verb,
                clock=subject.clock,
                request=self.request,
                posts=posts,
                post=ctx.actor.post,
            )


def _no_extension(clock: Owed) -> Rejected:
    says = f"{clock.pack or 'the policy'} does not allow an extension of {clock.clock}"
    return _refused("clock-not-extendable", says, clock, rule=_place(clock))


def _no_deferral(clock: Owed) -> Rejected:
    return _refused(
        "deferral-not-allowed", f"{clock.pack} does not let {clock.clock} be deferred", clock, rule=_place(clock)
    )


def _place(clock: Owed, part: str = "") -> str | None:
    """Where the pack has the rule of a clock, or a part of the rule."""
    return f"clocks.{clock.spec.name}{part}" if clock.spec else None


def _refused(code: str, says: str, clock: Owed, **more: object) -> Rejected:
    return Rejected(says, code=code, pack=clock.pack, clock=clock.clock, **more)


def _runs(clock: Owed, ctx: Ctx, verb: str) -> Refusal:
    """None if the clock runs and has not passed."""
    if clock.ended:
        return _refused("clock-not-running", f"{clock.clock} does not run any more", clock)
    if clock.due is not None and (clock.breached or clock.due < ctx.now) and not clock.paused:
        says = f"{clock.clock} was due at {clock.due.isoformat()}; {titled(verb, 'en')} only before it passes"
        return _refused("clock-passed", says, clock, due=clock.due, rule=_place(clock))
    return None


def _can_be_set(clock: Owed, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _merged(clock, verb):
        return refusal
    if clock.spec is None or not clock.spec.per_case:
        says = f"{clock.pack} lets nobody set {clock.clock} for one matter"
        return _refused("limit-not-per-case", says, clock, rule=_place(clock))
    return _runs(clock, ctx, verb)


def _can_be_extended(clock: Owed, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _merged(clock, verb):
        return refusal
    extension = clock.spec.extension if clock.spec else None
    if extension is None or extension.at_most.is_open or clock.due is None:
        return _no_extension(clock)
    if refusal := _runs(clock, ctx, verb):
        return refusal
    if clock.granted >= extension.times:
        says = f"{clock.pack} extends {clock.clock} at most {extension.times} times"
        return _refused("extension-used-up", says, clock, times=extension.times, rule=_place(clock, ".extension"))
    return _undecidable(clock, "extension", extension.approved_by, clock.unit, ctx)


def _undecidable(clock: Owed, request: str, to: str, unit: str, ctx: Ctx) -> Refusal:
    """Why nobody could decide on a request now; None if somebody could."""
    if not _approvers(unit, to, ctx.offices):
        units = ctx.offices.above(unit)
        says = (
            f"{to} decides on the {request} of {clock.clock}, and no directory of {', '.join(units)} has it; "
            "add the post or body to units.yaml"
        )
        rule = _place(clock, f".{request}")
        return _refused("nobody-decides", says, clock, request=request, to=to, units=list(units), rule=rule)
    if clock.requested is None:
        return None
    says = f"the {clock.requested} of {clock.clock} waits for its decision already"
    return _refused("request-waits", says, clock, request=clock.requested)


def _waits_for_decision(clock: Owed, ctx: Ctx, verb: str) -> Refusal:
    request = "deferral" if verb == "decide-deferral" else "extension"
    if refusal := _merged(clock, verb):
        return refusal
    if clock.requested != request:
        return _refused("nothing-asked", f"nobody asked for the {request} of {clock.clock}", clock, request=request)
    if not clock.deferred and (refusal := _runs(clock, ctx, verb)):
        # A late grant would annul a breach, which only a unit above can.
        return refusal
    if clock.requested_by == clock.by:
        says = f"you asked for the {request} of {clock.clock} yourself; another person must decide"
        return _refused("own-request", says, clock, request=request)
    return None


def _asker_is_untold(clock: Owed, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _merged(clock, verb):
        return refusal
    if clock.asker_untold:
        return None
    return _refused("asker-told", f"the asker need not be told of {clock.clock}; it was told, or nothing moved", clock)


def _can_be_paused(clock: Owed, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _merged(clock, verb):
        return refusal
    if clock.spec is None or clock.spec.pause is None or clock.due is None:
        says = f"{clock.pack} does not let {clock.clock} stand still"
        return _refused("pause-not-allowed", says, clock, rule=_place(clock))
    if clock.closed:
        # Nobody works on it any more, so nobody would let it go on.
        says = f"the matter is closed; reopen it first, then {titled(verb, 'en')}"
        return _refused("matter-ended", says, clock, phase="closed", act=verb)
    if clock.paused:
        return _refused("already-paused", f"{clock.clock} stands still already", clock)
    return _runs(clock, ctx, verb)


def _is_paused(clock: Owed, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _merged(clock, verb):
        return refusal
    return None if clock.paused else _refused("not-paused", f"{clock.clock} does not stand still", clock)


def _can_be_deferred(clock: Owed, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _merged(clock, verb):
        return refusal
    if clock.spec is None or clock.spec.deferral is None or clock.due is None or ".review" in clock.clock:
        return _no_deferral(clock)
    # A missed limit stays on the ladder: whoever missed it cannot defer it.
    if not clock.deferred and (refusal := _runs(clock, ctx, verb)):
        return refusal
    return _undecidable(clock, "deferral", clock.spec.deferral.approved_by or HEAD, clock.accountable, ctx)


def _can_be_annulled(clock: Owed, ctx: Ctx, verb: str) -> Refusal:
    if not clock.breached:
        return Rejected(
            f"no breach of {clock.clock} stands; there is nothing to annul", code="no-breach", clock=clock.clock
        )
    if clock.asked is not None and clock.asked == clock.by and ctx.offices.parent(clock.unit) is None:
        return Rejected(
            f"you asked to annul the breach of {clock.clock} already; another auditor must confirm it",
            code="asked-by-you",
            clock=clock.clock,
        )
    return None


READ_MATTER = Read("read-incident")
"""Clocks and reports upward of matters in which a unit of the reader has a part, or had one. Besides, the clocks with
which these units are charged, what they were told, and what they owe."""
READ_ROSTER = Read("read-roster")
"""The duties of a unit, and the warnings of its matters."""
RIGHTS: Mapping[type[Command], Right[Any]] = {
    ReportUpward: Right("report-upward", ("duty_officer",), _reporting, _goes_on),
    InformOffice: Right("inform-office", ("duty_officer", "chief"), _reporting, _goes_on),
    Receipt: OfAddressee("receipt", ("duty_officer", "approver", "chief"), _told, _waits),
    SetLimit: Right("set-limit", ("approver", "chief"), _accountable, _can_be_set),
    RequestExtension: Right("request-extension", ("handler", "duty_officer", "chief"), _charged, _can_be_extended),
    DecideExtension: OfApprover("decide-extension", (), _charged, _waits_for_decision),
    Pause: Right("pause", ("approver", "chief"), _accountable, _can_be_paused),
    Resume: Right("resume", ("approver", "chief"), _charged, _is_paused),
    RequestDeferral: Right("request-deferral", ("handler", "duty_officer", "chief"), _charged, _can_be_deferred),
    DecideDeferral: OfApprover("decide-deferral", (), _accountable, _waits_for_decision, request="deferral"),
    TellAsker: Right("tell-asker", ("handler", "duty_officer", "chief"), _charged_or_accountable, _asker_is_untold),
    AnnulBreach: Right("annul", ("auditor",), _above_charged, _can_be_annulled),
    AskLead: Right("ask-lead", ("duty_officer", "chief"), leads.accountable, leads.why_not_asked),
    AcceptLead: leads.OfLeader("accept-lead", ("duty_officer", "chief"), leads.leader, leads.why_not_accepted),
    TakeLead: leads.OfLeader("take-lead", ("duty_officer", "chief"), leads.leader, leads.why_not_taken),
    Decide: OfDeciders("decide", ("chief",), _of_matter, _has_rule),
    ConfirmDecision: OfDeciders("confirm-decision", ("chief",), _of_matter, _unconfirmed),
    GiveNotice: Right("give-notice", ("duty_officer", "chief"), _above, _can_be_noticed),
    WritePart: Right("write-part", ("duty_officer", "handler", "chief"), _answering, _is_open),
    ReportBack: Right("report-back", ("duty_officer",), _answering, _can_report_back),
}
ON_LIMITS = (
    SetLimit,
    RequestExtension,
    DecideExtension,
    TellAsker,
    Pause,
    Resume,
    RequestDeferral,
    DecideDeferral,
)
OF_A_CLOCK: Sequence[Right[Owed]] = tuple(RIGHTS[command] for command in (*ON_LIMITS, AnnulBreach))
"""The commands on one clock of a matter."""
OF_LEAD: Sequence[Right[leads.Leading]] = tuple(RIGHTS[command] for command in (AskLead, AcceptLead, TakeLead))


def _at_desk(at: desk.AtDesk, ctx: Ctx) -> Sequence[str]:
    return (at.unit,)


PLANNERS = ("duty_officer", "chief", "admin")
AT_DESK: Mapping[type[Command], Right[desk.AtDesk]] = {
    PlanDuties: Right("plan-duties", PLANNERS, _at_desk),
    CancelDuty: Right("cancel-duty", PLANNERS, _at_desk),
    NameSubstitute: Right("name-substitute", PLANNERS, _at_desk),
    SignOn: Right("sign-on", desk.EVERY_ROLE, _at_desk, desk.not_to_sign),
    HandOver: Right("hand-over", desk.EVERY_ROLE, _at_desk, desk.not_on_duty),
    TestReachability: Right("test-reachability", PLANNERS, _at_desk),
}
"""The commands at a unit's desk: who plans its duties, signs on and hands over."""
SET_ADDRESS: Right[str] = Right("set-address", ("admin",), lambda unit, ctx: (unit,))
"""The addresses of the posts of a unit."""
TRY_PACK: Right[None] = Right("try-pack", ("chief", "admin"), lambda _, ctx: (ctx.offices.root,))
"""Whoever may load packs may try them."""
