"""What an office must report, to whom, in which form and by when; and the decisions that go with it."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from schemas.escalation import ReportForm
from schemas.pack.clocks import Again, Limit
from schemas.pack.source import Addressee, Around, Place, Rule, Slug, Text, When

FULFILS: Mapping[str, frozenset[ReportForm]] = {
    "call": frozenset({"call", "written", "written_with_plan"}),
    "written": frozenset({"written", "written_with_plan"}),
    "written_with_plan": frozenset({"written_with_plan"}),
}
"""Form of a hop -> the forms of reports that fulfil it. A call is a first contact and fulfils no written report."""


class Hop(Rule):
    """One hop of a report. It is fulfilled by the receipt of this very addressee, and by nobody else's.

    The first hop is owed by the accountable unit, each further one by the unit that holds the report, from its receipt
    on. A hop to a unit that is not there is left out, so a town does not report to itself. `code`
    names the hop's clock. A report fulfils the hop in its form or in a form that says more; a call says least.
    """

    code: Slug
    to: Addressee
    at: Place | Around = "unit"
    form: ReportForm
    with_proposal: bool = False
    """Whether the report carries a proposed handling."""
    limit: Limit


class ReportRule(Rule):
    """An obligation to report, hop by hop. Two addressees of one step are two obligations."""

    code: Slug
    title_zh: Text
    levels: tuple[Slug, ...] | None = None
    when: When | None = None
    from_: Literal["discovered", "level_known"] = Field("discovered", alias="from")
    again: Again | None = None
    """Whether a matter that was reopened is reported anew."""
    hops: tuple[Hop, ...] = Field(min_length=1)


class Bulletin(Rule):
    """A bulletin goes to the addressee, again and again until the matter is resolved."""

    levels: tuple[Slug, ...] | None = None
    by: Place = "unit"
    """Who owes it, as the accountable unit sees it. If there is no such unit, the accountable unit does."""
    to: Addressee
    at: Place
    every: Limit


class DecisionRule(Rule):
    """A decision that is recorded with its reason: whether to report upward, or whether to meet.

    `who` may take it. It needs `together` of them, each named, to have taken part.
    """

    decides: Literal["report", "meet"]
    levels: tuple[Slug, ...] | None = None
    who: tuple[Addressee, ...] = Field(min_length=1)
    together: int = Field(1, ge=1)


class NoticePart(Rule):
    """A part of the answer to a superior's notice: check, measures, next steps."""

    code: Slug
    title_zh: Text


class Notice(Rule):
    """A superior's notice to correct something. The report back needs every part.

    Its limit comes with the notice; without one, the pack's runs from the notice.
    """

    parts: tuple[NoticePart, ...] = Field(min_length=1)
    to: Addressee
    """Who gets the report back, in the unit that gave the notice."""
    limit: Limit | None = None
