"""Reactions: pure functions that turn an event of another service into commands of this one."""

from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

from schemas.envelope import Event


class Reaction(NamedTuple):
    """A command on a stream of this service, caused by an event of another one.

    `ctx.seen` holds the states of the streams `beside` it, by id. Such a state is surely the newest only if another
    reaction to the same event appends to that stream.
    """

    stream: str
    command: Any
    beside: tuple[str, ...] = ()
    numbered: str | None = None
    """The unit whose next number the record takes if the command opens one."""


class Known:
    """What reactions may look up. A service that needs lookups brings its own subclass.

    The kernel prepares it once for a batch. The batch's own events keep it up to date, so reactions stay pure.
    """

    learns: ClassVar[bool] = False
    """Whether `note` changes what reactions look up. Then each event's reactions are asked for anew at its turn."""

    def note(self, event: Event) -> None:
        """Called for each event that this service decided within the batch."""


def no_reaction(event: Event, known: Any) -> Iterable[Reaction]:
    """For services that only keep views."""
    return ()
