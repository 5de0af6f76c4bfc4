"""The known policy packs, and since when each unit works by which: one stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.envelope import Event
from schemas.offices import PolicyPackAssigned, PolicyPackLoaded
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

    loaded: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Pack and version -> digest."""
    assigned: Mapping[str, Mapping[str, datetime]] = field(default_factory=dict)
    """Unit -> policy reference -> since when."""


def initial_state() -> State:
    """No packs."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    match event.data:
        case PolicyPackLoaded() as data:
            return replace(state, loaded={**state.loaded, (data.pack, data.version): data.digest})
        case PolicyPackAssigned() as data:
            of_unit = {**state.assigned.get(data.unit, {}), data.policy: data.since}
            return replace(state, assigned={**state.assigned, data.unit: of_unit})
    return state


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The new events.

    A unit gets each version of a pack once. Only its first pack begins before now, so that no past decision comes under
    another rule.
    """
    match command:
        case LoadPacks():
            return [
                PolicyPackLoaded(
                    pack=pack.pack, version=pack.version, digest=pack.digest, effective_from=pack.effective_from
                )
                for pack in command.packs
                if _is_new(state, pack.pack, pack.version, pack.digest)
            ]
        case AssignPack():
            ctx.offices.unit(command.unit)
            name, _, digest = command.policy.partition("#")
            pack, _, version = name.partition("@")
            if state.loaded.get((pack, version)) != digest:
                raise Rejected(
                    f"the pack {name} is not loaded; put its file into the policy folder first",
                    code="pack-not-loaded",
                    pack=name,
                )
            earlier = state.assigned.get(command.unit, {})
            if command.policy in earlier:
                return []
            since = max(command.since, ctx.now) if earlier else command.since
            return [PolicyPackAssigned(unit=command.unit, policy=command.policy, since=since)]
    raise TypeError(f"no rule for {type(command).__name__}")


def _is_new(state: State, pack: str, version: str, digest: str) -> bool:
    known = state.loaded.get((pack, version))
    if known is not None and known != digest:
        raise Rejected(
            f"{pack}@{version} was loaded with other content before; give a changed pack a new version, "
            "so that earlier decisions keep their rule",
            code="pack-changed",
            pack=f"{pack}@{version}",
        )
    return known is None


DECIDER = Decider("policy", initial_state, evolve, decide)
