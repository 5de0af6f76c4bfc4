"""The table of inspections as they are now, folded from their own events."""

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table

from schemas import inspections as i
from schemas.envelope import Event
from schemas.fields import Fact
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

STAGES: dict[type[Fact], str] = {i.InspectionOpened: "open", i.InspectionEnded: "ended"}
"""Type of event -> the stage after it."""


def tables(metadata: MetaData) -> Table:
    """Adds the table to audit's metadata."""
    return Table(
        "inspections",
        metadata,
        Column("inspection_id", key(), primary_key=True),
        Column("unit", key(), nullable=False),
        Column("by_unit", key()),
        Column("stage", key(16), nullable=False),
        Column("drill", Boolean, nullable=False),
        Column("revision", Integer, nullable=False),
        Index("ix_inspections_unit", "unit"),
    )


def _keys(event: Event) -> list[Key]:
    return [(event.stream,)]


def _row(key: Key, row: Row | None, event: Event) -> Row | None:
    if isinstance(event.data, i.InspectionOpened):
        row = {"inspection_id": key[0], "unit": event.data.unit, "by_unit": event.unit, "drill": event.drill}
    stage = STAGES.get(type(event.data))
    return row and {**row, "stage": stage or row["stage"], "revision": row.get("revision", 0) + 1}


def view(table: Table) -> View:
    """The view of the table."""
    return View(table, _keys, _row, ("inspection",), one_stream=True)
