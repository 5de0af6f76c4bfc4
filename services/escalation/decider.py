"""The rules of a clock stream: a matter's duties, met or missed, and its reports upward.

The state holds all milestones and the recorded state of each clock. After every change, the clocks are derived anew
from the milestones, and the differences from the record become events.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import zip_longest

from schemas import escalation as e
from schemas.envelope import Event
from schemas.fields import Fact, Typed
from schemas.pack.clocks import Rung
from schemas.pack.reports import Notice as NoticeRule
from services.escalation import clocks, decisions, eras, growth, limits, notices, obligations, reporting
from services.escalation.clocks import Clock
from services.escalation.commands import (
    AcceptLead,
    AnnulBreach,
    AskLead,
    Decide,
    DetectBreaches,
    GiveNotice,
    OnLimit,
    Receipt,
    RecordMilestones,
    ReportBack,
    ReportUpward,
    TakeLead,
    TakeOver,
    WritePart,
)
from services.escalation.eras import Era, Move
from services.escalation.growth import GROWTH
from services.escalation.heirs import Heir, carried
from services.escalation.leads import Leading, leading
from services.escalation.notices import Notice
from services.escalation.rights import (
    RIGHTS,
    Deciding,
    Noticed,
    Owed,
    Reportable,
    Reported,
    decidable,
    pack_of,
    rule_of,
)
from services.escalation.terms import USUAL, Office, Terms
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.core.units import LoadedPack, Offices

EXPLAINS = frozenset(
    {"explained", "replied", "delay_explained", "returned", "resolved", "status_published", "facts_published"}
)
"""A reply or an explanation. After one of these, no circular names anybody."""


@dataclass(frozen=True, slots=True)
class OnRecord:
    """The recorded state of one clock."""

    started: e.ClockStarted
    met_at: datetime | None = None
    happened_at: datetime | None = None
    cancelled: bool = False
    requested: e.ClockExtensionRequested | None = None
    """The extension that waits for its decision."""
    granted: int = 0
    """How often it was extended."""
    original: datetime | None = None
    """The due instant before any extension."""
    warned: datetime | None = None
    """When the unit was last warned."""
    breach: e.ClockBreached | None = None
    """The breach that stands."""
    asked: str | None = None
    """Digest of the person who asked to annul that breach."""
    excused: bool = False
    """A reviewer annulled its breach, so it is not breached again."""
    rungs: Mapping[e.Rung, datetime] = field(default_factory=dict)
    """When each rung of the ladder was sent or spared."""


@dataclass(frozen=True, slots=True)
class UpwardReport:
    """A report, with the posts that confirmed it or sent it back."""

    id: str
    to: str
    """The unit of the addressee."""
    addressee: str = ""
    form: e.ReportForm = "written"
    hop: str | None = None
    answered: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class State:
    """One matter's milestones, clocks and reports."""

    milestones: tuple[e.ClockMilestoneReached, ...] = ()
    clocks: Mapping[str, OnRecord] = field(default_factory=dict)
    terms: Terms = USUAL
    """What people decided on the limits."""
    reports: tuple[UpwardReport, ...] = ()
    notices: tuple[Notice, ...] = ()
    lead: str | None = None
    """The unit that leads, besides the accountable one."""
    asked_to_lead: str | None = None
    first_policy: str | None = None
    """The pack by which clocks were derived first. It counts where the matter was opened without a pack."""

    @property
    def unit(self) -> str | None:
        """The unit that is accountable for the matter. It answers for the words of the stream, too."""
        return clocks.accountable(self.past)

    @property
    def moves(self) -> list[Move]:
        """The packs of the matter, one after the other."""
        told = eras.moves(self.milestones)
        if self.first_policy is None or (told and told[0].at is None):
            return told
        return [Move(None, self.first_policy), *told]

    @property
    def policy(self) -> str | None:
        """The pack of the matter now."""
        moves = self.moves
        return moves[-1].policy if moves else None

    @property
    def past(self) -> list[e.ClockMilestoneReached]:
        """The milestones in the order in which they count."""
        return clocks.in_order(self.milestones)


