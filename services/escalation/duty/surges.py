"""The early warning: more reports on a matter, in a category or from a place than usual. One stream a unit. Pure.

It counts what came to the office's own channels, as escalation heard it from triage: a fold by the hour, which a replay
builds again. It advises to staff a matter and names no person.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

from schemas.envelope import Event
from schemas.escalation import SurgeNoticed
from schemas.pack.office import Surge
from services.escalation.commands import CountArrivals
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.ids import derived
from services.kernel.core.problems import Unavailable

LONGEST = timedelta(days=60)
"""How far back counts are read."""


class Arrivals(NamedTuple):
    """The reports of one hour; `by` is matter, category or place, `code` which one."""

    by: str
    code: str
    hour: datetime
    reports: int


class Rate(NamedTuple):
    """The reports within the window, and the usual number for as long a time."""

    reports: int
    usual: float


@dataclass(frozen=True, slots=True)
class State:
    """(by, code) -> the last warning."""

    noticed: Mapping[tuple[str, str], SurgeNoticed] = field(default_factory=dict)


def stream_of_unit(unit: str) -> str:
    """The stream of a unit's early warnings."""
    return f"surge-{derived('surge', unit)}"


def initial_state() -> State:
    """No warning yet."""
    return State()


def evolve(state: State, event: Event) -> State:
    """The state after a warning."""
    if not isinstance(event.data, SurgeNoticed):
        return state
    data = event.data
    return replace(state, noticed={**state.noticed, (data.by, code_of(data)): data})


def code_of(data: SurgeNoticed) -> str:
    """Which matter, category or place a warning is about."""
    return {"matter": data.incident, "category": data.category, "place": data.place}[data.by] or ""


def begin(rule: Surge, now: datetime) -> datetime:
    """When the window begins that ends now: with a whole hour, since reports are counted by the hour."""
    return (now - rule.window).replace(minute=0, second=0, microsecond=0)


def rates(arrivals: Iterable[Arrivals], rule: Surge, now: datetime) -> dict[tuple[str, str], Rate]:
    """The rate of each matter, category and place of which a report came within the window."""
    begins = begin(rule, now)
    since = begins - min(rule.compared_over, LONGEST)
    found, before = dict[tuple[str, str], int](), dict[tuple[str, str], int]()
    for one in arrivals:
        counts = found if begins <= one.hour <= now else before if since <= one.hour < begins else None
        if counts is not None:
            counts[one.by, one.code] = counts.get((one.by, one.code), 0) + one.reports
    share = (now - begins) / (begins - since)
    return {key: Rate(number, round(before.get(key, 0) * share, 2)) for key, number in found.items()}


def decide(state: State, command: CountArrivals, ctx: Ctx) -> Decided:
    """A warning for each rate beyond the usual one. While it goes on, a further one when the number has doubled."""
    try:
        pack = ctx.offices.pack(command.unit)
    except Unavailable:
        return []
    rule = pack.model.surge
    if rule is None:
        return []
    posts = sorted(ctx.offices.receivers(command.unit, rule.to))
    told = next(iter(posts), None) or ctx.offices.officer(command.unit) or ctx.offices.head(command.unit)
    made = []
    arrivals = (Arrivals(*one) for one in command.arrivals)
    for (by, code), rate in sorted(rates(arrivals, rule, ctx.now).items()):
        last = state.noticed.get((by, code))
        goes_on = last is not None and last.until > ctx.now - rule.window
        needed = max(rule.at_least, rule.factor * rate.usual, 2 * last.reports if last and goes_on else 0)
        if rate.reports < needed:
            continue
        warning = SurgeNoticed(
            unit=command.unit,
            by=cast("Any", by),
            incident={"matter": code, "place": command.matters.get(code)}.get(by),
            category=code if by == "category" else None,
            place=code if by == "place" else None,
            reports=rate.reports,
            usual=rate.usual,
            since=begin(rule, ctx.now),
            until=ctx.now,
            told=told,
        )
        made.append(Occurred(warning, policy=pack.ref, basis=ctx.offices.basis, unit=command.unit))
    return made


DECIDER = Decider("surge", initial_state, evolve, decide)
