"""Clocks as a fold over milestones: pure, and the same whatever order the milestones arrived in.

A clock starts at what happened, but no later than it was recorded, and is met by what was recorded. Milestones are
folded in order of (`recorded_at`, event), so a topic that is ahead of another one changes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, cast

from schemas import pack as packs
from schemas.escalation import ClockMilestoneReached
from schemas.pack import PolicyPack
from services.kernel.rules import calendars

HAPPENS_ONCE = ("discovered", "opened")
"""What a matter has once: after a reopening, the reopening stands for it."""
HANDED_OVER = ("assigned", "transferred")
"""Each of these begins a clock that starts with it anew, for the unit that it names."""


class Cancelled(NamedTuple):
    """Why a clock stopped to apply before it was met, and when that was recorded."""

    cause: Literal["regraded", "merged", "closed", "dismissed", "reassigned"]
    at: datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """A time limit of a matter. `name` is the pack's, with `#2` and on where it runs again."""

    name: str
    unit: str
    """Who was accountable when it fell due, or when it was met."""
    since: datetime
    due: datetime
    first_answer: bool
    met_at: datetime | None = None
    """When what was owed was recorded, also where that was late."""
    cancelled: Cancelled | None = None

    @property
    def late(self) -> bool:
        return self.met_at is not None and self.met_at > self.due

    @property
    def runs(self) -> bool:
        """Whether something is still owed."""
        return self.met_at is None and self.cancelled is None

    def overdue(self, at: datetime) -> bool:
        """Whether the limit had passed by `at` with nothing recorded and the clock in force."""
        ended = self.met_at or (self.cancelled.at if self.cancelled else None)
        return self.due < at and (ended is None or ended > self.due)


def in_order(milestones: Iterable[ClockMilestoneReached]) -> list[ClockMilestoneReached]:
    """The one order in which milestones count."""
    return sorted(milestones, key=lambda reached: (reached.recorded_at, reached.event, reached.milestone))


def derive(
    milestones: Iterable[ClockMilestoneReached], pack: PolicyPack, extended: Mapping[str, datetime] | None = None
) -> tuple[Clock, ...]:
    """Every clock that the matter has or had, in the pack's order. `extended` holds limits that were moved, by name.

    While no level is known, the clocks of the lowest one run. A limit whose working days are not announced yet is left
    out until they are.
    """
    past = in_order(milestones)
    return tuple(clock for spec in pack.clocks for clock in _clocks_of(spec, past, pack, extended or {}))


def accountable(past: Sequence[ClockMilestoneReached], at: datetime | None = None) -> str | None:
    """The unit accountable for the matter as recorded by `at`, or now. `past` is in order."""
    unit = None
    for reached in past:
        if reached.milestone == "opened" or (
            reached.milestone == "transferred" and (at is None or reached.recorded_at <= at)
        ):
            unit = reached.unit
    return unit


def assigned(past: Sequence[ClockMilestoneReached]) -> str | None:
    """The unit that handles the matter. `past` is in order."""
    unit = None
    for reached in past:
        if reached.milestone in ("assigned", "returned"):
            unit = reached.unit if reached.milestone == "assigned" else None
    return unit


def level_of(past: Sequence[ClockMilestoneReached]) -> str | None:
    """The level in force, or None before the first grading. `past` is in order."""
    return next((reached.level for reached in reversed(past) if reached.level is not None), None)


def _began(reached: ClockMilestoneReached) -> datetime:
    """When it happened. Whoever wrote it down may have had a clock that is ahead."""
    return min(reached.happened_at, reached.recorded_at)


class _Run(NamedTuple):
    """One run of a clock."""

    began: int
    """Index of the milestone that started it."""
    from_at: datetime
    """When that happened. Only what was recorded from then on can meet the clock."""
    until: int | None
    """Index of the hand-over that ended it."""


def _clocks_of(
    spec: packs.ClockRule, past: Sequence[ClockMilestoneReached], pack: PolicyPack, extended: Mapping[str, datetime]
) -> Iterator[Clock]:
    graded = _levels(past, pack)
    for number, run in enumerate(_runs(spec, past), start=1):
        name = spec.name if number == 1 else f"{spec.name}#{number}"
        met_at = min((m.recorded_at for m in past if _meets(spec, m) and m.recorded_at >= run.from_at), default=None)
        applied, cancelled = _in_force(spec, run, past, graded, met_at, pack.levels[0].code)
        if not applied:
            continue
        since = _since(spec, run, past, graded, pack.levels[0].code)
        try:
            due = extended.get(name) or calendars.due(since, spec.limit, pack.timezone, pack.workday)
        except calendars.YearNotAnnounced:
            continue
        met_at = None if cancelled else met_at
        unit = accountable(past, due if met_at is None else min(due, met_at))
        if unit is not None:
            yield Clock(name, unit, since, due, spec.first_answer, met_at, cancelled)


