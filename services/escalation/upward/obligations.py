"""What a pack's reports owe on a matter: hop by hop, each fulfilled by the receipt of its very addressee. Pure.

Every hop is a clock with the hop's code. It runs from the discovery, from when its level was known, or from the receipt
of the hop before it. Receipts that fulfil a hop are added to the milestones as acts of their own. So hops keep time,
levels, mergers and splits in the same way as the pack's other clocks. The same holds for the bulletin, which is owed
again and again until the matter is resolved, and for the written report at its end.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Literal, cast

from schemas.escalation import ClockMilestoneReached
from schemas.pack import OWN_CLOCKS, PolicyPack
from schemas.pack.clocks import Act, ClockRule, Limit
from schemas.pack.office import WrittenReport
from schemas.pack.reports import FULFILS, Bulletin, Hop, ReportRule
from schemas.pack.source import Around, Place
from services.escalation.clock import clocks, growth
from services.escalation.clock.clocks import Clock
from services.escalation.clock.milestones import assigned, counted, in_order, is_own
from services.escalation.clock.runs import Cancelled
from services.escalation.clock.terms import USUAL, Terms
from services.kernel.core.units import Offices
from services.kernel.rules.conditions import Context, holds

NOWHERE: Mapping[str, str] = MappingProxyType({})
BULLETIN, WRITTEN_REPORT = "bulletin", "written_report"
"""The names of these clocks. Only a report that is meant as a bulletin, or as the written report, fulfils that one."""


@dataclass(frozen=True, slots=True)
class Obligation:
    """One hop, resolved for an accountable unit: who owes it, and where its addressee sits."""

    rule: ReportRule
    hop: Hop
    owed_by: str
    unit: str
    after: str | None = None
    """The hop whose receipt starts it; None for the first one."""
    starts: str = "discovered"
    """The act that starts it."""

    def is_met_by(self, reached: ClockMilestoneReached, offices: Offices) -> bool:
        """Whether this is the receipt of the very addressee, in a form that fulfils the hop."""
        meant = {self.rule.code, None} if self.rule.code in (BULLETIN, WRITTEN_REPORT) else None
        return (
            reached.milestone == "received"
            and reached.to == self.hop.to
            and (reached.unit == self.unit or (reached.hop == self.hop.code and self._could_sit(reached.unit, offices)))
            and (reached.form is None or reached.form in FULFILS[self.hop.form])
            and (reached.hop not in OWN_CLOCKS if meant is None else reached.hop in meant)
        )

    def _could_sit(self, unit: str | None, offices: Offices) -> bool:
        """Whether the hop's addressee could sit in a unit. Where it sat at the time is what counts, and units move."""
        known = offices.ever.get(unit or "")
        return self.hop.at not in ("town", "county", "city") or known is None or known.kind == self.hop.at


def resolved(
    pack: PolicyPack,
    unit: str,
    offices: Offices,
    held: Mapping[str, str] = NOWHERE,
    handling: str | None = None,
    staying: Mapping[str, str] = NOWHERE,
) -> tuple[Obligation, ...]:
    """All hops of the pack's reports, as an accountable unit owes them, then its bulletin and its written report.

    A hop to a unit that is not there is left out: to a kind of unit that is not above the holder, to the unit above the
    root. The holder then owes the next one. `held` names the units that confirmed hops: after a hand-over, the report
    may lie elsewhere than it would from this unit. `staying` names the units that still owe a hop to an addressee of
    their own, and `handling` is the unit that handles the matter.
    """
    found: list[Obligation] = []
    for rule in (*pack.reports, *_further(pack)):
        holder, after = unit, None
        if rule.code == BULLETIN and pack.bulletin:
            holder = placed(pack.bulletin.by, unit, offices) or unit
        for hop in rule.hops:
            holder = staying.get(hop.code, holder)
            at = placed(hop.at, holder, offices, hop.to, handling)
            if at is not None:
                starts = "resolved" if rule.code == WRITTEN_REPORT else "discovered"
                found.append(Obligation(rule, hop, holder, at, after, _received(after) if after else starts))
                holder, after = held.get(hop.code, at), hop.code
    return tuple(found)


