"""Who read what citizens wrote, and what for: for the unit above the reader's and for auditors, never added up."""

import functools
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import Instant, Post, StreamId, StreamRef, UnitCode
from schemas.operation import OperationArchiveRead, OperationRecordRead
from services.audit import queries
from services.audit.answers import INCIDENT, STATED, Stated
from services.audit.basis import Paged, must_stand_in_events, stated
from services.audit.matters.marks import CONSULTED
from services.audit.naming import offices_at
from services.audit.queries import Axes
from services.audit.rights import READ_READINGS, data_of, readers
from services.audit.views import MARKS, METADATA, TIMELINE
from services.kernel.core.commands import example
from services.kernel.serving import documents, http, records
from services.kernel.serving.answers import Answered, Page
from services.kernel.store.words import resolve

_READING = {
    "at": "2026-03-02T02:10:00.000000Z",
    "post": "chief@county",
    "unit": "county",
    "record": INCIDENT,
    "works": False,
    "archive": False,
    "purpose": "督办核对",
    "drill": False,
    "position": 7,
}


class OneReading(Answered):
    """A post read what citizens wrote on a record: for the first time that day, or for another purpose."""

    at: Instant
    """When."""
    post: Post
    """Which post."""
    unit: UnitCode | None
    """Its unit."""
    record: StreamId
    """The incident or the report."""
    works: bool
    """Whether the unit worked on the matter."""
    archive: bool
    """Whether it took the sealed archive of the matter, with all that citizens wrote."""
    purpose: str | None
    """What for; null where the unit worked on the matter."""
    drill: bool
    """Whether the record is of an exercise."""
    position: int
    """The position of the event in audit's order."""


class Readings(Stated, Page, json_schema_extra=example(**STATED, items=[_READING], next=None)):
    """Readings, the newest first."""

    items: tuple[OneReading, ...]
    """The readings of this page."""


@functools.cache
def router() -> APIRouter:
    """The path of readings."""
    routes = http.router("/audit/v1", "audit")

    @routes.get("/readings", **documents.answers(Readings))
    async def list_readings(
        runtime: http.Serving,
        staff: http.Staff,
        at: Paged,
        record: Annotated[
            StreamRef | None, Query(description="Only readings of this report, or of this incident and its reports.")
        ] = None,
        unit: Annotated[UnitCode | None, Query(description="Only by this unit and those below it.")] = None,
    ) -> Response:
        """Who read what citizens wrote, by post, and what for, the newest first.

        A unit above the reader's sees it; at the root an auditor sees the root's own, too.
        """
        record = record and await records.named(runtime, None, record, "record")
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            await must_stand_in_events(connection, ctx.offices, unit=unit)
            if ctx.actor.roles.isdisjoint(READ_READINGS.roles):
                raise READ_READINGS.refused(unit or ctx.actor.unit, ctx)
            axes = await at.axes(connection)
            units = readers(ctx)
            if unit is not None:
                units &= (await offices_at(connection, axes, ctx.offices)).below(unit) | {unit}
            rows = await _page(connection, axes, units, record, at.place, at.limit)
            items = await _shown(connection, rows[: at.limit])
            basis = await stated(connection, axes)
        last = rows[at.limit - 1].position if len(rows) > at.limit else None
        return http.json_response({**basis, "items": items, "next": at.next(last, axes)})

    return routes


async def _page(
    connection: AsyncConnection, axes: Axes, units: frozenset[str], record: str | None, before: int | None, limit: int
) -> list[Any]:
    wanted = [MARKS.c.kind == CONSULTED, TIMELINE.c.unit.in_(sorted(units)), *axes.within(MARKS)]
    if record is not None and record.startswith("incident-"):
        incidents = await queries.family(connection, record, axes.size, None)
        wanted.append(MARKS.c.incident_id.in_(queries.members(incidents, axes.size, None)))
    elif record is not None:
        wanted.append(MARKS.c.incident_id == record)
    if before is not None:
        wanted.append(MARKS.c.position < before)
    chosen = select(MARKS.c.position, TIMELINE.c.bytes).join(TIMELINE, TIMELINE.c.position == MARKS.c.position)
    chosen = chosen.where(*wanted).order_by(MARKS.c.position.desc()).limit(limit + 1)
    return list((await connection.execute(chosen)).all())


async def _shown(connection: AsyncConnection, rows: list[Any]) -> list[dict[str, object]]:
    placed = [(row.position, Event.parse(row.bytes)) for row in rows]
    # What is no reading is in the record, and says nothing.
    events = [
        (position, event)
        for position, event in placed
        if isinstance(data_of(event), OperationRecordRead | OperationArchiveRead)
    ]
    drills = await queries.drills(connection, {event.data.record for _, event in events})
    words = await resolve(connection, METADATA, [event.words.get("purpose") for _, event in events])
    return [
        {
            "at": event.time_text,
            "post": event.actor,
            "unit": event.attributes.get("unit"),
            "record": event.data.record,
            "works": getattr(event.data, "works", False),
            "archive": isinstance(event.data, OperationArchiveRead),
            "purpose": words(event.words.get("purpose")),
            "drill": event.data.record in drills,
            "position": position,
        }
        for position, event in events
    ]
