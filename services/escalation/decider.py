"""The rules of a clock stream: a matter's duties, met or missed, and its reports upward.

The state holds all milestones and the recorded state of each clock. After every change, the clocks are derived anew
from the milestones, and the differences from the record become events.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Literal

from schemas import escalation as e
from schemas.fields import Fact, Typed
from schemas.pack.reports import DecisionRule
from services.escalation.clock import growth, limits
from services.escalation.clock.duties import by_pack, derive, difference, pack_in_force, pack_of_clock, terms_of, unsaid
from services.escalation.clock.heirs import Heir, carried
from services.escalation.clock.ladder import detect
from services.escalation.clock.leads import Leading, leading
from services.escalation.clock.milestones import (
    ENDINGS,
    accountable,
    assigned,
    began,
    counted,
    in_order,
    is_own,
    level_of,
    unverified,
)
from services.escalation.commands import (
    AcceptLead,
    AnnulBreach,
    AskLead,
    AwaitApproval,
    ConfirmDecision,
    Decide,
    DetectBreaches,
    GiveNotice,
    InformOffice,
    OnLimit,
    Receipt,
    RecordAttempt,
    RecordMilestones,
    ReportBack,
    ReportUpward,
    Resume,
    TakeLead,
    TakeOver,
    TellAsker,
    WritePart,
)
from services.escalation.notify import attempts
from services.escalation.rights import (
    RIGHTS,
    Confirming,
    Deciding,
    Noticed,
    OfApprover,
    Owed,
    Reportable,
    Reported,
    decidable,
    pack_of,
    rule_of,
)
from services.escalation.state import OnRecord, State, UpwardReport, evolve, initial_state
from services.escalation.upward import decisions, informing, notices, obligations, reporting
from services.escalation.upward.notices import Notice
from services.kernel.core.acts import Act, entered
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.core.units import LoadedPack


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command. Reactions and timers need no right."""
    if right := RIGHTS.get(type(command)):
        right.require(_subject(state, command, ctx), ctx)


def _subject(state: State, command: Command, ctx: Ctx) -> Reportable | Reported | Noticed | Deciding | Leading | Owed:
    """The facts for the command's right. An unknown report or clock is judged like the matter."""
    unit = accountable(state.past)
    if unit is None:
        raise Rejected("escalation has not seen the matter opened yet; try again in a moment", code="not-opened")
    merged = any(reached.milestone == "merged" for reached in state.milestones)
    pack = pack_in_force(state, ctx)
    noticed = pack is not None and pack.model.notice is not None
    told = frozenset(report.to for report in state.reports)
    if isinstance(command, ReportUpward) and pack:
        # A unit that handed the matter downward may still owe a report.
        told |= {one.owed_by for one in obligations.owed(state.past, pack.model, ctx.offices)}
    incident = Reportable(unit, told, merged, ctx.seen.get("into"), noticed)
    match command:
        case Receipt():
            report = _report_meant(state, command.report, ctx)
            return reported(report) if report else Reported(ctx.offices.above(unit))
        case AskLead() | AcceptLead() | TakeLead():
            return _leading(state, unit, pack, ctx)
        case Decide():
            rule, posts = _deciders(state, command.decides, unit, pack, ctx)
            named = pack.name if pack else None
            place = decisions.place(pack.model if pack else None, rule)
            return Deciding(unit, posts if rule else None, merged, incident.into, place, named)
        case ConfirmDecision():
            return _confirming(state, command.decision, unit, pack, incident, ctx)
        case WritePart() | ReportBack():
            found = notices.meant(state.notices, command.notice, state.milestones)
            if found is None:
                return Noticed(unit)
            sent = any(report.id in found.reports and not report.answered for report in state.reports)
            return Noticed(found.to, found.met_at(state.milestones) is None, sent)
        case OnLimit() | AnnulBreach():
            return _owed(state, command.clock, incident, ctx)
    return incident


def _owed(state: State, name: str, incident: Reportable, ctx: Ctx) -> Owed:
    known = state.clocks.get(name)
    pack = pack_of_clock(state, name, ctx)
    spec, by, named = decidable(pack, name), ctx.by(ctx.seen["stream"]), pack.name if pack else None
    if known is None:
        return Owed(name, incident.unit, by=by, spec=spec, pack=named, merged=incident.merged, into=incident.into)
    return Owed(
        name,
        known.started.unit,
        known.started.due,
        ended=known.met_at is not None or known.cancelled,
        breached=known.breach is not None,
        asked=known.asked,
        by=by,
        spec=spec,
        accountable=incident.unit,
        requested=_requested(known),
        requested_by=known.requested.by if known.requested else None,
        granted=known.granted,
        asker_untold=known.asker_untold,
        paused=known.started.paused_at is not None,
        deferred=known.cancelled and bool(state.terms.deferred.get(name)),
        pack=named,
        merged=incident.merged,
        into=incident.into,
        closed=_ended(state) == "closed",
    )


