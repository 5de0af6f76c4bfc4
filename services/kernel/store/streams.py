"""Streams as decisions know them, and the memory of long ones."""

from dataclasses import dataclass, field, replace
from typing import Any

from schemas.envelope import Event
from services.kernel.core.decider import Decider
from services.kernel.store.numbers import number_in

LONG = 16_384
"""A stream is remembered if decisions must read so many bytes of events, about twenty events."""
REMEMBERED = 32_000_000
"""The remembered streams of a service together have so many bytes of events, except for a single longer one."""


@dataclass(slots=True)
class Stream:
    """A stream as it was read, and as it grows within the session."""

    id: str
    decider: Decider | None
    last: Event | None = None
    correlation: str | None = None
    drill: bool = False
    number: str | None = None
    """The number by which people name it."""
    held: bool = False
    """Whether the stream waits for an operator, see `session.Held`."""
    revision: int = 0
    """How many of its events staff decided. Officers see this as the version."""
    size: int = 0
    """Bytes of the events that were read."""
    _state: Any = None
    _unfolded: list[Event] = field(default_factory=list)
    _counted: int = 0
    """Events that exist and were not read."""

    @property
    def state(self) -> Any:
        """The state is folded on demand. Most events are the last of their transaction, and nobody asks after them."""
        if self.decider is not None:
            if self._state is None:
                self._state = self.decider.initial_state()
            for event in self._unfolded:
                self._state = self.decider.evolve(self._state, event)
            self._unfolded.clear()
            if self._counted:
                self._state = self.decider.count(self._state, self._counted)
                self._counted = 0
        return self._state

    @property
    def version(self) -> int:
        return self.last.version if self.last else 0

    @property
    def digest(self) -> str | None:
        return self.last.digest if self.last else None

    def take(self, event: Event) -> None:
        """One more event."""
        self._end(event)
        self.number = number_in(event) or self.number
        self._unfolded.append(event)
        self.size += len(event.bytes)
        if event.actor != "system":
            self.revision += 1

    def read(self, events: list[Event], newest: Event | None = None) -> None:
        """Takes the events that were read, in order.

        With `newest`, the stream counts the events between them that were not read. It ends with `newest`, or with an
        event that was appended since that was read.
        """
        known = self.version
        for event in events:
            self.take(event)
        if newest and newest.version > self.version:
            self._end(newest)
        self._counted += self.version - known - len(events)

    def copy(self) -> "Stream":
        """The stream as it is now. States do not change, so both may hold the same one."""
        return replace(self, _unfolded=list(self._unfolded))

    def _end(self, event: Event) -> None:
        self.last = event
        self.correlation = event.correlation or self.correlation
        self.drill = event.drill


class Memory:
    """Long streams, each up to the event that a decision of this process rested on.

    An event names the digest of the one before it, so its own digest stands for all of them. Whoever finds the last
    remembered event in the store need read only those after it. If it is not there, its transaction failed, or the
    store is another one. Then the whole stream is read.
    """

    def __init__(self) -> None:
        self._streams: dict[str, Stream] = {}
        self._size = 0

    def recall(self, id_: str) -> Stream | None:
        """A copy of a stream that is remembered."""
        known = self._streams.get(id_)
        return known.copy() if known else None

    def keep(self, stream: Stream) -> None:
        """Remembers a long stream, and forgets those that were not used for the longest time."""
        if stream.size < LONG:
            return
        self.forget(stream.id)
        self._streams[stream.id] = stream.copy()
        self._size += stream.size
        while self._size > REMEMBERED and len(self._streams) > 1:
            self.forget(next(iter(self._streams)))

    def forget(self, id_: str) -> None:
        """Nothing of the stream is remembered any more."""
        if known := self._streams.pop(id_, None):
            self._size -= known.size
