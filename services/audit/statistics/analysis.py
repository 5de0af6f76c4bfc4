"""The analysis of a period or a subject, by chapters. It is about matters and offices, and only adds up.

Terms are the titles of the deployment's categories, so no word that anybody wrote is counted. There is no chapter on
the people who spoke, on their habits or their mood.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant, parse_instant
from services.audit.queries import Axes
from services.audit.statistics import counting
from services.audit.statistics.counting import Wanted
from services.audit.statistics.figures import NAMES, Cell, Figure, Table, Text, by_group, by_part, by_unit, own_of
from services.audit.statistics.periods import Month
from services.audit.statistics.tally import Key, Tally, total
from services.kernel.core.units import Offices

OVERVIEW = tuple(NAMES[name] for name in ("reports", "opened", "answered", "in_time", "first_answer_p50", "solved"))
VOLUME = tuple(NAMES[name] for name in ("reports", "opened"))
REPORTS, OPENED = (NAMES["reports"],), (NAMES["opened"],)
PLACE = tuple(NAMES[name] for name in ("reports", "opened", "in_time"))
TERMS, TOPICS = 20, 3
"""So many terms are frequent, and so many topics are the focus."""
WEEKS = 12
"""Up to so many months, the trend is by week; beyond, by month."""


class Chapter(NamedTuple):
    """A chapter: its title, how its numbers are made, its figures, and its table."""

    name: str
    title: Text
    said: Text
    figures: Sequence[Figure]
    table: Table
    more: Mapping[str, Any]


class Counts(NamedTuple):
    """What the chapters are made of."""

    by_category: Mapping[Key, Tally]
    """By unit and category as it was chosen."""
    by_month: Mapping[Key, Tally]
    by_step: Mapping[Key, Tally]
    """By the steps of the trend."""
    before: Mapping[Key, Tally]
    """The period of the same length before it, by category."""
    channels: Mapping[Key, Tally]


def steps(months: Sequence[Month], zone: tzinfo) -> Sequence[Month]:
    """The steps of the trend: weeks that begin on Mondays, cut where a month ends; for long periods, the months.

    A week is named by its first day. None is in two months, since what it has in each would follow from the weeks and
    the months around it.
    """
    if len(months) > WEEKS:
        return months
    day, *ends = (parse_instant(at).astimezone(zone) for at in (months[0].begin, *(month.end for month in months)))
    found = []
    while day < ends[-1]:
        date = day.date() + timedelta(days=7 - day.weekday())
        monday = datetime(date.year, date.month, date.day, tzinfo=zone)
        next_ = min(monday, *(end for end in ends if end > day))
        found.append(Month(f"{day:%Y-%m-%d}", instant(day), instant(next_)))
        day = next_
    return found


async def counted(
    connection: AsyncConnection, wanted: Wanted, before: Sequence[Month], zone: tzinfo, axes: Axes
) -> Counts:
    """Counts the matters by category, month and step, and those of the period before."""
    of_category, of_month = replace(wanted, by="subcategory", of_units=True), replace(wanted, by="month")
    by_category = await counting.matters(connection, of_category, axes)
    by_month = dict(await counting.matters(connection, of_month, axes))
    for key, tally in (await counting.reports(connection, of_month, axes)).items():
        by_month[key] = by_month.get(key, Tally()) + tally
    trend = steps(wanted.months, zone)
    by_step = by_month
    if trend is not wanted.months:
        by_step = await counting.matters(connection, replace(of_month, months=trend), axes)
    channels = await counting.reports(connection, wanted, axes, channel=True)
    earlier = await counting.matters(connection, replace(of_category, months=before, of_units=False), axes)
    return Counts(by_category, by_month, by_step, earlier, channels)


def chapters(counts: Counts, wanted: Wanted, zone: tzinfo, offices: Offices) -> list[Chapter]:
    """The chapters in their order, without the comment, which a post writes."""
    months = [month.name for month in wanted.months]
    monthly = own_of(counts.by_month, 1)
    by_step = own_of(counts.by_step, 1)
    weekly = _within(
        {step.name: by_step.get(step.name, Tally()) for step in steps(wanted.months, zone)}, lambda day: day[:7]
    )
    overview, trend = by_part(monthly, months, weekly, OVERVIEW, OPENED)
    volume, _ = by_part(monthly, months, weekly, VOLUME, OPENED)
    chosen = _within(own_of(counts.by_category, 1), lambda code: code.partition(".")[0])
    topics, terms = by_part({topic: total(some.values()) for topic, some in chosen.items()}, [], chosen, OPENED, OPENED)
    listed = [code for code in terms.rows if code in offices.lists.categories]
    earlier = by_group(own_of(counting.highest(counts.before.items()), 1), [], OPENED)
    place = own_of(counts.by_category, 0)
    for code, tally in own_of(counts.by_month, 0).items():
        reports = Tally(type(tally.counts)(reports=tally.counts["reports"]))
        place[code] = place.get(code, Tally()) + reports
    return [
        Chapter("overview", *TITLES["overview"], OVERVIEW, Table({}, overview.whole), {}),
        Chapter("volume", *TITLES["volume"], VOLUME, volume, {}),
        Chapter("channels", *TITLES["channels"], REPORTS, by_group(own_of(counts.channels, 1), [], REPORTS), {}),
        Chapter("trend", *TITLES["trend"], OPENED, trend, {"peak": most(trend, 1)}),
        Chapter("terms", *TITLES["terms"], OPENED, _of(terms, most(_of(terms, listed), TERMS)), {}),
        Chapter("topics", *TITLES["topics"], OPENED, topics, {}),
        Chapter("focus", *TITLES["focus"], OPENED, _of(topics, most(topics, TOPICS)), {"before": _before(earlier)}),
        Chapter("place", *TITLES["place"], PLACE, by_unit(place, list(wanted.units), offices.parent, PLACE), {}),
    ]


def _within(own: Mapping[str, Tally], above: Callable[[str], str]) -> dict[str, dict[str, Tally]]:
    """The same by what each is a part of."""
    found = dict[str, dict[str, Tally]]()
    for name, tally in own.items():
        found.setdefault(above(name), {})[name] = tally
    return found


def most(table: Table, number: int) -> list[str]:
    """The groups with the most matters, of those whose number is shown; the earlier name first among equals."""
    shown = [(-(row["opened"].value or 0), name) for name, row in table.rows.items() if row["opened"].value]
    return [name for _, name in sorted(shown) if name][:number]


def _of(table: Table, groups: Sequence[str]) -> Table:
    return Table({name: table.rows[name] for name in groups}, table.whole)


def _before(table: Table) -> dict[str, Cell]:
    return {name: row["opened"] for name, row in table.rows.items()}


TITLES: Mapping[str, tuple[Text, Text]] = {
    "overview": (
        Text("概述", "Overview"),
        Text("期内的主要数字。", "The main numbers of the period."),
    ),
    "volume": (
        Text("数量", "Volume"),
        Text("各月收到的反映和立案的事项。", "Reports received and matters opened in each month."),
    ),
    "channels": (
        Text("渠道分布", "By channel"),
        Text("期内收到的反映，按来的渠道。", "Reports received in the period, by the channel by which they came."),
    ),
    "trend": (
        Text("走势", "Trend"),
        Text(
            "每周立案的事项，跨月的一周在月末分开，超过十二个月的按月；最高的一周（月）是能公布的数中最大的，相同的取较早的。",
            "Matters opened in each week, cut where a month ends, or in each month if there are more than twelve. The "
            "peak is the largest number that is shown, and the earlier one of equals.",
        ),
    ),
    "terms": (
        Text("高频词", "Frequent terms"),
        Text(
            "只数本地类别表中的名称，不数任何人写的词：按事项归入的类别，取能公布的数中最大的二十个；合计是全部立案事项。",
            "Only titles of the deployment's list of categories are counted, never a word that somebody wrote: the "
            "twenty largest numbers that are shown. The sum is of all matters opened.",
        ),
    ),
    "topics": (
        Text("主题分布", "By topic"),
        Text("立案的事项，按最上一级类别。", "Matters opened, by their highest category."),
    ),
    "focus": (
        Text("关注焦点", "Focus"),
        Text(
            "事项最多的三个主题，与之前同样长的一段时间相比。",
            "The three topics with the most matters, beside the time of the same length before.",
        ),
    ),
    "place": (
        Text("地域分布", "By place"),
        Text(
            "收到的反映和立案的事项，按单位，含下属单位。",
            "Reports received and matters opened, by unit with those below it.",
        ),
    ),
    "comment": (
        Text("分析意见", "Comment"),
        Text("由具名的岗位写，每次都留记录。", "Written by a named post; each one is an event."),
    ),
}
