"""The figures: what each is called, how it is computed, and which of its values are shown. Pure.

A count of 1 to 4 is not shown, nor one from which it follows; a share only with both its counts, and from five on; a
length of time only with how many it rests on, which is a count like the others, and from five on. So the tables can be
given away. The rule and its proof are those of the public accounts, `kernel.core.suppression`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from services.audit.statistics.tally import Key, Tally, total
from services.kernel.core.suppression import SMALL, hidden, of_units

Kind = Literal["count", "share", "minutes"]
State = Literal["shown", "small", "empty"]
WHOLE = "whole"
"""The cell of the sum over all groups."""


class Text(NamedTuple):
    """A text in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure. A share is the part that `of` has of `of` and `other`, or of `all_of` where that is named.

    Of a length of time, `all_of` is the count of what it was measured on: who knows how many lengths there are knows
    the least that this count can be, so they are hidden together.
    """

    name: str
    kind: Kind
    title: Text
    formula: Text
    of: str
    other: str = ""
    all_of: str = ""
    percent: int = 50
    base: str = "opened"
    """The count without which there is nothing to count: then a figure is empty, and not zero."""


def _middle(
    name: str, of: str, all_of: str, title: Text, formula: Text, percents: Sequence[int] = (50, 90)
) -> list[Figure]:
    zh = {50: "中位数", 90: "90% 分位", 99: "99% 分位"}
    en = {50: "median", 90: "90th percentile", 99: "99th percentile"}
    ranked = Text(
        "由短到长排列，取至少 {percent}% 的不超过的那一个，按整分钟计。",
        "In order, the one that at least {percent}% do not exceed, in whole minutes.",
    )
    return [
        Figure(
            f"{name}_p{percent}",
            "minutes",
            Text(f"{title.zh}（{zh[percent]}）", f"{title.en} ({en[percent]})"),
            Text(
                f"{formula.zh}{ranked.zh.format(percent=percent)}", f"{formula.en} {ranked.en.format(percent=percent)}"
            ),
            of,
            all_of=all_of,
            percent=percent,
        )
        for percent in percents
    ]


COHORT = Text(
    "事项按立案时间归入月份，按责任单位归入单位；后来并入别的事项的不算，演练不算。",
    "A matter belongs to the month in which it was opened, and to the accountable unit. One that was merged into "
    "another is not counted, nor are exercises.",
)
"""What holds for all figures of matters."""
FIGURES: tuple[Figure, ...] = (
    Figure(
        "reports",
        "count",
        Text("收到反映", "Reports received"),
        Text(
            "期内记录收到的反映件数，按收到的单位和记录的时间计算。",
            "Reports recorded in the period, by the unit that received them and by the time of recording.",
        ),
        "reports",
        base="reports",
    ),
    Figure(
        "opened",
        "count",
        Text("立案事项", "Matters opened"),
        Text("期内立案的事项数。", "Matters opened in the period."),
        "opened",
    ),
    Figure(
        "answered",
        "count",
        Text("已首次答复", "Matters answered"),
        Text(
            "其中已公开发布说明、已答复或已解释的事项数。",
            "Those of them on which a statement was published, a reply or an explanation was given.",
        ),
        "answered",
    ),
    Figure(
        "in_time",
        "share",
        Text("首次答复按时率", "Answered in time"),
        Text(
            "按时完成的首次答复时限数 ÷（按时完成的＋超时的）。按被计时的单位计算；"
            "还在走的不算，复核撤销的超时按未超时计。",
            "Limits for a first answer that were kept ÷ (kept + missed), by the unit that was charged. Running ones "
            "are not counted. A breach that was annulled is none.",
        ),
        "in_time",
        "late",
    ),
    *_middle(
        "first_answer",
        "first_answer",
        "answered",
        Text("首次答复用时", "Time to first answer"),
        Text(
            "从单位得知到首次公开发布、答复或解释的时间。",
            "From when the office knew of the matter to the first statement, reply or explanation.",
        ),
        (50, 90, 99),
    ),
    Figure(
        "signed_in_time",
        "share",
        Text("按时签收率", "Signed for in time"),
        Text(
            "按时完成的签收时限数 ÷（按时完成的＋超时的）。"
            "签收时限是制度中由承办单位接办而完成的时限，按被计时的单位计算。",
            "Limits for signing for a matter that were kept ÷ (kept + missed): those of the pack that are met when the "
            "handling unit accepts the matter. By the unit that was charged.",
        ),
        "signed_in_time",
        "signed_late",
    ),
    Figure(
        "solved",
        "share",
        Text("解决率", "Solved"),
        Text(
            "记录了实际问题已解决的事项数 ÷ 立案事项数。",
            "Matters whose real problem was recorded as solved ÷ matters opened.",
        ),
        "solved",
        all_of="opened",
    ),
    Figure(
        "reopened",
        "count",
        Text("重新办理", "Taken up again"),
        Text("其中重新办理过的事项数。", "Those of the matters that were taken up again."),
        "reopened",
    ),
    Figure(
        "returned",
        "count",
        Text("退回", "Returns"),
        Text("这些事项被承办单位退回的次数。", "How often handling units gave these matters back."),
        "returned",
    ),
    Figure(
        "reminded",
        "count",
        Text("催办", "Reminders"),
        Text(
            "这些事项的时限超时后发出的催办、督办、通报的次数。",
            "Reminders, supervisions and circulars that were sent after limits of these matters had passed.",
        ),
        "reminded",
    ),
    Figure(
        "helped",
        "share",
        Text("答复有帮助", "Answer helped"),
        Text(
            "凭收据号评价“有帮助”的次数 ÷ 凭收据号评价的次数。不排名。",
            "Times that an asker, by receipt number, said that an answer helped ÷ times that one said either. Never "
            "ranked.",
        ),
        "helped",
        "unhelped",
    ),
    Figure(
        "upward",
        "share",
        Text("问题上报比例", "Problems reported upward"),
        Text(
            "已向上级报告的事项数 ÷ 立案事项数。资料没有写明怎样算，这是我们的理解。",
            "Matters that were reported to a unit above ÷ matters opened. The sources do not say how to compute it; "
            "this is our reading.",
        ),
        "upward",
        all_of="opened",
    ),
    *_middle(
        "lag",
        "lag",
        "upward",
        Text("发现到上报的间隔", "From discovery to report upward"),
        Text(
            "从单位得知到第一次向上级报告的时间。",
            "From when the office knew of the matter to its first report upward.",
        ),
    ),
    *_middle(
        "entry",
        "entry",
        "reports",
        Text("发现到录入的间隔", "From discovery to entry"),
        Text("从得知反映到记录进系统的时间。", "From when a report was known to when it was recorded here."),
    ),
    *_middle(
        "gap",
        "gap",
        "opened",
        Text("处置与回应的间隔", "Gap between handling and answering"),
        Text(
            "处置实际问题的第一个动作与准备答复的第一个动作之间的时间，不论哪个在先。",
            "Between the first act on the real problem and the first act on the answer, whichever came first.",
        ),
    ),
)
NAMES = {figure.name: figure for figure in FIGURES}


class Cell(NamedTuple):
    """A value; null if it is too small to be shown, or if there is nothing to count. `of` is a share's whole."""

    value: float | None
    of: int | None
    state: State


