"""The table of outages, as their events tell them."""

from sqlalchemy import Column, Index, Integer, MetaData, Table

from schemas.envelope import Event
from schemas.fields import instant
from schemas.outages import OutageConfirmed, OutageEnded, OutageFound
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def table(metadata: MetaData) -> Table:
    """Adds the table to ingest's metadata."""
    return Table(
        "outages",
        metadata,
        Column("id", key(), primary_key=True),
        Column("site", key(20), nullable=False),
        Column("trouble", key(20), nullable=False),
        Column("symptom", key(20), nullable=False),
        Column("status", Integer),
        Column("statement", key()),
        Column("since", key(27), nullable=False),
        Column("until", key(27)),
        Column("probes", Integer, nullable=False),
        Column("told_at", key(27), nullable=False),
        Column("recorded_at", key(27), nullable=False),
        Index(None, "since", "id"),
        Index(None, "until"),
    )


def heard(metadata: MetaData) -> Table:
    """Adds the table of when each probe told last to ingest's metadata. No event tells it, so it is lost with it."""
    return Table(
        "heard",
        metadata,
        Column("integration", key(), primary_key=True),
        Column("at", key(27), nullable=False),
        Column("every", Integer, nullable=False),
    )


def _keys(event: Event) -> list[Key]:
    return [(event.stream,)] if event.kind == "outage" else []


def _row(key: Key, row: Row | None, event: Event) -> Row | None:
    data = event.data
    if isinstance(data, OutageFound):
        told = data.model_dump(include={"site", "trouble", "symptom", "status", "statement"})
        times = {"since": instant(data.since), "until": None, "told_at": instant(data.told_at)}
        return {"id": key[0], **told, **times, "probes": 1, "recorded_at": event.recorded_text}
    if row is None:
        return None
    match data:
        case OutageConfirmed():
            until = row["until"] and data.until and max(row["until"], instant(data.until))
            since = min(row["since"], instant(data.since))
            return {**row, "since": since, "until": until, "probes": data.probes}
        case OutageEnded():
            return {**row, "since": instant(data.since), "until": instant(data.until)}
    return row


def view(table: Table) -> View:
    """The view of the table."""
    return View(table, _keys, _row, ("outage",), one_stream=True)