def initial_state() -> State:
    """Nothing is known of the matter."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    if event.policy and state.first_policy is None:
        state = replace(state, first_policy=event.policy)
    match event.data:
        case e.ClockMilestoneReached() as data:
            return replace(state, milestones=(*state.milestones, data))
        case e.ClockStarted() as data:
            before = state.clocks.get(data.clock) or OnRecord(data)
            return _with(state, replace(before, started=data, met_at=None, happened_at=None, cancelled=False))
        case e.ClockMet() as data if known := state.clocks.get(data.clock):
            return _with(state, replace(known, met_at=data.met_at, happened_at=data.happened_at))
        case e.ClockWarned() as data if known := state.clocks.get(data.clock):
            return _with(state, replace(known, warned=event.recorded))
        case e.ClockCancelled() as data if known := state.clocks.get(data.clock):
            return _with(state, replace(known, cancelled=True))
        case e.ClockBreached() as data if known := state.clocks.get(data.clock):
            return _with(state, replace(known, breach=data, asked=None))
        case e.ClockAnnulmentAsked() as data if known := state.clocks.get(data.clock):
            return _with(state, replace(known, asked=data.by))
        case e.ClockBreachAnnulled() as data if known := state.clocks.get(data.clock):
            excused = known.excused or data.cause == "reviewed"
            return _with(state, replace(known, breach=None, asked=None, excused=excused))
        case e.ClockReminderSent() | e.ClockReminderSpared() as data if known := state.clocks.get(data.clock):
            return _with(state, replace(known, rungs={**known.rungs, data.rung: event.recorded}))
        case e.ClockExtensionRequested() as data if known := state.clocks.get(data.clock):
            return _with(state, replace(known, requested=data))
        case e.ClockExtensionRefused() as data if known := state.clocks.get(data.clock):
            return _with(state, replace(known, requested=None))
        case (e.ClockLimitSet() | e.ClockExtended() | e.ClockPaused() | e.ClockResumed() | e.ClockDeferred()) as data:
            state = replace(state, terms=limits.after(state.terms, data, event.recorded))
            if not isinstance(data, e.ClockExtended) or (known := state.clocks.get(data.clock)) is None:
                return state
            granted = known.granted + 1
            return _with(state, replace(known, requested=None, granted=granted, original=data.original))
        case e.ClockReportedUpward() as data:
            report = UpwardReport(data.report, data.to, data.addressee, data.form, data.hop)
            return replace(state, reports=(*state.reports, report), notices=notices.evolve(state.notices, event))
        case e.ClockLeadAsked() as data:
            return replace(state, asked_to_lead=data.of)
        case e.ClockLeadAccepted() | e.ClockLeadTaken() as data:
            return replace(state, lead=data.unit)
        case e.ClockNoticeGiven() | e.ClockNoticePartWritten():
            return replace(state, notices=notices.evolve(state.notices, event))
        case e.ClockReceiptGiven() | e.ClockReceiptRefused() as data:
            reports = (
                replace(report, answered=report.answered | {event.actor}) if report.id == data.report else report
                for report in state.reports
            )
            return replace(state, reports=tuple(reports))
    return state


def _with(state: State, clock: OnRecord) -> State:
    return replace(state, clocks={**state.clocks, clock.started.clock: clock})


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command. Reactions and timers need no right."""
    if right := RIGHTS.get(type(command)):
        right.require(_subject(state, command, ctx), ctx)


def _subject(state: State, command: Command, ctx: Ctx) -> Reportable | Reported | Noticed | Deciding | Leading | Owed:
    """The facts for the command's right. An unknown report or clock is judged like the matter."""
    unit = clocks.accountable(state.past)
    if unit is None:
        raise Rejected("escalation has not seen the matter opened yet; try again in a moment", code="not-opened")
    merged = any(reached.milestone == "merged" for reached in state.milestones)
    pack = _pack(state, ctx)
    noticed = pack is not None and pack.model.notice is not None
    told = frozenset(report.to for report in state.reports)
    incident = Reportable(unit, told, merged, ctx.seen.get("into"), noticed)
    match command:
        case Receipt():
            report = _report_meant(state, command.report, ctx)
            return reported(report) if report else Reported(ctx.offices.above(unit))
        case AskLead() | AcceptLead() | TakeLead():
            return _leading(state, unit, pack, ctx)
        case Decide():
            rule = decisions.rule_on(pack.model if pack else None, command.decides, _level(state, pack))
            units = (*ctx.offices.below(unit), clocks.assigned(state.past))
            posts = decisions.deciders(rule, units, ctx.offices) if rule else None
            return Deciding(unit, posts, merged, incident.into)
        case WritePart() | ReportBack():
            found = notices.meant(state.notices, command.notice, state.milestones)
            return Noticed(found.to, found.met_at(state.milestones) is None) if found else Noticed(unit)
        case OnLimit() | AnnulBreach():
            return _owed(state, command.clock, incident, ctx)
    return incident


