"""How numbers are shown: as text, and as bars beside the text. Pure.

A number that is not shown has no bar, and its text says why.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.console.page import Reader
from services.console.words import N_

WIDE, TALL, HEAD, FOOT, NAMES = 420, 120, 18, 20, 8
"""Of a chart of columns: its width, the highest one, the room above and below, and for how many names it has room."""
LONGEST = 100
"""The length of the longest bar in a table."""
WITHOUT = {"small": N_("数小不显示"), "empty": N_("无")}
"""What is said in place of a number."""
MOST, MANY = 60, 14
"""A chart has at most so many columns; more are a table alone. Of more than so many, a table leaves empty ones out."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A group: its name, its number as text, and how long its bar is, from 0 to 1; None without a number."""

    name: str
    text: str
    part: float | None
    is_empty: bool = False
    """Whether there was nothing to count."""

    @property
    def length(self) -> float:
        """The length of its bar in a table."""
        return round(LONGEST * (self.part or 0), 1)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a chart over time."""

    left: float
    top: int
    wide: float
    high: int
    name: str
    """Under the column; empty where names would stand too close."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A figure over its groups."""

    name: str
    title: str
    formula: str
    bars: Sequence[Bar]
    is_time: bool
    """Whether the groups follow each other in time. Then it is a chart of columns."""

    @property
    def said(self) -> str:
        """The chart for whoever hears it."""
        return "; ".join(f"{bar.name} {bar.text}" for bar in self.bars)

    @property
    def wide(self) -> int:
        """The width of the chart."""
        return WIDE

    @property
    def tall(self) -> int:
        """The height of the chart."""
        return HEAD + TALL + FOOT

    @property
    def base(self) -> int:
        """Where the columns stand."""
        return HEAD + TALL

    @property
    def is_drawn(self) -> bool:
        """Whether there is a chart of columns: of groups in time, of which one has a number."""
        return self.is_time and any(bar.part for bar in self.bars)

    @property
    def columns(self) -> Sequence[Column]:
        """The columns; of a group without a number, one without height. Not every one has room for its name."""
        step, every = WIDE / max(len(self.bars), 1), -(-len(self.bars) // NAMES)
        found = []
        for at, bar in enumerate(self.bars):
            high, name = round(TALL * (bar.part or 0)), "" if at % every else bar.name[-5:]
            left, wide = round(at * step + step * 0.1, 1), round(step * 0.8, 1)
            found.append(Column(left, HEAD + TALL - high, wide, high, name))
        return found

    @property
    def rows(self) -> Sequence[Bar]:
        """The rows of the table. Of many groups in time, those in which there was nothing to count are left out."""
        return self.bars if len(self.bars) <= MANY else [bar for bar in self.bars if not bar.is_empty]


def title_of(figure: Mapping[str, Any], look: Reader, name: str = "title") -> str:
    """A text of a figure or chapter in the reader's language."""
    return str(figure[f"{name}_en" if look.language == "en" else name])


def written(cell: Mapping[str, Any], kind: str, look: Reader) -> str:
    """A number as text."""
    if cell["state"] != "shown":
        return look.gettext(WITHOUT[cell["state"]])
    if kind == "share":
        return look.gettext(N_("%(share)s（共 %(whole)s）")) % {"share": f"{cell['value']:.0%}", "whole": cell["of"]}
    return look.span(cell["value"] * 60) if kind == "minutes" else str(cell["value"])


def chart(
    figure: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    name_of: Callable[[str], str],
    look: Reader,
    *,
    is_time: bool = False,
    key: str = "group",
) -> Chart:
    """The chart of a figure over the rows of an answer."""
    cells = [row["cells"][figure["name"]] for row in rows]
    shown = [cell["value"] for cell in cells if cell["state"] == "shown"]
    most = 1.0 if figure["kind"] == "share" else max(shown, default=0) or 1
    bars = [
        Bar(
            name_of(row[key]),
            written(cell, figure["kind"], look),
            cell["value"] / most if cell["state"] == "shown" else None,
            cell["state"] == "empty",
        )
        for row, cell in zip(rows, cells, strict=True)
    ]
    title, formula = title_of(figure, look), title_of(figure, look, "formula")
    return Chart(figure["name"], title, formula, bars, is_time and len(bars) <= MOST)


def figures(answer: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The figures of an answer by name."""
    return {figure["name"]: figure for figure in answer["figures"]}
