"""Events of `log` streams: the order in which audit took the events."""

from schemas.catalogue import event
from schemas.fields import Digest, Fact, Figure, Instant


@event("log.sequenced")
class LogSequenced(Fact):
    """Audit took these events in this order; the first has position `first`. This event itself is not sequenced.

    Audit had read every topic up to the instant `complete_until`.
    """

    first: Figure
    events: tuple[Digest, ...]
    complete_until: Instant | None = None
