"""Counting in the database: one query counts all matters of a period, and one all reports.

A matter belongs to the month in which it was opened. What became of it is counted there too, whenever that happened,
within the axes. Its unit, level, category and pack are the newest ones within the axes.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import CTE, ColumnElement, Select, String, Subquery, and_, case, func, literal, or_, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.queries import Axes, moved, staying
from services.audit.statistics.periods import Month
from services.audit.statistics.steps import VERSION, rule
from services.audit.statistics.tally import Key, Tally, total
from services.audit.views import DESK, JOINED, LIMITS, LINKS, MARKS, STEPS
from services.kernel.core.units import Offices

By = Literal["unit", "month", "level", "category", "subcategory", "pack"]
"""By what numbers are told apart. `category` is the highest one; `subcategory` the one that was chosen."""
OF_MATTERS = ("opened", "answered", "solved", "reopened", "returned", "reminded", "helped", "unhelped", "upward")
OF_LIMITS = ("in_time", "late", "signed_in_time", "signed_late")
OF_TIMES = ("first_answer", "gap", "lag")
STEP = VERSION + 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which matters are counted, and by what they are told apart."""

    units: Collection[str]
    whole: bool
    """Whether these are all units of the deployment."""
    months: Sequence[Month]
    by: By = "unit"
    level: str | None = None
    category: str | None = None
    """A category, with those below it."""
    pack: str | None = None
    of_units: bool = False
    """Whether units are told apart, too; else each key has an empty one."""
    signing: Collection[str] = ()
    """The rules of limits for signing for a matter, see `signing`."""


def signing(offices: Offices) -> frozenset[str]:
    """The limits that are met when the handling unit accepts the matter, by the packs on record."""
    found = (
        rule(ref, clock.name) for ref, pack in offices.packs.items() for clock in pack.model.clocks if _signs(clock)
    )
    return frozenset(one for one in found if one)


def _signs(clock: Any) -> bool:
    return "accepted" in clock.to


async def matters(connection: AsyncConnection, wanted: Wanted, axes: Axes) -> dict[Key, Tally]:
    """What was counted of the matters, by their unit. A limit counts for the unit that it charged."""
    counts: dict[Key, Counter[str]] = defaultdict(Counter)
    times: dict[Key, dict[str, Counter[int]]] = defaultdict(lambda: defaultdict(Counter))
    for what, unit, group, minutes, *numbers in await connection.execute(_counted(wanted, axes)):
        key = (unit, group)
        # PostgreSQL adds large integers up to decimals.
        if what == "":
            counts[key].update(dict(zip((*OF_MATTERS, *OF_LIMITS), map(int, numbers), strict=True)))
        else:
            times[key][what][int(minutes)] += int(numbers[0])
    return {key: Tally(counts[key], times[key]) for key in (*counts, *(key for key in times if key not in counts))}


