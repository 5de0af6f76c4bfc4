"""What triage answers about similar matters, suggestions and searches."""

from schemas.fields import Code, IncidentId, Instant, UnitCode
from schemas.triage import Linked, LinkKind
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

_OFFERED = {
    "incident_id": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
    "number": None,
    "score": 0.412,
    "shared": ["卫生院门前", "路灯不亮"],
    "decided": None,
}


class OfferedMatter(Answered):
    """A known matter that is like what was asked. A person decides whether it is the same."""

    incident_id: IncidentId
    """The matter."""
    number: str | None
    """Its readable number."""
    score: float
    """How alike they are, from 0 to 1. It ranks; it decides nothing."""
    shared: tuple[str, ...]
    """The words that both have, those that say most first."""
    decided: LinkKind | None
    """What a person decided on the two; null if nobody did."""


class Similar(Answered, json_schema_extra=example(items=[_OFFERED], above=["county"])):
    """The known matters that are most like what was asked, best first."""

    items: tuple[OfferedMatter, ...]
    """Matters of the unit and of those below it."""
    above: tuple[UnitCode, ...]
    """The units above that have something similar. The matter can be offered to them."""


class LinkOf(Answered):
    """How the matter and another one belong together, as a person decided."""

    incident: IncidentId
    """This incident, or one that was merged into it."""
    to: IncidentId
    """The other incident."""
    number: str | None
    """Its readable number."""
    goes_on_in: IncidentId | None
    """Where it goes on, if it was merged."""
    kind: Linked
    """The same matter; this is a part of the other one, or the whole of it; related; or another matter."""
    at: Instant
    """When it was decided."""
    by: str
    """The post that decided it."""
    reason: str | None
    """Why."""


class Suggested(Answered):
    """The value that most of the nearest matters have."""

    code: Code
    """The value."""
    having: int
    """So many of the nearest matters have it."""
    of: int
    """So many of them have any."""
    right: int
    """How often the value was the right one when it was suggested for earlier matters, which have it now."""
    judged: int
    """For so many earlier matters it was suggested that have any value now, at most the last 500."""


class Suggestion(
    Answered,
    json_schema_extra=example(
        category={"code": "roads.lighting", "having": 8, "of": 10, "right": 31, "judged": 36},
        unit={"code": "county-roads", "having": 7, "of": 10, "right": 44, "judged": 52},
        nearest=["incident-01890a5d-ac96-774b-bcce-b302099a8057"],
    ),
):
    """The category and the unit of the nearest earlier matters. It decides nothing."""

    category: Suggested | None
    """The category; null if the nearest matters have none."""
    unit: Suggested | None
    """The unit to which they were assigned; null if none of them was."""
    nearest: tuple[IncidentId, ...]
    """The matters on which this rests, nearest first, at most ten."""


_FOUND = {
    "incident_id": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
    "number": None,
    "state": "assigned",
    "unit": "town-east",
    "assigned": "county-roads",
    "level": "major",
    "category": "roads.lighting",
    "opened_at": "2026-03-02T01:05:00.000000Z",
    "subject": "卫生院门前路灯不亮",
}


class FoundMatter(Answered):
    """A matter that a search found."""

    incident_id: IncidentId
    """The matter."""
    number: str | None
    """Its readable number."""
    state: str
    """Its state."""
    unit: UnitCode
    """The accountable unit."""
    assigned: UnitCode | None
    """The unit that handles it."""
    level: Code | None
    """Its level."""
    category: Code | None
    """Its category."""
    opened_at: Instant
    """When it was opened."""
    subject: str | None
    """The subject of its first report."""


class Results(Page, json_schema_extra=example(items=[_FOUND], complete=True, next=None)):
    """The matters that were found, newest first."""

    items: tuple[FoundMatter, ...]
    """The entries of this page."""
    complete: bool
    """Whether all texts with the words were looked at. If not, there are older ones; add a word."""
