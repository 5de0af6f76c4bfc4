"""Who speaks on a matter once that is fixed: posts, and nobody else. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from schemas.approval import Step
from services.kernel.access.approving import head_of, own_posts
from services.kernel.access.rights import Right
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Forbidden
from services.kernel.core.units import Offices

S = TypeVar("S")
STEP = "named_approver"
"""The step at which a post agrees that was fixed for the matter."""


@dataclass(frozen=True, slots=True)
class Speaking:
    """The posts that were fixed for a matter; empty if nobody fixed any."""

    speaks: tuple[str, ...] = ()
    approves: tuple[str, ...] = ()
    """Posts and bodies that agree besides the pack's chain."""
    interviews: tuple[str, ...] = ()

    def steps(self, chain: Sequence[Step], unit: str, offices: Offices) -> tuple[Step, ...]:
        """The steps of a chain with these posts, for a statement of `unit`.

        A step that such a post may decide is for it alone, since nobody agrees twice. The others agree after the chain.
        """
        steps, further, taken = list(chain), list[str](), set[int]()
        for post in self.approves:
            of = (at for at, step in enumerate(chain) if at not in taken and _decides(post, step, unit, offices))
            at = next(of, None)
            if at is None:
                further.append(post)
            else:
                steps[at] = steps[at].model_copy(update={"who": (post,)})
                taken.add(at)
        named = (STEP if number == 1 else f"{STEP}#{number}" for number in range(1, len(further) + 1))
        return (*steps, *(Step(code=code, who=(post,)) for code, post in zip(named, further, strict=True)))


NOBODY = Speaking()


def _decides(post: str, step: Step, unit: str, offices: Offices) -> bool:
    """Whether this post or body may decide a step by itself."""
    if step.needs != 1 or step.quorum:
        return False
    return any(
        post in (f"{entry.code}@{at}", head_of(offices, at, entry) if entry.members else None)
        for who in step.who
        for at in offices.above(unit)
        for entry in offices.answering(at, who)
    )


@dataclass(frozen=True, slots=True)
class OfSpeaker(Right[S], Generic[S]):
    """A right of the posts that speak on the matter. Without any, it is the right of the roles."""

    posts: Callable[[S], Sequence[str]] = lambda _: ()
    """The posts that were fixed."""

    def holds(self, subject: S, ctx: Ctx) -> bool:
        """Whether the actor is one of these posts, for a unit over which it is."""
        posts = self.posts(subject)
        if not posts:
            return Right.holds(self, subject, ctx)
        own = set(own_posts(ctx)).intersection(posts)
        return any(
            unit is not None and ctx.offices.within(unit, post.partition("@")[2])
            for post in own
            for unit in self.over(subject, ctx)
        )

    def require(self, subject: S, ctx: Ctx) -> None:
        """Raises `Forbidden`, naming the posts that speak."""
        posts = sorted(self.posts(subject))
        if not posts:
            return Right.require(self, subject, ctx)
        if not self.holds(subject, ctx):
            raise Forbidden(
                f"{' or '.join(posts)} speaks on this matter and nobody else, for its own unit and those below it; "
                f"you act as {ctx.actor.post}",
                code="other-speaker",
                act=self.verb,
                posts=posts,
                post=ctx.actor.post,
            )
        return None
