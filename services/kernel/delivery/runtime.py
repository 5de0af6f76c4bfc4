"""The parts of a service, and a running service. The five services differ; the kernel that runs them is one."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, cast

import structlog
from prometheus_client import Gauge
from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event
from schemas.fields import Fact
from services.kernel import metrics
from services.kernel.access.keys import Keys
from services.kernel.access.signatures import Signatures
from services.kernel.core.decider import SYSTEM, Actor, Ctx
from services.kernel.core.ids import Ids
from services.kernel.core.problems import Unavailable
from services.kernel.core.reactions import Known, Reaction, no_reaction
from services.kernel.core.time_source import TimeSource
from services.kernel.core.traces import Place
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.core.uuid7 import RandomIds
from services.kernel.delivery.log import EventLog, Partition
from services.kernel.delivery.tracing import Traces
from services.kernel.logging import Lasting
from services.kernel.rules.lists import load_lists
from services.kernel.settings import Settings
from services.kernel.store import offices
from services.kernel.store.database import Database
from services.kernel.store.session import Owner

OFFICES_FRESH = 1.0
"""For so many seconds nobody asks whether the unit tree and the packs changed. Own changes are seen at once."""
CHECKED = 1.0
"""Seconds between two looks at the length of the outbox and the skew of the clock."""
MAX_SKEW = 5.0

NOWHERE: Mapping[str, Place] = MappingProxyType({})

Part = TypeVar("Part")

logger = structlog.get_logger()


def _offset() -> float:
    """What the clock says beyond the time since the machine started. It changes only if the clock is set."""
    return time.time() - time.monotonic()


async def nothing_known(connection: AsyncConnection, events: Sequence[Event]) -> Known:
    """For services whose reactions need no lookup."""
    return Known()


class Timeline(NamedTuple):
    """How a service keeps every event of all services, and records their order."""

    table: Table
    order: type[Fact]
    """The event on the service's own topic that names the digests of further events, in `events`."""
    tree: Table
    """The tree of hashes over the events; see `services.kernel.tlog.tree`."""


@dataclass(frozen=True, slots=True)
class Service(Owner):
    """The parts of a service that the kernel joins. The `app.py` of each service makes one."""

    topics: tuple[str, ...] = ()
    """Event topics that this service reads, without the prefix."""
    contents: tuple[str, ...] = ()
    """Services whose words this service needs."""
    react: Callable[[Event, Any], Iterable[Reaction]] = no_reaction
    know: Callable[[AsyncConnection, Sequence[Event]], Awaitable[Any]] = nothing_known
    apis: tuple[str, ...] = ()
    """Modules whose `router` has the paths of the HTTP API. They are imported only where HTTP is served."""
    loops: tuple[Callable[["Runtime"], Awaitable[None]], ...] = ()
    """Background work of the API process. Only the leader runs it."""
    gauges: Callable[["Runtime", AsyncConnection], Awaitable[Mapping[Gauge, float]]] | None = None
    """The service's own figures for `/metrics`. What they cost must follow what is due, not what has ever been."""
    check: Callable[[Settings], object] | None = None
    """Raises `DocumentError` if a file that the settings name cannot be used. Then the process does not start."""
    on_start: Callable[["Runtime"], Awaitable[None]] | None = None
    """Runs in the leader after recovery. Commands may come already, so it must not rely on being alone."""
    work: Callable[["Runtime"], Any] | None = None
    """A `UnitOfWork` subclass for a service that takes in events in its own way (audit)."""
    stream: str = ""
    """Module of the service's Faust application."""
    forget: Callable[[Database], Awaitable[None]] | None = None
    """Removes from the file what the database still holds of erased words besides their rows."""
    timeline: Timeline | None = None
    """Set only by the service that keeps the events of all."""
    signatures: Signatures = field(default_factory=dict)
    """Kind of stream -> how its events are read that posts sign. Each is checked before it counts."""
    rebuilt: tuple[Table, ...] = ()
    """Tables besides the views that `replay` also rebuilds and compares."""

    @property
    def content_topics(self) -> tuple[str, ...]:
        """The content topics that this service reads, without the prefix."""
        return tuple(catalogue.content_topic(name) for name in self.contents)