def _levels(past: Sequence[ClockMilestoneReached], pack: PolicyPack) -> list[str | None]:
    """The level in force after each milestone; None before the first grading in a level of this pack."""
    known = {level.code for level in pack.levels}
    graded: list[str | None] = []
    for reached in past:
        graded.append(reached.level if reached.level in known else graded[-1] if graded else None)
    return graded


def _meets(spec: packs.ClockRule, reached: ClockMilestoneReached) -> bool:
    return spec.is_met_by(cast("packs.Milestone", reached.milestone))


def _starts(spec: packs.ClockRule, reached: ClockMilestoneReached) -> bool:
    return spec.starts_at(cast("packs.Milestone", reached.milestone))


def _runs(spec: packs.ClockRule, past: Sequence[ClockMilestoneReached]) -> list[_Run]:
    starts = [index for index, reached in enumerate(past) if _starts(spec, reached)]
    if not starts:
        return []
    if spec.from_ in HANDED_OVER:
        ends: list[int | None] = [*starts[1:], None]
        return [_Run(start, _began(past[start]), end) for start, end in zip(starts, ends, strict=True)]
    first = starts[0]
    from_at = _began(past[first])
    if spec.from_ == "discovered":
        from_at = min(_began(past[index]) for index in starts)
    runs = [_Run(first, from_at, None)]
    reopened = [index for index, reached in enumerate(past) if reached.milestone == "reopened" and index > first]
    if spec.start_again_on_reopen:
        for at in reopened:
            again = at if spec.from_ in HAPPENS_ONCE else next((index for index in starts if index > at), None)
            if again is not None and again != runs[-1].began:
                runs.append(_Run(again, _began(past[again]), None))
    return runs


def _in_force(
    spec: packs.ClockRule,
    run: _Run,
    past: Sequence[ClockMilestoneReached],
    graded: Sequence[str | None],
    met_at: datetime | None,
    lowest: str,
) -> tuple[bool, Cancelled | None]:
    """Whether the clock ever applied, and why it no longer does.

    Until somebody grades it, a matter owes what the lowest level owes: leaving it ungraded must not stop the clock.
    The first grading cancels what it does not keep. From then on a first answer stays owed after regrading, hand-over
    and closing. Merging ends it, since it goes on elsewhere, and so does the decision that nothing is answered.
    """
    before, kind = None, None
    applied, cancelled = False, None
    for index, (reached, level) in enumerate(zip(past, graded, strict=True)):
        first_grading, before = before is None and level is not None, level
        kind = reached.answer_kind or kind
        if index < run.began:
            if reached.milestone == "merged":
                return False, None
            continue
        applies = (level or lowest) in spec.levels and (spec.answer_kinds is None or kind in spec.answer_kinds)
        at, unmet = reached.recorded_at, met_at is None or met_at > reached.recorded_at
        if applies:
            applied, cancelled = True, None
        elif applied and cancelled is None and unmet and (first_grading or not spec.first_answer):
            cancelled = Cancelled("regraded", at)
        if reached.milestone == "merged":
            return applied, cancelled or (Cancelled("merged", at) if unmet else None)
        if reached.milestone == "dismissed":
            return applied, cancelled or (Cancelled("dismissed", at) if unmet else None)
        if reached.milestone == "closed" and not spec.first_answer:
            return applied, cancelled or (Cancelled("closed", at) if unmet else None)
        if index == run.until and not spec.first_answer:
            return applied, cancelled or (Cancelled("reassigned", at) if unmet else None)
    return applied, cancelled


def _since(
    spec: packs.ClockRule, run: _Run, past: Sequence[ClockMilestoneReached], graded: Sequence[str | None], lowest: str
) -> datetime:
    """Where the time starts.

    The lowest level is known from the start. Another one is known from the first figures by which the pack proposes
    it; where there are none, one that the first grading gave from the start, one that a later one gave from that one.
    """
    if spec.anchor == "milestone" or lowest in spec.levels:
        return run.from_at
    gradings = [reached for reached, level in zip(past, graded, strict=True) if level and reached.level == level]
    known = next(index for index, reached in enumerate(gradings) if reached.level in spec.levels)
    known_at = gradings[known].known_at or (_began(gradings[known]) if known else run.from_at)
    return max(run.from_at, known_at)
