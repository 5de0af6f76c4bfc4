"""Audit over HTTP: the timeline of an incident, and every event. No event can be changed here.

Every answer states `log_size` and `complete_until`. A request with that `log_size` gets the same answer again, byte for
byte. Staff see the acts of their own unit and the units below it, and everything about an incident in which one of
these has a part. If the part has ended, they see what was recorded until then. A unit at the root of the tree sees
everything.
"""

import functools
import re
from dataclasses import replace
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event, digest
from schemas.fields import UUID, IncidentRef, StreamRef, UnitCode
from schemas.titles import Language
from services.audit import answers, queries, reach
from services.audit.archive.told import told
from services.audit.basis import (
    AsOf,
    KnownAt,
    Paged,
    Size,
    must_agree,
    must_stand_in_events,
    size_of,
    stated,
    text_of,
    types_of,
)
from services.audit.findings import findings_api
from services.audit.inspections.rights import READ_INSPECTION
from services.audit.naming import names_of
from services.audit.queries import FIRST, Axes, Filters, Place, happened
from services.audit.rights import READ_EVENT, READ_MATTER, hidden_types
from services.audit.summaries import summary
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.core.standings import Reading
from services.kernel.serving import documents, erasure, http, operating, paging, records
from services.kernel.serving.paging import At, Cursor, Limit, Narrow, Number
from services.kernel.serving.problems import language_of, spoken

_EVENT = re.compile(UUID)
LOOKED = 500
"""So many events one answer on changes looks at."""

Lang = Annotated[
    Language | None, Query(description="The language of summaries. By default the best one of `Accept-Language`.")
]