def _further(pack: PolicyPack) -> Iterator[ReportRule]:
    """The bulletin and the written report, as rules of one hop."""
    if bulletin := pack.bulletin:
        yield _of_one_hop(BULLETIN, bulletin, bulletin.every, "level_known" if bulletin.levels else "discovered")
    if written := pack.review.written_report:
        yield _of_one_hop(WRITTEN_REPORT, written, written.limit, "discovered")


def _of_one_hop(
    code: str, part: Bulletin | WrittenReport, limit: Limit, start: Literal["discovered", "level_known"]
) -> ReportRule:
    hop = Hop.model_construct(
        code=code, to=part.to, at=part.at, form="written", with_proposal=False, limit=limit, source=part.source
    )
    return ReportRule.model_construct(
        code=code,
        title_zh=code,
        levels=part.levels,
        when=None,
        from_=start,
        again=None,
        hops=(hop,),
        source=part.source,
    )


def placed(
    place: Place | Around, holder: str, offices: Offices, to: str | None = None, handling: str | None = None
) -> str | None:
    """The unit at a place, as seen from another one; None if there is none. A kind of unit is the nearest one above.

    Of units beside or below, it is the one that handles the matter, or the only one whose directory has `to`.
    """
    if place in ("beside", "below"):
        around = _beside(holder, offices) if place == "beside" else offices.below(holder) - {holder}
        having = [one for one in around if to is None or offices.receivers(one, to)]
        return handling if handling in having else having[0] if len(having) == 1 else None
    return offices.placed(place, holder)


def _beside(unit: str, offices: Offices) -> frozenset[str]:
    parent = offices.parent(unit)
    same = (one for one in offices.units if parent and offices.parent(one) == parent and one != unit)
    return frozenset(same)


def derive(
    milestones: Iterable[ClockMilestoneReached], pack: PolicyPack, offices: Offices, terms: Terms = USUAL
) -> tuple[Clock, ...]:
    """All clocks of the matter: the pack's own, then those of its reports, and last its bulletins.

    Each bulletin is derived without the acts of the others, so the cost grows with their number, not with its square.
    """
    past = growth.followed(in_order(milestones), pack)
    reports = _Reports(pack, offices, past)
    hops = tuple(_rule(owed) for owed in reports.now if owed.rule.code != BULLETIN)
    whole = pack.model_copy(update={"clocks": (*pack.clocks, *hops, *growth.limit_of(pack))})
    found = list(clocks.derive([*past, *reports.acts], whole, terms))
    besides = [one for one in past if one.milestone not in ("reported", "received")]
    for owed in (one for one in reports.now if one.rule.code == BULLETIN):
        alone = pack.model_copy(update={"clocks": (_rule(owed),)})
        found += clocks.derive([*besides, *reports.acts_on(owed)], alone, terms)
    return tuple(reports.charged(clock) for clock in found)


def owed(milestones: Iterable[ClockMilestoneReached], pack: PolicyPack, offices: Offices) -> tuple[Obligation, ...]:
    """The hops that are owed now, in the pack's order: their turn has come, and nobody confirmed them yet.

    A hop whose limit is open has no clock and is owed nevertheless.
    """
    past = growth.followed(in_order(milestones), pack)
    reports = _Reports(pack, offices, past)
    # What was confirmed under a matter from which this one was split off fulfils nothing here.
    reached = counted([*past, *reports.acts])
    reopened = max((one.recorded_at for one in reached if one.milestone == "reopened"), default=None)
    ever = {one.milestone for one in reached}
    again = {one.milestone for one in reached if reopened is None or one.recorded_at >= reopened}

    def is_due(owed: Obligation) -> bool:
        since = again if owed.rule.again else ever
        begun = owed.starts in (since if owed.after else ever)
        return begun and since.isdisjoint((_received(owed.hop.code), _ended(owed.hop.code)))

    return tuple(owed for owed in reports.asked if is_due(owed))


def report_to(
    milestones: Iterable[ClockMilestoneReached], pack: PolicyPack, offices: Offices
) -> tuple[Obligation, ...]:
    """The hops that the matter's level and nature ask for now, done or not, in the pack's order."""
    return _Reports(pack, offices, growth.followed(in_order(milestones), pack)).asked


