"""The table of trainings as they are now, folded from their own events."""

from sqlalchemy import Column, Index, Integer, MetaData, Table

from schemas import drills as d
from schemas.envelope import Event
from schemas.fields import Fact
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

STAGES: dict[type[Fact], str] = {d.TrainingRecorded: "recorded", d.TrainingWithdrawn: "withdrawn"}
"""Type of event -> the stage after it."""


def tables(metadata: MetaData) -> Table:
    """Adds the table to audit's metadata."""
    return Table(
        "trainings",
        metadata,
        Column("training_id", key(), primary_key=True),
        Column("unit", key(), nullable=False),
        Column("day", key(10), nullable=False),
        Column("drill", key()),
        Column("stage", key(16), nullable=False),
        Column("revision", Integer, nullable=False),
        Index("ix_trainings_unit", "unit", "day"),
        Index("ix_trainings_drill", "drill"),
    )


def _keys(event: Event) -> list[Key]:
    return [(event.stream,)]


def _row(key: Key, row: Row | None, event: Event) -> Row | None:
    if isinstance(event.data, d.TrainingRecorded):
        row = {"training_id": key[0], "unit": event.data.unit, "day": event.data.on, "drill": event.data.drill}
    stage = STAGES.get(type(event.data))
    return row and {**row, "stage": stage or row["stage"], "revision": row.get("revision", 0) + 1}


def view(table: Table) -> View:
    """The view of the table."""
    return View(table, _keys, _row, ("training",), one_stream=True)
