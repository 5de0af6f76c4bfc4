"""What other services' events mean for the clocks: milestones, with the time they happened and were recorded. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from schemas import publish, triage
from schemas.envelope import Event
from schemas.escalation import ClockMilestoneReached
from services.escalation.commands import RecordMilestones
from services.kernel.core.ids import stream_of
from services.kernel.core.reactions import Known, Reaction


def react(event: Event, known: Known) -> Iterable[Reaction]:
    """One `RecordMilestones` at most, on the clock stream of the event's incident."""
    milestones = tuple(milestones_of(event))
    if milestones:
        incident = event.data.incident if event.kind == "statement" else event.stream
        basis = (f"{event.stream}@{event.version}",)
        yield Reaction(stream_of("clock", incident), RecordMilestones(milestones=milestones, basis=basis))


def milestones_of(event: Event) -> Iterable[ClockMilestoneReached]:
    """The milestones that the event stands for; none for most."""
    match event.data:
        case triage.IncidentOpened() as data:
            yield _reached(event, "discovered", data.discovered_at, unit=data.unit)
            yield _reached(event, "opened", unit=data.unit)
        case triage.IncidentReportAttached() | triage.IncidentAbsorbed() as data:
            yield _reached(event, "discovered", data.discovered_at)
        case triage.IncidentGraded() as data:
            yield _reached(event, "graded", level=data.level, rank=data.rank, known_at=data.known_at)
        case triage.IncidentRegraded() as data:
            yield _reached(event, "regraded", level=data.level, rank=data.rank, known_at=data.known_at)
        case triage.IncidentClassified() as data:
            yield _reached(event, "classified", answer_kind=data.answer_kind)
        case triage.IncidentAssigned() as data:
            yield _reached(event, "assigned", unit=data.unit)
        case triage.IncidentAccepted() as data:
            yield _reached(event, "accepted", unit=data.unit)
        case triage.IncidentReturned() as data:
            yield _reached(event, "returned", unit=data.unit)
        case triage.IncidentTransferred() as data:
            yield _reached(event, "transferred", unit=data.unit)
        case triage.IncidentFactEstablished():
            yield _reached(event, "fact_established", unit=event.unit)
        case triage.IncidentHandlingRecorded() as data:
            yield _reached(event, f"handled_{data.track}", unit=event.unit)
        case triage.IncidentResolved():
            yield _reached(event, "resolved", unit=event.unit)
        case triage.IncidentFollowedUp():
            yield _reached(event, "followed_up", unit=event.unit)
        case triage.IncidentClosed():
            yield _reached(event, "closed", unit=event.unit)
        case triage.IncidentDismissed():
            yield _reached(event, "dismissed", unit=event.unit)
        case triage.IncidentReopened():
            yield _reached(event, "reopened", unit=event.unit)
        case triage.IncidentMerged():
            yield _reached(event, "merged")
        case publish.StatementPublished() as data:
            yield _reached(event, f"{data.kind}_published", unit=data.unit)


def _reached(event: Event, milestone: str, at: datetime | None = None, **more: Any) -> ClockMilestoneReached:
    return ClockMilestoneReached(
        milestone=milestone, happened_at=at or event.time, recorded_at=event.recorded, event=event.id, **more
    )