def _contexts(past: Sequence[ClockMilestoneReached], pack: PolicyPack, offices: Offices) -> list[Context]:
    """What conditions of reports look at, each time that it changed, up to now."""
    began = next((one.happened_at for one in past if one.milestone == "discovered" and is_own(one)), None)
    first = next((one.unit for one in past if one.milestone == "opened" and is_own(one)), None)
    periods = offices.periods_at(first or "", began) if began else frozenset[str]()
    found: list[Context] = [Context(level=pack.lowest, periods=periods)]
    for reached in past:
        if not is_own(reached):
            continue
        told: dict[str, Any] = {
            "level": reached.level,
            "answer_kind": reached.answer_kind,
            "category": reached.category,
            "channel": reached.channel,
        }
        changed = {name: value for name, value in told.items() if value is not None}
        if reached.milestone == "policy_moved":
            changed["level"] = reached.level or pack.lowest
        if reached.milestone in ("opened", "transferred") and (unit := offices.ever.get(reached.unit or "")):
            changed["unit"] = unit.kind
        if changed:
            found.append(found[-1].model_copy(update=changed))
    return found


def _asks(rule: ReportRule, context: Context) -> bool:
    """Whether a matter of this nature is reported by the rule."""
    return (rule.levels is None or context.level in rule.levels) and holds(rule.when, context)


def _received(hop: str) -> str:
    """The act of a hop's receipt. No pack can name it."""
    return f"received:{hop}"


def _ended(hop: str) -> str:
    """The act by which a bulletin is owed no more."""
    return f"ended:{hop}"


def _rule(owed: Obligation) -> ClockRule:
    """The hop as a time limit."""
    rule, hop = owed.rule, owed.hop
    return ClockRule.model_construct(
        name=hop.code,
        title_zh=rule.title_zh,
        from_=cast("Act", owed.starts),
        to=cast("tuple[Act, ...]", (_received(hop.code), _ended(hop.code))),
        levels=rule.levels,
        limit=hop.limit,
        anchor="level_known" if rule.from_ == "level_known" else "act",
        # Like a first answer, the written report stays owed after the closing.
        first_answer=rule.code == WRITTEN_REPORT,
        again=rule.again,
        source=hop.source,
    )


