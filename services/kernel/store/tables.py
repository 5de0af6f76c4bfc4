"""The tables that every service's database has. Both databases sort compared texts byte by byte."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from services.kernel.store import checkpoints, offices
from services.kernel.store.columns import key, serial

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
READ = text("NOT counted")
"""The events that are read, on a stream whose rules count some events. The index has this very condition."""


def metadata() -> MetaData:
    """A service's metadata with the kernel's tables in it; the service adds its views."""
    m = MetaData(naming_convention=NAMING)
    Table(
        "events",
        m,
        Column("seq", serial(), primary_key=True, autoincrement=True),
        Column("stream_id", key(), nullable=False),
        Column("version", Integer, nullable=False),
        Column("event_id", key(36), nullable=False, unique=True),
        Column("type", key(100), nullable=False),
        Column("recordedtime", key(27), nullable=False),
        Column("bytes", LargeBinary, nullable=False),
        Column("counted", Boolean),
        UniqueConstraint("stream_id", "version"),
        # The events that are read, on a stream whose rules count some events. Other rows hold null and are not in the
        # index.
        Index("ix_events_read", "stream_id", "version", postgresql_where=READ, sqlite_where=READ),
    )
    Table(
        "outbox",
        m,
        Column("seq", serial(), primary_key=True, autoincrement=True),
        Column("event_id", key(36)),
        Column("ref", key(36)),
        Column("topic", key(100), nullable=False),
        Column("partition", Integer, nullable=False),
        Column("key", key(64), nullable=False),
        Column("since", key(27), nullable=False),
    )
    Table(
        "contents",
        m,
        Column("ref", key(36), primary_key=True),
        Column("salt", LargeBinary, nullable=False),
        Column("words", Text, nullable=False),
    )
    Table("erased", m, Column("ref", key(36), primary_key=True))
    Table(
        "stream_cursor",
        m,
        Column("consumer", key(32), primary_key=True),
        Column("stream_id", key(), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("digest", key(64), nullable=False),
        Column("blocked", key(32)),
    )
    Table(
        "consumer_offset",
        m,
        Column("consumer", key(32), primary_key=True),
        Column("topic", key(100), primary_key=True),
        Column("partition", Integer, primary_key=True),
        Column("next", BigInteger, nullable=False),
        Column("last", key(64)),
    )
    Table(
        "parked",
        m,
        Column("consumer", key(32), primary_key=True),
        Column("stream_id", key(), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("digest", key(64), primary_key=True),
        Column("correlation", key()),
        Column("since", key(27), nullable=False),
        Column("bytes", LargeBinary, nullable=False),
    )
    Table(
        "dead_letters",
        m,
        Column("id", key(36), primary_key=True),
        Column("consumer", key(32), nullable=False),
        Column("topic", key(100), nullable=False),
        Column("partition", Integer, nullable=False),
        Column("offset", BigInteger, nullable=False),
        Column("stream_id", key()),
        Column("version", Integer),
        Column("correlation", key()),
        Column("reason", key(32), nullable=False),
        Column("error", Text, nullable=False),
        Column("since", key(27), nullable=False),
        Column("state", key(16), nullable=False),
        Column("key", LargeBinary),
        Column("bytes", LargeBinary),
        Index(None, "state"),
        Index(None, "stream_id"),
    )
    Table(
        "idempotency",
        m,
        Column("key", key(64), primary_key=True),
        Column("digest", key(64), nullable=False),
        Column("response", LargeBinary, nullable=False),
        Column("until", key(27), nullable=False),
        Index(None, "until"),
    )
    Table(
        "refusals",
        m,
        Column("key", key(64), primary_key=True),
        Column("minute", key(27), primary_key=True),
        Column("post", key(130), nullable=False),
        Column("unit", key()),
        Column("roles", Text, nullable=False),
        Column("act", key(100), nullable=False),
        Column("count", Integer, nullable=False),
    )
    Table(
        "readings",
        m,
        Column("key", key(64), primary_key=True),
        Column("day", key(10), nullable=False),
        Index(None, "day"),
    )
    Table(
        "lease",
        m,
        Column("name", key(16), primary_key=True),
        Column("term", BigInteger, nullable=False),
        Column("holder", key(64), nullable=False),
        Column("session", key(64), nullable=False),
        Column("until", DateTime(timezone=True), nullable=False),
        Column("recovered", Boolean, nullable=False),
    )
    Table("deployment", m, Column("name", key(32), primary_key=True), Column("value", key(200), nullable=False))
    offices.tables(m)
    checkpoints.tables(m)
    return m
