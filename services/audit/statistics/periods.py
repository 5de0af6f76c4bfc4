"""Periods: months of a zone. A period is cut at the midnight of a unit's own zone. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import pairwise

from schemas.fields import instant

MOST = 60
"""A period has at most so many months."""


@dataclass(frozen=True, slots=True)
class Month:
    """A month, such as `2026-03`, with its first instant and the first one after it, as texts."""

    name: str
    begin: str
    end: str


def months(first: str, last: str, zone: tzinfo) -> Sequence[Month]:
    """The months from one to another, both such as `2026-03`, in a zone. None if the last is before the first."""
    begins = [datetime(at // 12, at % 12 + 1, 1, tzinfo=zone) for at in range(_number(first), _number(last) + 2)]
    return [Month(f"{begin:%Y-%m}", instant(begin), instant(end)) for begin, end in pairwise(begins)]


def before(found: Sequence[Month], zone: tzinfo) -> Sequence[Month]:
    """As many months as these, just before them."""
    begin = _number(found[0].name)
    first, last = (f"{at // 12:04}-{at % 12 + 1:02}" for at in (begin - len(found), begin - 1))
    return months(first, last, zone)


def length(first: str, last: str) -> int:
    """How many months there are from one to another, both included; below one if the last is before the first."""
    return _number(last) - _number(first) + 1


def month_of(at: datetime, zone: tzinfo) -> str:
    """The month of an instant in a zone."""
    return f"{at.astimezone(zone):%Y-%m}"


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7]) - 1
