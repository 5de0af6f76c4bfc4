"""Due times: pure arithmetic over a pack's limits. Times in and out are UTC."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar

from schemas.pack.clocks import Limit, Workday


class YearNotAnnounced(Exception):
    """The holidays and make-up workdays of `year` are unknown, so working time cannot be counted in it.

    The State Council announces a year's days late in the year before. A newer `chinesecalendar` then has them.
    """

    def __init__(self, year: int) -> None:
        super().__init__(
            f"the working days of {year} are not in the installed calendar; "
            "update the package chinesecalendar once they are announced, or use elapsed time in the pack"
        )
        self.year = year


def due(start: datetime, limit: Limit, zone: ZoneInfo, workday: Workday | None) -> datetime:
    """The first instant at which `limit`, counted from `start`, has passed. A duty that is done before it is done in
    time.

    `start` carries an offset; the result is in UTC. `zone` is the pack's time zone, for the ends of days and for
    `workday`. The limit is not open.

    Working time counts only inside the windows of working days. A start outside them counts from the next window. A day
    of the duration is as much time as one workday has.

    Raises `YearNotAnnounced` if working time reaches a year whose days are unknown, and `ValueError` for a start
    without offset or a missing workday.
    """
    if start.tzinfo is None:
        raise ValueError("the start of a limit carries an offset")
    start = start.astimezone(UTC)
    duration = limit.duration or timedelta()
    match limit.mode:
        case "elapsed":
            return start + duration
        case "end_of_day":
            return _instant(start.astimezone(zone).date() + timedelta(days=1) + duration, time.min, zone)
        case "working_time":
            if workday is None:
                raise ValueError("a limit in working time needs the pack's workday")
            return _working(start, duration, zone, workday)
        case "working_days":
            return _working_days(start, limit, zone)
    raise ValueError("an open limit has no due time")


def _working_days(start: datetime, limit: Limit, zone: ZoneInfo) -> datetime:
    local = start.astimezone(zone)
    day, left = local.date(), limit.days or 0
    if limit.first_day == "counted" and _is_workday(day):
        left -= 1
    while left:
        day += timedelta(days=1)
        left -= _is_workday(day)
    if limit.until == "same_time":
        return datetime.combine(day, local.time(), zone).astimezone(UTC)
    return _instant(day + timedelta(days=1), time.min, zone)


def _working(start: datetime, duration: timedelta, zone: ZoneInfo, workday: Workday) -> datetime:
    left = duration.days * workday.length + timedelta(seconds=duration.seconds)
    day = start.astimezone(zone).date()
    while True:
        for window in workday.windows if _is_workday(day) else ():
            begins = max(start, _instant(day, window.from_, zone))
            time_here = _instant(day, window.to, zone) - begins
            if left <= time_here:
                return begins + left
            left -= max(time_here, timedelta())
        day += timedelta(days=1)


def _is_workday(day: date) -> bool:
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        raise YearNotAnnounced(day.year) from None


def _instant(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)
