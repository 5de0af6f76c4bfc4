"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

from services.kernel.store.columns import key

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("digest", key(64), nullable=False),
        sa.Column("scope", key(32), nullable=False),
        sa.Column("unit", key(64), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_api_keys")),
    )
    op.create_table(
        "evidence",
        sa.Column("file", key(128), nullable=False),
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("erased", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("file", name=op.f("pk_evidence")),
    )
    op.create_table(
        "external_ids",
        sa.Column("duplicate", key(64), nullable=False),
        sa.Column("report_id", key(64), nullable=False),
        sa.Column("sent", key(64), nullable=False),
        sa.Column("discovered_at", key(27), nullable=False),
        sa.PrimaryKeyConstraint("duplicate", name=op.f("pk_external_ids")),
    )
