"""Which incident a report belongs to: the newest one of its unit and matter that is neither closed nor merged.

What was merged is followed to where it goes on. An exercise never joins a real matter.
"""

from collections.abc import Mapping

from schemas.envelope import Event
from schemas.triage import IncidentOpened
from services.kernel.core.reactions import Known

Key = tuple[str, str, bool]
"""Unit that received the report, digest of the matter, exercise or not."""


class Matters(Known):
    """The open incidents of a batch's matters, with those that the batch itself opened."""

    def __init__(self, incidents: Mapping[Key, str] | None = None) -> None:
        self._incidents = dict(incidents or {})

    def find(self, unit: str, matter: str, drill: bool) -> str | None:
        """The incident that takes a report of this matter; None where one is to be opened."""
        return self._incidents.get((unit, matter, drill))

    def note(self, event: Event) -> None:
        """Knows an incident from the moment that it is opened."""
        if event.kind == "incident" and isinstance(event.data, IncidentOpened) and event.data.matter:
            self._incidents[event.data.unit, event.data.matter, event.drill] = event.stream
