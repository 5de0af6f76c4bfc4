"""What a pack asks of a unit's desk, for what of it nobody is planned, and what a special period would change. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import NamedTuple

from schemas.pack import PolicyPack
from schemas.pack.office import Roster
from services.escalation.duty import coverage
from services.escalation.duty.coverage import Span
from services.escalation.duty.desk import Shift
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Unavailable
from services.kernel.core.units import LoadedPack, SpecialPeriod


def rules(unit: str, ctx: Ctx) -> Roster | None:
    """What the unit's pack asks of its desk; None if it asks for no duty."""
    pack = pack_of(unit, ctx)
    return pack.model.roster if pack else None


def pack_of(unit: str, ctx: Ctx) -> LoadedPack | None:
    try:
        return ctx.offices.pack(unit)
    except Unavailable:
        return None


def uncovered(
    shifts: Iterable[Shift], unit: str, during: Span, ctx: Ctx, periods: Iterable[SpecialPeriod] | None = None
) -> list[Span]:
    """The times within `during` for which nobody is planned. `periods` are by default those that hold for the unit."""
    pack = pack_of(unit, ctx)
    if pack is None or pack.model.roster is None:
        return []
    planned = (Span(one.since, one.until) for one in shifts if can_come(one, ctx))
    wanted = ctx.offices.periods_of(unit) if periods is None else periods
    return coverage.gaps(pack.model, wanted, planned, during)


def can_come(shift: Shift, ctx: Ctx) -> bool:
    """Whether anybody can still come: nobody does to a duty that lies ahead if its posts are in no directory any more.

    What is over stays as it was planned.
    """
    posts = (shift.by, shift.post, shift.substitute)
    return shift.until <= ctx.now or any(post is not None and ctx.offices.has_post(post) for post in posts)


class Change(NamedTuple):
    """What a special period changes at a desk: the hours of a day, and the times that only it leaves uncovered."""

    hours: timedelta | None
    hours_then: timedelta | None
    uncovered: list[Span]


def change(shifts: Sequence[Shift], unit: str, code: str, during: Span, ctx: Ctx) -> Change | None:
    """The change at a unit's desk if the period went on during this time; None for a desk that it does not concern."""
    asked = rules(unit, ctx)
    if asked is None or code not in {special.period for special in asked.special}:
        return None
    known = ctx.offices.periods_of(unit)
    now = ctx.offices.periods_at(unit, during.since)
    then = (*known, SpecialPeriod(code, during.since, None, unit))
    before = uncovered(shifts, unit, during, ctx)
    added = [span for whole in uncovered(shifts, unit, during, ctx, then) for span in coverage.free(whole, before)]
    return Change(hours(asked, now), hours(asked, now | {code}), added)


def hours(asked: Roster, periods: Iterable[str]) -> timedelta | None:
    """The hours of duty of a day in these periods; None where the pack leaves them open."""
    special = (one.hours for one in asked.special if one.period in periods)
    found = [one for one in (asked.coverage.value, *special) if one is not None]
    return max(found, default=None)


def limits_of(pack: PolicyPack, code: str) -> Iterator[tuple[str, str]]:
    """Name and title of the limits and reports upward whose rules look at a period."""
    rules_of_pack = [(clock.name, clock.title_zh, clock.when) for clock in pack.clocks]
    rules_of_pack += [(report.code, report.title_zh, report.when) for report in pack.reports]
    for name, title, when in rules_of_pack:
        if when and "periods" in when and code in when:
            yield name, title


def known_at_arrival(pack: PolicyPack, code: str) -> bool:
    """Whether a report outside the hours of duty is known at its arrival only because of the period."""
    asked = pack.roster
    if asked is None or not asked.windows or asked.outside_hours.value != "window_start":
        return False
    return any(one.period == code and one.hours >= timedelta(days=1) for one in asked.special)
