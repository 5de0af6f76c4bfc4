"""No small number is shown, and none can be worked out from the numbers that are."""

from fractions import Fraction
from itertools import product
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.kernel.core.suppression import SMALL, hidden

Sums = list[tuple[Any, list[Any]]]


@st.composite
def offices(draw: st.DrawFn, units: int = 7, most: int = 30) -> tuple[dict[Any, int], Sums]:
    """A tree of units with their own counts, and the root's count by category."""
    counts = st.one_of(st.integers(0, 6), st.integers(0, most))
    parents = [draw(st.integers(0, at - 1)) for at in range(1, draw(st.integers(1, units)))]
    own = [draw(counts) for _ in range(len(parents) + 1)]
    total = list(own)
    for at in range(len(parents), 0, -1):
        total[parents[at - 1]] += total[at]
    cells: dict[Any, int] = {("own", at): number for at, number in enumerate(own)}
    cells |= {("unit", at): number for at, number in enumerate(total)}
    sums: Sums = [
        (("unit", at), [("own", at), *(("unit", below + 1) for below, above in enumerate(parents) if above == at)])
        for at in range(len(own))
    ]
    left, categories = total[0], []
    while left:
        categories.append(draw(st.integers(1, left)))
        left -= categories[-1]
    cells |= {("category", at): number for at, number in enumerate(categories)}
    sums.append((("unit", 0), [("category", at) for at in range(len(categories))]))
    return cells, sums


def derivable(cells: dict[Any, int], sums: Sums, kept: frozenset[Any]) -> set[Any]:
    """The hidden counts that follow from the shown ones, by elimination over all sums."""
    unknown = sorted(kept)
    rows = [[Fraction((cell in parts) - (cell == total)) for cell in unknown] for total, parts in sums]
    at = 0
    for column in range(len(unknown)):
        found = next((row for row in range(at, len(rows)) if rows[row][column]), None)
        if found is None:
            continue
        rows[at], rows[found] = rows[found], rows[at]
        rows[at] = [one / rows[at][column] for one in rows[at]]
        for row in range(len(rows)):
            if row != at and rows[row][column]:
                factor = rows[row][column]
                rows[row] = [one - factor * other for one, other in zip(rows[row], rows[at], strict=True)]
        at += 1
    return {unknown[row.index(1)] for row in rows if sum(map(bool, row)) == 1}


@given(offices())
def test_no_small_number_is_shown_and_none_follows_from_the_sums(found: tuple[dict[Any, int], Sums]) -> None:
    cells, sums = found
    kept = hidden(cells, sums)
    assert all(cell in kept for cell, count in cells.items() if 0 < count < SMALL)
    assert all(cells[cell] for cell in kept), "a zero is no secret, and hides nothing"
    assert derivable(cells, sums, kept) == set()


@given(offices(units=3, most=12))
def test_every_hidden_number_could_be_five_others_for_somebody_who_knows_that_it_is_not_zero(
    found: tuple[dict[Any, int], Sums],
) -> None:
    cells, sums = found
    cells = {cell: count for cell, count in cells.items() if cell[0] != "category"}
    sums = sums[:-1]
    kept = hidden(cells, sums)
    own = [cell for cell in cells if cell[0] == "own"]
    possible: dict[Any, set[int]] = {cell: set() for cell in kept}
    for numbers in product(*(range(1, 24) if cell in kept else [cells[cell]] for cell in own)):
        world = dict(zip(own, numbers, strict=True))
        for total, parts in reversed(sums):
            world[total] = sum(world[part] for part in parts)
        if all((world[cell] > 0) if cell in kept else world[cell] == cells[cell] for cell in cells):
            for cell in kept:
                possible[cell].add(world[cell])
    assert all(len(values) >= SMALL for values in possible.values())


def test_the_one_large_part_that_would_give_the_small_one_away_is_hidden_too() -> None:
    cells = {"county": 40, "east": 3, "west": 37, "north": 0}
    assert hidden(cells, [("county", ["east", "west", "north"])]) == {"east", "west"}


def test_two_ones_of_a_known_sum_are_not_left_alone() -> None:
    cells = {"county": 12, "east": 1, "west": 1, "north": 10}
    assert hidden(cells, [("county", ["east", "west", "north"])]) == {"east", "west", "north"}


def test_large_numbers_are_all_shown() -> None:
    assert hidden({"county": 20, "east": 5, "west": 15}, [("county", ["east", "west"])]) == frozenset()
