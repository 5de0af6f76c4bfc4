"""Which reports an event brings to a matter or takes from it, and which matter it names for itself alone. Pure.

Data is not checked, since audit keeps also what it cannot read.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas import (  # noqa: F401  some register single events
    catalogue,
    escalation,
    ingest,
    inspections,
    offices,
    triage,
    upcast,
)
from schemas.envelope import Event
from services.audit.statistics.steps import seconds
from services.kernel.store.views import Row

_OPENED = upcast.types_of(triage.IncidentOpened, triage.IncidentReportAttached)
JOINING = _OPENED | upcast.types_of(triage.IncidentAbsorbed)
LEAVING = upcast.types_of(triage.IncidentSplit, triage.IncidentReportDetached)
"""The types of events by which reports come to a matter or leave it, in each version that this code reads."""
NAMING = frozenset(filter(catalogue.names_incident, catalogue.types()))
"""The types of single events that name a matter."""


def joined_of(position: int, event: Event) -> Iterator[Row]:
    """The rows of `JOINED`."""
    if event.type in JOINING:
        data = _data(event)
        since = seconds(data.get("discovered_at")) if event.type in _OPENED else None
        for report in _reports(data):
            yield _row(position, event, report) | {"since": since}


def left_of(position: int, event: Event) -> Iterator[Row]:
    """The rows of `LEFT`."""
    if event.type in LEAVING:
        data = _data(event)
        to = data.get("into") or data.get("to")
        for report in _reports(data):
            yield _row(position, event, report) | {"into": to if _is_stream(to) else None}


def named_of(position: int, event: Event) -> Iterator[Row]:
    """The rows of `NAMED`."""
    if event.type in NAMING:
        incident = event.attributes["data"].get("incident")
        if _is_stream(incident):
            at = {"recordedtime": event.recorded_text, "event_id": event.id}
            yield {"incident_id": incident, **at, "position": position}


def _row(position: int, event: Event, report: str) -> Row:
    of = {"incident_id": event.stream, "report_id": report}
    return {**of, "position": position, "recordedtime": event.recorded_text}


def _data(event: Event) -> Mapping[str, Any]:
    _, data = upcast.newest(event.type, event.attributes["data"])
    return data


def _reports(data: Mapping[str, Any]) -> list[str]:
    """Each once."""
    several = data.get("reports") or ()
    named = (data.get("report"), *(several if isinstance(several, list) else ()))
    return list(dict.fromkeys(report for report in named if _is_stream(report)))


def _is_stream(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 64 and "\x00" not in value
