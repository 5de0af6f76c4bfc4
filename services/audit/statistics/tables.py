"""A table of numbers for one question, from the record."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.queries import Axes
from services.audit.statistics import counting
from services.audit.statistics.counting import By, Wanted
from services.audit.statistics.figures import FIGURES, Figure, Table, by_group, by_unit, own_of
from services.audit.statistics.periods import Month
from services.audit.statistics.tally import Key, Tally
from services.kernel.core.units import Offices


def wanted(
    offices: Offices,
    unit: str,
    months: Sequence[Month],
    by: By = "unit",
    level: str | None = None,
    category: str | None = None,
    pack: str | None = None,
    units: Sequence[str] | None = None,
    *,
    of_units: bool = False,
) -> Wanted:
    """What is counted for a unit and those below it, or for `units` alone; `of_units` as in `Wanted`.

    `offices` are those of the axes of the question, see `naming.offices_at`.
    """
    whole = unit in offices.ever and offices.parent(unit) is None and units is None
    units = units_of(offices, unit) if units is None else units
    return Wanted(units, whole, months, by, level, category, pack, of_units, counting.signing(offices))


def units_of(offices: Offices, unit: str) -> Sequence[str]:
    """The unit, then those below it in the order of their codes, without offices for exercises."""
    below = sorted(code for code in offices.below(unit) if code != unit and not offices.drills(code))
    return [unit, *below]


async def counted(connection: AsyncConnection, asked: Wanted, axes: Axes) -> dict[Key, Tally]:
    """What was counted of matters and of reports. By level and by pack, reports are not counted: they have none."""
    found = await counting.matters(connection, asked, axes)
    if counts_reports(asked):
        for key, tally in (await counting.reports(connection, asked, axes)).items():
            found[key] = found[key] + tally if key in found else tally
    return counting.highest(found.items()) if asked.by == "category" else found


def table(found: dict[Key, Tally], asked: Wanted, offices: Offices, figures: Sequence[Figure] = FIGURES) -> Table:
    """The figures by group, with small numbers left out."""
    if asked.by == "unit":
        return by_unit(own_of(found, 0), list(asked.units), offices.parent, figures)
    groups = own_of(found, 1)
    if asked.by == "month":
        return by_group(groups, [month.name for month in asked.months], figures)
    return by_group(groups, sorted(groups), figures)


def rows(made: Table) -> list[dict[str, Any]]:
    """The rows of an answer."""
    own = {group: cells(row) for group, row in made.own.items()}
    return [{"group": group, "cells": cells(row), "own": own.get(group)} for group, row in made.rows.items()]


def cells(row: Any) -> dict[str, Any]:
    """The cells of a row for an answer."""
    return {name: cell._asdict() for name, cell in row.items()}


def counts_reports(asked: Wanted) -> bool:
    """Whether reports are counted: they have no level and no pack."""
    return asked.level is None and asked.pack is None and asked.by not in ("level", "pack")


def without_reports(found: dict[Key, Tally], asked: Wanted, offices: Offices) -> list[str] | None:
    """The units that exist and got no report, each by itself. None where not all reports are counted."""
    if not counts_reports(asked) or asked.category is not None:
        return None
    own = own_of(found, 0)
    return [code for code in asked.units if code in offices.units and not (code in own and own[code].counts["reports"])]
