"""The table of saved queries as they are now, folded from the events that keep and remove them."""

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text

from schemas.envelope import Event
from schemas.operation import OperationQueryDropped, OperationQuerySaved
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def table(metadata: MetaData) -> Table:
    """Adds the table to audit's metadata."""
    return Table(
        "saved_queries",
        metadata,
        Column("query_id", key(), primary_key=True),
        Column("unit", key(), nullable=False),
        Column("title", key(36), nullable=False),
        Column("asks", Text, nullable=False),
        Column("by", key(130), nullable=False),
        Column("saved_at", key(27), nullable=False),
        Column("revision", Integer, nullable=False),
        Index("ix_saved_queries_unit", "unit"),
    )


def _keys(event: Event) -> list[Key]:
    match event.data:
        case OperationQuerySaved(query=query) | OperationQueryDropped(query=query) if event.service == "audit":
            return [(query,)]
    return []


def _row(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case OperationQuerySaved() as data:
            return {
                "query_id": key[0],
                "unit": data.unit,
                "title": data.title.ref,
                "asks": data.asks.model_dump_json(exclude_none=True),
                "by": event.actor,
                "saved_at": event.recorded_text,
                "revision": row["revision"] + 1 if row else 1,
            }
        case OperationQueryDropped():
            return None
    return row


def view(table: Table) -> View:
    """The view of the table."""
    return View(table, _keys, _row, ("operation",))
