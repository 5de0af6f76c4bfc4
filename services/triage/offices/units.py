"""The tree of units, their posts, and revoked tokens.

Every place has a date from which it holds. So a past decision is judged by the tree of its time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

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
from services.kernel.access.rights import Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed, NotFound, Rejected
from services.triage.offices import delegations
from services.triage.offices.office_commands import (
    Delegate,
    EndDelegation,
    NameOfficer,
    PlaceUnits,
    RecordAccess,
    RevokeToken,
    SetDays,
)

TREE = f"unit-{derived('unit-tree')}"
"""The stream that holds every unit of the deployment and its posts."""
TOKENS = f"unit-{derived('revoked-tokens')}"
"""The stream of revoked staff tokens. It is separate, since tokens change no decision's `basis`."""
DAYS = f"unit-{derived('own-days')}"
"""The stream of the days on which units work otherwise than the country."""
OFFICERS = f"unit-{derived('information-officers')}"
"""The stream of the information officers of units."""
ACCESS = f"unit-{derived('access')}"
"""The stream of who can sign in for which posts, without a person. Accounts themselves are no events."""
SETTING_DAYS: Right[str] = Right("set-days", ("chief", "admin"), lambda unit, ctx: (ctx.offices.parent(unit) or unit,))
"""A unit above decides, since days move limits. The root decides for itself."""
NAMING: Right[str] = Right("name-officer", ("chief", "admin"), lambda unit, ctx: (unit,))
RECORDING: Right[str] = Right("record-access", ("admin",), lambda unit, ctx: (unit,))
REVOKING: Right[None] = Right("revoke-token", ("admin",), lambda _, ctx: (ctx.offices.root,))
PARENTS: Mapping[str, frozenset[str]] = {
    "city": frozenset(),
    "county": frozenset({"city"}),
    "town": frozenset({"county"}),
    "department": frozenset({"city", "county", "town"}),
}
"""Kind of unit -> the possible kinds of its parent."""

Places = Mapping[tuple[str, datetime], UnitPlaced]
Posts = Mapping[tuple[str, datetime], UnitPostPlaced]
P = TypeVar("P", UnitPlaced, UnitPostPlaced)


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
            return replace(state, places={**state.places, (_name(place), place.since): place})
        case UnitPostPlaced() as post:
            return replace(state, posts={**state.posts, (_name(post), post.since): post})
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
        REVOKING.require(None, ctx)
        return [] if command.token in state.revoked else [UnitTokenRevoked(token=command.token)]
    if isinstance(command, RecordAccess):
        return _record_access(command, ctx)
    if isinstance(command, NameOfficer):
        return _name_officer(state, command, ctx)
    if isinstance(command, SetDays):
        return _set_days(command, ctx)
    if isinstance(command, Delegate):
        return delegations.given(command, ctx)
    if isinstance(command, EndDelegation):
        known = state.delegations.get(command.delegation)
        if known is None:
            raise NotFound(f"there is no delegation {command.delegation}", what=command.delegation)
        return delegations.ended(known, command.delegation in state.ended, ctx)
    if not isinstance(command, PlaceUnits):
        raise TypeError(f"no rule for {type(command).__name__}")
    return placed(state, command.units, command.posts)


def _record_access(command: RecordAccess, ctx: Ctx) -> Decided:
    """Each of the posts must be of a unit over which the administrator has the right."""
    for unit in sorted({post.partition("@")[2] for post in command.posts}):
        ctx.offices.unit(unit)
        RECORDING.require(unit, ctx)
    return [Occurred(UnitAccessChanged(change=command.change, posts=command.posts), basis=ctx.offices.basis)]


def _name_officer(state: State, command: NameOfficer, ctx: Ctx) -> Decided:
    """A unit has exactly one. Naming another one replaces it."""
    ctx.offices.unit(command.unit)
    NAMING.require(command.unit, ctx)
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
    SETTING_DAYS.require(command.unit, ctx)
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


def placed(state: State, units: Iterable[UnitPlaced], posts: Iterable[UnitPostPlaced]) -> Decided:
    """The places that are new. Raises `Rejected` if they rewrite a known one, or make no tree with it."""
    new_units, new_posts = _fresh(state.places, units), _fresh(state.posts, posts)
    places = {**state.places, **new_units}
    check(places)
    check_posts({**state.posts, **new_posts}, places)
    return [*new_units.values(), *new_posts.values()]


def _name(place: UnitPlaced | UnitPostPlaced) -> str:
    return place.unit if isinstance(place, UnitPlaced) else f"{place.code}@{place.unit}"


def _fresh(known: Mapping[tuple[str, datetime], P], wanted: Iterable[P]) -> dict[tuple[str, datetime], P]:
    fresh: dict[tuple[str, datetime], P] = {}
    for place in wanted:
        name, since = _name(place), place.since
        before = known.get((name, since))
        if (name, since) in fresh:
            raise Rejected(
                f"{name} has two places since {since.isoformat()}; keep one",
                code="unit-placed-twice",
                unit=name,
                since=since,
            )
        if before is None or (before.until is None and place.until is not None and _is_same(before, place)):
            fresh[name, since] = place
        elif not _is_same(before, place):
            raise Rejected(
                f"{name} has another place since {since.isoformat()} already; "
                "write the change as a further place with a later since",
                code="unit-place-changed",
                unit=name,
                since=since,
            )
        elif before.until != place.until:
            raise Rejected(
                f"the place of {name} since {since.isoformat()} ends already; add a new place",
                code="unit-place-ended",
                unit=name,
                since=since,
            )
    return fresh


