"""How alike two texts are: the cosine of the weights of their runs of two and three characters. Pure.

No dictionary, no training and no language is needed. A run weighs more the more often a text has it and the fewer
matters have it.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.kernel.masking import MARKERS
from services.kernel.store.word_index import plain

_MARKERS = re.compile("|".join(map(re.escape, MARKERS.values())))
COMPARED = 1500
"""Characters of a text that are compared, from its beginning."""
SHOWN_WORDS = 5
"""At most so many shared words are named."""
LONGEST_WORD = 20


class Commonness(NamedTuple):
    """How much each run of characters says: the fewer matters have it, the more. `rare` is for runs that none has."""

    weights: Mapping[str, float]
    rare: float

    def weight(self, run: str) -> float:
        """How much the run says."""
        return self.weights.get(run, self.rare)


def document(subject: str | None, text: str | None, place: str | None = None) -> str:
    """What is compared of a report: its words without the markers of masked data, which make no two matters alike."""
    return plain(_MARKERS.sub(" ", f"{subject or ''} {(text or '')[:COMPARED]} {place or ''}"))


def runs(document: str) -> Counter[str]:
    """Each run of two and three characters, white space left out, and how often the text has it."""
    told = "".join(document.split())
    pairs = [told[at : at + 2] for at in range(len(told) - 1)]
    return Counter(pairs + [told[at : at + 3] for at in range(len(told) - 2)])


def commonness(documents: Iterable[str]) -> Commonness:
    """How common the runs of these documents are, one document for each matter.

    A run weighs the logarithm of the inverse share of the matters that have it. One that a single matter has is as rare
    as one that none has, and is not kept.
    """
    having: Counter[str] = Counter()
    matters = 0
    for one in documents:
        matters += 1
        having.update(runs(one).keys())
    all_ = max(matters, 1)
    return Commonness({run: math.log(1 + all_ / n) for run, n in having.items() if n > 1}, math.log(1 + all_))


def vector(document: str, common: Commonness) -> dict[str, float]:
    """The weights of the document's runs, of length 1. Nothing for a document without runs."""
    known, rare, log = common.weights.get, common.rare, math.log
    weights = {
        run: known(run, rare) if count == 1 else (1 + log(count)) * known(run, rare)
        for run, count in runs(document).items()
    }
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