def _owed(state: State, name: str, incident: Reportable, ctx: Ctx) -> Owed:
    known = state.clocks.get(name)
    pack = _pack(state, ctx)
    spec, by, name_ = decidable(pack, name), ctx.by(ctx.seen["stream"]), pack.ref if pack else None
    if known is None:
        return Owed(name, incident.unit, by=by, spec=spec, pack=name_, merged=incident.merged, into=incident.into)
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
        requested_by=known.requested.by if known.requested else None,
        granted=known.granted,
        paused=known.started.paused_at is not None,
        deferred=known.cancelled and bool(state.terms.deferred.get(name)),
        pack=state.policy,
        merged=incident.merged,
        into=incident.into,
    )


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The events that the command causes. `RecordMilestones`, `TakeOver` and `DetectBreaches` are never refused.

    For TakeOver, `ctx.seen` holds the state of its `source` under that id. For commands of staff it holds `stream`, the
    clock stream's id, and `into`, the incident into which this one was merged, if that is known.
    """
    authorize(state, command, ctx)
    match command:
        case RecordMilestones():
            return _record(state, command, ctx)
        case TakeOver():
            return _take_over(state, command, ctx)
        case DetectBreaches():
            return _detect(state, command, ctx)
        case ReportUpward():
            return _report(state, command, ctx)
        case Receipt():
            return _receipt(state, command, ctx)
        case AskLead() | AcceptLead() | TakeLead():
            return _lead(state, command, ctx)
        case Decide():
            return _decide(state, command, ctx)
        case GiveNotice():
            return _give_notice(state, command, ctx)
        case WritePart() | ReportBack():
            return _answer_notice(state, command, ctx)
        case OnLimit():
            return _on_limit(state, command, ctx)
        case AnnulBreach():
            return _annul(state, command, ctx)
    raise TypeError(f"a clock stream knows no {type(command).__name__}")


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
    done = clocks.counted(source.past) if command.split_at is None else source.past
    taken = tuple(carried(done, Heir("", command.via, command.split_at)))
    return _record(state, RecordMilestones(milestones=taken, basis=command.basis), ctx)


def _known_before(past: Iterable[e.ClockMilestoneReached], reached: e.ClockMilestoneReached) -> bool:
    """Whether it is a further discovery that brings no earlier knowledge, and counts after the known one."""
    return reached.milestone == "discovered" and any(
        known.milestone == "discovered"
        and known.incident == reached.incident
        and known.happened_at <= reached.happened_at
        and clocks.in_order((known, reached))[0] is known
        for known in past
    )


def _reached(
    state: State, new: tuple[e.ClockMilestoneReached, ...], basis: tuple[str, ...], ctx: Ctx
) -> list[Occurred]:
    """The milestones, and the changes that they make to the clocks."""
    after = replace(state, milestones=(*state.milestones, *new))
    pack = _pack(after, ctx)
    ref = pack.ref if pack else None
    recorded = [Occurred(reached, time=reached.happened_at, policy=ref, basis=basis) for reached in new]
    return [*recorded, *_by_pack(_difference(after, pack, ctx), pack, ctx)]


def _pack(state: State, ctx: Ctx) -> LoadedPack | None:
    """The matter's pack. None while the unit or the pack has not arrived yet: the duties are derived later."""
    return pack_of(state.policy, state.unit or "", ctx.offices)


def _by_pack(facts: Sequence[Fact | Occurred], pack: LoadedPack | None, ctx: Ctx) -> list[Occurred]:
    ref = pack.ref if pack else None
    items = (fact if isinstance(fact, Occurred) else Occurred(fact) for fact in facts)
    return [replace(item, policy=ref, basis=ctx.offices.basis) for item in items]


def _derived(state: State, pack: LoadedPack | None, ctx: Ctx) -> tuple[Clock, ...]:
    if pack is None:
        return ()
    terms = terms_of(state, ctx.offices)

    def under(past: Sequence[e.ClockMilestoneReached], pack: LoadedPack) -> tuple[Clock, ...]:
        return obligations.derive(past, pack.model, ctx.offices, terms)

    def anew(clock: Clock, at: datetime, pack: LoadedPack) -> Clock:
        return clocks.anew(clock, at, pack.model, terms)

    found = eras.derive(state.past, _eras(state, pack, ctx), under, anew)
    own = notices.clocks(state.notices, state.milestones)
    return tuple(_kept(clock, state, ctx) for clock in (*found, *own))


