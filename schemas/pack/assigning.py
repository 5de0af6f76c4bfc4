"""How a matter is given to the unit that handles it, and what happens if that unit gives it back."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from schemas.pack.clocks import Limit
from schemas.pack.source import Addressee, Model, Rule, Setting, Slug, Text, once


class Instruction(Rule):
    """A leader's instruction (批示) stands before the assignment.

    It is needed at these levels; None means at every level, and an empty list at none.
    """

    levels: tuple[Slug, ...] | None = None
    who: tuple[Addressee, ...] = Field(min_length=1)


class ReturnReason(Rule):
    """A reason for which a unit may give a matter back."""

    code: Slug
    title_zh: Text


class Returning(Rule):
    """How a unit gives a matter back: for one of these reasons, and within the limit from its assignment.

    After a later return, the unit above designates who handles the matter.
    """

    reasons: Annotated[tuple[ReturnReason, ...], Field(min_length=1)]
    limit: Limit

    @model_validator(mode="after")
    def _each_once(self) -> "Returning":
        once("assigning.returning.reasons", [reason.code for reason in self.reasons])
        return self


class TeamRule(Rule):
    """A team is named before the matter is handled, at these levels; None means at every level."""

    levels: tuple[Slug, ...] | None = None


class EmergencyPlan(Rule):
    """An emergency plan of the office, which somebody puts in force for a matter."""

    code: Slug
    title_zh: Text


class Assigning(Model):
    """Who leads the handling, and what happens if nobody wants to.

    If an assignment names no unit, `lead` says who leads: the unit that received the first report, or nobody before the
    desk chooses. After so many `dispatches` that all came back, the unit above designates; the usual number is three.
    """

    lead: Setting[Literal["first_receiver", "chosen"]]
    instruction: Instruction | None = None
    returning: Returning | None = None
    team: TeamRule | None = None
    dispatches: Setting[Annotated[int, Field(ge=1)]] | None = None
