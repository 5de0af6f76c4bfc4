"""Clocks as a fold over milestones: pure, and the same for every order of arrival.

A clock starts when its milestone happened, but not later than the recording. It is met when the owed act was recorded.
Milestones are folded in order of (`recorded_at`, event), so a topic that is ahead of another one changes nothing.

Milestones with an `incident` were reached under another matter. If that matter was merged into this one, they count
from the merger on, with the time of their recording. If this matter was split off from the other one, they meet nothing
here; they excuse the time until the split.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from operator import attrgetter
from typing import Any, Literal, NamedTuple, cast

from schemas.escalation import ClockMilestoneReached
from schemas.pack import PolicyPack
from schemas.pack import clocks as packs
from schemas.triage import AnswerKind
from services.escalation.terms import USUAL, Nature, Pause, Terms, after_pauses, applies, known_from
from services.kernel.rules import calendars

HAPPENS_ONCE = ("discovered", "opened")
"""A matter has each of these once. After a reopening, the reopening takes their place."""
HANDED_OVER = ("assigned", "transferred")
"""Each of these milestones starts its clock anew, for the unit that it names."""
_RECORDED = attrgetter("recorded_at")
_ABSORBED = attrgetter("absorbed_at")
GRADINGS = ("graded", "regraded")
KNOWLEDGE = ("discovered", *GRADINGS, "levels_known")
ENDINGS = ("closed", "dismissed", "merged")
LINKS = ("absorbed", "split", "split_off")
"""Here `incident` is the other matter, and the milestone belongs to this one."""
OF_ONE_MATTER = frozenset(
    {
        *LINKS,
        "opened",
        "policy_moved",
        "grown",
        "classified",
        "transferred",
        "closed",
        "dismissed",
        "reopened",
        "merged",
    },
)
"""Another matter does not take these over: they tell the matter's own nature and course."""


Cause = Literal[
    "regraded", "classified", "deferred", "merged", "closed", "dismissed", "reassigned", "policy_moved", "grown"
]
_CAUSES: Mapping[str, Cause] = {"classified": "classified", "transferred": "reassigned"}
"""Milestones after which a clock may be owed no more, besides gradings."""


class Cancelled(NamedTuple):
    """Why a clock ended without being met, and when that was recorded."""

    cause: Cause
    at: datetime


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
    """When it was done, if it was entered later. A reviewer's finding decides which of the two counts."""
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


def in_order(milestones: Iterable[ClockMilestoneReached]) -> list[ClockMilestoneReached]:
    """The one order in which milestones count."""
    return sorted(milestones, key=lambda reached: (reached.recorded_at, reached.event, reached.milestone))


def derive(milestones: Iterable[ClockMilestoneReached], pack: PolicyPack, terms: Terms = USUAL) -> tuple[Clock, ...]:
    """All clocks of the matter, past and present, in the pack's order.

    While no level is known, the clocks of the lowest level run.
    """
    past = in_order(milestones)
    stages, terms = _stages(past, pack), _told(past, terms)
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
    warns = tuple(warning + (due.at - clock.due) for warning in clock.warns)
    return replace(clock, since=at, due=due.at, provisional=due.provisional, warns=warns)


def is_carried(reached: ClockMilestoneReached, split_at: datetime | None) -> bool:
    """Whether a milestone passes to another matter, into which this was merged or which was split off at an instant."""
    if reached.milestone in OF_ONE_MATTER:
        return False
    return split_at is None or (reached.milestone not in KNOWLEDGE and reached.recorded_at < split_at)


def counted(milestones: Iterable[ClockMilestoneReached]) -> list[ClockMilestoneReached]:
    """The matter's own milestones, and those of the matters that were merged into it."""
    milestones = list(milestones)
    absorbed = {reached.incident for reached in milestones if reached.milestone == "absorbed"}
    return [reached for reached in milestones if is_own(reached) or reached.incident in absorbed]


def is_own(reached: ClockMilestoneReached) -> bool:
    """Whether the milestone was reached under this incident."""
    return reached.incident is None or reached.milestone in LINKS


