"""What the public status rests on: reports and their receipts, the matters of reports, limits, and direct answers.

Exercises have no rows.
"""

from sqlalchemy import Boolean, Column, Index, MetaData, Table

from schemas import escalation, triage
from schemas.envelope import Event
from schemas.fields import instant
from schemas.ingest import ReportErased, ReportReceived, ReportRefused
from services.kernel.core.ids import stream_of
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def tables(metadata: MetaData) -> None:
    """Adds the tables.

    `reports` has the digest of each receipt's code; `state` is received, refused or erased. `belongings` are the
    matters of a report, with when it came and left. `direct_answers` are those that no statement gives; public ones
    are for everybody. `limits` has each clock of a matter; `breached_at` is the due instant of a breach that stands.
    """
    Table(
        "reports",
        metadata,
        Column("report_id", key(), primary_key=True),
        Column("receipt", key(64), nullable=False),
        Column("unit", key(), nullable=False),
        Column("received_at", key(27), nullable=False),
        Column("state", key(16), nullable=False),
        Index(None, "receipt"),
        Index(None, "received_at", "unit"),
    )
    Table(
        "belongings",
        metadata,
        Column("report_id", key(), primary_key=True),
        Column("incident_id", key(), primary_key=True),
        Column("joined_at", key(27), nullable=False),
        Column("left_at", key(27)),
        Index(None, "incident_id"),
    )
    Table(
        "direct_answers",
        metadata,
        Column("event", key(36), primary_key=True),
        Column("incident_id", key(), nullable=False),
        Column("at", key(27), nullable=False),
        Column("public", Boolean, nullable=False),
        Index(None, "incident_id", "at"),
    )
    Table(
        "limits",
        metadata,
        Column("incident_id", key(), primary_key=True),
        Column("clock", key(100), primary_key=True),
        Column("unit", key(), nullable=False),
        Column("policy", key(200)),
        Column("due", key(27), nullable=False),
        Column("first_answer", Boolean, nullable=False),
        Column("provisional", Boolean, nullable=False),
        Column("paused", Boolean, nullable=False),
        Column("met_at", key(27)),
        Column("late", Boolean, nullable=False),
        Column("cancelled", Boolean, nullable=False),
        Column("breached_at", key(27)),
        Index(None, "met_at", "first_answer", "late", "unit"),
        Index(None, "breached_at", "first_answer", "unit"),
    )


def views(metadata: MetaData) -> tuple[View, ...]:
    """The folds that fill them."""
    of = metadata.tables
    return (
        View(of["reports"], _report_keys, _report, ("report",), one_stream=True),
        View(of["belongings"], _belonging_keys, _belonging, ("incident",), one_stream=True),
        View(of["direct_answers"], _answer_keys, _answer, ("incident",), one_stream=True),
        View(of["limits"], _limit_keys, _limit, ("clock",), one_stream=True),
    )


def _report_keys(event: Event) -> list[Key]:
    match event.data:
        case ReportReceived() | ReportRefused() | ReportErased() if not event.drill:
            return [(event.stream,)]
    return []


def _report(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case ReportReceived() as data:
            told = {"receipt": data.receipt, "unit": data.unit, "received_at": event.recorded_text}
            return {"report_id": key[0], **told, "state": "received"}
        case ReportRefused() if row:
            return row | {"state": "refused"}
        case ReportErased() if row:
            return row | {"state": "erased"}
    return row


def _belonging_keys(event: Event) -> list[Key]:
    if event.drill:
        return []
    reports, _ = triage.reports_moved(event.data)
    return [(report, event.stream) for report in reports]


def _belonging(key: Key, row: Row | None, event: Event) -> Row:
    _, leaves = triage.reports_moved(event.data)
    return {
        "report_id": key[0],
        "incident_id": key[1],
        "joined_at": row["joined_at"] if row else event.recorded_text,
        "left_at": event.recorded_text if leaves else None,
    }


def _answer_keys(event: Event) -> list[Key]:
    told = isinstance(event.data, triage.IncidentExplained | triage.IncidentReplied)
    return [(event.id,)] if told and not event.drill else []


def _answer(key: Key, _: Row | None, event: Event) -> Row:
    public = isinstance(event.data, triage.IncidentExplained) and event.data.to == "public"
    return {"event": key[0], "incident_id": event.stream, "at": event.recorded_text, "public": public}


_OF_A_LIMIT = (
    escalation.ClockStarted
    | escalation.ClockMet
    | escalation.ClockBreached
    | escalation.ClockBreachAnnulled
    | escalation.ClockExtended
    | escalation.ClockCancelled
)


def _limit_keys(event: Event) -> list[Key]:
    if isinstance(event.data, _OF_A_LIMIT) and not event.drill:
        return [(stream_of("incident", event.stream), event.data.clock)]
    return []


def _limit(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case escalation.ClockStarted() as data:
            before = {"breached_at": row["breached_at"] if row else None}
            return {
                "incident_id": key[0],
                "clock": key[1],
                "unit": data.unit,
                "policy": data.policy or event.policy,
                "due": instant(data.due),
                "first_answer": data.first_answer,
                "provisional": data.provisional,
                "paused": data.paused_at is not None,
                "met_at": None,
                "late": False,
                "cancelled": False,
                **before,
            }
        case _ if row is None:
            return None
        case escalation.ClockMet() as data:
            row = row | {"met_at": instant(data.met_at), "late": data.late}
        case escalation.ClockBreached():
            row = row | {"breached_at": event.time_text}
        case escalation.ClockBreachAnnulled():
            row = row | {"breached_at": None}
        case escalation.ClockExtended() as data:
            row = row | {"due": instant(data.due)}
        case escalation.ClockCancelled():
            row = row | {"cancelled": True}
    return row
