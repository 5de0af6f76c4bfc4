"""Events of `review` streams: what an office makes of a matter that is over or steady. Each matter has one.

A review is about what the office did. It names units, posts and bodies, never a person.
"""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import Digest, Fact, Figure, Instant, Post, StreamId, UnitCode, Words
from schemas.findings import Behind

ReviewCause = Literal["steady", "over"]
"""Why it is time for a review: the handling is completed, or the office ended its work."""
ReviewConclusion = Literal["effective", "partly_effective", "not_effective"]
"""What an evaluation says of the handling."""
LessonKind = Literal["pack", "policy", "service"]
"""What a lesson changes: the rules as data, another rule or practice of the office, or a service to the public."""


@event("review.drafted")
class ReviewDrafted(Fact):
    """A matter was over or steady (`of`), and a draft of its review stands from now on.

    The draft is computed from the first `log_size` positions of the record, so it holds no word that anybody typed.
    `unit` is accountable. The texts of a review are numbered as `edition`, drafts too; `round` is the matter's.
    """

    incident: StreamId
    unit: UnitCode
    cause: ReviewCause
    of: Behind
    round: Figure = 1
    edition: Figure
    log_size: Figure


@event("review.edited")
class ReviewEdited(Fact):
    """The text of the review was written anew, as a whole. Its tables and charts show the first `log_size` positions.

    `english` is the same text in English, where the office wrote one. `by` is a keyed digest of stream and person.
    """

    edition: Figure
    text: Words
    english: Words | None = None
    log_size: Figure
    by: Digest


@event("review.adopted")
class ReviewAdopted(Fact):
    """The leader, or the leading group, adopted this edition. What is sent and filed is this text."""

    edition: Figure
    log_size: Figure
    by: Digest


@event("review.evaluation_convened")
class ReviewEvaluationConvened(Fact):
    """Bodies and posts were called together to evaluate the handling, with the departments `units`.

    `experts` names functions or institutions, never a person.
    """

    evaluation: Figure
    members: tuple[Post, ...]
    units: tuple[UnitCode, ...] = ()
    experts: Words | None = None
    at: Instant


@event("review.evaluated")
class ReviewEvaluated(Fact):
    """They evaluated the handling: a judgement in words, and a conclusion. `took_part` are posts and bodies."""

    evaluation: Figure
    conclusion: ReviewConclusion
    judgement: Words
    took_part: tuple[Post, ...]


@event("review.lesson_assigned")
class ReviewLessonAssigned(Fact):
    """A lesson became a change with an owner and a date. Lessons count from 1 in each review.

    `numbered` is the number of the proposal to change the pack (`policy.lesson_recorded`). What becomes of that settles
    a lesson of this kind.
    """

    lesson: Figure
    kind: LessonKind
    unit: UnitCode
    post: Post
    text: Words
    due: Instant
    numbered: Figure | None = None


@event("review.lesson_followed_up")
class ReviewLessonFollowedUp(Fact):
    """Somebody looked at how far the change is."""

    lesson: Figure
    text: Words


@event("review.lesson_done")
class ReviewLessonDone(Fact):
    """The change was made: `text` says what is different now."""

    lesson: Figure
    text: Words


@event("review.lesson_dropped")
class ReviewLessonDropped(Fact):
    """The change is not made, for a reason."""

    lesson: Figure
    reason: Words
