"""The shape of a decider and of its context.

A decider is three pure functions over one kind of stream. It knows its own stream and `Ctx`, and nothing else. It reads
no clock, draws no random number and does no I/O. So the same history always gives the same decision.
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
ROLES = (*STAFF_ROLES, "integration", "probe")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a post of a unit with its roles, or an integration with its id.

    `person` stays in memory. Events carry only a keyed digest of it (`Ctx.by`).
    """

    post: str
    unit: str | None = None
    roles: frozenset[str] = frozenset()
    person: str | None = None

    @property
    def is_staff(self) -> bool:
        return self.person is not None


SYSTEM = Actor("system")
"""The actor of reactions and timers."""


@dataclass(frozen=True, slots=True)
class Occurred:
    """A decided event. The optional fields replace the usual attributes of the context."""

    data: Fact
    time: datetime | None = None
    """When it happened; `ctx.now` if absent."""
    policy: str | None = None
    basis: tuple[str, ...] = ()
    """`stream@version` of each stream of another service on which the decision rests."""
    unit: str | None = None
    """Who acted, if it is not the actor's unit."""


@dataclass(frozen=True, slots=True)
class Ctx:
    """All that a decision may know besides its stream. The kernel makes it, never a request body."""

    now: datetime
    actor: Actor
    offices: Offices
    ids: Ids
    keyed: Callable[..., str] = field(default=lambda *parts: "0" * 64)
    """Keyed digest (HMAC-SHA-256, hex) of texts. The first argument names the use; each use has its own key."""
    cause: str | None = None
    """Id of the event or request that caused the command."""
    seen: Mapping[str, Any] = field(default_factory=dict)
    """Facts about other services' streams, from this service's views, prepared for the command."""

    def may(self, *roles: str, units: Iterable[str | None]) -> bool:
        """Whether the actor holds one of `roles` over one of `units`. A role over a unit covers all units below it."""
        return not self.actor.roles.isdisjoint(roles) and any(
            unit is not None and self.offices.within(unit, self.actor.unit) for unit in units
        )

    def by(self, stream: str) -> str:
        """A digest that tells two persons apart within one stream.

        It differs from stream to stream, so by itself it connects no two streams.
        """
        return self.keyed("by", stream, self.actor.person or self.actor.post)


Decided = Sequence[Fact | Occurred]


def _anybody(state: Any, command: Any, ctx: Ctx) -> None:
    """For streams on which only the system decides."""


def _uncounted(state: Any, number: int) -> Any:
    """For streams whose events are all read."""
    return state


@dataclass(frozen=True, slots=True)
class Decider:
    """The rules of one kind of stream."""

    kind: str
    initial_state: Callable[[], Any]
    evolve: Callable[[Any, Event], Any]
    """Total: an event of an unknown type leaves the state as it is."""
    decide: Callable[[Any, Any, Ctx], Decided]
    """Raises `Rejected`, `Forbidden` or `Malformed`. An empty answer means that there is nothing to record."""
    authorize: Callable[[Any, Any, Ctx], None] = _anybody
    """Raises `Forbidden` where `decide` would. It runs first, so a caller without the right learns nothing of the
    stream."""
    counted: tuple[type[Fact], ...] = ()
    """Events of which decisions need only the number. Those that the system decided are counted and not read."""
    count: Callable[[Any, int], Any] = _uncounted
    """The state after that many of them. It equals the result of `evolve` for each one, wherever they stand among the
    others."""


class Moved(Exception):
    """Raised when a reaction's command meets a stream that has moved.

    The kernel repeats the command, or `command`, on `to`.
    """

    def __init__(self, to: str, command: Any = None) -> None:
        super().__init__(to)
        self.to, self.command = to, command
