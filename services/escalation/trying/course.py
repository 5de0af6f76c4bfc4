"""The course of a matter by its facts: the milestones that services would have recorded, and what escalation decides.

Time passes from fact to fact. A limit that is missed is seen at once, and each rung is reached at its own instant.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

from schemas import escalation as e
from schemas.envelope import seal
from schemas.fields import LevelKnown
from services.escalation.clock import limits
from services.escalation.clock.duties import terms_of
from services.escalation.clock.terms import Deferral, Moved
from services.escalation.commands import DetectBreaches, RecordMilestones
from services.escalation.decider import decide
from services.escalation.state import OnRecord, State, evolve
from services.escalation.trying.facts import Done, Facts
from services.escalation.upward import obligations
from services.kernel.core.commands import Command
from services.kernel.core.decider import SYSTEM, Ctx, Occurred
from services.kernel.core.ids import DerivedIds, derived
from services.kernel.core.units import LoadedPack, Offices, SpecialPeriod, Unit
from services.kernel.rules import grading
from services.kernel.rules.conditions import Figures

ON_LIMITS = ("extended", "paused", "resumed", "deferred")
_MOMENT = timedelta(microseconds=1)
"""How long after a due instant it is seen that it has passed."""
_STREAM = "clock-" + derived("evaluate")


def _offices(pack: LoadedPack, facts: Facts) -> Offices:
    """The tree that the facts name. Other units are beside the accountable one."""
    tree = (facts.unit, *facts.unit.above)
    parents = [*(unit.code for unit in tree[1:]), None]
    units = {
        unit.code: Unit(unit.code, unit.kind, unit.code, parent) for unit, parent in zip(tree, parents, strict=True)
    }
    for code in (*(one.unit for one in facts.assignments), *(done.unit for done in facts.events)):
        if code is not None and code not in units:
            units[code] = Unit(code, "unit", code, parents[0] or facts.unit.code)
    periods = tuple(SpecialPeriod(one.code, one.from_, one.until, facts.unit.code) for one in facts.periods)
    return Offices(units, {tree[-1].code: pack.ref}, {pack.ref: pack}, periods=periods)


class _Step(NamedTuple):
    """What was recorded at a time: milestones, or a limit that a person set."""

    at: datetime
    milestones: tuple[e.ClockMilestoneReached, ...] = ()
    limit: tuple[str, datetime] | None = None
    receipt: Done | None = None
    on_limits: str | None = None
    """A decision on the limits that run: `extended`, `paused`, `resumed` or `deferred`."""


def _steps(pack: LoadedPack, facts: Facts) -> list[_Step]:
    """All steps in order of their recording."""
    found = [*_opening(facts), *_judged(pack, facts)]
    if facts.answer_kind:
        at = max(facts.classified_at or facts.opened_at, facts.opened_at)
        found.append(_step("classified", at, at, answer_kind=facts.answer_kind))
    found += (_step("assigned", one.at, one.at, unit=one.unit) for one in facts.assignments)
    found += (_Step(limit.set_at, limit=(limit.clock, limit.due)) for limit in facts.limits)
    for done in facts.events:
        if done.act in ON_LIMITS:
            found.append(_Step(done.known_at, on_limits=done.act))
            continue
        step = _step(done.act, done.at, done.known_at, unit=done.unit or facts.unit.code, to=done.to)
        found.append(step._replace(receipt=done if done.act == "received" and done.unit is None else None))
    ordered = sorted(found, key=lambda step: step.at)
    return [_numbered(step, number) for number, step in enumerate(ordered)]


def _opening(facts: Facts) -> Iterator[_Step]:
    told = {"unit": facts.unit.code, "category": facts.category}
    opened = _step("opened", facts.opened_at, facts.opened_at, **told).milestones
    discovered = _step("discovered", facts.discovered_at, facts.opened_at, unit=facts.unit.code).milestones
    yield _Step(facts.opened_at, (*discovered, *opened))


def levels_known(
    pack: LoadedPack, grave: Sequence[grading.Fact], opened_at: datetime
) -> Iterator[e.ClockMilestoneReached]:
    """Since when each level was known, each time that a fact changed it."""
    known = dict[str, datetime]()
    for at, changes in groupby(grading.gravities(grave), attrgetter("at")):
        now = grading.risen(pack, known, changes)
        if now != known:
            known = now
            levels = tuple(LevelKnown(level=level, known_at=since) for level, since in now.items())
            yield from _step("levels_known", at, max(at, opened_at), levels=levels).milestones


def _judged(pack: LoadedPack, facts: Facts) -> Iterator[_Step]:
    """What was known of the level, and the gradings."""
    grave = list(gravity(facts))
    yield from (_Step(one.recorded_at, (one,)) for one in levels_known(pack, grave, facts.opened_at))
    grades: list[grading.Grade] = []
    for graded in facts.gradings:
        rank = grading.ranks(pack)[graded.level]
        then = grading.known(pack, [fact for fact in grave if fact.at <= graded.at])
        since = grading.known_at(pack, then, grades, rank, facts.discovered_at)
        name = "regraded" if grades else "graded"
        yield _step(name, graded.at, graded.at, level=graded.level, rank=rank, known_at=since)
        grades.append(grading.Grade(graded.level, since))


def gravity(facts: Facts) -> Iterator[grading.Fact]:
    """What tells how grave the matter is, each with its time."""
    if facts.figures is not None:
        yield grading.Counted(facts.discovered_at, "", facts.figures)
    for one in facts.figures_over_time:
        yield grading.Counted(one.at, "", Figures(**one.model_dump(exclude={"at"})))
    for flag in facts.flags:
        yield grading.Flagged(flag.at or facts.discovered_at, flag.code)
    if facts.harm is not None:
        yield grading.Harmed(facts.discovered_at, facts.harm)


def _step(milestone: str, happened_at: datetime, recorded_at: datetime, **more: Any) -> _Step:
    reached = e.ClockMilestoneReached(
        milestone=milestone, happened_at=happened_at, recorded_at=recorded_at, event=derived("evaluate"), **more
    )
    return _Step(recorded_at, (reached,))


def _numbered(step: _Step, number: int) -> _Step:
    """Ids that rise, so that what was recorded at one time keeps its order."""
    id_ = f"{number:08x}-0000-5000-8000-000000000000"
    return step._replace(milestones=tuple(one.model_copy(update={"event": id_}) for one in step.milestones))


def _told_at(at: datetime) -> datetime:
    """When a rung is reached, without the moments after which it is seen."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


