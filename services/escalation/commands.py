"""What can be asked of escalation: request bodies of staff, and what reactions and timers say."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StrictBool, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.escalation import ClockMilestoneReached
from schemas.fields import Code, Post, StreamId, UnitCode, Uuid, WrittenInstant
from services.kernel.core.commands import Command

Reason = Annotated[str, StringConstraints(min_length=1, max_length=2_000, strip_whitespace=True)]


class ReportUpward(Command):
    """Report the matter to a unit above; to the parent where `to` is absent."""

    to: UnitCode | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=20_000)] | None = None


class Receipt(Command):
    """Confirm a report that came from below, or send it back with a reason; the latest open one where none is named."""

    report: Uuid | None = None
    accepted: StrictBool = True
    reason: Reason | None = None

    @model_validator(mode="after")
    def _says_why(self) -> Self:
        if not self.accepted and self.reason is None:
            raise PydanticCustomError("reason-needed", "a report is sent back with a reason; add `reason`")
        return self


class Extend(Command):
    """Move a limit that has not passed to a later time."""

    clock: Code
    due: WrittenInstant
    reason: Reason


class AnnulBreach(Command):
    """Find that a breach does not stand, for example because paper was entered later."""

    clock: Code
    reason: Reason


class Duty(Command):
    """A post of a unit's directory, such as `duty_officer@town-east`, on duty for a time."""

    post: Post
    since: WrittenInstant
    until: WrittenInstant

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        if self.since >= self.until:
            raise PydanticCustomError("duty-ends-early", "a duty ends after it begins; set `until` later than `since`")
        return self


class PlanDuties(Command):
    """Put duties on a unit's roster. What was planned before and is not named stays."""

    unit: UnitCode
    duties: tuple[Duty, ...] = Field(max_length=500)


class RecordMilestones(Command):
    """Milestones that one event of another service brought."""

    milestones: tuple[ClockMilestoneReached, ...]
    basis: tuple[str, ...] = ()
    """`stream@version` of the event that says so."""


class TakeOver(Command):
    """What was done under another incident counts here, as done under `via`; `source` is the other one's clock stream.

    With `split_at` this matter was split off then; without, the other one was merged into it.
    """

    source: StreamId
    via: StreamId
    split_at: datetime | None = None
    basis: tuple[str, ...] = ()


class DetectBreaches(Command):
    """Judge limits that passed before `until`: all that was recorded by then has been taken in.

    `incomplete` where a stream of the matter has stood parked too long to be waited for.
    """

    until: datetime
    incomplete: bool = False
