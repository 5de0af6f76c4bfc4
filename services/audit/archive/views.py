"""The table of packages: which events sealed the file of which matter, gave it out, or exported its masked record."""

from sqlalchemy import Column, Index, MetaData, Table

from schemas.envelope import Event
from schemas.operation import OperationArchiveRead, OperationArchiveSealed, OperationTimelineExported
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

PACKAGES = OperationArchiveSealed, OperationArchiveRead, OperationTimelineExported
"""What is done with the file of a matter."""


def table(metadata: MetaData) -> Table:
    """Adds the table to audit's metadata."""
    return Table(
        "packages",
        metadata,
        Column("event_id", key(36), primary_key=True),
        Column("incident_id", key(), nullable=False),
        Index("ix_packages_incident", "incident_id"),
    )


def _keys(event: Event) -> list[Key]:
    return [(event.id,)] if isinstance(event.data, PACKAGES) and event.service == "audit" else []


def _row(key: Key, row: Row | None, event: Event) -> Row | None:
    return {"event_id": key[0], "incident_id": event.data.record}


def view(packages: Table) -> View:
    """The view of the table of packages."""
    return View(packages, _keys, _row, ("operation",))
