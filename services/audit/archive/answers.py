"""The answers about archives, for the API's documents."""

from schemas.fields import Code, Day, Digest, Figure, IncidentId, Instant, PolicyRef, UnitCode
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
    "ended": True,
    "kept_until": "2056-03-19",
    "kept_by": "county-default@2#" + "9f2c" * 16,
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
    ended: bool
    """Whether the matter was over then, by what is known now. If not, seal its file anew when it has ended."""
    kept_until: Day | None
    """The last day on which its pack keeps it; null for ever, or if no pack says how long. Nothing is deleted then."""
    kept_by: PolicyRef | None
    """The pack that says how long it is kept."""


_GIVEN = {
    "act": "export-timeline",
    "sha256": "41d0" * 16,
    "at": "2026-03-21T02:10:00.000000Z",
    "by": "auditor@county",
    "unit": "county",
    "addressee": "peoples_congress",
    "purpose": "县人大常委会专题询问",
}


class Given(Answered, json_schema_extra=example(**_GIVEN)):
    """An archive was consulted, with the letters in it, or the masked record was written for somebody outside."""

    act: str
    """`read-archive` or `export-timeline`."""
    sha256: Digest
    """The digest of the seal, or of the masked record's file."""
    at: Instant
    """When."""
    by: str
    """The post that got it."""
    unit: UnitCode | None
    """The unit of that post."""
    addressee: Code | None
    """The office or body that gets the masked record, or the public; null for a consultation."""
    purpose: str | None
    """What for; null if the text was erased."""


_MAY = ["seal-archive", "read-archive", "export-timeline"]


class Archives(
    Answered, json_schema_extra=example(items=[_SEALED], given=[_GIVEN], lacking=["department_reply_letters"], may=_MAY)
):
    """The sealed archives of a matter. A matter that was taken up again after its sealing has several."""

    items: tuple[Sealed, ...]
    """The archives, oldest first."""
    given: tuple[Given, ...]
    """To whom the archive or the masked record was given, oldest first."""
    lacking: tuple[Code, ...]
    """Parts of the pack's list of which the record has nothing now. A seal needs a reason for each."""
    may: tuple[str, ...]
    """What the caller may do now: `seal-archive`, `read-archive`, `export-timeline`."""
