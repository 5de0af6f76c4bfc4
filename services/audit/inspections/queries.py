"""Inspections for answers, from their events."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from schemas import inspections as i
from schemas.envelope import Event
from schemas.fields import instant
from services.audit.histories import Filters, folded
from services.audit.inspections.decider import DECIDER
from services.audit.views import INSPECTIONS

Read = Callable[[str | None], str | None]
"""What a reader may see of words, by their reference."""
STEPS = (
    i.InspectionRemedyReported,
    i.InspectionRemedyAccepted,
    i.InspectionRemedyReturned,
    i.InspectionRemarkWithdrawn,
)


def filters_of(units: Collection[str] | None, state: str | None = None, drill: bool | None = None) -> Filters:
    """The filters of a list of inspections; None filters nothing."""
    wanted = [] if units is None else [INSPECTIONS.c.unit.in_(sorted(units))]
    return Filters(wanted if drill is None else [*wanted, INSPECTIONS.c.drill.is_(drill)], state)


def shown(events: Sequence[Event], numbers: Mapping[str, str], read: Read, now: str) -> dict[str, Any]:
    """An inspection for an answer, as of the instant `now`."""
    first, state = events[0], folded(DECIDER, events)
    opened: i.InspectionOpened = state.opened
    ended = next((event for event in events if isinstance(event.data, i.InspectionEnded)), None)
    made = [event for event in events if isinstance(event.data, i.InspectionRemarkMade)]
    return {
        "id": first.stream,
        "unit": opened.unit,
        "by_unit": state.by_unit,
        "since": opened.since,
        "until": opened.until,
        "scope": read(opened.scope.ref),
        "superior": opened.superior and read(opened.superior.ref),
        "state": "ended" if state.ended else "open",
        "opened_at": first.recorded_text,
        "opened_by": first.actor,
        "remarks": [_remark(one, events, state.remarks[one.data.remark], numbers, read, now) for one in made],
        "ended_at": ended and ended.recorded_text,
        "conclusion": ended and read(ended.data.conclusion.ref),
        "drill": first.drill,
    }


def _remark(
    made: Event, events: Sequence[Event], remark: Any, numbers: Mapping[str, str], read: Read, now: str
) -> dict[str, Any]:
    data: i.InspectionRemarkMade = made.data
    steps = [event for event in events if isinstance(event.data, STEPS) and event.data.remark == data.remark]
    return {
        "remark": data.remark,
        "state": remark.stage,
        "incident_id": data.incident,
        "number": numbers.get(data.incident or ""),
        "finding": data.finding,
        "words": data.text.ref,
        "text": read(data.text.ref),
        "remedy": read(data.remedy.ref),
        "due": instant(remark.due),
        "overdue": remark.stage == "due" and instant(remark.due) < now,
        "steps": [_step(event, read) for event in steps],
    }


def _step(event: Event, read: Read) -> dict[str, Any]:
    said = getattr(event.data, "text", None) or getattr(event.data, "reason", None)
    ref = said and said.ref
    step = event.type.rpartition(".v")[0].rpartition(".")[2]
    return {"at": event.recorded_text, "by": event.actor, "step": step, "words": ref, "text": read(ref)}
