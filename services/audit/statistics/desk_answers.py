"""The answer about a month of a duty desk, for the API's documents."""

from typing import Literal

from schemas.fields import Month, Post, UnitCode
from services.audit.answers import STATED, Stated
from services.audit.statistics.answers import Cell, Figure
from services.audit.statistics.figures import FIGURES, described
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered

_CELL = {"value": 12, "of": None, "state": "shown"}


class PostRow(Answered):
    """What a post did."""

    post: Post
    """The post."""
    cells: dict[str, Cell]
    """The figures by name."""


class DeskMonth(
    Stated,
    json_schema_extra=example(
        **STATED,
        unit="town-east",
        month="2026-03",
        zone="Asia/Shanghai",
        smallest=5,
        figures=[described(FIGURES[0])],
        rows=[{"post": "duty_officer@town-east", "cells": {"signed_on": _CELL}}],
        desk={"omitted": _CELL},
        matters={"in_time": {"value": 0.9, "of": 40, "state": "shown"}},
    ),
):
    """A month of a duty desk, by post. Nothing is ranked, and nothing counts what became public."""

    unit: UnitCode
    """The unit whose desk it is, without those below it."""
    month: Month
    """The month."""
    zone: str
    """The time zone of the unit, in which the month begins."""
    smallest: Literal[5]
    """Counts of reports and matters below this, except zero, are not shown."""
    figures: tuple[Figure, ...]
    """The figures, each with its formula."""
    rows: tuple[PostRow, ...]
    """The posts that did something, in the order of their codes."""
    desk: dict[str, Cell]
    """What belongs to the desk as a whole. In a month without anything, all is empty."""
    matters: dict[str, Cell]
    """Figures of the matters for which the unit itself was accountable."""