class Course:
    """The matter's clock stream, as escalation would have written it."""

    def __init__(self, pack: LoadedPack, facts: Facts) -> None:
        self.pack, self.facts, self.offices = pack, facts, _offices(pack, facts)
        self.state = State()
        self.told: list[tuple[datetime, e.ClockReminderSent]] = []
        self._next: dict[str, datetime] = {}
        self._number = 0
        self._now = facts.discovered_at
        for step in _steps(pack, facts):
            if step.at <= facts.until:
                self._take(step)
        self._wait(facts.until, last=True)

    def _take(self, step: _Step) -> None:
        """Records a step, after everything that fell due before it."""
        self._wait(step.at)
        if step.limit:
            clock, due = step.limit
            terms = self.state.terms
            self.state = replace(self.state, terms=replace(terms, due={**terms.due, clock: Moved(due, step.at)}))
            self._do(DetectBreaches(until=step.at), step.at)
            return
        if step.on_limits:
            self._decide_on_limits(step.on_limits, step.at)
            self._do(DetectBreaches(until=step.at), step.at)
            return
        milestones = step.milestones
        if step.receipt:
            at = self._place_of(step.receipt)
            milestones = tuple(one.model_copy(update={"unit": at}) for one in milestones)
        self._do(RecordMilestones(milestones=milestones, basis=()), step.at)

    def _decide_on_limits(self, act: str, at: datetime) -> None:
        """Extends, pauses or defers each limit that runs, as far as the pack allows it."""
        terms = terms_of(self.state, self.offices)
        specs = {spec.name: spec for spec in self.pack.model.clocks}
        extended = dict[str, OnRecord]()
        for name, known in self.state.clocks.items():
            spec = specs.get(name.partition("#")[0])
            if spec is None or known.breach or known.met_at or known.cancelled:
                continue
            due = known.started.due
            if act == "extended" and spec.extension and not spec.extension.at_most.is_open:
                if known.granted < spec.extension.times:
                    original = known.original or due
                    later = terms.ends(original, spec.extension.at_most, self.pack.model).at
                    terms = replace(terms, due={**terms.due, name: Moved(later, at)})
                    extended[name] = replace(known, granted=known.granted + 1, original=original)
            elif act == "paused" and spec.pause:
                paused = e.ClockPaused(clock=name, reason=spec.pause.reasons[0].code, due=due)
                terms = limits.after(terms, paused, at)
            elif act == "resumed" and name in terms.pauses:
                terms = limits.after(terms, e.ClockResumed(clock=name), at)
            elif act == "deferred" and spec.deferral:
                limit = spec.deferral.review
                review = None if limit.is_open else terms.ends(at, limit, self.pack.model).at
                told = (*terms.deferred.get(name, ()), Deferral(at, review))
                terms = replace(terms, deferred={**terms.deferred, name: told})
        clocks = {**self.state.clocks, **extended}
        self.state = replace(self.state, clocks=clocks, terms=replace(terms, own=self.state.terms.own))

    def _place_of(self, receipt: Done) -> str:
        """Where the addressee sits: for the hop that waits for it, or else in the accountable unit."""
        owed = obligations.owed(self.state.milestones, self.pack.model, self.offices)
        return next((one.unit for one in owed if one.hop.to == receipt.to), self.facts.unit.code)

    def _wait(self, until: datetime, *, last: bool = False) -> None:
        """Lets time pass: limits are missed and rungs are reached, each at its own instant.

        What falls due at `until` itself can still be done then, unless the day is over.
        """
        seen = set[tuple[str, datetime]]()
        while waiting := [(at, name, over) for at, name, over in self._due() if (name, at) not in seen]:
            at, name, over = min(waiting)
            if at > until or (at == until and not (last and over)):
                return
            seen.add((name, at))
            # What a late fact shows to be overdue is seen when the fact was recorded.
            now = max(self._next.get(name, at) + _MOMENT, self._now)
            self._do(DetectBreaches(until=now), now)

    def _due(self) -> Iterator[tuple[datetime, str, bool]]:
        """What falls due next on each clock, and whether that very instant is too late."""
        for name, known in self.state.clocks.items():
            if known.breach is None and known.met_at is None and not known.cancelled:
                yield known.started.due, name, known.started.due_is_late
            elif known.breach is not None and name in self._next:
                yield _told_at(self._next[name]), name, True

    def _do(self, command: Command, now: datetime) -> None:
        self._number += 1
        self._now = now
        ctx = Ctx(now=now, actor=SYSTEM, offices=self.offices, ids=DerivedIds("evaluate", str(self._number)))
        for item in decide(self.state, command, ctx):
            fact = item if isinstance(item, Occurred) else Occurred(item)
            self._number += 1
            event = seal(
                fact.data,
                id=derived("evaluate", str(self._number)),
                source="/huiying/evaluate/escalation",
                stream=_STREAM,
                version=self._number,
                previous=None,
                time=fact.time or now,
                recorded=now,
                partitionkey=_STREAM,
                actor=SYSTEM.post,
                policy=fact.policy,
            )
            self.state = evolve(self.state, event)
            match fact.data:
                case e.ClockBreached() | e.ClockReminderSent() | e.ClockReminderSpared() as data:
                    self._next.pop(data.clock, None)
                    if data.next_at:
                        self._next[data.clock] = data.next_at
                    if isinstance(data, e.ClockReminderSent):
                        self.told.append((_told_at(now), data))
                case e.ClockBreachAnnulled() as data:
                    self._next.pop(data.clock, None)
