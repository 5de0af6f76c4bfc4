"""The HTTP paths of referrals."""

import functools
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import UnitCode
from schemas.referrals import ReferralKind
from services.audit.basis import OnAxes, Paged, stated
from services.audit.histories import histories, page
from services.audit.naming import offices_at
from services.audit.queries import Axes
from services.audit.reach import reading
from services.audit.referrals import answers
from services.audit.referrals import queries as found
from services.audit.referrals.commands import (
    DropReferral,
    NoteReceipt,
    PassOn,
    PraiseWork,
    ProposeReferral,
    StateOwnView,
)
from services.audit.referrals.decider import referred
from services.audit.referrals.rights import READ_REFERRAL, RIGHTS, STAGES, Stage, is_own
from services.audit.rights import READ_MATTER
from services.audit.views import REFERRALS
from services.kernel.access.approving import own_posts
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

Id = Annotated[str, Depends(http.stream_id("referral"))]


@functools.cache
def router() -> APIRouter:
    """The paths of referrals."""
    api = http.router("/audit/v1", "audit")

    @api.get("/referrals", **documents.answers(answers.Referrals))
    async def list_referrals(
        runtime: http.Serving,
        staff: http.Staff,
        at: Paged,
        unit: Annotated[UnitCode | None, Query(description="Only about posts of this unit, or one below it.")] = None,
        kind: Annotated[ReferralKind | None, Query(description="Only neglect, or only praise.")] = None,
        state: Annotated[Stage | None, Query(description="Only in this state.")] = None,
        drill: Annotated[bool | None, Query(description="Only of exercises, or only others; by default both.")] = None,
    ) -> Response:
        """Referrals about posts of the caller's units, or about its own post. Nothing is ranked or added up."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            axes = await at.axes(connection)
            filters = found.filters_of(READ_REFERRAL.listed(ctx), kind, state, drill, own=own_posts(ctx))
            if unit is not None:
                then = await offices_at(connection, axes, ctx.offices)
                filters = found.within(filters, then.below(unit) | {unit})
            ids, last = await page(connection, REFERRALS, STAGES, filters, axes, at.place, at.limit)
            items = await _shown(runtime, connection, ids, axes)
            basis = await stated(connection, axes)
        return http.json_response({**basis, "items": items, "next": at.next(last, axes)})

    @api.post("/referrals", **documents.answers(Done, 201))
    async def propose_referral(runtime: http.Serving, body: ProposeReferral, caller: http.Command) -> Response:
        """Propose to pass serious neglect of a post's duty on, or to praise the post's work."""
        body = await records.by_ids(runtime, body)

        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            stream = ctx.ids.new("referral")
            if body.incident is not None:
                await reading(session.connection, ctx, body.incident, READ_MATTER)
            told = {"stream": stream, "standing": await found.standing(session.connection, body.findings)}
            session.begin(stream).drill = ctx.offices.drills(body.unit)
            ctx = commands.with_seen(ctx, told)
            return commands.answer(session, stream, session.decide(stream, body, ctx), 201)

        return http.reply(await commands.transact(runtime, caller, act))

    @api.get("/referrals/{id}", **documents.answers(answers.OneReferral))
    async def read_referral(
        runtime: http.Serving,
        id: Id,
        staff: http.Staff,
        at: OnAxes,
    ) -> Response:
        """One referral, and what the caller may do about it. `may` and `version` are of now."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            axes = await at.axes(connection)
            items = await _shown(runtime, connection, [id], axes)
            if not items:
                raise NotFound(f"there is no referral {id}", what=id)
            if not is_own(items[0]["unit"], items[0]["post"], ctx):
                READ_REFERRAL.require(items[0]["unit"], ctx)
            basis = await stated(connection, axes)
            session = Session(runtime.service, runtime.settings, connection, ctx.now)
            await session.load([id])
            now = session.streams[id]
            ctx = commands.with_seen(ctx, await _seen(id, connection, now.state))
        own = [right for command, right in RIGHTS.items() if command is not ProposeReferral]
        verbs = may(own, referred(now.state, ctx), ctx)
        body = {**basis, **items[0], "version": now.revision, "revision": now.revision, "may": verbs}
        return http.json_response(body, version=now.revision)

    @api.post("/referrals/{id}/state-own-view", **documents.answers(Done))
    async def state_own_view(runtime: http.Serving, id: Id, body: StateOwnView, caller: http.Command) -> Response:
        """Say what the post has to say, once, before anybody decides."""
        return await _on(runtime, caller, id, body)

    @api.post("/referrals/{id}/pass-on", **documents.answers(Done))
    async def pass_on(runtime: http.Serving, id: Id, body: PassOn, caller: http.Command) -> Response:
        """Have serious neglect passed on to the competent body, after the post was heard."""
        return await _on(runtime, caller, id, body)

    @api.post("/referrals/{id}/praise-work", **documents.answers(Done))
    async def praise_work(runtime: http.Serving, id: Id, body: PraiseWork, caller: http.Command) -> Response:
        """Praise the work of the post."""
        return await _on(runtime, caller, id, body)

    @api.post("/referrals/{id}/drop-referral", **documents.answers(Done))
    async def drop_referral(runtime: http.Serving, id: Id, body: DropReferral, caller: http.Command) -> Response:
        """Pass nothing on, and praise nobody, with a reason."""
        return await _on(runtime, caller, id, body)

    @api.post("/referrals/{id}/note-receipt", **documents.answers(Done))
    async def note_receipt(runtime: http.Serving, id: Id, body: NoteReceipt, caller: http.Command) -> Response:
        """Note that the competent body has it."""
        return await _on(runtime, caller, id, body)

    return api


async def _on(runtime: Runtime, caller: commands.Caller, id: str, body: Command) -> Response:
    return http.reply(await commands.execute(runtime, caller, id, body, staff=True, see=functools.partial(_seen, id)))


async def _seen(id: str, connection: AsyncConnection, state: Any) -> dict[str, Any]:
    findings = state.proposed.findings if state.proposed else ()
    return {"stream": id, "standing": await found.standing(connection, findings)}


async def _shown(runtime: Runtime, connection: AsyncConnection, ids: list[str], axes: Axes) -> list[dict[str, Any]]:
    of = await histories(connection, ids, axes)
    events = [event for one in of.values() for event in one]
    incidents = {one[0].data.incident for one in of.values()} - {None}
    known = await numbers.of_streams(connection, runtime.service.metadata, incidents)
    refs = [ref for event in events for ref in event.words.values()]
    read = await words.resolve(connection, runtime.service.metadata, refs)
    return [found.shown(one, known, read) for one in of.values()]
