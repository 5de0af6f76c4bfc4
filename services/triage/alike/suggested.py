"""The first suggestion of a category and a unit for each matter, folded from the events that record it."""

from sqlalchemy import Column, Index, MetaData, Table

from schemas.envelope import Event
from schemas.operation import OperationSuggested
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def table(metadata: MetaData) -> Table:
    """Adds the table `suggested` to triage's metadata."""
    return Table(
        "suggested",
        metadata,
        Column("incident_id", key(), primary_key=True),
        Column("at", key(27), nullable=False),
        Column("event_id", key(36), nullable=False),
        Column("category", key(100)),
        Column("unit", key()),
        Index(None, "category", "at"),
        Index(None, "unit", "at"),
    )


def view(suggested: Table) -> View:
    """The view that fills the table. Of several suggestions for a matter the first one counts, in whatever order."""

    def keys(event: Event) -> list[Key]:
        told = isinstance(event.data, OperationSuggested)
        return [(event.data.incident,)] if told else []

    def apply(key: Key, row: Row | None, event: Event) -> Row:
        data: OperationSuggested = event.data
        at = {"incident_id": key[0], "at": event.recorded_text, "event_id": event.id}
        new = {**at, "category": data.category, "unit": data.unit}
        return min((row or new, new), key=lambda one: (one["at"], one["event_id"]))

    return View(suggested, keys, apply, ("operation",))
