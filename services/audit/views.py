"""The tables of audit. `timeline` holds every event at its position."""

from pathlib import Path

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, text

from services.kernel.store import numbers, offices
from services.kernel.store.columns import key, serial
from services.kernel.store.tables import metadata

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
"""The types of events from which `LINKS` and `MARKS` were drawn so far."""
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
VIEWS = (*offices.views(METADATA), *numbers.views(METADATA))