Shown = frozenset[Any]


class Table(NamedTuple):
    """Group -> figure -> cell, and the same for all groups together."""

    rows: Mapping[str, Mapping[str, Cell]]
    whole: Mapping[str, Cell]
    own: Mapping[str, Mapping[str, Cell]] = {}
    """The same of units alone that have others below them."""


def by_unit(own: Mapping[str, Tally], units: Sequence[str], parent: Any, figures: Iterable[Figure] = FIGURES) -> Table:
    """Each unit with all below it, and by itself. The first of `units` is the highest one, with the whole."""
    chosen, kept = tuple(figures), {}
    for name in _numbers(chosen):
        cells, sums = of_units({code: tally.number_of(name) for code, tally in own.items()}, units, parent)
        kept[name] = hidden(cells, sums)
    below: dict[str, list[Tally]] = {code: [] for code in units}
    for code, tally in own.items():
        at: str | None = code
        while at in below:
            below[at].append(tally)
            at = parent(at)
    rows = {code: _row(total(below[code]), ("unit", code), kept, chosen) for code in units}
    above = {parent(code) for code in units}
    alone = {code: _row(own.get(code, Tally()), ("own", code), kept, chosen) for code in units if code in above}
    return Table(rows, rows[units[0]] if units else _row(Tally(), "", kept, chosen), alone)


