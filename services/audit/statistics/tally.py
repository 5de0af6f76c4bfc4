"""What is counted, and how counts of parts add up. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

COUNTS = (
    "reports",
    "opened",
    "answered",
    "in_time",
    "late",
    "signed_in_time",
    "signed_late",
    "solved",
    "reopened",
    "returned",
    "reminded",
    "helped",
    "unhelped",
    "upward",
)
"""Numbers of matters, reports, limits or acts."""
TIMES = ("first_answer", "gap", "lag", "entry")
"""Lengths of time, of which the middle and the tail are told."""

Key = tuple[str, str]
"""A unit, and the value of what the numbers are told apart by; each is empty if it tells nothing apart."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted of some matters. Two tallies of different matters add up to that of both."""

    counts: Counter[str] = field(default_factory=Counter)
    times: Mapping[str, Counter[int]] = field(default_factory=dict)
    """Kind of time -> whole minutes -> how often."""

    def __add__(self, other: "Tally") -> "Tally":
        names = self.times.keys() | other.times.keys()
        times = {name: self.times.get(name, Counter()) + other.times.get(name, Counter()) for name in names}
        return Tally(self.counts + other.counts, times)

    def number_of(self, name: str) -> int:
        """A count, or how many lengths of time of a kind there are."""
        return self.counts[name] if name in COUNTS else sum(self.times.get(name, Counter()).values())

    def quantile(self, name: str, percent: int) -> int | None:
        """The minutes that at least so many per cent of the times do not exceed: the nearest rank. None without any."""
        found = self.times.get(name, Counter())
        rank = -(-sum(found.values()) * percent // 100)
        for minutes in sorted(found):
            rank -= found[minutes]
            if rank <= 0:
                return minutes
        return None


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum."""
    counts, times = Counter[str](), dict[str, Counter[int]]()
    for one in tallies:
        counts.update(one.counts)
        for name, lengths in one.times.items():
            times.setdefault(name, Counter()).update(lengths)
    return Tally(counts, times)
