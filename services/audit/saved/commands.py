"""The requests for saved queries."""

from typing import Annotated

from pydantic import StrictBool, StringConstraints

from schemas.fields import Code, Post, UnitCode
from schemas.operation import Period
from services.audit.matters.listing import ClockState, State
from services.kernel.core.commands import Command, example

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class SaveQuery(
    Command, json_schema_extra=example(title="上月逾期的回应", clock_state="breached", period="last_month")
):
    """Keep a question to the list of matters under a title, for the unit of the post. It asks by codes alone."""

    title: Title
    """Its title in the unit."""
    unit: UnitCode | None = None
    """Only matters for which this unit, or one below it, is accountable."""
    post: Post | None = None
    """Only matters with an act of this post."""
    type: Code | None = None
    """Only matters with an event of this type, the full or short one."""
    level: Code | None = None
    """Only matters of this level."""
    category: Code | None = None
    """Only matters of this category."""
    state: State | None = None
    """Only matters in this state."""
    clock: Code | None = None
    """Only matters with a limit of this name."""
    clock_state: ClockState | None = None
    """Only matters with a limit, or the named one, in this state."""
    drill: StrictBool | None = None
    """Only exercises, or only real matters; by default both."""
    period: Period | None = None
    """Only matters opened in this period, which moves with the day in the unit's time zone."""


class ChangeQuery(SaveQuery):
    """Keep another question, or another title, in the place of this one."""


class DropQuery(Command, json_schema_extra=example()):
    """Keep this question no more."""
