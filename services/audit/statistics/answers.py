"""The answers of statistics, for the API's documents."""

from typing import Any, Literal

from schemas.fields import Code, Month, UnitCode
from services.audit.answers import STATED, Stated
from services.audit.statistics.counting import By
from services.audit.statistics.figures import FIGURES, Kind, State, described
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered

_OF = {"unit": "town-east", "first_month": "2026-01", "last_month": "2026-03", "zone": "Asia/Shanghai", "smallest": 5}
_CELLS = {"opened": {"value": 42, "of": None, "state": "shown"}, "in_time": {"value": 0.9, "of": 40, "state": "shown"}}
_ASKED: dict[str, Any] = {"by": "level", "level": None, "category": None, "pack": None}


class Figure(Answered):
    """A figure and how it is computed."""

    name: Code
    """Its name in the rows."""
    kind: Kind
    """A count; a share from 0 to 1; or a length of time in minutes."""
    title: str
    """What it is called."""
    title_en: str
    """The same in English."""
    formula: str
    """How it is computed."""
    formula_en: str
    """The same in English."""


class Cell(Answered):
    """A value of a figure."""

    value: float | int | None
    """The value; null if it is not shown or there is none."""
    of: int | None
    """Of a share, or a length of time: how many it rests on. Null where the value is not shown, and for counts."""
    state: State
    """`shown`; `small` if it is small, or lets somebody work out a small one; `empty` if there was nothing to count."""


class Row(Answered):
    """The figures of a group."""

    group: str
    """The unit with those below it, month, level, category or pack. Empty for matters without one."""
    cells: dict[str, Cell]
    """The figures by name."""
    own: dict[str, Cell] | None
    """The same of the unit alone, where others are below it; null for all other groups."""


class Statistics(
    Stated,
    json_schema_extra=example(
        **STATED,
        **_OF,
        **_ASKED,
        figures=[described(FIGURES[1])],
        rows=[{"group": "major", "cells": _CELLS, "own": None}],
        whole=_CELLS,
        without_reports=["town-west"],
    ),
):
    """The numbers of a unit and those below it, told apart by one property."""

    unit: UnitCode
    """The unit."""
    by: By
    """By what the rows are told apart."""
    first_month: Month
    """The first month."""
    last_month: Month
    """The last month."""
    zone: str
    """The time zone of the unit, in which months begin."""
    level: Code | None
    """The level of the matters that were counted; null for all."""
    category: Code | None
    """Their category, with those below it; null for all."""
    pack: str | None
    """Their pack and its version; null for all."""
    smallest: Literal[5]
    """Counts below this, except zero, are not shown, nor any from which such a one follows."""
    figures: tuple[Figure, ...]
    """The figures, each with its formula."""
    rows: tuple[Row, ...]
    """The groups, in the order of their codes. They are not ranked."""
    whole: dict[str, Cell]
    """The same of all groups together."""
    without_reports: tuple[UnitCode, ...] | None
    """The units that got no report in the period, each by itself without those below it.

    Null where not all reports are counted: by level or pack, and of one level, category or pack.
    """
