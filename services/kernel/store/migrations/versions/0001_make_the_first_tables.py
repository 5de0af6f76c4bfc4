"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

from services.kernel.store.columns import key, serial

revision = "kernel_0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "consumer_offset",
        sa.Column("consumer", key(32), nullable=False),
        sa.Column("topic", key(100), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.Column("last", key(64), nullable=True),
        sa.PrimaryKeyConstraint("consumer", "topic", "partition", name=op.f("pk_consumer_offset")),
    )
    op.create_table(
        "contents",
        sa.Column("ref", key(36), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_contents")),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", key(36), nullable=False),
        sa.Column("consumer", key(32), nullable=False),
        sa.Column("topic", key(100), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("stream_id", key(64), nullable=True),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("correlation", key(64), nullable=True),
        sa.Column("reason", key(32), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=True),
        sa.Column("bytes", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
    )
    op.create_index(op.f("ix_dead_letters_state"), "dead_letters", ["state"], unique=False)
    op.create_index(op.f("ix_dead_letters_stream_id"), "dead_letters", ["stream_id"], unique=False)
    op.create_table(
        "delegations",
        sa.Column("delegation", key(36), nullable=False),
        sa.Column("post", key(130), nullable=False),
        sa.Column("to", key(130), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("until", key(27), nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("delegation", name=op.f("pk_delegations")),
    )
    op.create_table(
        "deployment",
        sa.Column("name", key(32), nullable=False),
        sa.Column("value", key(200), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_deployment")),
    )
    op.create_table(
        "erased", sa.Column("ref", key(36), nullable=False), sa.PrimaryKeyConstraint("ref", name=op.f("pk_erased"))
    )
    op.create_table(
        "events",
        sa.Column("seq", serial(), autoincrement=True, nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("event_id", key(36), nullable=False),
        sa.Column("type", key(100), nullable=False),
        sa.Column("recordedtime", key(27), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sa.UniqueConstraint("event_id", name=op.f("uq_events_event_id")),
        sa.UniqueConstraint("stream_id", "version", name=op.f("uq_events_stream_id_version")),
    )
    op.create_index(
        "ix_events_read",
        "events",
        ["stream_id", "version"],
        unique=False,
        postgresql_where=sa.text("NOT counted"),
        sqlite_where=sa.text("NOT counted"),
    )
    op.create_table(
        "idempotency",
        sa.Column("key", key(64), nullable=False),
        sa.Column("digest", key(64), nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=False),
        sa.Column("until", key(27), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_until"), "idempotency", ["until"], unique=False)
    op.create_table(
        "lease",
        sa.Column("name", key(16), nullable=False),
        sa.Column("term", sa.BigInteger(), nullable=False),
        sa.Column("holder", key(64), nullable=False),
        sa.Column("session", key(64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recovered", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "log_kept",
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("origin", key(200), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", name=op.f("pk_log_kept")),
    )
    op.create_table(
        "log_keys",
        sa.Column("key", key(64), nullable=False),
        sa.Column("use", key(16), nullable=False),
        sa.Column("name", key(200), nullable=False),
        sa.Column("made_at", key(27), nullable=False),
        sa.Column("revoked_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_log_keys")),
    )
    op.create_table(
        "officers",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("post", key(130), nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_officers")),
    )
    op.create_table(
        "outbox",
        sa.Column("seq", serial(), autoincrement=True, nullable=False),
        sa.Column("event_id", key(36), nullable=True),
        sa.Column("ref", key(36), nullable=True),
        sa.Column("topic", key(100), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("key", key(64), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
    )
    op.create_table(
        "own_days",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("since", key(10), nullable=False),
        sa.Column("until", key(10), nullable=False),
        sa.Column("days", key(16), nullable=True),
        sa.Column("windows", sa.Text(), nullable=True),
        sa.Column("stream_id", key(64), nullable=False),
        sa.PrimaryKeyConstraint("unit", "version", name=op.f("pk_own_days")),
    )
    op.create_table(
        "packs",
        sa.Column("policy", key(200), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("policy", name=op.f("pk_packs")),
    )
    op.create_table(
        "packs_assigned",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("policy", key(200), nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "since", name=op.f("pk_packs_assigned")),
    )
    op.create_table(
        "parked",
        sa.Column("consumer", key(32), nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", key(64), nullable=False),
        sa.Column("correlation", key(64), nullable=True),
        sa.Column("since", key(27), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "stream_id", "version", "digest", name=op.f("pk_parked")),
    )
    op.create_table(
        "periods",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("period", key(100), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("until", key(27), nullable=True),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "period", "since", name=op.f("pk_periods")),
    )
    op.create_table(
        "post_keys",
        sa.Column("kid", key(64), nullable=False),
        sa.Column("post", key(130), nullable=True),
        sa.Column("public", key(64), nullable=True),
        sa.Column("made_at", key(27), nullable=True),
        sa.Column("revoked_at", key(27), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_post_keys")),
    )
    op.create_table(
        "posts",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("code", key(60), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("until", key(27), nullable=True),
        sa.Column("title", key(100), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("head", sa.Boolean(), nullable=False),
        sa.Column("members", sa.Text(), nullable=False),
        sa.Column("duty_post", key(130), nullable=True),
        sa.Column("serves", sa.Text(), nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "code", "since", name=op.f("pk_posts")),
    )
    op.create_table(
        "readings",
        sa.Column("key", key(64), nullable=False),
        sa.Column("day", key(10), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_readings")),
    )
    op.create_index(op.f("ix_readings_day"), "readings", ["day"], unique=False)
    op.create_table(
        "refusals",
        sa.Column("key", key(64), nullable=False),
        sa.Column("minute", key(27), nullable=False),
        sa.Column("post", key(130), nullable=False),
        sa.Column("unit", key(64), nullable=True),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("act", key(100), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "minute", name=op.f("pk_refusals")),
    )
    op.create_table(
        "revoked_tokens",
        sa.Column("token", key(36), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_revoked_tokens")),
    )
    op.create_table(
        "site_names",
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", key(100), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", name=op.f("pk_site_names")),
    )
    op.create_table(
        "stream_cursor",
        sa.Column("consumer", key(32), nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", key(64), nullable=False),
        sa.Column("blocked", key(32), nullable=True),
        sa.PrimaryKeyConstraint("consumer", "stream_id", name=op.f("pk_stream_cursor")),
    )
    op.create_table(
        "units",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("until", key(27), nullable=True),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("name", key(100), nullable=False),
        sa.Column("parent", key(64), nullable=True),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "since", name=op.f("pk_units")),
    )
    op.create_table(
        "values_set",
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("pack", key(30), nullable=False),
        sa.Column("place", key(100), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", "version", name=op.f("pk_values_set")),
    )
