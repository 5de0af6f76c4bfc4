"""What is established before an answer, by whom, and when a clarification is prepared."""

from typing import Literal

from pydantic import Field

from schemas.pack.source import Addressee, Place, Rule, Slug

Answer = Literal["explanation", "reply", "facts"]
"""What may have to wait for the outcome of verification. A statement of status never waits."""


class EstablishedAbove(Rule):
    """At these levels the unit at `at`, or one above it, establishes the facts, and not the unit concerned alone."""

    levels: tuple[Slug, ...] = Field(min_length=1)
    at: Place


class Clarification(Rule):
    """A clarification is prepared beside a report upward to one of these posts and bodies."""

    beside: tuple[Addressee, ...] = Field(min_length=1)


class Verification(Rule):
    """Verification comes before an answer. Reports upward do not wait for it; they are marked unverified."""

    before: tuple[Answer, ...] = Field(min_length=1)
    above: EstablishedAbove | None = None
    clarification: Clarification | None = None
