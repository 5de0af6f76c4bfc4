"""The special periods of units: when each begins and ends. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from schemas.fields import Typed
from schemas.offices import PolicyPeriodClosed, PolicyPeriodOpened
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.triage.offices.office_commands import ClosePeriod, OpenPeriod


class Span(NamedTuple):
    """The last time of a period; `until` is None while nobody said when it ends."""

    since: datetime
    until: datetime | None = None


Periods = Mapping[tuple[str, str], Span]
"""(unit, period) -> its last time."""


def after(periods: Periods, data: PolicyPeriodOpened | PolicyPeriodClosed) -> Periods:
    """The periods after an event."""
    until = data.until if isinstance(data, PolicyPeriodClosed) else None
    return {**periods, (data.unit, data.period): Span(data.since, until)}


def opened(periods: Periods, command: OpenPeriod, ctx: Ctx) -> Decided:
    """It begins now at the earliest, so that no past decision comes under another rule."""
    pack = ctx.offices.pack(command.unit)
    known = [period.code for period in pack.model.periods]
    if command.period not in known:
        raise Malformed(
            f"period: {pack.name} has no special period {command.period}; it has {', '.join(known) or 'none'}",
            code="period-unknown",
            field="period",
            pack=pack.name,
            period=command.period,
            known=known,
        )
    since = max(command.since or ctx.now, ctx.now)
    for unit in ctx.offices.above(command.unit):
        span = periods.get((unit, command.period))
        if span and (span.until is None or span.until > since):
            raise Rejected(
                f"the period {command.period} of {unit} goes on for {command.unit} at that time; "
                "close it first, or name a later begin",
                code="period-open",
                period=command.period,
                unit=unit,
            )
    fact = PolicyPeriodOpened(period=command.period, unit=command.unit, since=since, reason=Typed(text=command.reason))
    return [Occurred(fact, policy=pack.ref)]


def closed(periods: Periods, command: ClosePeriod, ctx: Ctx) -> Decided:
    """It ends now at the earliest. One that has not begun yet ends at its begin, and so never was."""
    ctx.offices.unit(command.unit)
    span = periods.get((command.unit, command.period))
    if span is None or (span.until is not None and span.until <= ctx.now):
        raise Rejected(
            f"{command.unit} has no special period {command.period} that goes on or is to come; look at GET /periods",
            code="period-not-open",
            period=command.period,
            unit=command.unit,
        )
    until = max(command.until or ctx.now, ctx.now, span.since)
    fact = PolicyPeriodClosed(
        period=command.period,
        unit=command.unit,
        since=span.since,
        until=until,
        reason=Typed(text=command.reason),
    )
    return [fact]
