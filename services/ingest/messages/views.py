"""The matters of this deployment that were handed over to others, by the event that did so."""

from sqlalchemy import Column, MetaData, Table

from schemas.envelope import Event
from schemas.handing import IncidentHandedOver
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def table(metadata: MetaData) -> Table:
    """Adds the table."""
    return Table(
        "handed_over",
        metadata,
        Column("event", key(36), primary_key=True),
        Column("incident_id", key(), nullable=False),
        Column("to", key(64), nullable=False),
    )


def view(handed_over: Table) -> View:
    """The fold of the table."""
    return View(handed_over, _keys, _row, ("incident",), one_stream=True)


def _keys(event: Event) -> list[Key]:
    return [(event.id,)] if isinstance(event.data, IncidentHandedOver) else []


def _row(key: Key, row: Row | None, event: Event) -> Row:
    return {"event": event.id, "incident_id": event.stream, "to": event.data.to}
