"""The rules of a drill's stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas import drills as d
from schemas.envelope import Event
from schemas.fields import Typed
from schemas.scenario import ABOVE
from services.audit.drills import score
from services.audit.drills.commands import BeginDrill, EndDrill, JudgeDrill, NoteInject
from services.audit.drills.rights import RIGHTS, Drilled
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.rules.documents import DocumentError
from services.kernel.rules.scenarios import LoadedScenario, parse_scenario


@dataclass(frozen=True, slots=True)
class State:
    """A drill so far; without `begun`, there is none yet."""

    begun: d.DrillBegun | None = None
    began: datetime | None = None
    sent: Mapping[str, datetime] = field(default_factory=dict)
    """Inject -> when it was noted, also if it could not be delivered."""
    delivered: Mapping[str, str | None] = field(default_factory=dict)
    """Inject that was delivered -> the matter that it was on."""
    ended: datetime | None = None

    @property
    def unit(self) -> str | None:
        """The unit that answers for the words of the stream."""
        return self.begun.unit if self.begun else None

    @property
    def places(self) -> Mapping[str, str]:
        """Part -> the unit that rehearses it."""
        return {one.part: one.unit for one in self.begun.places} if self.begun else {}


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    match event.data:
        case d.DrillBegun() as data:
            return State(data, event.recorded)
        case d.DrillInjectSent(inject=inject) as data:
            delivered = {**state.delivered, inject: data.matter} if data.delivered else state.delivered
            return replace(state, sent={**state.sent, inject: event.recorded}, delivered=delivered)
        case d.DrillEnded():
            return replace(state, ended=event.recorded)
    return state


def rehearsal(state: State) -> score.Rehearsal:
    """What a score looks at. The drill has ended."""
    assert state.begun is not None and state.ended is not None
    scenario = parse_scenario(state.begun.canonical).model
    sent = {inject: at for inject, at in state.sent.items() if inject in state.delivered}
    matters = {inject: matter for inject, matter in state.delivered.items() if matter is not None}
    return score.Rehearsal(scenario, state.begun.speed, state.places, sent, matters, state.ended)


def drilled(state: State) -> Drilled:
    """What the table of rights looks at."""
    assert state.begun is not None, "a stream without a drill is refused before"
    return Drilled(state.begun.unit, state.ended is not None)


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command."""
    RIGHTS[type(command)].require(_subject(state, command), ctx)


def _subject(state: State, command: Command) -> Drilled:
    return Drilled(command.unit) if isinstance(command, BeginDrill) else drilled(state)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The events of a command.

    For a score, `ctx.seen` holds `events`, those of the drill's matters, and `size`. For a beginning it holds `busy`:
    office that rehearses just now -> its drill.
    """
    authorize(state, command, ctx)
    RIGHTS[type(command)].refuse(_subject(state, command), ctx)
    match command:
        case BeginDrill():
            return [_begun(command, ctx)]
        case NoteInject():
            return [_sent(state, command)]
        case EndDrill():
            return [d.DrillEnded(cause=command.cause, reason=Typed(text=command.reason) if command.reason else None)]
        case JudgeDrill():
            found = score.score(rehearsal(state), ctx.seen["events"])
            return [d.DrillScored(size=ctx.seen["size"], marks=found.marks, posts=found.posts)]
    raise TypeError(f"a drill knows no {type(command).__name__}")


def _begun(command: BeginDrill, ctx: Ctx) -> d.DrillBegun:
    scenario = parsed(command.scenario)
    ctx.offices.unit(command.unit)
    parts, named = scenario.model.parts, set(command.places)
    if not ({*parts} - {ABOVE} <= named <= {*parts}):
        raise Malformed(
            f"places: name the unit of each part, {', '.join(scenario.model.parts)}, and no other; only {ABOVE} may be "
            "missing",
            code="parts-differ",
            field="places",
            parts=list(scenario.model.parts),
        )
    for code in command.places.values():
        ctx.offices.unit(code, "places")
        if not ctx.offices.drills(code) or not ctx.offices.within(code, command.unit):
            raise Malformed(
                f"places: {code} is no office for exercises of {command.unit}; name one, or place one below it",
                code="not-for-exercises",
                field="places",
                unit=code,
                of=command.unit,
            )
        if (other := ctx.seen.get("busy", {}).get(code)) is not None:
            raise Rejected(
                f"{code} rehearses in {other} already; end that one first, so that no act counts for two drills",
                code="office-rehearses",
                unit=code,
                other=other,
            )
    return d.DrillBegun(
        unit=command.unit,
        scenario=scenario.model.id,
        digest=scenario.digest,
        canonical=scenario.canonical,
        seed=command.seed,
        speed=command.speed,
        places=tuple(
            d.DrillPlace(part=part, unit=command.places[part]) for part in scenario.model.parts if part in named
        ),
    )


def parsed(text: str) -> LoadedScenario:
    """The scenario of a text. Raises `Malformed` with each fault."""
    try:
        return parse_scenario(text, "scenario")
    except DocumentError as error:
        faults = [fault._asdict() for fault in error.faults]
        raise Malformed(str(error), code="scenario-unusable", field="scenario", faults=faults) from None


def _sent(state: State, command: NoteInject) -> d.DrillInjectSent:
    assert state.begun is not None
    known = [one.code for one in parse_scenario(state.begun.canonical).model.injects]
    if command.inject not in known:
        raise Malformed(
            f"inject: the scenario has no {command.inject}; it has {', '.join(known)}",
            code="inject-unknown",
            field="inject",
            inject=command.inject,
            known=known,
        )
    if command.inject in state.sent:
        raise Rejected(f"{command.inject} was sent already", code="inject-sent", inject=command.inject)
    return d.DrillInjectSent(
        inject=command.inject, report=command.report, matter=command.incident, delivered=command.delivered
    )


DECIDER = Decider("drill", State, evolve, decide, authorize)
