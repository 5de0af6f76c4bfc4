"""The rules of a duty roster, one stream for each unit: who is on duty when. Posts, never persons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from schemas.envelope import Event
from schemas.escalation import RosterDutyPlanned
from services.escalation.commands import PlanDuties
from services.escalation.rights import RIGHTS
from services.kernel.core.decider import Ctx, Decided, Decider
from services.kernel.core.ids import derived


@dataclass(frozen=True, slots=True)
class State:
    """The planned duties: (post, since) -> until."""

    planned: Mapping[tuple[str, datetime], datetime] = field(default_factory=dict)


def stream_of_unit(unit: str) -> str:
    """The roster stream of a unit."""
    return f"roster-{derived('roster', unit)}"


def initial_state() -> State:
    """Nothing is planned."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The plan after the event."""
    match event.data:
        case RosterDutyPlanned() as data:
            return State({**state.planned, (data.post, data.since): data.until})
    return state


def authorize(state: State, command: PlanDuties, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor may not plan the unit's duties, and `Malformed` if there is no such unit."""
    ctx.offices.unit(command.unit)
    RIGHTS[PlanDuties].require(command.unit, ctx)


def decide(state: State, command: PlanDuties, ctx: Ctx) -> Decided:
    """One event for each duty that is new or has another end; none for the others."""
    authorize(state, command, ctx)
    for index, duty in enumerate(command.duties):
        ctx.offices.post(duty.post, f"duties.{index}.post")
    return [
        RosterDutyPlanned(unit=command.unit, post=duty.post, since=duty.since, until=duty.until)
        for duty in dict.fromkeys(command.duties)
        if state.planned.get((duty.post, duty.since)) != duty.until
    ]


DECIDER = Decider("roster", initial_state, evolve, decide, authorize)