def _is_same(one: P, other: P) -> bool:
    """Whether two places are equal except for their end."""
    return one.model_copy(update={"until": other.until}) == other


def check(places: Places) -> None:
    """Raises `Rejected` if the units, now or at a later time, form no tree of allowed kinds."""
    for at in _changes(places.values()):
        tree = standing_at(places.values(), at)
        if not tree:
            raise Rejected(
                f"no unit is left at {at.isoformat()}; let one unit at least go on", code="no-unit-left", at=at
            )
        for place in tree.values():
            _check_place(place, tree, at)
        roots = sorted(place.unit for place in tree.values() if place.parent is None)
        if len(roots) > 1:
            # The root sees and decides everything.
            raise Rejected(
                f"{' and '.join(roots)} have no parent at {at.isoformat()}; a deployment has one tree with one top",
                code="several-roots",
                units=roots,
                at=at,
            )
        for place in tree.values():
            _check_ring(place, tree)


def _changes(places: Iterable[UnitPlaced | UnitPostPlaced]) -> list[datetime]:
    """Every instant at which something begins or ends, in order."""
    return sorted({at for place in places for at in (place.since, place.until) if at})


def _check_place(place: UnitPlaced, tree: Mapping[str, UnitPlaced], at: datetime) -> None:
    allowed = PARENTS[place.kind]
    if place.parent is None:
        if allowed:
            raise Rejected(
                f"{place.unit} is a {place.kind} and needs a parent: a {' or '.join(sorted(allowed))}",
                code="unit-needs-parent",
                unit=place.unit,
                known=sorted(allowed),
            )
        return
    parent = tree.get(place.parent)
    if parent is None:
        raise Rejected(
            f"{place.unit} is below {place.parent}, which is no unit at {at.isoformat()}",
            code="unit-parent-missing",
            unit=place.unit,
            parent=place.parent,
            at=at,
        )
    if parent.kind not in allowed:
        raise Rejected(
            f"{place.unit} is a {place.kind} and cannot be below {parent.unit}, a {parent.kind}",
            code="unit-parent-wrong",
            unit=place.unit,
            parent=parent.unit,
        )


def _check_ring(place: UnitPlaced, tree: Mapping[str, UnitPlaced]) -> None:
    seen: list[str] = []
    at: str | None = place.unit
    while at is not None:
        if at in seen:
            raise Rejected(
                f"units are below each other in a ring: {' below '.join((*seen, at))}",
                code="unit-in-ring",
                units=[*seen, at],
            )
        seen.append(at)
        at = tree[at].parent


def check_posts(posts: Posts, places: Places) -> None:
    """Raises `Rejected` if a post begins in no unit, a unit with posts has not exactly one head, or a body is wrong.

    A post ends with its unit. An end is checked like a begin: no body loses a member, and no unit its head.
    """
    for at in _changes((*posts.values(), *places.values())):
        tree, standing = standing_at(places.values(), at), standing_at(posts.values(), at)
        for name, post in standing.items():
            if post.since == at and post.unit not in tree:
                raise Rejected(
                    f"{name} is a post of {post.unit}, which is no unit at {at.isoformat()}",
                    code="post-without-unit",
                    post=name,
                    unit=post.unit,
                    at=at,
                )
        standing = {name: post for name, post in standing.items() if post.unit in tree}
        heads = Counter(post.unit for post in standing.values() if post.head)
        for unit in sorted({post.unit for post in standing.values()}):
            if heads[unit] != 1:
                raise Rejected(
                    f"{unit} has {heads[unit]} heads at {at.isoformat()}; mark exactly one post as head",
                    code="not-one-head",
                    unit=unit,
                    heads=heads[unit],
                    at=at,
                )
        for name, post in standing.items():
            if post.members or post.duty_post:
                _check_body(name, post, standing, at)


def _check_body(name: str, body: UnitPostPlaced, posts: Mapping[str, UnitPostPlaced], at: datetime) -> None:
    if not body.members:
        raise Rejected(
            f"{name} has a duty post and no members; only a body has a duty post",
            code="duty-post-without-body",
            post=name,
        )
    if body.roles or body.head:
        raise Rejected(
            f"{name} is a body; only its members have roles and a head",
            code="body-with-roles",
            post=name,
        )
    for member in (*body.members, *([body.duty_post] if body.duty_post else ())):
        if member not in posts or posts[member].members:
            raise Rejected(
                f"{name} names {member}, which is no post at {at.isoformat()}",
                code="member-unknown",
                post=name,
                member=member,
                at=at,
            )


def standing_at(places: Iterable[P], at: datetime) -> dict[str, P]:
    """Name -> newest place, for everything that exists at a time."""
    newest: dict[str, P] = {}
    for place in sorted(places, key=lambda place: place.since):
        if place.since <= at:
            newest[_name(place)] = place
    return {name: place for name, place in newest.items() if place.until is None or place.until > at}


DECIDER = Decider("unit", initial_state, evolve, decide)
