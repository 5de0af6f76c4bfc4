"""How the events of a matter change what is known of its verification. Pure."""

from collections.abc import Mapping
from typing import Any

from schemas import triage
from schemas.envelope import Event
from schemas.fields import instant
from schemas.verification import Verification

TOLD_BY = (
    triage.IncidentVerificationRequested,
    triage.IncidentVerificationConcluded,
    triage.IncidentFactEstablished,
    triage.IncidentFactRevised,
    triage.IncidentAbsorbed,
    triage.IncidentClosed,
    triage.IncidentDismissed,
    triage.IncidentReopened,
)
"""The events that change it."""
NOBODY_ASKED: Mapping[str, Any] = {"asked": (), "due": None, "since": None}


def after(known: Verification, event: Event) -> Verification:
    """The verification of an incident after an event of it."""
    match event.data:
        case triage.IncidentVerificationRequested(taken_from=None) as data:
            due = min((at for at in (known.due, _due(data)) if at), default=None)
            asked = {"asked": _with(known.asked, data.unit), "due": due, "since": known.since or event.recorded_text}
            return known.model_copy(update=asked)
        case triage.IncidentVerificationConcluded() as data:
            answered = {"concluded_at": event.recorded_text} if known.asked else {}
            return known.model_copy(update={**NOBODY_ASKED, **answered, "outcome": data.outcome, "by": data.unit})
        case triage.IncidentClosed() | triage.IncidentDismissed() if known.asked:
            return known.model_copy(update={"ended": True})
        case triage.IncidentReopened() if known.ended:
            # With the end, the units that were asked lost their part. They could not conclude.
            return known.model_copy(update={**NOBODY_ASKED, "ended": False})
        case triage.IncidentFactEstablished() | triage.IncidentFactRevised() if event.unit:
            return known.model_copy(update={"facts": _with(known.facts, event.unit)})
        case triage.IncidentAbsorbed(verified_by=units) if units:
            return known.model_copy(update={"facts": _with(known.facts, *units)})
    return known


def _due(data: triage.IncidentVerificationRequested) -> str | None:
    """By when the request asks for an outcome, as views hold times."""
    return instant(data.due) if data.due else None


def _with(units: tuple[str, ...], *further: str) -> tuple[str, ...]:
    return tuple(sorted({*units, *further}))
