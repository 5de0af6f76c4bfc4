"""Escalation's HTTP API: clocks, reports upward with their receipts, and the duty roster."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import IncidentId, UnitCode
from services.escalation import queries, roster
from services.escalation.commands import AnnulBreach, Extend, PlanDuties, Receipt, ReportUpward
from services.kernel.core.commands import Command
from services.kernel.core.decider import Actor
from services.kernel.core.ids import stream_of
from services.kernel.core.problems import Forbidden, NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, erasure, http
from services.kernel.serving.paging import At, Cursor, Limit, must_be_known

Id = Annotated[str, Depends(http.stream_id("incident"))]


def router(runtime: Runtime) -> APIRouter:
    """The service's paths."""
    api = http.router("/escalation/v1", "escalation")
    erasure.add_route(api, runtime)

    async def command(caller: commands.Caller, incident: str, body: Command) -> Response:
        """`If-Match` is optional here; where it is sent, it must name the newest version."""

        async def see(connection: AsyncConnection, state: Any) -> dict[str, Any]:
            row = await queries.matter(connection, incident)
            return {"stream": stream, "into": row["merged_into"] if row else None}

        stream = stream_of("clock", incident)
        return http.reply(await commands.execute(runtime, caller, stream, body, see=see))

    @api.get("/clocks")
    async def list_clocks(
        staff: http.Staff,
        incident: IncidentId | None = None,
        unit: UnitCode | None = None,
        state: Literal["running", "met", "breached", "annulled", "cancelled"] | None = None,
        due_before: At | None = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Clocks of the units that the caller sees, in order of due instant; `unit` narrows to it and those below."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            units = offices.below(staff.unit) if staff.unit else frozenset()
            must_be_known("unit", unit, offices.units)
            if unit is not None:
                units &= offices.below(unit)
            items, next_ = await queries.clocks(
                connection, units, incident=incident, state=state, due_before=due_before, cursor=cursor, limit=limit
            )
        return http.json_response({"items": items, "next": next_})

    @api.get("/incidents/{id}")
    async def read_incident(id: Id, staff: http.Staff) -> Response:
        """An incident's clocks and reports upward, with the version that `If-Match` takes."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            row = await queries.matter(connection, id)
            if row is None or row["unit"] is None:
                raise NotFound(f"escalation knows no incident {id}", what=id)
            _must_see(staff, offices.above(row["unit"]), row["unit"], "read-matter")
            items, _ = await queries.clocks(connection, offices.units, incident=id, limit=500)
            reports = await queries.reports(connection, id)
        body = {
            "id": id,
            "version": row["revision"],
            **{name: row[name] for name in ("unit", "assigned", "level", "merged_into")},
            "clocks": items,
            "reports": reports,
        }
        return http.json_response(body, version=row["revision"])

    @api.post("/incidents/{id}/report-upward")
    async def report_upward(id: Id, body: ReportUpward, caller: http.Command) -> Response:
        """Report the matter to a unit above (002/7, 000 三(三)); marked unverified while no fact is established."""
        return await command(caller, id, body)

    @api.post("/incidents/{id}/receipt")
    async def receipt(id: Id, body: Receipt, caller: http.Command) -> Response:
        """Confirm a report from below, or send it back with a reason."""
        return await command(caller, id, body)

    @api.post("/incidents/{id}/extend")
    async def extend(id: Id, body: Extend, caller: http.Command) -> Response:
        """Move a limit that has not passed, where the pack allows it."""
        return await command(caller, id, body)

    @api.post("/incidents/{id}/annul")
    async def annul(id: Id, body: AnnulBreach, caller: http.Command) -> Response:
        """A reviewer finds that a breach does not stand; breach and finding both stay on record."""
        return await command(caller, id, body)

    @api.get("/roster")
    async def read_roster(unit: UnitCode, staff: http.Staff) -> Response:
        """The duties planned for a unit."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            offices.unit(unit)
            _must_see(staff, offices.above(unit), unit, "read-roster")
            duties, revision = await queries.roster(connection, unit)
        return http.json_response({"unit": unit, "version": revision, "duties": duties}, version=revision)

    @api.put("/roster")
    async def plan(body: PlanDuties, caller: http.Command) -> Response:
        """Plan duties for a unit. What was planned before stays."""
        stream = roster.stream_of_unit(body.unit)

        async def act(session: Any, ctx: Any) -> commands.Answer:
            await session.load([stream])
            return commands.answer(session, stream, commands.decide(session, stream, body, ctx, caller))

        return http.reply(await commands.transact(runtime, caller, act))

    return api


def _must_see(staff: Actor, above: tuple[str, ...], unit: str, act: str) -> None:
    if staff.unit not in above:
        raise Forbidden(
            f"{unit} does not stand below {staff.unit}; you see your own unit and those below",
            code="other-office",
            act=act,
            unit=unit,
            post=staff.post,
        )
