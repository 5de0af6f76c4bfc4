"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

from services.kernel.store.columns import key

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "addresses",
        sa.Column("place", key(36), nullable=False),
        sa.Column("post", key(130), nullable=False),
        sa.Column("way", key(16), nullable=False),
        sa.Column("language", key(2), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_addresses")),
    )
    op.create_index(op.f("ix_addresses_post"), "addresses", ["post"], unique=False)
    op.create_table(
        "arrivals",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("by", key(16), nullable=False),
        sa.Column("code", key(100), nullable=False),
        sa.Column("hour", key(27), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.PrimaryKeyConstraint("unit", "by", "code", "hour", name=op.f("pk_arrivals")),
    )
    op.create_index(op.f("ix_arrivals_hour"), "arrivals", ["hour"], unique=False)
    op.create_table(
        "attempts",
        sa.Column("notice", key(36), nullable=False),
        sa.Column("place", key(36), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Boolean(), nullable=False),
        sa.Column("over", sa.Boolean(), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("post", key(130), nullable=False),
        sa.Column("way", key(16), nullable=False),
        sa.Column("error", key(16), nullable=True),
        sa.PrimaryKeyConstraint("notice", "place", name=op.f("pk_attempts")),
    )
    op.create_table(
        "clocks",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("clock", key(100), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("due", key(27), nullable=False),
        sa.Column("first_answer", sa.Boolean(), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("counts_work", sa.Boolean(), nullable=False),
        sa.Column("due_is_late", sa.Boolean(), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("met_at", key(27), nullable=True),
        sa.Column("happened_at", key(27), nullable=True),
        sa.Column("paused_at", key(27), nullable=True),
        sa.Column("warns", sa.Text(), nullable=False),
        sa.Column("warned_at", key(27), nullable=True),
        sa.Column("original_due", key(27), nullable=True),
        sa.Column("granted", sa.Integer(), nullable=False),
        sa.Column("asker_untold", sa.Boolean(), nullable=False),
        sa.Column("requested", key(16), nullable=True),
        sa.Column("requested_due", key(27), nullable=True),
        sa.Column("requested_by", key(64), nullable=True),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("cancelled", key(32), nullable=True),
        sa.Column("cancelled_at", key(27), nullable=True),
        sa.Column("breached_at", key(27), nullable=True),
        sa.Column("detected_at", key(27), nullable=True),
        sa.Column("annulled", key(32), nullable=True),
        sa.Column("asked_by", key(64), nullable=True),
        sa.Column("rung", key(16), nullable=False),
        sa.Column("rung_at", key(27), nullable=True),
        sa.Column("policy", key(200), nullable=True),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("goes_on_by", key(200), nullable=True),
        sa.Column("next_at", key(27), nullable=True),
        sa.Column("wakes_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "clock", name=op.f("pk_clocks")),
    )
    op.create_index(
        "ix_clocks_counting_work",
        "clocks",
        ["incident_id"],
        unique=False,
        postgresql_where=sa.text("counts_work AND met_at IS NULL AND cancelled_at IS NULL"),
        sqlite_where=sa.text("counts_work AND met_at IS NULL AND cancelled_at IS NULL"),
    )
    op.create_index(op.f("ix_clocks_due"), "clocks", ["due"], unique=False)
    op.create_index(
        "ix_clocks_missed",
        "clocks",
        ["state", "cancelled_at", "due"],
        unique=False,
        postgresql_where=sa.text("state = 'breached'"),
        sqlite_where=sa.text("state = 'breached'"),
    )
    op.create_index(op.f("ix_clocks_state_due"), "clocks", ["state", "due"], unique=False)
    op.create_index(op.f("ix_clocks_unit_due"), "clocks", ["unit", "due"], unique=False)
    op.create_index(op.f("ix_clocks_wakes_at_incident_id"), "clocks", ["wakes_at", "incident_id"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("decision", key(36), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("decides", key(16), nullable=False),
        sa.Column("yes", sa.Boolean(), nullable=False),
        sa.Column("took_part", sa.Text(), nullable=False),
        sa.Column("confirmed_by", sa.Text(), nullable=False),
        sa.Column("persons", sa.Text(), nullable=False),
        sa.Column("text_ref", key(36), nullable=True),
        sa.Column("at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("decision", name=op.f("pk_decisions")),
    )
    op.create_index(op.f("ix_decisions_incident_id"), "decisions", ["incident_id"], unique=False)
    op.create_table(
        "duty_gaps",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("until", key(27), nullable=False),
        sa.Column("cause", key(16), nullable=False),
        sa.Column("post", key(130), nullable=True),
        sa.Column("found_ahead", key(27), nullable=True),
        sa.Column("found", key(27), nullable=True),
        sa.Column("closed", key(27), nullable=True),
        sa.PrimaryKeyConstraint("unit", "since", "until", "cause", name=op.f("pk_duty_gaps")),
    )
    op.create_index(op.f("ix_duty_gaps_until"), "duty_gaps", ["until"], unique=False)
    op.create_table(
        "held_reports",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("told", key(130), nullable=True),
        sa.Column("taken_by", key(130), nullable=True),
        sa.Column("taken_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("unit", "incident_id", name=op.f("pk_held_reports")),
    )
    op.create_table(
        "incidents",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("number", key(90), nullable=True),
        sa.Column("unit", key(64), nullable=True),
        sa.Column("assigned", key(64), nullable=True),
        sa.Column("lead", key(64), nullable=True),
        sa.Column("ended", key(16), nullable=True),
        sa.Column("asked_to_lead", key(64), nullable=True),
        sa.Column("level", key(100), nullable=True),
        sa.Column("merged_into", key(64), nullable=True),
        sa.Column("split_from", key(64), nullable=True),
        sa.Column("split_at", key(27), nullable=True),
        sa.Column("policy", key(200), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name=op.f("pk_incidents")),
    )
    op.create_index(
        "ix_incidents_merged_into",
        "incidents",
        ["merged_into"],
        unique=False,
        postgresql_where=sa.text("merged_into IS NOT NULL"),
        sqlite_where=sa.text("merged_into IS NOT NULL"),
    )
    op.create_index(
        "ix_incidents_split_from",
        "incidents",
        ["split_from"],
        unique=False,
        postgresql_where=sa.text("split_from IS NOT NULL"),
        sqlite_where=sa.text("split_from IS NOT NULL"),
    )
    op.create_index(
        "ix_matters_without_pack",
        "incidents",
        ["incident_id"],
        unique=False,
        postgresql_where=sa.text("policy IS NULL AND unit IS NOT NULL"),
        sqlite_where=sa.text("policy IS NULL AND unit IS NOT NULL"),
    )
    op.create_table(
        "notice_parts",
        sa.Column("notice", key(36), nullable=False),
        sa.Column("part", key(100), nullable=False),
        sa.Column("text_ref", key(36), nullable=True),
        sa.Column("at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("notice", "part", name=op.f("pk_notice_parts")),
    )
    op.create_table(
        "notices",
        sa.Column("notice", key(36), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("to", key(64), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.Column("due", key(27), nullable=False),
        sa.Column("text_ref", key(36), nullable=True),
        sa.Column("report", key(36), nullable=True),
        sa.PrimaryKeyConstraint("notice", name=op.f("pk_notices")),
    )
    op.create_index(op.f("ix_notices_incident_id"), "notices", ["incident_id"], unique=False)
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
        "outgoing",
        sa.Column("notice", key(36), nullable=False),
        sa.Column("incident_id", key(64), nullable=True),
        sa.Column("rule", key(16), nullable=False),
        sa.Column("unit", key(64), nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("posts", sa.Text(), nullable=False),
        sa.Column("clock", key(100), nullable=True),
        sa.Column("what", key(100), nullable=True),
        sa.Column("reports", sa.Integer(), nullable=True),
        sa.Column("due", key(27), nullable=True),
        sa.Column("until", key(27), nullable=True),
        sa.Column("at", key(27), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("notice", name=op.f("pk_outgoing")),
    )
    op.create_index(op.f("ix_outgoing_at"), "outgoing", ["at"], unique=False)
    op.create_table(
        "reachability",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("post", key(130), nullable=False),
        sa.Column("way", key(16), nullable=False),
        sa.Column("reached", sa.Boolean(), nullable=False),
        sa.Column("at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("unit", "post", name=op.f("pk_reachability")),
    )
    op.create_table(
        "roster",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("post", key(130), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("until", key(27), nullable=False),
        sa.Column("planned_until", key(27), nullable=True),
        sa.Column("cancelled", key(27), nullable=True),
        sa.Column("substitute", key(130), nullable=True),
        sa.Column("by", key(130), nullable=True),
        sa.Column("signed_on", key(27), nullable=True),
        sa.Column("handed_over", key(27), nullable=True),
        sa.Column("handed_to", key(130), nullable=True),
        sa.Column("note_ref", key(36), nullable=True),
        sa.Column("open", sa.Integer(), nullable=True),
        sa.Column("incidents", sa.Text(), nullable=False),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.Column("note_missing", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("unit", "post", "since", name=op.f("pk_roster")),
    )
    op.create_index(op.f("ix_roster_unit_until"), "roster", ["unit", "until"], unique=False)
    op.create_table(
        "rosters",
        sa.Column("stream_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("stream_id", name=op.f("pk_rosters")),
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
        "surges",
        sa.Column("unit", key(64), nullable=False),
        sa.Column("by", key(16), nullable=False),
        sa.Column("code", key(100), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("usual", sa.Float(), nullable=False),
        sa.Column("since", key(27), nullable=False),
        sa.Column("until", key(27), nullable=False),
        sa.Column("told", key(130), nullable=True),
        sa.Column("incident_id", key(64), nullable=True),
        sa.PrimaryKeyConstraint("unit", "by", "code", name=op.f("pk_surges")),
    )
    op.create_table(
        "upward_reports",
        sa.Column("report", key(36), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("to", key(64), nullable=False),
        sa.Column("addressee", key(60), nullable=False),
        sa.Column("form", key(32), nullable=False),
        sa.Column("informs", sa.Boolean(), nullable=False),
        sa.Column("hop", key(100), nullable=True),
        sa.Column("level", key(100), nullable=True),
        sa.Column("unverified", sa.Boolean(), nullable=False),
        sa.Column("text_ref", key(36), nullable=True),
        sa.Column("proposal_ref", key(36), nullable=True),
        sa.Column("at", key(27), nullable=False),
        sa.Column("state", key(16), nullable=False),
        sa.Column("answered_at", key(27), nullable=True),
        sa.Column("receipts", sa.Integer(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("report", name=op.f("pk_upward_reports")),
    )
    op.create_index(op.f("ix_upward_reports_incident_id"), "upward_reports", ["incident_id"], unique=False)
    op.create_index(
        "ix_upward_reports_unanswered",
        "upward_reports",
        ["to", "at", "report"],
        unique=False,
        postgresql_where=sa.text("state = 'sent'"),
        sqlite_where=sa.text("state = 'sent'"),
    )