async def reports(connection: AsyncConnection, wanted: Wanted, axes: Axes, channel: bool = False) -> dict[Key, Tally]:
    """How many reports came in, and how long after their discovery they were recorded, always by unit.

    They belong to the month in which they were recorded. `channel` tells them apart by channel, whatever `by` says. A
    report has no level and no pack, so it is counted by none.
    """
    d = DESK.c
    begin, end = wanted.months[0].begin, wanted.months[-1].end
    asked = [d.kind == "received", d.recordedtime >= begin, d.recordedtime < end, *axes.within(DESK)]
    if not wanted.whole:
        asked.append(d.unit.in_(sorted(wanted.units)))
    asked += _below(d.category, wanted.category)
    group = (
        func.coalesce(d.channel, "")
        if channel
        else _group(wanted, d.recordedtime, literal(""), d.category, literal(""))
    )
    minutes = case((d.at >= d.since, (d.at - d.since) // 60), else_=-1)
    inner = select(d.unit, group.label("x"), minutes.label("minutes")).where(*asked).subquery()
    chosen = select(inner.c.unit, inner.c.x, inner.c.minutes, func.count()).group_by(*inner.c)
    found: dict[Key, Tally] = defaultdict(lambda: Tally(times={"entry": Counter()}))
    for unit, x, minutes_, number in await connection.execute(chosen):
        tally = found[unit, x]
        tally.counts["reports"] += int(number)
        if minutes_ >= 0:
            tally.times["entry"][int(minutes_)] += int(number)
    return dict(found)


def _counted(wanted: Wanted, axes: Axes) -> Any:
    cohort = _cohort(wanted, axes)
    limits = _limits(wanted, axes, cohort)
    mine = [] if wanted.whole else [cohort.c.unit.in_(sorted(wanted.units))]
    m, none = cohort.c, literal(0)
    zeros = [none] * len(OF_LIMITS)
    of_matters = [
        func.count(),
        func.count(m.answered),
        func.sum(_one(m.solved > 0)),
        func.sum(_one(m.reopened > 0)),
        func.sum(m.returned),
        func.sum(m.reminded),
        func.sum(m.helped),
        func.sum(m.unhelped),
        func.count(m.upward),
    ]
    parts = [select(literal(""), m.u, m.x, none, *of_matters, *zeros).where(*mine).group_by(m.u, m.x)]
    c, more = limits.c, [none] * len(OF_MATTERS)
    by_limit = [func.sum(_one(and_(*one))) for one in ((c.first == 1, c.kept == 1), (c.first == 1, c.late == 1))]
    by_limit += [func.sum(_one(and_(*one))) for one in ((c.signs == 1, c.kept == 1), (c.signs == 1, c.late == 1))]
    parts.append(select(literal(""), c.u, c.x, none, *more, *by_limit).group_by(c.u, c.x))
    for name, length in zip(OF_TIMES, (m.first_answer, m.gap, m.lag), strict=True):
        whole = (length // 60).label("minutes")
        i = select(m.u, m.x, whole).where(length >= 0, *mine).subquery().c
        padded = [none] * (len(OF_MATTERS) + len(OF_LIMITS) - 1)
        parts.append(select(literal(name), i.u, i.x, i.minutes, func.count(), *padded).group_by(i.u, i.x, i.minutes))
    return union_all(*parts)


def _cohort(wanted: Wanted, axes: Axes) -> CTE:
    """A row for each matter that was opened in the period and was not merged into another one."""
    s, o = STEPS.c, STEPS.alias()
    begin, end = wanted.months[0].begin, wanted.months[-1].end
    opened = [o.c.kind == "opened", o.c.time >= begin, o.c.time < end, *axes.within(o)]
    if not wanted.whole:
        p = MARKS.c
        # Whoever was charged with a matter had a part in it. This only narrows what is read.
        opened.append(o.c.matter.in_(select(p.incident_id).where(p.kind == "part", p.value.in_(sorted(wanted.units)))))

    def first(kind: str, column: ColumnElement[Any] = s.at) -> ColumnElement[Any]:
        return func.min(case((s.kind == kind, column)))

    def number(kind: str) -> ColumnElement[int]:
        return func.sum(_one(s.kind == kind))

    values = [func.substr(func.max(s[name]), STEP).label(name) for name in ("unit", "level", "category", "pack")]
    one = (
        select(
            s.matter,
            *values,
            first("opened", s.time).label("opened"),
            *(first(kind).label(kind) for kind in ("answered", "handling", "answering", "upward")),
            *(
                number(kind).label(kind)
                for kind in ("solved", "reopened", "returned", "reminded", "helped", "unhelped")
            ),
            number("merged").label("merged"),
        )
        .where(s.matter.in_(select(o.c.matter).where(*opened)), *axes.within(STEPS))
        .group_by(s.matter)
        .subquery()
    )
    m, since = one.c, _since(select(o.c.matter).where(*opened), axes)
    asked = [m.merged == 0, *_below(m.category, wanted.category)]
    asked += [
        column == value for column, value in ((m.level, wanted.level), (m.pack, wanted.pack)) if value is not None
    ]
    gap = case((m.handling >= m.answering, m.handling - m.answering), else_=m.answering - m.handling)
    return (
        select(
            m.matter,
            func.coalesce(m.unit, "").label("unit"),
            _unit(wanted, m.unit).label("u"),
            _group(wanted, m.opened, m.level, m.category, m.pack).label("x"),
            m.answered,
            m.upward,
            *(m[name] for name in ("solved", "reopened", "returned", "reminded", "helped", "unhelped")),
            (m.answered - since.c.since).label("first_answer"),
            gap.label("gap"),
            (m.upward - since.c.since).label("lag"),
        )
        .join_from(one, since, since.c.matter == m.matter, isouter=True)
        .where(*asked)
        .cte("matters")
    )


def _since(matters: Select[Any], axes: Axes) -> Subquery:
    """A row for each of the matters that has reports: since when the office knew, by those that did not leave it.

    An absorbed report is told of by its name alone. Since when it was known stands where it came first.
    """
    j, came = JOINED.c, JOINED.alias()
    where = and_(LINKS.c.incident_id == came.c.incident_id, LINKS.c.stream_id == came.c.report_id)
    elsewhere = select(func.max(came.c.since)).select_from(came).join(LINKS, where)
    elsewhere = elsewhere.where(LINKS.c.stream_id == j.report_id, *moved(came, axes)).correlate(JOINED)
    known = func.coalesce(j.since, elsewhere.scalar_subquery())
    there = select(j.incident_id.label("matter"), known.label("since"))
    there = there.where(j.incident_id.in_(matters), *moved(JOINED, axes), staying(axes))
    of = there.subquery().c
    return select(of.matter, func.min(of.since).label("since")).group_by(of.matter).subquery()


def _limits(wanted: Wanted, axes: Axes, cohort: CTE) -> CTE:
    """A row for each limit of these matters. A missed one counts as kept if its breach was annulled and it was met."""
    c = LIMITS.c
    signs = _one(c.rule.in_(sorted(wanted.signing)))
    one = (
        select(
            c.matter,
            func.substr(func.max(c.unit), STEP).label("unit"),
            func.max(c.first_answer).label("first"),
            func.max(signs).label("signs"),
            func.max(c.kept).label("kept"),
            func.max(c.met).label("met"),
            func.max(c.missed).label("missed"),
            func.max(c.annulled).label("annulled"),
        )
        .where(c.matter.in_(select(cohort.c.matter)), *axes.within(LIMITS))
        .group_by(c.matter, c.clock)
        .subquery()
    )
    m = one.c
    late = m.missed > m.annulled
    kept = and_(m.missed <= m.annulled, or_(m.kept == 1, and_(m.met == 1, m.annulled > 0)))
    unit = _unit(wanted, m.unit).label("u")
    chosen = select(m.unit, unit, cohort.c.x, m.first, m.signs, _one(late).label("late"), _one(kept).label("kept"))
    chosen = chosen.join(cohort, cohort.c.matter == m.matter).where(or_(m.first == 1, m.signs == 1))
    if not wanted.whole:
        chosen = chosen.where(m.unit.in_(sorted(wanted.units)))
    return chosen.cte("charged")


def _unit(wanted: Wanted, unit: ColumnElement[Any]) -> ColumnElement[str]:
    return func.coalesce(unit, "") if wanted.of_units or wanted.by == "unit" else literal("", String)


def _one(condition: Any) -> ColumnElement[int]:
    return case((condition, 1), else_=0)


def _below(column: ColumnElement[Any], category: str | None) -> list[ColumnElement[bool]]:
    if category is None:
        return []
    return [or_(column == category, column.startswith(f"{category}.", autoescape=True))]


def _group(
    wanted: Wanted,
    at: ColumnElement[Any],
    level: ColumnElement[Any],
    category: ColumnElement[Any],
    pack: ColumnElement[Any],
) -> ColumnElement[str]:
    if wanted.by == "month":
        return (
            case(*((at < month.end, month.name) for month in wanted.months[:-1]), else_=wanted.months[-1].name)
            if len(wanted.months) > 1
            else literal(wanted.months[0].name, String)
        )
    column = {"level": level, "category": category, "subcategory": category, "pack": pack}.get(wanted.by)
    return literal("", String) if column is None else func.coalesce(column, "")


def highest(found: Iterable[tuple[Key, Tally]]) -> dict[Key, Tally]:
    """The same by the highest category of each."""
    parts: dict[Key, list[Tally]] = defaultdict(list)
    for (unit, category), tally in found:
        parts[unit, category.partition(".")[0]].append(tally)
    return {key: total(some) for key, some in parts.items()}
