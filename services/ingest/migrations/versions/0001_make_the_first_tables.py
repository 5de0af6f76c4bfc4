"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

from services.kernel.store.columns import key

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "answers",
        sa.Column("event", key(36), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("event", name=op.f("pk_answers")),
    )
    op.create_index(op.f("ix_answers_incident_id_at"), "answers", ["incident_id", "at"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", key(64), nullable=False),
        sa.Column("digest", key(64), nullable=True),
        sa.Column("integration", key(64), nullable=True),
        sa.Column("name", key(100), nullable=True),
        sa.Column("unit", key(64), nullable=True),
        sa.Column("scope", key(32), nullable=True),
        sa.Column("made_at", key(27), nullable=True),
        sa.Column("revoked_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_keys_digest")),
    )
    op.create_table(
        "belongings",
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("joined_at", key(27), nullable=False),
        sa.Column("left_version", sa.Integer(), nullable=True),
        sa.Column("left_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("report_id", "incident_id", name=op.f("pk_belongings")),
    )
    op.create_table(
        "endings",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("closed_at", key(27), nullable=True),
        sa.Column("at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_endings")),
    )
    op.create_table(
        "evidence",
        sa.Column("file", key(128), nullable=False),
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("erased", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("file", name=op.f("pk_evidence")),
    )
    op.create_table(
        "extensions",
        sa.Column("event", key(36), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("clock", key(100), nullable=False),
        sa.Column("policy", key(200), nullable=True),
        sa.Column("previous", key(27), nullable=False),
        sa.Column("due", key(27), nullable=False),
        sa.Column("notice_ref", key(36), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("event", name=op.f("pk_extensions")),
    )
    op.create_index(op.f("ix_extensions_incident_id"), "extensions", ["incident_id"], unique=False)
    op.create_table(
        "external_ids",
        sa.Column("duplicate", key(64), nullable=False),
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("sent", key(64), nullable=False),
        sa.Column("discovered_at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("duplicate", name=op.f("pk_external_ids")),
    )
    op.create_table(
        "filed",
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("sender", key(130), nullable=False),
        sa.Column("category", key(100), nullable=True),
        sa.Column("received_at", key(27), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("changed_at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_filed")),
    )
    op.create_index(op.f("ix_filed_received_at"), "filed", ["received_at"], unique=False)
    op.create_index(op.f("ix_filed_sender_received_at"), "filed", ["sender", "received_at"], unique=False)
    op.create_table(
        "forms",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("introduction_ref", key(36), nullable=True),
        sa.Column("at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_forms")),
    )
    op.create_table(
        "handed_over",
        sa.Column("event", key(36), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("to", key(64), nullable=False),
        sa.PrimaryKeyConstraint("event", name=op.f("pk_handed_over")),
    )
    op.create_table(
        "heard",
        sa.Column("integration", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("every", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("integration", name=op.f("pk_heard")),
    )
    op.create_table(
        "import_notes",
        sa.Column("run", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_import_notes")),
    )
    op.create_table(
        "imports",
        sa.Column("run", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("mapping", key(100), nullable=True),
        sa.Column("sha256", key(64), nullable=True),
        sa.Column("form", key(10), nullable=True),
        sa.Column("by", key(130), nullable=True),
        sa.Column("begun_at", key(27), nullable=True),
        sa.Column("ended_at", key(27), nullable=True),
        sa.Column("outcome", key(20), nullable=True),
        sa.Column("rows", sa.Integer(), nullable=True),
        sa.Column("received", sa.Integer(), nullable=True),
        sa.Column("repeated", sa.Integer(), nullable=True),
        sa.Column("refused", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("run", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_unit", "imports", ["unit", "run"], unique=False)
    op.create_table(
        "key_uses",
        sa.Column("id", key(64), nullable=False),
        sa.Column("used_at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_uses")),
    )
    op.create_table(
        "limits",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("clock", key(100), nullable=False),
        sa.Column("policy", key(200), nullable=True),
        sa.Column("due", key(27), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "clock", name=op.f("pk_limits")),
    )
    op.create_table(
        "mailboxes",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("address", key(320), nullable=False),
        sa.Column("aside_in", sa.Text(), nullable=False),
        sa.Column("read_at", key(27), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("trouble_at", key(27), nullable=True),
        sa.Column("reports", sa.BigInteger(), nullable=False),
        sa.Column("aside", sa.BigInteger(), nullable=False),
        sa.Column("aside_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_mailboxes")),
    )
    op.create_table(
        "outages",
        sa.Column("id", key(64), nullable=False),
        sa.Column("site", key(20), nullable=False),
        sa.Column("trouble", key(20), nullable=False),
        sa.Column("symptom", key(20), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("statement", key(64), nullable=True),
        sa.Column("since", key(27), nullable=False),
        sa.Column("until", key(27), nullable=True),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.Column("told_at", key(27), nullable=False),
        sa.Column("recorded_at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outages")),
    )
    op.create_index(op.f("ix_outages_since_id"), "outages", ["since", "id"], unique=False)
    op.create_index(op.f("ix_outages_until"), "outages", ["until"], unique=False)
    op.create_table(
        "read_topics",
        sa.Column("topic", key(100), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("digest", key(64), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("pk_read_topics")),
    )
    op.create_table(
        "receipts",
        sa.Column("receipt", key(64), nullable=False),
        sa.Column("report_id", key(64), nullable=False),
        sa.PrimaryKeyConstraint("receipt", name=op.f("pk_receipts")),
    )
    op.create_table(
        "refused",
        sa.Column("integration", key(64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("code", key(100), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("integration", name=op.f("pk_refused")),
    )
    op.create_table(
        "said",
        sa.Column("event", key(36), nullable=False),
        sa.Column("statement_id", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event", name=op.f("pk_said")),
    )
    op.create_index(op.f("ix_said_at"), "said", ["at"], unique=False)
    op.create_index(op.f("ix_said_statement_id_at"), "said", ["statement_id", "at"], unique=False)
    op.create_table(
        "sources",
        sa.Column("source", key(100), nullable=False),
        sa.Column("integration", key(64), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_sources")),
    )
    op.create_table(
        "spoken",
        sa.Column("statement_id", key(64), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.PrimaryKeyConstraint("statement_id", name=op.f("pk_spoken")),
    )
    op.create_index(op.f("ix_spoken_incident_id"), "spoken", ["incident_id"], unique=False)
    op.create_table(
        "standing_units",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "unit", name=op.f("pk_standing_units")),
    )
    op.create_index(op.f("ix_standing_units_unit"), "standing_units", ["unit"], unique=False)
    op.create_table(
        "standings",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("accountable", key(64), nullable=True),
        sa.Column("assigned", key(64), nullable=True),
        sa.Column("verifying", sa.Text(), nullable=False),
        sa.Column("helping", sa.Text(), nullable=False),
        sa.Column("past", sa.Text(), nullable=False),
        sa.Column("merged_version", sa.Integer(), nullable=True),
        sa.Column("merged_at", key(27), nullable=True),
        sa.Column("merged_into", key(64), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_standings")),
    )
