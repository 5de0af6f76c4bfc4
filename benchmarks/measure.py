"""Pairs of measurements and their ratios."""

import os
import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

Rate = Callable[[], Awaitable[float]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table. `ratio` is the median over the pairs, not the ratio of the two medians."""

    name: str
    unit: str
    reached: float
    goal: float
    floor: float | None = None
    ratio: float | None = None
    floor_is: str = ""
    at_least: bool = False
    """Whether a figure without a floor must reach its goal. If not, it must stay below it."""
    runs: int = 1
    load: float = field(default_factory=lambda: os.getloadavg()[0])
    """Load average of the last minute at the end of the figure, including its own load."""

    @property
    def is_met(self) -> bool:
        """Ratios must reach their goal. Figures without a floor must reach it or stay below it, see `at_least`."""
        if self.ratio is not None:
            return self.ratio >= self.goal
        return self.reached >= self.goal if self.at_least else self.reached <= self.goal


async def pairs(name: str, ours: Rate, floor: Rate, *, goal: float, floor_is: str, unit: str, runs: int) -> Figure:
    """Measures both in turn, in changing order, after one round that does not count."""
    reached: list[float] = []
    floors: list[float] = []
    for run in range(runs + 1):
        if run % 2:
            a = await ours()
            b = await floor()
        else:
            b = await floor()
            a = await ours()
        if run:
            reached.append(a)
            floors.append(b)
    ratio = statistics.median(a / b for a, b in zip(reached, floors, strict=True))
    return Figure(
        name,
        unit,
        statistics.median(reached),
        goal,
        statistics.median(floors),
        ratio,
        floor_is,
        runs=runs,
    )


def percentile(values: Sequence[float], part: float) -> float:
    """The value that exceeds this part of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def table(figures: Sequence[Figure]) -> str:
    """The table for people."""
    heads = ("figure", "reached", "floor", "ratio", "goal", "met", "load")
    lines = [heads]
    for figure in figures:
        has_floor = figure.floor is not None
        lines.append(
            (
                figure.name,
                f"{figure.reached:,.0f} {figure.unit}"
                if figure.reached >= 10
                else f"{figure.reached:.2f} {figure.unit}",
                f"{figure.floor:,.0f} ({figure.floor_is})" if has_floor else "",
                f"{figure.ratio:.2f}" if figure.ratio is not None else "",
                f"{figure.goal:g}",
                "yes" if figure.is_met else "no",
                f"{figure.load:.1f}",
            )
        )
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    padded = ([cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines)
    return "\n".join("  ".join(line).rstrip() for line in padded)
