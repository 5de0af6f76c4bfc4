"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

from services.kernel.store.columns import key, serial

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("size", serial(), autoincrement=False, nullable=False),
        sa.Column("root", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "cosignatures",
        sa.Column("size", serial(), autoincrement=False, nullable=False),
        sa.Column("witness", key(200), nullable=False),
        sa.Column("line", key(400), nullable=False),
        sa.PrimaryKeyConstraint("size", "witness", name=op.f("pk_cosignatures")),
    )
    op.create_table(
        "entries",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("recordedtime", key(27), nullable=False),
        sa.Column("event_id", key(36), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "recordedtime", "event_id", name=op.f("pk_entries")),
    )
    op.create_table(
        "findings",
        sa.Column("finding_id", key(64), nullable=False),
        sa.Column("record", key(64), nullable=False),
        sa.Column("incident_id", key(64), nullable=True),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("kind", key(32), nullable=False),
        sa.Column("stage", key(16), nullable=False),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("hear_by", key(27), nullable=True),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("finding_id", name=op.f("pk_findings")),
    )
    op.create_index("ix_findings_hearing", "findings", ["stage", "hear_by"], unique=False)
    op.create_index("ix_findings_record", "findings", ["record"], unique=False)
    op.create_index("ix_findings_unit", "findings", ["unit", "kind"], unique=False)
    op.create_table(
        "head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.Column("logged", sa.Integer(), nullable=False),
        sa.Column("complete_until", key(27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_head")),
    )
    op.create_table(
        "judged",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judged")),
    )
    op.create_table(
        "linked_types",
        sa.Column("type", key(100), nullable=False),
        sa.PrimaryKeyConstraint("type", name=op.f("pk_linked_types")),
    )
    op.create_table(
        "links",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "stream_id", name=op.f("pk_links")),
    )
    op.create_index("ix_links_stream", "links", ["stream_id"], unique=False)
    op.create_table(
        "log_secrets",
        sa.Column("key", key(64), nullable=False),
        sa.Column("made_at", key(27), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_log_secrets")),
    )
    op.create_table(
        "marks",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", key(130), nullable=False),
        sa.Column("value", key(64), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("time", key(27), nullable=False),
        sa.Column("recordedtime", key(27), nullable=False),
        sa.PrimaryKeyConstraint("position", "kind", name=op.f("pk_marks")),
    )
    op.create_index("ix_marks_matter", "marks", ["incident_id", "kind", "version"], unique=False)
    op.create_index("ix_marks_value", "marks", ["kind", "value", "incident_id"], unique=False)
    op.create_table(
        "numbers",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("mark", key(4), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.PrimaryKeyConstraint("unit", "year", "mark", "count", name=op.f("pk_numbers")),
    )
    op.create_index(op.f("ix_numbers_stream_id"), "numbers", ["stream_id"], unique=False)
    op.create_table(
        "planned",
        sa.Column("digest", key(64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_planned")),
        sa.UniqueConstraint("position", name=op.f("uq_planned_position")),
    )
    op.create_table(
        "said",
        sa.Column("ref", key(64), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("ref", "position", name=op.f("pk_said")),
    )
    op.create_table(
        "sizes",
        sa.Column("size", serial(), autoincrement=False, nullable=False),
        sa.Column("complete_until", key(27), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_sizes")),
    )
    op.create_table(
        "timeline",
        sa.Column("position", serial(), autoincrement=False, nullable=False),
        sa.Column("event_id", key(36), nullable=False),
        sa.Column("digest", key(64), nullable=False),
        sa.Column("type", key(100), nullable=False),
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("time", key(27), nullable=False),
        sa.Column("recordedtime", key(27), nullable=False),
        sa.Column("unit", key(64), nullable=True),
        sa.Column("actor", key(130), nullable=False),
        sa.Column("correlation", key(64), nullable=True),
        sa.Column("topic", key(100), nullable=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_timeline")),
    )
    op.create_index("ix_timeline_actor", "timeline", ["actor", "position"], unique=False)
    op.create_index(
        "ix_timeline_decided",
        "timeline",
        ["stream_id", "version"],
        unique=False,
        postgresql_where=sa.text(
            "stream_id BETWEEN 'incident-' AND 'incident.' AND type NOT BETWEEN 'huiying.incident.report_attached.' AND 'huiying.incident.report_attached/'"
        ),
        sqlite_where=sa.text(
            "stream_id BETWEEN 'incident-' AND 'incident.' AND type NOT BETWEEN 'huiying.incident.report_attached.' AND 'huiying.incident.report_attached/'"
        ),
    )
    op.create_index("ix_timeline_event", "timeline", ["event_id"], unique=True)
    op.create_index("ix_timeline_stream", "timeline", ["stream_id", "version", "digest"], unique=True)
    op.create_index("ix_timeline_time", "timeline", ["time"], unique=False)
    op.create_index("ix_timeline_type", "timeline", ["type", "position"], unique=False)
    op.create_index("ix_timeline_unit", "timeline", ["unit", "position"], unique=False)
    op.create_table(
        "tree",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", serial(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_tree")),
    )
    op.create_table(
        "witnessed",
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("origin", key(200), nullable=False),
        sa.Column("keys", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", key(64), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", name=op.f("pk_witnessed")),
    )
