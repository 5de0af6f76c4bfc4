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
        "desk",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", key(27), nullable=False),
        sa.Column("recordedtime", key(27), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", key(12), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("post", key(130), nullable=True),
        sa.Column("channel", key(64), nullable=True),
        sa.Column("category", key(64), nullable=True),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_desk")),
    )
    op.create_index("ix_desk_kind", "desk", ["kind", "time"], unique=False)
    op.create_index("ix_desk_unit", "desk", ["unit", "time"], unique=False)
    op.create_table(
        "drills",
        sa.Column("drill_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("scenario", key(100), nullable=False),
        sa.Column("stage", key(16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("drill_id", name=op.f("pk_drills")),
    )
    op.create_index("ix_drills_unit", "drills", ["unit"], unique=False)
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
        "inspections",
        sa.Column("inspection_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("by_unit", key(64), nullable=True),
        sa.Column("stage", key(16), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("inspection_id", name=op.f("pk_inspections")),
    )
    op.create_index("ix_inspections_unit", "inspections", ["unit"], unique=False)
    op.create_table(
        "integration_keys",
        sa.Column("id", key(64), nullable=False),
        sa.Column("digest", key(64), nullable=True),
        sa.Column("integration", key(64), nullable=True),
        sa.Column("unit", key(64), nullable=True),
        sa.Column("scope", key(32), nullable=True),
        sa.Column("revoked_at", key(27), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integration_keys")),
    )
    op.create_index(op.f("ix_integration_keys_digest"), "integration_keys", ["digest"], unique=False)
    op.create_index(op.f("ix_integration_keys_integration"), "integration_keys", ["integration"], unique=False)
    op.create_table(
        "joined",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recordedtime", key(27), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "report_id", "position", name=op.f("pk_joined")),
    )
    op.create_table(
        "judged",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_judged")),
    )
    op.create_table(
        "left_reports",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("recordedtime", key(27), nullable=False),
        sa.Column("into", key(64), nullable=True),
        sa.PrimaryKeyConstraint("incident_id", "report_id", "position", name=op.f("pk_left_reports")),
    )
    op.create_table(
        "lessons",
        sa.Column("review_id", key(64), nullable=False),
        sa.Column("lesson", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("event_id", key(36), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("review_id", "lesson", name=op.f("pk_lessons")),
    )
    op.create_index("ix_lessons_event", "lessons", ["event_id"], unique=True)
    op.create_index("ix_lessons_unit", "lessons", ["unit"], unique=False)
    op.create_table(
        "limits",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", key(27), nullable=False),
        sa.Column("recordedtime", key(27), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("matter", key(64), nullable=False),
        sa.Column("clock", key(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("unit", key(72), nullable=True),
        sa.Column("rule", key(200), nullable=True),
        sa.Column("first_answer", sa.Integer(), nullable=False),
        sa.Column("met", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("annulled", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_limits")),
    )
    op.create_index("ix_limits_matter", "limits", ["matter", "clock"], unique=False)
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
    op.create_index(
        "ix_marks_opened",
        "marks",
        ["position"],
        unique=False,
        postgresql_where=sa.text("kind LIKE 'opened'"),
        sqlite_where=sa.text("kind LIKE 'opened'"),
    )
    op.create_index("ix_marks_value", "marks", ["kind", "value", "incident_id"], unique=False)
    op.create_table(
        "named",
        sa.Column("incident_id", key(64), nullable=False),
        sa.Column("recordedtime", key(27), nullable=False),
        sa.Column("event_id", key(36), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", "recordedtime", "event_id", name=op.f("pk_named")),
    )
    op.create_index("ix_named_position", "named", ["position"], unique=False)
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
        "packages",
        sa.Column("event_id", key(36), nullable=False),
        sa.Column("incident_id", key(64), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_packages")),
    )
    op.create_index("ix_packages_incident", "packages", ["incident_id"], unique=False)
    op.create_table(
        "peer_progress",
        sa.Column("peer", key(64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("since", key(27), nullable=True),
        sa.Column("next_at", key(27), nullable=True),
        sa.Column("error", key(40), nullable=True),
        sa.PrimaryKeyConstraint("peer", name=op.f("pk_peer_progress")),
    )
    op.create_table(
        "planned",
        sa.Column("digest", key(64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_planned")),
        sa.UniqueConstraint("position", name=op.f("uq_planned_position")),
    )
    op.create_table(
        "referrals",
        sa.Column("referral_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("post", key(60), nullable=False),
        sa.Column("kind", key(16), nullable=False),
        sa.Column("stage", key(16), nullable=False),
        sa.Column("drill", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("referral_id", name=op.f("pk_referrals")),
    )
    op.create_index("ix_referrals_unit", "referrals", ["unit"], unique=False)
    op.create_table(
        "said",
        sa.Column("ref", key(64), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("ref", "position", name=op.f("pk_said")),
    )
    op.create_table(
        "saved_queries",
        sa.Column("query_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("title", key(36), nullable=False),
        sa.Column("asks", sa.Text(), nullable=False),
        sa.Column("by", key(130), nullable=False),
        sa.Column("saved_at", key(27), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("query_id", name=op.f("pk_saved_queries")),
    )
    op.create_index("ix_saved_queries_unit", "saved_queries", ["unit"], unique=False)
    op.create_table(
        "sizes",
        sa.Column("size", serial(), autoincrement=False, nullable=False),
        sa.Column("complete_until", key(27), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_sizes")),
    )
    op.create_table(
        "steps",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", key(27), nullable=False),
        sa.Column("recordedtime", key(27), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", key(12), nullable=False),
        sa.Column("matter", key(64), nullable=False),
        sa.Column("unit", key(72), nullable=True),
        sa.Column("level", key(72), nullable=True),
        sa.Column("category", key(72), nullable=True),
        sa.Column("pack", key(72), nullable=True),
        sa.PrimaryKeyConstraint("position", "kind", name=op.f("pk_steps")),
    )
    op.create_index("ix_steps_kind", "steps", ["kind", "time", "matter"], unique=False)
    op.create_index("ix_steps_matter", "steps", ["matter"], unique=False)
    op.create_table(
        "subscription_deliveries",
        sa.Column("id", key(64), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event", key(36), nullable=False),
        sa.Column("type", key(100), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", key(40), nullable=True),
        sa.Column("at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("id", "position", name=op.f("pk_subscription_deliveries")),
    )
    op.create_table(
        "subscription_progress",
        sa.Column("id", key(64), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("since", key(27), nullable=True),
        sa.Column("next_at", key(27), nullable=True),
        sa.Column("error", key(40), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_progress")),
    )
    op.create_table(
        "subscription_secrets",
        sa.Column("id", key(64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_secrets")),
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("integration", key(64), nullable=True),
        sa.Column("address", key(36), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("drills", sa.Boolean(), nullable=False),
        sa.Column("by", key(130), nullable=False),
        sa.Column("made_at", key(27), nullable=False),
        sa.Column("state", key(20), nullable=False),
        sa.Column("cause", key(40), nullable=True),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.Integer(), nullable=False),
        sa.Column("secret", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriptions")),
    )
    op.create_index(op.f("ix_subscriptions_unit"), "subscriptions", ["unit"], unique=False)
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
    op.create_index(
        "ix_timeline_published",
        "timeline",
        ["unit", "recordedtime"],
        unique=False,
        postgresql_where=sa.text("type BETWEEN 'huiying.statement.published.' AND 'huiying.statement.published/'"),
        sqlite_where=sa.text("type BETWEEN 'huiying.statement.published.' AND 'huiying.statement.published/'"),
    )
    op.create_index("ix_timeline_stream", "timeline", ["stream_id", "version", "digest"], unique=True)
    op.create_index("ix_timeline_time", "timeline", ["time"], unique=False)
    op.create_index("ix_timeline_type", "timeline", ["type", "position"], unique=False)
    op.create_index("ix_timeline_unit", "timeline", ["unit", "position"], unique=False)
    op.create_table(
        "trainings",
        sa.Column("training_id", key(64), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("day", key(10), nullable=False),
        sa.Column("drill", key(64), nullable=True),
        sa.Column("stage", key(16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("training_id", name=op.f("pk_trainings")),
    )
    op.create_index("ix_trainings_drill", "trainings", ["drill"], unique=False)
    op.create_index("ix_trainings_unit", "trainings", ["unit", "day"], unique=False)
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
