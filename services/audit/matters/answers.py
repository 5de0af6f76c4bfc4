"""The answers about matters, for the API's documents."""

from typing import Literal

from schemas.fields import Code, IncidentId, Instant, Number, UnitCode
from services.audit.answers import INCIDENT, STATED, Stated
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

_MATTER = {
    "incident_id": INCIDENT,
    "number": "town-east-2026-00042",
    "unit": "town-east",
    "assigned": "town-east",
    "level": "major",
    "category": "roads",
    "answer_kind": "answer",
    "drill": False,
    "state": "accepted",
    "clocks": {"first_answer": {"state": "running", "breached": False}},
    "opened_at": "2026-03-02T01:30:00.000000Z",
    "recorded_at": "2026-03-02T01:30:00.000000Z",
    "position": 3,
}


class Limit(Answered):
    """A limit of a matter."""

    state: Literal["running", "met", "cancelled"]
    """What it was."""
    breached: bool
    """Whether it had been missed, also if it was met late."""


class Matter(Answered):
    """What a matter was on both axes."""

    incident_id: IncidentId
    """The incident."""
    number: Number | None
    """Its number."""
    unit: UnitCode | None
    """The accountable unit."""
    assigned: UnitCode | None
    """The unit that handled it."""
    level: Code | None
    """Its level."""
    category: Code | None
    """Its category."""
    answer_kind: Code | None
    """The kind of answer."""
    drill: bool
    """Whether it is an exercise."""
    state: Literal["open", "assigned", "accepted", "resolved", "closed", "dismissed", "merged"]
    """Its state."""
    clocks: dict[str, Limit]
    """Its limits by name."""
    opened_at: Instant
    """When it was opened."""
    recorded_at: Instant
    """When that was recorded."""
    position: int
    """The position of its first event in audit's order."""


class Matters(Stated, Page, json_schema_extra=example(**STATED, complete=True, items=[_MATTER], next=None)):
    """Matters as they were, the newest first."""

    complete: bool
    """Whether all texts with the words were looked at; a word that many texts hold is looked for in the newest."""
    items: tuple[Matter, ...]
    """The matters of this page."""
