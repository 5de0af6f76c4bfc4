"""The answers of the log, for the API's documents."""

from typing import Literal

from schemas.fields import Digest, Instant
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered

ORIGIN = "huiying.example.gov.cn/audit/v1/log"
VKEY = f"{ORIGIN}+5f2b8c1d+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
_PATH = "vBoGQ7EuTS18d5GPROD095qDi2z57FtcKD4fTYhZnms="
_CHECKPOINT = f"{ORIGIN}\n8\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n— {ORIGIN} u4DtRi5ScxDt…\n"
INCLUSION = f"c2sp.org/tlog-proof@v1\nindex 5\n{_PATH}\n\n{_CHECKPOINT}"
CONSISTENCY = f"old 6\n{_PATH}\n\n{_CHECKPOINT}"


class LogKey(Answered):
    """A public key of the log, or the one with which this deployment cosigns other logs as a witness."""

    vkey: str
    """The key as one line: name, number and key (c2sp.org/signed-note)."""
    use: Literal["log", "witness"]
    """What it signs."""
    made_at: Instant
    """Since when it signs."""
    revoked_at: Instant | None
    """Since when it counts for nothing; null while it counts."""


class LogKeys(
    Answered,
    json_schema_extra=example(
        origin=ORIGIN,
        keys=[{"vkey": VKEY, "use": "log", "made_at": "2026-03-02T00:00:00.000000Z", "revoked_at": None}],
        witnesses=[],
    ),
):
    """Whom to believe: read it once, over a way that you trust, and keep it."""

    origin: str
    """The name of the log, as its checkpoints have it."""
    keys: tuple[LogKey, ...]
    """All keys, oldest first."""
    witnesses: tuple[str, ...]
    """The keys of the witnesses that cosign the checkpoints."""


class Inclusion(
    Answered,
    json_schema_extra=example(
        event_id="01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e",
        position=5,
        entry='{"event_id":"01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e",…}',
        leaf="41b0" * 16,
        path=["9f2c" * 16],
        size=8,
        root="9f2c" * 16,
        checkpoint=_CHECKPOINT,
    ),
):
    """The proof that an event stands in the log, in parts."""

    event_id: str
    """The event."""
    position: int
    """Its position, from 0 on."""
    entry: str
    """The entry whose hash is the leaf, to the byte."""
    leaf: Digest
    """SHA-256 over a byte 0 and the entry, in hex."""
    path: tuple[Digest, ...]
    """The hashes beside the way from the leaf to the root (RFC 6962, 2.1.1), in hex."""
    size: int
    """The size of the log."""
    root: Digest
    """The root of the log at this size, in hex."""
    checkpoint: str
    """The signed checkpoint of this size."""
