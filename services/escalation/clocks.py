"""Clocks as a fold over milestones: pure, and the same whatever order the milestones arrived in.

A clock starts at what happened, but no later than it was recorded, and is met by what was recorded. Milestones are
folded in order of (`recorded_at`, event), so a topic that is ahead of another one changes nothing.

Milestones with an `incident` were reached under another one. What was done under a matter that was merged into this one
counts from the merger on, as of when it was recorded. What was done under the matter that this one was split off from
meets nothing here; it excuses the time until the split.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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
GRADINGS = ("graded", "regraded")
KNOWLEDGE = ("discovered", *GRADINGS)
LINKS = ("absorbed", "split", "split_off")
"""Here `incident` is the other matter, and the milestone is this one's."""
OF_ONE_MATTER = frozenset(
    {*LINKS, "opened", "classified", "transferred", "closed", "dismissed", "reopened", "merged"},
)
"""What another matter does not get: what the matter is, and how it went on."""


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
    stages = [_Past.of(past, until, pack) for until in (*_mergers(past), None)]
    return tuple(clock for spec in pack.clocks for clock in _clocks_of(spec, stages, pack, extended or {}))


def is_carried(reached: ClockMilestoneReached, split_at: datetime | None) -> bool:
    """Whether another matter gets the milestone: one that this was merged into, or that was split off at an instant."""
    if reached.milestone in OF_ONE_MATTER:
        return False
    return split_at is None or (reached.milestone not in KNOWLEDGE and reached.recorded_at <= split_at)


def counted(milestones: Iterable[ClockMilestoneReached]) -> list[ClockMilestoneReached]:
    """The matter's own milestones, and those of what was merged into it."""
    milestones = list(milestones)
    absorbed = {reached.incident for reached in milestones if reached.milestone == "absorbed"}
    return [reached for reached in milestones if is_own(reached) or reached.incident in absorbed]


def is_own(reached: ClockMilestoneReached) -> bool:
    """Whether it was reached under this incident."""
    return reached.incident is None or reached.milestone in LINKS


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
        if reached.milestone in ("assigned", "returned") and is_own(reached):
            unit = reached.unit if reached.milestone == "assigned" else None
    return unit


def level_of(past: Sequence[ClockMilestoneReached]) -> str | None:
    """The level in force, or None before the first grading. `past` is in order."""
    return next((reached.level for reached in reversed(past) if reached.level is not None and is_own(reached)), None)


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


@dataclass(frozen=True, slots=True)
class _Past:
    """What had been recorded of the matter before an instant, the next merger, or of it as it is now."""

    own: Sequence[ClockMilestoneReached]
    others: Mapping[str | None, Sequence[ClockMilestoneReached]]
    """What was reached under matters that were merged into this one, by matter."""
    graded: Sequence[str | None]
    """The level in force after each own milestone; None before the first grading in a level of the pack."""
    merger: datetime | None
    """When the last matter was merged into this one."""
    born: datetime | None
    """When it was split off from another one."""
    excuses: Sequence[ClockMilestoneReached]
    """What had been done by then under that one."""

    @staticmethod
    def of(past: Sequence[ClockMilestoneReached], until: datetime | None, pack: PolicyPack) -> "_Past":
        past = [reached for reached in past if until is None or reached.recorded_at < until]
        own = [reached for reached in past if is_own(reached)]
        others: dict[str | None, list[ClockMilestoneReached]] = {
            reached.incident: [] for reached in own if reached.milestone == "absorbed"
        }
        split = next((reached for reached in own if reached.milestone == "split_off"), None)
        excuses = []
        for reached in past:
            if is_own(reached):
                continue
            if reached.incident in others:
                others[reached.incident].append(reached)
            if split and reached.incident == split.incident and reached.recorded_at <= split.recorded_at:
                excuses.append(reached)
        graded, born = _levels(own, pack), split.recorded_at if split else None
        return _Past(own, others, graded, max(_mergers(own), default=None), born, excuses)

    def met(self, spec: packs.ClockRule, since: datetime) -> datetime | None:
        """When what the clock asks for was first recorded since an instant, here or in what was merged into it."""
        all_ = (self.own, *self.others.values())
        return min((m.recorded_at for of in all_ for m in of if _meets(spec, m, since)), default=None)


def _mergers(past: Iterable[ClockMilestoneReached]) -> list[datetime]:
    """When other matters were merged into this one, in order."""
    return sorted({reached.recorded_at for reached in past if reached.milestone == "absorbed"})


def _clocks_of(
    spec: packs.ClockRule, stages: Sequence[_Past], pack: PolicyPack, extended: Mapping[str, datetime]
) -> Iterable[Clock]:
    """The clocks of the last stage; each stage keeps what the one before it had settled."""
    clocks: dict[str, Clock] = {}
    for past in stages:
        found: dict[str, Clock] = {}
        for number, run in enumerate(_runs(spec, past.own), start=1):
            name = spec.name if number == 1 else f"{spec.name}#{number}"
            with contextlib.suppress(calendars.YearNotAnnounced):
                if clock := _clock(name, spec, run, past, pack, extended):
                    found[name] = _merged(clock, clocks.get(name), spec, past, pack)
        clocks = found
    return clocks.values()


