"""The known policy packs, and since when each unit works by which: one stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.envelope import Event
from schemas.offices import PolicyPackAssigned, PolicyPackLoaded
from services.kernel.access.rights import Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider
from services.kernel.core.ids import derived
from services.kernel.core.problems import Rejected
from services.triage.commands import AssignPack, LoadPacks

POLICIES = f"policy-{derived('policy-packs')}"
"""The stream that holds the packs of the deployment."""


@dataclass(frozen=True, slots=True)
class State:
    """The packs that were loaded and assigned."""

    loaded: Mapping[str, str] = field(default_factory=dict)
    """`pack@version` -> digest."""
    assigned: Mapping[str, tuple[PolicyPackAssigned, ...]] = field(default_factory=dict)
    """Unit -> its packs, in the order in which they were assigned."""

    def standing(self, unit: str, at: datetime) -> str | None:
        """The unit's own pack at a time."""
        begun = [one for one in self.assigned.get(unit, ()) if one.since <= at]
        return max(begun, key=lambda one: one.since).policy if begun else None


def initial_state() -> State:
    """No packs."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    match event.data:
        case PolicyPackLoaded() as data:
            return replace(state, loaded={**state.loaded, f"{data.pack}@{data.version}": data.digest})
        case PolicyPackAssigned() as data:
            of_unit = (*state.assigned.get(data.unit, ()), data)
            return replace(state, assigned={**state.assigned, data.unit: of_unit})
    return state


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command. The first start needs no right."""
    if ctx.actor.is_staff:
        RIGHTS[type(command)].require(command, ctx)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The new events.

    Only a unit's first pack begins before now, so that no past decision comes under another rule.
    """
    authorize(state, command, ctx)
    match command:
        case LoadPacks():
            return [
                PolicyPackLoaded(**pack.model_dump())
                for pack in command.packs
                if _is_new(state, f"{pack.pack}@{pack.version}", pack.digest)
            ]
        case AssignPack():
            return _assign(state, command, ctx)
    raise TypeError(f"no rule for {type(command).__name__}")


def _is_new(state: State, pack: str, digest: str) -> bool:
    known = state.loaded.get(pack)
    if known is not None and known != digest:
        raise Rejected(
            f"{pack} was loaded with other content before; give a changed pack a new version, "
            "so that earlier decisions keep their rule",
            code="pack-changed",
            pack=pack,
        )
    return known is None


def _assign(state: State, command: AssignPack, ctx: Ctx) -> Decided:
    ctx.offices.unit(command.unit)
    digest = state.loaded.get(command.pack)
    if digest is None:
        known = sorted(state.loaded)
        raise Rejected(
            f"the pack {command.pack} is not loaded; load it first. Loaded are {', '.join(known) or 'none'}",
            code="pack-not-loaded",
            pack=command.pack,
            known=known,
        )
    since = command.since or ctx.now
    if state.assigned.get(command.unit):
        since = max(since, ctx.now)
    ref = f"{command.pack}#{digest}"
    if state.standing(command.unit, since) == ref:
        raise Rejected(
            f"{command.unit} works by {command.pack} already; name another pack",
            code="pack-assigned",
            unit=command.unit,
            pack=command.pack,
        )
    return [PolicyPackAssigned(unit=command.unit, policy=ref, since=since)]


def _above(command: AssignPack, ctx: Ctx) -> tuple[str, ...]:
    return (ctx.offices.parent(command.unit) or command.unit,)


RIGHTS: Mapping[type[Command], Right[Command]] = {
    LoadPacks: Right("load-pack", ("chief", "admin"), lambda _, ctx: (ctx.offices.root,)),
    AssignPack: Right("assign-pack", ("chief", "admin"), _above),  # type: ignore[arg-type]
}
"""A unit does not choose its own rules: the unit above assigns them. The root has nobody above it."""

DECIDER = Decider("policy", initial_state, evolve, decide, authorize)
