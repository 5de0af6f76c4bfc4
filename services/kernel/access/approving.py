"""For which posts and bodies an actor may approve: at the own post, as a member of a body, or by a delegation. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from schemas.approval import Step
from services.kernel.core.decider import STAFF_ROLES, Ctx
from services.kernel.core.problems import Rejected
from services.kernel.core.units import Offices, Post
from services.kernel.rules.approval import Due


class Answering(NamedTuple):
    """The actor may answer for the addressee `who` as `post`. `body` is the entry if it is a body."""

    who: str
    post: str
    body: Post | None = None


def answering(
    codes: Iterable[str], unit: str, ctx: Ctx, quorum: int | None = None, posts: Sequence[str] | None = None
) -> Iterator[Answering]:
    """Every way in which the actor may answer for one of these addressees of the unit or of a unit above.

    For a body answers its head; with a quorum, any member. `posts` are the posts as which the actor acts; by default
    those as which the actor may approve.
    """
    posts, above = acting_posts(ctx) if posts is None else posts, ctx.offices.above(unit)
    for code in codes:
        if ctx.may(code, units=(unit,)):
            yield Answering(code, ctx.actor.post)
        for at in above:
            for entry in ctx.offices.answering(at, code):
                answers = _answers(ctx.offices, at, entry, quorum)
                for post in posts:
                    if post in answers:
                        yield Answering(code, post, entry if entry.members else None)


def _answers(offices: Offices, unit: str, entry: Post, quorum: int | None) -> tuple[str, ...]:
    if not entry.members:
        return (f"{entry.code}@{unit}",)
    return entry.members if quorum else (head_of(offices, unit, entry),)


def _persons(posts: Sequence[str], ctx: Ctx) -> list[str]:
    """The posts, with one of each two for which one person may decide.

    One of the two has delegated to the other, or both have delegated to a third.
    """
    acts = {
        post: {
            post,
            *(one.to for one in ctx.offices.delegations if one.post == post and one.since <= ctx.now < one.until),
        }
        for post in posts
    }
    found: list[str] = []
    for post in posts:
        if all(acts[post].isdisjoint(acts[other]) for other in found):
            found.append(post)
    return found


def acting_posts(ctx: Ctx) -> tuple[str, ...]:
    """The posts as which the actor may approve.

    These are the actor's `own_posts`, and the posts that delegated to the own one and whose delegation has begun and
    not ended.
    """
    now = ctx.now
    given = (one.post for one in ctx.offices.delegations if one.to == ctx.actor.post and one.since <= now < one.until)
    return tuple(dict.fromkeys((*own_posts(ctx), *given)))


def own_posts(ctx: Ctx) -> tuple[str, ...]:
    """The actor's own post, and the unit's posts for further roles of the actor. A delegation adds none."""
    actor, offices = ctx.actor, ctx.offices
    code, _, unit = actor.post.partition("@")
    own = offices.posts.get(unit, {}).get(code)
    further = sorted(actor.roles - own.roles) if own else sorted(actor.roles)
    held = (offices.with_role(actor.unit or "", role) for role in further)
    return tuple(dict.fromkeys((actor.post, *(f"{post}@{actor.unit}" for post in held if post))))


def head_of(offices: Offices, unit: str, body: Post) -> str:
    """The member who decides for a body: the head of its unit, or else its first member."""
    heads = {f"{post.code}@{unit}" for post in offices.posts.get(unit, {}).values() if post.head}
    return next((member for member in body.members if member in heads), body.members[0])


def nearest(codes: Iterable[str], unit: str, offices: Offices) -> list[str]:
    """The posts and bodies that answer for these addressees, each in the nearest unit upward that has any."""
    found: list[str] = []
    for code in codes:
        for at in offices.above(unit):
            if names := [f"{entry.code}@{at}" for entry in offices.answering(at, code)]:
                found += [name for name in names if name not in found]
                break
    return found


def must_be_answered(steps: Iterable[Step], unit: str, offices: Offices, *, rule: str | None, pack: str) -> None:
    """Raises `Rejected` for a step to which too few posts and bodies of the unit, or of units above, could agree.

    `rule` is the place in the pack, which is `id@version`, that asks for the steps.
    """
    for step in steps:
        vacant = [code for code in step.who if not _has_somebody(code, unit, offices, step.quorum)]
        if len(step.who) - len(vacant) < step.needs:
            raise Rejected(
                f"{step.code} is agreed by {' or '.join(vacant)}, and no directory of {', '.join(offices.above(unit))} "
                "has somebody who could; add the post, or members for the quorum, to units.yaml",
                code="nobody-agrees",
                rule=rule,
                pack=pack,
                step=step.code,
                who=vacant,
                units=list(offices.above(unit)),
            )


def _has_somebody(code: str, unit: str, offices: Offices, quorum: int | None) -> bool:
    # Somebody may hold a role without a post of that name.
    return code in STAFF_ROLES or any(
        not entry.members or len(entry.members) >= (quorum or 1)
        for at in offices.above(unit)
        for entry in offices.answering(at, code)
    )


def taking_part(
    due: Due,
    chosen: Answering,
    named: Sequence[str],
    barred: Iterable[str],
    ctx: Ctx,
    *,
    rule: str | None,
    pack: str,
) -> tuple[str, ...]:
    """The posts that decided for a body: the actor's, and those that are named; none for a post.

    Raises `Malformed` for unknown posts, and `Rejected` if one is no member of the body or too few took part. Posts in
    `barred` do not count toward the quorum, and a post that delegated to another one counts with it as one. `rule` is
    the place in the pack, which is `id@version`, that asks for the step.
    """
    posts = tuple(dict.fromkeys((chosen.post, *named)))
    for post in named:
        ctx.offices.post(post, "took_part")
    members = chosen.body.members if chosen.body else (chosen.post,)
    if strangers := [post for post in posts if post not in members]:
        raise Rejected(
            f"{', '.join(strangers)} did not decide for {due.step}: its members are {', '.join(members)}",
            code="not-a-member",
            rule=rule,
            pack=pack,
            posts=strangers,
            step=due.step,
            known=list(members),
        )
    if chosen.body and due.quorum:
        counted = _persons([post for post in posts if post not in barred], ctx)
        if len(counted) < due.quorum:
            raise Rejected(
                f"{chosen.body.title} decides with {due.quorum} members who wrote nothing on this and did not approve "
                f"it before, and who act for themselves; you name {len(counted)}. Name all who took part",
                code="quorum-missing",
                rule=rule,
                pack=pack,
                body=chosen.body.title,
                quorum=due.quorum,
                counted=len(counted),
            )
    return posts if chosen.body else ()