class Runtime:
    """One service of a deployment, in one process. All domain state is in the database."""

    def __init__(
        self,
        service: Service,
        settings: Settings,
        database: Database,
        time_source: TimeSource,
        event_log: EventLog,
        secret: bytes,
    ) -> None:
        self.service, self.settings, self.database, self.time_source = service, settings, database, time_source
        self.log, self.secret, self.keys = event_log, secret, Keys(secret)
        self.tables: Mapping[str, Table] = service.metadata.tables
        self.packs: dict[str, LoadedPack] = {}
        """The packs of the record that were read so far."""
        self.lists = load_lists(settings.policies)
        if service.check is not None:
            service.check(settings)
        self.wake = asyncio.Event()
        """Set when the outbox may have rows for the relay."""
        self.changed = asyncio.Event()
        """Set when this service's own state changed. Loops that wait for work listen to it."""
        self.traces: Traces | None = None
        """The spans of this service, if a collector takes them."""
        self.failing = Lasting("store.fails", service=service.name)
        self.recovered = True
        """False in a process that is to lead, until it has compared the store with the event log."""
        self.sent: Counter[Partition] = Counter()
        """How many records the relay of this process wrote, and whether it is `sending`, when nobody can tell."""
        self.sending = False
        self.lost = ""
        """Faults of the topics: they are not the ones that this service read or wrote. Readiness shows them."""
        self.alarms: dict[str, str] = {}
        """What an operator must look into, by what it is about. Readiness shows the sentences; nothing else stops."""
        self.erased = asyncio.Event()
        """Set when words were erased from the store, and at the start, since a crash may have come before the next
        steps."""
        self.erased.set()
        self._parts: dict[Callable[[Runtime], Any], Any] = {}
        self._offices: offices.Snapshot | None = None
        self._offices_changes = 0
        self.changes = 0
        """Counts what this process changed: committed events, and what it knows of the offices."""
        self._offices_until = 0.0
        self._checked = self._clock_checked = -CHECKED
        self._clock_offset = 0.0
        self._unavailable: Unavailable | None = None

    def part(self, make: Callable[["Runtime"], Part]) -> Part:
        """What `make` made of this runtime at the first call: state of the service in this process."""
        if make not in self._parts:
            self._parts[make] = make(self)
        return cast("Part", self._parts[make])

    async def offices(self, connection: AsyncConnection, *, now: bool = False) -> Offices:
        """Units and packs as they are now; without `now`, as they were a moment ago in another process."""
        known, at, metadata = self._offices, self.time_source.now(), self.service.metadata
        fresh = known is not None and not now and time.monotonic() <= self._offices_until
        if known is None or not known.holds(known.mark if fresh else await offices.mark(connection, metadata), at):
            changes, fresh = self._offices_changes, False
            known = await offices.snapshot(connection, metadata, self.packs, at, self.lists)
            # It may lack what this process recorded while it was read. So it counts for this decision alone.
            self._offices = known if changes == self._offices_changes else None
        if not fresh:
            self._offices_until = time.monotonic() + OFFICES_FRESH
        return known.offices

    async def context(
        self, connection: AsyncConnection, actor: Actor = SYSTEM, cause: str | None = None, ids: Ids | None = None
    ) -> Ctx:
        """The context of a decision, read in the decision's own transaction."""
        return Ctx(
            now=self.time_source.now(),
            actor=actor,
            offices=await self.offices(connection),
            ids=ids or RandomIds(),
            keyed=self.keys.digest,
            cause=cause,
        )

    def appended(self, events: Sequence[Event], began: int, takes: Mapping[str, Place] = NOWHERE) -> None:
        """Tells the relay and the loops that this process committed events, in a session that `began` then.

        `takes` is where the takings of events stand that caused some of them.
        """
        if not events:
            return
        self.changes += 1
        if self.traces is not None:
            self.traces.recorded(events, began, takes)
        if any(offices.changes(event) for event in events):
            self.offices_changed()
        self.noted(events)
        for type_, count in Counter(event.type for event in events).items():
            metrics.APPENDED.labels(self.service.name, type_).inc(count)
        self.wake.set()
        self.changed.set()

    def noted(self, events: Iterable[Event]) -> None:
        """Called when events of any service were committed. Checks whether words were erased with them."""
        if any(catalogue.is_erasure(event.type) for event in events):
            self.erased.set()

    def offices_changed(self) -> None:
        """Called when events of the unit tree or the packs were committed or taken in."""
        self._offices, self._offices_changes = None, self._offices_changes + 1
        self.changes += 1

    async def ready_to_decide(self) -> None:
        """Raises `Unavailable` before recovery, and while the outbox is full or this machine's clock is wrong."""
        self.must_have_recovered()
        if time.monotonic() - self._checked > CHECKED or self._has_jumped():
            self._checked = time.monotonic()
            self._unavailable = await self._look()
        if self._unavailable:
            raise self._unavailable

    async def ready_to_serve(self) -> None:
        """Raises `Unavailable` where `ready_to_decide` does, after a loss of topics, and until the units are known."""
        await self.ready_to_decide()
        if self.lost:
            raise Unavailable(self.lost, 30, code="topics-lost", service=self.service.name)
        async with self.database.read() as connection:
            (await self.offices(connection)).known()

    def must_have_recovered(self) -> None:
        if not self.recovered:
            raise Unavailable(
                f"{self.service.name} first compares its record with the event log. This process decides nothing "
                "before that, or while another process leads. Nothing of the request was kept. Try again",
                5,
                code="recovering",
                service=self.service.name,
            )

    async def clock_must_be_right(self) -> None:
        """Raises `Unavailable` while this machine's clock is wrong: what is recorded would have the wrong time."""
        if time.monotonic() - self._clock_checked <= CHECKED and not self._has_jumped():
            return
        offset = _offset()
        skew = await self.skew()
        if abs(skew) > MAX_SKEW:
            raise Unavailable(
                f"this machine's clock is {skew:.0f} s off the database's; set it right",
                30,
                code="clock-skewed",
                seconds=round(skew),
            )
        self._clock_checked, self._clock_offset = time.monotonic(), offset

    def _has_jumped(self) -> bool:
        """Whether this machine's clock was set since it was found right. While it is wrong, each act looks again."""
        return abs(_offset() - self._clock_offset) > MAX_SKEW

    async def skew(self) -> float:
        """How many seconds the database's clock is before this machine's."""
        before = datetime.now(UTC)
        theirs = await self.database.now()
        # The answer may have been waited for: it is of some moment in between.
        return (theirs - min(max(theirs, before), datetime.now(UTC))).total_seconds()

    async def _look(self) -> Unavailable | None:
        try:
            await self.clock_must_be_right()
        except Unavailable as problem:
            return problem
        outbox = self.tables["outbox"]
        async with self.database.read() as connection:
            first, last = (await connection.execute(select(func.min(outbox.c.seq), func.max(outbox.c.seq)))).one()
        waiting = 0 if first is None else last - first + 1
        metrics.OUTBOX.labels(self.service.name).set(waiting)
        if waiting > self.settings.outbox_limit:
            return Unavailable(
                f"{waiting} events wait for the event log, more than {self.settings.outbox_limit}; "
                "nothing of the request was kept. Try again when the log is back",
                10,
                code="log-behind",
                waiting=waiting,
                limit=self.settings.outbox_limit,
            )
        return None
