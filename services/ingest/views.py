"""What ingest knows besides its reports: used external ids, keys, evidence files, and the incident of each report."""

from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table

from schemas import triage
from schemas.envelope import Event
from schemas.escalation import ClockExtended
from schemas.fields import instant
from schemas.ingest import ReportErased, ReportEvidenceAttached, ReportReceived
from schemas.operation import OperationFormClosed, OperationFormOpened, OperationKeyMade, OperationKeyRevoked
from services.ingest.imports import views as imports
from services.ingest.mail import views as mail
from services.ingest.messages import views as messages
from services.ingest.open311 import views as open311
from services.ingest.outages import views as outages
from services.kernel.core.ids import stream_of
from services.kernel.store import checkpoints, offices, standings, tables
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

INTEGRATION = "integration-"
"""The id of an integration begins like this. Posts of staff begin otherwise."""
METADATA = tables.metadata()
HANDED_OVER = messages.table(METADATA)
standings.tables(METADATA)
open311.tables(METADATA)
IMPORTS, IMPORT_NOTES = imports.tables(METADATA)
OUTAGES = outages.table(METADATA)
HEARD = outages.heard(METADATA)
MAILBOXES = mail.table(METADATA)
REVISIONS = Path(__file__).parent / "migrations" / "versions"
EXTERNAL_IDS = Table(
    "external_ids",
    METADATA,
    Column("duplicate", key(64), primary_key=True),
    Column("report_id", key(), nullable=False),
    Column("sent", key(64), nullable=False),
    Column("discovered_at", key(27), nullable=False),
)
"""The command claims the id together with its event, so of two at once, one waits for the other and decides again. A
replay rebuilds the row.
"""
SOURCES = Table(
    "sources",
    METADATA,
    Column("source", key(100), primary_key=True),
    Column("integration", key(), nullable=False),
)
"""The owner of a source's code: the integration that used it first. It is claimed as external ids are."""
API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", key(), primary_key=True),
    Column("digest", key(64), unique=True),
    Column("integration", key()),
    Column("name", key(100)),
    Column("unit", key(64)),
    Column("scope", key(32)),
    Column("made_at", key(27)),
    Column("revoked_at", key(27)),
)
"""A key's making and its revocation may be in streams of different days. For a moment a row may know only the second.
"""
FORMS = Table(
    "forms",
    METADATA,
    Column("unit", key(64), primary_key=True),
    Column("open", Boolean, nullable=False),
    Column("introduction_ref", key(36)),
    Column("at", key(27), nullable=False),
)
"""The public form of each unit that ever had one, as it is since `at`."""
KEY_USES = Table(
    "key_uses",
    METADATA,
    Column("id", key(), primary_key=True),
    Column("used_at", key(27), nullable=False),
)
"""When a key was last used, to the hour. No event tells it, so it is lost with the database."""
REFUSED = Table(
    "refused",
    METADATA,
    Column("integration", key(), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("code", key(100), nullable=False),
    Column("at", key(27), nullable=False),
)
"""How much an integration sent that was not taken: requests, lines, messages; the last one's problem, and when. No
event tells it.
"""
READ_TOPICS = Table(
    "read_topics",
    METADATA,
    Column("topic", key(100), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, nullable=False),
    Column("digest", key(64), nullable=False),
)
"""The last record that was read of each partition of another system's topic. No event tells it."""
BELONGINGS = Table(
    "belongings",
    METADATA,
    Column("report_id", key(), primary_key=True),
    Column("incident_id", key(), primary_key=True),
    Column("joined_at", key(27), nullable=False),
    Column("left_version", Integer),
    Column("left_at", key(27)),
)
"""The incidents of a report. `joined` and `left` are the incident's events that first took it in, and that ended the
report's place in it.
"""
RECEIPTS = Table(
    "receipts",
    METADATA,
    Column("receipt", key(64), primary_key=True),
    Column("report_id", key(), nullable=False),
)
"""The digest of each receipt's code."""
EXTENSIONS = Table(
    "extensions",
    METADATA,
    Column("event", key(36), primary_key=True),
    Column("incident_id", key(), nullable=False),
    Column("clock", key(100), nullable=False),
    Column("policy", key(200)),
    Column("previous", key(27), nullable=False),
    Column("due", key(27), nullable=False),
    Column("notice_ref", key(36), nullable=False),
    Column("at", key(27), nullable=False),
    Index(None, "incident_id"),
)
"""Limits that were extended, of which the sender of a report is told. `notice_ref` are the words for the sender."""
ANSWERS = Table(
    "answers",
    METADATA,
    Column("event", key(36), primary_key=True),
    Column("incident_id", key(), nullable=False),
    Column("at", key(27), nullable=False),
    Column("public", Boolean, nullable=False),
    Index(None, "incident_id", "at"),
)
"""The answers of the office on each matter: explanations, replies, published facts. `public` ones are for everybody."""
EVIDENCE = Table(
    "evidence",
    METADATA,
    Column("file", key(128), primary_key=True),
    Column("report_id", key(), nullable=False),
    Column("erased", Boolean, nullable=False),
)


def _external_id_keys(event: Event) -> list[Key]:
    data = event.data
    return [(data.duplicate,)] if isinstance(data, ReportReceived) and data.duplicate else []


def _take_external_id(key: Key, row: Row | None, event: Event) -> Row:
    data: ReportReceived = event.data
    since = instant(data.discovered_at)
    return {"duplicate": key[0], "report_id": event.stream, "sent": data.sent, "discovered_at": since}


def _source_keys(event: Event) -> list[Key]:
    data = event.data if event.actor.startswith(INTEGRATION) else None
    return [(data.source,)] if isinstance(data, ReportReceived) and data.source else []


def _take_source(key: Key, row: Row | None, event: Event) -> Row:
    return row or {"source": key[0], "integration": event.actor}


def _api_key_keys(event: Event) -> list[Key]:
    if event.service == "ingest":
        match event.data:
            case OperationKeyMade(key=key) | OperationKeyRevoked(key=key):
                return [(key,)]
    return []


def _turn_key(key: Key, row: Row | None, event: Event) -> Row:
    row = row or {column.name: None for column in API_KEYS.columns} | {"id": key[0]}
    match event.data:
        case OperationKeyMade() as data:
            made = data.model_dump(include={"digest", "integration", "name", "unit", "scope"})
            return {**row, **made, "made_at": event.recorded_text}
        case OperationKeyRevoked():
            return {**row, "revoked_at": row["revoked_at"] or event.recorded_text}
    return row


def _form_keys(event: Event) -> list[Key]:
    match event.data:
        case OperationFormOpened(unit=unit) | OperationFormClosed(unit=unit):
            return [(unit,)]
    return []


def _turn_form(key: Key, row: Row | None, event: Event) -> Row:
    """Streams of two days may come in any order, so the time decides."""
    if row and row["at"] >= event.recorded_text:
        return row
    ref = event.words.get("introduction")
    opened = isinstance(event.data, OperationFormOpened)
    return {"unit": key[0], "open": opened, "introduction_ref": ref, "at": event.recorded_text}


def _belonging_keys(event: Event) -> list[Key]:
    reports, _ = triage.reports_moved(event.data)
    return [(report, event.stream) for report in reports]


def _belonging(key: Key, row: Row | None, event: Event) -> Row:
    _, leaves = triage.reports_moved(event.data)
    return {
        "report_id": key[0],
        "incident_id": key[1],
        "joined_at": row["joined_at"] if row else event.recorded_text,
        "left_version": event.version if leaves else None,
        "left_at": event.recorded_text if leaves else None,
    }


def _receipt_keys(event: Event) -> list[Key]:
    data = event.data
    return [(data.receipt,)] if isinstance(data, ReportReceived) else []


def _take_receipt(key: Key, row: Row | None, event: Event) -> Row:
    return {"receipt": key[0], "report_id": event.stream}


def _extension_keys(event: Event) -> list[Key]:
    return [(event.id,)] if isinstance(event.data, ClockExtended) else []


def _extension(key: Key, row: Row | None, event: Event) -> Row:
    data: ClockExtended = event.data
    return {
        "event": event.id,
        "incident_id": stream_of("incident", event.stream),
        "clock": data.clock,
        "policy": event.policy,
        "previous": instant(data.previous),
        "due": instant(data.due),
        "notice_ref": data.notice.ref,
        "at": event.recorded_text,
    }


def _answer_keys(event: Event) -> list[Key]:
    match event.data:
        case triage.IncidentExplained() | triage.IncidentReplied() | triage.IncidentHandlingRecorded(statement=str()):
            return [(event.id,)]
    return []


def _answer(key: Key, row: Row | None, event: Event) -> Row:
    public = not isinstance(event.data, triage.IncidentReplied) and getattr(event.data, "to", "public") == "public"
    return {"event": event.id, "incident_id": event.stream, "at": event.recorded_text, "public": public}


def _evidence_keys(event: Event) -> list[Key]:
    match event.data:
        case ReportEvidenceAttached(file=file):
            return [(file,)]
        case ReportErased(files=files):
            return [(file,) for file in files]
    return []


def _take_evidence(key: Key, row: Row | None, event: Event) -> Row:
    return {"file": key[0], "report_id": event.stream, "erased": isinstance(event.data, ReportErased)}


VIEWS = (
    *offices.views(METADATA),
    *checkpoints.views(METADATA),
    View(EXTERNAL_IDS, _external_id_keys, _take_external_id, ("report",), one_stream=True, by_command=True),
    View(SOURCES, _source_keys, _take_source, ("report",), by_command=True),
    View(API_KEYS, _api_key_keys, _turn_key, ("operation",)),
    imports.view(IMPORTS),
    View(FORMS, _form_keys, _turn_form, ("operation",)),
    View(RECEIPTS, _receipt_keys, _take_receipt, ("report",), one_stream=True),
    View(EXTENSIONS, _extension_keys, _extension, ("clock",), one_stream=True),
    View(ANSWERS, _answer_keys, _answer, ("incident",), one_stream=True),
    View(EVIDENCE, _evidence_keys, _take_evidence, ("report",), one_stream=True),
    *standings.views(METADATA, triage.standing_of),
    View(BELONGINGS, _belonging_keys, _belonging, ("incident",), one_stream=True),
    *open311.views(METADATA),
    outages.view(OUTAGES),
    messages.view(HANDED_OVER),
)
