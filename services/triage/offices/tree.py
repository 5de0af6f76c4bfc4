"""The tree of units and their directories, by time: what makes a tree and what makes a directory. Pure.

Every place has a date from which it holds. So a past decision is judged by the tree of its time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from schemas.offices import UnitPlaced, UnitPostPlaced
from services.kernel.core.problems import Rejected

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


def name_of(place: UnitPlaced | UnitPostPlaced) -> str:
    """The unit's code, or the post as `code@unit`."""
    return place.unit if isinstance(place, UnitPlaced) else f"{place.code}@{place.unit}"


def standing_at(places: Iterable[P], at: datetime) -> dict[str, P]:
    """Name -> newest place, for everything that exists at a time."""
    newest: dict[str, P] = {}
    for place in sorted(places, key=lambda place: place.since):
        if place.since <= at:
            newest[name_of(place)] = place
    return {name: place for name, place in newest.items() if place.until is None or place.until > at}


def placed(
    places: Places, posts: Posts, units: Iterable[UnitPlaced], directory: Iterable[UnitPostPlaced]
) -> list[UnitPlaced | UnitPostPlaced]:
    """The places that are new. Raises `Rejected` if they rewrite a known one, or make no tree with it.

    A known place that has ended stays so, if the same place is wanted without an end.
    """
    new_units, new_posts = _fresh(places, units), _fresh(posts, directory)
    after = {**places, **new_units}
    check(after)
    check_posts({**posts, **new_posts}, after)
    return [*new_units.values(), *new_posts.values()]


def _fresh(known: Mapping[tuple[str, datetime], P], wanted: Iterable[P]) -> dict[tuple[str, datetime], P]:
    fresh: dict[tuple[str, datetime], P] = {}
    for place in wanted:
        name, since = name_of(place), place.since
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
        elif place.until is not None and before.until != place.until:
            raise Rejected(
                f"the place of {name} since {since.isoformat()} ends already; add a new place",
                code="unit-place-ended",
                unit=name,
                since=since,
            )
    return fresh


def _is_same(one: P, other: P) -> bool:
    """Whether two places are equal except for their end and the reasons that people gave."""
    return one.model_copy(update={"until": other.until, "reason": other.reason}) == other


def check(places: Places) -> None:
    """Raises `Rejected` if the units, now or at a later time, form no tree of allowed kinds."""
    for at in changes(places.values()):
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


def changes(places: Iterable[UnitPlaced | UnitPostPlaced]) -> list[datetime]:
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
    if parent.drill and not place.drill:
        raise Rejected(
            f"{place.unit} would be below {parent.unit}, which is for exercises; place it below a real office",
            code="unit-below-exercises",
            unit=place.unit,
            parent=parent.unit,
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
    for at in changes((*posts.values(), *places.values())):
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
                f"{name} names {member}, which is no post at {at.isoformat()}; let it name posts that go on",
                code="member-unknown",
                post=name,
                member=member,
                at=at,
            )
