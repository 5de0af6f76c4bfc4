"""Changes of the tree of units and of the directories, as people ask for them in words. Pure.

A change is a further place with a later `since`, and an end gives the last place its `until`. Nothing begins or ends
before now, so that a past decision is judged by the tree of its time.
"""

from collections.abc import Sequence
from datetime import datetime

from schemas.fields import Typed
from schemas.offices import UnitPlaced, UnitPostPlaced, UnitSiteNamed
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.triage.offices.office_commands import EndPost, EndUnit, NameSite, PlacePost, PlaceUnit
from services.triage.offices.tree import P, Places, Posts, changes, name_of, standing_at
from services.triage.rights import OF_OFFICES

Wanted = tuple[Sequence[UnitPlaced], Sequence[UnitPostPlaced]]
NAMED = 5
"""So many open matters a refusal names."""


def wanted(places: Places, posts: Posts, command: PlaceUnit | EndUnit | PlacePost | EndPost, ctx: Ctx) -> Wanted:
    """The places that a command asks for. Whether they make a tree is judged with all others."""
    match command:
        case PlaceUnit():
            return _unit(places, posts, command, ctx)
        case EndUnit():
            return [_unit_ended(places, command, ctx)], ()
        case PlacePost():
            found = _post(posts, command, ctx)
        case EndPost():
            found = [_post_ended(posts, command, ctx)]
    _must_keep_an_administrator(posts, found, ctx)
    return (), found


def _must_keep_an_administrator(posts: Posts, found: Sequence[UnitPostPlaced], ctx: Ctx) -> None:
    """Raises `Rejected` if the root has an administrator and would have none, now or at a later time."""
    root, after = ctx.offices.root, {**posts, **{(name_of(post), post.since): post for post in found}}
    times = [ctx.now, *(at for at in changes(after.values()) if at > ctx.now)]
    gone = next((at for at in times if not _administered(root, after, at) and _administered(root, posts, at)), None)
    if gone:
        raise Rejected(
            f"{root} would have no administrator from {gone.isoformat()} on, and nobody could name one; "
            f"give another post of {root} the role admin first",
            code="admin-needed",
            unit=root,
            at=gone,
        )


def _administered(unit: str, posts: Posts, at: datetime) -> bool:
    return any(post.unit == unit and "admin" in post.roles for post in standing_at(posts.values(), at).values())


def named(command: NameSite, ctx: Ctx) -> Decided:
    """The name of the pages; nothing if they have it."""
    OF_OFFICES[NameSite].require(None, ctx)
    if command.name == ctx.offices.site_name:
        return []
    return [Occurred(UnitSiteNamed(name=command.name, reason=Typed(text=command.reason)), basis=ctx.offices.basis)]


def _unit(places: Places, posts: Posts, command: PlaceUnit, ctx: Ctx) -> Wanted:
    """The administrator has the right over the unit above, as it is and as it is to be."""
    since, code = _begin(command.since, ctx), command.unit
    tree = standing_at(places.values(), since)
    before = tree.get(code)
    above = [command.parent or ctx.offices.root, *([before.parent or ctx.offices.root] if before else [])]
    for unit in dict.fromkeys(above):
        OF_OFFICES[PlaceUnit].require(ctx.offices.unit(unit, "parent").code, ctx)
    if before is None and any(unit == code for unit, _ in places):
        raise Rejected(
            f"{code} was a unit before; give the new one another code, so that the two are told apart",
            code="unit-code-used",
            unit=code,
        )
    if before and (command.posts_of or command.drill not in (None, before.drill)):
        raise Rejected(
            f"{code} is there already; change its posts one by one, and leave it what it is",
            code="unit-there",
            unit=code,
        )
    above_drills = bool(command.parent and command.parent in tree and tree[command.parent].drill)
    place = UnitPlaced(
        unit=code,
        kind=command.kind,
        name=command.name,
        parent=command.parent,
        drill=before.drill if before else bool(command.drill) or above_drills,
        since=since,
        until=before.until if before else None,
        reason=Typed(text=command.reason),
    )
    return [place], _like(posts, command.posts_of, code, since, ctx) if command.posts_of else ()


