"""The records around outgoing notices: who is asked for an approval, and the tries to send. Pure."""

from collections.abc import Sequence

from schemas import escalation as e
from services.escalation.commands import AwaitApproval, RecordAttempt
from services.kernel.core.decider import Occurred

TRIED = {"notice", "unit", "post", "way", "place", "attempt"}


def awaited(command: AwaitApproval, known: Sequence[e.ClockApprovalAwaited], accountable: str | None) -> list[Occurred]:
    """Somebody is asked for an approval, once for each event. It changes no clock."""
    if any(one.event == command.event for one in known):
        return []
    about = (command.record, command.proposal)
    before = next((one for one in known if (one.record, one.proposal) == about), None)
    of = command.of or (before.of if before else None)
    unit = command.unit or (before.unit if before else accountable)
    if of is None or unit is None:
        return []
    told = command.model_dump(include={"record", "proposal", "who", "event"})
    asked = e.ClockApprovalAwaited(of=of, unit=unit, **told)
    return [Occurred(asked, basis=command.basis, unit=unit)]


def recorded(command: RecordAttempt) -> e.ClockNoticeDelivered | e.ClockNoticeFailed:
    """The event of a try on a matter. It changes no clock."""
    tried = command.model_dump(include=TRIED)
    if command.error is None:
        return e.ClockNoticeDelivered(**tried)
    return e.ClockNoticeFailed(**tried, error=command.error)
