"""How alike two texts are: the cosine of the weights of their runs of two and three characters. Pure.

No dictionary, no training and no language is needed. A run weighs more the more often a text has it and the fewer
matters have it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.kernel.store.word_index import plain

COMPARED = 1500
"""Characters of a text that are compared, from its beginning."""
SHOWN_WORDS = 5
"""At most so many shared words are named."""
LONGEST_WORD = 20


class Commonness(NamedTuple):
    """How many of so many matters have a run of characters. Runs that only one matter has may be left out."""

    matters: int
    having: Mapping[str, int]

    def weight(self, run: str) -> float:
        """How much the run says: the logarithm of the share of matters that have it."""
        return math.log(1 + self.matters / self.having.get(run, 1))


def document(subject: str | None, text: str | None, place: str | None = None) -> str:
    """What is compared of a report."""
    return plain(f"{subject or ''} {(text or '')[:COMPARED]} {place or ''}")


def runs(document: str) -> Counter[str]:
    """Each run of two and three characters, white space left out, and how often the text has it."""
    told = "".join(document.split())
    return Counter(told[at : at + size] for size in (2, 3) for at in range(len(told) - size + 1))


def commonness(documents: Iterable[str]) -> Commonness:
    """How common the runs of these documents are, one document for each matter."""
    having: Counter[str] = Counter()
    matters = 0
    for one in documents:
        matters += 1
        having.update(runs(one).keys())
    return Commonness(max(matters, 1), {run: count for run, count in having.items() if count > 1})


def vector(document: str, common: Commonness) -> dict[str, float]:
    """The weights of the document's runs, of length 1. Nothing for a document without runs."""
    weights = {run: (1 + math.log(count)) * common.weight(run) for run, count in runs(document).items()}
    length = math.sqrt(sum(weight * weight for weight in weights.values()))
    return {run: weight / length for run, weight in weights.items()} if length else {}


def cosine(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """From 0, nothing in common, to 1, the same."""
    return sum(weight * other[run] for run, weight in one.items() if run in other)


def shared(one: str, other: str, common: Commonness) -> list[str]:
    """The words that both have, those that say most first: the longest runs of letters and digits in both."""
    found: dict[str, float] = {}
    at = 0
    while at < len(one):
        end = at
        while end < len(one) and end - at < LONGEST_WORD and one[end].isalnum() and one[at : end + 1] in other:
            end += 1
        word = one[at:end]
        if len(word) > 1:
            found[word] = sum(common.weight(word[n : n + 2]) for n in range(len(word) - 1))
        at = max(end, at + 1)
    return sorted(found, key=lambda word: (-found[word], word))[:SHOWN_WORDS]
