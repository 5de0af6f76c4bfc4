"""What the record shows of a drill: for each thing that was expected of a unit, whether it was done, and in time. Pure.

It looks at the scenario's own expectations, at the limits and the approvals of the pack, and at whether one text was
said. Only what was due by the end counts, and what is expected after an inject is looked for in the inject's matter.
The order in which the events are given changes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from schemas import drills as d
from schemas import escalation as e
from schemas import publish as p
from schemas import triage as t
from schemas.catalogue import PREFIX
from schemas.envelope import Event
from schemas.scenario import APPROVAL, LIMITS, ONE_TEXT, Expected, Scenario
from services.audit.findings.matter import Placed
from services.kernel.core.ids import stream_of


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A drill after its end."""

    scenario: Scenario
    speed: int
    places: Mapping[str, str]
    """Part -> the unit that rehearses it."""
    sent: Mapping[str, datetime]
    """Inject -> when it was sent. One that did not reach its matter is none of them: nothing is owed after it."""
    matters: Mapping[str, str]
    """Inject -> the matter that it was on."""
    ended: datetime


class Score(NamedTuple):
    """The marks in their order, and the posts that acted."""

    marks: tuple[d.DrillMark, ...]
    posts: tuple[str, ...]


def score(rehearsal: Rehearsal, events: Iterable[Placed]) -> Score:
    """The score by the events of the drill's matters. What was recorded after the end is left out."""
    known = {one.event.id: one for one in events if one.data is not None and one.event.recorded <= rehearsal.ended}
    told = sorted(known.values(), key=lambda one: one.order)
    marks = [
        *_expected(rehearsal, told),
        *_limits(rehearsal, told),
        *_approvals(rehearsal, told),
        *_one_text(rehearsal, told),
    ]
    units = set(rehearsal.places.values())
    posts = {one.event.actor for one in told if _unit_of(one.event) in units}
    return Score(tuple(marks), tuple(sorted(posts)))


def totals(marks: Iterable[d.DrillMark]) -> dict[str, int]:
    """Outcome -> how many marks have it."""
    found = dict.fromkeys(("met", "late", "missed", "wrong"), 0)
    for mark in marks:
        found[mark.outcome] += 1
    return found


def _expected(of: Rehearsal, told: Sequence[Placed]) -> Iterator[d.DrillMark]:
    onward = _onward(told)
    spoken = {one.event.stream: one.data.incident for one in told if hasattr(one.data, "incident")}
    for one in of.scenario.expected:
        since, unit = of.sent.get(one.after), of.places.get(one.by)
        if since is None or unit is None or one.after not in of.matters:
            continue
        due = since + one.within / of.speed if one.within else None
        matters = _reached(of.matters[one.after], onward)
        acts = (at for at in told if _is_act(at, one, unit) and not matters.isdisjoint(_matters_of(at, spoken)))
        done = [at for at in acts if at.event.recorded >= since]
        right = next((at for at in done if _is_right(at, one, of)), None)
        if not done and due is not None and due > of.ended:
            continue
        shown = right or (done[-1] if done else None)
        at = shown and shown.event.recorded
        yield d.DrillMark(
            criterion=one.criterion,
            what=one.code,
            basis="scenario",
            unit=unit,
            outcome=_outcome(right is not None, bool(done), due, at),
            due=due,
            done=at,
            events=(shown.event.id,) if shown else (),
        )


def _outcome(is_right: bool, is_done: bool, due: datetime | None, at: datetime | None) -> d.Outcome:
    if not is_done:
        return "missed"
    if not is_right:
        return "wrong"
    return "late" if due is not None and at is not None and at > due else "met"


def _is_act(one: Placed, expected: Expected, unit: str) -> bool:
    return one.event.type.removeprefix(PREFIX).rpartition(".v")[0] == expected.act and _unit_of(one.event) == unit


