"""The tree of units: one stream, effective-dated, so that what was decided then is judged by the tree of then."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from schemas.envelope import Event
from schemas.offices import UnitPlaced
from services.kernel.core.decider import Ctx, Decided, Decider
from services.kernel.core.ids import derived
from services.kernel.core.problems import Rejected
from services.triage.commands import Command, PlaceUnits

TREE = f"unit-{derived('unit-tree')}"
"""The stream that holds every unit of the deployment."""
PARENTS: Mapping[str, frozenset[str]] = {
    "city": frozenset(),
    "county": frozenset({"city"}),
    "town": frozenset({"county"}),
    "department": frozenset({"city", "county", "town"}),
}
"""Kind of unit -> kinds of unit that it may stand below."""

Places = Mapping[tuple[str, datetime], UnitPlaced]


@dataclass(frozen=True, slots=True)
class State:
    """Every place that a unit has, had or will have, by unit and `since`."""

    places: Places = field(default_factory=dict)


def initial_state() -> State:
    """No units."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    if isinstance(event.data, UnitPlaced):
        return replace(state, places={**state.places, (event.data.unit, event.data.since): event.data})
    return state


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The places that are new. A unit moves by a further place with a later `since`; no past place is rewritten."""
    if not isinstance(command, PlaceUnits):
        raise TypeError(f"no rule for {type(command).__name__}")
    fresh: dict[tuple[str, datetime], UnitPlaced] = {}
    for place in command.units:
        if (place.unit, place.since) in fresh:
            raise Rejected(f"{place.unit} has two places since {place.since.isoformat()}; keep one")
        known = state.places.get((place.unit, place.since))
        if known is not None and _ended(known) != _ended(place):
            raise Rejected(
                f"{place.unit} has another place since {place.since.isoformat()} already; "
                "write the change as a further place with a later since"
            )
        if known is None or (known.until is None and place.until is not None):
            fresh[place.unit, place.since] = place
        elif known.until != place.until:
            raise Rejected(f"the place of {place.unit} since {place.since.isoformat()} ends already; add a new place")
    check({**state.places, **fresh})
    return list(fresh.values())


def _ended(place: UnitPlaced) -> UnitPlaced:
    return place.model_copy(update={"until": None})


def check(places: Places) -> None:
    """Raises `Rejected` where the units are, or at some time will be, no tree of kinds that stand below each other."""
    for at in sorted({place.since for place in places.values()}):
        tree = tree_at(places.values(), at)
        for place in tree.values():
            _check_place(place, tree, at)
        for place in tree.values():
            _check_ring(place, tree)


def _check_place(place: UnitPlaced, tree: Mapping[str, UnitPlaced], at: datetime) -> None:
    allowed = PARENTS[place.kind]
    if place.parent is None:
        if allowed:
            raise Rejected(f"{place.unit} is a {place.kind} and needs a parent: a {' or '.join(sorted(allowed))}")
        return
    parent = tree.get(place.parent)
    if parent is None:
        raise Rejected(f"{place.unit} stands below {place.parent}, which is no unit at {at.isoformat()}")
    if parent.kind not in allowed:
        raise Rejected(f"{place.unit} is a {place.kind} and cannot stand below {parent.unit}, a {parent.kind}")


def _check_ring(place: UnitPlaced, tree: Mapping[str, UnitPlaced]) -> None:
    seen: list[str] = []
    at: str | None = place.unit
    while at is not None:
        if at in seen:
            raise Rejected(f"units stand below each other in a ring: {' below '.join((*seen, at))}")
        seen.append(at)
        at = tree[at].parent


def tree_at(places: Iterable[UnitPlaced], at: datetime) -> dict[str, UnitPlaced]:
    """The units that exist at a time, each at its newest place."""
    newest: dict[str, UnitPlaced] = {}
    for place in sorted(places, key=lambda place: place.since):
        if place.since <= at:
            newest[place.unit] = place
    return {unit: place for unit, place in newest.items() if place.until is None or place.until > at}


DECIDER = Decider("unit", initial_state, evolve, decide)