def accountable(past: Sequence[ClockMilestoneReached], at: datetime | None = None) -> str | None:
    """The unit that is accountable by the records until `at`, or now. `past` is in order."""
    unit = None
    for reached in past:
        if reached.milestone == "opened" or (
            reached.milestone == "transferred" and (at is None or reached.recorded_at <= at)
        ):
            unit = reached.unit
    return unit


def assigned(past: Sequence[ClockMilestoneReached], at: datetime | None = None) -> str | None:
    """The unit that handled the matter by the records until `at`, or handles it now. `past` is in order."""
    unit = None
    for reached in past:
        if at is not None and reached.recorded_at > at:
            break
        if reached.milestone in ("assigned", "returned") and is_own(reached):
            unit = reached.unit if reached.milestone == "assigned" else None
    return unit


def level_of(past: Sequence[ClockMilestoneReached]) -> str | None:
    """The level in force; None before the first grading. `past` is in order.

    In a past as `growth.followed` gives it, this is the level that a matter follows which has grown.
    """
    judged = (
        one
        for one in reversed(past)
        if is_own(one) and (one.milestone in (*GRADINGS, "policy_moved") or (one.milestone == "grown" and one.level))
    )
    return next((one.level for one in judged), None)


def _began(reached: ClockMilestoneReached) -> datetime:
    """When it happened. The recorder's clock may have been ahead."""
    return min(reached.happened_at, reached.recorded_at)


class _Run(NamedTuple):
    """One run of a clock."""

    began: int
    """Index of the milestone that started it."""
    from_at: datetime
    """When that happened. Only milestones that were recorded later can meet the clock."""
    counts_from: datetime
    """From when the time counts. The office may know only when its duty window opens."""
    until: int | None
    """Index of the hand-over that ended it."""


class _Other(NamedTuple):
    """A matter that was merged into this one."""

    absorbed_at: datetime
    done: Sequence[ClockMilestoneReached]
    """The milestones under it, in order."""

    def met(self, spec: packs.ClockRule) -> list[datetime]:
        """For each clock, when the owed act was recorded, in order."""
        return [reached.recorded_at for reached in self.done if _meets(spec, reached)]

    def known(self, spec: packs.ClockRule, pack: PolicyPack) -> datetime | None:
        """For each clock that starts at the discovery, its start there, as known by the merger."""
        past = [reached for reached in self.done if reached.recorded_at <= self.absorbed_at]
        start = min((_began(reached) for reached in past if reached.milestone == "discovered"), default=None)
        if start is None or spec.from_ != "discovered" or not _waits_for_level(spec, pack):
            return start if spec.from_ == "discovered" else None
        known = _known(spec, past, [reached.level for reached in past], start)
        return known and max(start, known)


@dataclass(frozen=True, slots=True)
class _Past:
    """The records of the matter up to an instant: the next merger, or now."""

    own: Sequence[ClockMilestoneReached]
    graded: Sequence[str | None]
    """The level in force after each own milestone; None before the first grading in a level of the pack."""
    others: Sequence[_Other]
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


def _telling(past: Sequence[ClockMilestoneReached], mergers: Sequence[datetime]) -> list[ClockMilestoneReached]:
    """The milestones without discoveries that change nothing.

    The first discovery stays. Of those that are earlier than all before, the last one by each merger stays, and by now.

    `past` is in order.
    """
    kept: list[ClockMilestoneReached] = []
    stage = 0
    for reached in past:
        if reached.milestone != "discovered" or (kept and _began(kept[-1]) <= _began(reached)):
            continue
        known_by, stage = stage, bisect_right(mergers, reached.recorded_at)
        if len(kept) > 1 and known_by == stage:
            kept.pop()
        kept.append(reached)
    telling = {id(reached) for reached in kept}
    return [reached for reached in past if reached.milestone != "discovered" or id(reached) in telling]


