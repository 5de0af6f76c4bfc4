"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

from services.kernel.store.columns import key

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "assessments",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cause", key(36), nullable=False),
        sa.Column("truth", key(36), nullable=False),
        sa.Column("trend", key(36), nullable=False),
        sa.Column("impact", key(36), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("recorded_at", key(27), nullable=False),
        sa.Column("actor", key(130), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "version", name=op.f("pk_assessments")),
    )
    op.create_table(
        "desk",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("number", key(90), nullable=True),
        sa.Column("unit", key(64), nullable=True),
        sa.Column("assigned", key(64), nullable=True),
        sa.Column("verifiers", sa.Text(), nullable=False),
        sa.Column("verifying", key(64), nullable=True),
        sa.Column("helpers", sa.Text(), nullable=False),
        sa.Column("helping", key(64), nullable=True),
        sa.Column("correctors", sa.Text(), nullable=False),
        sa.Column("correcting", key(64), nullable=True),
        sa.Column("explaining", key(64), nullable=True),
        sa.Column("proposing", sa.Boolean(), nullable=False),
        sa.Column("unhelped", sa.Text(), nullable=False),
        sa.Column("screened", sa.Boolean(), nullable=False),
        sa.Column("plan_due", key(27), nullable=True),
        sa.Column("level", key(100), nullable=True),
        sa.Column("phase", key(16), nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("sent_back", sa.Boolean(), nullable=False),
        sa.Column("proposals", sa.Text(), nullable=False),
        sa.Column("statements", sa.Text(), nullable=False),
        sa.Column("followed", sa.Boolean(), nullable=False),
        sa.Column("limits", sa.Text(), nullable=False),
        sa.Column("due", key(27), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("to_verify", sa.Boolean(), nullable=False),
        sa.Column("to_accept", sa.Boolean(), nullable=False),
        sa.Column("to_handle", sa.Boolean(), nullable=False),
        sa.Column("to_approve", sa.Boolean(), nullable=False),
        sa.Column("to_explain", sa.Boolean(), nullable=False),
        sa.Column("to_review", sa.Boolean(), nullable=False),
        sa.Column("waiting_material", sa.Boolean(), nullable=False),
        sa.Column("returned", sa.Boolean(), nullable=False),
        sa.Column("deferred", sa.Boolean(), nullable=False),
        sa.Column("to_follow_up", sa.Boolean(), nullable=False),
        sa.Column("to_correct", sa.Boolean(), nullable=False),
        sa.Column("to_assign", sa.Boolean(), nullable=False),
        sa.Column("unhelpful", sa.Boolean(), nullable=False),
        sa.Column("lists", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_desk")),
    )
    op.create_index(
        "ix_desk_counts",
        "desk",
        ["unit", "lists"],
        unique=False,
        postgresql_where=sa.text("lists > 0"),
        sqlite_where=sa.text("lists > 0"),
    )
    op.create_index(
        "ix_desk_deferred_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("deferred"),
        sqlite_where=sa.text("deferred"),
    )
    op.create_index(
        "ix_desk_deferred_unit",
        "desk",
        ["unit", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("deferred"),
        sqlite_where=sa.text("deferred"),
    )
    op.create_index(
        "ix_desk_open_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("open"),
        sqlite_where=sa.text("open"),
    )
    op.create_index(
        "ix_desk_open_unit",
        "desk",
        ["unit", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("open"),
        sqlite_where=sa.text("open"),
    )
    op.create_index(
        "ix_desk_returned_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("returned"),
        sqlite_where=sa.text("returned"),
    )
    op.create_index(
        "ix_desk_returned_unit",
        "desk",
        ["unit", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("returned"),
        sqlite_where=sa.text("returned"),
    )
    op.create_index(
        "ix_desk_to_accept_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_accept"),
        sqlite_where=sa.text("to_accept"),
    )
    op.create_index(
        "ix_desk_to_accept_unit",
        "desk",
        ["assigned", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_accept"),
        sqlite_where=sa.text("to_accept"),
    )
    op.create_index(
        "ix_desk_to_approve_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_approve"),
        sqlite_where=sa.text("to_approve"),
    )
    op.create_index(
        "ix_desk_to_approve_unit",
        "desk",
        ["unit", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_approve"),
        sqlite_where=sa.text("to_approve"),
    )
    op.create_index(
        "ix_desk_to_assign_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_assign"),
        sqlite_where=sa.text("to_assign"),
    )
    op.create_index(
        "ix_desk_to_assign_unit",
        "desk",
        ["unit", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_assign"),
        sqlite_where=sa.text("to_assign"),
    )
    op.create_index(
        "ix_desk_to_correct_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_correct"),
        sqlite_where=sa.text("to_correct"),
    )
    op.create_index(
        "ix_desk_to_correct_several",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_correct AND correctors LIKE '% %'"),
        sqlite_where=sa.text("to_correct AND correctors LIKE '% %'"),
    )
    op.create_index(
        "ix_desk_to_correct_unit",
        "desk",
        ["correcting", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_correct"),
        sqlite_where=sa.text("to_correct"),
    )
    op.create_index(
        "ix_desk_to_explain_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_explain"),
        sqlite_where=sa.text("to_explain"),
    )
    op.create_index(
        "ix_desk_to_explain_unit",
        "desk",
        ["explaining", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_explain"),
        sqlite_where=sa.text("to_explain"),
    )
    op.create_index(
        "ix_desk_to_follow_up_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_follow_up"),
        sqlite_where=sa.text("to_follow_up"),
    )
    op.create_index(
        "ix_desk_to_follow_up_unit",
        "desk",
        ["unit", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_follow_up"),
        sqlite_where=sa.text("to_follow_up"),
    )
    op.create_index(
        "ix_desk_to_handle_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_handle"),
        sqlite_where=sa.text("to_handle"),
    )
    op.create_index(
        "ix_desk_to_handle_unit",
        "desk",
        ["assigned", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_handle"),
        sqlite_where=sa.text("to_handle"),
    )
    op.create_index(
        "ix_desk_to_review_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_review"),
        sqlite_where=sa.text("to_review"),
    )
    op.create_index(
        "ix_desk_to_review_unit",
        "desk",
        ["unit", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_review"),
        sqlite_where=sa.text("to_review"),
    )
    op.create_index(
        "ix_desk_to_verify_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_verify"),
        sqlite_where=sa.text("to_verify"),
    )
    op.create_index(
        "ix_desk_to_verify_several",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_verify AND verifiers LIKE '% %'"),
        sqlite_where=sa.text("to_verify AND verifiers LIKE '% %'"),
    )
    op.create_index(
        "ix_desk_to_verify_unit",
        "desk",
        ["verifying", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("to_verify"),
        sqlite_where=sa.text("to_verify"),
    )
    op.create_index(
        "ix_desk_unhelpful_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("unhelpful"),
        sqlite_where=sa.text("unhelpful"),
    )
    op.create_index(
        "ix_desk_unhelpful_unit",
        "desk",
        ["unit", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("unhelpful"),
        sqlite_where=sa.text("unhelpful"),
    )
    op.create_index(
        "ix_desk_waiting_material_due",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("waiting_material"),
        sqlite_where=sa.text("waiting_material"),
    )
    op.create_index(
        "ix_desk_waiting_material_several",
        "desk",
        ["due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("waiting_material AND helpers LIKE '% %'"),
        sqlite_where=sa.text("waiting_material AND helpers LIKE '% %'"),
    )
    op.create_index(
        "ix_desk_waiting_material_unit",
        "desk",
        ["helping", "due", "incident_id"],
        unique=False,
        postgresql_where=sa.text("waiting_material"),
        sqlite_where=sa.text("waiting_material"),
    )
    op.create_table(
        "duty_gaps",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("gaps", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("unit", name=op.f("pk_duty_gaps")),
    )
    op.create_table(
        "evidence",
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("file", key(128), nullable=False),
        sa.PrimaryKeyConstraint("report_id", "file", name=op.f("pk_evidence")),
    )
    op.create_table(
        "fact_uses",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("key", key(100), nullable=False),
        sa.Column("statement_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("actor", key(130), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "key", "statement_id", name=op.f("pk_fact_uses")),
    )
    op.create_table(
        "fact_values",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key", key(100), nullable=False),
        sa.Column("kind", key(8), nullable=False),
        sa.Column("words", key(36), nullable=True),
        sa.Column("number", sa.Float(), nullable=True),
        sa.Column("at", key(27), nullable=True),
        sa.Column("code", key(100), nullable=True),
        sa.Column("yes", sa.Boolean(), nullable=True),
        sa.Column("source", key(36), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("actor", key(130), nullable=False),
        sa.Column("unit", key(64), nullable=True),
        sa.Column("recorded_at", key(27), nullable=False),
        sa.Column("happened_at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "version", name=op.f("pk_fact_values")),
    )
    op.create_table(
        "handovers",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", key(10), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("ground", key(100), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("recorded_at", key(27), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "version", name=op.f("pk_handovers")),
    )
    op.create_index(op.f("ix_handovers_unit_recorded_at"), "handovers", ["unit", "recorded_at"], unique=False)
    op.create_table(
        "incident_facts",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("key", key(100), nullable=False),
        sa.Column("kind", key(8), nullable=False),
        sa.Column("words", key(36), nullable=True),
        sa.Column("number", sa.Float(), nullable=True),
        sa.Column("at", key(27), nullable=True),
        sa.Column("code", key(100), nullable=True),
        sa.Column("yes", sa.Boolean(), nullable=True),
        sa.Column("source", key(36), nullable=False),
        sa.Column("established_at", key(27), nullable=False),
        sa.Column("revised_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "key", name=op.f("pk_incident_facts")),
    )
    op.create_table(
        "incident_judgements",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("code", key(100), nullable=True),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("actor", key(130), nullable=False),
        sa.Column("words", key(36), nullable=True),
        sa.Column("taken_from", key(64), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "version", name=op.f("pk_incident_judgements")),
    )
    op.create_table(
        "incident_links",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("to", key(64), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("actor", key(130), nullable=False),
        sa.Column("reason", key(36), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "to", name=op.f("pk_incident_links")),
    )
    op.create_table(
        "incident_notes",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("type", key(100), nullable=False),
        sa.Column("recorded_at", key(27), nullable=False),
        sa.Column("actor", key(130), nullable=False),
        sa.Column("unit", key(64), nullable=True),
        sa.Column("track", key(8), nullable=True),
        sa.Column("statement", key(64), nullable=True),
        sa.Column("words", key(36), nullable=True),
        sa.Column("happened_at", key(27), nullable=True),
        sa.Column("late_reason", key(36), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "version", name=op.f("pk_incident_notes")),
    )
    op.create_table(
        "incident_reports",
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", "incident_id", name=op.f("pk_incident_reports")),
    )
    op.create_index(
        op.f("ix_incident_reports_incident_id_position"), "incident_reports", ["incident_id", "position"], unique=False
    )
    op.create_table(
        "incidents",
        sa.Column("id", key(64), nullable=False),
        sa.Column("number", key(90), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("assigned", key(64), nullable=True),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("level", key(100), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("policy", key(200), nullable=True),
        sa.Column("levels_known", key(4000), nullable=True),
        sa.Column("answer_kind", key(16), nullable=True),
        sa.Column("category", key(100), nullable=True),
        sa.Column("channel", key(100), nullable=True),
        sa.Column("discovered_at", key(27), nullable=False),
        sa.Column("opened_at", key(27), nullable=False),
        sa.Column("updated_at", key(27), nullable=False),
        sa.Column("graded_at", key(27), nullable=True),
        sa.Column("assigned_at", key(27), nullable=True),
        sa.Column("accepted_at", key(27), nullable=True),
        sa.Column("handled_problem", key(27), nullable=True),
        sa.Column("handled_answer", key(27), nullable=True),
        sa.Column("resolved_at", key(27), nullable=True),
        sa.Column("closed_at", key(27), nullable=True),
        sa.Column("dismissed_at", key(27), nullable=True),
        sa.Column("merged_into", key(64), nullable=True),
        sa.Column("relates_to", key(64), nullable=True),
        sa.Column("split_from", key(64), nullable=True),
        sa.Column("entered_late", sa.Boolean(), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("harm", sa.Integer(), nullable=True),
        sa.Column("doubtful", sa.Boolean(), nullable=False),
        sa.Column("proposals", sa.Text(), nullable=False),
        sa.Column("dispatch", sa.Text(), nullable=False),
        sa.Column("aftercare", sa.Text(), nullable=False),
        sa.Column("plans", sa.Text(), nullable=False),
        sa.Column("answering", sa.Text(), nullable=False),
        sa.Column("handing", sa.Text(), nullable=False),
        sa.Column("verification", sa.Text(), nullable=False),
        sa.Column("clarifying", sa.Boolean(), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("registered_at", key(27), nullable=True),
        sa.Column("subject", key(36), nullable=True),
        sa.Column("text", key(36), nullable=True),
        sa.Column("place", key(36), nullable=True),
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
    op.create_index(op.f("ix_incidents_opened_at_id"), "incidents", ["opened_at", "id"], unique=False)
    op.create_index(op.f("ix_incidents_place"), "incidents", ["place"], unique=False)
    op.create_index(
        "ix_incidents_relates_to",
        "incidents",
        ["relates_to"],
        unique=False,
        postgresql_where=sa.text("relates_to IS NOT NULL"),
        sqlite_where=sa.text("relates_to IS NOT NULL"),
    )
    op.create_index(
        "ix_incidents_split_from",
        "incidents",
        ["split_from"],
        unique=False,
        postgresql_where=sa.text("split_from IS NOT NULL"),
        sqlite_where=sa.text("split_from IS NOT NULL"),
    )
    op.create_index(op.f("ix_incidents_subject"), "incidents", ["subject"], unique=False)
    op.create_index(op.f("ix_incidents_text"), "incidents", ["text"], unique=False)
    op.create_table(
        "lessons",
        sa.Column("lesson", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("pack", key(150), nullable=False),
        sa.Column("version", key(150), nullable=False),
        sa.Column("text", key(36), nullable=False),
        sa.Column("change", key(36), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("actor", key(130), nullable=False),
        sa.Column("answered_by", key(300), nullable=True),
        sa.Column("declined", key(36), nullable=True),
        sa.Column("settled_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("lesson", name=op.f("pk_lessons")),
    )
    op.create_index(op.f("ix_lessons_answered_by"), "lessons", ["answered_by"], unique=False)
    op.create_table(
        "match_keys",
        sa.Column("match_key", key(64), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("split", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("match_key", "incident_id", name=op.f("pk_match_keys")),
    )
    op.create_table(
        "measurements",
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("recorded_at", key(27), nullable=False),
        sa.Column("clicks", sa.BigInteger(), nullable=True),
        sa.Column("comments", sa.BigInteger(), nullable=True),
        sa.Column("mainstream_sites", sa.BigInteger(), nullable=True),
        sa.Column("shares", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("report_id", "version", name=op.f("pk_measurements")),
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
        "reports",
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("channel", key(100), nullable=False),
        sa.Column("category", key(100), nullable=True),
        sa.Column("match_key", key(64), nullable=True),
        sa.Column("discovered_at", key(27), nullable=False),
        sa.Column("received_at", key(27), nullable=False),
        sa.Column("entered_late", sa.Boolean(), nullable=False),
        sa.Column("subject", key(36), nullable=False),
        sa.Column("text", key(36), nullable=False),
        sa.Column("url", key(36), nullable=True),
        sa.Column("place", key(36), nullable=True),
        sa.Column("request", key(36), nullable=True),
        sa.Column("refused_at", key(27), nullable=True),
        sa.Column("refused_by", key(130), nullable=True),
        sa.Column("refusal", key(36), nullable=True),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_reports")),
    )
    op.create_index(op.f("ix_reports_place"), "reports", ["place"], unique=False)
    op.create_index(op.f("ix_reports_received_at_report_id"), "reports", ["received_at", "report_id"], unique=False)
    op.create_index(op.f("ix_reports_subject"), "reports", ["subject"], unique=False)
    op.create_index(op.f("ix_reports_text"), "reports", ["text"], unique=False)
    op.create_index(
        op.f("ix_reports_unit_received_at_report_id"), "reports", ["unit", "received_at", "report_id"], unique=False
    )
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
        "suggested",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("event_id", key(36), nullable=False),
        sa.Column("category", key(100), nullable=True),
        sa.Column("unit", key(64), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_suggested")),
    )
    op.create_index(op.f("ix_suggested_category_at"), "suggested", ["category", "at"], unique=False)
    op.create_index(op.f("ix_suggested_unit_at"), "suggested", ["unit", "at"], unique=False)
