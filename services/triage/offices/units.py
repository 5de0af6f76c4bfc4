"""The streams of the offices: the tree of units and its posts, days, delegations, officers, access, revoked tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from schemas.envelope import Event
from schemas.fields import Typed
from schemas.offices import (
    UnitAccessChanged,
    UnitDaysSet,
    UnitDelegationEnded,
    UnitDelegationGiven,
    UnitOfficerNamed,
    UnitPlaced,
    UnitPostPlaced,
    UnitTokenRevoked,
)
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed, NotFound
from services.triage.offices import delegations, placing
from services.triage.offices.office_commands import (
    Delegate,
    EndDelegation,
    EndPost,
    EndUnit,
    NameOfficer,
    NameSite,
    PlacePost,
    PlaceUnit,
    PlaceUnits,
    RecordAccess,
    RevokeToken,
    SetDays,
)
from services.triage.offices.tree import Places, Posts, name_of, placed
from services.triage.rights import OF_OFFICES

TREE = f"unit-{derived('unit-tree')}"
"""The stream that holds every unit of the deployment and its posts."""
TOKENS = f"unit-{derived('revoked-tokens')}"
"""The stream of revoked staff tokens. It is separate, since tokens change no decision's `basis`."""
DAYS = f"unit-{derived('own-days')}"
"""The stream of the days on which units work otherwise than the country."""
OFFICERS = f"unit-{derived('information-officers')}"
"""The stream of the information officers of units."""
SITE = f"unit-{derived('site')}"
"""The stream of the name of the deployment's pages."""
ACCESS = f"unit-{derived('access')}"
"""The stream of who can sign in for which posts, without a person. Accounts themselves are no events."""


@dataclass(frozen=True, slots=True)
class State:
    """Every past, present and future place of a unit or post, by its name and `since`."""

    places: Places = field(default_factory=dict)
    posts: Posts = field(default_factory=dict)
    revoked: frozenset[str] = frozenset()
    """For the stream of tokens: the revoked ones."""
    delegations: Mapping[str, UnitDelegationGiven] = field(default_factory=dict)
    """For the stream of delegations: each by its id."""
    ended: frozenset[str] = frozenset()
    """Those of them that were ended before their time."""
    officers: Mapping[str, str] = field(default_factory=dict)
    """For the stream of officers: unit -> post."""


def initial_state() -> State:
    """No units."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    match event.data:
        case UnitPlaced() as place:
            return replace(state, places={**state.places, (name_of(place), place.since): place})
        case UnitPostPlaced() as post:
            return replace(state, posts={**state.posts, (name_of(post), post.since): post})
        case UnitTokenRevoked(token=token):
            return replace(state, revoked=state.revoked | {token})
        case UnitDelegationGiven() as given:
            return replace(state, delegations={**state.delegations, given.delegation: given})
        case UnitOfficerNamed() as named:
            return replace(state, officers={**state.officers, named.unit: named.post})
        case UnitDelegationEnded(delegation=id_):
            return replace(state, ended=state.ended | {id_})
    return state


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The new places. A change of a unit or post is a further place with a later `since`; no place is rewritten."""
    if isinstance(command, RevokeToken):
        OF_OFFICES[RevokeToken].require(None, ctx)
        return [] if command.token in state.revoked else [UnitTokenRevoked(token=command.token)]
    if isinstance(command, RecordAccess):
        return _record_access(command, ctx)
    if isinstance(command, NameOfficer):
        return _name_officer(state, command, ctx)
    if isinstance(command, SetDays):
        return _set_days(command, ctx)
    if isinstance(command, Delegate):
        return delegations.given(command, ctx)
    if isinstance(command, PlaceUnit | EndUnit | PlacePost | EndPost):
        found_units, found_posts = placing.wanted(state.places, state.posts, command, ctx)
        basis = ctx.offices.basis
        return [Occurred(fact, basis=basis) for fact in placed(state.places, state.posts, found_units, found_posts)]
    if isinstance(command, NameSite):
        return placing.named(command, ctx)
    if isinstance(command, EndDelegation):
        known = state.delegations.get(command.delegation)
        if known is None:
            raise NotFound(f"there is no delegation {command.delegation}", what=command.delegation)
        return delegations.ended(known, command.delegation in state.ended, ctx)
    if not isinstance(command, PlaceUnits):
        raise TypeError(f"no rule for {type(command).__name__}")
    return placed(state.places, state.posts, command.units, command.posts)


def _record_access(command: RecordAccess, ctx: Ctx) -> Decided:
    """Each of the posts must be of a unit over which the administrator has the right."""
    for unit in sorted({post.partition("@")[2] for post in command.posts}):
        if command.change == "account_opened" or unit not in ctx.offices.former:
            ctx.offices.unit(unit)
        OF_OFFICES[RecordAccess].require(unit, ctx)
    return [Occurred(UnitAccessChanged(change=command.change, posts=command.posts), basis=ctx.offices.basis)]


def _name_officer(state: State, command: NameOfficer, ctx: Ctx) -> Decided:
    """A unit has exactly one. Naming another one replaces it."""
    ctx.offices.unit(command.unit)
    OF_OFFICES[NameOfficer].require(command.unit, ctx)
    post = ctx.offices.post(command.post)
    if post.members or command.post.partition("@")[2] != command.unit:
        raise Malformed(
            f"post: {command.post} is no post of {command.unit}; the officer is one post of the unit's own directory",
            code="officer-elsewhere",
            field="post",
            post=command.post,
            unit=command.unit,
        )
    if state.officers.get(command.unit) == command.post:
        return []
    return [Occurred(UnitOfficerNamed(unit=command.unit, post=command.post), basis=ctx.offices.basis)]


def _set_days(command: SetDays, ctx: Ctx) -> Decided:
    """Days that have passed stay as they were, so that no limit that was missed is met afterwards."""
    ctx.offices.unit(command.unit)
    OF_OFFICES[SetDays].require(command.unit, ctx)
    today = ctx.now.astimezone(ctx.offices.zone).date().isoformat()
    if command.since < today:
        raise Malformed(
            f"since: {command.since} has passed; set days from {today} on",
            code="day-passed",
            field="since",
            today=today,
        )
    said = UnitDaysSet(
        unit=command.unit,
        since=command.since,
        until=command.until,
        days=command.days,
        windows=command.windows,
        reason=Typed(text=command.reason),
    )
    return [Occurred(said, basis=ctx.offices.basis)]


DECIDER = Decider("unit", initial_state, evolve, decide)