class _Reports:
    """The reports of a matter, with the units that were accountable for it."""

    def __init__(self, pack: PolicyPack, offices: Offices, past: Sequence[ClockMilestoneReached]) -> None:
        self._pack, self._offices, self._past = pack, offices, past
        self._known: dict[str, tuple[Obligation, ...]] = {}
        self._handed = [
            (one.recorded_at, one.unit or "")
            for one in past
            if one.milestone in ("opened", "transferred") and is_own(one)
        ]
        self._contexts = _contexts(past, pack, offices)
        self.now: list[Obligation] = []
        """The hops for the unit that is accountable now. What was owed once is not lost if its condition ends."""
        self.acts: list[ClockMilestoneReached] = []
        """A further milestone for each hop that a receipt fulfils, and for the end of the bulletins."""
        self._bulletin: Obligation | None = None
        """The first bulletin. Each further one is like it."""
        held: dict[str, str] = {}
        handling = assigned(past)
        for reached in past:
            if reached.milestone == "received" and reached.unit:
                for one in self._then(reached):
                    if one.is_met_by(reached, offices):
                        held.setdefault(one.hop.code, reached.unit)
        unit = self._handed[-1][1] if self._handed else None
        self._stays = self._staying()
        for owed in resolved(pack, unit, offices, held, handling, self._stays) if unit else ():
            if any(_asks(owed.rule, context) for context in self._contexts):
                if owed.rule.code == BULLETIN:
                    self._bulletins(owed)
                else:
                    self._once(owed)
        self._named: dict[str, list[ClockMilestoneReached]] = {}
        """The same by their names."""
        for act in self.acts:
            self._named.setdefault(act.milestone, []).append(act)

    def acts_on(self, owed: Obligation) -> Iterator[ClockMilestoneReached]:
        """The further milestones that start or end one hop."""
        for name in (owed.starts, _received(owed.hop.code), _ended(owed.hop.code)):
            yield from self._named.get(name, ())

    @property
    def asked(self) -> tuple[Obligation, ...]:
        """The hops that the present level and nature of the matter ask for."""
        return tuple(owed for owed in self.now if _asks(owed.rule, self._contexts[-1]))

    def _staying(self) -> dict[str, str]:
        """Hop -> the unit that still owes it to an addressee of its own, though it handed the matter downward.

        It owed the hop by then: the rule asked for it, and the hop before it was received.
        """
        found: dict[str, str] = {}
        for (_, former), (at, unit) in pairwise(self._handed):
            if former not in self._offices.above(unit)[1:]:
                continue
            before = [one for one in self._past if one.recorded_at < at]
            asking = _contexts(before, self._pack, self._offices)
            received = {
                one.hop.code
                for reached in before
                for one in self._then(reached)
                if one.is_met_by(reached, self._offices)
            }
            for one in resolved(self._pack, former, self._offices):
                own = one.hop.at == "unit" and one.rule.code not in (BULLETIN, WRITTEN_REPORT)
                turn = one.hop.code not in received and (one.after is None or one.after in received)
                if own and turn and any(_asks(one.rule, now) for now in asking):
                    found.setdefault(one.hop.code, former)
        return found

    def _then(self, reached: ClockMilestoneReached) -> tuple[Obligation, ...]:
        """The hops as the unit owed them that was accountable at a milestone."""
        at = bisect_right(self._handed, reached.recorded_at, key=itemgetter(0))
        if not self._handed:
            return ()
        unit = self._handed[max(at - 1, 0)][1]
        if unit not in self._known:
            self._known[unit] = resolved(self._pack, unit, self._offices)
        return self._known[unit]

    def _once(self, owed: Obligation) -> None:
        """What the addressee of a formerly accountable unit confirmed then stays confirmed after a hand-over."""
        self.now.append(owed)
        self.acts += (_as(reached, _received(owed.hop.code)) for reached in self._past if self._meets(reached, owed))

    def _meets(self, reached: ClockMilestoneReached, owed: Obligation) -> bool:
        if reached.milestone != "received":
            return False
        if owed.hop.code in self._stays:
            return owed.is_met_by(reached, self._offices)
        return owed.is_met_by(reached, self._offices) or any(
            one.hop == owed.hop and one.is_met_by(reached, self._offices) for one in self._then(reached)
        )

    def _bulletins(self, first: Obligation) -> None:
        """Each receipt starts the next bulletin, until the matter is resolved. A reopening starts one, too."""
        owed, goes_on = first, True
        self._bulletin, number = first, 1
        self.now.append(first)
        for reached in self._past:
            act = ""
            if goes_on and self._meets(reached, first):
                act = _received(owed.hop.code)
            elif reached.milestone in ("resolved", "closed") and goes_on and is_own(reached):
                goes_on = False
                self.acts.append(_as(reached, _ended(owed.hop.code)))
            elif reached.milestone == "reopened" and not goes_on:
                act, goes_on = f"again:{owed.hop.code}", True
            if act:
                self.acts.append(_as(reached, act))
                number += 1
                hop = first.hop.model_copy(update={"code": f"{BULLETIN}#{number}"})
                owed = replace(first, hop=hop, starts=act)
                self.now.append(owed)

    def charged(self, clock: Clock) -> Clock:
        """The clock as it is shown: with the unit that holds the report, and ended where the act was an end."""
        code = clock.name.partition("#")[0]
        if code == growth.GROWTH:
            return growth.shown(clock, self._past)
        if code == WRITTEN_REPORT:
            return replace(clock, first_answer=False)
        if code == BULLETIN and self._bulletin:
            ends = [one.recorded_at for one in self._named.get(_ended(clock.name), ())]
            clock = replace(clock, unit=self._bulletin.owed_by)
            over = clock.met_at in ends
            return replace(clock, met_at=None, cancelled=Cancelled("closed", ends[0])) if over else clock
        owed = next((one for one in self.now if one.hop.code == code), None)
        return replace(clock, unit=owed.owed_by) if owed and (owed.after or code in self._stays) else clock


def _as(reached: ClockMilestoneReached, act: str) -> ClockMilestoneReached:
    return reached.model_copy(update={"milestone": act, "level": None})
