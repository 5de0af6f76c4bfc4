"""Who leads on a matter: a unit above takes the lead, or leads once it was asked and has accepted. Pure.

The accountable unit stays accountable in every case.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.pack import PolicyPack
from schemas.titles import titled
from services.escalation.upward.obligations import placed
from services.kernel.access.approving import head_of
from services.kernel.access.rights import Right
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Forbidden, Rejected
from services.kernel.core.units import Offices


@dataclass(frozen=True, slots=True)
class Leading:
    """A matter, with the lead that its pack names at its level."""

    unit: str
    """The accountable unit."""
    by: str | None = None
    """The unit that the pack names; None if it is not there."""
    who: str = ""
    """The post or body of that unit."""
    rule: str | None = None
    """Where the pack says so; None if it says nothing at this level."""
    pack: str | None = None
    """The pack as `id@version`."""
    how: Literal["own", "taken", "asked"] = "own"
    asked: str | None = None
    """The unit that was asked last."""
    lead: str | None = None
    """The unit that leads now, besides the accountable one."""
    merged: bool = False
    into: str | None = None
    ended: str | None = None
    """`closed` or `dismissed`, if the matter is."""


def leading(
    pack: PolicyPack | None, level: str | None, unit: str, asked: str | None, lead: str | None, offices: Offices
) -> Leading:
    """The lead at a level; the lowest level counts until a person grades."""
    levels = {one.code: one for one in (pack.levels if pack else ())}
    at = levels.get(level or (pack.lowest if pack else None) or "")
    rule = at.leads if at else None
    if at is None or rule is None:
        return Leading(unit, asked=asked, lead=lead)
    return Leading(
        unit,
        placed(rule.at, unit, offices),
        rule.who,
        rule=f"levels.{at.code}.leads",
        how=rule.how,
        asked=asked,
        lead=lead,
    )


def accountable(matter: Leading, ctx: Ctx) -> Sequence[str]:
    """The unit that asks."""
    return (matter.unit,)


def leader(matter: Leading, ctx: Ctx) -> Sequence[str | None]:
    """The unit that leads by the pack, or else the unit above."""
    return (matter.by or ctx.offices.parent(matter.unit),)


def _posts(matter: Leading, ctx: Ctx) -> frozenset[str]:
    """The posts that lead for the unit: the addressee that the pack names, or the head of that body."""
    if matter.by is None or matter.how == "own":
        return frozenset()
    return frozenset(
        head_of(ctx.offices, matter.by, entry) if entry.members else f"{entry.code}@{matter.by}"
        for entry in ctx.offices.addressee(matter.by, matter.who)
    )


class OfLeader(Right[Leading]):
    """The right of the post or body that the pack names. No role replaces it, unless the directory has nobody."""

    def holds(self, subject: Leading, ctx: Ctx) -> bool:
        """Whether the actor is that post, or the head of that body."""
        posts = _posts(subject, ctx)
        return ctx.actor.post in posts if posts else super().holds(subject, ctx)

    def require(self, subject: Leading, ctx: Ctx) -> None:
        """Raises `Forbidden`, naming the posts that have the right."""
        posts = sorted(_posts(subject, ctx))
        if not posts:
            return super().require(subject, ctx)
        if not self.holds(subject, ctx):
            raise Forbidden(
                f"{' or '.join(posts)} decides this, and you act as {ctx.actor.post}",
                code="other-decider",
                rule=subject.rule,
                pack=subject.pack,
                act=self.verb,
                posts=posts,
                post=ctx.actor.post,
            )
        return None


def _must_be(matter: Leading, how: str, verb: str) -> Rejected | None:
    if matter.merged:
        return Rejected(
            f"the matter was merged into {matter.into or 'another one'}; {titled(verb, 'en')} there",
            code="merged",
            into=matter.into,
            act=verb,
        )
    if matter.ended:
        return Rejected(
            f"the matter is {matter.ended}; reopen it first, then {titled(verb, 'en')}",
            code="matter-ended",
            phase=matter.ended,
            act=verb,
        )
    if matter.how != how or matter.by is None:
        said = {
            "own": "the accountable unit leads itself",
            "taken": "the lead is taken",
            "asked": "the lead is asked for",
        }
        return Rejected(
            f"{said[matter.how if matter.by else 'own']} at this level, as the pack says",
            code="no-such-lead",
            rule=matter.rule,
            pack=matter.pack,
            how=how,
        )
    if matter.lead == matter.by:
        return Rejected(f"{matter.by} leads already", code="leads-already", unit=matter.by)
    return None


def why_not_asked(matter: Leading, ctx: Ctx, verb: str) -> Rejected | None:
    """Why nobody is asked to lead now."""
    if refusal := _must_be(matter, "asked", verb):
        return refusal
    if matter.asked == matter.by:
        return Rejected(f"{matter.by} was asked to lead already; it must accept", code="asked-already", unit=matter.by)
    return None


def why_not_accepted(matter: Leading, ctx: Ctx, verb: str) -> Rejected | None:
    """Why nobody accepts the lead now."""
    if refusal := _must_be(matter, "asked", verb):
        return refusal
    if matter.asked != matter.by:
        return Rejected(
            f"nobody asked {matter.by} to lead yet",
            code="not-asked",
            rule=matter.rule,
            pack=matter.pack,
            unit=matter.by,
        )
    return None


def why_not_taken(matter: Leading, ctx: Ctx, verb: str) -> Rejected | None:
    """Why nobody takes the lead now."""
    return _must_be(matter, "taken", verb)
