"""Periods that move with the day, such as the last month, cut in a time zone. Pure."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

from schemas.operation import Period

SPANS = {"today": (0, 1), "yesterday": (1, 0), "last_7_days": (7, 0), "last_30_days": (30, 0)}
"""Period -> how many days before today it begins, and how many after today it ends: today begins at 0."""
MONTHS = {"month": 1, "quarter": 3, "year": 12}


def cut(period: Period, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """The first and the last instant of a period, both included, as somebody means it now in this zone."""
    first, after = _days(period, now.astimezone(zone).date())
    begin, end = (datetime.combine(day, time(), zone) for day in (first, after))
    # In UTC, since a day may end with an hour that comes twice.
    return begin, (end.astimezone(UTC) - timedelta(microseconds=1)).astimezone(zone)


def _days(period: Period, today: date) -> tuple[date, date]:
    """The first day of a period, and the day after its last one."""
    if span := SPANS.get(period):
        return today - timedelta(days=span[0]), today + timedelta(days=span[1])
    which, _, length = period.partition("_")
    if length == "week":
        this = today - timedelta(days=today.weekday())
        return (this, this + timedelta(days=7)) if which == "this" else (this - timedelta(days=7), this)
    months = MONTHS[length]
    this = date(today.year, (today.month - 1) // months * months + 1, 1)
    return (this, _later(this, months)) if which == "this" else (_later(this, -months), this)


def _later(first: date, months: int) -> date:
    """The first day of a month so many months later."""
    year, month = divmod(first.year * 12 + first.month - 1 + months, 12)
    return date(year, month + 1, 1)
