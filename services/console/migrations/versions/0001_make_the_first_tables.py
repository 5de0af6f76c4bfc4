"""Make the first tables."""

import sqlalchemy as sa
from alembic import op

from services.kernel.store.columns import key

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", key(36), nullable=False, comment="a UUID; the `sub` of the person's tokens"),
        sa.Column("login", key(60), nullable=True, comment="null for a person of the provider"),
        sa.Column(
            "subject", key(64), nullable=True, comment="keyed digest of a person of the provider; null for a local one"
        ),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("password", sa.String(length=200), nullable=True, comment="null for a person of the provider"),
        sa.Column("must_change", sa.Boolean(), nullable=False, comment="whether an administrator chose the password"),
        sa.Column("posts", sa.String(length=2000), nullable=False, comment="`post@unit`, separated by spaces"),
        sa.Column("second_factor", sa.LargeBinary(), nullable=True, comment="the sealed secret of the one-time codes"),
        sa.Column(
            "last_step",
            sa.BigInteger(),
            nullable=False,
            comment="the step of the last one-time code, which serves once",
        ),
        sa.Column("failures", sa.Integer(), nullable=False, comment="wrong one-time codes in a row"),
        sa.Column("locked_until", sa.BigInteger(), nullable=False, comment="seconds, UTC"),
        sa.Column("ended", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("login"),
        sa.UniqueConstraint("subject"),
    )
    op.create_table(
        "failure",
        sa.Column("place", key(64), nullable=False, comment="keyed digest of a login, and of a browser that knows it"),
        sa.Column("times", sa.Integer(), nullable=False, comment="wrong passwords in a row"),
        sa.Column("locked_until", sa.BigInteger(), nullable=False, comment="seconds, UTC"),
        sa.PrimaryKeyConstraint("place"),
    )
    op.create_index(op.f("ix_failure_locked_until"), "failure", ["locked_until"], unique=False)
    op.create_table(
        "handshake",
        sa.Column("state", key(64), nullable=False, comment="SHA-256 of the word that the provider sends back"),
        sa.Column("browser", key(64), nullable=False, comment="SHA-256 of the browser's cookie"),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=64), nullable=False, comment="the verifier of PKCE"),
        sa.Column("next", sa.String(length=500), nullable=False, comment="the page to go to"),
        sa.Column("began_at", sa.BigInteger(), nullable=False, comment="seconds, UTC"),
        sa.PrimaryKeyConstraint("state"),
    )
    op.create_index(op.f("ix_handshake_began_at"), "handshake", ["began_at"], unique=False)
    op.create_table(
        "pack_draft",
        sa.Column("id", key(36), nullable=False),
        sa.Column("account", key(36), nullable=False),
        sa.Column(
            "base", sa.String(length=60), nullable=False, comment="the version from which it began, `id@version`"
        ),
        sa.Column(
            "text", sa.Text(), nullable=False, comment="as it was typed; rules of an office, and no words of a report"
        ),
        sa.Column("cases", sa.Text(), nullable=True, comment="JSON; null for the cases of the policy folder"),
        sa.Column("facts", sa.Text(), nullable=False, comment="JSON of a made-up matter"),
        sa.Column("changed_at", sa.BigInteger(), nullable=False, comment="seconds, UTC"),
        sa.ForeignKeyConstraint(
            ["account"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_pack_draft_account"), "pack_draft", ["account"], unique=False)
    op.create_table(
        "session",
        sa.Column("digest", key(64), nullable=False),
        sa.Column("account", key(36), nullable=False),
        sa.Column(
            "post", sa.String(length=130), nullable=True, comment="the post that acts; null before one is chosen"
        ),
        sa.Column(
            "passed", sa.Boolean(), nullable=False, comment="whether the second factor was given, or is not needed"
        ),
        sa.Column(
            "provider_subject",
            key(64),
            nullable=True,
            comment="keyed digest of the provider's person; null for local ones",
        ),
        sa.Column(
            "provider_session",
            key(64),
            nullable=True,
            comment="keyed digest of the provider's session, if it names one",
        ),
        sa.Column("began_at", sa.BigInteger(), nullable=False, comment="seconds, UTC"),
        sa.Column("seen_at", sa.BigInteger(), nullable=False, comment="seconds, UTC"),
        sa.ForeignKeyConstraint(
            ["account"],
            ["account.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index(op.f("ix_session_account"), "session", ["account"], unique=False)
    op.create_index(op.f("ix_session_provider_session"), "session", ["provider_session"], unique=False)
    op.create_index(op.f("ix_session_provider_subject"), "session", ["provider_subject"], unique=False)
