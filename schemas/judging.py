"""What a pack's rules look at of a matter: triage tells it, and escalation tries a pack on it. No words stand here."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import Code, Figure, IncidentId, Instant, Number, UnitCode
from schemas.triage import AnswerKind


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class GravityFact(_Told):
    """One thing that tells how grave a matter is: a count of its reach, a flag, or the harm."""

    at: Instant
    """When it was known."""
    report: Annotated[str, Field(max_length=60)] = ""
    """The report whose reach was counted; empty for a flag and for the harm."""
    clicks: Figure | None = None
    """Clicks."""
    comments: Figure | None = None
    """Comments."""
    shares: Figure | None = None
    """Shares."""
    mainstream_sites: Figure | None = None
    """Mainstream sites."""
    flag: Code | None = None
    """The flag that was set or cleared."""
    present: bool = True
    """Whether the flag was set."""
    harm: Figure | None = None
    """The step of the pack's scale of harm."""


class MatterFacts(_Told):
    """A matter, as the rules of packs look at it."""

    incident: IncidentId
    """The matter."""
    number: Number | None
    """Its number."""
    unit: UnitCode
    """The accountable unit."""
    opened_at: Instant
    """When it was opened."""
    category: Code | None = None
    """Its category."""
    channel: Code | None = None
    """The channel by which it came."""
    answer_kind: AnswerKind | None = None
    """The kind of answer that was chosen."""
    doubtful: bool = False
    """Whether it is doubtful that what was reported is so."""
    reports: Figure = 0
    """How many reports it has."""
    gravity: Annotated[tuple[GravityFact, ...], Field(max_length=1000)] = ()
    """What tells how grave it is, in order."""
