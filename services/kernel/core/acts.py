"""Acts that are entered later than they happened, with the time and the reason. Pure."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Self

from pydantic import StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.fields import Done, Typed, WrittenInstant, instant
from services.kernel.core.commands import Command
from services.kernel.core.decider import Decided, Occurred
from services.kernel.core.problems import Malformed


class Act(Command):
    """What is entered later says when it happened, and why it comes late."""

    happened_at: WrittenInstant | None = None
    """When it was done, if it is entered later."""
    late_reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)] | None = None
    """Why it is entered later."""

    @model_validator(mode="after")
    def _says_why_it_is_late(self) -> Self:
        if (self.happened_at is None) != (self.late_reason is None):
            raise PydanticCustomError(
                "late-reason-needed", "an act that is entered later has both `happened_at` and `late_reason`"
            )
        return self

    def done_at(self, now: datetime) -> datetime | None:
        """When the act happened, if it is entered later; None if it happens now. Raises `Malformed` for the future."""
        if self.happened_at is not None and self.happened_at > now:
            raise Malformed(
                f"happened_at: {self.happened_at.isoformat()} is later than now; enter an act once it was done",
                code="in-the-future",
                field="happened_at",
                at=self.happened_at,
                now=now,
            )
        return self.happened_at


def must_be_ahead(at: datetime | None, now: datetime, field: str = "due") -> None:
    """Raises `Malformed` for a time to come that has passed already."""
    if at is not None and at <= now:
        raise Malformed(
            f"{field}: {instant(at)} has passed; name a time that is still to come",
            code="time-passed",
            field=field,
            at=at,
            now=now,
        )


def entered(command: Act, at: datetime | None, decided: Decided) -> Decided:
    """The events of an act; if it happened at an earlier time, with that time and the reason of the command."""
    if at is None or command.late_reason is None:
        return decided
    reason = Typed(text=command.late_reason)
    return [_late(item, at, reason) for item in _occurred(decided)]


def _occurred(decided: Decided) -> Iterable[Occurred]:
    return (item if isinstance(item, Occurred) else Occurred(item) for item in decided)


def _late(item: Occurred, at: datetime, reason: Typed) -> Occurred:
    if not isinstance(item.data, Done) or item.data.late_reason is not None:
        return item
    return replace(item, data=item.data.model_copy(update={"late_reason": reason}), time=item.time or at)
