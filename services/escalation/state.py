"""The state of a clock stream, folded from its events. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas import escalation as e
from schemas.envelope import Event
from services.escalation.clock import eras, limits
from services.escalation.clock.eras import Move
from services.escalation.clock.milestones import accountable, in_order
from services.escalation.clock.terms import USUAL, Terms
from services.escalation.upward import notices
from services.escalation.upward.notices import Notice


@dataclass(frozen=True, slots=True)
class OnRecord:
    """The recorded state of one clock."""

    started: e.ClockStarted
    met_at: datetime | None = None
    happened_at: datetime | None = None
    cancelled: bool = False
    requested: limits.Request | None = None
    """The extension or deferral that waits for its decision."""
    granted: int = 0
    """How often it was extended."""
    asker_untold: bool = False
    """Whether the asker of the matter must still be told of an extension."""
    original: datetime | None = None
    """The due instant before any extension."""
    warned: datetime | None = None
    """When the unit was last warned."""
    breach: e.ClockBreached | None = None
    """The breach that stands."""
    asked: str | None = None
    """Digest of the person who asked to annul that breach."""
    excused: bool = False
    """An auditor annulled its breach, so it is not breached again."""
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
    informs: bool = False
    """Whether it only tells another office, and fulfils nothing."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A decision of several posts that waits for their confirmations."""

    data: e.ClockDecisionProposed
    persons: Mapping[str, str]
    """Post that confirmed it -> digest of the person."""
    at: datetime
    """When it was proposed."""
    last_at: datetime
    """When the latest of its confirmations happened."""


@dataclass(frozen=True, slots=True)
class State:
    """One matter's milestones, clocks and reports."""

    milestones: tuple[e.ClockMilestoneReached, ...] = ()
    clocks: Mapping[str, OnRecord] = field(default_factory=dict)
    terms: Terms = USUAL
    """What people decided on the limits."""
    reports: tuple[UpwardReport, ...] = ()
    notices: tuple[Notice, ...] = ()
    proposed: Mapping[str, Proposed] = field(default_factory=dict)
    """Decisions of several posts, by id."""
    lead: str | None = None
    """The unit that leads, besides the accountable one."""
    asked_to_lead: str | None = None
    approvals: tuple[e.ClockApprovalAwaited, ...] = ()
    """Who was asked for an approval."""
    first_policy: str | None = None
    """The pack by which clocks were derived first. It counts where the matter was opened without a pack."""

    @property
    def unit(self) -> str | None:
        """The unit that is accountable for the matter. It answers for the words of the stream, too."""
        return accountable(self.past)

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
        return in_order(self.milestones)


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
        case (e.ClockExtensionRequested() | e.ClockDeferralRequested()) as data if known := state.clocks.get(
            data.clock
        ):
            return _with(state, replace(known, requested=data))
        case (e.ClockExtensionRefused() | e.ClockDeferralRefused()) as data if known := state.clocks.get(data.clock):
            return _with(state, replace(known, requested=None))
        case e.ClockAskerTold() as data if known := state.clocks.get(data.clock):
            return _with(state, replace(known, asker_untold=False))
        case (e.ClockLimitSet() | e.ClockExtended() | e.ClockPaused() | e.ClockResumed() | e.ClockDeferred()) as data:
            state = replace(state, terms=limits.after(state.terms, data, event.recorded))
            known = state.clocks.get(data.clock)
            if known is None or not isinstance(data, e.ClockExtended | e.ClockDeferred):
                return state
            known = replace(known, requested=None)
            if isinstance(data, e.ClockExtended):
                known = replace(known, granted=known.granted + 1, original=data.original, asker_untold=True)
            return _with(state, known)
        case e.ClockReportedUpward() as data:
            report = UpwardReport(data.report, data.to, data.addressee, data.form, data.hop)
            return replace(state, reports=(*state.reports, report), notices=notices.evolve(state.notices, event))
        case e.ClockOfficeInformed() as data:
            told = UpwardReport(data.report, data.to, data.addressee, informs=True)
            return replace(state, reports=(*state.reports, told))
        case e.ClockDecisionProposed() as data:
            waiting = Proposed(data, {event.actor: data.by}, event.time, event.time)
            return replace(state, proposed={**state.proposed, data.decision: waiting})
        case e.ClockDecisionConfirmed() as data if waits := state.proposed.get(data.decision):
            waits = replace(
                waits, persons={**waits.persons, event.actor: data.by}, last_at=max(waits.last_at, event.time)
            )
            return replace(state, proposed={**state.proposed, data.decision: waits})
        case e.ClockApprovalAwaited() as data:
            return replace(state, approvals=(*state.approvals, data))
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
