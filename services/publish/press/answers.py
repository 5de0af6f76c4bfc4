"""The answer of a matter's press part, for the API's documents."""

from typing import Literal

from schemas.fields import IncidentId, Instant, Number, Post, StatementId, StreamId, UnitCode, Uuid
from schemas.press import GivenToMedium, WayToMedium
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered
from services.publish.answers import INCIDENT, STATEMENT, TEXT


class Fixed(Answered):
    """Posts that were fixed for the matter at a time."""

    at: Instant
    """When."""
    by: Post
    """The post that fixed them."""
    speaks: tuple[Post, ...]
    """The posts that publish."""
    approves: tuple[Post, ...]
    """The posts and bodies that agree besides the pack's chain."""
    interviews: tuple[Post, ...]
    """The posts that are interviewed."""
    reason: str | None
    """Why."""


class Conference(Answered):
    """A press conference."""

    conference: Uuid
    """Its id."""
    state: Literal["called", "held", "cancelled"]
    """How far it is."""
    at: Instant
    """When it begins, or began."""
    place: str | None
    """Where."""
    reason: str | None
    """Why it was called."""
    changed: str | None
    """Why it was put off or called off."""
    called_at: Instant
    """When it was called."""
    called_by: Post
    """The post that called it."""
    held_at: Instant | None
    """When it was held."""
    statement: StatementId | None
    """The statement whose text was read out."""
    number: Number | None
    """Its number."""
    spoke: tuple[Post, ...]
    """The posts that spoke."""
    text: str | None
    """The text that was read out."""
    record: str | None
    """What was asked and answered."""
    late_reason: str | None
    """Why it was entered later."""


class Contact(Answered):
    """What a medium was given."""

    at: Instant
    """When."""
    recorded_at: Instant
    """When it was entered."""
    by: Post
    """The post that entered it."""
    statement: StatementId
    """Of which statement."""
    number: Number | None
    """Its number."""
    medium: str | None
    """The medium; null before the words have arrived, `[erased]` after their deletion."""
    how: WayToMedium
    """How."""
    what: GivenToMedium
    """Its text, or the facts in it because the medium reported otherwise."""
    spoke: Post
    """The post that gave it."""
    text: str | None
    """The text that it was given."""
    late_reason: str | None
    """Why it was entered later."""


class PressPart(
    Answered,
    json_schema_extra=example(
        id="press-01890a5d-ac96-774b-bcce-b302099a8057",
        version=3,
        revision=3,
        incident_id=INCIDENT,
        incident_number="town-east-2026-00042",
        unit="town-east",
        speaks=["spokesperson@town-east"],
        approves=[],
        interviews=["chief@town-east"],
        fixed=[
            {
                "at": "2026-03-02T09:00:00.000000Z",
                "by": "chief@town-east",
                "speaks": ["spokesperson@town-east"],
                "approves": [],
                "interviews": ["chief@town-east"],
                "reason": "领导小组会议确定",
            }
        ],
        conferences=[],
        contacts=[
            {
                "at": "2026-03-02T10:30:00.000000Z",
                "recorded_at": "2026-03-02T10:30:00.000000Z",
                "by": "spokesperson@town-east",
                "statement": STATEMENT,
                "number": "town-east-2026-S00007",
                "medium": "县融媒体中心",
                "how": "telephone",
                "what": "text",
                "spoke": "spokesperson@town-east",
                "text": TEXT,
                "late_reason": None,
            }
        ],
        may=["log-contact"],
    ),
):
    """Who speaks on a matter, its press conferences, and what media were given."""

    id: StreamId
    """The id of its record, for the deletion of words."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions staff took on it; 0 while nothing was done. `If-Match` names this number."""
    incident_id: IncidentId
    """The matter."""
    incident_number: Number | None
    """Its number."""
    unit: UnitCode
    """The accountable unit."""
    speaks: tuple[Post, ...]
    """The posts that publish now; empty while the roles count, and once the matter has ended."""
    approves: tuple[Post, ...]
    """The posts and bodies that agree besides the pack's chain."""
    interviews: tuple[Post, ...]
    """The posts that are interviewed; empty means those that speak."""
    fixed: tuple[Fixed, ...]
    """Each time that posts were fixed, in order."""
    conferences: tuple[Conference, ...]
    """The press conferences, in the order in which they were called."""
    contacts: tuple[Contact, ...]
    """What media were given, the latest first. It can be read only here, by matter."""
    may: tuple[
        Literal[
            "fix-speakers",
            "call-conference",
            "postpone-conference",
            "cancel-conference",
            "hold-conference",
            "log-contact",
        ],
        ...,
    ]
    """The commands that the caller may send now."""
