"""A unit's own days and working hours, which stand above the national calendar."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from schemas.pack.clocks import Window


@dataclass(frozen=True, slots=True)
class Span:
    """What a unit does otherwise than the country for some days, both ends included."""

    since: date
    until: date
    days: Literal["working", "free", "as_usual"] | None = None
    """None says nothing of the days."""
    windows: tuple[Window, ...] | None = None
    """The working hours in local time. None says nothing of them, and no window means the usual ones."""


@dataclass(frozen=True, slots=True)
class OwnDays:
    """Local holidays, make-up days and summer hours. The first span that says something of a day decides."""

    spans: tuple[Span, ...] = ()

    def works(self, day: date) -> bool | None:
        """Whether people work on a day; None if the country's calendar decides."""
        said = next((span.days for span in self._of(day) if span.days), "as_usual")
        return None if said == "as_usual" else said == "working"

    def windows(self, day: date) -> tuple[Window, ...]:
        """The working hours of a day, if they are other than usual."""
        return next((span.windows for span in self._of(day) if span.windows is not None), ())

    def _of(self, day: date) -> Iterable[Span]:
        return (span for span in self.spans if span.since <= day <= span.until)


NONE = OwnDays()
