"""Events of `incident` streams on what is owed to those who ask: screening, explanations, and the outcome."""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import Code, Digest, Done, Fact, Figure, Instant, Post, StreamId, UnitCode, Words

Solution = Literal["solved", "helped", "adopted"]
"""How a request was met: at once, by help in hardship, or by adopting a suggestion."""
Unsolved = Literal["planned", "not_allowed", "not_ours"]
"""Why a request was not met: it is planned for later, the rules do not allow it, or it is no business of the office."""
RequestOutcome = Literal["solved", "helped", "adopted", "planned", "not_allowed", "not_ours"]
"""The outcome of a request."""


@event("incident.screened")
class IncidentScreened(Fact):
    """A post decided whether the matter needs a reply. If not, another post reviews this, and nothing ends before.

    `ground` is one of the pack's reasons for no reply. `report_count` is how many reports the post saw, `by` a digest
    of the person. With `report`, no report of the matter is left that gets an answer: this one was refused last, by
    `post`, and `by` counts within its stream.
    """

    needs_reply: bool
    ground: Code | None = None
    reason: Words | None = None
    report_count: Figure
    by: Digest | None = None
    report: StreamId | None = None
    post: Post | None = None


@event("incident.screening_reviewed")
class IncidentScreeningReviewed(Fact):
    """Another post reviewed the decision that the matter needs no reply.

    If it is upheld, the limits that the pack names are owed no more; a matter whose reports were all refused ends. If
    not, a reply is owed as if nobody had decided.
    """

    upheld: bool
    reason: Words
    by: Digest


@event("incident.explanation_ordered")
class IncidentExplanationOrdered(Done):
    """A leader ordered the unit concerned to explain the matter to the office, and perhaps to propose a reply.

    `post` is the one that ordered it, if it is one of those that the pack names.
    """

    unit: UnitCode
    proposed_reply: bool
    text: Words | None = None
    due: Instant | None = None
    post: Post | None = None


@event("incident.unit_explained")
class IncidentUnitExplained(Done):
    """The unit concerned explained the matter to the office. `proposed_reply` is what it proposes to reply."""

    unit: UnitCode
    text: Words
    proposed_reply: Words | None = None


@event("incident.left_unsolved")
class IncidentLeftUnsolved(Done):
    """The problem stays unsolved for now or for good. That ends its track; the explanation to the asker follows.

    `due` is the date of the plan, if it is planned. The matter is followed up then.
    """

    outcome: Unsolved
    text: Words
    due: Instant | None = None
