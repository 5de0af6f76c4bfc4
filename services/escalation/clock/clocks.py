"""Clocks as a fold over milestones: pure, and the same for every order of arrival.

A clock starts when its milestone happened, but not later than the recording. It is met when the owed act was recorded.
Milestones are folded in order of (`recorded_at`, event), so a topic that is ahead of another one changes nothing.

Milestones with an `incident` were reached under another matter. If that matter was merged into this one, they count
from the merger on, with the time of their recording. If this matter was split off from the other one, they meet nothing
here; they excuse the time until the split.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from typing import Any, cast

from schemas.escalation import ClockMilestoneReached
from schemas.pack import PolicyPack
from schemas.pack import clocks as packs
from services.escalation.clock.milestones import ENDINGS, accountable, assigned, began, in_order, is_own
from services.escalation.clock.runs import Cancelled, Run, counts_from, in_force, runs_of
from services.escalation.clock.stages import Past, There, meets, stages_of
from services.escalation.clock.terms import USUAL, Pause, Terms, after_pauses
from services.kernel.rules import calendars


@dataclass(frozen=True, slots=True)
class Clock:
    """A time limit of a matter. `name` is the pack's name, with `#2` and so on if it runs again."""

    name: str
    unit: str
    """The accountable unit when it fell due, or when it was met."""
    since: datetime
    due: datetime
    first_answer: bool
    met_at: datetime | None = None
    """When the owed act was recorded, even if it was late."""
    happened_at: datetime | None = None
    """When it was done, if it was entered later. An auditor's finding decides which of the two counts."""
    cancelled: Cancelled | None = None
    provisional: bool = False
    """Whether the due instant rests on a year whose days are not announced."""
    counts_work: bool = False
    """Whether it depends on which days are working days."""
    due_is_late: bool = False
    """Whether the due instant itself is too late, since the day is over then."""
    warns: tuple[datetime, ...] = ()
    """When the charged unit is warned, in order."""
    paused_at: datetime | None = None
    """Since when it stands still."""
    policy: str | None = None
    """The earlier pack by which it goes on; None for the matter's present pack."""

    @property
    def late(self) -> bool:
        return self.met_at is not None and self._too_late(self.met_at)

    @property
    def late_by(self) -> timedelta | None:
        """How late the owed act was recorded; None if it was in time, or is missing."""
        return self.met_at - self.due if self.met_at and self._too_late(self.met_at) else None

    @property
    def late_by_happened(self) -> timedelta | None:
        """How late the owed act was done."""
        done = self.happened_at or self.met_at
        return done - self.due if done and self._too_late(done) else None

    def _too_late(self, at: datetime) -> bool:
        return at > self.due or (self.due_is_late and at == self.due)

    @property
    def runs(self) -> bool:
        """Whether the owed act is still missing."""
        return self.met_at is None and self.cancelled is None

    def overdue(self, at: datetime) -> bool:
        """Whether the limit had passed by `at` without the owed act, while the clock was in force."""
        if self.paused_at and not self._too_late(self.paused_at):
            return False
        if self.cancelled and self.cancelled.cause == "grown":
            # A matter that grew is not late with its end, also at the midnight at which it grew.
            return False
        ended = self.met_at or (self.cancelled.at if self.cancelled else None)
        return self.due < at and (ended is None or self._too_late(ended))


def derive(milestones: Iterable[ClockMilestoneReached], pack: PolicyPack, terms: Terms = USUAL) -> tuple[Clock, ...]:
    """All clocks of the matter, past and present, in the pack's order.

    While no level is known, the clocks of the lowest level run.
    """
    past = in_order(milestones)
    stages, terms = stages_of(past, pack), _told(past, terms)
    levels = {level or pack.lowest for level in stages[-1].graded}
    specs = [
        spec
        for spec in pack.clocks
        if (not spec.limit.is_open or spec.per_case) and (spec.levels is None or levels.intersection(spec.levels))
    ]
    return tuple(clock for spec in specs for clock in _clocks_of(spec, stages, pack, terms))


def _told(past: Sequence[ClockMilestoneReached], terms: Terms) -> Terms:
    """The terms, with what the opening of the matter tells for conditions."""
    opened = next((one for one in past if one.milestone == "opened" and is_own(one)), None)
    told = {"category": opened.category, "channel": opened.channel} if opened else {}
    told = {name: value for name, value in told.items() if value is not None}
    return replace(terms, context=terms.context.model_copy(update=told)) if told else terms


def anew(clock: Clock, at: datetime, pack: PolicyPack, terms: Terms) -> Clock:
    """The clock with its limit from an instant on."""
    rule = pack.timed.get(clock.name.partition("#")[0])
    if rule is None or rule.limit.is_open or clock.name in terms.due:
        return clock
    due = terms.ends(at, rule.limit, pack)
    spec = next((spec for spec in pack.clocks if spec.name == clock.name.partition("#")[0]), None)
    warns = _warns(spec, at, due.at, pack, terms) if spec else ()
    return replace(clock, since=at, due=due.at, provisional=due.provisional, warns=warns)


