"""Who read what citizens wrote, and what for: for the unit above the reader's and for reviewers, never added up."""

import functools
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import Instant, Post, StreamId, StreamRef, UnitCode
from schemas.operation import OperationRecordRead
from services.audit import queries
from services.audit.answers import INCIDENT, STATED, Stated
from services.audit.basis import AsOf, KnownAt, Size, must_agree, must_stand_in_events, size_of, stated, text_of
from services.audit.matters.marks import CONSULTED
from services.audit.queries import Axes
from services.audit.rights import READ_READINGS, data_of, readers
from services.audit.views import MARKS, METADATA, TIMELINE
from services.kernel.core.commands import example
from services.kernel.serving import documents, http, paging, records
from services.kernel.serving.answers import Answered, Page
from services.kernel.serving.paging import Cursor, Limit
from services.kernel.store.words import resolve

_READING = {
    "at": "2026-03-02T02:10:00.000000Z",
    "post": "chief@county",
    "unit": "county",
    "record": INCIDENT,
    "works": False,
    "purpose": "督办核对",
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
    purpose: str | None
    """What for; null where the unit worked on the matter."""
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
        record: Annotated[
            StreamRef | None, Query(description="Only readings of this report, or of this incident and its reports.")
        ] = None,
        unit: Annotated[UnitCode | None, Query(description="Only by this unit and those below it.")] = None,
        as_of: AsOf = None,
        known_at: KnownAt = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        log_size: Size = None,
    ) -> Response:
        """Who read what citizens wrote, by post, and what for, the newest first.

        A unit above the reader's sees it; at the root an auditor sees the root's own, too.
        """
        before, kept = paging.place_of(cursor, int, int) if cursor is not None else (None, None)
        must_agree(log_size, kept)
        record = record and await records.named(runtime, None, record, "record")
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            await must_stand_in_events(connection, ctx.offices, unit=unit)
            if ctx.actor.roles.isdisjoint(READ_READINGS.roles):
                raise READ_READINGS.refused(unit or ctx.actor.unit, ctx)
            units = readers(ctx)
            if unit is not None:
                units &= ctx.offices.below(unit)
            size = await size_of(connection, log_size if kept is None else kept)
            axes = Axes(size, text_of(as_of), text_of(known_at))
            rows = await _page(connection, axes, units, record, before, limit)
            items = await _shown(connection, rows[:limit])
            basis = await stated(connection, size, axes.as_of, axes.known_at)
        next_ = paging.cursor_of(rows[limit - 1].position, size) if len(rows) > limit else None
        return http.json_response({**basis, "items": items, "next": next_})

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
    events = [(position, event) for position, event in placed if isinstance(data_of(event), OperationRecordRead)]
    words = await resolve(connection, METADATA, [event.words.get("purpose") for _, event in events])
    return [
        {
            "at": event.time_text,
            "post": event.actor,
            "unit": event.attributes.get("unit"),
            "record": event.data.record,
            "works": event.data.works,
            "purpose": words(event.words.get("purpose")),
            "position": position,
        }
        for position, event in events
    ]
