"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

from services.kernel.store.columns import key

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("opened_at", key(27), nullable=True),
        sa.Column("opened_by", key(64), nullable=True),
        sa.Column("category", key(100), nullable=True),
        sa.Column("unit", key(64), nullable=True),
        sa.Column("since", key(27), nullable=True),
        sa.Column("answered_at", key(27), nullable=True),
        sa.Column("answered_by", key(64), nullable=True),
        sa.Column("ended_at", key(27), nullable=True),
        sa.Column("turns", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_accounts")),
    )
    op.create_index(
        op.f("ix_accounts_answered_at_answered_by_since"),
        "accounts",
        ["answered_at", "answered_by", "since"],
        unique=False,
    )
    op.create_index(
        op.f("ix_accounts_opened_at_opened_by_category_ended_at"),
        "accounts",
        ["opened_at", "opened_by", "category", "ended_at"],
        unique=False,
    )
    op.create_table(
        "belongings",
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("joined_at", key(27), nullable=False),
        sa.Column("left_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("report_id", "incident_id", name=op.f("pk_belongings")),
    )
    op.create_index(op.f("ix_belongings_incident_id"), "belongings", ["incident_id"], unique=False)
    op.create_table(
        "channel_secrets",
        sa.Column("channel", key(64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_channel_secrets")),
    )
    op.create_table(
        "channels",
        sa.Column("id", key(64), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("code", key(40), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("title", key(120), nullable=False),
        sa.Column("address_ref", key(36), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("placed_at", key(27), nullable=False),
        sa.Column("ended_at", key(27), nullable=True),
        sa.Column("secret_version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channels")),
    )
    op.create_index(op.f("ix_channels_unit_code"), "channels", ["unit", "code"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("statement_id", key(64), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("channel", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("tried_at", key(27), nullable=True),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.Column("error", key(16), nullable=True),
        sa.Column("next_at", key(27), nullable=True),
        sa.Column("retried_at", key(27), nullable=True),
        sa.Column("address_ref", key(36), nullable=True),
        sa.PrimaryKeyConstraint("statement_id", "release", "channel", name=op.f("pk_deliveries")),
    )
    op.create_index(
        op.f("ix_deliveries_at_statement_id_channel"), "deliveries", ["at", "statement_id", "channel"], unique=False
    )
    op.create_index(op.f("ix_deliveries_next_at"), "deliveries", ["next_at"], unique=False)
    op.create_table(
        "direct_answers",
        sa.Column("event", key(36), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("event", name=op.f("pk_direct_answers")),
    )
    op.create_index(op.f("ix_direct_answers_incident_id_at"), "direct_answers", ["incident_id", "at"], unique=False)
    op.create_table(
        "incident_facts",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("key", key(100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", key(8), nullable=False),
        sa.Column("words", key(36), nullable=True),
        sa.Column("number", sa.Float(), nullable=True),
        sa.Column("at", key(27), nullable=True),
        sa.Column("code", key(100), nullable=True),
        sa.Column("yes", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "key", "version", name=op.f("pk_incident_facts")),
    )
    op.create_table(
        "incidents",
        sa.Column("id", key(64), nullable=False),
        sa.Column("number", key(90), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("policy", key(200), nullable=True),
        sa.Column("assigned", key(64), nullable=True),
        sa.Column("level", key(100), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("answer_kind", key(16), nullable=True),
        sa.Column("category", key(100), nullable=True),
        sa.Column("channel", key(100), nullable=True),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("doubtful", sa.Boolean(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("harm", sa.Integer(), nullable=True),
        sa.Column("state", key(16), nullable=False),
        sa.Column("has_material", sa.Boolean(), nullable=False),
        sa.Column("merged_into", key(64), nullable=True),
        sa.Column("merged_at", key(27), nullable=True),
        sa.Column("reopened_at", key(27), nullable=True),
        sa.Column("verification", sa.Text(), nullable=False),
        sa.Column("opened_at", key(27), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index(
        "ix_incidents_merged_into",
        "incidents",
        ["merged_into"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NOT NULL"),
        sqlite_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_table(
        "likenesses",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("statement_id", key(64), nullable=False),
        sa.PrimaryKeyConstraint("number", "statement_id", name=op.f("pk_likenesses")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "limits",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("clock", key(100), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("policy", key(200), nullable=True),
        sa.Column("due", key(27), nullable=False),
        sa.Column("first_answer", sa.Boolean(), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("met_at", key(27), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        sa.Column("breached_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "clock", name=op.f("pk_limits")),
    )
    op.create_index(
        op.f("ix_limits_breached_at_first_answer_unit"), "limits", ["breached_at", "first_answer", "unit"], unique=False
    )
    op.create_index(
        op.f("ix_limits_met_at_first_answer_late_unit"),
        "limits",
        ["met_at", "first_answer", "late", "unit"],
        unique=False,
    )
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
        "post_secrets",
        sa.Column("kid", key(64), nullable=False),
        sa.Column("post", key(130), nullable=False),
        sa.Column("made_at", key(27), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_post_secrets")),
    )
    op.create_index(op.f("ix_post_secrets_post"), "post_secrets", ["post"], unique=False)
    op.create_table(
        "postings",
        sa.Column("statement_id", key(64), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("address_ref", key(36), nullable=True),
        sa.PrimaryKeyConstraint("statement_id", "release", "report_id", name=op.f("pk_postings")),
    )
    op.create_table(
        "press",
        sa.Column("id", key(64), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("speaks", sa.Text(), nullable=False),
        sa.Column("approves", sa.Text(), nullable=False),
        sa.Column("interviews", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_press")),
    )
    op.create_index(op.f("ix_press_incident_id"), "press", ["incident_id"], unique=False)
    op.create_table(
        "questions",
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("channel", key(100), nullable=False),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_questions")),
    )
    op.create_table(
        "reach",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=True),
        sa.Column("comments", sa.BigInteger(), nullable=True),
        sa.Column("mainstream_sites", sa.BigInteger(), nullable=True),
        sa.Column("shares", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "report_id", name=op.f("pk_reach")),
    )
    op.create_table(
        "releases",
        sa.Column("statement_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("danger_in", key(64), nullable=True),
        sa.Column("danger_version", sa.Integer(), nullable=True),
        sa.Column("attachments", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("statement_id", "version", name=op.f("pk_releases")),
    )
    op.create_table(
        "reports",
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("receipt", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("received_at", key(27), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_reports")),
    )
    op.create_index(op.f("ix_reports_receipt"), "reports", ["receipt"], unique=False)
    op.create_index(op.f("ix_reports_received_at_unit"), "reports", ["received_at", "unit"], unique=False)
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
    op.create_table(
        "statement_facts",
        sa.Column("statement_id", key(64), nullable=False),
        sa.Column("key", key(100), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("statement_id", "key", name=op.f("pk_statement_facts")),
    )
    op.create_index(op.f("ix_statement_facts_incident_id_key"), "statement_facts", ["incident_id", "key"], unique=False)
    op.create_table(
        "statement_files",
        sa.Column("file", key(128), nullable=False),
        sa.Column("statement_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("media_type", key(100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", key(64), nullable=False),
        sa.Column("title_ref", key(36), nullable=False),
        sa.Column("persons", key(16), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("stored", key(128), nullable=False),
        sa.Column("former", sa.Text(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("detached", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("file", name=op.f("pk_statement_files")),
    )
    op.create_index(op.f("ix_statement_files_sha256"), "statement_files", ["sha256"], unique=False)
    op.create_index(
        op.f("ix_statement_files_statement_id_version"), "statement_files", ["statement_id", "version"], unique=False
    )
    op.create_table(
        "statement_keys",
        sa.Column("kid", key(64), nullable=False),
        sa.Column("public", key(64), nullable=True),
        sa.Column("made_at", key(27), nullable=True),
        sa.Column("revoked_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_statement_keys")),
    )
    op.create_table(
        "statement_secrets",
        sa.Column("kid", key(64), nullable=False),
        sa.Column("made_at", key(27), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_statement_secrets")),
    )
    op.create_table(
        "statements",
        sa.Column("id", key(64), nullable=False),
        sa.Column("number", key(90), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("incident_id", key(64), nullable=True),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("form", key(16), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("title_ref", key(36), nullable=False),
        sa.Column("draft_ref", key(36), nullable=False),
        sa.Column("agreed_title_ref", key(36), nullable=True),
        sa.Column("agreed_text_ref", key(36), nullable=True),
        sa.Column("waived_ref", key(36), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("used", sa.Text(), nullable=False),
        sa.Column("prepared", sa.Boolean(), nullable=False),
        sa.Column("level", key(100), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("raised", sa.Text(), nullable=False),
        sa.Column("course", sa.Text(), nullable=False),
        sa.Column("checks", sa.Text(), nullable=False),
        sa.Column("writers", sa.Text(), nullable=False),
        sa.Column("desks", sa.Text(), nullable=False),
        sa.Column("approvers", sa.Text(), nullable=False),
        sa.Column("rejection_ref", key(36), nullable=True),
        sa.Column("drafted_at", key(27), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("published_at", key(27), nullable=True),
        sa.Column("updated_at", key(27), nullable=True),
        sa.Column("corrections", sa.Integer(), nullable=False),
        sa.Column("withdrawn_at", key(27), nullable=True),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("scheduled_at", key(27), nullable=True),
        sa.Column("next_at", key(27), nullable=True),
        sa.Column("scheduled_by", key(64), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("danger", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statements")),
    )
    op.create_index(
        op.f("ix_statements_danger_updated_at_id"), "statements", ["danger", "updated_at", "id"], unique=False
    )
    op.create_index(op.f("ix_statements_drafted_at_id"), "statements", ["drafted_at", "id"], unique=False)
    op.create_index(op.f("ix_statements_incident_id"), "statements", ["incident_id"], unique=False)
    op.create_index(op.f("ix_statements_published_at"), "statements", ["published_at"], unique=False)
    op.create_index(op.f("ix_statements_scheduled_at"), "statements", ["scheduled_at"], unique=False)
    op.create_index(
        op.f("ix_statements_state_drafted_at_id"), "statements", ["state", "drafted_at", "id"], unique=False
    )
    op.create_index(op.f("ix_statements_unit_updated_at_id"), "statements", ["unit", "updated_at", "id"], unique=False)
    op.create_index(op.f("ix_statements_updated_at_id"), "statements", ["updated_at", "id"], unique=False)
