"""The HTTP paths of findings: what the record shows against an office, its hearing, and what auditors decide."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import IncidentRef, UnitCode
from schemas.findings import FindingKind
from schemas.titles import Language
from services.audit import queries
from services.audit.basis import OnAxes, Paged, stated, text_of
from services.audit.findings import answers, seen
from services.audit.findings import queries as found
from services.audit.findings.commands import ConfirmFinding, ProposeFinding, RejectFinding, StateView
from services.audit.findings.decider import judged
from services.audit.findings.rights import READ_FINDING, RIGHTS, Stage
from services.audit.findings.views import STAGES
from services.audit.histories import histories as histories_of
from services.audit.histories import page
from services.audit.naming import names_of, offices_at
from services.audit.queries import Axes
from services.audit.reach import reading
from services.audit.rights import READ_MATTER
from services.audit.views import FINDINGS
from services.kernel.access.rights import may
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, http, records
from services.kernel.serving.answers import Done
from services.kernel.serving.paging import At, must_be_a_time, must_be_known
from services.kernel.serving.problems import language_of, spoken
from services.kernel.store import numbers, words
from services.kernel.store.session import Session

Id = Annotated[str, Depends(http.stream_id("finding"))]
Lang = Annotated[
    Language | None, Query(description="The language of sentences. By default the best one of `Accept-Language`.")
]


def add_routes(api: APIRouter) -> None:
    """Adds the paths to audit's."""

    @api.get("/findings", **documents.answers(answers.Findings))
    async def list_findings(
        runtime: http.Serving,
        request: Request,
        staff: http.Staff,
        at: Paged,
        unit: Annotated[UnitCode | None, Query(description="Only against this unit, or one below it.")] = None,
        kind: Annotated[FindingKind | None, Query(description="Only of this kind.")] = None,
        state: Annotated[Stage | None, Query(description="Only in this state.")] = None,
        incident: Annotated[IncidentRef | None, Query(description="Only on this matter.")] = None,
        from_: Annotated[At | None, Query(alias="from", description="Only those made then or later.")] = None,
        to: Annotated[At | None, Query(description="Only those made by then.")] = None,
        drill: Annotated[bool, Query(description="Those of exercises, instead of all others.")] = False,
        newest: Annotated[bool, Query(description="The newest first, instead of the oldest.")] = False,
        lang: Lang = None,
    ) -> Response:
        """Findings against units of the caller, in the order in which they were made. Nothing is ranked or added up.

        `state` is the one on these axes. A cursor keeps its `log_size`; send the other parameters with it again.
        """
        must_be_a_time("to", from_, to)
        incident = incident and await records.named(runtime, "incident", incident, "incident")
        language = language_of(request)
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            axes = await at.axes(connection)
            units = READ_FINDING.within(unit, ctx, await offices_at(connection, axes, ctx.offices))
            filters = found.filters_of(units, kind, state, incident, text_of(from_), text_of(to), drill=drill)
            ids, last = await page(connection, FINDINGS, STAGES, filters, axes, at.place, at.limit, backwards=newest)
            items = await _shown(runtime, connection, ids, axes, language)
            basis = await stated(connection, axes)
        return http.json_response({**basis, "items": items, "next": at.next(last, axes)}, headers=spoken(language))

    @api.post("/findings", **documents.answers(Done, 201))
    async def propose_finding(runtime: http.Serving, body: ProposeFinding, caller: http.Command) -> Response:
        """Propose a finding by hand, with a reason and the events behind it. The unit is then heard."""
        body = await records.by_ids(runtime, body)

        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            stream, connection = ctx.ids.new("finding"), session.connection
            size, _ = await queries.head(connection)
            until = (await reading(connection, ctx, body.incident, READ_MATTER)).until
            known_by = until.at if until else None
            positions = await seen.positions(connection, body.incident, size, body.events, ctx, known_by)
            told = {"stream": stream, "handled": await seen.worked(connection, body.incident, ctx)}
            ctx = commands.with_seen(ctx, {**told, "positions": positions, "log_size": size})
            session.begin(stream)
            session.streams[stream].drill = bool(await queries.drills(connection, [body.incident]))
            return commands.answer(session, stream, session.decide(stream, body, ctx), 201)

        return http.reply(await commands.transact(runtime, caller, act))

    @api.get("/findings/{id}", **documents.answers(answers.OneFinding))
    async def read_finding(
        runtime: http.Serving,
        request: Request,
        id: Id,
        staff: http.Staff,
        at: OnAxes,
        lang: Lang = None,
    ) -> Response:
        """One finding, and what the caller may do about it. `may` and `version` are of now, whatever the axes are."""
        language = language_of(request)
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            axes = await at.axes(connection)
            items = await _shown(runtime, connection, [id], axes, language)
            if not items:
                raise NotFound(f"there is no finding {id}", what=id)
            READ_FINDING.require(items[0]["unit"], ctx)
            basis = await stated(connection, axes)
            session = Session(runtime.service, runtime.settings, connection, ctx.now)
            await session.load([id])
            now = session.streams[id]
            ctx = commands.with_seen(ctx, await seen.for_finding(connection, id, now.state.made, ctx))
        own = [right for command, right in RIGHTS.items() if command is not ProposeFinding]
        verbs = may(own, judged(now.state, ctx), ctx)
        body = {**basis, **items[0], "version": now.revision, "revision": now.revision, "may": verbs}
        return http.json_response(body, version=now.revision, headers=spoken(language))

    async def on(runtime: Runtime, caller: commands.Caller, id: str, body: Command) -> Response:
        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            await session.load([id])
            stream = session.streams[id]
            if stream.version == 0:
                raise NotFound(f"there is no finding {id}", what=id)
            ctx = commands.with_seen(ctx, await seen.for_finding(session.connection, id, stream.state.made, ctx))
            return commands.answer(session, id, commands.decide(session, id, body, ctx, caller, staff=True))

        return http.reply(await commands.transact(runtime, caller, act))

    @api.post("/findings/{id}/state-view", **documents.answers(Done))
    async def state_view(runtime: http.Serving, id: Id, body: StateView, caller: http.Command) -> Response:
        """Say what the unit has to say on a proposed finding, once, and before anybody decides."""
        return await on(runtime, caller, id, body)

    @api.post("/findings/{id}/confirm-finding", **documents.answers(Done))
    async def confirm_finding(runtime: http.Serving, id: Id, body: ConfirmFinding, caller: http.Command) -> Response:
        """Find that a proposal holds, for a unit below, after the unit was heard. At the root, two persons do."""
        return await on(runtime, caller, id, body)

    @api.post("/findings/{id}/reject-finding", **documents.answers(Done))
    async def reject_finding(runtime: http.Serving, id: Id, body: RejectFinding, caller: http.Command) -> Response:
        """Find that a proposal does not hold, for a unit below, after the unit was heard. At the root, two do."""
        return await on(runtime, caller, id, body)


async def _shown(
    runtime: Runtime, connection: AsyncConnection, ids: list[str], axes: Axes, language: Language
) -> list[dict[str, Any]]:
    histories = await histories_of(connection, ids, axes)
    names = await names_of(runtime, connection, axes.size, language)
    incidents = {events[0].data.incident for events in histories.values() if events[0].data.incident}
    known = await numbers.of_streams(connection, runtime.service.metadata, incidents)
    refs = [ref for events in histories.values() for event in events for ref in event.words.values()]
    read = await words.resolve(connection, runtime.service.metadata, refs)
    items = (
        found.shown(events, names, known.get(events[0].data.incident or ""), read) for events in histories.values()
    )
    return [item for item in items if item is not None]
