"""Which counts are shown, so that nobody works out a small one from the others. Pure.

Counts of 1 to 4 are hidden. A reader knows all sums (a unit is itself and the units below it), and that nothing
hidden is zero. So further counts are hidden until, by all that is shown, every hidden count could still have five
values or more. The sums form no rings. Then the bounds that pass from sum to sum are all that can be worked out.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from math import inf
from typing import TypeVar

SMALL = 5
"""Smaller counts than this are hidden, but not zero. A hidden count can have at least so many values."""
Cell = TypeVar("Cell", bound=Hashable)


def hidden(counts: Mapping[Cell, int], sums: Sequence[tuple[Cell, Sequence[Cell]]]) -> frozenset[Cell]:
    """The counts that are not shown. Each of `sums` is a total and its parts; all are in `counts`."""
    kept = {cell for cell, count in counts.items() if 0 < count < SMALL}
    sums = [(total, [part for part in parts if counts[part]]) for total, parts in sums if counts[total]]
    while True:
        bounds = _bounds(counts, sums, kept)
        narrow = [cell for cell in counts if cell in kept and bounds[cell][1] - bounds[cell][0] < SMALL - 1]
        if not narrow:
            return frozenset(kept)
        near = {cell for total, parts in sums for cell in (total, *parts) if {total, *parts}.intersection(narrow)}
        order = [cell for cell in counts if counts[cell] and cell not in kept]
        if not order:
            return frozenset(kept)
        kept.add(min(order, key=lambda cell: (cell not in near, counts[cell])))


def _bounds(
    counts: Mapping[Cell, int], sums: Sequence[tuple[Cell, Sequence[Cell]]], kept: set[Cell]
) -> dict[Cell, tuple[float, float]]:
    """The least and the most that each count can be, for somebody who sees the shown ones."""
    found: dict[Cell, tuple[float, float]] = {
        cell: (1, inf) if cell in kept else (count, count) for cell, count in counts.items()
    }
    changed = True
    while changed:
        changed = False
        for total, parts in sums:
            least, most = sum(found[part][0] for part in parts), sum(found[part][1] for part in parts)
            above = found[total]
            fresh = {total: (max(above[0], least), min(above[1], most))}
            for part in parts:
                low, high = found[part]
                others = sum(found[other][1] for other in parts if other != part)
                fresh[part] = (max(low, above[0] - others), min(high, above[1] - (least - low)))
            for cell, pair in fresh.items():
                if pair != found[cell]:
                    found[cell], changed = pair, True
    return found


def of_units(
    own: Mapping[str, int], units: Iterable[str], parent: Callable[[str], str | None]
) -> tuple[dict[tuple[str, str], int], list[tuple[tuple[str, str], list[tuple[str, str]]]]]:
    """The counts of a tree of units for `hidden`, and its sums.

    `("unit", code)` is a unit with all below it, `("own", code)` itself alone. `units` come without gaps: of a unit of
    them, each one between it and the highest is among them.
    """
    units = list(units)
    below: dict[str, list[str]] = {code: [] for code in units}
    for code in units:
        above = parent(code)
        if above is not None and above in below:
            below[above].append(code)
    cells: dict[tuple[str, str], int] = {}

    def count(code: str) -> int:
        cells["own", code] = own.get(code, 0)
        cells["unit", code] = cells["own", code] + sum(count(one) for one in below[code])
        return cells["unit", code]

    for code in units:
        if parent(code) not in below:
            count(code)
    return cells, [(("unit", code), [("own", code), *(("unit", one) for one in below[code])]) for code in units]
