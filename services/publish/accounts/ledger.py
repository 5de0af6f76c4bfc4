"""The figures of a year, by unit and month, from the views. A month is counted once it is over.

Figures of a month that still runs would tell of single matters: who looks twice sees what came between.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant, parse_instant
from services.kernel.core.suppression import SMALL, hidden, of_units
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.publish.accounts.views import unit_at
from services.publish.views import METADATA, releases, statements

FRESH = 300.0
"""Seconds after which figures are counted again."""
RIPE = timedelta(hours=1)
"""A month is counted so long after its end, when its last events have surely been taken in."""
COUNTS = ("reports", "opened", "kept", "missed", "others_missed", "open")
"""Counts of which small ones are hidden."""
PUBLIC = ("publication", "correction", "withdrawal")
"""Acts that everybody sees one by one on the bulletin. To hide how many there were would hide nothing but the sum."""
ACCOUNTS, REPORTS, LIMITS = (METADATA.tables[name] for name in ("accounts", "reports", "limits"))


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the zone, as `2026-03`, with its first instant and the first one after it."""

    name: str
    begin: str
    end: str


@dataclass(frozen=True, slots=True)
class Figures:
    """One unit's month, with the units below it; None where a number is small or would give one away."""

    month: Month
    counts: Mapping[str, int | None]
    share: float | None
    """The share of first-answer limits that were kept, of those kept or missed."""
    median: float | None
    """Seconds."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The figures of the finished months of a year. `years` are those that have any."""

    until: datetime
    year: int
    years: Sequence[int]
    months: Sequence[Month]
    of: Mapping[str, Sequence[Figures]]
    categories: Mapping[str, Sequence[int | None]]
    """Matters opened in each month by category, of the whole deployment."""


def finished(year: int, offices: Offices, now: datetime) -> list[Month]:
    """The months of a year that are over."""
    begins = [datetime(year + (at == 12), at % 12 + 1, 1, tzinfo=offices.zone) for at in range(13)]
    return [
        Month(f"{begin:%Y-%m}", instant(begin), instant(end)) for begin, end in pairwise(begins) if end + RIPE <= now
    ]


