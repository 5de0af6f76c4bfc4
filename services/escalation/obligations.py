"""What a pack's reports owe on a matter: hop by hop, each fulfilled by the receipt of its very addressee. Pure.

Every hop is a clock with the hop's code. It runs from the discovery, from when its level was known, or from the receipt
of the hop before it. Receipts that fulfil a hop are added to the milestones as acts of their own. So hops keep time,
levels, mergers and splits in the same way as the pack's other clocks.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

from schemas.escalation import ClockMilestoneReached, ReportForm
from schemas.pack import PolicyPack
from schemas.pack.clocks import Act, ClockRule
from schemas.pack.reports import Hop, ReportRule
from schemas.pack.source import Place
from services.escalation import clocks
from services.escalation.clocks import USUAL, Clock, Terms
from services.kernel.core.units import Offices
from services.kernel.rules.conditions import Context, holds

FULFILS: Mapping[str, frozenset[ReportForm]] = {
    "call": frozenset({"call", "written", "written_with_plan"}),
    "written": frozenset({"written", "written_with_plan"}),
    "written_with_plan": frozenset({"written_with_plan"}),
}
"""Form of a hop -> the forms of reports that fulfil it. A call is a first contact and fulfils no written report."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """One hop, resolved for an accountable unit: who owes it, and where its addressee sits."""

    rule: ReportRule
    hop: Hop
    owed_by: str
    unit: str
    after: str | None = None
    """The hop whose receipt starts it; None for the first one."""

    def is_met_by(self, reached: ClockMilestoneReached) -> bool:
        """Whether this is the receipt of the very addressee, in a form that fulfils the hop."""
        return (
            reached.milestone == "received"
            and (reached.to, reached.unit) == (self.hop.to, self.unit)
            and (reached.form is None or reached.form in FULFILS[self.hop.form])
        )


def resolved(pack: PolicyPack, unit: str, offices: Offices) -> tuple[Obligation, ...]:
    """All hops of the pack's reports, as an accountable unit owes them.

    A hop to a kind of unit that is not above the holder is left out, and so is a hop to the unit above the root. The
    holder then owes the next one.
    """
    found: list[Obligation] = []
    for rule in pack.reports:
        holder, after = unit, None
        for hop in rule.hops:
            at = placed(hop.at, holder, offices)
            if at is not None:
                found.append(Obligation(rule, hop, holder, at, after))
                holder, after = at, hop.code
    return tuple(found)


def placed(place: Place, holder: str, offices: Offices) -> str | None:
    """The unit at a place, as seen from another one; None if there is none. A kind of unit is the nearest one above."""
    if place == "unit":
        return holder
    above = offices.above(holder)[1:]
    if place == "parent":
        return next(iter(above), None)
    return next((unit for unit in above if offices.units[unit].kind == place), None)


def derive(
    milestones: Iterable[ClockMilestoneReached],
    pack: PolicyPack,
    offices: Offices,
    terms: Terms = USUAL,
) -> tuple[Clock, ...]:
    """All clocks of the matter: the pack's own, then those of its reports."""
    if not pack.reports:
        return clocks.derive(milestones, pack, terms)
    past = clocks.in_order(milestones)
    reports = _Reports(pack, offices, past)
    hops = tuple(_rule(owed) for owed in reports.now)
    whole = pack.model_copy(update={"clocks": (*pack.clocks, *hops)})
    found = clocks.derive([*past, *reports.fulfilled()], whole, terms)
    return tuple(reports.charged(clock) for clock in found)


def owed(milestones: Iterable[ClockMilestoneReached], pack: PolicyPack, offices: Offices) -> tuple[Obligation, ...]:
    """The hops that are owed now, in the pack's order: their turn has come, and nobody confirmed them yet.

    A hop whose limit is open has no clock and is owed nevertheless.
    """
    past = clocks.in_order(milestones)
    reports = _Reports(pack, offices, past)
    met = {reached.milestone for reached in reports.fulfilled()}
    return tuple(
        owed
        for owed in report_to(past, pack, offices)
        if _received(owed.hop.code) not in met and (owed.after is None or _received(owed.after) in met)
    )