def _like(posts: Posts, other: str, unit: str, since: datetime, ctx: Ctx) -> list[UnitPostPlaced]:
    """The posts of another unit, for a new one. Of a body, the members of that unit alone."""
    ctx.offices.unit(other, "posts_of")
    found = []
    for post in standing_at(posts.values(), since).values():
        if post.unit != other:
            continue
        members = tuple(_moved(one, unit) for one in post.members if one.endswith(f"@{other}"))
        if post.members and not members:
            continue
        duty = _moved(post.duty_post, unit) if post.duty_post and post.duty_post.endswith(f"@{other}") else None
        fresh = {"unit": unit, "members": members, "duty_post": duty, "since": since, "until": None, "reason": None}
        found.append(post.model_copy(update=fresh))
    return found


def _moved(post: str, unit: str) -> str:
    return f"{post.partition('@')[0]}@{unit}"


def _unit_ended(places: Places, command: EndUnit, ctx: Ctx) -> UnitPlaced:
    """`ctx.seen["open"]` are the numbers of matters in which the unit has something to do.

    It ends now, since nobody knows what it has to do later. An office for exercises ends with its matters.
    """
    code = command.unit
    ctx.offices.unit(code)
    OF_OFFICES[EndUnit].require(code, ctx)
    tree = standing_at(places.values(), ctx.now)
    _must_not_change_later(places, code, ctx)
    if below := sorted(one.unit for one in tree.values() if one.parent == code):
        raise Rejected(
            f"{', '.join(below)} are below {code}; end them first, or place them below another unit",
            code="unit-has-units",
            unit=code,
            units=below,
        )
    if (matters := list(ctx.seen["open"])) and not tree[code].drill:
        raise Rejected(
            f"{code} has open matters, {', '.join(matters[:NAMED])} first; transfer them to another unit or close "
            "them, and finish what it was asked to verify, to help with or to correct",
            code="unit-has-matters",
            unit=code,
            known=matters[:NAMED],
        )
    return _ended(tree[code], ctx.now, command.reason, ctx)


def _must_not_change_later(places: Places | Posts, name: str, ctx: Ctx) -> None:
    """Raises `Rejected` if a later place would bring the unit or post back after its end."""
    if later := min((since for (one, since) in places if one == name and since > ctx.now), default=None):
        raise Rejected(
            f"{name} has a further place from {later.isoformat()}; end it once that has begun",
            code="unit-changes-later",
            unit=name,
            since=later,
        )


def _ended(place: P, until: datetime, reason: str, ctx: Ctx) -> P:
    """The place with its end. One whose end was named before goes on from now to the other end."""
    since = place.since if place.until is None else ctx.now
    return place.model_copy(update={"since": since, "until": until, "reason": Typed(text=reason)})


def _post(posts: Posts, command: PlacePost, ctx: Ctx) -> list[UnitPostPlaced]:
    """The post. If it becomes the head, the former head goes on as a plain post."""
    unit, since = ctx.offices.unit(command.unit).code, _begin(command.since, ctx)
    OF_OFFICES[PlacePost].require(unit, ctx)
    standing = standing_at(posts.values(), since)
    before = standing.get(f"{command.post}@{unit}")
    said = Typed(text=command.reason)
    place = UnitPostPlaced(
        unit=unit,
        code=command.post,
        **command.model_dump(include={"title", "roles", "head", "members", "duty_post", "serves"}),
        since=since,
        until=before.until if before else None,
        reason=said,
    )
    former = (
        one.model_copy(update={"head": False, "since": since, "reason": said})
        for one in standing.values()
        if command.head and one.head and one.unit == unit and one.code != command.post
    )
    return [place, *former]


def _post_ended(posts: Posts, command: EndPost, ctx: Ctx) -> UnitPostPlaced:
    unit, until = command.post.partition("@")[2], _begin(command.until, ctx, "until")
    ctx.offices.post(command.post)
    OF_OFFICES[EndPost].require(unit, ctx)
    place = standing_at(posts.values(), ctx.now)[command.post]
    if place.head:
        raise Rejected(
            f"{command.post} is the head of {unit}; make another post the head first",
            code="head-needed",
            post=command.post,
            unit=unit,
        )
    _must_not_change_later(posts, command.post, ctx)
    return _ended(place, until, command.reason, ctx)


def _begin(wanted: datetime | None, ctx: Ctx, field: str = "since") -> datetime:
    if wanted is not None and wanted < ctx.now:
        raise Malformed(
            f"{wanted.isoformat()} has passed; name a later time, or none for now",
            code="time-passed",
            field=field,
            at=wanted,
        )
    return wanted or ctx.now
