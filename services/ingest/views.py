"""What ingest knows beside its reports: external ids taken, keys of integrations, evidence files."""

from pathlib import Path

from sqlalchemy import Boolean, Column, Table

from schemas.envelope import Event
from schemas.fields import instant
from schemas.ingest import ReportErased, ReportEvidenceAttached, ReportReceived
from schemas.operation import OperationConfigured
from services.kernel.store import offices, tables
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

KEY_MADE, KEY_WITHDRAWN = "api_key", "api_key_withdrawn"
"""Settings of `operation.configured`; the value is `<scope>:<SHA-256 of the key, hex>`."""

METADATA = tables.metadata()
REVISIONS = Path(__file__).parent / "migrations" / "versions"
EXTERNAL_IDS = Table(
    "external_ids",
    METADATA,
    Column("duplicate", key(64), primary_key=True),
    Column("report_id", key(), nullable=False),
    Column("sent", key(64), nullable=False),
    Column("discovered_at", key(27), nullable=False),
)
"""Reserved by the command before it appends, so that of two at once one waits for the other; a replay rebuilds it."""
API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("digest", key(64), primary_key=True),
    Column("scope", key(32), nullable=False),
    Column("unit", key(64), nullable=False),
    Column("withdrawn", Boolean, nullable=False),
)
EVIDENCE = Table(
    "evidence",
    METADATA,
    Column("file", key(128), primary_key=True),
    Column("report_id", key(), nullable=False),
    Column("erased", Boolean, nullable=False),
)


def _external_id_keys(event: Event) -> list[Key]:
    data = event.data if event.kind == "report" else None
    return [(data.duplicate,)] if isinstance(data, ReportReceived) and data.duplicate else []


def _take_external_id(key: Key, row: Row | None, event: Event) -> Row:
    data: ReportReceived = event.data
    since = instant(data.discovered_at)
    return {"duplicate": key[0], "report_id": event.stream, "sent": data.sent, "discovered_at": since}


def _api_key_keys(event: Event) -> list[Key]:
    data = event.data if event.kind == "operation" and event.service == "ingest" else None
    if isinstance(data, OperationConfigured) and data.setting in (KEY_MADE, KEY_WITHDRAWN):
        return [(data.value.partition(":")[2],)]
    return []


def _configure_key(key: Key, row: Row | None, event: Event) -> Row:
    """Making and withdrawing stand in streams of different days; withdrawn stays withdrawn in either order."""
    data: OperationConfigured = event.data
    return {
        "digest": key[0],
        "scope": data.value.partition(":")[0],
        "unit": data.unit,
        "withdrawn": data.setting == KEY_WITHDRAWN or (row is not None and row["withdrawn"]),
    }


def _evidence_keys(event: Event) -> list[Key]:
    if event.kind != "report":
        return []
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
    View(EXTERNAL_IDS, _external_id_keys, _take_external_id, one_stream=True),
    View(API_KEYS, _api_key_keys, _configure_key),
    View(EVIDENCE, _evidence_keys, _take_evidence, one_stream=True),
)
