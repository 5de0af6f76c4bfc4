"""What is followed of the record for the browsers of an office: which matters change. One follower for each office.

A stream carries ids of matters and nothing else. Audit puts all events in one order, so a follower leaves nothing out;
what it could not follow is a `resync`.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from services.console.calls import Calls, Down

PAUSE = 1.0
"""Seconds between two questions of a follower,"""
OFFICES = 20
"""as long as there are no more offices than this. With more of them, each is asked about less often."""
LATER = 4.0
"""Seconds after which a change is told once more: other services may take an event in a moment later than audit."""
MOST = 200
"""A listener has at most so many ids waiting; beyond them it reads everything anew."""
KEPT = 500
"""A follower keeps so many changes for browsers that come back."""
logger = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Listener:
    """A browser that listens. Of many changes in a short time it hears together."""

    calls: Calls
    waiting: set[str] = field(default_factory=set)
    said: str | None = None
    """`resync`, `down` or `ended`: what is more than single changes."""
    position: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, position: int, incidents: Iterable[str]) -> None:
        """Changes of these matters up to a position."""
        self.waiting.update(incidents)
        self.position = position
        if len(self.waiting) > MOST:
            self.waiting.clear()
            self.said = self.said or "resync"
        self.news.set()

    def say(self, word: str) -> None:
        """What makes single changes needless."""
        self.waiting.clear()
        self.said = word
        self.news.set()

    def take(self) -> list[str]:
        """The events that wait, as they are sent."""
        self.news.clear()
        found = []
        if self.said is not None:
            found.append(event(self.said, "all", self.position))
        if self.waiting:
            found.append(event("changed", ",".join(sorted(self.waiting)), self.position))
        self.said = None
        self.waiting.clear()
        return found


def event(name: str, data: str, position: int | None = None) -> str:
    """One event of a stream."""
    mark = "" if position is None else f"id: {position}\n"
    return f"event: {name}\n{mark}data: {data}\n\n"


@dataclass(slots=True, eq=False)
class Office:
    """What is followed for one office. `position` is None until audit has answered once."""

    unit: str
    listeners: set[Listener] = field(default_factory=set)
    position: int | None = None
    recent: list[tuple[int, str]] = field(default_factory=list)
    """The last changes, with the position after each."""
    since: int = 0
    """From which position on `recent` is whole."""
    again: list[tuple[float, str]] = field(default_factory=list)
    is_down: bool = False
    task: asyncio.Task[None] | None = None

    def missed(self, position: int) -> list[str] | None:
        """The matters that changed after a position; None if that is not known any more."""
        if self.position is None or not self.since <= position <= self.position:
            return None
        return [incident for at, incident in self.recent if at > position]

    def note(self, position: int, incidents: list[str], now: float) -> None:
        """Further changes, told to all listeners now and once more later."""
        self.position = position
        self.recent += [(position, incident) for incident in incidents]
        if len(self.recent) > KEPT:
            self.since = self.recent[-KEPT - 1][0]
            self.recent = [one for one in self.recent if one[0] > self.since]
        due = [incident for at, incident in self.again if at <= now]
        self.again = [one for one in self.again if one[0] > now] + [(now + LATER, incident) for incident in incidents]
        if told := {*incidents, *due}:
            for listener in self.listeners:
                listener.tell(position, told)

    def say(self, word: str) -> None:
        """A word to all listeners."""
        for listener in self.listeners:
            listener.position = self.position or 0
            listener.say(word)


class Followers:
    """The followers of a process. They exist while somebody listens."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._offices: dict[str, Office] = {}
        self._ended = False

    def join(self, unit: str, listener: Listener, last: int | None = None) -> None:
        """Begins to listen. `last` is the position of the last event that the browser got, if it comes back."""
        if self._ended:
            listener.say("ended")
            return
        office = self._offices.setdefault(unit, Office(unit))
        office.listeners.add(listener)
        missed = None if last is None else office.missed(last)
        listener.position = office.position or 0
        if office.is_down:
            listener.say("down")
        elif missed is None and office.position is not None:
            listener.say("resync")
        elif missed:
            listener.tell(listener.position, missed)
        if office.task is None:
            office.task = asyncio.create_task(self._follow(office))

    def leave(self, unit: str, listener: Listener) -> None:
        """Ends listening. Without a listener nobody asks for the office any more."""
        office = self._offices.get(unit)
        if office is None:
            return
        office.listeners.discard(listener)
        if not office.listeners:
            del self._offices[unit]
            if office.task is not None:
                office.task.cancel()

    def stop(self) -> None:
        """Ends all streams at once, for a server that ends."""
        self._ended = True
        for office in self._offices.values():
            office.say("ended")
            if office.task is not None:
                office.task.cancel()

    async def _follow(self, office: Office) -> None:
        while True:
            try:
                if await self._ask(office):
                    continue
            except Exception as error:  # noqa: BLE001  whatever it was: the browsers are told, and it goes on
                logger.warning("console.follower_failed", unit=office.unit, error=type(error).__name__)
                self._lost(office)
            await asyncio.sleep(PAUSE * max(1.0, len(self._offices) / OFFICES))

    async def _ask(self, office: Office) -> bool:
        """One question. Gives whether there is more to ask for already."""
        calls = next(iter(office.listeners)).calls
        try:
            answer = await calls.send("GET", "/audit/v1/changes", params={"after": office.position})
        except Down:
            self._lost(office)
            return False
        if not answer.ok:
            # The log is another one than before, or this post reads nothing any more.
            office.position = None
            self._lost(office)
            return False
        position, incidents = answer.body["position"], answer.body["incidents"]
        if office.position is None:
            # What came before is not known, so each browser reads what there is now.
            office.position = office.since = position
            office.recent.clear()
            office.is_down = False
            office.say("resync")
            return False
        if office.is_down:
            office.is_down = False
            office.say("resync")
        office.note(position, incidents, self._now())
        return bool(answer.body["more"])

    def _lost(self, office: Office) -> None:
        if not office.is_down:
            office.is_down = True
            office.say("down")