def by_group(own: Mapping[str, Tally], groups: Iterable[str], figures: Iterable[Figure] = FIGURES) -> Table:
    """Each group, and all together."""
    return by_part(own, groups, {}, figures, ())[0]


def by_part(
    own: Mapping[str, Tally],
    groups: Iterable[str],
    parts: Mapping[str, Mapping[str, Tally]],
    figures: Iterable[Figure],
    of_parts: Iterable[Figure],
) -> tuple[Table, Table]:
    """Each group, and each part of a group. `parts`: group -> part -> what makes up the group for `of_parts`.

    Both stand in one tree of sums, so nothing hidden follows from one table beside the other.
    """
    names, chosen, fine = tuple(dict.fromkeys((*groups, *own))), tuple(figures), tuple(of_parts)
    everything = total(own.values())
    kept = {}
    for count in _numbers((*chosen, *fine)):
        cells: dict[Any, int] = {("group", name): own[name].number_of(count) if name in own else 0 for name in names}
        cells[WHOLE] = everything.number_of(count)
        sums: list[tuple[Any, list[Any]]] = [(WHOLE, [("group", name) for name in names])]
        for group, some in parts.items() if count in _numbers(fine) else ():
            cells |= {("part", name): tally.number_of(count) for name, tally in some.items()}
            sums.append((("group", group), [("part", name) for name in some]))
        kept[count] = hidden(cells, sums)
    rows = {name: _row(own.get(name, Tally()), ("group", name), kept, chosen) for name in names}
    more = {name: _row(one, ("part", name), kept, fine) for some in parts.values() for name, one in some.items()}
    return Table(rows, _row(everything, WHOLE, kept, chosen)), Table(more, _row(everything, WHOLE, kept, fine))


def _numbers(figures: Sequence[Figure]) -> list[str]:
    """The counts that figures are made of."""
    named = (name for figure in figures for name in (figure.of, figure.other, figure.all_of))
    return [name for name in dict.fromkeys(named) if name]


def _row(tally: Tally, cell: Any, kept: Mapping[str, Collection[Any]], figures: Sequence[Figure]) -> Mapping[str, Cell]:
    is_hidden = frozenset(name for name, cells in kept.items() if cell in cells)
    return {figure.name: _cell(figure, tally, is_hidden) for figure in figures}


EMPTY, FEW = Cell(None, None, "empty"), Cell(None, None, "small")


def _cell(figure: Figure, tally: Tally, is_hidden: Collection[str]) -> Cell:
    counts = tally.counts
    one_is_hidden = not {figure.of, figure.other, figure.all_of}.isdisjoint(is_hidden)
    if figure.kind == "minutes":
        number = tally.number_of(figure.of)
        if number < SMALL or one_is_hidden:
            return FEW if number else EMPTY
        return Cell(tally.quantile(figure.of, figure.percent), number, "shown")
    if figure.kind == "share":
        whole = counts[figure.all_of] if figure.all_of else counts[figure.of] + counts[figure.other]
        if not whole:
            return EMPTY
        if whole < SMALL or one_is_hidden:
            return FEW
        return Cell(round(counts[figure.of] / whole, 4), whole, "shown")
    if not counts[figure.base]:
        return EMPTY
    return FEW if figure.of in is_hidden else Cell(counts[figure.of], None, "shown")


def described(figure: Figure) -> dict[str, Any]:
    """What an answer says of a figure."""
    return {
        "name": figure.name,
        "kind": figure.kind,
        "title": figure.title.zh,
        "title_en": figure.title.en,
        "formula": figure.formula.zh,
        "formula_en": figure.formula.en,
    }


def own_of(found: Mapping[Key, Tally], at: int) -> dict[str, Tally]:
    """The same by unit alone, or by group alone: the first or the second part of each key."""
    parts: dict[str, list[Tally]] = {}
    for key, tally in found.items():
        parts.setdefault(key[at], []).append(tally)
    return {name: total(some) for name, some in parts.items()}
