"""The table of a year over HTTP, and its circulation to the units in it."""

import functools
from datetime import tzinfo
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BeforeValidator, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import Typed, Uuid
from schemas.operation import OperationStatisticsCirculated
from services.audit.basis import Basis, OnAxes, stated
from services.audit.naming import offices_at
from services.audit.queries import Axes, head
from services.audit.rights import CIRCULATE_STATISTICS, READ_STATISTICS
from services.audit.statistics import year as yearly
from services.audit.statistics.asking import OfUnit, present, unit_of
from services.audit.statistics.commands import CirculateTable
from services.audit.statistics.figures import described
from services.audit.statistics.year_answers import Circulated, Circulations, Year
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound, Rejected
from services.kernel.core.suppression import SMALL
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import documents, http
from services.kernel.serving.commands import Answer, transact
from services.kernel.serving.paging import digits, must_be_known
from services.kernel.store import words
from services.kernel.store.session import Session

CalendarYear = Annotated[int, Field(ge=2000, le=2999), BeforeValidator(digits)]
OfYear = Annotated[CalendarYear | None, Query(description="The year. By default the present one.")]


@functools.cache
def router() -> APIRouter:
    """The paths of yearly tables."""
    routes = http.router("/audit/v1", "audit")

    @routes.get("/statistics/year", **documents.answers(Year))
    async def read_year(
        runtime: http.Serving, staff: http.Staff, basis: OnAxes, unit: OfUnit = None, year: OfYear = None
    ) -> Response:
        """The table of a year for the yearly assessment: of each unit its figures and the findings that stand.

        The units stand in the order of their codes, and none is ranked.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            code = unit_of(ctx, unit)
            axes = await basis.axes(connection)
            offices = await offices_at(connection, axes, ctx.offices)
            zone = offices.zone_of(code)
            asked = present(ctx.now, basis).astimezone(zone).year if year is None else year
            rows = await yearly.table(connection, offices, code, asked, axes)
            told = await stated(connection, axes)
        return http.json_response({**told, **_said(zone, code, asked, rows)})

    @routes.post("/statistics/circulations", **documents.answers(Circulated, 201))
    async def circulate_table(runtime: http.Serving, body: CirculateTable, caller: http.Command) -> Response:
        """Circulate the table of a year as it is now, to all units in it. It is an event, with its digest.

        The year must be over. Praise and shortcomings are about offices.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, caller.actor)
            must_be_known("unit", body.unit, ctx.offices.ever)
            CIRCULATE_STATISTICS.require(body.unit, ctx)
            if ctx.now.astimezone(ctx.offices.zone_of(body.unit)).year <= body.year:
                raise Rejected(
                    f"{body.year} is not over; its table is circulated afterwards", code="year-not-over", year=body.year
                )
            size, _ = await head(connection)
            offices = await offices_at(connection, Axes(size), ctx.offices)
            rows = await yearly.table(connection, offices, body.unit, body.year, Axes(size))
        fact = OperationStatisticsCirculated(
            unit=body.unit,
            year=body.year,
            units=tuple(row["unit"] for row in rows),
            log_size=size,
            sha256=yearly.digest_of(rows),
            praise=Typed(text=body.praise) if body.praise else None,
            shortcomings=Typed(text=body.shortcomings) if body.shortcomings else None,
        )

        async def act(session: Session, ctx: Ctx) -> Answer:
            event = await operations.record(session, ctx, fact)
            return Answer({"event": event.bytes.decode()})

        answer = await transact(runtime, caller, act)
        event = Event.parse(answer.body["event"].encode())
        async with runtime.database.read() as connection:
            told = await _told(runtime, connection, event)
        return http.json_response(told, status=201)

    @routes.get("/statistics/circulations", **documents.answers(Circulations))
    async def list_circulations(runtime: http.Serving, staff: http.Staff, basis: OnAxes) -> Response:
        """The tables that were circulated, the newest first: those of units of the caller, and those in which it is."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            axes = await basis.axes(connection)
            found = await yearly.circulated(connection, axes, functools.partial(_reaches, ctx))
            told = await stated(connection, axes)
            items = [await _told(runtime, connection, one) for one in found]
        return http.json_response({**told, "items": items})

    @routes.get("/statistics/circulations/{event}", **documents.answers(Year))
    async def read_circulation(
        runtime: http.Serving, staff: http.Staff, event: Annotated[Uuid, Path(description="The event.")]
    ) -> Response:
        """A table that was circulated, computed again from the same events. `unaltered` says whether it is the same."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            newest = await Basis().axes(connection)
            found = await yearly.circulated(connection, newest, functools.partial(_reaches, ctx), event)
            if not found:
                raise NotFound(f"there is no circulation {event}", what=event)
            data: OperationStatisticsCirculated = found[0].data
            axes = Axes(data.log_size)
            offices = await offices_at(connection, axes, ctx.offices)
            rows = await yearly.table(connection, offices, data.unit, data.year, axes, data.units)
            told = await stated(connection, Axes(data.log_size))
            circulated = await _told(runtime, connection, found[0])
        same = yearly.digest_of(rows) == data.sha256
        return http.json_response(
            {**told, **_said(offices.zone_of(data.unit), data.unit, data.year, rows, circulated, same)}
        )

    return routes


def _said(
    zone: tzinfo, unit: str, year: int, rows: Any, circulated: dict[str, Any] | None = None, same: bool | None = None
) -> dict[str, Any]:
    return {
        "unit": unit,
        "year": year,
        "zone": str(zone),
        "smallest": SMALL,
        "figures": [described(figure) for figure in yearly.FIGURES],
        "rows": rows,
        "circulated": circulated,
        "unaltered": same,
    }


def _reaches(ctx: Ctx, event: Event) -> bool:
    """Whether a table is of a unit of the reader, or was circulated to the reader's."""
    data: OperationStatisticsCirculated = event.data
    own = ctx.actor.unit
    return READ_STATISTICS.covers(data.unit, ctx) or (own in data.units and READ_STATISTICS.covers(own, ctx))


async def _told(runtime: Runtime, connection: AsyncConnection, event: Event) -> dict[str, Any]:
    data: OperationStatisticsCirculated = event.data
    refs = event.words
    read = await words.resolve(connection, runtime.service.metadata, list(refs.values()))
    return {
        "event": event.id,
        "unit": data.unit,
        "year": data.year,
        "units": list(data.units),
        "at": event.time_text,
        "by": event.actor,
        "log_size": data.log_size,
        "sha256": data.sha256,
        "praise": read(refs.get("praise")),
        "shortcomings": read(refs.get("shortcomings")),
    }
