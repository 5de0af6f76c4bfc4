"""The record of one matter as rules read it: its events in order, with positions, and what follows from them. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from schemas import escalation as e
from schemas import triage as t
from schemas.envelope import Event, Undecodable, UnknownType
from schemas.fields import Fact
from schemas.findings import Behind, FindingKind, FindingSign
from schemas.pack import PolicyPack
from schemas.pack.clocks import ClockRule
from schemas.pack.reports import Hop
from services.audit.findings import readings
from services.kernel.core.ids import derived
from services.kernel.core.units import Offices

F = TypeVar("F", bound=Fact)


class Placed(NamedTuple):
    """An event, its data, and its position in audit's order."""

    position: int
    event: Event
    data: Any

    @property
    def order(self) -> tuple[str, str]:
        """Its place in the record, which is the same in whichever order the events were taken in."""
        return self.event.recorded_text, self.event.id

    @property
    def behind(self) -> Behind:
        """How a finding names it."""
        return Behind(event=self.event.id, position=self.position)


def placed(position: int, bytes_: bytes) -> Placed:
    """An event of the record. Data that this version cannot read is None."""
    event = Event.parse(bytes_)
    try:
        return Placed(position, event, event.data)
    except (UnknownType, Undecodable):
        return Placed(position, event, None)


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found. `anchor` tells it from other findings of its kind about the unit."""

    kind: FindingKind
    sign: FindingSign
    unit: str
    anchor: str
    rule: str
    events: tuple[Placed, ...]
    policy: str | None = None
    clock: str | None = None
    since: datetime | None = None
    due: datetime | None = None
    done_at: datetime | None = None
    count: int | None = None
    beyond: int | None = None
    incomplete: bool = False

    def stream(self, record: str) -> str:
        """The stream of the finding: the same for what is the same."""
        return f"finding-{derived('finding', record, self.kind, self.sign, self.unit, self.anchor)}"


class Breach(NamedTuple):
    """A breach that stands, with the events of its clock."""

    breached: Placed
    started: Placed | None
    met: Placed | None
    rungs: tuple[Placed, ...]

    @property
    def data(self) -> e.ClockBreached:
        data: e.ClockBreached = self.breached.data
        return data

    @property
    def name(self) -> str:
        """The pack's name of the clock, without its run."""
        return named(self.data.clock)

    @property
    def events(self) -> tuple[Placed, ...]:
        """The start, the breach, and the late act."""
        return tuple(one for one in (self.started, self.breached, self.met) if one)


