"""A unit's desk, as the rights at it see it: the duties of the actor now. Pure."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected

EARLY = timedelta(hours=1)
"""How long before its begin a post can sign on to its duty."""
LATE = timedelta(minutes=30)
"""How long after its end a duty can still be handed over."""
EVERY_ROLE = ("duty_officer", "verifier", "handler", "approver", "chief", "spokesperson", "admin")


class Shift(NamedTuple):
    """A planned duty. `by` is the post that took it up."""

    post: str
    since: datetime
    until: datetime
    substitute: str | None = None
    by: str | None = None
    signed_on: datetime | None = None
    handed_over: datetime | None = None
    ended: bool = False

    def on_duty(self, at: datetime) -> bool:
        """Whether its post is on duty at an instant."""
        if self.signed_on is None or not self.signed_on <= at < self.until:
            return False
        return self.handed_over is None or at < self.handed_over


class AtDesk(NamedTuple):
    """What the actor has to do with the unit's duty now."""

    unit: str
    to_sign: Shift | None = None
    """The duty to which the actor's post can sign on."""
    own: Shift | None = None
    """The duty that the actor's post has taken up."""

    @classmethod
    def of(cls, unit: str, shifts: Iterable[Shift], ctx: Ctx) -> "AtDesk":
        """For the actor at the time of the decision."""
        near = [one for one in shifts if one.since - EARLY <= ctx.now < one.until + LATE]
        near.sort(key=lambda one: one.since)
        waiting = (
            one
            for one in near
            if one.by is None and ctx.now < one.until and ctx.actor.post in (one.post, one.substitute)
        )
        own = (one for one in near if one.by == ctx.actor.post and one.handed_over is None)
        return cls(unit, next(waiting, None), next(own, None))


def not_to_sign(desk: AtDesk, ctx: Ctx, verb: str) -> Rejected | None:
    """Why the actor cannot sign on now; None if a duty waits for the actor's post."""
    if desk.to_sign is None:
        return Rejected(
            f"no duty at {desk.unit} waits now for {ctx.actor.post}; sign on from an hour before its begin until its "
            "end, as the planned post or its substitute",
            code="no-duty-now",
            unit=desk.unit,
            post=ctx.actor.post,
        )
    return None


def not_on_duty(desk: AtDesk, ctx: Ctx, verb: str) -> Rejected | None:
    """Why the actor cannot hand over now; None for whoever is on duty."""
    if desk.own is None:
        return Rejected(
            f"{ctx.actor.post} is not on duty at {desk.unit}; only who has signed on can hand over, until "
            f"{LATE // timedelta(minutes=1)} minutes after the end",
            code="not-on-duty",
            unit=desk.unit,
            post=ctx.actor.post,
        )
    return None