def _stages(past: Sequence[ClockMilestoneReached], pack: PolicyPack) -> list[_Past]:
    """The matter before each merger, and now."""
    absorbed = {reached.incident: reached.recorded_at for reached in past if reached.milestone == "absorbed"}
    mergers = sorted(set(absorbed.values()))
    own = _telling([one for one in past if is_own(one) and one.milestone not in LINKS], mergers)
    done: dict[str | None, list[ClockMilestoneReached]] = {incident: [] for incident in absorbed}
    for reached in past:
        if reached.incident in done and not is_own(reached):
            done[reached.incident].append(reached)
    others = sorted((_Other(at, done[incident]) for incident, at in absorbed.items()), key=_ABSORBED)
    split = next((reached for reached in past if reached.milestone == "split_off"), None)
    excuses = [] if split is None else [one for one in past if _excuses(one, split)]
    born = split.recorded_at if split else None
    graded, stages = _levels(own, pack), []
    for until in (*mergers, None):
        length = bisect_left(own, until, key=_RECORDED) if until else len(own)
        before = bisect_left(others, until, key=_ABSORBED) if until else len(others)
        stages.append(_Past(own[:length], graded[:length], others[:before], until, born, excuses))
    return stages


def _excuses(reached: ClockMilestoneReached, split: ClockMilestoneReached) -> bool:
    """Whether it was reached before the split, under the matter that this one was split off from."""
    return reached.incident == split.incident and not is_own(reached) and reached.recorded_at < split.recorded_at


class _There(NamedTuple):
    """A clock's share in the merged matters: when it was met there, and where it started. Both are in order."""

    met: list[datetime]
    since: list[datetime]

    def take(self, other: _Other, spec: packs.ClockRule, pack: PolicyPack, terms: Terms) -> None:
        """Adds a matter that was merged."""
        for at in other.met(spec):
            insort(self.met, at)
        if since := other.known(spec, pack):
            insort(self.since, known_from(since, pack, terms))


def _clocks_of(spec: packs.ClockRule, stages: Sequence[_Past], pack: PolicyPack, terms: Terms) -> Iterable[Clock]:
    """The clocks of the last stage. Each stage keeps the results of the stage before."""
    there, taken, clocks = _There([], []), 0, dict[str, Clock]()
    for past in stages:
        for other in past.others[taken:]:
            there.take(other, spec, pack, terms)
        taken, found = len(past.others), dict[str, Clock]()
        for number, run in enumerate(_runs(spec, past.own, pack, terms), start=1):
            name = spec.name if number == 1 else f"{spec.name}#{number}"
            if clock := _clock(name, spec, run, past, there, pack, terms):
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
        done = [one.recorded_at for one in own if _meets(spec, one) and one.recorded_at >= deferral.at]
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
    run: _Run,
    past: _Past,
    there: _There,
    pack: PolicyPack,
    terms: Terms,
) -> Clock | None:
    """One run of a clock; None if it never applied."""
    met_at = _met(spec, run.from_at, past, there)
    applied, cancelled = _in_force(spec, run, past.own, past.graded, met_at, pack, terms)
    if not applied:
        return None
    since = _since(spec, run, past, there, pack, terms)
    if spec.limit.is_open and name not in terms.due:
        return None
    due = _due(since, spec, pack, terms, name)
    if past.born and run.from_at < past.born and name not in terms.due:
        met_there = any(_meets(spec, one) and one.recorded_at >= run.from_at for one in past.excuses)
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
    unit = _charged(spec, past, due.at, met_at)
    if unit is None:
        return None
    return Clock(
        name,
        unit,
        since,
        due.at,
        spec.first_answer,
        met_at,
        _happened(spec, run, past, met_at),
        cancelled,
        provisional=due.provisional,
        counts_work=calendars.counts_work(spec.limit),
        due_is_late=calendars.ends_with_a_day(spec.limit) and (moved is None or _is_midnight(due.at, pack)),
        warns=_warns(spec, due.at),
        paused_at=next((pause.since for pause in pauses if pause.until is None), None),
    )


def _until_closed(pauses: Sequence[Pause], own: Sequence[ClockMilestoneReached]) -> Sequence[Pause]:
    """The pauses, each until the closing at the latest: nobody would let the clock go on after it."""
    closed = [one.recorded_at for one in own if one.milestone == "closed"]
    if not closed:
        return pauses
    ends = ((pause, next((at for at in closed if at >= pause.since), None)) for pause in pauses)
    return [pause._replace(until=min(pause.until or at, at)) if at else pause for pause, at in ends]