def _matters_of(one: Placed, spoken: Mapping[str, str]) -> set[str]:
    """The matters that an event is on. A merging is on both. `spoken` are the matters of the statements."""
    if one.event.kind == "statement":
        return {spoken.get(one.event.stream, "")}
    into = {one.data.into} if isinstance(one.data, t.IncidentMerged) else set()
    return {stream_of("incident", one.event.stream), *into}


def _onward(told: Iterable[Placed]) -> Mapping[str, set[str]]:
    """Matter -> the matters in which it goes on: the one that it was merged into, and those split off from it."""
    onward = defaultdict[str, set[str]](set)
    for one in told:
        match one.data:
            case t.IncidentMerged(into=into):
                onward[one.event.stream].add(into)
            case t.IncidentOpened(split_from=former) if former:
                onward[former].add(one.event.stream)
    return onward


def _reached(matter: str, onward: Mapping[str, set[str]]) -> set[str]:
    """The matter, and all in which it goes on."""
    reached, further = set[str](), {matter}
    while further:
        reached |= further
        further = {one for each in further for one in onward.get(each, ())} - reached
    return reached


def _unit_of(event: Event) -> str:
    """The unit of the post that acted; empty for the system."""
    return event.actor.partition("@")[2]


def _is_right(one: Placed, expected: Expected, of: Rehearsal) -> bool:
    to = expected.to
    if to is not None and of.places.get(to, to) not in _addressees(one.data):
        return False
    if expected.level is not None and getattr(one.data, "level", None) != expected.level:
        return False
    return set(expected.approval) <= _agreed(one.data)


def _addressees(data: Any) -> Collection[str]:
    match data:
        case e.ClockReportedUpward() | e.ClockOfficeInformed():
            return (data.addressee, data.to)
        case _:
            return (getattr(data, "unit", ""),)


def _agreed(data: Any) -> set[str]:
    """The addressees of the pack who agreed to what was published."""
    return {one.who for one in getattr(data, "approvals", ()) if one.act == "approved"}


@dataclass(slots=True)
class _Limit:
    """A limit of the pack so far."""

    name: str
    unit: str
    due: datetime
    still: bool = False
    """Whether it stands still, was cancelled, or its breach does not stand."""
    events: list[str] = field(default_factory=list)
    met: datetime | None = None
    late: bool = False
    breached: bool = False

    def is_missed(self, by: datetime) -> bool:
        """Whether it had passed by then and the act is missing. One that was cancelled afterwards was missed, too."""
        return self.met is None and (self.breached or (not self.still and self.due <= by))


def _limits(of: Rehearsal, told: Sequence[Placed]) -> Iterator[d.DrillMark]:
    """The limits of the pack that were met, or had passed by the end."""
    units = set(of.places.values())
    for limit in sorted(_all_limits(told), key=lambda one: (one.due, one.name, one.unit, one.events)):
        missed = limit.is_missed(of.ended)
        if limit.unit not in units or not (limit.met or missed):
            continue
        yield d.DrillMark(
            criterion=LIMITS,
            what=limit.name,
            basis="pack",
            unit=limit.unit,
            outcome="missed" if missed else "late" if limit.late else "met",
            due=limit.due,
            done=limit.met,
            events=tuple(limit.events),
        )


def _all_limits(told: Iterable[Placed]) -> Iterator[_Limit]:
    """Each limit at the end, and those that a unit had met before another one got them."""
    limits, former = dict[tuple[str, str], _Limit](), dict[tuple[str, str], list[_Limit]]()
    for one in sorted(told, key=lambda one: (one.event.stream, one.event.version)):
        data, clock = one.data, (one.event.stream, str(getattr(one.data, "clock", "")))
        if isinstance(data, e.ClockStarted):
            known = limits.get(clock)
            limits[clock] = _started(data, known)
            if known and known.met and known.unit != data.unit:
                former.setdefault(clock, []).append(known)
        elif clock not in limits:
            continue
        limit = limits[clock]
        if isinstance(data, e.ClockMet):
            limit.met, limit.late = data.met_at, data.late
            # The same act under another unit is one limit, and not two.
            former[clock] = [other for other in former.get(clock, ()) if other.met != data.met_at]
        elif isinstance(data, e.ClockBreached):
            limit.breached = True
        elif isinstance(data, e.ClockBreachAnnulled):
            limit.breached, limit.late, limit.still = False, False, True
        elif isinstance(data, e.ClockExtended | e.ClockLimitSet):
            limit.due = data.due
        elif isinstance(data, e.ClockCancelled | e.ClockPaused | e.ClockResumed):
            limit.still = not isinstance(data, e.ClockResumed)
        elif not isinstance(data, e.ClockStarted):
            continue
        limit.events.append(one.event.id)
    yield from limits.values()
    for kept in former.values():
        yield from kept


