"""What triage does when other services tell of something. Pure; what is known of matters comes in."""

from collections.abc import Iterable

from schemas.envelope import Event
from schemas.ingest import ReportReceived
from schemas.publish import StatementPublished
from services.kernel.core.ids import derived
from services.kernel.core.reactions import Reaction
from services.triage.commands import AttachReport, OpenIncident, RecordAnswerPublished
from services.triage.matching import Matters


def react(event: Event, matters: Matters) -> Iterable[Reaction]:
    """The commands that the event causes."""
    basis = f"{event.stream}@{event.version}"
    match event.data:
        case ReportReceived() as report:
            incident = matters.find(report.unit, report.matter, event.drill)
            if incident is None:
                command = OpenIncident(
                    unit=report.unit,
                    report=event.stream,
                    discovered_at=report.discovered_at,
                    category=report.category,
                    matter=report.matter,
                    basis=basis,
                )
                return [Reaction(f"incident-{derived('triage', event.id, 'incident')}", command)]
            attach = AttachReport(
                unit=report.unit, report=event.stream, discovered_at=report.discovered_at, basis=basis
            )
            return [Reaction(incident, attach)]
        case StatementPublished(kind="facts") as statement:
            answered = RecordAnswerPublished(statement=event.stream, unit=statement.unit, basis=basis)
            return [Reaction(statement.incident, answered)]
    return []