def _warns(spec: packs.ClockRule, due: datetime) -> tuple[datetime, ...]:
    return tuple(sorted(due - before for before in spec.warn))


def _is_midnight(at: datetime, pack: PolicyPack) -> bool:
    return at.astimezone(pack.timezone).time() == time.min


def _met(spec: packs.ClockRule, since: datetime, past: _Past, there: _There) -> datetime | None:
    """When the owed act was first recorded since an instant, here or in a merged matter."""
    met = [next((one.recorded_at for one in past.own if _meets(spec, one) and one.recorded_at >= since), None)]
    first = bisect_left(there.met, since)
    met += there.met[first : first + 1]
    return min((at for at in met if at and (past.until is None or at < past.until)), default=None)


def _happened(spec: packs.ClockRule, run: _Run, past: _Past, met_at: datetime | None) -> datetime | None:
    """When the owed act was done, if that was before its recording."""
    if met_at is None:
        return None
    done = [_began(one) for one in past.own if _meets(spec, one) and _began(one) >= run.from_at]
    return min((at for at in done if at < met_at), default=None)


def _charged(spec: packs.ClockRule, past: _Past, due: datetime, met_at: datetime | None) -> str | None:
    """Who is charged: the unit that handled it, or was accountable, when it fell due, or when it was met before."""
    at = due if met_at is None else min(due, met_at)
    handling = assigned(past.own, at) if spec.charged == "assigned" else None
    return handling or accountable(past.own, at)


