"""The packs of a matter, one after the other, and its clocks across them. Pure.

A move ends no duty that is owed already. What had ended or was overdue by then stays as it was, and a first answer
stays owed with its limit. The other clocks run by the new pack, from where they started; a limit that would have passed
before the move runs from the move on.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from schemas.escalation import ClockMilestoneReached
from services.escalation.clock.clocks import Clock
from services.escalation.clock.milestones import GRADINGS, in_order, is_own
from services.escalation.clock.runs import Cancelled
from services.kernel.core import units
from services.kernel.core.units import LoadedPack, Offices

JUDGED = (*GRADINGS, "levels_known")
"""Milestones that name levels, which mean something only in their own pack."""


class Move(NamedTuple):
    """The matter goes on under a pack; `at` is None for its first one."""

    at: datetime | None
    policy: str


class Era(NamedTuple):
    """From `since` on, the matter is under this pack."""

    since: datetime | None
    pack: LoadedPack


Under = Callable[[Sequence[ClockMilestoneReached], LoadedPack], Sequence[Clock]]
Anew = Callable[[Clock, datetime, LoadedPack], Clock]


def moves(milestones: Sequence[ClockMilestoneReached]) -> list[Move]:
    """The packs that the matter's milestones name, one after the other."""
    named = in_order(one for one in milestones if one.policy and is_own(one))
    return [Move(one.recorded_at if one.milestone == "policy_moved" else None, str(one.policy)) for one in named]


def with_values(
    pack: LoadedPack, begun: datetime | None, since: datetime, until: datetime | None, unit: str, offices: Offices
) -> list[Era]:
    """The eras of a pack from `since` to `until`, with the values that it leaves open and the unit set.

    What was in force at the begin stays in force for the matter. A value that was set later, where there was none,
    counts from then on.
    """
    values = offices.values_of(unit, pack.model.id, since)
    found = [Era(begun, units.with_values(pack, values))]
    above = offices.above(unit)
    for one in offices.values:
        is_its = one.pack == pack.model.id and one.unit in above and one.place not in values
        if is_its and one.since > since and (until is None or one.since < until):
            values = {**values, one.place: one}
            found.append(Era(one.since, units.with_values(pack, values)))
    return found


def derive(past: Sequence[ClockMilestoneReached], eras: Sequence[Era], under: Under, anew: Anew) -> tuple[Clock, ...]:
    """The clocks of the matter. `past` is in order.

    `under` derives the clocks by one pack, and `anew` lets a clock start at an instant.
    """
    if len(eras) == 1:
        return tuple(under(past, eras[0].pack))
    found = {clock.name: clock for clock in under(_told(past, eras, 0), eras[0].pack)}
    for number, era in enumerate(eras[1:], start=1):
        assert era.since is not None, "only the first pack has no begin"
        by_new = under(_told(past, eras, number), era.pack)
        found = _moved(found, by_new, era.since, eras[number - 1].pack, era.pack, anew)
    return tuple(found.values())


def _told(past: Sequence[ClockMilestoneReached], eras: Sequence[Era], number: int) -> list[ClockMilestoneReached]:
    """The milestones, without those that name levels of another pack. A value that an office sets makes no such."""
    pack = eras[number].pack
    until = next((era.since for era in eras[number + 1 :] if era.pack.ref != pack.ref), None)
    first = number
    while first and eras[first - 1].pack.model.id == pack.model.id:
        first -= 1
    earlier = eras[first].since if first else None
    return [
        one
        for one in past
        if one.milestone not in (*JUDGED, "policy_moved")
        or not ((until and one.recorded_at >= until) or (earlier and one.recorded_at < earlier))
    ]


def _moved(
    found: dict[str, Clock], by_new: Sequence[Clock], at: datetime, old: LoadedPack, new: LoadedPack, anew: Anew
) -> dict[str, Clock]:
    kept = {name: _of(clock, old) for name, clock in found.items() if clock.since < at and _stays(clock, at)}
    running = {name: clock for name, clock in found.items() if clock.since < at and name not in kept}
    goes_on: dict[str, Clock] = {}
    for clock in by_new:
        if clock.name in kept or _ended_by(clock, at):
            continue
        passed = clock.since < at and clock.due <= at
        goes_on[clock.name] = anew(clock, at, new) if passed else clock
    ended = {
        name: _of(replace(clock, met_at=None, cancelled=Cancelled("policy_moved", at)), old)
        for name, clock in running.items()
        if name not in goes_on
    }
    return {**kept, **ended, **goes_on}


def _of(clock: Clock, pack: LoadedPack) -> Clock:
    return clock if clock.policy else replace(clock, policy=pack.ref)


def _stays(clock: Clock, at: datetime) -> bool:
    """Whether the move changes nothing of the clock."""
    return clock.first_answer or clock.overdue(at) or _ended_by(clock, at)


def _ended_by(clock: Clock, at: datetime) -> bool:
    ended = clock.met_at or (clock.cancelled.at if clock.cancelled else None)
    return ended is not None and ended <= at
