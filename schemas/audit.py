"""Events of `review` and `log` streams: reviews of matters, and the order in which audit took the events."""

from schemas.catalogue import event
from schemas.fields import Digest, Fact, Figure, Instant, StreamId, UnitCode, Words


@event("review.drafted", planned=True)
class ReviewDrafted(Fact):
    """A written report on origin, spread and handling of a matter was drafted."""

    incident: StreamId
    draft: Words


@event("review.adopted", planned=True)
class ReviewAdopted(Fact):
    """The report was adopted."""

    log_size: Figure


@event("review.lesson_assigned", planned=True)
class ReviewLessonAssigned(Fact):
    """A lesson became a change with an owner and a date."""

    unit: UnitCode
    text: Words
    due: Instant


@event("log.sequenced")
class LogSequenced(Fact):
    """Audit took these events in this order; the first has position `first`. This event itself is not sequenced.

    Audit had read every topic up to the instant `complete_until`.
    """

    first: Figure
    events: tuple[Digest, ...]
    complete_until: Instant | None = None