def _clocks_of(spec: packs.ClockRule, stages: Sequence[Past], pack: PolicyPack, terms: Terms) -> Iterable[Clock]:
    """The clocks of the last stage. Each stage keeps the results of the stage before."""
    there, taken, clocks = There([], []), 0, dict[str, Clock]()
    for past in stages:
        for other in past.others[taken:]:
            there.take(other, spec, pack, terms)
        taken, found = len(past.others), dict[str, Clock]()
        acts = [one for one in past.own if meets(spec, one)]
        for number, run in enumerate(runs_of(spec, past.own, pack, terms), start=1):
            name = spec.name if number == 1 else f"{spec.name}#{number}"
            if clock := _clock(name, spec, run, past, acts, there, pack, terms):
                found[name] = _merged(clock, clocks.get(name), spec, past, there, pack, terms)
        clocks = found
    reviews = (_reviews(clock, spec, stages[-1].own, terms) for clock in clocks.values())
    return [clock for name, more in zip(clocks, reviews, strict=True) for clock in (clocks[name], *more)]


def _reviews(
    clock: Clock, spec: packs.ClockRule, own: Sequence[ClockMilestoneReached], terms: Terms
) -> Iterable[Clock]:
    """For each deferral, a clock until its date of review. The owed act meets it, or the next deferral.

    The review of a first answer stays owed where the first answer would: after the closing, and under another pack.
    """
    deferrals, ends = (
        terms.deferred.get(clock.name, ()),
        [end for end in ENDINGS if end != "closed" or not spec.first_answer],
    )
    for number, deferral in enumerate(deferrals, start=1):
        if deferral.review is None:
            continue
        done = [one.recorded_at for one in own if meets(spec, one) and one.recorded_at >= deferral.at]
        done += [later.at for later in deferrals[number : number + 1]]
        name = f"{clock.name}.review" if number == 1 else f"{clock.name}.review#{number}"
        ended = next((one for one in own if one.milestone in ends and one.recorded_at >= deferral.at), None)
        met_at = min(done, default=None)
        over = ended is not None and (met_at is None or met_at > ended.recorded_at)
        yield replace(
            clock,
            name=name,
            since=deferral.at,
            due=deferral.review,
            met_at=None if over else met_at,
            happened_at=None,
            cancelled=Cancelled(cast("Any", ended.milestone), ended.recorded_at) if ended and over else None,
            provisional=False,
            counts_work=False,
            due_is_late=False,
            warns=(),
            paused_at=None,
        )


def _clock(
    name: str,
    spec: packs.ClockRule,
    run: Run,
    past: Past,
    acts: Sequence[ClockMilestoneReached],
    there: There,
    pack: PolicyPack,
    terms: Terms,
) -> Clock | None:
    """One run of a clock; None if it never applied. `acts` are those of the matter that can meet it."""
    start = past.own[run.began]
    # A round may be known before it is opened. What was done by then belongs to the round before.
    met_at = _met(acts, start.recorded_at if start.milestone == "reopened" else run.from_at, past, there)
    applied, cancelled = in_force(spec, run, past.own, past.graded, met_at, pack, terms)
    if not applied:
        return None
    since = counts_from(spec, run, past, there, pack, terms)
    if spec.limit.is_open and name not in terms.due:
        return None
    due = _due(since, spec, pack, terms, name)
    if past.born and run.from_at < past.born and name not in terms.due:
        met_there = any(meets(spec, one) and one.recorded_at >= run.from_at for one in past.excuses)
        if met_there or due.at <= past.born:
            since, due = past.born, _due(past.born, spec, pack, terms)
    moved, pauses = terms.due.get(name), _until_closed(terms.pauses.get(name, ()), past.own)
    # A limit that was moved counts the rest of a pause.
    counted = [pause._replace(since=max(pause.since, moved.at)) if moved else pause for pause in pauses]
    due = after_pauses(due, counted, spec.limit, pack, terms.own_at(since))
    deferral = next(iter(terms.deferred.get(name, ())), None)
    if deferral and not cancelled and (met_at is None or met_at > deferral.at):
        cancelled = Cancelled("deferred", deferral.at)
    met_at = None if cancelled else met_at
    own = past.own
    if cancelled:
        # Whoever came with what ended it was never charged with it.
        before = bisect_left(own, cancelled.at, key=lambda one: one.recorded_at)
        own = own[: max(before, run.began + 1)]
    unit = _charged(spec, own, due.at, met_at)
    if unit is None:
        return None
    return Clock(
        name,
        unit,
        since,
        due.at,
        spec.first_answer,
        met_at,
        _happened(acts, run, met_at),
        cancelled,
        provisional=due.provisional,
        counts_work=calendars.counts_work(spec.limit),
        due_is_late=calendars.ends_with_a_day(spec.limit) and (moved is None or _is_midnight(due.at, pack)),
        warns=_warns(spec, since, due.at, pack, terms),
        paused_at=next((pause.since for pause in pauses if pause.until is None), None),
    )


