"""The answers about archives, for the API's documents."""

from schemas.fields import Code, Digest, Figure, IncidentId, Instant, UnitCode
from services.audit.answers import INCIDENT
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered

_SEALED = {
    "incident_id": INCIDENT,
    "sha256": "9f2c" * 16,
    "log_size": 412,
    "missing": ["department_reply_letters"],
    "sealed_at": "2026-03-20T02:10:00.000000Z",
    "by": "auditor@county",
    "unit": "county",
}


class Sealed(Answered, json_schema_extra=example(**_SEALED)):
    """A sealed archive."""

    incident_id: IncidentId
    """The incident."""
    sha256: Digest
    """The digest that the event of the seal names: that of `tagmanifest-sha256.txt`."""
    log_size: Figure
    """The events of the log on which it rests."""
    missing: tuple[Code, ...]
    """Parts of the pack's list that it lacks; its index has the reasons."""
    sealed_at: Instant
    """When it was sealed."""
    by: str
    """The post that sealed it."""
    unit: UnitCode | None
    """The unit of that post."""


class Archives(Answered, json_schema_extra=example(items=[_SEALED])):
    """The sealed archives of a matter. A matter that was taken up again after its sealing has several."""

    items: tuple[Sealed, ...]
    """The archives, oldest first."""
