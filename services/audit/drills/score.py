"""What the record shows of a drill: for each thing that was expected of a unit, whether it was done, and in time. Pure.

It looks at the scenario's own expectations, at the limits and the approvals of the pack, and at whether one text was
said. Only what was due by the end counts. The order in which the events are given changes nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from schemas import drills as d
from schemas import escalation as e
from schemas import publish as p
from schemas.catalogue import PREFIX
from schemas.envelope import Event
from schemas.scenario import APPROVAL, LIMITS, ONE_TEXT, Expected, Scenario
from services.audit.findings.matter import Placed


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A drill after its end."""

    scenario: Scenario
    speed: int
    places: Mapping[str, str]
    """Part -> the unit that rehearses it."""
    sent: Mapping[str, datetime]
    """Inject -> when it was sent."""
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
    for one in of.scenario.expected:
        since, unit = of.sent.get(one.after), of.places.get(one.by)
        if since is None or unit is None:
            continue
        due = since + one.within / of.speed if one.within else None
        done = [at for at in told if _is_act(at, one, unit) and at.event.recorded >= since]
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

    unit: str
    due: datetime
    events: list[str]
    met: datetime | None = None
    late: bool = False
    breached: bool = False
    still: bool = False
    """Whether it stands still, was cancelled, or its breach does not stand."""

    def is_missed(self, by: datetime) -> bool:
        """Whether it had passed by then and the act is missing. One that was cancelled afterwards was missed, too."""
        return self.met is None and (self.breached or (not self.still and self.due <= by))


def _limits(of: Rehearsal, told: Sequence[Placed]) -> Iterator[d.DrillMark]:
    """The limits of the pack that were met, or had passed by the end."""
    units, limits = set(of.places.values()), dict[tuple[str, str], _Limit]()
    for one in sorted(told, key=lambda one: (one.event.stream, one.event.version)):
        data, clock = one.data, (one.event.stream, str(getattr(one.data, "clock", "")))
        if isinstance(data, e.ClockStarted):
            limit = limits.setdefault(clock, _Limit(data.unit, data.due, []))
            limit.unit, limit.due, limit.still = data.unit, data.due, data.paused_at is not None
        elif clock not in limits:
            continue
        limit = limits[clock]
        if isinstance(data, e.ClockMet):
            limit.met, limit.late = one.event.recorded, data.late
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
    for (_, name), limit in sorted(limits.items(), key=lambda one: (one[1].due, one[0])):
        missed = limit.is_missed(of.ended)
        if limit.unit not in units or not (limit.met or missed):
            continue
        yield d.DrillMark(
            criterion=LIMITS,
            what=name,
            basis="pack",
            unit=limit.unit,
            outcome="missed" if missed else "late" if limit.late else "met",
            due=limit.due,
            done=limit.met,
            events=tuple(limit.events),
        )


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
    """Whether one office spoke. The first one speaks; each further one with a text of its own spoke beside it."""
    units = set(of.places.values())
    said: dict[str, list[Placed]] = defaultdict(list)
    for one in told:
        if isinstance(one.data, p.StatementPublished) and one.data.unit in units:
            said[one.data.unit].append(one)
    if not said:
        return
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
