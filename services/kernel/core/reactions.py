"""What a reaction is: an event of another service becomes commands of this one, by a pure function."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from schemas.envelope import Event


class Reaction(NamedTuple):
    """A command that an event of another service causes, on a stream of this one.

    `ctx.seen` holds the states of the streams `beside` it, by id. To be sure that such a state is the newest, let
    another reaction to the event append to that stream.
    """

    stream: str
    command: Any
    beside: tuple[str, ...] = ()


class Known:
    """What reactions may look up; a service that needs lookups brings its own subclass.

    It is prepared once for a batch and kept up to date with the batch's own events, so that reactions stay pure.
    """

    def note(self, event: Event) -> None:
        """An event of this service was decided within the batch."""


def no_reaction(event: Event, known: Any) -> Iterable[Reaction]:
    """For services that only project."""
    return ()
