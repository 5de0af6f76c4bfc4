"""The reactions of triage to events of other services. Pure; the knowledge of incidents comes from outside."""

from collections.abc import Iterable

from schemas.envelope import Event
from schemas.escalation import ClockReportedUpward
from schemas.fields import REACH
from schemas.ingest import ReportHelpfulnessGiven, ReportReachMeasured, ReportReceived, ReportRefused
from schemas.messages import DeliveryRefused, MessageReceived
from schemas.publish import StatementPublished
from services.kernel.core.ids import incident_opened_by
from services.kernel.core.reactions import Reaction
from services.triage.alike.matching import Matching
from services.triage.commands import (
    CountReach,
    PrepareClarification,
    RecordAnswerPublished,
    RecordJudgement,
    RecordPeerSaid,
    RecordRefusal,
    TakeReport,
)


def react(event: Event, match_keys: Matching) -> Iterable[Reaction]:
    """The commands that the event causes."""
    basis = f"{event.stream}@{event.version}"
    match event.data:
        case ReportReceived() as report:
            if match_keys.incident_of(event.stream):
                return []
            found = match_keys.find(report.match_key, event.drill) if report.match_key else None
            own = incident_opened_by(event.id)
            command = TakeReport(
                unit=report.unit,
                report=event.stream,
                discovered_at=report.discovered_at,
                entered_late=report.entered_late,
                category=report.category,
                channel=report.channel,
                match_key=report.match_key,
                place_key=report.place_key,
                opens=own,
                relates_to=found.incident if found and found.over else None,
                handed=report.handed,
                basis=basis,
            )
            stream = found.incident if found and not found.over else own
            return [Reaction(stream, command, numbered=report.unit)]
        case (
            MessageReceived(
                about=str(about), said=("accepted" | "refused" | "answered" | "returned") as told
            ) as message
        ):
            said = RecordPeerSaid(
                of=message.of,
                about=about,
                said=told,
                message=event.stream,
                text=message.text,
                basis=basis,
            )
            return [Reaction(message.incident, said)]
        case DeliveryRefused() as gone:
            # Also of what was told of a matter that came from elsewhere. Then it can be told again.
            said = RecordPeerSaid(of=gone.to, about=gone.sent, said="undelivered", message=event.stream, basis=basis)
            return [Reaction(gone.incident, said)]
        case ReportRefused() as refused if incident := match_keys.incident_of(event.stream):
            post = event.actor if "@" in event.actor else None
            return [Reaction(incident, RecordRefusal(report=event.stream, post=post, by=refused.by, basis=basis))]
        case ReportReachMeasured() as measured if incident := match_keys.incident_of(event.stream):
            figures = {name: getattr(measured, name) for name in REACH}
            # The sender's clock may be ahead.
            at = min(measured.measured_at, event.recorded)
            return [Reaction(incident, CountReach(report=event.stream, counted_at=at, basis=basis, **figures))]
        case ReportHelpfulnessGiven() as said:
            judged = RecordJudgement(report=event.stream, answer=said.answer, helps=said.helps, basis=basis)
            return [Reaction(said.incident, judged)]
        case ClockReportedUpward() as reported if event.correlation:
            prepare = PrepareClarification(addressee=reported.addressee, basis=basis)
            return [Reaction(event.correlation, prepare)]
        case StatementPublished(kind="facts") as statement:
            is_account = statement.form == "closing_account"
            answered = RecordAnswerPublished(
                statement=event.stream, unit=statement.unit, closing=is_account, basis=basis
            )
            return [Reaction(statement.incident, answered)]
    return []
