"""The difference between two texts, line by line, with a few lines around each change. Pure."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import NamedTuple

AROUND = 3
"""Unchanged lines that are shown around a change."""


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
    # Without `autojunk`, lines that occur often still match.
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [list(_lines(old, new, group)) for group in matcher.get_grouped_opcodes(AROUND)]


def _lines(old: list[str], new: list[str], group: list[tuple[str, int, int, int, int]]) -> Iterator[Line]:
    for kind, i1, i2, j1, j2 in group:
        if kind == "equal":
            yield from (Line(" ", i + 1, j + 1, old[i]) for i, j in zip(range(i1, i2), range(j1, j2), strict=True))
            continue
        yield from (Line("-", i + 1, None, old[i]) for i in range(i1, i2))
        yield from (Line("+", None, j + 1, new[j]) for j in range(j1, j2))