def _until_closed(pauses: Sequence[Pause], own: Sequence[ClockMilestoneReached]) -> Sequence[Pause]:
    """The pauses, each until the closing at the latest: nobody would let the clock go on after it."""
    closed = [one.recorded_at for one in own if one.milestone == "closed"]
    if not closed:
        return pauses
    ends = ((pause, next((at for at in closed if at >= pause.since), None)) for pause in pauses)
    return [pause._replace(until=min(pause.until or at, at)) if at else pause for pause, at in ends]


def _warns(
    spec: packs.ClockRule, since: datetime, due: datetime, pack: PolicyPack, terms: Terms
) -> tuple[datetime, ...]:
    """When the unit is warned. In a limit in working time, the time before its end is working time, too."""
    hours = pack.workday
    if spec.limit.mode != "working_time" or hours is None:
        return tuple(sorted(due - before for before in spec.warn))
    own = terms.own_at(since)
    spans = (calendars.span(before, hours) for before in spec.warn)
    return tuple(sorted(calendars.earlier_by_working_time(due, one, pack.timezone, hours, own) for one in spans))


def _is_midnight(at: datetime, pack: PolicyPack) -> bool:
    return at.astimezone(pack.timezone).time() == time.min


def _met(acts: Sequence[ClockMilestoneReached], since: datetime, past: Past, there: There) -> datetime | None:
    """When the owed act was first recorded since an instant, here or in a merged matter."""
    met = [next((one.recorded_at for one in acts if one.recorded_at >= since), None)]
    first = bisect_left(there.met, since)
    met += there.met[first : first + 1]
    return min((at for at in met if at and (past.until is None or at < past.until)), default=None)


def _happened(acts: Iterable[ClockMilestoneReached], run: Run, met_at: datetime | None) -> datetime | None:
    """When the owed act was done, if that was before its recording."""
    if met_at is None:
        return None
    done = [began(one) for one in acts if began(one) >= run.from_at]
    return min((at for at in done if at < met_at), default=None)


def _charged(
    spec: packs.ClockRule, own: Sequence[ClockMilestoneReached], due: datetime, met_at: datetime | None
) -> str | None:
    """Who is charged: the unit that handled it, or was accountable, when it fell due, or when it was met before."""
    at = due if met_at is None else min(due, met_at)
    handling = assigned(own, at) if spec.charged == "assigned" else None
    return handling or accountable(own, at)


def _merged(
    clock: Clock,
    before: Clock | None,
    spec: packs.ClockRule,
    past: Past,
    there: There,
    pack: PolicyPack,
    terms: Terms,
) -> Clock:
    """The clock after the last merger. `before` is the matter's clock before it.

    A limit that the matter had missed by then stays missed; work under the other matter counts for it from the merger
    on. Otherwise there are the limit of both matters together and the limit of each by itself. The earliest of these
    holds that the merger alone does not breach. If the merger would breach all of them, the limit starts anew. An
    extended limit stays as it is.
    """
    merger = past.merger
    if merger is None:
        return clock
    if before and before.overdue(merger):
        met_at = clock.met_at and (before.met_at or max(clock.met_at, merger))
        return replace(_as(before, clock), unit=before.unit, met_at=met_at)
    if clock.name in terms.due:
        return clock
    limits = [clock, *([_as(before, clock)] if before else [])]
    # The common limit is as early as the earlier one, unless the matter was split off and begins later.
    starts = there.since if past.born or clock.overdue(merger) else []
    at = bisect_left(starts, True, key=lambda since: not _from(since, clock, spec, pack, terms).overdue(merger))
    limits += (_from(since, clock, spec, pack, terms) for since in starts[at : at + 1])
    kept = [limit for limit in limits if not limit.overdue(merger)] or [_from(merger, clock, spec, pack, terms)]
    first = min(kept, key=lambda limit: limit.due)
    unit = clock.unit if clock.cancelled else _charged(spec, past.own, first.due, first.met_at)
    return replace(first, unit=unit) if unit else clock


def _as(before: Clock, clock: Clock) -> Clock:
    """The clock with the limit of another one."""
    return replace(clock, since=before.since, due=before.due, provisional=before.provisional, warns=before.warns)


def _from(since: datetime, clock: Clock, spec: packs.ClockRule, pack: PolicyPack, terms: Terms) -> Clock:
    due = _due(since, spec, pack, terms)
    return replace(
        clock, since=since, due=due.at, provisional=due.provisional, warns=_warns(spec, since, due.at, pack, terms)
    )


def _due(
    since: datetime, spec: packs.ClockRule, pack: PolicyPack, terms: Terms, name: str | None = None
) -> calendars.Due:
    if moved := terms.due.get(name or ""):
        return calendars.Due(moved.due)
    return terms.ends(since, spec.limit, pack)
