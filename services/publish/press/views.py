"""The view of press parts: which posts were fixed for a matter. Decisions on statements read it."""

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text

from schemas import press
from schemas.envelope import Event
from services.kernel.core.ids import stream_of
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def tables(metadata: MetaData) -> None:
    """Adds the table. Posts stand with spaces between."""
    Table(
        "press",
        metadata,
        Column("id", key(), primary_key=True),
        Column("incident_id", key(), nullable=False),
        Column("version", Integer, nullable=False),
        Column("revision", Integer, nullable=False),
        Column("speaks", Text, nullable=False),
        Column("approves", Text, nullable=False),
        Column("interviews", Text, nullable=False),
        Index(None, "incident_id"),
    )


def _key(event: Event) -> list[Key]:
    return [(event.stream,)] if event.kind == "press" else []


def _press(key: Key, row: Row | None, event: Event) -> Row:
    row = row or {
        "id": key[0],
        "incident_id": stream_of("incident", key[0]),
        "revision": 0,
        "speaks": "",
        "approves": "",
        "interviews": "",
    }
    counted = {"version": event.version, "revision": row["revision"] + int(event.actor != "system")}
    match event.data:
        case press.PressSpeakersFixed() as data:
            fixed = {name: " ".join(getattr(data, name)) for name in ("speaks", "approves", "interviews")}
            return row | counted | fixed
    return row | counted


def views(metadata: MetaData) -> tuple[View, ...]:
    """Its fold. Each row is of one press stream."""
    return (View(metadata.tables["press"], _key, _press, ("press",), one_stream=True),)
