"""The answer about an analysis, for the API's documents."""

from typing import Any, Literal

from schemas.fields import Code, Instant, Month, Post, UnitCode, Uuid
from services.audit.answers import STATED, Stated
from services.audit.statistics.answers import Cell, Figure, Row
from services.audit.statistics.figures import FIGURES, described
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered

_CELLS = {"opened": {"value": 42, "of": None, "state": "shown"}}
_COMMENT: dict[str, Any] = {
    "event": "01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e",
    "at": "2026-04-02T02:00:00.000000Z",
    "by": "chief@county",
    "log_size": 4,
    "text": "一季度道路类事项集中在三月。",
}
_CHAPTER: dict[str, Any] = {
    "name": "trend",
    "title": "走势",
    "title_en": "Trend",
    "said": "每周立案的事项。",
    "said_en": "Matters opened in each week.",
    "figures": [described(FIGURES[1])],
    "rows": [{"group": "2026-03-02", "cells": _CELLS, "own": None}],
    "whole": _CELLS,
    "peak": ["2026-03-02"],
    "before": {},
    "comments": [],
}


class Comment(Answered, json_schema_extra=example(**_COMMENT)):
    """A comment of a named post."""

    event: Uuid
    """The event that says so."""
    at: Instant
    """When it was written."""
    by: Post
    """The post that wrote it."""
    log_size: int
    """How many events it looked at."""
    text: str | None
    """The comment; null if its words were deleted."""


class Chapter(Answered):
    """A chapter of an analysis."""

    name: Code
    """Its name."""
    title: str
    """What it is called."""
    title_en: str
    """The same in English."""
    said: str
    """How its numbers are made."""
    said_en: str
    """The same in English."""
    figures: tuple[Figure, ...]
    """Its figures, each with its formula."""
    rows: tuple[Row, ...]
    """Its groups: months, channels, weeks by their first day, categories or units."""
    whole: dict[str, Cell]
    """The same of all groups together."""
    peak: tuple[str, ...]
    """The trend's highest group, if any number is shown; empty in other chapters."""
    before: dict[str, Cell]
    """Topic -> matters opened in the time of the same length before; empty in other chapters than the focus."""
    comments: tuple[Comment, ...]
    """What posts wrote, the newest first; empty in other chapters than the comment."""


class Analysis(
    Stated,
    json_schema_extra=example(
        **STATED,
        unit="county",
        first_month="2026-01",
        last_month="2026-03",
        zone="Asia/Shanghai",
        category=None,
        smallest=5,
        chapters=[_CHAPTER],
    ),
):
    """The analysis of a period or a subject. It says nothing of people who spoke."""

    unit: UnitCode
    """The unit, with those below it."""
    first_month: Month
    """The first month."""
    last_month: Month
    """The last month."""
    zone: str
    """The time zone of the unit, in which months begin."""
    category: Code | None
    """The category, with those below it, if it is on one."""
    smallest: Literal[5]
    """Counts below this, except zero, are not shown, nor any from which such a one follows."""
    chapters: tuple[Chapter, ...]
    """The chapters, in their order."""
