"""The recorded decision whether to report a matter upward, or whether to meet: by whom, and who took part. Pure."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from schemas import escalation as e
from schemas.fields import Fact, Typed
from schemas.pack import PolicyPack
from schemas.pack.reports import DecisionRule
from services.escalation.commands import Decide
from services.escalation.state import Proposed
from services.kernel.core.decider import Ctx, Occurred
from services.kernel.core.problems import Rejected
from services.kernel.core.units import LoadedPack, Offices


def rule_on(pack: PolicyPack | None, decides: str, level: str | None) -> DecisionRule | None:
    """The pack's rule on this decision at a level; the lowest level counts until a person grades."""
    if pack is None:
        return None
    level = level or pack.lowest
    found = (one for one in pack.decisions if one.decides == decides and (one.levels is None or level in one.levels))
    return next(found, None)


def place(pack: PolicyPack | None, rule: DecisionRule | None) -> str | None:
    """Where the pack has a rule on a decision; None without one."""
    return f"decisions.{pack.decisions.index(rule)}" if pack and rule else None


def deciders(rule: DecisionRule, units: Iterable[str | None], offices: Offices) -> frozenset[str]:
    """The posts that may decide: those of the addressees, and for a body its members.

    The heads of several departments sit in the accountable unit, in units below it, or in the unit that handles the
    matter.
    """
    found: set[str] = set()
    for unit in {unit for unit in units if unit}:
        for code in rule.who:
            for entry in offices.addressee(unit, code):
                found.update(entry.members or (f"{entry.code}@{unit}",))
    return frozenset(found)


def stands(rule: DecisionRule | None, took_part: Collection[str], posts: Collection[str]) -> bool:
    """Whether a proposed decision could be proposed now too: those who take part still decide, and are enough."""
    return rule is not None and len(took_part) >= rule.together and all(post in posts for post in took_part)


def decided(command: Decide, unit: str, rule: DecisionRule, pack: LoadedPack, posts: Collection[str], ctx: Ctx) -> Fact:
    """The decision of one post, or a proposal that each of several posts must confirm.

    Raises `Rejected` if somebody else takes part, or too few.
    """
    took_part = tuple(dict.fromkeys((ctx.actor.post, *command.took_part)))
    if strangers := [post for post in took_part if post not in posts]:
        raise Rejected(
            f"{', '.join(strangers)} does not decide this; those who do are {', '.join(sorted(posts))}",
            code="not-deciding",
            rule=place(pack.model, rule),
            pack=pack.name,
            posts=strangers,
            known=sorted(posts),
        )
    if len(took_part) < rule.together:
        raise Rejected(
            f"this is judged together by at least {rule.together}; name the others who take part in `took_part`",
            code="not-together",
            rule=place(pack.model, rule),
            pack=pack.name,
            needed=rule.together,
            posts=list(took_part),
        )
    told: dict[str, Any] = {"decides": command.decides, "yes": command.yes, "unit": unit, "took_part": took_part}
    told["reason"] = Typed(text=command.reason)
    if len(took_part) == 1:
        return e.ClockDecisionRecorded(**told)
    return e.ClockDecisionProposed(**told, decision=ctx.ids.new(""), by=ctx.by(ctx.seen["stream"]))


def confirmed(waiting: Proposed, at: datetime, ctx: Ctx) -> list[Fact | Occurred]:
    """The confirmation of one post at an instant, and the decision if it was the last one that was missing.

    The decision happened when the latest of the confirmations did.
    """
    data = waiting.data
    facts: list[Fact | Occurred] = [e.ClockDecisionConfirmed(decision=data.decision, by=ctx.by(ctx.seen["stream"]))]
    if {*waiting.persons, ctx.actor.post}.issuperset(data.took_part):
        told = data.model_dump(include={"decides", "yes", "unit", "took_part", "decision"})
        # It refers to the same words.
        decision = e.ClockDecisionRecorded(**told, reason=data.reason)
        facts.append(Occurred(decision, time=max(at, waiting.last_at)))
    return facts
