"""A week of a roster as it is shown: the effective plan, what was planned before, gaps and special periods. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from schemas.fields import parse_instant

DAYS = 7
Kind = Literal["planned", "missed", "present", "handed", "ended", "unhanded", "replaced", "cancelled"]
Gap = Literal["not_planned", "not_signed_on"]


def monday(day: date) -> date:
    """The first day of a day's week."""
    return day - timedelta(days=day.weekday())


@dataclass(frozen=True, slots=True)
class Span:
    """A time within a day of the table, in the unit's zone. `begin` has its day where that is another one."""

    begin: str
    end: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A duty in the table. `duty` is as the service tells it."""

    span: Span
    kind: Kind
    duty: Mapping[str, Any]
    of: str = ""
    """Whose duty it was by the plan, if another post took it up."""
    is_next: bool = False
    old_end: str = ""
    """The end by an earlier plan."""


@dataclass(slots=True)
class Week:
    """Seven days: the duties of each post by day, and what nobody covers."""

    days: list[date]
    rows: dict[str, list[list[Entry]]] = field(default_factory=dict)
    gaps: dict[Gap, list[list[tuple[Span, Mapping[str, Any]]]]] = field(default_factory=dict)
    periods: list[list[Mapping[str, Any]]] = field(default_factory=list)


def bounds(first: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When a week begins and ends."""
    begin, end = (datetime.combine(day, time.min, zone) for day in (first, first + timedelta(days=DAYS)))
    return begin, end


def week(found: Mapping[str, Any], first: date, zone: ZoneInfo, now: datetime) -> Week:
    """The table of a roster. A duty stands in the day in which it begins; an earlier one in the first day."""
    days = [first + timedelta(days=at) for at in range(DAYS)]
    made = Week(days, periods=[list(_on(found["periods"], day, zone)) for day in days])
    following = next_duty(found, now)
    for one in found["duties"]:
        by = one["by"] or one["post"]
        is_next = one is following
        entry = Entry(_span(one, first, zone), _kind(one, now), one, "", is_next, _old_end(one, first, zone))
        if by != one["post"]:
            _put(made, one["post"], Entry(entry.span, "replaced", one), first, zone)
            entry = Entry(entry.span, entry.kind, one, one["post"], is_next, entry.old_end)
        _put(made, by, entry, first, zone)
    for one in found["cancelled"]:
        _put(made, one["post"], Entry(_span(one, first, zone), "cancelled", one), first, zone)
    for kind, gap in _gaps(found):
        placed = made.gaps.setdefault(kind, [[] for _ in days])
        placed[_place(gap["since"], first, zone)].append((_span(gap, first, zone), gap))
    return made


def next_duty(found: Mapping[str, Any], now: datetime) -> Mapping[str, Any] | None:
    """The duty that begins next."""
    return next((one for one in found["duties"] if not one["by"] and parse_instant(one["since"]) > now), None)


def _gaps(found: Mapping[str, Any]) -> Iterator[tuple[Gap, Mapping[str, Any]]]:
    """The gaps on record, and those to come that are not on record yet."""
    known = {(one["since"], one["until"]) for one in found["gaps"] if one["cause"] == "not_planned"}
    for one in found["gaps"]:
        yield one["cause"], one
    for one in found["uncovered"]:
        # A gap that began before now is on record with its begin, and is uncovered from now on.
        if not any(since <= one["since"] and one["until"] <= until for since, until in known):
            yield "not_planned", one


def _kind(one: Mapping[str, Any], now: datetime) -> Kind:
    if one["handed_over"]:
        return "handed"
    is_over = parse_instant(one["until"]) <= now
    if one["by"]:
        return ("unhanded" if one["note_missing"] else "ended") if is_over else "present"
    return "missed" if parse_instant(one["since"]) <= now else "planned"


def _put(made: Week, post: str, entry: Entry, first: date, zone: ZoneInfo) -> None:
    made.rows.setdefault(post, [[] for _ in made.days])[_place(entry.duty["since"], first, zone)].append(entry)


def _place(since: str, first: date, zone: ZoneInfo) -> int:
    return min(max((parse_instant(since).astimezone(zone).date() - first).days, 0), DAYS - 1)


def _span(one: Mapping[str, Any], first: date, zone: ZoneInfo) -> Span:
    since, until = (parse_instant(one[name]).astimezone(zone) for name in ("since", "until"))
    shown = first + timedelta(days=_place(one["since"], first, zone))
    return Span(_clock(since, shown), _clock(until, shown, ends=True), (until - since).total_seconds())


def _old_end(one: Mapping[str, Any], first: date, zone: ZoneInfo) -> str:
    if not one["planned_until"]:
        return ""
    shown = first + timedelta(days=_place(one["since"], first, zone))
    return _clock(parse_instant(one["planned_until"]).astimezone(zone), shown, ends=True)


def _clock(at: datetime, shown: date, *, ends: bool = False) -> str:
    """A time of the day that is shown; one of another day with its day. Midnight ends a day as 24:00."""
    if ends and at.time() == time.min and at.date() == shown + timedelta(days=1):
        return "24:00"
    return f"{at:%H:%M}" if at.date() == shown else f"{at:%m-%d %H:%M}"


def _on(periods: Iterable[Mapping[str, Any]], day: date, zone: ZoneInfo) -> Iterator[Mapping[str, Any]]:
    begin, end = (datetime.combine(one, time.min, zone) for one in (day, day + timedelta(days=1)))
    for one in periods:
        if parse_instant(one["since"]) < end and (one["until"] is None or parse_instant(one["until"]) > begin):
            yield one
