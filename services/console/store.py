"""What the console keeps: accounts, sessions, sign-ins that a provider has not answered yet, and drafts of packs. No
record of the office stands here.

Passwords are Argon2id digests, session tokens SHA-256 digests, and secrets of second factors are encrypted.
"""

from pathlib import Path

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, MetaData, String, Table, Text

from services.kernel.store.columns import key

REVISIONS = Path(__file__).parent / "migrations" / "versions"
METADATA = MetaData()

ACCOUNTS = Table(
    "account",
    METADATA,
    Column("id", key(36), primary_key=True, comment="a UUID; the `sub` of the person's tokens"),
    Column("login", key(60), unique=True, comment="null for a person of the provider"),
    Column("subject", key(64), unique=True, comment="keyed digest of a person of the provider; null for a local one"),
    Column("name", String(60), nullable=False),
    Column("password", String(200), comment="null for a person of the provider"),
    Column("must_change", Boolean, nullable=False, comment="whether an administrator chose the password"),
    Column("posts", String(2000), nullable=False, comment="`post@unit`, separated by spaces"),
    Column("second_factor", LargeBinary, comment="the sealed secret of the one-time codes"),
    Column("last_step", BigInteger, nullable=False, comment="the step of the last one-time code, which serves once"),
    Column("failures", Integer, nullable=False, comment="wrong one-time codes in a row"),
    Column("locked_until", BigInteger, nullable=False, comment="seconds, UTC"),
    Column("ended", Boolean, nullable=False),
)
SESSIONS = Table(
    "session",
    METADATA,
    Column("digest", key(64), primary_key=True),
    Column("account", key(36), ForeignKey("account.id"), nullable=False, index=True),
    Column("post", String(130), comment="the post that acts; null before one is chosen"),
    Column("passed", Boolean, nullable=False, comment="whether the second factor was given, or is not needed"),
    Column(
        "provider_subject", key(64), index=True, comment="keyed digest of the provider's person; null for local ones"
    ),
    Column("provider_session", key(64), index=True, comment="keyed digest of the provider's session, if it names one"),
    Column("began_at", BigInteger, nullable=False, comment="seconds, UTC"),
    Column("seen_at", BigInteger, nullable=False, comment="seconds, UTC"),
)
FAILURES = Table(
    "failure",
    METADATA,
    Column("place", key(64), primary_key=True, comment="keyed digest of a login, and of a browser that knows it"),
    Column("times", Integer, nullable=False, comment="wrong passwords in a row"),
    Column("locked_until", BigInteger, nullable=False, index=True, comment="seconds, UTC"),
)
DRAFTS = Table(
    "pack_draft",
    METADATA,
    Column("id", key(36), primary_key=True),
    Column("account", key(36), ForeignKey("account.id"), nullable=False, index=True),
    Column("base", String(60), nullable=False, comment="the version from which it began, `id@version`"),
    Column("text", Text, nullable=False, comment="as it was typed; rules of an office, and no words of a report"),
    Column("cases", Text, comment="JSON; null for the cases of the policy folder"),
    Column("facts", Text, nullable=False, comment="JSON of a made-up matter"),
    Column("changed_at", BigInteger, nullable=False, comment="seconds, UTC"),
)
HANDSHAKES = Table(
    "handshake",
    METADATA,
    Column("state", key(64), primary_key=True, comment="SHA-256 of the word that the provider sends back"),
    Column("browser", key(64), nullable=False, comment="SHA-256 of the browser's cookie"),
    Column("nonce", String(64), nullable=False),
    Column("verifier", String(64), nullable=False, comment="the verifier of PKCE"),
    Column("next", String(500), nullable=False, comment="the page to go to"),
    Column("began_at", BigInteger, nullable=False, index=True, comment="seconds, UTC"),
)
