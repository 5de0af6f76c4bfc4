"""What answers to outsiders rest on: reports, whether their matters ended, limits, and what was said in public.

Exercises have no rows.
"""

from sqlalchemy import Boolean, Column, Index, MetaData, Table, Text

from schemas import escalation, publish, triage
from schemas.envelope import Event
from schemas.fields import instant
from schemas.ingest import ReportErased, ReportReceived, ReportRefused
from services.kernel.core.ids import stream_of
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def tables(metadata: MetaData) -> None:
    """Adds the tables.

    `filed` has each report with its sender; `state` is received, refused or erased, `changed_at` when it became that.
    `endings` has each matter that ended, `closed_at` is None once it was opened again. `limits` has each clock of a
    matter; `done` means that nothing is owed by it any more. `spoken` has each statement with its matter, `said` what
    it said each time: at its publication, corrections and withdrawal.
    """
    Table(
        "filed",
        metadata,
        Column("report_id", key(), primary_key=True),
        Column("unit", key(64), nullable=False),
        Column("sender", key(130), nullable=False),
        Column("category", key(100)),
        Column("received_at", key(27), nullable=False),
        Column("state", key(16), nullable=False),
        Column("changed_at", key(27), nullable=False),
        Index(None, "sender", "received_at"),
        Index(None, "received_at"),
    )
    Table(
        "endings",
        metadata,
        Column("incident_id", key(), primary_key=True),
        Column("closed_at", key(27)),
        Column("at", key(27), nullable=False),
    )
    Table(
        "limits",
        metadata,
        Column("incident_id", key(), primary_key=True),
        Column("clock", key(100), primary_key=True),
        Column("policy", key(200)),
        Column("due", key(27), nullable=False),
        Column("done", Boolean, nullable=False),
    )
    Table(
        "spoken",
        metadata,
        Column("statement_id", key(), primary_key=True),
        Column("incident_id", key(), nullable=False),
        Index(None, "incident_id"),
    )
    Table(
        "said",
        metadata,
        Column("event", key(36), primary_key=True),
        Column("statement_id", key(), nullable=False),
        Column("at", key(27), nullable=False),
        Column("title", Text),
        Column("text", Text, nullable=False),
        Index(None, "statement_id", "at"),
        Index(None, "at"),
    )


def views(metadata: MetaData) -> tuple[View, ...]:
    """The folds that fill them."""
    of = metadata.tables
    return (
        View(of["filed"], _filed_keys, _filed, ("report",), one_stream=True),
        View(of["endings"], _ending_keys, _ending, ("incident",), one_stream=True),
        View(of["limits"], _limit_keys, _limit, ("clock",), one_stream=True),
        View(of["spoken"], _spoken_keys, _spoken, ("statement",), one_stream=True),
        View(of["said"], _said_keys, _said, ("statement",), one_stream=True),
    )


def _filed_keys(event: Event) -> list[Key]:
    match event.data:
        case ReportReceived() | ReportRefused() | ReportErased() if not event.drill:
            return [(event.stream,)]
    return []


def _filed(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case ReportReceived() as data:
            at = event.recorded_text
            told = {"unit": data.unit, "sender": event.actor, "category": data.category}
            return {"report_id": key[0], **told, "received_at": at, "state": "received", "changed_at": at}
        case ReportRefused() if row:
            return row | {"state": "refused", "changed_at": event.recorded_text}
        case ReportErased() if row:
            return row | {"state": "erased", "changed_at": event.recorded_text}
    return row


_ENDINGS = triage.IncidentClosed | triage.IncidentDismissed | triage.IncidentReopened


def _ending_keys(event: Event) -> list[Key]:
    return [(event.stream,)] if isinstance(event.data, _ENDINGS) and not event.drill else []


def _ending(key: Key, row: Row | None, event: Event) -> Row:
    at, again = event.recorded_text, isinstance(event.data, triage.IncidentReopened)
    return {"incident_id": key[0], "closed_at": None if again else at, "at": at}


_OF_A_LIMIT = escalation.ClockStarted | escalation.ClockMet | escalation.ClockExtended | escalation.ClockCancelled


def _limit_keys(event: Event) -> list[Key]:
    if isinstance(event.data, _OF_A_LIMIT) and not event.drill:
        return [(stream_of("incident", event.stream), event.data.clock)]
    return []


def _limit(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case escalation.ClockStarted() as data:
            told = {"policy": data.policy or event.policy, "due": instant(data.due), "done": False}
            return {"incident_id": key[0], "clock": key[1], **told}
        case escalation.ClockExtended() as data if row:
            return row | {"due": instant(data.due)}
        case escalation.ClockMet() | escalation.ClockCancelled() if row:
            return row | {"done": True}
    return row


def _spoken_keys(event: Event) -> list[Key]:
    return [(event.stream,)] if isinstance(event.data, publish.StatementPublished) and not event.drill else []


def _spoken(key: Key, row: Row | None, event: Event) -> Row:
    return {"statement_id": key[0], "incident_id": event.data.incident}


def _said_keys(event: Event) -> list[Key]:
    match event.data:
        case publish.StatementPublished() | publish.StatementCorrected() | publish.StatementWithdrawn():
            return [] if event.drill else [(event.id,)]
    return []


def _said(key: Key, row: Row | None, event: Event) -> Row:
    match event.data:
        case publish.StatementWithdrawn() as data:
            title, text = None, data.reason
        case data:
            title, text = data.title, data.text
    return {
        "event": key[0],
        "statement_id": event.stream,
        "at": event.recorded_text,
        "title": title,
        "text": text,
    }
