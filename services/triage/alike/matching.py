"""The incident of a report: the incident to which it belongs already, else the newest open one with its match key.

If that incident was merged or split, the report goes where its matter goes on. An ended incident takes no report in; a
new one is opened, which names it. An exercise never joins a real matter.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.envelope import Event
from schemas.triage import IncidentOpened, IncidentReportAttached
from services.kernel.core.reactions import Known

OVER = ("resolved", "closed", "dismissed")
"""States of an incident that takes no further report in."""


class Key(NamedTuple):
    """A match key, which includes the unit, and whether it is an exercise."""

    match_key: str
    drill: bool


class Place(NamedTuple):
    """An incident where a matter goes on, and whether it has ended."""

    incident: str
    over: bool = False


class Lead(NamedTuple):
    """A link from a match key to an incident.

    `since` is when the link began, as text; `split` says that a split made it.
    """

    match_key: str
    since: str
    split: bool
    incident: str
    opened: str
    state: str
    drill: bool


def places(leads: Iterable[Lead]) -> dict[Key, Place]:
    """Where each match key leads: to its newest open incident, else to its newest ended one.

    A split outweighs all earlier links: somebody judged that the matter does not belong there.
    """
    by_key: dict[Key, list[Lead]] = {}
    for lead in sorted(leads, key=lambda lead: lead.since):
        known = by_key.setdefault(Key(lead.match_key, lead.drill), [])
        if lead.split:
            known.clear()
        known.append(lead)
    return {key: _newest(known) for key, known in by_key.items()}


def _newest(leads: Iterable[Lead]) -> Place:
    found = max(leads, key=lambda lead: (lead.state not in OVER, lead.opened, lead.incident))
    return Place(found.incident, found.state in OVER)


class Matching(Known):
    """The incidents of a batch's reports and match keys, including the batch's own decisions."""

    learns = True

    def __init__(self, belongs: Mapping[str, str] | None = None, goes_on: Mapping[Key, Place] | None = None) -> None:
        self._belongs, self._goes_on = dict(belongs or {}), dict(goes_on or {})

    def incident_of(self, report: str) -> str | None:
        """The incident to which the report belongs already."""
        return self._belongs.get(report)

    def find(self, match_key: str, drill: bool) -> Place | None:
        """The incident for reports with this match key; None if there is none."""
        return self._goes_on.get(Key(match_key, drill))

    def note(self, event: Event) -> None:
        """Notes an incident when it is opened, and a report when it joins."""
        if event.kind != "incident":
            return
        match event.data:
            case IncidentOpened() as data:
                if data.report:
                    self._belongs[data.report] = event.stream
                if data.match_key:
                    self._goes_on[Key(data.match_key, event.drill)] = Place(event.stream)
            case IncidentReportAttached() as data:
                self._belongs[data.report] = event.stream
