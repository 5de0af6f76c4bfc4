"""The tables of audit. `timeline` holds every event at its position."""

from pathlib import Path

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text, text

from schemas.checkpoints import CHECKPOINTS as STREAM
from schemas.checkpoints import CheckpointCosigned, CheckpointLogKnown, CheckpointSigned
from schemas.envelope import Event
from services.audit.archive import views as archive
from services.audit.between import views as between
from services.audit.drills import views as drills
from services.audit.findings import views as findings
from services.audit.inspections import views as inspections
from services.audit.referrals import views as referrals
from services.audit.review import views as reviews
from services.audit.saved import views as saved
from services.audit.statistics import views as statistics
from services.audit.subscriptions import views as subscriptions
from services.audit.trainings import views as trainings
from services.kernel.access.checkpoints import note_of
from services.kernel.store import checkpoints, numbers, offices
from services.kernel.store.columns import key, serial
from services.kernel.store.tables import metadata
from services.kernel.store.views import Key, Row, View
from services.kernel.tlog.tree import EMPTY

LOG_TOPIC = "audit.log"
LOG = "log-7d1f2a54-3c0e-5c6b-9d44-2f1b8a6e0c11"
"""The one stream on which audit records its order."""

METADATA = metadata()
numbers.table(METADATA)
REVISIONS = Path(__file__).parent / "migrations" / "versions"
ATTACHED = "huiying.incident.report_attached."
DECIDED = text(
    f"stream_id BETWEEN 'incident-' AND 'incident.' AND type NOT BETWEEN '{ATTACHED}' AND '{ATTACHED[:-1]}/'"
)
"""The events of an incident except attached reports: they are few, however many reports it has. See ADR 19."""
PUBLICATIONS = text("type BETWEEN 'huiying.statement.published.' AND 'huiying.statement.published/'")
"""The events by which statements were published."""
OPENED = text("kind LIKE 'opened'")
"""The marks in whose order matters are listed. Written so that SQLite does not take the index by value, and sorts."""
TIMELINE = Table(
    "timeline",
    METADATA,
    Column("position", serial(), primary_key=True, autoincrement=False),
    Column("event_id", key(36), nullable=False),
    Column("digest", key(64), nullable=False),
    Column("type", key(100), nullable=False),
    Column("stream_id", key(), nullable=False),
    Column("version", Integer, nullable=False),
    Column("time", key(27), nullable=False),
    Column("recordedtime", key(27), nullable=False),
    Column("unit", key()),
    Column("actor", key(130), nullable=False),
    Column("correlation", key()),
    Column("topic", key(100), nullable=False),
    Column("bytes", LargeBinary, nullable=False),
    Index("ix_timeline_event", "event_id", unique=True),
    Index("ix_timeline_stream", "stream_id", "version", "digest", unique=True),
    Index("ix_timeline_decided", "stream_id", "version", postgresql_where=DECIDED, sqlite_where=DECIDED),
    Index("ix_timeline_type", "type", "position"),
    Index("ix_timeline_unit", "unit", "position"),
    Index("ix_timeline_actor", "actor", "position"),
    Index("ix_timeline_time", "time"),
    Index("ix_timeline_published", "unit", "recordedtime", postgresql_where=PUBLICATIONS, sqlite_where=PUBLICATIONS),
)
LINKS = Table(
    "links",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("stream_id", key(), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Index("ix_links_stream", "stream_id"),
)
"""The streams that belong to an incident, its own included, and the position from which on that is known."""
ENTRIES = Table(
    "entries",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("recordedtime", key(27), primary_key=True),
    Column("event_id", key(36), primary_key=True),
    Column("position", BigInteger, nullable=False),
)
"""Every event of every stream of an incident, in the order of its timeline: `LINKS` with `TIMELINE`."""
NAMED = Table(
    "named",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("recordedtime", key(27), primary_key=True),
    Column("event_id", key(36), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Index("ix_named_position", "position"),
)
"""The single events that name an incident while their streams do not belong to it."""
JOINED = Table(
    "joined",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("report_id", key(), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("recordedtime", key(27), nullable=False),
    Column("since", BigInteger),
)
"""Each time that a report came to an incident; since when the office knew of it, where the event says that."""
LEFT = Table(
    "left_reports",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("report_id", key(), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("recordedtime", key(27), nullable=False),
    Column("into", key()),
)
"""Each time that a report left an incident, and for which other one, where the event says that."""
MARKS = Table(
    "marks",
    METADATA,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", key(130), primary_key=True),
    Column("value", key(), nullable=False),
    Column("incident_id", key(), nullable=False),
    Column("version", Integer, nullable=False),
    Column("time", key(27), nullable=False),
    Column("recordedtime", key(27), nullable=False),
    Index("ix_marks_matter", "incident_id", "kind", "version"),
    Index("ix_marks_value", "kind", "value", "incident_id"),
    Index("ix_marks_opened", "position", postgresql_where=OPENED, sqlite_where=OPENED),
)
"""What events made of matters, see `matters.marks`."""
SAID = Table(
    "said",
    METADATA,
    Column("ref", key(), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
)
"""The events that refer to words."""
LINKED_TYPES = Table("linked_types", METADATA, Column("type", key(100), primary_key=True))
"""The types of events from which `LINKS` and `MARKS` were drawn so far; after a prefix, some of them."""
SIZES = Table(
    "sizes",
    METADATA,
    Column("size", serial(), primary_key=True, autoincrement=False),
    Column("complete_until", key(27), nullable=False),
)
"""For a size of the log, the instant up to which the topics had been read to their ends. It holds until the next row.
"""
HEAD = Table(
    "head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("next", BigInteger, nullable=False),
    Column("logged", Integer, nullable=False),
    Column("complete_until", key(27)),
)
"""One row: how many positions without a gap, the next free position, and the version of `LOG` behind both.

`size` is below `next` only while a restored audit takes in again what its log already gave a position.
"""
PLANNED = Table(
    "planned",
    METADATA,
    Column("digest", key(), primary_key=True),
    Column("position", BigInteger, nullable=False, unique=True),
)
"""The positions that the log gave to events which the timeline lacks."""
TREE = Table(
    "tree",
    METADATA,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", serial(), primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)
"""The tree over the events below `head.size`: rows of up to sixteen hashes, see `kernel.tlog.tree`."""
CHECKPOINTS = Table(
    "checkpoints",
    METADATA,
    Column("size", serial(), primary_key=True, autoincrement=False),
    Column("root", key(64), nullable=False),
    Column("at", key(27), nullable=False),
    Column("note", LargeBinary, nullable=False),
)
"""Every size that was signed, with the signed note. A size that is signed again keeps the later note."""
COSIGNATURES = Table(
    "cosignatures",
    METADATA,
    Column("size", serial(), primary_key=True, autoincrement=False),
    Column("witness", key(200), primary_key=True),
    Column("line", key(400), nullable=False),
)
"""What witnesses signed of a checkpoint: the line of the note. No event tells them; they can be asked for again."""
LOG_SECRETS = Table(
    "log_secrets",
    METADATA,
    Column("key", key(64), primary_key=True),
    Column("made_at", key(27), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""The private halves of `log_keys`, sealed under the deployment's secret. No event tells them."""
WITNESSED = Table(
    "witnessed",
    METADATA,
    Column("stream_id", key(), primary_key=True),
    Column("origin", key(200), nullable=False),
    Column("keys", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", key(64), nullable=False),
)
"""The logs of others for which this deployment is a witness, and the newest checkpoint of each that it cosigned."""


def _signed_keys(event: Event) -> list[Key]:
    return [(event.data.size,)] if event.stream == STREAM and isinstance(event.data, CheckpointSigned) else []


def _signed(key: Key, row: Row | None, event: Event) -> Row | None:
    data: CheckpointSigned = event.data
    return {"size": data.size, "root": data.root, "at": event.recorded_text, "note": note_of(data).written}


def _witnessed_keys(event: Event) -> list[Key]:
    return [(event.stream,)] if isinstance(event.data, CheckpointLogKnown | CheckpointCosigned) else []


def _witnessed(key: Key, row: Row | None, event: Event) -> Row | None:
    row = row or {"stream_id": key[0], "origin": event.data.origin, "keys": "", "size": 0, "root": EMPTY.hex()}
    match event.data:
        case CheckpointLogKnown() as data:
            return row | {"keys": ",".join(data.keys)}
        case CheckpointCosigned() as data:
            return row | {"size": data.size, "root": data.root}
    return row


_OF_CHECKPOINTS = ("checkpoint",)
FINDINGS, JUDGED = findings.tables(METADATA)
SAVED = saved.table(METADATA)
SUBSCRIPTIONS, INTEGRATION_KEYS, SUBSCRIPTION_SECRETS, PROGRESS, DELIVERIES = subscriptions.tables(METADATA)
PEER_PROGRESS = between.table(METADATA)
INSPECTIONS, REFERRALS = inspections.tables(METADATA), referrals.tables(METADATA)
DRILLS, TRAININGS = drills.tables(METADATA), trainings.tables(METADATA)
LESSONS = reviews.table(METADATA)
PACKAGES = archive.table(METADATA)
STEPS, LIMITS, DESK = statistics.tables(METADATA)
VIEWS = (
    View(CHECKPOINTS, _signed_keys, _signed, _OF_CHECKPOINTS, one_stream=True),
    View(WITNESSED, _witnessed_keys, _witnessed, _OF_CHECKPOINTS, one_stream=True),
    *offices.views(METADATA),
    *checkpoints.views(METADATA),
    *numbers.views(METADATA),
    findings.view(FINDINGS),
    saved.view(SAVED),
    *subscriptions.views(SUBSCRIPTIONS, INTEGRATION_KEYS),
    inspections.view(INSPECTIONS),
    referrals.view(REFERRALS),
    drills.view(DRILLS),
    trainings.view(TRAININGS),
    reviews.view(LESSONS),
    archive.view(PACKAGES),
)