class Ledgers:
    """The ledgers that this process counted, each for a short time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._kept: dict[Any, tuple[float, Ledger]] = {}
        self._lock = asyncio.Lock()

    async def of(self, connection: AsyncConnection, offices: Offices, year: int | None) -> Ledger | None:
        """The ledger of a year, or of the last one with a finished month; None if that year has none."""
        now = self._runtime.time_source.now()
        first = (await connection.execute(select(func.min(ACCOUNTS.c.opened_at)))).scalar()
        begun = parse_instant(first).astimezone(offices.zone).year if first else now.year
        years = [one for one in range(begun, now.astimezone(offices.zone).year + 1) if finished(one, offices, now)]
        chosen = year if year is not None else years[-1] if years else now.astimezone(offices.zone).year
        if year is not None and year not in years:
            return None
        months = [month for month in finished(chosen, offices, now) if first and month.end > first]
        key = (chosen, len(months), tuple((code, unit.parent) for code, unit in sorted(offices.ever.items())))
        async with self._lock:
            kept = self._kept.get(key)
            if kept is None or kept[0] < time.monotonic():
                made = await _ledger(connection, offices, months, now, chosen, years)
                self._kept = {of: one for of, one in self._kept.items() if one[0] >= time.monotonic()}
                kept = self._kept[key] = (time.monotonic() + FRESH, made)
        return kept[1]


async def _ledger(
    connection: AsyncConnection,
    offices: Offices,
    months: Sequence[Month],
    now: datetime,
    year: int,
    years: Sequence[int],
) -> Ledger:
    units = sorted(code for code in offices.ever if not offices.drills(code))
    below = {code: sorted(offices.below(code)) for code in units}
    own = [await _own(connection, month) for month in months]
    shown = [_shown(counted, units, offices) for counted in own]
    by_month = list(zip(months, own, shown, strict=True))
    of = {
        code: [_figures(month, counted, kept, code, below[code]) for month, counted, kept in by_month] for code in units
    }
    codes = sorted({category for counted in own for category in counted["categories"]})
    categories = {
        code: [
            None if ("category", code) in kept["opened"] else counted["categories"][code]
            for _, counted, kept in by_month
        ]
        for code in codes
    }
    return Ledger(now, year, years, months, of, categories)


async def _own(connection: AsyncConnection, month: Month) -> dict[str, Any]:
    """What each unit itself has in a month."""

    async def count(at: Any, unit: Any, *where: Any) -> Counter[str]:
        chosen = select(unit, func.count()).where(at >= month.begin, at < month.end, *where).group_by(unit)
        return Counter({row[0]: row[1] for row in await connection.execute(chosen) if row[0]})

    a, limit = ACCOUNTS.c, LIMITS.c
    found: dict[str, Any] = {
        "reports": await count(REPORTS.c.received_at, REPORTS.c.unit),
        "opened": await count(a.opened_at, a.opened_by),
        "kept": await count(
            limit.met_at, limit.unit, limit.first_answer, limit.late.is_(False), limit.breached_at.is_(None)
        ),
        "missed": await count(limit.breached_at, limit.unit, limit.first_answer),
        "others_missed": await count(limit.breached_at, limit.unit, limit.first_answer.is_(False)),
    }
    still = or_(a.ended_at.is_(None), a.ended_at >= month.end)
    chosen = select(a.opened_by, func.count()).where(a.opened_at < month.end, still, a.turns.is_(None))
    found["open"] = Counter({row[0]: row[1] for row in await connection.execute(chosen.group_by(a.opened_by))})
    for turns in (
        await connection.execute(select(a.turns).where(a.opened_at < month.end, a.turns.is_not(None)))
    ).scalars():
        if unit := unit_at(turns, month.end):
            found["open"][unit] += 1
    said = select(statements.c.unit, releases.c.kind, func.count())
    said = said.join(releases, releases.c.statement_id == statements.c.id)
    said = said.where(releases.c.at >= month.begin, releases.c.at < month.end, statements.c.drill.is_(False))
    for kind in PUBLIC:
        found[kind] = Counter()
    for unit, kind, number in await connection.execute(said.group_by(statements.c.unit, releases.c.kind)):
        found[kind][unit] += number
    opened = select(a.category, func.count()).where(a.opened_at >= month.begin, a.opened_at < month.end)
    found["categories"] = Counter()
    for category, number in await connection.execute(opened.group_by(a.category)):
        found["categories"][(category or "").partition(".")[0]] += number
    found["times"] = {}
    answered = select(a.answered_by, a.since, a.answered_at).where(
        and_(a.answered_at >= month.begin, a.answered_at < month.end, a.since.is_not(None))
    )
    for unit, since, at in await connection.execute(answered):
        seconds = (parse_instant(at) - parse_instant(since)).total_seconds()
        if seconds >= 0:
            found["times"].setdefault(unit, []).append(seconds)
    return found


def _shown(counted: Mapping[str, Any], units: Sequence[str], offices: Offices) -> dict[str, frozenset[Any]]:
    """The cells that stay hidden, by count: `("unit", code)` with the units below it, `("category", code)` of all."""
    return {name: _hidden(counted, name, units, offices) for name in COUNTS}


def _hidden(counted: Mapping[str, Any], name: str, units: Sequence[str], offices: Offices) -> frozenset[Any]:
    known: Any = of_units(counted[name], units, offices.parent)
    cells: dict[Any, int] = known[0]
    sums: list[tuple[Any, list[Any]]] = known[1]
    if name == "opened" and offices.units:
        theirs = counted["categories"]
        cells |= {("category", code): number for code, number in theirs.items()}
        if sum(theirs.values()) == cells["unit", offices.root]:
            sums.append((("unit", offices.root), [("category", code) for code in theirs]))
    return hidden(cells, sums)


def _figures(
    month: Month, counted: Mapping[str, Any], kept: Mapping[str, frozenset[Any]], code: str, below: Sequence[str]
) -> Figures:
    counts: dict[str, int | None] = {
        name: None if ("unit", code) in kept[name] else sum(counted[name][one] for one in below) for name in COUNTS
    }
    counts |= {name: sum(counted[name][one] for one in below) for name in PUBLIC}
    times = [seconds for one in below for seconds in counted["times"].get(one, ())]
    met, missed = counts["kept"], counts["missed"]
    share = met / (met + missed) if met is not None and missed is not None and met + missed >= SMALL else None
    return Figures(month, counts, share, median(times) if len(times) >= SMALL else None)
