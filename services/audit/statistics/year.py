"""The table of a year for the yearly assessment, by unit; and how it is circulated, which is an event."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.operation import OperationStatisticsCirculated
from services.audit.queries import Axes
from services.audit.statistics import against, periods, tables
from services.audit.statistics.figures import NAMES
from services.audit.statistics.newest import newest
from services.audit.views import TIMELINE
from services.kernel.core.units import Offices

FIGURES = tuple(
    NAMES[name]
    for name in (
        "reports",
        "opened",
        "in_time",
        "first_answer_p50",
        "first_answer_p90",
        "signed_in_time",
        "solved",
        "reopened",
        "returned",
        "reminded",
        "helped",
        "upward",
        "lag_p50",
        "gap_p50",
    )
)
"""The figures of the yearly table."""
TYPES = upcast.types_of(OperationStatisticsCirculated)


async def table(
    connection: AsyncConnection, offices: Offices, unit: str, year: int, axes: Axes, units: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """The rows: of each unit its figures, with those below it, and how many findings stand against it alone.

    `units` are those of a table that was circulated; by default all that there are.
    """
    months = periods.months(f"{year}-01", f"{year}-12", offices.zone_of(unit))
    asked = tables.wanted(offices, unit, months, units=units)
    made = tables.table(await tables.counted(connection, asked, axes), asked, offices, FIGURES)
    found = await against.standing(connection, asked.units, months, axes)
    return [
        {"unit": code, "cells": tables.cells(row), "findings": dict(sorted(found.get(code, {}).items()))}
        for code, row in made.rows.items()
    ]


def digest_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The digest of a table: SHA-256 of its rows as JSON with sorted keys, in hex."""
    return hashlib.sha256(orjson.dumps(rows, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def circulated(
    connection: AsyncConnection, axes: Axes, keep: Callable[[Event], bool], event: str | None = None
) -> list[Event]:
    """The circulations on record that are to be kept, the newest first; or the one of an event."""
    t = TIMELINE.c
    asked = [] if event is None else [t.event_id == event]
    return await newest(connection, TYPES, axes, keep, *asked)
