"""The difference between two texts, line by line, with a few lines around each change. Pure."""

from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

AROUND = 3
"""Unchanged lines that are shown around a change."""
MOST = 100_000_000
"""Steps of a comparison at worst. A pack has a tenth of them; a text of many equal lines would take hours."""
Code = tuple[str, int, int, int, int]


class Line(NamedTuple):
    """A line of a difference."""

    sign: str
    """`+` is new, `-` is gone, a blank is both."""
    was: int | None
    """Its number in the text before."""
    now: int | None
    """Its number in the text after."""
    text: str


def changes(before: str, after: str) -> list[list[Line]]:
    """The changes from one text to another, with the lines around them."""
    old, new = before.splitlines(), after.splitlines()
    once, again = Counter(old), Counter(new)
    if sum(count * again[line] for line, count in once.items()) * min(len(old), len(new)) > MOST:
        return [list(_lines(old, new, _whole(old, new)))] if old != new else []
    # Without `autojunk`, lines that occur often still match.
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [list(_lines(old, new, group)) for group in matcher.get_grouped_opcodes(AROUND)]


def _whole(old: list[str], new: list[str]) -> list[Code]:
    """Everything between the first and the last line that differ, as one change."""
    begin, end = _shared(old, new), 0
    if rest := min(len(old), len(new)) - begin:
        end = _shared(old[-rest:][::-1], new[-rest:][::-1])
    i, j = len(old) - end, len(new) - end
    first, last = max(begin - AROUND, 0), min(AROUND, end)
    return [("equal", first, begin, first, begin), ("replace", begin, i, begin, j), ("equal", i, i + last, j, j + last)]


def _shared(one: list[str], other: list[str]) -> int:
    """How many lines both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _lines(old: list[str], new: list[str], group: list[Code]) -> Iterator[Line]:
    for kind, i1, i2, j1, j2 in group:
        if kind == "equal":
            yield from (Line(" ", i + 1, j + 1, old[i]) for i, j in zip(range(i1, i2), range(j1, j2), strict=True))
            continue
        yield from (Line("-", i + 1, None, old[i]) for i in range(i1, i2))
        yield from (Line("+", None, j + 1, new[j]) for j in range(j1, j2))
