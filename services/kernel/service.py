"""What a service is made of: five of these differ, the kernel that runs them is one."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event
from services.kernel.decider import Decider
from services.kernel.views import View

if TYPE_CHECKING:
    from services.kernel.runtime import Runtime


class Reaction(NamedTuple):
    """A command that an event of another service causes, on a stream of this one."""

    stream: str
    command: Any


class Known:
    """What reactions may look up; a service that needs lookups brings its own subclass.

    It is prepared once for a batch and kept up to date with the batch's own events, so that reactions stay pure.
    """

    def note(self, event: Event) -> None:
        """An event of this service was decided within the batch."""


async def nothing_known(connection: AsyncConnection, events: Sequence[Event]) -> Known:
    """For services whose reactions need no lookup."""
    return Known()


def no_reaction(event: Event, known: Any) -> Iterable[Reaction]:
    """For services that only project."""
    return ()


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of a service that the kernel joins. `app.py` of each service makes one."""

    name: str
    metadata: MetaData
    """The service's own tables; the kernel's tables come beside them."""
    deciders: Mapping[str, Decider]
    """Stream kind -> rules."""
    views: tuple[View, ...] = ()
    consumes: tuple[str, ...] = ()
    """Event topics of other services, without the prefix. The unit tree and packs are added by the kernel."""
    contents: tuple[str, ...] = ()
    """Services whose words this one needs."""
    react: Callable[[Event, Any], Iterable[Reaction]] = no_reaction
    know: Callable[[AsyncConnection, Sequence[Event]], Awaitable[Any]] = nothing_known
    apis: tuple[str, ...] = ()
    """Modules whose `router` makes the HTTP API of a runtime; imported where HTTP is served, and nowhere else."""
    loops: "tuple[Callable[[Runtime], Awaitable[None]], ...]" = ()
    """Background work of the API process, run by the one process that holds the service's lock."""
    on_start: "Callable[[Runtime], Awaitable[None]] | None" = None
    """Runs after recovery, under the service's lock. Commands may come already: it must not rely on being alone."""
    work: Any = None
    """A `UnitOfWork` subclass where the service takes in events its own way (audit)."""
    stream: str = ""
    """Module of the service's Faust application."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def topics(self) -> tuple[str, ...]:
        """Every event topic that this service reads, without the prefix, each once."""
        shared = () if self.name == "triage" else ("triage.unit", "triage.policy")
        return tuple(dict.fromkeys((*shared, *self.consumes)))

    @property
    def content_topics(self) -> tuple[str, ...]:
        """The content topics that this service reads, without the prefix."""
        return tuple(catalogue.content_topic(name) for name in self.contents)
