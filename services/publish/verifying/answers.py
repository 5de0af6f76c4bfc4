"""The answers that prove what was published, for the API's documents."""

from typing import Any, Literal

from schemas import manifest
from schemas.fields import Code, Digest, Instant, MediaType, Number, StatementId, UnitCode
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered
from services.publish.answers import STATEMENT, TEXT

State = Literal["published", "corrected", "withdrawn"]
_CONTENT: dict[str, Any] = manifest.content_of(
    statement=STATEMENT,
    number="town-east-2026-S00007",
    unit="town-east",
    release=1,
    kind="publication",
    title="卫生院门前路灯已修复",
    text=TEXT,
    reason=None,
    facts=["inspected"],
)
_KID = "9c1f2e5d0b7a4c83962f1e0d5b7a4c83962f1e0d5b7a4c83962f1e0d5b7a4c83"


class SaidFile(Answered):
    """A file as a release says it."""

    media_type: MediaType
    """Its type."""
    sha256: Digest
    """SHA-256 of its bytes."""
    size: int
    """Its bytes."""
    title: str
    """What it shows."""


class Content(Answered):
    """What one release says. Its canonical JSON (RFC 8785) are the exact bytes of the digest."""

    attachments: tuple[SaidFile, ...]
    """The files that are in public with the text, in order."""
    facts: tuple[Code, ...]
    """The established facts on which the statement rests."""
    kind: Literal["publication", "correction", "withdrawal"]
    """What was done."""
    number: Number | None
    """The statement's number."""
    reason: str | None
    """Why it was corrected or withdrawn."""
    release: int
    """1 for the publication, one more for each correction and the withdrawal."""
    statement: StatementId
    """The statement's id."""
    text: str | None
    """The text; a withdrawal has none."""
    title: str | None
    """The title that holds with this text; a withdrawal has none."""
    unit: UnitCode
    """The unit that speaks."""


class SignedRelease(Answered):
    """A release with its signed manifest."""

    content: Content
    """What it says."""
    digest: Digest
    """SHA-256 of the content's exact bytes."""
    signed: str
    """The manifest as a JSON Web Signature (RFC 7515, compact): digest, unit, time, approvals, place in the log."""


class SignedStatement(
    Answered,
    json_schema_extra=example(
        format=manifest.FILE,
        statement=STATEMENT,
        number="town-east-2026-S00007",
        state="published",
        releases=[{"content": _CONTENT, "digest": manifest.digest_of(_CONTENT), "signed": "eyJhbGciOiJFZERTQSJ9.….…"}],
        signed_state="eyJhbGciOiJFZERTQSJ9.….…",
    ),
):
    """A statement with everything that proves it. `huiying verify statement` checks a saved copy without a service."""

    format: Literal["huiying-statement-file/1"]
    """What this is."""
    statement: StatementId
    """The statement's id."""
    number: Number | None
    """Its number."""
    state: State
    """What holds now."""
    releases: tuple[SignedRelease, ...]
    """All that was said, in order."""
    signed_state: str
    """The state and the digests of all releases, signed in the same way, so that no later release can be left out."""


class PublicKey(Answered):
    """A key that signs statements, as a JSON Web Key."""

    kty: Literal["OKP"]
    """The kind of key."""
    crv: Literal["Ed25519"]
    """The curve."""
    x: str
    """The public key, base64url."""
    kid: Digest
    """Its thumbprint (RFC 7638), hex."""
    use: Literal["sig"]
    """It signs."""
    alg: Literal["EdDSA"]
    """How."""
    made_at: Instant
    """Since when it signs."""


class RevokedKey(Answered):
    """A key that counts for nothing any more, also for what it signed before."""

    kid: Digest
    """Its thumbprint."""
    made_at: Instant | None
    """Since when it signed."""
    revoked_at: Instant
    """Since when it counts for nothing."""


class About(
    Answered,
    json_schema_extra=example(
        deployment="county",
        bulletin="https://huiying.example.gov.cn/bulletin/",
        verify="https://huiying.example.gov.cn/bulletin/verify",
        keys=[
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
                "kid": _KID,
                "use": "sig",
                "alg": "EdDSA",
                "made_at": "2026-03-02T00:00:00.000000Z",
            }
        ],
        revoked=[],
    ),
):
    """Where this deployment speaks in public, and the keys that prove it. It is a JSON Web Key Set, too."""

    deployment: str
    """The deployment's name, as signed manifests have it."""
    bulletin: str
    """The address of the bulletin."""
    verify: str
    """The address at which anybody checks a statement."""
    keys: tuple[PublicKey, ...]
    """The keys that count now: the one that signs, and former ones."""
    revoked: tuple[RevokedKey, ...]
    """The keys that were revoked."""
