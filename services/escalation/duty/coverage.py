"""When a desk must be staffed by its pack, and when nobody is planned for it. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple

from schemas.pack import PolicyPack
from services.kernel.core.units import SpecialPeriod


class Span(NamedTuple):
    """A time, without its last instant."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        return self.until - self.since


class Need(NamedTuple):
    """So many hours of duty within these times."""

    within: tuple[Span, ...]
    hours: timedelta


def gaps(pack: PolicyPack, periods: Iterable[SpecialPeriod], planned: Iterable[Span], during: Span) -> list[Span]:
    """The times within `during` for which the pack asks for duty and nobody is planned, in order.

    Where the pack asks for some hours of a day and leaves the time open, the last hours that could still be planned
    count as the gap.
    """
    duties, wanted, found = list(planned), list(periods), list[Span]()
    for day in _days(during, pack):
        for need in _needs(day, wanted, pack):
            found += _missing(need, duties)
    joined = _joined(found)
    return [span for one in joined if (span := _within(one, during)) is not None]


def _days(during: Span, pack: PolicyPack) -> Iterator[Span]:
    """The local days that `during` touches."""
    at, last = (one.astimezone(pack.timezone).date() for one in during)
    while at <= last:
        following = at + timedelta(days=1)
        begins, ends = (datetime.combine(one, time.min, pack.timezone) for one in (at, following))
        yield Span(begins.astimezone(during.since.tzinfo), ends.astimezone(during.since.tzinfo))
        at = following


def _needs(day: Span, periods: Iterable[SpecialPeriod], pack: PolicyPack) -> Iterator[Need]:
    roster = pack.roster
    if roster is None:
        return
    if roster.coverage.value is not None:
        yield _need(_windows(day, pack), roster.coverage.value)
    hours = {special.period: special.hours for special in roster.special}
    for period in periods:
        span = Span(max(day.since, period.since), min(day.until, period.until or day.until))
        if period.code in hours and span.since < span.until:
            yield _need((span,), hours[period.code])


def _need(within: tuple[Span, ...], hours: timedelta) -> Need:
    return Need(within, min(hours, _total(within)))


def _windows(day: Span, pack: PolicyPack) -> tuple[Span, ...]:
    assert pack.roster
    if not pack.roster.windows:
        return (day,)
    date = day.since.astimezone(pack.timezone).date()
    zone = pack.timezone
    return tuple(
        Span(*(datetime.combine(date, at, zone).astimezone(day.since.tzinfo) for at in (window.from_, window.to)))
        for window in pack.roster.windows
    )


def _missing(need: Need, planned: Sequence[Span]) -> Iterator[Span]:
    """The latest free times that make up the missing hours."""
    left = [span for within in need.within for span in free(within, planned)]
    missing = need.hours - (_total(need.within) - _total(left))
    for span in reversed(left):
        if missing <= timedelta():
            return
        taken = Span(max(span.since, span.until - missing), span.until)
        missing -= taken.length
        yield taken


def free(within: Span, planned: Iterable[Span]) -> Iterator[Span]:
    """The parts of a time that no planned one covers, in order."""
    at = within.since
    for span in _joined(planned):
        if span.until <= at or span.since >= within.until:
            continue
        if span.since > at:
            yield Span(at, span.since)
        at = max(at, span.until)
    if at < within.until:
        yield Span(at, within.until)


def _joined(spans: Iterable[Span]) -> list[Span]:
    """The same times in order, without overlaps. Those of two days stay apart unless they overlap."""
    found = list[Span]()
    for span in sorted(spans):
        if found and span.since < found[-1].until:
            found[-1] = Span(found[-1].since, max(found[-1].until, span.until))
        else:
            found.append(span)
    return found


def _within(span: Span, during: Span) -> Span | None:
    cut = Span(max(span.since, during.since), min(span.until, during.until))
    return cut if cut.since < cut.until else None


def _total(spans: Iterable[Span]) -> timedelta:
    return sum((span.length for span in spans), timedelta())
