"""Numbers that people can say on the telephone: `town-east-2026-00042`.

A number names the unit of opening, the year in the unit's time zone, and a count. Statements count with `S`, exercises
with `X`: `town-east-2026-S00007`, `town-east-2026-X00001`. Counts rise and never come twice; one may be left out.
"""

import re
from typing import ClassVar, NamedTuple

from schemas.fields import Fact, Number, UnitCode

DRILL = "X"
_FORM = re.compile(r"([a-z0-9][a-z0-9-]{0,63})-([12][0-9]{3})-(S?X?)([0-9]{5,9})")
_HYPHENS = re.compile("[‐‑‒–—―−]")
_FULL = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""Full-width forms of ASCII -> ASCII."""


class Series(NamedTuple):
    """Records that are counted together."""

    unit: str
    year: int
    mark: str
    """`S` for statements, `X` for exercises, both for statements in exercises; empty for incidents."""

    def number(self, count: int) -> str:
        """The number with this count."""
        return f"{self.unit}-{self.year}-{self.mark}{count:05}"


class Numbered(Fact):
    """The first event of a record that has a number. The store gives the number when it appends the event."""

    MARK: ClassVar[str] = ""

    unit: UnitCode
    number: Number | None = None


def parts(number: str) -> tuple[Series, int] | None:
    """The series and the count of a number; None for any other text."""
    found = _FORM.fullmatch(number)
    return (Series(found[1], int(found[2]), found[3]), int(found[4])) if found else None


def number_read(typed: str) -> str:
    """The number that somebody meant: other hyphens, other capitals, full-width signs, spaces around it or within."""
    plain = _HYPHENS.sub("-", re.sub(r"\s", "", typed.translate(_FULL))).lower()
    head, hyphen, count = plain.rpartition("-")
    return head + hyphen + count.upper()
