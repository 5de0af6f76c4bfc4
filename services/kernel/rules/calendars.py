"""Due times: pure arithmetic over a pack's limits. Times in and out are UTC."""

import functools
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import chinese_calendar
import holidays

from schemas.pack.clocks import Limit, Workday
from services.kernel.core.days import NONE, OwnDays


class Due(NamedTuple):
    """When a limit has passed."""

    at: datetime
    provisional: bool = False
    """Whether it rests on days of a year that the State Council has not announced.

    The law's holidays are known for such a year, the days off around them and the make-up days are not. A newer
    `chinesecalendar` has them once they are announced.
    """


def due(start: datetime, limit: Limit, zone: ZoneInfo, workday: Workday | None, own: OwnDays = NONE) -> Due:
    """The instant at which `limit`, counted from `start`, has passed. See `ends_with_a_day` for what is done at it.

    `start` carries an offset; the result is in UTC. `zone` is the pack's time zone, for the ends of days and for
    `workday`. `own` are the days of the unit. The limit is not open.

    Working time counts only inside the windows of working days. A start outside them counts from the next window. A day
    of the duration is as much time as one usual workday has.

    Raises `ValueError` for a start without offset or a missing workday.
    """
    if start.tzinfo is None:
        raise ValueError("the start of a limit carries an offset")
    start = start.astimezone(UTC)
    duration = limit.duration or timedelta()
    match limit.mode:
        case "elapsed":
            return Due(start + duration)
        case "end_of_day":
            return Due(_instant(start.astimezone(zone).date() + timedelta(days=1) + duration, time.min, zone))
        case "working_time":
            if workday is None:
                raise ValueError("a limit in working time needs the pack's workday")
            return _working(start, span(duration, workday), zone, workday, own)
        case "working_days":
            return _working_days(start, limit, zone, own)
    raise ValueError("an open limit has no due time")


def ends_with_a_day(limit: Limit) -> bool:
    """Whether the limit's due instant is the first one that is too late. The day is over then.

    A limit in hours is still met at its due instant.
    """
    return limit.mode == "end_of_day" or (limit.mode == "working_days" and limit.until == "end_of_day")


def counts_work(limit: Limit) -> bool:
    """Whether the limit depends on which days are working days."""
    return limit.mode in ("working_time", "working_days")


def working_days_between(since: datetime, until: datetime, zone: ZoneInfo, own: OwnDays = NONE) -> int:
    """How many working days there are from the day of `since` to the day before that of `until`."""
    first, end = since.astimezone(zone).date(), until.astimezone(zone).date()
    return sum(_day(first + timedelta(days=more), own).works for more in range((end - first).days))


def working_time_between(
    since: datetime, until: datetime, zone: ZoneInfo, workday: Workday, own: OwnDays = NONE
) -> timedelta:
    """How much working time there is from one instant to another."""
    since, until = since.astimezone(UTC), until.astimezone(UTC)
    first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    days = (first + timedelta(days=more) for more in range((last - first).days + 1))
    parts = (part for day in days if _day(day, own).works for part in _windows(day, zone, workday, own))
    return sum((max(min(until, to) - max(since, from_), timedelta()) for from_, to in parts), timedelta())


def later_by_working_time(at: datetime, more: timedelta, zone: ZoneInfo, workday: Workday, own: OwnDays = NONE) -> Due:
    """The instant at which so much working time has passed after another one."""
    return _working(at.astimezone(UTC), more, zone, workday, own)


def earlier_by_working_time(
    at: datetime, less: timedelta, zone: ZoneInfo, workday: Workday, own: OwnDays = NONE
) -> datetime:
    """The instant from which so much working time is left until another one."""
    at = at.astimezone(UTC)
    day = at.astimezone(zone).date()
    while True:
        windows = list(_windows(day, zone, workday, own)) if _day(day, own).works else []
        for from_, to in reversed(windows):
            ends = min(at, to)
            time_here = ends - from_
            if less <= time_here:
                return ends - less
            less -= max(time_here, timedelta())
        day -= timedelta(days=1)


def span(duration: timedelta, workday: Workday) -> timedelta:
    """The working time of a duration: each of its days is one workday."""
    return duration.days * workday.length + timedelta(seconds=duration.seconds)


def _working_days(start: datetime, limit: Limit, zone: ZoneInfo, own: OwnDays) -> Due:
    local = start.astimezone(zone)
    day, left, provisional = local.date(), limit.days or 0, False
    if limit.first_day == "counted":
        works, provisional = _day(day, own)
        left -= works
    while left:
        day += timedelta(days=1)
        works, unknown = _day(day, own)
        left, provisional = left - works, provisional or unknown
    if limit.until == "same_time":
        return Due(max(start, datetime.combine(day, local.time(), zone).astimezone(UTC)), provisional)
    return Due(_instant(day + timedelta(days=1), time.min, zone), provisional)


def _working(start: datetime, left: timedelta, zone: ZoneInfo, workday: Workday, own: OwnDays) -> Due:
    day, provisional = start.astimezone(zone).date(), False
    while True:
        works, unknown = _day(day, own)
        provisional = provisional or unknown
        for from_, to in _windows(day, zone, workday, own) if works else ():
            begins = max(start, from_)
            time_here = to - begins
            if left <= time_here:
                return Due(begins + left, provisional)
            left -= max(time_here, timedelta())
        day += timedelta(days=1)


def _windows(day: date, zone: ZoneInfo, workday: Workday, own: OwnDays) -> Iterator[tuple[datetime, datetime]]:
    """The working hours of a day on which people work."""
    for window in own.windows(day) or workday.windows:
        yield _instant(day, window.from_, zone), _instant(day, window.to, zone)


class _Day(NamedTuple):
    works: bool
    provisional: bool = False


def _day(day: date, own: OwnDays) -> _Day:
    """Whether people work on a day, and whether that is provisional. The unit's own word is final."""
    if (works := own.works(day)) is not None:
        return _Day(works)
    return _national(day)


@functools.lru_cache(maxsize=4096)
def _national(day: date) -> _Day:
    try:
        return _Day(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return _Day(day.weekday() < 5 and day not in _by_law(day.year), provisional=True)


@functools.lru_cache(maxsize=64)
def _by_law(year: int) -> frozenset[date]:
    """The holidays that the law names for a year, at the dates of the lunar calendar."""
    return frozenset(holidays.country_holidays("CN", years=year))


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
