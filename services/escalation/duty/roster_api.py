"""The HTTP paths of a unit's desk: its roster, and what is done at it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import Code, UnitCode
from services.escalation import seen
from services.escalation.commands import (
    CancelDuty,
    HandOver,
    NameSubstitute,
    OfRoster,
    PlanDuties,
    SignOn,
    TestReachability,
)
from services.escalation.duty import calendar, outlook, roster, roster_queries
from services.escalation.duty.roster_answers import PeriodEffect, Roster
from services.escalation.rights import READ_ROSTER
from services.kernel.core.decider import Actor
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, http
from services.kernel.serving.answers import Done
from services.kernel.serving.paging import At, must_be_a_time, must_be_known

Since = Annotated[
    At | None,
    Query(description="Only duties and gaps that end after this instant; by default those of the last 31 days."),
]
Until = Annotated[At | None, Query(description="Only duties and gaps that begin before this instant; by default all.")]


def add_routes(api: APIRouter) -> None:
    """Adds the roster and its commands."""

    async def at_desk(runtime: Runtime, caller: commands.Caller, body: OfRoster) -> Response:
        """A command at a unit's desk."""
        stream = roster.stream_of_unit(body.unit)

        async def act(session: Any, ctx: Any) -> commands.Answer:
            await session.load([stream])
            if isinstance(body, HandOver):
                ctx = commands.with_seen(ctx, await seen.for_roster(session.connection, body.unit))
            return commands.answer(session, stream, commands.decide(session, stream, body, ctx, caller))

        return http.reply(await commands.transact(runtime, caller, act))

    async def read(
        runtime: Runtime,
        connection: AsyncConnection,
        unit: str,
        staff: Actor,
        since: datetime | None,
        until: datetime | None = None,
    ) -> roster_queries.Desk:
        """A roster, for the unit itself and those above it."""
        ctx = await runtime.context(connection, staff)
        ctx.offices.unit(unit)
        READ_ROSTER.require(unit, ctx)
        return await roster_queries.desk(connection, unit, ctx, since, until)

    @api.get("/roster", **documents.answers(Roster))
    async def read_roster(
        runtime: http.Serving,
        unit: Annotated[UnitCode, Query(description="Whose roster.")],
        staff: http.Staff,
        since: Since = None,
        until: Until = None,
    ) -> Response:
        """A unit's roster: its duties, its information officer, who is on duty, gaps, and what waits for the next."""
        must_be_a_time("until", since, until)
        async with runtime.database.read() as connection:
            found = await read(runtime, connection, unit, staff, since, until)
        return http.json_response(found.body, version=found.revision)

    @api.get(
        "/roster.ics",
        **documents.answers_content("The roster.", {"text/calendar": documents.text("BEGIN:VCALENDAR\r\n…")}),
    )
    async def export_roster(
        runtime: http.Serving,
        unit: Annotated[UnitCode, Query(description="Whose roster.")],
        staff: http.Staff,
        since: Since = None,
    ) -> Response:
        """The duties of a unit as an iCalendar file, for the desk's own calendar."""
        async with runtime.database.read() as connection:
            found = await read(runtime, connection, unit, staff, since)
            ctx = await runtime.context(connection, staff)
        file = calendar.of_roster(unit, found.shifts, ctx.offices, ctx.now)
        return Response(file, media_type="text/calendar; charset=utf-8")

    @api.get("/roster/period-effect", **documents.answers(PeriodEffect))
    async def read_period_effect(
        runtime: http.Serving,
        unit: Annotated[UnitCode, Query(description="For which unit, and those below it.")],
        period: Annotated[Code, Query(description="The period, as the unit's pack names it.")],
        staff: http.Staff,
        since: Annotated[At | None, Query(description="From when, at the earliest and by default now.")] = None,
    ) -> Response:
        """What a special period would change within a week, before anybody opens it."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            ctx.offices.unit(unit)
            READ_ROSTER.require(unit, ctx)
            pack = outlook.pack_of(unit, ctx)
            must_be_known("period", period, [one.code for one in pack.model.periods] if pack else [])
            found = await roster_queries.effect(connection, unit, period, max(since or ctx.now, ctx.now), ctx)
        return http.json_response(found)

    @api.put("/roster", **documents.answers(Done))
    async def plan_duties(runtime: http.Serving, body: PlanDuties, caller: http.Command) -> Response:
        """Plan duties for a unit, or correct them before they begin. Duties that were planned before stay."""
        return await at_desk(runtime, caller, body)

    @api.post("/roster/cancel-duty", **documents.answers(Done))
    async def cancel_duty(runtime: http.Serving, body: CancelDuty, caller: http.Command) -> Response:
        """Take a duty off the roster before it begins."""
        return await at_desk(runtime, caller, body)

    @api.post("/roster/name-substitute", **documents.answers(Done))
    async def name_substitute(runtime: http.Serving, body: NameSubstitute, caller: http.Command) -> Response:
        """Name a post that may take up a duty in place of the planned one."""
        return await at_desk(runtime, caller, body)

    @api.post("/roster/sign-on", **documents.answers(Done))
    async def sign_on(runtime: http.Serving, body: SignOn, caller: http.Command) -> Response:
        """Take up the duty that waits for your post, with what was held for it."""
        return await at_desk(runtime, caller, body)

    @api.post("/roster/hand-over", **documents.answers(Done))
    async def hand_over(runtime: http.Serving, body: HandOver, caller: http.Command) -> Response:
        """Hand your duty over, with a note and the list of what is open."""
        return await at_desk(runtime, caller, body)

    @api.post("/roster/test-reachability", **documents.answers(Done))
    async def test_reachability(runtime: http.Serving, body: TestReachability, caller: http.Command) -> Response:
        """Record whether a duty post answered."""
        return await at_desk(runtime, caller, body)
