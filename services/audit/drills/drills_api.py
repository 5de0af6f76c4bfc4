"""The HTTP paths of drills."""

import functools
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import UnitCode
from schemas.pack.source import PackId
from services.audit import queries
from services.audit.basis import OnAxes, Paged, stated, text_of
from services.audit.drills import answers
from services.audit.drills import queries as found
from services.audit.drills.commands import BeginDrill, EndDrill, JudgeDrill, NoteInject
from services.audit.drills.decider import drilled
from services.audit.drills.rights import READ_DRILL, RIGHTS
from services.audit.drills.views import STAGES
from services.audit.histories import histories, page
from services.audit.naming import offices_at
from services.audit.views import DRILLS
from services.kernel.access.rights import may
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, http
from services.kernel.serving.answers import Done
from services.kernel.serving.paging import At, must_be_known
from services.kernel.store import numbers, words
from services.kernel.store.session import Session

Id = Annotated[str, Depends(http.stream_id("drill"))]


@functools.cache
def router() -> APIRouter:
    """The paths of drills."""
    api = http.router("/audit/v1", "audit")

    @api.get("/drills", **documents.answers(answers.Drills))
    async def list_drills(
        runtime: http.Serving,
        staff: http.Staff,
        at: Paged,
        unit: Annotated[UnitCode | None, Query(description="Only led by this unit, or one below it.")] = None,
        scenario: Annotated[PackId | None, Query(description="Only of this scenario.")] = None,
        state: Annotated[Literal["running", "ended", "scored"] | None, Query(description="Only in this state.")] = None,
        since: Annotated[At | None, Query(description="Only those that began since.")] = None,
    ) -> Response:
        """Drills of units of the caller with their scores, in the order in which they began: how they compare over the
        years.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            axes = await at.axes(connection)
            then = await offices_at(connection, axes, ctx.offices)
            filters = found.filters_of(READ_DRILL.within(unit, ctx, then), scenario, state, text_of(since))
            ids, last = await page(connection, DRILLS, STAGES, filters, axes, at.place, at.limit)
            basis = await stated(connection, axes)
            of = await histories(connection, ids, axes)
            read = await _read(runtime, connection, of)
        items = [found.shown(events, read) for events in of.values()]
        return http.json_response({**basis, "items": items, "next": at.next(last, axes)})

    @api.post("/drills", **documents.answers(Done, 201))
    async def begin_drill(runtime: http.Serving, body: BeginDrill, caller: http.Command) -> Response:
        """Begin to rehearse a scenario with offices for exercises. Whoever leads the drill then sends its injects."""

        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            stream = ctx.ids.new("drill")
            session.begin(stream).drill = True
            session.authorize(stream, body, ctx)
            ctx = commands.with_seen(ctx, {"busy": await found.busy(session, set(body.places.values()))})
            return commands.answer(session, stream, session.decide(stream, body, ctx), 201)

        return http.reply(await commands.transact(runtime, caller, act))

    @api.get("/drills/{id}", **documents.answers(answers.OneDrill))
    async def read_drill(runtime: http.Serving, id: Id, staff: http.Staff, at: OnAxes) -> Response:
        """One drill: its injects, its score with the events behind each mark, and what the caller may do about it now.
        `may` and `version` are of now. While it goes on, the scenario is told only to who may lead it.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            axes = await at.axes(connection)
            basis = await stated(connection, axes)
            of = await histories(connection, [id], axes)
            if not of:
                raise NotFound(f"there is no drill {id}", what=id)
            READ_DRILL.require(of[id][0].data.unit, ctx)
            named = {one for event in of[id] if (one := getattr(event.data, "matter", None))}
            known = await numbers.of_streams(connection, runtime.service.metadata, named)
            read = await _read(runtime, connection, of)
            session = Session(runtime.service, runtime.settings, connection, ctx.now)
            await session.load([id])
            now = session.streams[id]
        own = [right for command, right in RIGHTS.items() if command is not BeginDrill]
        verbs = may(own, drilled(now.state), ctx)
        tells_all = now.state.ended is not None or "note-inject" in verbs
        whole = found.whole(of[id], known, read, tells_all=tells_all)
        body = {**basis, **whole, "version": now.revision, "revision": now.revision, "may": verbs}
        return http.json_response(body, version=now.revision)

    @api.post("/drills/{id}/note-inject", **documents.answers(Done))
    async def note_inject(runtime: http.Serving, id: Id, body: NoteInject, caller: http.Command) -> Response:
        """Say that an inject was sent, and what it made."""
        return await _on(runtime, caller, id, body)

    @api.post("/drills/{id}/end-drill", **documents.answers(Done))
    async def end_drill(runtime: http.Serving, id: Id, body: EndDrill, caller: http.Command) -> Response:
        """End it. What is done from now on does not count."""
        return await _on(runtime, caller, id, body)

    @api.post("/drills/{id}/judge-drill", **documents.answers(Done))
    async def judge_drill(runtime: http.Serving, id: Id, body: JudgeDrill, caller: http.Command) -> Response:
        """Judge what the record shows of it now. What arrives late is judged by asking again."""
        return await _on(runtime, caller, id, body)

    return api


async def _on(runtime: Runtime, caller: commands.Caller, id: str, body: Command) -> Response:
    async def see(connection: AsyncConnection, state: Any) -> dict[str, Any]:
        if not isinstance(body, JudgeDrill) or state.begun is None:
            return {}
        offices = (await runtime.context(connection, caller.actor)).offices
        size, _ = await queries.head(connection)
        of = await found.matters(connection, id, state, size)
        return {"size": size, "events": await found.events(connection, of, size, offices)}

    return http.reply(await commands.execute(runtime, caller, id, body, staff=True, see=see))


async def _read(runtime: Runtime, connection: AsyncConnection, of: Any) -> found.Read:
    refs = [ref for events in of.values() for event in events for ref in event.words.values()]
    return await words.resolve(connection, runtime.service.metadata, refs)