def _deciders(
    state: State, decides: str, unit: str, pack: LoadedPack | None, ctx: Ctx
) -> tuple[DecisionRule | None, frozenset[str]]:
    """The pack's rule on a decision now, and the posts that may take it."""
    rule = decisions.rule_on(pack.model if pack else None, decides, _level(state, pack))
    units = (*ctx.offices.below(unit), assigned(state.past))
    return rule, decisions.deciders(rule, units, ctx.offices) if rule else frozenset()


def _confirming(
    state: State, decision: str, unit: str, pack: LoadedPack | None, incident: Reportable, ctx: Ctx
) -> Confirming:
    """Raises `Malformed` for a decision that nobody proposed."""
    waiting = state.proposed.get(decision)
    if waiting is None:
        raise Malformed(
            f"no decision {decision} waits for confirmations on this matter",
            code="decision-unknown",
            field="decision",
            decision=decision,
        )
    rule, posts = _deciders(state, waiting.data.decides, unit, pack, ctx)
    return Confirming(
        unit,
        frozenset(waiting.data.took_part),
        incident.merged,
        incident.into,
        decisions.place(pack.model if pack else None, rule),
        pack.name if pack else None,
        frozenset(waiting.persons),
        frozenset(waiting.persons.values()),
        ctx.by(ctx.seen["stream"]),
        decisions.stands(rule, waiting.data.took_part, posts),
    )