@dataclass(frozen=True)
class Record:
    """The events that belong to a matter or a desk, in order of (`recordedtime`, `id`)."""

    id: str
    """The incident, or the stream of the roster or of operation."""
    events: tuple[Placed, ...]
    offices: Offices = field(default_factory=Offices)
    texts: tuple[Placed, ...] = ()
    """Statements on other matters that the same units published before, in the same order."""

    @property
    def incident(self) -> str | None:
        """The matter, unless this is a desk."""
        return self.id if self.id.startswith("incident-") else None

    @property
    def drill(self) -> bool:
        """Whether this is an exercise."""
        return any(one.event.drill for one in self.events)

    def of(self, *models: type[F]) -> Iterator[Placed]:
        """The events of these types, in order."""
        return (one for one in self.events if isinstance(one.data, models))

    def first(self, *models: type[F]) -> Placed | None:
        """The first event of these types."""
        return next(self.of(*models), None)

    @cached_property
    def opened(self) -> Placed | None:
        """The event that opened the matter."""
        return self.first(t.IncidentOpened)

    def accountable(self, at: datetime | None = None) -> str | None:
        """The unit that is accountable by what was recorded until `at`, or by all."""
        found = None
        for one in self.of(t.IncidentOpened, t.IncidentTransferred):
            if at is None or one.event.recorded <= at:
                found = one.data.unit
        return found

    def assigned(self, at: datetime | None = None) -> str | None:
        """The unit that handles the matter by what was recorded until `at`, or by all."""
        found = None
        for one in self.of(t.IncidentAssigned, t.IncidentReturned):
            if at is None or one.event.recorded <= at:
                found = one.data.unit if isinstance(one.data, t.IncidentAssigned) else None
        return found

    @cached_property
    def breaches(self) -> tuple[Breach, ...]:
        """The breaches that stand, in order."""
        standing, started, met, rungs = dict[str, Placed](), dict[str, Placed](), dict[str, Placed](), dict[str, Any]()
        for one in self.events:
            match one.data:
                case e.ClockStarted(clock=clock):
                    started[clock] = one
                case e.ClockBreached(clock=clock):
                    standing[clock] = one
                    rungs[clock] = ()
                case e.ClockBreachAnnulled(clock=clock):
                    standing.pop(clock, None)
                case e.ClockMet(clock=clock):
                    met[clock] = one
                case e.ClockReminderSent(clock=clock):
                    rungs[clock] = (*rungs.get(clock, ()), one)
        found = [
            Breach(one, started.get(clock), met.get(clock), rungs.get(clock, ())) for clock, one in standing.items()
        ]
        return tuple(sorted(found, key=lambda breach: breach.breached.order))

    @cached_property
    def annulled(self) -> Mapping[str, Placed]:
        """Id of a breach -> the event that annulled it."""
        found, last = dict[str, Placed](), dict[str, Placed]()
        for one in self.of(e.ClockBreached, e.ClockBreachAnnulled):
            if isinstance(one.data, e.ClockBreached):
                last[one.data.clock] = one
            elif one.data.clock in last:
                found[last[one.data.clock].event.id] = one
        return found

    def says(self, name: str) -> tuple[Any, str, str | None]:
        """A number from which on something counts: its value, its place, and the pack that says it, if one does."""
        ref = self.ref(None)
        pack = self.offices.packs[ref] if ref else None
        unit = self.accountable()
        return readings.of_pack(name, self.offices.effective(pack, unit) if pack and unit else pack)

    def pack(self, of: Placed | None) -> PolicyPack | None:
        """The pack by which an event was decided; without one, the pack of the matter."""
        ref = self.ref(of)
        return self.offices.packs[ref].model if ref else None

    def ref(self, of: Placed | None) -> str | None:
        """The reference of `pack`."""
        refs = (of and of.event.policy, self.opened and self.opened.data.policy)
        return next((ref for ref in refs if ref and ref in self.offices.packs), None)


def named(clock: str) -> str:
    """The pack's name of a clock, without its run."""
    return clock.partition("#")[0].removesuffix(".review")


def hop_of(pack: PolicyPack | None, name: str) -> Hop | None:
    """The hop of a report upward with this name of a clock."""
    return next((hop for rule in (pack.reports if pack else ()) for hop in rule.hops if hop.code == name), None)


def clock_of(pack: PolicyPack | None, name: str) -> ClockRule | None:
    """The pack's clock of this name."""
    return next((clock for clock in (pack.clocks if pack else ()) if clock.name == name), None)


def together(*groups: Iterable[Placed | None]) -> tuple[Placed, ...]:
    """Events of several groups, each once, in the order of the record."""
    found = {one.order: one for group in groups for one in group if one}
    return tuple(one for _, one in sorted(found.items()))


def reported(record: Record, name: str, hop: Hop | None) -> Sequence[Placed]:
    """The reports upward that were sent for a hop, by its name, in any of its runs and in any form."""
    return [
        one
        for one in record.of(e.ClockReportedUpward)
        if one.data.hop == name or (one.data.hop is None and hop is not None and one.data.addressee == hop.to)
    ]


def reported_in_run(record: Record, clock: str, hop: Hop | None) -> Sequence[Placed]:
    """Those of the reports that count for a run of the limit: a further run is owed a report of its own.

    What was sent before the first run counts for it, since its receipt would have met the limit.
    """
    sent = reported(record, named(clock), hop)
    begun = next((one for one in record.of(e.ClockStarted) if one.data.clock == clock), None)
    if begun is None or "#" not in clock:
        return sent
    return [one for one in sent if one.order > begun.order]
