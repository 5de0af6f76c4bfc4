"""Which incident a report belongs to: its own one if it has one, else the newest open one of its matter.

What was merged is followed to where it goes on, and what was split off is looked for where it went. An incident that
is over takes no report in: a new one is opened then, which names it. An exercise never joins a real
matter.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.envelope import Event
from schemas.triage import IncidentOpened, IncidentReportAttached
from services.kernel.core.reactions import Known

OVER = ("resolved", "closed", "dismissed")
"""States of an incident that takes no further report in."""


class Key(NamedTuple):
    """The digest of a matter, which also says at which unit; an exercise or not."""

    match_key: str
    drill: bool


class Place(NamedTuple):
    """An incident where a matter goes on, and whether that is over."""

    incident: str
    over: bool = False


class Lead(NamedTuple):
    """A way from a matter to an incident. `since` is when the matter came to lead there, a text; `split` by a split."""

    match_key: str
    since: str
    split: bool
    incident: str
    opened: str
    state: str
    drill: bool


def places(leads: Iterable[Lead]) -> dict[Key, Place]:
    """Where each matter goes on: at its newest open incident, else at the newest one that is over.

    A split counts against all that led elsewhere before it: somebody judged that the matter is not theirs.
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
    """Where a batch's reports belong and its matters go on, with what the batch itself decides."""

    def __init__(self, belongs: Mapping[str, str] | None = None, goes_on: Mapping[Key, Place] | None = None) -> None:
        self._belongs, self._goes_on = dict(belongs or {}), dict(goes_on or {})

    def incident_of(self, report: str) -> str | None:
        """The incident that the report belongs to already."""
        return self._belongs.get(report)

    def find(self, match_key: str, drill: bool) -> Place | None:
        """Where reports of this matter go; None where none is known."""
        return self._goes_on.get(Key(match_key, drill))

    def note(self, event: Event) -> None:
        """Knows an incident from the moment that it is opened, and a report from the moment that it belongs."""
        if event.kind != "incident":
            return
        match event.data:
            case IncidentOpened() as data:
                self._belongs[data.report] = event.stream
                if data.match_key:
                    self._goes_on[Key(data.match_key, event.drill)] = Place(event.stream)
            case IncidentReportAttached() as data:
                self._belongs[data.report] = event.stream
