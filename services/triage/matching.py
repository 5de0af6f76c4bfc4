"""Which incident a report belongs to: the newest one of its unit and matter that is neither closed nor merged.

What was merged is followed to where it goes on. An exercise never joins a real matter.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.ingest import ReportReceived
from schemas.triage import IncidentOpened
from services.kernel import sql
from services.kernel.service import Known
from services.triage import views

Key = tuple[str, str, bool]
"""Unit that received the report, digest of the matter, exercise or not."""


def _open() -> Select[Any]:
    """The incidents where the `wanted` matters go on, oldest first."""
    matters, incidents = views.MATTERS, views.INCIDENTS
    start = select(matters.c.unit, matters.c.matter, matters.c.incident_id)
    goes_on = start.where(sql.is_one_of(matters.c.matter, "wanted")).cte("goes_on", recursive=True)
    merged = select(goes_on.c.unit, goes_on.c.matter, incidents.c.merged_into).join(
        incidents, incidents.c.id == goes_on.c.incident_id
    )
    goes_on = goes_on.union_all(merged.where(incidents.c.merged_into.is_not(None)))
    return (
        select(goes_on.c.unit, goes_on.c.matter, incidents.c.drill, incidents.c.id)
        .join(incidents, incidents.c.id == goes_on.c.incident_id)
        .where(incidents.c.state.not_in(("closed", "merged")))
        .order_by(incidents.c.opened_at, incidents.c.id)
    )


OPEN = _open()


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


async def know(connection: AsyncConnection, events: Sequence[Event]) -> Matters:
    """The open incidents of the matters that the events are about, read with one statement.

    Holds those matters until the transaction ends: reports of one matter come in several partitions, and two
    transactions at once would open an incident each.
    """
    wanted = {
        event.data.matter for event in events if event.kind == "report" and isinstance(event.data, ReportReceived)
    }
    if not wanted:
        return Matters()
    asked = sql.Query(OPEN, {"wanted": sorted(wanted)})
    (found,) = await sql.fetch(connection, [asked], sql.Hold("matter", wanted))
    return Matters({(unit, matter, drill): incident for unit, matter, drill, incident in found})
