"""The table of imports, and the note of how far one has come."""

from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, Table

from schemas.envelope import Event
from schemas.operation import OperationImportBegun, OperationImportEnded
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

COUNTS = ("rows", "received", "repeated", "refused")


def tables(metadata: MetaData) -> tuple[Table, Table]:
    """Adds the two tables to ingest's metadata.

    Beginning and end of a run may be in streams of different days, so for a moment a row may know only the second. The
    note is no event: it says while a run goes on how far it is, and is lost with the database.
    """
    runs = Table(
        "imports",
        metadata,
        Column("run", key(), primary_key=True),
        Column("unit", key(64), nullable=False),
        Column("mapping", key(100)),
        Column("sha256", key(64)),
        Column("form", key(10)),
        Column("by", key(130)),
        Column("begun_at", key(27)),
        Column("ended_at", key(27)),
        Column("outcome", key(20)),
        *(Column(count, Integer) for count in COUNTS),
        Index("ix_imports_unit", "unit", "run"),
    )
    notes = Table(
        "import_notes",
        metadata,
        Column("run", key(), primary_key=True),
        Column("at", key(27), nullable=False),
        *(Column(count, Integer, nullable=False) for count in COUNTS),
    )
    return runs, notes


def _keys(event: Event) -> list[Key]:
    match event.data:
        case OperationImportBegun(run=run) | OperationImportEnded(run=run) if event.service == "ingest":
            return [(run,)]
    return []


def _turn(table: Table) -> Any:
    def turn(key: Key, row: Row | None, event: Event) -> Row:
        row = row or {column.name: None for column in table.columns} | {"run": key[0], "unit": event.data.unit}
        match event.data:
            case OperationImportBegun() as data:
                told = data.model_dump(include={"mapping", "sha256", "form"})
                return {**row, **told, "by": event.actor, "begun_at": event.recorded_text}
            case OperationImportEnded() as data:
                told = data.model_dump(include={"outcome", *COUNTS})
                return {**row, **told, "by": event.actor, "ended_at": event.recorded_text}
        return row

    return turn


def view(table: Table) -> View:
    """The view of the runs."""
    return View(table, _keys, _turn(table), ("operation",))