def terms_of(state: State, offices: Offices) -> Terms:
    """What the matter's limits depend on besides its milestones."""
    handed = [
        Office(
            min(one.happened_at, one.recorded_at),
            one.recorded_at,
            getattr(offices.units.get(one.unit or ""), "kind", None),
            offices.own_days(one.unit or ""),
        )
        for one in state.past
        if one.milestone in ("opened", "transferred") and clocks.is_own(one)
    ]
    return replace(state.terms, offices=tuple(handed))


def _eras(state: State, pack: LoadedPack, ctx: Ctx) -> list[Era]:
    """The packs of the matter, one after the other; `pack` is the present one."""
    past, told = state.past, state.moves or [Move(None, pack.ref)]
    found: list[Era] = []
    for move, following in zip_longest(told, told[1:]):
        since = move.at or past[0].recorded_at
        unit = clocks.accountable(past, since) or state.unit or ""
        whole = ctx.offices.packs.get(move.policy, pack)
        found += eras.with_values(whole, move.at, since, following and following.at, unit, ctx.offices)
    return found


def _kept(clock: Clock, state: State, ctx: Ctx) -> Clock:
    """The clock, with the due instant on record if the derived one became earlier and has passed already.

    So what changes the calendar or the rules moves no limit into the past.
    """
    known = state.clocks.get(clock.name)
    if known is None or known.cancelled or known.started.since != clock.since:
        return clock
    if not clock.due < min(known.started.due, ctx.now):
        return clock
    return replace(clock, due=known.started.due, due_is_late=known.started.due_is_late, provisional=False)


def _difference(state: State, pack: LoadedPack | None, ctx: Ctx) -> list[Fact | Occurred]:
    """The events that make the record agree with the milestones. Each event's time is when its change happened."""
    return _unsaid(state, _derived(state, pack, ctx)) if pack else []


def _unsaid(state: State, derived: Sequence[Clock]) -> list[Fact | Occurred]:
    gone = state.clocks.keys() - {clock.name for clock in derived}
    facts: list[Fact | Occurred] = [fact for name in sorted(gone) for fact in _stopped(state.clocks[name])]
    for clock in derived:
        facts += _changed(clock, state.clocks.get(clock.name))
    return facts


def _stopped(known: OnRecord) -> Iterator[Fact]:
    name = known.started.clock
    if known.breach:
        yield e.ClockBreachAnnulled(clock=name, cause="start_changed")
    if not known.cancelled:
        yield e.ClockCancelled(clock=name, cause="start_changed")


def _changed(clock: Clock, known: OnRecord | None) -> Iterator[Fact | Occurred]:
    """The difference of one clock. A repeated `clock.started` replaces the earlier one."""
    name = clock.name
    started = e.ClockStarted(
        clock=name,
        unit=clock.unit,
        since=clock.since,
        due=clock.due,
        first_answer=clock.first_answer,
        provisional=clock.provisional,
        counts_work=clock.counts_work,
        due_is_late=clock.due_is_late,
        warns=clock.warns,
        paused_at=clock.paused_at,
    )
    if known and known.breach:
        if (known.breach.due, known.breach.unit) != (clock.due, clock.unit):
            yield e.ClockBreachAnnulled(clock=name, cause="start_changed")
        elif not clock.overdue(known.breach.detected_at):
            yield e.ClockBreachAnnulled(clock=name, cause="recorded_in_time")
    revived = known and ((known.cancelled and not clock.cancelled) or (known.met_at and not clock.met_at))
    if known is None or known.started != started or revived:
        yield Occurred(started, time=clock.since)
        known = OnRecord(started)
    if clock.met_at and (known.met_at, known.happened_at) != (clock.met_at, clock.happened_at):
        met = e.ClockMet(clock=name, met_at=clock.met_at, late=clock.late, happened_at=clock.happened_at)
        yield Occurred(met, time=clock.met_at)
    if clock.cancelled and not known.cancelled:
        yield Occurred(e.ClockCancelled(clock=name, cause=clock.cancelled.cause), time=clock.cancelled.at)


