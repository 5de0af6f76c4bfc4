"""The gaps on duty, for the list on a desk: a fold of escalation's roster events.

A gap stands until somebody signs on during it, until a plan fills it before it begins, or until it is over.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, MetaData, Table, Text, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import escalation
from schemas.envelope import Event
from schemas.fields import instant
from services.kernel.core.standings import Units
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

Gap = Mapping[str, Any]


def table(metadata: MetaData) -> Table:
    """Adds the table `duty_gaps` to triage's metadata: one row for each unit, with its gaps as JSON."""
    return Table("duty_gaps", metadata, Column("unit", key(), primary_key=True), Column("gaps", Text, nullable=False))


def view(gaps: Table) -> View:
    """The view that fills the table."""
    return View(gaps, _keys, _row, ("roster",), one_stream=True)


def _keys(event: Event) -> list[Key]:
    match event.data:
        case escalation.RosterDutyGapFound() | escalation.RosterDutyGapClosed() | escalation.RosterSignedOn() as data:
            return [(data.unit,)]
    return []


def _row(key: Key, row: Row | None, event: Event) -> Row:
    now = event.recorded_text
    gaps = [one for one in (json.loads(row["gaps"]) if row else []) if one["until"] > now]
    match event.data:
        case escalation.RosterDutyGapFound() as data:
            span = {"since": instant(data.since), "until": instant(data.until), "cause": data.cause}
            gaps = [one for one in gaps if {**one, **span} != one]
            gaps.append({**span, "post": data.post})
        case escalation.RosterDutyGapClosed() as data:
            span = {"since": instant(data.since), "until": instant(data.until), "cause": "not_planned"}
            gaps = [one for one in gaps if {**one, **span} != one]
        case escalation.RosterSignedOn():
            gaps = [one for one in gaps if one["since"] > now]
    return {"unit": key[0], "gaps": json.dumps(gaps, sort_keys=True)}


async def open_gaps(connection: AsyncConnection, gaps: Table, units: Units, now: datetime) -> list[Row]:
    """The gaps of these units that are not over, the earliest first."""
    chosen = select(gaps) if units is None else select(gaps).where(gaps.c.unit.in_(sorted(units)))
    rows = (await connection.execute(chosen)).mappings()
    found = [{"unit": row["unit"], **gap} for row in rows for gap in json.loads(row["gaps"])]
    return sorted((gap for gap in found if gap["until"] > instant(now)), key=place)


def place(gap: Gap) -> tuple[str, str, str, str]:
    """The place of a gap in the list."""
    return gap["since"], gap["unit"], gap["until"], gap["cause"]