def _started(data: e.ClockStarted, known: _Limit | None) -> _Limit:
    """A limit that starts, also anew: what met it before does not count, since that act was undone or is another's."""
    limit = _Limit(data.clock, data.unit, data.due, data.paused_at is not None)
    if known and known.unit == data.unit:
        limit.events, limit.breached = known.events, known.breached
    return limit


def _approvals(of: Rehearsal, told: Sequence[Placed]) -> Iterator[d.DrillMark]:
    """Whether each statement that is public carries the answer to each step of its chain."""
    units = set(of.places.values())
    for one in told:
        if not isinstance(one.data, p.StatementPublished) or one.data.unit not in units or not one.data.steps:
            continue
        answered = {answer.step for answer in one.data.approvals if answer.act == "approved"}
        yield d.DrillMark(
            criterion=APPROVAL,
            what=one.data.kind,
            basis="pack",
            unit=one.data.unit,
            outcome="met" if {step.code for step in one.data.steps} <= answered else "wrong",
            done=one.event.recorded,
            events=(one.event.id,),
        )


def _one_text(of: Rehearsal, told: Sequence[Placed]) -> Iterator[d.DrillMark]:
    """Whether one office spoke on a matter. The first one speaks; each further one with a text of its own spoke beside
    it.
    """
    units, one_matter = set(of.places.values()), _one_matter(of, told)
    said: dict[str, dict[str, list[Placed]]] = {}
    for one in told:
        if isinstance(one.data, p.StatementPublished) and one.data.unit in units:
            said.setdefault(one_matter(one.data.incident), defaultdict(list))[one.data.unit].append(one)
    for by in said.values():
        yield from _spoken(by)


def _one_matter(of: Rehearsal, told: Iterable[Placed]) -> Callable[[str], str]:
    """Gives the name that all matters have in common that count as one: those that were merged, and the first one with
    those whose merging the scenario expects. Else an office that merges nothing would be free to say two texts.
    """
    merged = {one.event.stream: one.data.into for one in told if isinstance(one.data, t.IncidentMerged)}

    def end(matter: str) -> str:
        passed = set[str]()
        while matter in merged and matter not in passed:
            passed.add(matter)
            matter = merged[matter]
        return matter

    injects = sorted(of.scenario.injects, key=lambda one: one.at)
    first = next((of.matters[one.code] for one in injects if one.code in of.matters), None)
    owed = {one.after for one in of.scenario.expected if one.act == "incident.merged"}
    same = {end(of.matters[inject]) for inject in owed if inject in of.matters}
    return lambda matter: end(first) if first and end(matter) in same else end(matter)


def _spoken(said: Mapping[str, Sequence[Placed]]) -> Iterator[d.DrillMark]:
    first, *others = said
    texts = {one.data.text for one in said[first]}
    for unit in (first, *others):
        own = [one for one in said[unit] if unit == first or one.data.text not in texts]
        if own:
            yield d.DrillMark(
                criterion=ONE_TEXT,
                what=ONE_TEXT,
                basis="scenario",
                unit=unit,
                outcome="met" if unit == first else "wrong",
                done=own[0].event.recorded,
                events=tuple(one.event.id for one in own),
            )