def _clock(
    name: str, spec: packs.ClockRule, run: _Run, past: _Past, pack: PolicyPack, extended: Mapping[str, datetime]
) -> Clock | None:
    """One run of a clock, or None where it never applied."""
    lowest, met_at = pack.levels[0].code, past.met(spec, run.from_at)
    applied, cancelled = _in_force(spec, run, past.own, past.graded, met_at, lowest)
    if not applied:
        return None
    since = _since(spec, run, past, lowest)
    due = extended.get(name) or _due(since, spec, pack)
    if past.born and run.from_at < past.born and name not in extended:
        met_there = any(_meets(spec, reached, run.from_at) for reached in past.excuses)
        if met_there or due <= past.born:
            since, due = past.born, _due(past.born, spec, pack)
    clock = Clock(name, "", since, due, spec.first_answer, None if cancelled else met_at, cancelled)
    return _charged(clock, past)


def _charged(clock: Clock, past: _Past) -> Clock | None:
    unit = accountable(past.own, clock.due if clock.met_at is None else min(clock.due, clock.met_at))
    return replace(clock, unit=unit) if unit else None


def _merged(clock: Clock, before: Clock | None, spec: packs.ClockRule, past: _Past, pack: PolicyPack) -> Clock:
    """The clock as the last merger leaves it, where the matter had it as `before`.

    A limit that the matter had missed by then stays what it was; what was done elsewhere counts for it from the merger
    on. Else the earliest limit holds that is not missed by the merger alone: of both together, and of each by itself.
    Where all would be, it is owed anew.
    """
    if past.merger is None:
        return clock
    if before and before.overdue(past.merger):
        met_at = clock.met_at and (before.met_at or max(clock.met_at, past.merger))
        return replace(clock, unit=before.unit, since=before.since, due=before.due, met_at=met_at)
    limits = [clock, *([replace(clock, since=before.since, due=before.due)] if before else [])]
    there = _known_there(spec, past, pack.levels[0].code)
    limits += (replace(clock, since=since, due=_due(since, spec, pack)) for since in there)
    kept = [limit for limit in limits if not limit.overdue(past.merger)]
    anew = [] if kept else [replace(clock, since=past.merger, due=_due(past.merger, spec, pack))]
    return _charged(min(kept or anew, key=lambda limit: limit.due), past) or clock


def _due(since: datetime, spec: packs.ClockRule, pack: PolicyPack) -> datetime:
    return calendars.due(since, spec.limit, pack.timezone, pack.workday)


def _levels(past: Sequence[ClockMilestoneReached], pack: PolicyPack) -> list[str | None]:
    """The level in force after each milestone; None before the first grading in a level of this pack."""
    known = {level.code for level in pack.levels}
    graded: list[str | None] = []
    for reached in past:
        graded.append(reached.level if reached.level in known else graded[-1] if graded else None)
    return graded


def _meets(spec: packs.ClockRule, reached: ClockMilestoneReached, since: datetime) -> bool:
    return reached.recorded_at >= since and spec.is_met_by(cast("packs.Milestone", reached.milestone))


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


def _since(spec: packs.ClockRule, run: _Run, past: _Past, lowest: str) -> datetime:
    """Where the time starts.

    The lowest level is known from the start. Another one is known from the first figures by which the pack proposes
    it; where there are none, one that the first grading gave from the start, one that a later one gave from that one.
    Of matters that were merged the earliest knowledge counts.
    """
    if spec.anchor == "milestone" or lowest in spec.levels:
        return run.from_at
    known = [_known(spec, past.own, past.graded, run.from_at), *_known_there(spec, past, lowest)]
    return max(run.from_at, min((at for at in known if at), default=run.from_at))


def _known_there(spec: packs.ClockRule, past: _Past, lowest: str) -> Iterator[datetime]:
    """Where the time of a clock from the discovery on started for each matter that was merged into this one."""
    for of in past.others.values():
        start = min((_began(reached) for reached in of if reached.milestone == "discovered"), default=None)
        if start and spec.from_ == "discovered":
            of_level = spec.anchor == "level_known" and lowest not in spec.levels
            known = _known(spec, of, [reached.level for reached in of], start) if of_level else start
            if known:
                yield max(start, known)


def _known(
    spec: packs.ClockRule, past: Sequence[ClockMilestoneReached], levels: Sequence[str | None], start: datetime | None
) -> datetime | None:
    gradings = [reached for reached, level in zip(past, levels, strict=True) if level and reached.level == level]
    known = next((index for index, reached in enumerate(gradings) if reached.level in spec.levels), None)
    if known is None:
        return None
    return gradings[known].known_at or (_began(gradings[known]) if known else start)