@functools.cache
def router() -> APIRouter:
    """The paths of audit."""
    routes = http.router("/audit/v1", "audit")
    erasure.add_route(routes, "audit")
    operating.add_routes(routes, "audit")
    findings_api.add_routes(routes)

    @routes.get("/incidents/{id}/timeline", **documents.answers(answers.Timeline))
    async def read_timeline(
        runtime: http.Serving,
        request: Request,
        id: Annotated[str, Depends(http.stream_id("incident"))],
        staff: http.Staff,
        as_of: AsOf = None,
        known_at: KnownAt = None,
        newest: Annotated[bool, Query(description="The last events instead of the first; no page follows.")] = False,
        limit: Limit = 500,
        cursor: Cursor = None,
        log_size: Size = None,
        lang: Lang = None,
    ) -> Response:
        """The record of an incident: its reports, clocks, statements, and the incidents that were merged into it.

        `as_of` keeps what had happened by then, `known_at` what had been recorded by then. The parts of the incident
        are those that `log_size` and `known_at` know. What was recorded on a report after it left is not among them,
        unless it went to a part. What was done with the incident's file stands among them: its sealing, exports, and
        for those who are told of readings, who consulted it. A remark of an inspection stands in it for who reads the
        inspection. Summaries are in one language: `lang`, or the best one of `Accept-Language`. Events are in order of
        (`recordedtime`, `id`). A cursor keeps its `log_size`; send `as_of` and `known_at` with it again.
        """
        language = language_of(request)
        *place, kept = paging.place_of(cursor, str, str, int) if cursor is not None else (*FIRST, None)
        must_agree(log_size, kept)
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            reading = await reach.reading(connection, ctx, id, READ_MATTER)
            size = await size_of(connection, log_size if kept is None else kept)
            axes = Axes(size, text_of(as_of), text_of(known_at))
            until = queries.earlier(_until(reading), axes.known_at)
            narrow = [*happened(axes.as_of), *queries.heard(READ_INSPECTION.units(ctx))]
            found, last = await queries.timeline(
                connection, id, size, until, narrow, Place(*place), limit, newest=newest, packages=told(ctx)
            )
            number = await queries.number(connection, id, size)
            basis = await stated(connection, axes)
            names = await names_of(runtime, connection, size, language)
        items = [
            {
                "event": orjson.Fragment(row.bytes),
                "summary": summary(Event.parse(row.bytes), names),
                "position": row.position,
                "digest": digest(row.bytes),
            }
            for row in found
        ]
        next_ = None if last is None else paging.cursor_of(*last, size)
        body = {"number": number, "incident_id": id, **basis, "items": items, "next": next_}
        return http.json_response(body, headers=spoken(language))

    @routes.get("/events", **documents.or_missing(documents.answers(answers.Events)))
    async def list_events(
        runtime: http.Serving,
        staff: http.Staff,
        at: Paged,
        type: Annotated[
            Narrow, Query(description="Only events of this type: the full name, or the short one for all its versions.")
        ] = None,
        subject: Annotated[StreamRef | None, Query(description="Only events of this stream.")] = None,
        unit: Annotated[UnitCode | None, Query(description="Only events of this unit's acts.")] = None,
        incident: Annotated[IncidentRef | None, Query(description="Only events of this incident.")] = None,
        actor: Annotated[Narrow, Query(description="Only events of this post's acts.")] = None,
        from_: Annotated[At | None, Query(alias="from", description="Only events that happened then or later.")] = None,
        to: Annotated[At | None, Query(description="Only events that happened by then.")] = None,
    ) -> Response:
        """Events in the order in which audit took them in, with filters. A cursor keeps its `log_size`, not the axes.

        `type` is the full name or the short one (`incident.graded`), `actor` a post. `from` and `to` are instants of
        what happened, both included.
        """
        paging.must_be_a_time("to", from_, to)
        incident = incident and await records.named(runtime, "incident", incident, "incident")
        subject = subject and await records.named(runtime, None, subject, "subject")
        narrow = (text_of(from_), text_of(to), text_of(at.as_of), text_of(at.known_at))
        filters = Filters(types_of(type), subject, unit, incident, actor, *narrow)
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            await must_stand_in_events(connection, ctx.offices, type=type, unit=unit, actor=actor)
            if incident is None:
                units = READ_EVENT.units(ctx)
            else:
                reading = await reach.reading(connection, ctx, incident, READ_MATTER)
                units, filters = None, replace(filters, until=_until(reading))
            axes = await at.axes(connection)
            found, last = await queries.events(
                connection,
                filters,
                axes.size,
                after=at.place,
                limit=at.limit,
                units=units,
                without=hidden_types(ctx),
                heard_by=READ_INSPECTION.units(ctx),
            )
            basis = await stated(connection, axes)
        items = [orjson.Fragment(row.bytes) for row in found]
        return http.json_response({**basis, "items": items, "next": at.next(last, axes)})

    @routes.get("/changes", **documents.answers(answers.Followed))
    async def follow_changes(
        runtime: http.Serving,
        staff: http.Staff,
        after: Annotated[
            Number | None, Query(description="`position` of the answer before. By default the end.")
        ] = None,
    ) -> Response:
        """The incidents to whose record something was added after a position, for whoever follows the record.

        Asked again and again, each time with the `position` of the answer before, it leaves nothing out. Other services
        may take the same events in a moment later than audit.
        """
        async with runtime.database.read() as connection:
            size, given = await queries.head(connection)
            if after is None:
                return http.json_response({"position": size, "more": False, "incidents": []})
            await size_of(connection, after if after > given else None)
            ctx = await runtime.context(connection, staff)
            heard_by = READ_INSPECTION.units(ctx)
            found, until = await queries.changed(connection, after, max(size, after), LOOKED, heard_by)
            read = []
            for incident, at in found.items():
                reading = await reach.found(connection, ctx, incident)
                if reading is not None and reading.covers(at):
                    read.append(incident)
        return http.json_response({"position": until, "more": until < size, "incidents": read})

    @routes.get("/events/{id}", **documents.answers(answers.OneEvent))
    async def read_event(
        runtime: http.Serving,
        request: Request,
        id: Annotated[str, Path(description="The event's id.")],
        staff: http.Staff,
        log_size: Size = None,
        lang: Lang = None,
    ) -> Response:
        """One event, unchanged, with its summary in one language."""
        language = language_of(request)
        async with runtime.database.read() as connection:
            size = await size_of(connection, log_size)
            found = await queries.event(connection, id, size) if _EVENT.fullmatch(id) else None
            if found is None:
                raise NotFound(f"there is no event {id[:60]!r}", what=id[:60])
            await _check_event(connection, await runtime.context(connection, staff), found, size)
            basis = await stated(connection, Axes(size))
            names = await names_of(runtime, connection, size, language)
        said = summary(Event.parse(found.bytes), names)
        body = {"event": orjson.Fragment(found.bytes), "summary": said, "position": found.position}
        body["digest"] = digest(found.bytes)
        return http.json_response({**basis, **body}, headers=spoken(language))

    return routes


def _until(reading: Reading) -> str | None:
    return reading.until.at if reading.until else None


async def _check_event(connection: AsyncConnection, ctx: Ctx, found: Any, size: int) -> None:
    reading = await reach.of_event(connection, ctx, found, size)
    if reading is None or not reading.covers(found.recordedtime):
        raise READ_EVENT.refused(found.unit, ctx)