def _merged(
    clock: Clock,
    before: Clock | None,
    spec: packs.ClockRule,
    past: _Past,
    there: _There,
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
    unit = _charged(spec, past, first.due, first.met_at)
    return replace(first, unit=unit) if unit else clock


def _as(before: Clock, clock: Clock) -> Clock:
    """The clock with the limit of another one."""
    return replace(clock, since=before.since, due=before.due, provisional=before.provisional, warns=before.warns)


def _from(since: datetime, clock: Clock, spec: packs.ClockRule, pack: PolicyPack, terms: Terms) -> Clock:
    due = _due(since, spec, pack, terms)
    return replace(clock, since=since, due=due.at, provisional=due.provisional, warns=_warns(spec, due.at))


def _due(
    since: datetime, spec: packs.ClockRule, pack: PolicyPack, terms: Terms, name: str | None = None
) -> calendars.Due:
    if moved := terms.due.get(name or ""):
        return calendars.Due(moved.due)
    return terms.ends(since, spec.limit, pack)


def _levels(past: Sequence[ClockMilestoneReached], pack: PolicyPack) -> list[str | None]:
    """The level in force after each milestone; None before the first grading in a level of this pack."""
    known = {level.code for level in pack.levels}
    graded: list[str | None] = []
    for reached in past:
        before = graded[-1] if graded and reached.milestone != "policy_moved" else None
        graded.append(reached.level if reached.level in known else before)
    return graded


def _meets(spec: packs.ClockRule, reached: ClockMilestoneReached) -> bool:
    return spec.is_met_by(cast("packs.Act", reached.milestone))


def _starts(spec: packs.ClockRule, reached: ClockMilestoneReached) -> bool:
    return spec.starts_at(cast("packs.Act", reached.milestone))


def _runs(spec: packs.ClockRule, past: Sequence[ClockMilestoneReached], pack: PolicyPack, terms: Terms) -> list[_Run]:
    starts = [index for index, reached in enumerate(past) if _starts(spec, reached)]
    if not starts:
        return []
    if spec.from_ in HANDED_OVER:
        ends: list[int | None] = [*starts[1:], None]
        return [_run(past, start, end) for start, end in zip(starts, ends, strict=True)]
    first = starts[0]
    from_at = _began(past[first])
    if spec.from_ == "discovered":
        from_at = min(_began(past[index]) for index in starts)
    counts_from = known_from(from_at, pack, terms) if spec.from_ == "discovered" else from_at
    runs = [_Run(first, from_at, counts_from, None)]
    reopened = [index for index, reached in enumerate(past) if reached.milestone == "reopened" and index > first]
    for at in reopened:
        if not spec.again and not _was_dismissed_unanswered(spec, past[runs[-1].began : at]):
            continue
        again = at if spec.from_ in HAPPENS_ONCE else next((index for index in starts if index > at), None)
        if again is not None and again != runs[-1].began:
            runs.append(_run(past, again))
    return runs


def _run(past: Sequence[ClockMilestoneReached], began: int, until: int | None = None) -> _Run:
    return _Run(began, _began(past[began]), _began(past[began]), until)


def _was_dismissed_unanswered(spec: packs.ClockRule, past: Sequence[ClockMilestoneReached]) -> bool:
    """Whether a dismissal ended a first answer that was owed. A reopening then owes it anew."""
    dismissed = any(reached.milestone == "dismissed" for reached in past)
    return spec.first_answer and dismissed and not any(_meets(spec, reached) for reached in past)


def _in_force(
    spec: packs.ClockRule,
    run: _Run,
    past: Sequence[ClockMilestoneReached],
    graded: Sequence[str | None],
    met_at: datetime | None,
    pack: PolicyPack,
    terms: Terms,
) -> tuple[bool, Cancelled | None]:
    """Whether the clock ever applied, and why it ended.

    Until somebody grades it, a matter owes what the lowest level owes, and until a kind of answer is chosen, the
    strictest of the level. So nobody stops a clock by not deciding. The first grading and the first choice cancel what
    they do not keep. From then on a first answer stays due after
    regrading, hand-over and closing. A merger ends it, since it goes on elsewhere. A refusal of all reports ends it,
    too.
    """
    known, kinds = dict[Nature, bool](), {answer.kind for answer in pack.answers}
    before, kind = None, None
    applied, cancelled = False, None
    for index, (reached, level) in enumerate(zip(past, graded, strict=True)):
        # A matter that grew was graded by nobody.
        judged = level if reached.milestone in (*GRADINGS, "policy_moved") else before
        first_grading, before = before is None and judged is not None, judged
        # A kind that this pack does not have was chosen by another one, and chooses nothing here.
        chosen = reached.answer_kind if not kinds or reached.answer_kind in kinds else None
        first_kind, kind = kind is None and chosen is not None, chosen or kind
        if index < run.began:
            if reached.milestone == "merged":
                return False, None
            continue
        nature = Nature(level or pack.lowest, cast("AnswerKind | None", kind), terms.unit_at(reached.recorded_at))
        if nature not in known:
            known[nature] = applies(spec, nature, run.from_at, pack, terms)
        owed = known[nature]
        at, unmet = reached.recorded_at, met_at is None or met_at > reached.recorded_at
        if owed:
            applied, cancelled = True, None
        elif applied and cancelled is None and unmet and (first_grading or first_kind or not spec.first_answer):
            cancelled = Cancelled(_CAUSES.get(reached.milestone, "regraded"), at)
        if reached.milestone == "merged":
            return applied, cancelled or (Cancelled("merged", at) if unmet else None)
        if reached.milestone == "dismissed":
            return applied, cancelled or (Cancelled("dismissed", at) if unmet else None)
        if reached.milestone == "closed" and not spec.first_answer:
            return applied, cancelled or (Cancelled("closed", at) if unmet else None)
        if index == run.until and not spec.first_answer:
            return applied, cancelled or (Cancelled("reassigned", at) if unmet else None)
    return applied, cancelled


def _waits_for_level(spec: packs.ClockRule, pack: PolicyPack) -> bool:
    first = pack.levels[0].code if pack.levels else None
    return spec.anchor == "level_known" and spec.levels is not None and first not in spec.levels


def _since(spec: packs.ClockRule, run: _Run, past: _Past, there: _There, pack: PolicyPack, terms: Terms) -> datetime:
    """The time from which a clock counts, for its level.

    The lowest level is known from the start. After a merger, the earliest knowledge of the matters counts.
    """
    if not _waits_for_level(spec, pack):
        return run.counts_from
    known = [_known(spec, past.own, past.graded, run.from_at), *there.since[:1]]
    starts = (known_from(at, pack, terms) for at in known if at)
    return max(run.counts_from, min(starts, default=run.counts_from))


def _known(
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
                judged.append(min(told, default=_began(reached) if graded else start))
            graded = True
    return min((at for at in (facts, *judged) if at), default=None) if judged else None