def _detect(state: State, command: DetectBreaches, ctx: Ctx) -> Decided:
    pack = _pack(state, ctx)
    if pack is None:
        return []
    derived = _derived(state, pack, ctx)
    if grew := next((clock for clock in derived if clock.name == GROWTH and clock.overdue(command.until)), None):
        return _grown(state, grew, command, ctx)
    facts = _unsaid(state, derived)
    annulled = {fact.clock for fact in facts if isinstance(fact, e.ClockBreachAnnulled)}
    for clock in derived:
        known = state.clocks.get(clock.name)
        by = (clock.policy and pack_of(clock.policy, state.unit or "", ctx.offices)) or pack
        ladder = [rung for rung in by.model.ladder if not (rung.after and rung.after.is_open)]
        if known and known.excused:
            continue
        stands = known is not None and known.breach is not None and clock.name not in annulled
        if not stands and clock.overdue(command.until):
            breached = e.ClockBreached(
                clock=clock.name,
                unit=clock.unit,
                due=clock.due,
                detected_at=ctx.now,
                incomplete=command.incomplete,
                next_at=_next_rung(_times(ladder, ctx.now, by, ctx, clock.unit), known.rungs if known else {}),
            )
            facts.append(Occurred(breached, time=clock.due))
        elif known and known.breach and stands and clock.runs:
            times = _times(ladder, known.breach.detected_at, by, ctx, clock.unit)
            facts += _climbed(state, clock, known.rungs, times, command.until, ctx)
        elif known and _warns(clock, known.warned, command.until):
            facts.append(e.ClockWarned(clock=clock.name, unit=clock.unit, due=clock.due))
    return _by_pack(facts, pack, ctx)


def _grown(state: State, limit: Clock, command: DetectBreaches, ctx: Ctx) -> Decided:
    """A matter that did not end within the limit follows another level. That is no breach. The rest is judged then."""
    reached = e.ClockMilestoneReached(
        milestone="grown",
        happened_at=limit.due,
        recorded_at=command.until,
        event=ctx.ids.new(""),
        unit=state.unit,
    )
    after = replace(state, milestones=(*state.milestones, reached))
    recorded = Occurred(reached, time=reached.happened_at)
    return [*_by_pack([recorded], _pack(after, ctx), ctx), *_detect(after, command, ctx)]


Times = Sequence[tuple[Rung, datetime]]
"""The rungs, each with its time if none of them is late."""


def _times(ladder: Sequence[Rung], detected_at: datetime, pack: LoadedPack, ctx: Ctx, unit: str) -> Times:
    """The first rung follows the detection, and each further one follows the due instant by the pack's limits."""
    terms = Terms(own=ctx.offices.own_days(unit))
    return [
        (rung, terms.ends(detected_at, rung.after, pack.model).at if rung.after else detected_at) for rung in ladder
    ]


def _climbed(
    state: State, clock: Clock, sent: Mapping[e.Rung, datetime], times: Times, until: datetime, ctx: Ctx
) -> Iterator[Fact]:
    """The rung that is due, if any.

    Each follows the one before it by the difference of their times, and the first follows the detection.

    So nobody gets all rungs at once, neither for a matter that was entered late nor after a time without judging.
    """
    due = _next_rung(times, sent)
    if due is None or due >= until:
        return
    (rung, at), *later = [(rung, at) for rung, at in times if rung.rung not in sent]
    next_at = ctx.now + (later[0][1] - at) if later else None
    if rung.spares_explained and explained(state, clock):
        yield e.ClockReminderSpared(clock=clock.name, rung=rung.rung, unit=clock.unit, due=due, next_at=next_at)
        return
    for told in _told(rung, clock.unit, ctx):
        yield e.ClockReminderSent(
            clock=clock.name, rung=rung.rung, unit=clock.unit, told=told, due=due, next_at=next_at
        )


def _next_rung(times: Times, sent: Mapping[e.Rung, datetime]) -> datetime | None:
    """When the next rung is due; None after the last one."""
    waiting = [at for rung, at in times if rung.rung not in sent]
    if not waiting:
        return None
    return max([waiting[0], *(sent[rung.rung] + (waiting[0] - at) for rung, at in times if rung.rung in sent)])


def _warns(clock: Clock, warned: datetime | None, until: datetime) -> bool:
    """Whether the unit is to be warned now. Of several times that have passed, one warning is enough."""
    passed = [at for at in clock.warns if clock.since <= at < until]
    return clock.runs and bool(passed) and clock.paused_at is None and (warned is None or warned < passed[-1])


