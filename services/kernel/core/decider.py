"""What a decider is and what it may know.

A decider is three pure functions over one kind of stream. Everything that it may know besides its own stream comes in
`Ctx`; it reads no clock, draws no random number and does no I/O, so that the same history decides the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from schemas.envelope import Event
from schemas.fields import Fact
from schemas.offices import Role
from services.kernel.core.ids import Ids
from services.kernel.core.units import Offices

STAFF_ROLES: tuple[str, ...] = get_args(Role)
ROLES = (*STAFF_ROLES, "integration")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a post of a unit, with roles, or an integration by its id.

    `person` never leaves memory except as a keyed digest (`Ctx.by`).
    """

    post: str
    unit: str | None = None
    roles: frozenset[str] = frozenset()
    person: str | None = None

    @property
    def is_staff(self) -> bool:
        return self.person is not None


SYSTEM = Actor("system")
"""Reactions and timers."""


@dataclass(frozen=True, slots=True)
class Occurred:
    """An event that was decided, where its attributes are not the usual ones of the context."""

    data: Fact
    time: datetime | None = None
    """When it happened; `ctx.now` where absent."""
    policy: str | None = None
    basis: tuple[str, ...] = ()
    """`stream@version` of other services' streams that the decision rests on."""
    unit: str | None = None
    """Who acted, where that is not the actor's unit."""


@dataclass(frozen=True, slots=True)
class Ctx:
    """What a decision may know besides its stream. Made by the kernel, never from a request body."""

    now: datetime
    actor: Actor
    offices: Offices
    ids: Ids
    keyed: Callable[..., str] = field(default=lambda *parts: "0" * 64)
    """Keyed digest (HMAC-SHA-256, hex) of texts. The first names its use; each use has a key of its own."""
    cause: str | None = None
    """Id of the event or request behind the command."""
    seen: Mapping[str, Any] = field(default_factory=dict)
    """What the service's views say of other services' streams, as prepared for the command."""

    def may(self, *roles: str, units: Iterable[str | None]) -> bool:
        """Whether the actor holds one of `roles` over one of `units`: a right is a role in a subtree of units."""
        return not self.actor.roles.isdisjoint(roles) and any(
            unit is not None and self.offices.within(unit, self.actor.unit) for unit in units
        )

    def by(self, stream: str) -> str:
        """Tells two persons apart within one stream, and follows nobody across streams."""
        return self.keyed("by", stream, self.actor.person or self.actor.post)


Decided = Sequence[Fact | Occurred]


def _anybody(state: Any, command: Any, ctx: Ctx) -> None:
    """For streams on which nobody from outside decides."""


def _uncounted(state: Any, number: int) -> Any:
    """For streams of which every event is read."""
    return state


@dataclass(frozen=True, slots=True)
class Decider:
    """The rules of one kind of stream."""

    kind: str
    initial_state: Callable[[], Any]
    evolve: Callable[[Any, Event], Any]
    """Total: an event that it does not know leaves the state as it is."""
    decide: Callable[[Any, Any, Ctx], Decided]
    """Raises `Rejected`, `Forbidden` or `Malformed`; an empty answer means that nothing needs to be recorded."""
    authorize: Callable[[Any, Any, Ctx], None] = _anybody
    """Raises `Forbidden` where `decide` would. Asked first, so that who has no right learns nothing of the stream."""
    counted: tuple[type[Fact], ...] = ()
    """Events of which decisions need the number alone. Those that the system decided are counted, and not read."""
    count: Callable[[Any, int], Any] = _uncounted
    """The state after so many of them; the same as `evolve` gives for each, wherever they stand among the others."""


class Moved(Exception):
    """A reaction's command reached a stream that goes on elsewhere; the kernel repeats it, or `command`, on `to`."""

    def __init__(self, to: str, command: Any = None) -> None:
        super().__init__(to)
        self.to, self.command = to, command
