"""The milestones in other services' events, with the times when they happened and were recorded. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas import answering, press, publish, triage
from schemas.envelope import Event
from schemas.escalation import Asking, ClockMilestoneReached
from services.escalation.clock.heirs import Heirs, carried
from services.escalation.commands import AwaitApproval, HoldReport, RecordMilestones, TakeOver
from services.escalation.duty.roster import stream_of_unit
from services.kernel.core.ids import stream_of
from services.kernel.core.reactions import Known, Reaction


@dataclass(frozen=True, slots=True)
class Batch(Known):
    """The lookups for a batch of events."""

    heirs: Heirs = field(default_factory=Heirs)
    staffed: Mapping[str, Collection[tuple[str, str]]] = field(default_factory=dict)
    """Unit with a desk -> the times, from and until, at which somebody is on duty."""
    outdone: Collection[str] = frozenset()
    """Ids of events that another event of the batch makes superfluous."""


def outdone(events: Iterable[Event]) -> set[str]:
    """Ids of attached reports for which the batch has another report with an earlier discovery.

    Only reports of one incident are compared, and only if no other milestone lies between them. Then nothing was
    decided on the later discovery.
    """
    found, earliest = set[str](), dict[str, Event]()
    for event in events:
        if not isinstance(event.data, triage.IncidentReportAttached):
            if event.kind == "incident" and any(milestones_of(event)):
                earliest.pop(event.stream, None)
            continue
        known = earliest.setdefault(event.stream, event)
        if known is not event:
            later, earliest[event.stream] = sorted((known, event), key=_discovered, reverse=True)
            found.add(later.id)
    return found


def _discovered(attached: Event) -> tuple[datetime, int]:
    return min(attached.data.discovered_at, attached.recorded), attached.version


def react(event: Event, batch: Batch) -> Iterable[Reaction]:
    """Milestones go to the clock stream of the event's incident, and work also goes to its heirs.

    When an incident gets an heir, all earlier work under it goes there, too. The work is read from the incident's clock
    stream. That stream grows by the same event, so other commands on it are decided before or after.
    """
    if event.kind == "statement" and event.correlation is None:
        return  # a notice is about no matter, so it has no clocks
    if awaited := approval_of(event):
        yield Reaction(stream_of("clock", event.correlation or event.stream), awaited)
    milestones = () if event.id in batch.outdone else tuple(milestones_of(event))
    if not milestones:
        return
    incident = event.stream if event.kind == "incident" else event.correlation or event.stream
    own, basis = stream_of("clock", incident), (f"{event.stream}@{event.version}",)
    yield Reaction(own, RecordMilestones(milestones=milestones, basis=basis))
    yield from _held(event, batch)
    for heir in batch.heirs.of(incident):
        theirs = stream_of("clock", heir.incident)
        if isinstance(event.data, triage.IncidentMerged | triage.IncidentSplit):
            command = TakeOver(source=own, via=heir.via, split_at=heir.split_at, basis=basis)
            yield Reaction(theirs, command, beside=(own,))
        elif done := tuple(carried(milestones, heir)):
            yield Reaction(theirs, RecordMilestones(milestones=done, basis=basis))


def _held(event: Event, batch: Batch) -> Iterable[Reaction]:
    """A report that came while nobody was on duty at the unit's desk. The roster's own rules decide on it again."""
    data = event.data
    if event.drill or not isinstance(data, triage.IncidentOpened | triage.IncidentReportAttached):
        return
    if data.report is None or (isinstance(data, triage.IncidentOpened) and data.split_from):
        # Its reports came before, or nobody has reported it yet.
        return
    spans = batch.staffed.get(data.unit)
    if spans is None or any(since <= event.recorded_text < until for since, until in spans):
        return
    held = HoldReport(unit=data.unit, incident=event.stream, report=data.report, at=event.recorded)
    yield Reaction(stream_of_unit(data.unit), held)


def approval_of(event: Event) -> AwaitApproval | None:
    """Who is asked for an approval by the event, if anybody is.

    A statement is approved for the unit that speaks, a proposal for the matter's accountable unit.
    """
    of: Asking | None = None
    who, unit = tuple[str, ...](), None
    match event.data:
        case publish.StatementSubmitted(steps=(first, *_)) as data:
            of, who, unit = "statement", first.who, data.unit
        case triage.IncidentProposed(steps=(first, *_)) as data:
            of, who = data.of, first.who
        case publish.StatementApproved() | triage.IncidentProposalApproved() as data:
            who = data.next
        case publish.StatementReferred() | triage.IncidentProposalReferred() as data:
            who = (data.to,)
    if not who:
        return None
    return AwaitApproval(
        of=of,
        record=event.stream,
        proposal=getattr(event.data, "proposal", None),
        unit=unit,
        who=who,
        event=event.id,
        basis=(f"{event.stream}@{event.version}",),
    )


def milestones_of(event: Event) -> Iterable[ClockMilestoneReached]:
    """The milestones of the event; none for most events."""
    match event.data:
        case triage.IncidentOpened() as data:
            if data.report is not None:
                yield _reached(event, "discovered", data.discovered_at, unit=data.unit)
            yield _reached(
                event, "opened", unit=data.unit, policy=data.policy, category=data.category, channel=data.channel
            )
            if data.split_from:
                yield _reached(event, "split_off", incident=data.split_from)
        case triage.IncidentReportAttached() as data:
            yield _reached(event, "discovered", data.discovered_at)
        case triage.IncidentAbsorbed() as data:
            if data.discovered_at is not None:
                yield _reached(event, "discovered", data.discovered_at)
            yield _reached(event, "absorbed", incident=data.incident)
        case triage.IncidentSplit() as data:
            yield _reached(event, "split", incident=data.into)
        case triage.IncidentGraded() as data:
            yield _reached(event, "graded", level=data.level, rank=data.rank, known_at=data.known_at)
        case triage.IncidentRegraded() as data:
            yield _reached(event, "regraded", level=data.level, rank=data.rank, known_at=data.known_at)
        case triage.IncidentLevelsKnown() as data:
            yield _reached(event, "levels_known", levels=data.levels)
        case triage.IncidentClassified() as data:
            yield _reached(event, "classified", answer_kind=data.answer_kind)
        case triage.IncidentCategorized() as data:
            yield _reached(event, "categorized", category=data.category)
        case triage.IncidentAssigned() as data:
            yield _reached(event, "assigned", unit=data.unit)
        case triage.IncidentAccepted() as data:
            yield _reached(event, "accepted", unit=data.unit)
        case triage.IncidentReturned() as data:
            yield _reached(event, "returned", unit=data.unit)
        case triage.IncidentTransferred() as data:
            yield _reached(event, "transferred", unit=data.unit)
        case triage.IncidentPolicyMoved() as data:
            yield _reached(
                event, "policy_moved", policy=data.policy, level=data.level, rank=data.rank, known_at=data.known_at
            )
        case triage.IncidentFactEstablished():
            yield _reached(event, "fact_established", unit=event.unit)
        case triage.IncidentVerificationRequested(taken_from=None) as data:
            yield _reached(event, "verification_requested", unit=data.unit)
        case triage.IncidentVerificationConcluded(taken_from=None) as data if data.outcome != "not_established":
            yield _reached(event, "verified", unit=data.unit)
        case triage.IncidentHandlingRecorded() as data:
            yield _reached(event, f"note_{data.track}", unit=event.unit)
        case triage.IncidentExplained():
            yield _reached(event, "explained", unit=event.unit)
        case triage.IncidentReplied():
            yield _reached(event, "replied", unit=event.unit)
        case triage.IncidentSolved():
            yield _reached(event, "solved", unit=event.unit)
        case answering.IncidentScreened(needs_reply=True) | answering.IncidentScreeningReviewed(upheld=False):
            yield _reached(event, "reply_needed")
        case answering.IncidentScreeningReviewed(upheld=True):
            yield _reached(event, "reply_not_needed")
        case triage.IncidentDelayExplained():
            yield _reached(event, "delay_explained", unit=event.unit)
        case triage.IncidentMaterialReceived(signed=True, sealed=True) as data:
            # Other material is not accepted, so the department still owes it.
            yield _reached(event, "material_received", unit=data.unit)
        case triage.IncidentMeasureApproved():
            yield _reached(event, "measure_approved", unit=event.unit)
        case triage.IncidentPlanStarted():
            yield _reached(event, "plan_started", unit=event.unit)
        case triage.IncidentTeamNamed():
            yield _reached(event, "team_named", unit=event.unit)
        case triage.IncidentMeetingHeld():
            yield _reached(event, "meeting_held", unit=event.unit)
        case triage.IncidentResolved():
            yield _reached(event, "resolved", unit=event.unit)
        case triage.IncidentFollowedUp():
            yield _reached(event, "followed_up", unit=event.unit)
        case triage.IncidentClosed():
            yield _reached(event, "closed", unit=event.unit)
        case triage.IncidentDismissed():
            yield _reached(event, "dismissed", unit=event.unit)
        case triage.IncidentReopened() as data:
            yield _reached(event, "reopened", data.discovered_at, unit=event.unit)
        case triage.IncidentMerged():
            yield _reached(event, "merged")
        case triage.IncidentFactRevised() as data:
            fact = publish.UsedFact(key=data.key, incident=event.stream, version=event.version)
            yield _reached(event, "fact_revised", unit=event.unit, facts=(fact,))
        case publish.StatementPublished() as data:
            told: dict[str, Any] = {"statement": event.stream, "facts": data.used, "until": data.next_at}
            yield _reached(event, f"{data.kind}_published", unit=data.unit, **told)
            if data.form == "closing_account":
                yield _reached(event, "account_published", unit=data.unit)
        case publish.StatementCorrected() as data:
            yield _reached(event, "statement_corrected", statement=event.stream, facts=data.used)
        case publish.StatementWithdrawn():
            yield _reached(event, "statement_withdrawn", statement=event.stream)
        case press.PressConferenceHeld() as data:
            yield _reached(event, "conference_held", unit=data.unit)


def _reached(event: Event, milestone: str, at: datetime | None = None, **more: Any) -> ClockMilestoneReached:
    return ClockMilestoneReached(
        milestone=milestone, happened_at=at or event.time, recorded_at=event.recorded, event=event.id, **more
    )
