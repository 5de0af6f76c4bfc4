"""The records of a matter up to each merger, and what merged matters add to its clocks. Pure."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple, cast

from schemas.escalation import ClockMilestoneReached
from schemas.pack import PolicyPack
from schemas.pack import clocks as packs
from services.escalation.clock.milestones import LINKS, began, is_own
from services.escalation.clock.terms import Terms, known_from

_RECORDED = attrgetter("recorded_at")
_ABSORBED = attrgetter("absorbed_at")


class Other(NamedTuple):
    """A matter that was merged into this one."""

    absorbed_at: datetime
    done: Sequence[ClockMilestoneReached]
    """The milestones under it, in order."""

    def met(self, spec: packs.ClockRule) -> list[datetime]:
        """For each clock, when the owed act was recorded, in order."""
        return [reached.recorded_at for reached in self.done if meets(spec, reached)]

    def known(self, spec: packs.ClockRule, pack: PolicyPack) -> datetime | None:
        """For each clock that starts at the discovery, its start there, as known by the merger."""
        past = [reached for reached in self.done if reached.recorded_at <= self.absorbed_at]
        start = min((began(reached) for reached in past if reached.milestone == "discovered"), default=None)
        if start is None or spec.from_ != "discovered" or not waits_for_level(spec, pack):
            return start if spec.from_ == "discovered" else None
        known = level_known(spec, past, [reached.level for reached in past], start)
        return known and max(start, known)


@dataclass(frozen=True, slots=True)
class Past:
    """The records of the matter up to an instant: the next merger, or now."""

    own: Sequence[ClockMilestoneReached]
    graded: Sequence[str | None]
    """The level in force after each own milestone; None before the first grading in a level of the pack."""
    others: Sequence[Other]
    """Matters that were merged into this one, in order."""
    until: datetime | None
    born: datetime | None
    """When it was split off from another one."""
    excuses: Sequence[ClockMilestoneReached]
    """The milestones under that matter before the split."""

    @property
    def merger(self) -> datetime | None:
        """When the last matter was merged into this one."""
        return self.others[-1].absorbed_at if self.others else None


class There(NamedTuple):
    """A clock's share in the merged matters: when it was met there, and where it started. Both are in order."""

    met: list[datetime]
    since: list[datetime]

    def take(self, other: Other, spec: packs.ClockRule, pack: PolicyPack, terms: Terms) -> None:
        """Adds a matter that was merged."""
        for at in other.met(spec):
            insort(self.met, at)
        if since := other.known(spec, pack):
            insort(self.since, known_from(since, pack, terms))


def stages_of(past: Sequence[ClockMilestoneReached], pack: PolicyPack) -> list[Past]:
    """The matter before each merger, and now."""
    absorbed = {reached.incident: reached.recorded_at for reached in past if reached.milestone == "absorbed"}
    mergers = sorted(set(absorbed.values()))
    own = telling([one for one in past if is_own(one) and one.milestone not in LINKS], mergers)
    done: dict[str | None, list[ClockMilestoneReached]] = {incident: [] for incident in absorbed}
    for reached in past:
        if reached.incident in done and not is_own(reached):
            done[reached.incident].append(reached)
    others = sorted((Other(at, done[incident]) for incident, at in absorbed.items()), key=_ABSORBED)
    split = next((reached for reached in past if reached.milestone == "split_off"), None)
    excuses = [] if split is None else [one for one in past if _excuses(one, split)]
    born = split.recorded_at if split else None
    graded, stages = levels(own, pack), []
    for until in (*mergers, None):
        length = bisect_left(own, until, key=_RECORDED) if until else len(own)
        before = bisect_left(others, until, key=_ABSORBED) if until else len(others)
        stages.append(Past(own[:length], graded[:length], others[:before], until, born, excuses))
    return stages


def telling(past: Sequence[ClockMilestoneReached], mergers: Sequence[datetime]) -> list[ClockMilestoneReached]:
    """The milestones without discoveries that change nothing.

    The first discovery stays. Of those that are earlier than all before, the last one by each merger stays, and by now.

    `past` is in order.
    """
    kept: list[ClockMilestoneReached] = []
    stage = 0
    for reached in past:
        if reached.milestone != "discovered" or (kept and began(kept[-1]) <= began(reached)):
            continue
        known_by, stage = stage, bisect_right(mergers, reached.recorded_at)
        if len(kept) > 1 and known_by == stage:
            kept.pop()
        kept.append(reached)
    telling = {id(reached) for reached in kept}
    return [reached for reached in past if reached.milestone != "discovered" or id(reached) in telling]


def _excuses(reached: ClockMilestoneReached, split: ClockMilestoneReached) -> bool:
    """Whether it was reached before the split, under the matter that this one was split off from."""
    return reached.incident == split.incident and not is_own(reached) and reached.recorded_at < split.recorded_at


def levels(past: Sequence[ClockMilestoneReached], pack: PolicyPack) -> list[str | None]:
    """The level in force after each milestone; None before the first grading in a level of this pack."""
    known = {level.code for level in pack.levels}
    graded: list[str | None] = []
    for reached in past:
        before = graded[-1] if graded and reached.milestone != "policy_moved" else None
        graded.append(reached.level if reached.level in known else before)
    return graded


def level_known(
    spec: packs.ClockRule, past: Sequence[ClockMilestoneReached], levels: Sequence[str | None], start: datetime | None
) -> datetime | None:
    """The first recorded fact by which any of the clock's levels was known; None if no grading gave one of them.

    The newest list of known levels holds all facts. A grading tells by itself only what no fact had told before it: the
    first one that the level was known from the `start`, a later one that it is known now. So no grading, upward,
    downward or late, moves the time later.
    """
    facts: datetime | None = None
    judged: list[datetime | None] = []
    graded = False
    for reached, level in zip(past, levels, strict=True):
        if reached.milestone == "levels_known":
            facts = min((one.known_at for one in reached.levels if one.level in (spec.levels or ())), default=None)
        elif level and reached.level == level:
            if level in (spec.levels or ()):
                told = [at for at in (reached.known_at, facts) if at]
                judged.append(min(told, default=began(reached) if graded else start))
            graded = True
    return min((at for at in (facts, *judged) if at), default=None) if judged else None


def waits_for_level(spec: packs.ClockRule, pack: PolicyPack) -> bool:
    first = pack.levels[0].code if pack.levels else None
    return spec.anchor == "level_known" and spec.levels is not None and first not in spec.levels


def meets(spec: packs.ClockRule, reached: ClockMilestoneReached) -> bool:
    return spec.is_met_by(cast("packs.Act", reached.milestone))
