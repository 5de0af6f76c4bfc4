"""How far each matter has spread, as a service knows it: a table folded from triage's events, and the figures in it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import REACH
from services.kernel.rules.conditions import Figures
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

ReachOf = Callable[[Any], Mapping[str, Mapping[str, int | None] | None]]
"""Report -> what an event's data counts of it; None if it leaves the incident."""


def table(metadata: MetaData) -> None:
    """Adds the table `reach` to a service's metadata: the highest counts so far of each report of an incident."""
    Table(
        "reach",
        metadata,
        Column("incident_id", key(), primary_key=True),
        Column("report_id", key(), primary_key=True),
        *(Column(name, BigInteger) for name in REACH),
    )


def view(metadata: MetaData, reach_of: ReachOf) -> View:
    """Its view; `reach_of` reads triage's events. A smaller count lowers nothing."""

    def keys(event: Event) -> list[Key]:
        return [(event.stream, report) for report in reach_of(event.data)]

    def apply(key: Key, row: Row | None, event: Event) -> Row | None:
        counted = reach_of(event.data)[key[1]]
        if counted is None:
            return None
        now = Figures(**counted).highest(figures_in(row) if row else Figures())
        return {"incident_id": key[0], "report_id": key[1], **now.model_dump(include=set(REACH))}

    return View(metadata.tables["reach"], keys, apply, ("incident",), one_stream=True)


async def read(connection: AsyncConnection, metadata: MetaData, incidents: Iterable[str]) -> dict[str, Figures]:
    """The highest counts of incidents among all their reports. An incident of which nothing is counted is absent."""
    of = metadata.tables["reach"]
    highest = (func.max(of.c[name]).label(name) for name in REACH)
    chosen = select(of.c.incident_id, *highest).where(of.c.incident_id.in_(sorted(incidents)))
    rows = (await connection.execute(chosen.group_by(of.c.incident_id))).mappings()
    return {row["incident_id"]: figures_in(row) for row in rows}


def figures_in(row: Mapping[Any, Any]) -> Figures:
    """The counts in a row."""
    return Figures(**{name: row[name] for name in REACH})