def _requested(known: OnRecord) -> Literal["extension", "deferral"] | None:
    match known.requested:
        case e.ClockExtensionRequested():
            return "extension"
        case e.ClockDeferralRequested():
            return "deferral"
    return None


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The events that the command causes. `RecordMilestones`, `TakeOver` and `DetectBreaches` are never refused.

    For TakeOver, `ctx.seen` holds the state of its `source` under that id. For commands of staff it holds `stream`, the
    clock stream's id, and `into`, the incident into which this one was merged, if that is known.
    """
    authorize(state, command, ctx)
    if isinstance(command, Act):
        at = _done_at(state, command, ctx)
        return entered(command, at, _acted(state, command, at or ctx.now, ctx))
    match command:
        case RecordMilestones():
            return _record(state, command, ctx)
        case TakeOver():
            return _take_over(state, command, ctx)
        case DetectBreaches():
            return detect(state, command, ctx)
        case AwaitApproval():
            return attempts.awaited(command, state.approvals, state.unit)
        case RecordAttempt():
            return [attempts.recorded(command)]
        case OnLimit():
            return _on_limit(state, command, ctx)
        case AnnulBreach():
            return _annul(state, command, ctx)
    raise TypeError(f"a clock stream knows no {type(command).__name__}")


def _acted(state: State, command: Act, at: datetime, ctx: Ctx) -> Decided:
    """The events of an act that happened at an instant, which is now if it is not entered later."""
    match command:
        case ReportUpward():
            return _report(state, command, at, ctx)
        case InformOffice():
            _refuse(state, command, ctx)
            incident = _subject(state, command, ctx)
            assert isinstance(incident, Reportable)
            told = informing.informed(command, incident.reporting(ctx), ctx)
            return by_pack([told], pack_in_force(state, ctx), ctx)
        case Receipt():
            return _receipt(state, command, at, ctx)
        case AskLead() | AcceptLead() | TakeLead():
            return _lead(state, command, at, ctx)
        case Decide():
            return _decide(state, command, ctx)
        case ConfirmDecision():
            _refuse(state, command, ctx)
            return by_pack(
                decisions.confirmed(state.proposed[command.decision], at, ctx), pack_in_force(state, ctx), ctx
            )
        case GiveNotice():
            return _give_notice(state, command, at, ctx)
        case WritePart() | ReportBack():
            return _answer_notice(state, command, at, ctx)
    raise TypeError(f"a clock stream knows no {type(command).__name__}")


def _done_at(state: State, command: Act, ctx: Ctx) -> datetime | None:
    """When the act happened, if it is entered later. Raises `Malformed` for a time before the act that it answers."""
    at, first = command.done_at(ctx.now), _answers(state, command, ctx)
    if at is not None and first is not None and at < first:
        raise Malformed(
            f"happened_at: what this act follows happened at {first.isoformat()}; enter a time that is not before it",
            code="before-what-it-answers",
            field="happened_at",
            at=first,
        )
    return at


def _answers(state: State, command: Act, ctx: Ctx) -> datetime | None:
    """When the act happened that this one answers; by default, when the matter was discovered."""
    acts = state.milestones
    match command:
        case Receipt() if report := _report_meant(state, command.report, ctx):
            found = [one for one in acts if one.milestone == "reported" and one.event == report.id]
        case AcceptLead() if asked := [one for one in acts if one.milestone == "lead_asked" and is_own(one)]:
            found = asked[-1:]
        case ConfirmDecision() if waiting := state.proposed.get(command.decision):
            return waiting.at
        case WritePart() | ReportBack() if notice := notices.meant(state.notices, command.notice, acts):
            return notice.at
        case _:
            found = [one for one in acts if one.milestone == "discovered"]
    return min((began(one) for one in found), default=None)


def _refuse(state: State, command: Command, ctx: Ctx) -> None:
    RIGHTS[type(command)].refuse(_subject(state, command, ctx), ctx)


def _record(state: State, command: RecordMilestones, ctx: Ctx) -> Decided:
    under = {reached.incident for reached in command.milestones}
    known = [reached for reached in state.milestones if reached.incident in under]
    seen = {(reached.milestone, reached.event, reached.incident) for reached in known}
    new = tuple(
        reached
        for reached in command.milestones
        if (reached.milestone, reached.event, reached.incident) not in seen and not _known_before(known, reached)
    )
    return _reached(state, new, command.basis, ctx) if new else []


def _take_over(state: State, command: TakeOver, ctx: Ctx) -> Decided:
    """Milestones that count under the other incident count here. For a split-off matter they only excuse."""
    source: State = ctx.seen[command.source]
    done = counted(source.past) if command.split_at is None else source.past
    taken = tuple(carried(done, Heir("", command.via, command.split_at)))
    return _record(state, RecordMilestones(milestones=taken, basis=command.basis), ctx)


def _known_before(past: Iterable[e.ClockMilestoneReached], reached: e.ClockMilestoneReached) -> bool:
    """Whether it is a further discovery that brings no earlier knowledge, and counts after the known one."""
    return reached.milestone == "discovered" and any(
        known.milestone == "discovered"
        and known.incident == reached.incident
        and known.happened_at <= reached.happened_at
        and in_order((known, reached))[0] is known
        for known in past
    )


def _reached(
    state: State, new: tuple[e.ClockMilestoneReached, ...], basis: tuple[str, ...], ctx: Ctx
) -> list[Occurred]:
    """The milestones, and the changes that they make to the clocks."""
    after = replace(state, milestones=(*state.milestones, *new))
    pack = pack_in_force(after, ctx)
    ref = pack.ref if pack else None
    recorded = [Occurred(reached, time=reached.happened_at, policy=ref, basis=basis) for reached in new]
    return [*recorded, *by_pack(difference(after, pack, ctx), pack, ctx)]


def _report(state: State, command: ReportUpward, at: datetime, ctx: Ctx) -> Decided:
    _refuse(state, command, ctx)
    incident = _subject(state, command, ctx)
    assert isinstance(incident, Reportable)
    unit, past, pack = incident.reporting(ctx), state.past, pack_in_force(state, ctx)
    owed = obligations.owed(past, pack.model, ctx.offices) if pack else ()
    sent = {report.hop for report in state.reports if report.hop and not report.answered}
    concerned = {incident.unit, assigned(past) or incident.unit}
    named = pack.name if pack else None
    mine = [one for one in owed if one.owed_by == unit and reporting.may_fulfil(command, one)]
    to, there, meant = reporting.target(command, unit, mine, sent, concerned, ctx.offices, named)
    report = e.ClockReportedUpward(
        report=ctx.ids.new(""),
        unit=unit,
        to=there,
        addressee=meant.hop.to if meant else to,
        form=reporting.form(command, meant, named),
        hop=meant.hop.code if meant else None,
        level=level_of(past),
        unverified=unverified(past),
        text=None if command.text is None else Typed(text=command.text),
        proposal=None if command.proposal is None else Typed(text=command.proposal),
        review=command.review,
        edition=command.edition,
    )
    sent_ = UpwardReport(report.report, there, report.addressee, report.form, report.hop)
    return [*by_pack([report], pack, ctx), *_own(state, "reported", sent_, unit, at, ctx)]


def _decide(state: State, command: Decide, ctx: Ctx) -> Decided:
    _refuse(state, command, ctx)
    subject, pack = _subject(state, command, ctx), pack_in_force(state, ctx)
    rule = decisions.rule_on(pack.model if pack else None, command.decides, _level(state, pack))
    assert isinstance(subject, Deciding)
    assert pack is not None and rule is not None and subject.posts is not None, "a decision without a rule is refused"
    return by_pack([decisions.decided(command, subject.unit, rule, pack, subject.posts, ctx)], pack, ctx)


def _level(state: State, pack: LoadedPack | None) -> str | None:
    """The level by which the matter is handled. A matter that has grown follows another one than its own."""
    return level_of(growth.followed(state.past, pack.model) if pack else state.past)


def _leading(state: State, unit: str, pack: LoadedPack | None, ctx: Ctx) -> Leading:
    level, model = _level(state, pack), pack.model if pack else None
    found = leading(model, level, unit, state.asked_to_lead, state.lead, ctx.offices)
    ended, merged = _ended(state), any(one.milestone == "merged" for one in state.milestones)
    return replace(
        found,
        pack=pack.name if pack else None,
        merged=merged,
        into=ctx.seen.get("into"),
        ended=ended if ended in ("closed", "dismissed") else None,
    )


def _ended(state: State) -> str | None:
    """How the matter ended last; `reopened` if it goes on since then, and None before its first end."""
    own = (one.milestone for one in reversed(state.past) if is_own(one))
    return next((one for one in own if one in (*ENDINGS, "reopened")), None)


def _lead(state: State, command: AskLead | AcceptLead | TakeLead, at: datetime, ctx: Ctx) -> Decided:
    _refuse(state, command, ctx)
    matter, pack = _subject(state, command, ctx), pack_in_force(state, ctx)
    assert isinstance(matter, Leading)
    assert matter.by is not None, "a lead that the pack does not name is refused"
    if isinstance(command, TakeLead):
        taken = e.ClockLeadTaken(unit=matter.by, who=matter.who, reason=Typed(text=command.reason))
        return by_pack([taken], pack, ctx)
    fact: Fact = e.ClockLeadAccepted(unit=matter.by, who=matter.who)
    if isinstance(command, AskLead):
        reason = Typed(text=command.reason)
        fact = e.ClockLeadAsked(unit=matter.unit, of=matter.by, who=matter.who, reason=reason)
    reached = e.ClockMilestoneReached(
        milestone="lead_asked" if isinstance(command, AskLead) else "lead_accepted",
        happened_at=at,
        recorded_at=ctx.now,
        event=ctx.ids.new(""),
        unit=matter.unit if isinstance(command, AskLead) else matter.by,
    )
    return [*by_pack([fact], pack, ctx), *_reached(state, (reached,), (), ctx)]


def _give_notice(state: State, command: GiveNotice, at: datetime, ctx: Ctx) -> Decided:
    _refuse(state, command, ctx)
    pack, unit = pack_in_force(state, ctx), state.unit
    assert unit is not None, "a matter without an accountable unit is refused"
    assert pack is not None, "the table of rights asks for the pack's rule"
    given = notices.given(command, unit, pack, at, ctx)
    notice = Notice(given.notice, given.unit, given.to, at, given.due)
    after = replace(state, notices=(*state.notices, notice))
    return by_pack([given, *difference(after, pack, ctx)], pack, ctx)


def _answer_notice(state: State, command: WritePart | ReportBack, at: datetime, ctx: Ctx) -> Decided:
    _refuse(state, command, ctx)
    pack, notice = pack_in_force(state, ctx), notices.meant(state.notices, command.notice, state.milestones)
    assert notice is not None, "an answer without a notice is refused"
    asking = _given_under(state, notice, ctx)
    rule = asking.model.notice if asking else None
    if asking is None or rule is None:
        raise Rejected("the pack of this matter has no rule on notices; instruct the unit instead", code="no-notices")
    if isinstance(command, WritePart):
        return by_pack([notices.part(command, notice, rule, asking)], pack, ctx)
    past = state.past
    level, open_ = level_of(past), unverified(past)
    report = notices.report_back(command, notice, rule, asking, level, unverified=open_, ctx=ctx)
    sent = UpwardReport(report.report, report.to, report.addressee, report.form, report.hop)
    return [*by_pack([report], pack, ctx), *_own(state, "reported", sent, report.unit, at, ctx)]


def _given_under(state: State, notice: Notice, ctx: Ctx) -> LoadedPack | None:
    """The pack under which the notice was given. A move to another pack leaves its answer owed."""
    given_under = [move.policy for move in state.moves if move.at is None or move.at <= notice.at]
    return pack_of(given_under[-1] if given_under else state.policy, notice.to, ctx.offices)


def _own(state: State, milestone: str, report: UpwardReport, unit: str, at: datetime, ctx: Ctx) -> list[Occurred]:
    """A milestone of this stream itself. `event` is the id of the report."""
    reached = e.ClockMilestoneReached(
        milestone=milestone,
        happened_at=at,
        recorded_at=ctx.now,
        event=report.id,
        unit=unit,
        to=report.addressee,
        form=report.form,
        hop=report.hop,
    )
    return _reached(state, (reached,), (), ctx)


def _receipt(state: State, command: Receipt, at: datetime, ctx: Ctx) -> Decided:
    report = _report_meant(state, command.report, ctx)
    if report is None and command.report is not None:
        raise Malformed(
            f"this matter has no report {command.report}", code="report-unknown", field="report", report=command.report
        )
    _refuse(state, command, ctx)
    assert report is not None, "a receipt without a report is refused"
    if not command.accepted:
        refused = e.ClockReceiptRefused(report=report.id, unit=report.to, reason=Typed(text=command.reason or ""))
        return [refused]
    given = e.ClockReceiptGiven(report=report.id, unit=report.to)
    first = all(reached.milestone != "received" or reached.event != report.id for reached in state.milestones)
    return [given, *(_own(state, "received", report, report.to, at, ctx) if first and not report.informs else ())]


def reported(report: UpwardReport) -> Reported:
    """The facts for the right to confirm the report."""
    return Reported((report.to,), report.answered, report.addressee)


def _report_meant(state: State, named: str | None, ctx: Ctx) -> UpwardReport | None:
    """The named report, or the latest one without an answer: the latest to the actor, if there is one."""
    if named is not None:
        return next((report for report in state.reports if report.id == named), None)
    waiting = [report for report in reversed(state.reports) if not report.answered]
    mine = (report for report in waiting if RIGHTS[Receipt].holds(reported(report), ctx))
    return next(mine, next(iter(waiting), None))


def _on_limit(state: State, command: OnLimit, ctx: Ctx) -> Decided:
    """What people decide on a limit, and the changes that it makes to the clocks."""
    known, pack = state.clocks.get(command.clock), pack_in_force(state, ctx)
    by = pack_of_clock(state, command.clock, ctx)
    spec = rule_of(by, command.clock)
    if known is None and not (spec and spec.per_case):
        _known(state, command.clock)
    _refuse(state, command, ctx)
    assert by is not None
    assert spec is not None or isinstance(command, Resume | TellAsker), "the table of rights asks for the pack's rule"
    due, right = known.started.due if known else None, RIGHTS[type(command)]
    subject = _subject(state, command, ctx)
    assert isinstance(subject, Owed)
    post = right.decides_as(subject, ctx) if isinstance(right, OfApprover) else None
    facts = limits.decided(
        command,
        spec,
        due,
        (known and known.original) or due,
        known.requested if known else None,
        by,
        terms_of(state, ctx.offices),
        post or ctx.actor.post,
        ctx,
    )
    after = state
    for fact in facts:
        after = replace(after, terms=limits.after(after.terms, fact, ctx.now))
    derived = derive(after, pack, ctx)
    if all(clock.name != command.clock for clock in derived):
        _known(state, command.clock)
    return by_pack([*facts, *unsaid(after, derived)], pack, ctx)


def _annul(state: State, command: AnnulBreach, ctx: Ctx) -> Decided:
    """A unit above annuls at once. For the root's own breach, the first auditor asks and another one annuls."""
    known = _known(state, command.clock)
    _refuse(state, command, ctx)
    by, reason = ctx.by(ctx.seen["stream"]), Typed(text=command.reason)
    if known.asked is None and ctx.offices.parent(known.started.unit) is None:
        return [e.ClockAnnulmentAsked(clock=command.clock, reason=reason, by=by)]
    return [e.ClockBreachAnnulled(clock=command.clock, cause="reviewed", reason=reason, by=by)]


def _known(state: State, name: str) -> OnRecord:
    known = state.clocks.get(name)
    if known is None:
        there = f"it has {', '.join(state.clocks)}" if state.clocks else "it has none yet"
        raise Malformed(
            f"this matter has no clock {name}; {there}",
            code="clock-unknown",
            field="clock",
            clock=name,
            known=list(state.clocks),
        )
    return known


DECIDER = Decider("clock", initial_state, evolve, decide, authorize)