def _told(rung: Rung, unit: str, ctx: Ctx) -> list[str]:
    parent = ctx.offices.parent(unit) or unit
    return list(dict.fromkeys(unit if who == "unit" else parent for who in rung.tells))


def explained(state: State, clock: Clock) -> bool:
    """Whether the office replied or explained itself since the clock began (ESC-10)."""
    past = state.past
    return any(
        reached.milestone in EXPLAINS and reached.recorded_at >= clock.since and _speaks(reached, clock, past)
        for reached in clocks.counted(past)
    )


def _speaks(reached: e.ClockMilestoneReached, clock: Clock, past: Sequence[e.ClockMilestoneReached]) -> bool:
    """Whether an explanation of the delay is that of the office: of a unit that then worked on the matter."""
    if reached.milestone != "delay_explained" or reached.unit is None or not clocks.is_own(reached):
        return True
    at = reached.recorded_at
    return reached.unit in (clock.unit, clocks.accountable(past, at), clocks.assigned(past, at))


def _report(state: State, command: ReportUpward, ctx: Ctx) -> Decided:
    _refuse(state, command, ctx)
    incident = _subject(state, command, ctx)
    assert isinstance(incident, Reportable)
    unit, past, pack = incident.reporting(ctx), state.past, _pack(state, ctx)
    owed = obligations.owed(past, pack.model, ctx.offices) if pack else ()
    sent = {report.hop for report in state.reports if report.hop and not report.answered}
    concerned = {incident.unit, clocks.assigned(past) or incident.unit}
    to, at, meant = reporting.target(
        command, unit, [one for one in owed if one.owed_by == unit], sent, concerned, ctx.offices
    )
    report = e.ClockReportedUpward(
        report=ctx.ids.new(""),
        unit=unit,
        to=at,
        addressee=meant.hop.to if meant else to,
        form=reporting.form(command, meant),
        hop=meant.hop.code if meant else None,
        level=clocks.level_of(past),
        unverified=all(reached.milestone != "fact_established" for reached in clocks.counted(past)),
        text=None if command.text is None else Typed(text=command.text),
        proposal=None if command.proposal is None else Typed(text=command.proposal),
    )
    sent_ = UpwardReport(report.report, at, report.addressee, report.form, report.hop)
    return [*_by_pack([report], pack, ctx), *_own(state, "reported", sent_, unit, ctx)]


def _decide(state: State, command: Decide, ctx: Ctx) -> Decided:
    _refuse(state, command, ctx)
    subject, pack = _subject(state, command, ctx), _pack(state, ctx)
    rule = decisions.rule_on(pack.model if pack else None, command.decides, _level(state, pack))
    assert isinstance(subject, Deciding)
    assert rule is not None and subject.posts is not None, "a decision without a rule is refused"
    return _by_pack([decisions.decided(command, subject.unit, rule, subject.posts, ctx)], pack, ctx)


def _level(state: State, pack: LoadedPack | None) -> str | None:
    """The level by which the matter is handled. A matter that has grown follows another one than its own."""
    return clocks.level_of(growth.followed(state.past, pack.model) if pack else state.past)


def _leading(state: State, unit: str, pack: LoadedPack | None, ctx: Ctx) -> Leading:
    level, model = _level(state, pack), pack.model if pack else None
    found = leading(model, level, unit, state.asked_to_lead, state.lead, ctx.offices)
    own = (one.milestone for one in reversed(state.past) if clocks.is_own(one))
    last = next((one for one in own if one in (*clocks.ENDINGS, "reopened")), None)
    merged = any(one.milestone == "merged" for one in state.milestones)
    return replace(
        found,
        merged=merged,
        into=ctx.seen.get("into"),
        ended=last if last in ("closed", "dismissed") else None,
    )


