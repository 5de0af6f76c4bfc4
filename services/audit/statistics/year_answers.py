"""The answers about yearly tables, for the API's documents."""

from typing import Any, Literal

from schemas.fields import Digest, Instant, Post, UnitCode, Uuid
from schemas.findings import FindingKind
from services.audit.answers import STATED, Stated
from services.audit.statistics.answers import Cell, Figure
from services.audit.statistics.figures import FIGURES, described
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered

_CIRCULATED: dict[str, Any] = {
    "event": "01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e",
    "unit": "county",
    "year": 2026,
    "units": ["county", "town-east"],
    "at": "2027-01-11T02:00:00.000000Z",
    "by": "chief@county",
    "log_size": 4,
    "sha256": "9f2c" * 16,
    "praise": "城东镇按时答复，予以表扬。",
    "shortcomings": None,
}


class Circulated(Answered, json_schema_extra=example(**_CIRCULATED)):
    """How a table was circulated."""

    event: Uuid
    """The event that says so."""
    unit: UnitCode
    """The unit whose table it is."""
    year: int
    """The year."""
    units: tuple[UnitCode, ...]
    """The units in it, to which it went."""
    at: Instant
    """When."""
    by: Post
    """The post that circulated it."""
    log_size: int
    """How many events it rests on."""
    sha256: Digest
    """The digest of its rows: SHA-256 of them as JSON with sorted keys, in hex."""
    praise: str | None
    """What was praised; null if nothing was, or if the words were deleted."""
    shortcomings: str | None
    """What was criticised; null likewise."""


class Circulations(Stated, json_schema_extra=example(**STATED, items=[_CIRCULATED])):
    """Tables that were circulated, the newest first."""

    items: tuple[Circulated, ...]
    """The circulations."""


class YearRow(Answered):
    """A unit in the table."""

    unit: UnitCode
    """The unit, whose figures are with those below it."""
    cells: dict[str, Cell]
    """The figures by name."""
    findings: dict[FindingKind, int]
    """Kind of finding -> how many of the year stand by their rule or were confirmed, against this unit alone."""


class Year(
    Stated,
    json_schema_extra=example(
        **STATED,
        unit="county",
        year=2026,
        zone="Asia/Shanghai",
        smallest=5,
        figures=[described(FIGURES[1])],
        rows=[
            {
                "unit": "county",
                "cells": {"opened": {"value": 42, "of": None, "state": "shown"}},
                "findings": {"late_report": 1},
            }
        ],
        circulated=_CIRCULATED,
        unaltered=True,
    ),
):
    """The table of a year."""

    unit: UnitCode
    """The unit whose table it is."""
    year: int
    """The year."""
    zone: str
    """The time zone of the unit, in which the year begins."""
    smallest: Literal[5]
    """Counts below this, except zero, are not shown, nor any from which such a one follows."""
    figures: tuple[Figure, ...]
    """The figures, each with its formula."""
    rows: tuple[YearRow, ...]
    """The units, the one whose table it is first, then in the order of their codes."""
    circulated: Circulated | None
    """How it was circulated; null for a table that is computed now."""
    unaltered: bool | None
    """Whether a circulated table is the same when it is computed again; null for one that is computed now."""