def report_to(
    milestones: Iterable[ClockMilestoneReached], pack: PolicyPack, offices: Offices
) -> tuple[Obligation, ...]:
    """The hops that the matter's level and nature ask for now, done or not, in the pack's order."""
    past = clocks.in_order(milestones)
    unit = clocks.accountable(past)
    if unit is None:
        return ()
    context = _contexts(past, pack, offices)[-1]
    return tuple(
        owed
        for owed in resolved(pack, unit, offices)
        if (owed.rule.levels is None or context.level in owed.rule.levels) and holds(owed.rule.when, context)
    )


def _contexts(past: Sequence[ClockMilestoneReached], pack: PolicyPack, offices: Offices) -> list[Context]:
    """What conditions of reports look at, each time that it changed, up to now."""
    found = [Context(level=pack.lowest)]
    for reached in past:
        if not clocks.is_own(reached):
            continue
        told = {"level": reached.level, "answer_kind": reached.answer_kind}
        changed = {name: value for name, value in told.items() if value is not None}
        if reached.milestone in ("opened", "transferred") and (unit := offices.units.get(reached.unit or "")):
            changed["unit"] = unit.kind
        if changed:
            found.append(found[-1].model_copy(update=changed))
    return found


def _received(hop: str) -> str:
    """The act of a hop's receipt. No pack can name it."""
    return f"received:{hop}"


def _rule(owed: Obligation) -> ClockRule:
    """The hop as a time limit."""
    rule, hop = owed.rule, owed.hop
    return ClockRule.model_construct(
        name=hop.code,
        title_zh=rule.title_zh,
        from_=cast("Act", _received(owed.after) if owed.after else "discovered"),
        to=(cast("Act", _received(hop.code)),),
        levels=rule.levels,
        limit=hop.limit,
        anchor="level_known" if rule.from_ == "level_known" else "act",
        again=rule.again,
        source=hop.source,
    )


class _Reports:
    """The reports of a matter, with the units that were accountable for it."""

    def __init__(self, pack: PolicyPack, offices: Offices, past: Sequence[ClockMilestoneReached]) -> None:
        self._pack, self._offices, self._past = pack, offices, past
        self._known: dict[str, tuple[Obligation, ...]] = {}
        self._accountable = clocks.accountable(past)

    @cached_property
    def now(self) -> tuple[Obligation, ...]:
        """The hops for the unit that is accountable now. What was owed once is not lost if its condition ends."""
        contexts = _contexts(self._past, self._pack, self._offices)
        return tuple(
            owed
            for owed in self._of(self._accountable)
            if owed.rule.when is None or any(holds(owed.rule.when, context) for context in contexts)
        )

    def _of(self, unit: str | None) -> tuple[Obligation, ...]:
        if unit is None:
            return ()
        if unit not in self._known:
            self._known[unit] = resolved(self._pack, unit, self._offices)
        return self._known[unit]

    def fulfilled(self) -> Iterator[ClockMilestoneReached]:
        """For each receipt, a further milestone for each hop that it fulfils.

        What the addressee of a formerly accountable unit confirmed then stays confirmed after a hand-over.
        """
        for reached in self._past:
            if reached.milestone != "received":
                continue
            then = clocks.accountable(self._past, reached.recorded_at)
            hops = {owed.hop.code: owed for owed in (*self.now, *self._of(then)) if owed.is_met_by(reached)}
            for code in hops:
                yield reached.model_copy(update={"milestone": _received(code)})

    def charged(self, clock: Clock) -> Clock:
        """The clock, with the unit that holds the report if it is a further hop."""
        code = clock.name.partition("#")[0]
        owed = next((owed for owed in self.now if owed.hop.code == code and owed.after), None)
        return replace(clock, unit=owed.owed_by) if owed else clock
