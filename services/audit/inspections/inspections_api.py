"""The HTTP paths of inspections."""

import functools
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import UnitCode
from services.audit.basis import OnAxes, Paged, instant_of, stated
from services.audit.histories import histories, page
from services.audit.inspections import answers
from services.audit.inspections import queries as found
from services.audit.inspections.commands import (
    AcceptRemedy,
    EndInspection,
    MakeRemark,
    OpenInspection,
    ReportRemedy,
    ReturnRemedy,
    WithdrawRemark,
)
from services.audit.inspections.decider import inspected
from services.audit.inspections.rights import READ_INSPECTION, RIGHTS
from services.audit.inspections.views import STAGES
from services.audit.naming import offices_at
from services.audit.queries import Axes
from services.audit.reach import reading
from services.audit.rights import READ_MATTER
from services.audit.views import FINDINGS, INSPECTIONS
from services.kernel.access.rights import may
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, http, records
from services.kernel.serving.answers import Done
from services.kernel.serving.paging import must_be_known
from services.kernel.store import numbers, words
from services.kernel.store.session import Session

Id = Annotated[str, Depends(http.stream_id("inspection"))]


@functools.cache
def router() -> APIRouter:
    """The paths of inspections."""
    api = http.router("/audit/v1", "audit")

    @api.get("/inspections", **documents.answers(answers.Inspections))
    async def list_inspections(
        runtime: http.Serving,
        staff: http.Staff,
        at: Paged,
        unit: Annotated[UnitCode | None, Query(description="Only of this unit, or one below it.")] = None,
        state: Annotated[Literal["open", "ended"] | None, Query(description="Only in this state.")] = None,
        drill: Annotated[bool | None, Query(description="Only of exercises, or only others; by default both.")] = None,
    ) -> Response:
        """Inspections of units of the caller, in the order in which they began."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            axes = await at.axes(connection)
            then = await offices_at(connection, axes, ctx.offices)
            filters = found.filters_of(READ_INSPECTION.within(unit, ctx, then), state, drill)
            ids, last = await page(connection, INSPECTIONS, STAGES, filters, axes, at.place, at.limit)
            basis = await stated(connection, axes)
            items = await _shown(runtime, connection, ids, axes, basis)
        return http.json_response({**basis, "items": items, "next": at.next(last, axes)})

    @api.post("/inspections", **documents.answers(Done, 201))
    async def open_inspection(runtime: http.Serving, body: OpenInspection, caller: http.Command) -> Response:
        """Begin to look into the work of an office below, or note that a superior looks into the root's."""

        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            stream = ctx.ids.new("inspection")
            session.begin(stream).drill = ctx.offices.drills(body.unit)
            ctx = commands.with_seen(ctx, {"stream": stream})
            return commands.answer(session, stream, session.decide(stream, body, ctx), 201)

        return http.reply(await commands.transact(runtime, caller, act))

    @api.get("/inspections/{id}", **documents.answers(answers.OneInspection))
    async def read_inspection(
        runtime: http.Serving,
        id: Id,
        staff: http.Staff,
        at: OnAxes,
    ) -> Response:
        """One inspection, and what the caller may do about it. `may` and `version` are of now."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            axes = await at.axes(connection)
            basis = await stated(connection, axes)
            items = await _shown(runtime, connection, [id], axes, basis)
            if not items:
                raise NotFound(f"there is no inspection {id}", what=id)
            READ_INSPECTION.require(items[0]["unit"], ctx)
            session = Session(runtime.service, runtime.settings, connection, ctx.now)
            await session.load([id])
            now = session.streams[id]
        own = [right for command, right in RIGHTS.items() if command is not OpenInspection]
        verbs = may(own, inspected(now.state), ctx)
        body = {**basis, **items[0], "version": now.revision, "revision": now.revision, "may": verbs}
        return http.json_response(body, version=now.revision)

    @api.post("/inspections/{id}/make-remark", **documents.answers(Done))
    async def make_remark(runtime: http.Serving, id: Id, body: MakeRemark, caller: http.Command) -> Response:
        """Say what was found, and what the office is to do about it by when."""
        return await _on(runtime, caller, id, await records.by_ids(runtime, body))

    @api.post("/inspections/{id}/report-remedy", **documents.answers(Done))
    async def report_remedy(runtime: http.Serving, id: Id, body: ReportRemedy, caller: http.Command) -> Response:
        """Say, for the office, what it did about a remark."""
        return await _on(runtime, caller, id, body)

    @api.post("/inspections/{id}/accept-remedy", **documents.answers(Done))
    async def accept_remedy(runtime: http.Serving, id: Id, body: AcceptRemedy, caller: http.Command) -> Response:
        """Hold that a remark is remedied. Nobody accepts what the same person reported."""
        return await _on(runtime, caller, id, body)

    @api.post("/inspections/{id}/return-remedy", **documents.answers(Done))
    async def return_remedy(runtime: http.Serving, id: Id, body: ReturnRemedy, caller: http.Command) -> Response:
        """Hold that a remark is not remedied yet, with a reason and a new date."""
        return await _on(runtime, caller, id, body)

    @api.post("/inspections/{id}/withdraw-remark", **documents.answers(Done))
    async def withdraw_remark(runtime: http.Serving, id: Id, body: WithdrawRemark, caller: http.Command) -> Response:
        """Take a remark back, with a reason."""
        return await _on(runtime, caller, id, body)

    @api.post("/inspections/{id}/end-inspection", **documents.answers(Done))
    async def end_inspection(runtime: http.Serving, id: Id, body: EndInspection, caller: http.Command) -> Response:
        """End it, when every remark was remedied or withdrawn."""
        return await _on(runtime, caller, id, body)

    return api


async def _on(runtime: Runtime, caller: commands.Caller, id: str, body: Command) -> Response:
    async def see(connection: AsyncConnection, _: object) -> dict[str, Any]:
        if not isinstance(body, MakeRemark):
            return {"stream": id}
        if body.incident is not None:
            await reading(connection, await runtime.context(connection, caller.actor), body.incident, READ_MATTER)
        return {"stream": id, "finding_unit": await _unit_of(connection, body.finding)}

    return http.reply(await commands.execute(runtime, caller, id, body, staff=True, see=see))


async def _unit_of(connection: AsyncConnection, finding: str | None) -> str | None:
    chosen = FINDINGS.select().where(FINDINGS.c.finding_id == finding)
    row = (await connection.execute(chosen)).first() if finding else None
    return row.unit if row else None


async def _shown(
    runtime: Runtime, connection: AsyncConnection, ids: list[str], axes: Axes, basis: dict[str, Any]
) -> list[dict[str, Any]]:
    of = await histories(connection, ids, axes)
    events = [event for one in of.values() for event in one]
    incidents = {incident for event in events if (incident := getattr(event.data, "incident", None))}
    known = await numbers.of_streams(connection, runtime.service.metadata, incidents)
    refs = [ref for event in events for ref in event.words.values()]
    read = await words.resolve(connection, runtime.service.metadata, refs)
    now = instant_of(basis)
    return [found.shown(one, known, read, now) for one in of.values()]
