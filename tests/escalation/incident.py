"""A matter as its clock stream sees it: milestones go in, and clocks result."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.envelope import Event, seal
from schemas.escalation import ClockBreached, ClockMilestoneReached
from schemas.fields import Fact
from services.escalation.commands import DetectBreaches, RecordMilestones
from services.escalation.decider import DECIDER
from services.escalation.state import State
from services.kernel.core.decider import SYSTEM, Actor, Ctx, Occurred
from services.kernel.core.ids import DerivedIds, derived
from services.kernel.core.units import Offices
from tests.kit import spec

DAY = datetime(2026, 3, 2, tzinfo=UTC)
OFFICES = spec.offices()
PACK = OFFICES.pack("city")
REPORTS = ("report_to_county", "report_to_leader_in_charge", "report_to_principal_leader")
"""The hops that a town owes for a major matter under county-default, each within an hour."""


def at(hour: float, day: int = 0) -> datetime:
    """An instant of the test's week. 0:00 UTC is 8:00 in the pack's time zone."""
    return DAY + timedelta(days=day, hours=hour)


def milestone(
    name: str, recorded: datetime, happened: datetime | None = None, event: str | None = None, **more: Any
) -> ClockMilestoneReached:
    """A milestone. By default its event has a name made of the milestone and its time."""
    id_ = event or derived("event", name, recorded.isoformat())
    return ClockMilestoneReached(
        milestone=name, happened_at=happened or recorded, recorded_at=recorded, event=id_, **more
    )


def brings(*milestones: ClockMilestoneReached) -> RecordMilestones:
    """The milestones of one event of another service."""
    return RecordMilestones(milestones=milestones)


def opened(recorded: datetime, discovered: datetime | None = None, unit: str = "town-east") -> RecordMilestones:
    """The milestones of `incident.opened`."""
    event = derived("event", "opened", recorded.isoformat())
    return brings(
        milestone("discovered", recorded, discovered or recorded, event, unit=unit),
        milestone("opened", recorded, event=event, unit=unit),
    )


def reached(name: str, recorded: datetime, happened: datetime | None = None, **more: Any) -> RecordMilestones:
    """The milestones of any other event."""
    return brings(milestone(name, recorded, happened, **more))


def graded(recorded: datetime, level: str, name: str = "graded") -> RecordMilestones:
    """The milestones of a grading."""
    return reached(name, recorded, level=level, rank=["general", "major", "extraordinary"].index(level) + 1)


@dataclass
class Incident:
    """A clock stream that decides and evolves. `did` holds the facts of the last command."""

    uuid: str = spec.UUID
    offices: Offices = OFFICES
    state: State = field(default_factory=State)
    events: list[Event] = field(default_factory=list)
    did: list[Fact] = field(default_factory=list)

    def context(self, now: datetime, actor: Actor = SYSTEM, **more: Any) -> Ctx:
        ids = DerivedIds("test", f"{self.uuid} {len(self.events)}")
        more["seen"] = {"stream": f"clock-{self.uuid}", **more.get("seen", {})}
        return Ctx(now, actor, self.offices, ids, lambda *parts: derived(*parts).replace("-", "") * 2, **more)

    def do(self, command: Any, now: datetime, actor: Actor = SYSTEM, **more: Any) -> "Incident":
        """Runs a command and keeps its facts."""
        ctx = self.context(now, actor, **more)
        self.did = []
        for item in DECIDER.decide(self.state, command, ctx):
            occurred = item if isinstance(item, Occurred) else Occurred(item)
            last = self.events[-1] if self.events else None
            event = seal(
                spec._plain(occurred.data),
                id=ctx.ids.new(""),
                source="/huiying/test/escalation",
                stream=f"clock-{self.uuid}",
                version=len(self.events) + 1,
                previous=last.digest if last else None,
                time=occurred.time or now,
                recorded=max(now, last.recorded) if last else now,
                partitionkey=f"incident-{self.uuid}",
                actor=actor.post,
                policy=occurred.policy,
            )
            self.events.append(event)
            self.did.append(event.data)
            self.state = DECIDER.evolve(self.state, event)
        return self

    def hear(self, *commands: RecordMilestones) -> "Incident":
        """Milestones that arrive in the order of their recording."""
        for command in commands:
            self.do(command, command.milestones[0].recorded_at)
        return self

    def detect(self, now: datetime, **more: Any) -> "Incident":
        """The timer's judgement."""
        return self.do(DetectBreaches(until=now, **more), now)

    def of(self, kind: type[Fact]) -> list[Any]:
        """All facts of a kind on the stream."""
        return [event.data for event in self.events if isinstance(event.data, kind)]

    def breaches(self) -> list[str]:
        """Clocks with a standing breach, in order."""
        return [name for name, clock in self.state.clocks.items() if clock.breach]

    def standing(self) -> dict[str, tuple[Any, ...]]:
        """The final state of each clock, however it came about."""
        return {
            name: (
                known.started.unit,
                known.started.since,
                known.started.due,
                known.met_at,
                known.cancelled,
                known.breach and (known.breach.due, known.breach.unit),
            )
            for name, known in self.state.clocks.items()
            if not (known.cancelled and known.breach is None)
        }

    def breach(self, clock: str) -> ClockBreached:
        """The standing breach of a clock."""
        found = self.state.clocks[clock].breach
        assert found is not None, f"{clock} is not breached"
        return found
