"""The difference between two texts, by sentences and within them by characters. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any, Literal, NamedTuple

SENTENCES = re.compile(r"[^。！？；!?\n]*[。！？；!?\n]?")
MOST = 20_000_000
"""Steps of a comparison, about a second. Passages for which none are left are shown as deleted and inserted."""
SHORTEST = 2
"""A run of equal characters between two changes that is shorter belongs to the change."""
DIGITS = "0123456789"

Kind = Literal["equal", "insert", "delete"]


class Piece(NamedTuple):
    """A passage that stayed, was inserted or was deleted."""

    kind: Kind
    text: str


def difference(old: str, new: str, most: int = MOST) -> list[Piece]:
    """The pieces of both texts in order, found with at most so many steps.

    Without the inserted ones they are the old text, without the deleted ones the new text.
    """
    begin = _shared(old, new)
    end = _shared(old[begin:][::-1], new[begin:][::-1])
    before, after = old[begin : len(old) - end], new[begin : len(new) - end]
    changed = _Comparing(most).pieces(_sentences(before), _sentences(after))
    return _whole_figures(_joined((Piece("equal", old[:begin]), *changed, Piece("equal", old[len(old) - end :]))))


def figures(pieces: Sequence[Piece]) -> tuple[int, int]:
    """How many characters were inserted, and how many deleted."""
    lengths = {kind: sum(len(one.text) for one in pieces if one.kind == kind) for kind in ("insert", "delete")}
    return lengths["insert"], lengths["delete"]


def _shared(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _sentences(text: str) -> list[str]:
    return [one for one in SENTENCES.findall(text) if one]


class _Comparing:
    """Compares sentences, and characters within them, with so many steps left."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def pieces(self, old: Sequence[str], new: Sequence[str], *, within: bool = True) -> Iterator[Piece]:
        """The pieces of two passages. `within` compares the characters of sentences that were replaced."""
        once, again = Counter(old), Counter(new)
        self._left -= sum(count * again[one] for one, count in once.items()) * min(len(old), len(new))
        if self._left < 0:
            yield from _replaced("".join(old), "".join(new))
            return
        for tag, *at in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            before, after = "".join(old[at[0] : at[1]]), "".join(new[at[2] : at[3]])
            if tag == "equal":
                yield Piece("equal", after)
            elif tag == "replace" and within:
                yield from _whole(list(self.pieces(before, after, within=False)))
            else:
                yield from _replaced(before, after)


def _replaced(before: str, after: str) -> Iterator[Piece]:
    if before:
        yield Piece("delete", before)
    if after:
        yield Piece("insert", after)


def _whole(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """The same pieces without equal runs that are too short to read."""
    last = len(pieces) - 1
    for at, one in enumerate(pieces):
        if one.kind == "equal" and len(one.text) < SHORTEST and 0 < at < last:
            yield from _replaced(one.text, one.text)
        else:
            yield one


def _joined(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Neighbours of one kind as one piece; of a change, first what was deleted, then what was inserted."""
    changed: dict[Any, str] = {"delete": "", "insert": ""}
    equal = ""
    for one in (*pieces, Piece("equal", "")):
        if one.kind != "equal":
            if equal:
                yield Piece("equal", equal)
                equal = ""
            changed[one.kind] += one.text
        else:
            if one.text or not equal:
                yield from _replaced(changed["delete"], changed["insert"])
                changed = {"delete": "", "insert": ""}
            equal += one.text
    if equal:
        yield Piece("equal", equal)


def _whole_figures(found: Iterable[Piece]) -> list[Piece]:
    """The same pieces; a change in a figure takes in the whole figure, since `13` against `23` is one difference."""
    parts = [["", "", ""]]
    """Each an equal passage, then what is deleted and what is inserted behind it."""
    for kind, words in found:
        if kind == "equal":
            parts.append([words, "", ""])
        else:
            parts[-1][1 if kind == "delete" else 2] += words
    for part, following in pairwise([*parts, ["", "", ""]]):
        equal, *changed = part
        begins = any(words[:1] in DIGITS for words in changed if words)
        ends = any(words[-1:] in DIGITS for words in changed if words)
        head = equal[len(equal.rstrip(DIGITS)) :] if begins else ""
        tail = following[0][: len(following[0]) - len(following[0].lstrip(DIGITS))] if ends else ""
        part[:] = [equal.removesuffix(head), *(head + words + tail for words in changed)]
        following[0] = following[0].removeprefix(tail)
    kinds: tuple[Kind, ...] = ("equal", "delete", "insert")
    return [Piece(kind, words) for part in parts for kind, words in zip(kinds, part, strict=True) if words]
