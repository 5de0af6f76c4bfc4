"""The answers of audit, for the API's documents."""

from typing import Any

from schemas.fields import Digest, IncidentId, Instant, Number
from schemas.wire import Envelope
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

INCIDENT = "incident-01890a5d-ac96-774b-bcce-b302099a8057"
_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e",
    "source": "/huiying/county/triage",
    "type": "huiying.incident.graded.v1",
    "subject": INCIDENT,
    "time": "2026-03-02T01:30:00.000000Z",
    "recordedtime": "2026-03-02T01:30:00.000000Z",
    "dataschema": "urn:huiying:incident.graded.v1",
    "partitionkey": INCIDENT,
    "streamversion": 2,
    "previousdigest": "9f2c" * 16,
    "actor": "duty_officer@town-east",
    "unit": "town-east",
    "data": {
        "level": "major",
        "rank": 2,
        "reason": {"ref": "01890a5d-c3d4-7e5f-8a6b-7c8d9e0f1a2b", "digest": "9f2c" * 16},
    },
}
STATED = {
    "as_of": None,
    "known_at": None,
    "log_size": 4,
    "complete_until": "2026-03-02T01:31:00.000000Z",
    "root": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
}
_ENTRY: dict[str, Any] = {"event": _EVENT, "summary": "定级：重大", "position": 3, "digest": "41b0" * 16}


class Stated(Answered):
    """The basis of an answer."""

    as_of: Instant | None
    """Only what had happened by this instant; null without this filter."""
    known_at: Instant | None
    """Only what had been recorded by this instant; null without this filter."""
    log_size: int
    """How many events audit had taken in. A request with this `log_size` gets the same answer again, byte for byte."""
    complete_until: Instant | None
    """Everything that was recorded before this instant is among them; null if that is unknown."""
    root: str | None
    """The root of the log at this size, in base64 as a checkpoint has it. Null while the log is damaged."""


class TimelineEntry(Answered):
    """An event with its summary."""

    event: Envelope
    """The event."""
    summary: str
    """One sentence without any typed word."""
    position: int
    """Its position in audit's order, from 0 on."""
    digest: Digest
    """SHA-256 of the event's bytes, in hex. The next event of its stream carries it as `previousdigest`."""


class Timeline(
    Stated,
    Page,
    json_schema_extra=example(
        number="town-east-2026-00042",
        incident_id=INCIDENT,
        **STATED,
        items=[_ENTRY],
        next=None,
    ),
):
    """The record of an incident, in the order of recording."""

    number: Number | None
    """The incident's number."""
    incident_id: IncidentId
    """The incident."""
    items: tuple[TimelineEntry, ...]
    """The events."""


class Events(Stated, Page, json_schema_extra=example(**STATED, items=[_EVENT], next=None)):
    """Events, in the order in which audit took them in."""

    items: tuple[Envelope, ...]
    """The entries of this page."""


class OneEvent(Stated, TimelineEntry, json_schema_extra=example(**STATED, **_ENTRY)):
    """One event with its summary."""


class Followed(Answered, json_schema_extra=example(position=4, more=False, incidents=[INCIDENT])):
    """The incidents to whose record something was added."""

    position: int
    """Ask with this next time: so many events of the log were looked at."""
    more: bool
    """Whether there is more to look at already."""
    incidents: tuple[IncidentId, ...]
    """The incidents that the caller may read, each once."""