def _lead(state: State, command: AskLead | AcceptLead | TakeLead, ctx: Ctx) -> Decided:
    _refuse(state, command, ctx)
    matter, pack = _subject(state, command, ctx), _pack(state, ctx)
    assert isinstance(matter, Leading)
    assert matter.by is not None, "a lead that the pack does not name is refused"
    if isinstance(command, TakeLead):
        taken = e.ClockLeadTaken(unit=matter.by, who=matter.who, reason=Typed(text=command.reason))
        return _by_pack([taken], pack, ctx)
    fact: Fact = e.ClockLeadAccepted(unit=matter.by, who=matter.who)
    if isinstance(command, AskLead):
        reason = Typed(text=command.reason)
        fact = e.ClockLeadAsked(unit=matter.unit, of=matter.by, who=matter.who, reason=reason)
    reached = e.ClockMilestoneReached(
        milestone="lead_asked" if isinstance(command, AskLead) else "lead_accepted",
        happened_at=ctx.now,
        recorded_at=ctx.now,
        event=ctx.ids.new(""),
        unit=matter.unit if isinstance(command, AskLead) else matter.by,
    )
    return [*_by_pack([fact], pack, ctx), *_reached(state, (reached,), (), ctx)]


def _give_notice(state: State, command: GiveNotice, ctx: Ctx) -> Decided:
    _refuse(state, command, ctx)
    pack, unit = _pack(state, ctx), state.unit
    assert unit is not None, "a matter without an accountable unit is refused"
    assert pack is not None, "the table of rights asks for the pack's rule"
    assert pack.model.notice is not None, "the table of rights asks for the pack's rule"
    given = notices.given(command, unit, pack.model.notice, ctx)
    notice = Notice(given.notice, given.unit, given.to, ctx.now, given.due)
    after = replace(state, notices=(*state.notices, notice))
    return _by_pack([given, *_difference(after, pack, ctx)], pack, ctx)


def _answer_notice(state: State, command: WritePart | ReportBack, ctx: Ctx) -> Decided:
    _refuse(state, command, ctx)
    pack, notice = _pack(state, ctx), notices.meant(state.notices, command.notice, state.milestones)
    assert notice is not None, "an answer without a notice is refused"
    rule = _rule_of(state, notice, ctx)
    if rule is None:
        raise Rejected("the pack of this matter has no rule on notices; instruct the unit instead", code="no-notices")
    if isinstance(command, WritePart):
        return _by_pack([notices.part(command, notice, rule)], pack, ctx)
    past = state.past
    unverified = all(reached.milestone != "fact_established" for reached in clocks.counted(past))
    report = notices.report_back(command, notice, rule, clocks.level_of(past), unverified=unverified, ctx=ctx)
    sent = UpwardReport(report.report, report.to, report.addressee, report.form, report.hop)
    return [*_by_pack([report], pack, ctx), *_own(state, "reported", sent, report.unit, ctx)]


def _rule_of(state: State, notice: Notice, ctx: Ctx) -> NoticeRule | None:
    """The rule of the pack under which the notice was given. A move to another pack leaves its answer owed."""
    given_under = [move.policy for move in state.moves if move.at is None or move.at <= notice.at]
    pack = pack_of(given_under[-1] if given_under else state.policy, notice.to, ctx.offices)
    return pack.model.notice if pack else None


def _own(state: State, milestone: str, report: UpwardReport, unit: str, ctx: Ctx) -> list[Occurred]:
    """A milestone of this stream itself. `event` is the id of the report."""
    reached = e.ClockMilestoneReached(
        milestone=milestone,
        happened_at=ctx.now,
        recorded_at=ctx.now,
        event=report.id,
        unit=unit,
        to=report.addressee,
        form=report.form,
        hop=report.hop,
    )
    return _reached(state, (reached,), (), ctx)


def _receipt(state: State, command: Receipt, ctx: Ctx) -> Decided:
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
    return [given, *(_own(state, "received", report, report.to, ctx) if first else ())]


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
    known, pack = state.clocks.get(command.clock), _pack(state, ctx)
    spec = rule_of(pack, command.clock)
    if known is None and not (spec and spec.per_case):
        _known(state, command.clock)
    _refuse(state, command, ctx)
    assert pack is not None
    assert spec is not None, "the table of rights asks for the pack's rule"
    due = known.started.due if known else None
    facts = limits.decided(
        command,
        spec,
        due,
        (known and known.original) or due,
        known.requested if known else None,
        pack,
        terms_of(state, ctx.offices),
        ctx,
    )
    after = state
    for fact in facts:
        after = replace(after, terms=limits.after(after.terms, fact, ctx.now))
    derived = _derived(after, pack, ctx)
    if all(clock.name != command.clock for clock in derived):
        _known(state, command.clock)
    return _by_pack([*facts, *_unsaid(after, derived)], pack, ctx)


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
