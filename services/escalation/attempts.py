"""The record of a try to send a notice to a place of a post. Pure."""

from schemas import escalation as e
from services.escalation.commands import RecordAttempt


def recorded(command: RecordAttempt) -> e.ClockNoticeDelivered | e.ClockNoticeFailed:
    """The event of the try. It changes no clock."""
    if command.error is None:
        return e.ClockNoticeDelivered(
            notice=command.notice,
            unit=command.unit,
            post=command.post,
            way=command.way,
            place=command.place,
            attempt=command.attempt,
        )
    return e.ClockNoticeFailed(
        notice=command.notice,
        unit=command.unit,
        post=command.post,
        way=command.way,
        place=command.place,
        attempt=command.attempt,
        error=command.error,
    )
