"""How grave a matter is, who leads, and the kinds of answer."""

from typing import Literal

from pydantic import Field

from schemas.pack.clocks import Limit
from schemas.pack.source import Addressee, PackId, Place, Rule, Slug, Text, When
from schemas.triage import AnswerKind


class Flag(Rule):
    """A subject that a grader may set on a matter, with a reason."""

    code: Slug
    title_zh: Text


class HarmStep(Rule):
    """A step of the scale of harm to the public. Harm to anyone's image is no harm."""

    value: int = Field(ge=0)
    title_zh: Text


class Period(Rule):
    """A special period that an office may open and close."""

    code: Slug
    title_zh: Text


class Condition(Rule):
    """A condition that proposes a level. The name of the rule that fired is `<level>/<code>`."""

    code: Slug
    when: When


class Lead(Rule):
    """Who leads at a level. The accountable unit stays the same in every case.

    `own`: the accountable unit itself. `taken`: the unit at `at` takes the lead. `asked`: it leads once it was asked
    and has accepted.
    """

    who: Addressee
    at: Place = "unit"
    how: Literal["own", "taken", "asked"] = "own"
    title_zh: Text


class Level(Rule):
    """A grade of severity. It is proposed if any of its conditions holds; a person decides."""

    code: Slug
    rank: int = Field(ge=1)
    title_zh: Text
    conditions: tuple[Condition, ...] = ()
    leads: Lead | None = None


class Ungraded(Rule):
    """What a matter owes until somebody grades it. Without this rule, it owes only what no level is needed for."""

    owes: Literal["lowest"] = "lowest"


class Growth(Rule):
    """A matter of `levels` that grows, or does not end within the limit, follows what the level `follows` owes.

    It grows if the pack proposes a higher level. Its level itself changes only by a grading.
    """

    levels: tuple[Slug, ...] = Field(min_length=1)
    follows: Slug
    unless_ended: Limit


class LevelMap(Rule):
    """The levels of another pack in terms of this one, for matters that come from there."""

    pack: PackId
    levels: dict[Slug, Slug] = Field(min_length=1)
    """Level of the other pack -> level of this pack."""


class AnswerRule(Rule):
    """A kind of answer: what the office does, and at which levels it may be chosen; None for all."""

    kind: AnswerKind
    title_zh: Text
    office_does_zh: Text
    levels: tuple[Slug, ...] | None = None
