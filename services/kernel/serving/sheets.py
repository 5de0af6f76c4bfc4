"""Tables as CSV for office programs.

A column of codes or of instants in UTC has another one beside it, for people: `…_title` has the word, `…_local` the
time of the office with its zone.
"""

import csv
import io
import unicodedata
from collections.abc import Iterable
from datetime import tzinfo
from typing import Any

from schemas.fields import parse_instant

KIND = "text/csv; charset=utf-8"
BOM = "\ufeff"
"""Office programs take a file for UTF-8 by it."""
FORMULA = ("=", "+", "-", "@")
"""A cell that begins so is a formula for office programs, also in full width."""
SKIPPED = ("\t", "\r", "\n")
"""A cell that begins so ends, or goes on in the next one, for some of them."""


def local(written: str | None, zone: tzinfo) -> str:
    """An instant as `2026-03-02 09:30:00 +08:00`; empty without one."""
    if not written:
        return ""
    at = parse_instant(written).astimezone(zone)
    return f"{at:%Y-%m-%d %H:%M:%S} {at.isoformat()[-6:]}"


def line(cells: Iterable[Any], delimiter: str = ",") -> str:
    """A row with its line end. None is an empty cell."""
    written = io.StringIO()
    csv.writer(written, delimiter=delimiter).writerow(["" if cell is None else plain(str(cell)) for cell in cells])
    return written.getvalue()


def plain(cell: str) -> str:
    """A cell that no office program takes for a formula, whatever blanks and invisible characters come first."""
    seen = next((one for one in unicodedata.normalize("NFKC", cell) if not _is_unseen(one)), "")
    return f"'{cell}" if seen in FORMULA or cell.startswith(SKIPPED) else cell


def unmarked(cell: str) -> str:
    """A cell as it was before `plain`."""
    return cell[1:] if cell.startswith("'") and plain(cell[1:]) != cell[1:] else cell


def _is_unseen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf")
