"""Statements over HTTP, for staff."""

import functools
from collections.abc import Collection
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from schemas.fields import IncidentRef, UnitCode, instant
from services.kernel.access.operating import LOOK
from services.kernel.core.commands import Command
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import NotFound, Rejected
from services.kernel.core.uuid7 import RandomIds
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands as kernel
from services.kernel.serving import documents, erasure, http, operating, records
from services.kernel.serving.answers import Done
from services.kernel.serving.paging import Cursor, Limit
from services.kernel.serving.problems import language_of, spoken
from services.kernel.store.session import Session
from services.publish import answers, bulletin, queries, seen
from services.publish.attaching import api as attaching
from services.publish.commands import (
    Approve,
    CannotJudge,
    Check,
    Correct,
    Draft,
    Preview,
    PreviewAlert,
    PreviewDraft,
    Publish,
    Reject,
    Revise,
    Submit,
    Unschedule,
    Withdraw,
)
from services.publish.delivering import api as delivering
from services.publish.verifying import post_keys

SUBMIT, APPROVE, PUBLISH, UNSCHEDULE = Submit(), Approve(), Publish(), Unschedule()
PREVIEW_ALERT = PreviewAlert()
"""The command of a request without a body."""
SIGNED = (Approve, Reject, CannotJudge, Publish, Correct, Withdraw)
"""The commands that a post signs."""
Id = Annotated[str, Depends(http.stream_id("statement"))]


async def _files(runtime: Runtime, id_: str, actor: Actor) -> Collection[str] | None:
    async with runtime.database.read() as connection:
        found = await queries.one_statement(connection, await runtime.context(connection, actor), id_)
    return found and [one["file"] for one in found["files"]]


@functools.cache
def router() -> APIRouter:
    """`/publish/v1`.

    Commands take `If-Match` with the version that the officer saw. Commands without fields take no body or {}.
    """
    api = http.router("/publish/v1", "publish")
    erasure.add_route(api, "publish")
    operating.add_routes(api, "publish")
    delivering.add_routes(api)
    attaching.add_routes(api, _files)

    async def act(runtime: Runtime, id_: str, caller: kernel.Caller, command: Command) -> Response:
        see = partial(seen.for_statement, id_)
        prepare = post_keys.signing(runtime, id_) if isinstance(command, SIGNED) else None
        return http.reply(await kernel.execute(runtime, caller, id_, command, staff=True, see=see, prepare=prepare))

    @api.post("/statements", **documents.answers(Done, 201))
    async def draft_statement(runtime: http.Serving, command: Draft, caller: http.Command) -> Response:
        """Begins a statement. A statement on a drill is part of the drill."""
        stream, command = RandomIds().new("statement"), await records.by_ids(runtime, command)

        async def begin(session: Session, ctx: Ctx) -> kernel.Answer:
            incident = await queries.drafted_on(session.connection, ctx, command.incident_id, command.unit)
            session.begin(stream).drill = incident is not None and incident.drill
            await session.hold_numbers(incident.units if incident else (), ctx)
            known = kernel.with_seen(ctx, {"stream": stream, "incident": incident})
            return kernel.answer(session, stream, session.decide(stream, command, known), 201)

        return http.reply(await kernel.transact(runtime, caller, begin))

    @api.post("/statements/{id}/revise", **documents.answers(Done))
    async def revise_statement(runtime: http.Serving, id: Id, command: Revise, caller: http.Command) -> Response:
        """Changes the text before publication. Earlier approvals are void."""
        return await act(runtime, id, caller, command)

    @api.post("/statements/{id}/submit", **documents.answers(Done))
    async def submit_statement(
        runtime: http.Serving, id: Id, caller: http.Command, command: Submit = SUBMIT
    ) -> Response:
        """Asks for the approvals that the matter's pack chooses for this text."""
        return await act(runtime, id, caller, command)

    @api.post("/statements/{id}/check", **documents.answers(Done))
    async def check_statement(runtime: http.Serving, id: Id, command: Check, caller: http.Command) -> Response:
        """Passes a gate of the submitted text, or sends the text back at it."""
        return await act(runtime, id, caller, command)

    @api.post("/statements/{id}/approve", **documents.answers(Done))
    async def approve_statement(
        runtime: http.Serving, id: Id, caller: http.Command, command: Approve = APPROVE
    ) -> Response:
        """Agrees at the present step, as one of its posts, as a body, or for a post that delegated."""
        return await act(runtime, id, caller, command)

    @api.post("/statements/{id}/reject", **documents.answers(Done))
    async def reject_statement(runtime: http.Serving, id: Id, command: Reject, caller: http.Command) -> Response:
        """Sends the text back."""
        return await act(runtime, id, caller, command)

    @api.post("/statements/{id}/cannot-judge", **documents.answers(Done))
    async def pass_statement_on(runtime: http.Serving, id: Id, command: CannotJudge, caller: http.Command) -> Response:
        """Sends the text to the post that decides what an approver cannot judge."""
        return await act(runtime, id, caller, command)

    @api.post("/statements/{id}/publish", **documents.answers(Done))
    async def publish_statement(
        runtime: http.Serving, id: Id, caller: http.Command, command: Publish = PUBLISH
    ) -> Response:
        """Puts the approved text on the bulletin, now or at an instant."""
        return await act(runtime, id, caller, command)

    @api.post("/statements/{id}/unschedule", **documents.answers(Done))
    async def unschedule_statement(
        runtime: http.Serving, id: Id, caller: http.Command, command: Unschedule = UNSCHEDULE
    ) -> Response:
        """Takes back the instant of a publication. The text stays approved."""
        return await act(runtime, id, caller, command)

    @api.post("/statements/{id}/correct", **documents.answers(Done))
    async def correct_statement(runtime: http.Serving, id: Id, command: Correct, caller: http.Command) -> Response:
        """Replaces the published text. The earlier one stays visible."""
        return await act(runtime, id, caller, command)

    @api.post("/statements/{id}/withdraw", **documents.answers(Done))
    async def withdraw_statement(runtime: http.Serving, id: Id, command: Withdraw, caller: http.Command) -> Response:
        """Withdraws the statement. Its text stays visible as withdrawn."""
        return await act(runtime, id, caller, command)

    @api.get("/post-keys", **documents.answers(answers.PostKeys))
    async def list_post_keys(runtime: http.Serving, staff: http.Staff) -> Response:
        """The keys with which posts of the caller's unit and of the units below it sign, oldest first."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
        LOOK.require(staff.unit or "", ctx)
        items = [one for one in await post_keys.every(runtime) if LOOK.holds(one["post"].partition("@")[2], ctx)]
        return http.json_response({"items": items, "next": None})

    @api.get("/statements", **documents.answers(answers.Statements))
    async def list_statements(
        runtime: http.Serving,
        staff: http.Staff,
        incident: Annotated[IncidentRef | None, Query(description="Only statements on this incident.")] = None,
        state: Annotated[answers.Phase | None, Query(description="Only statements in this state.")] = None,
        outdated: Annotated[
            bool | None, Query(description="`true`: only published ones that use a fact which was revised since.")
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Statements of the caller's unit and the units below it, and on matters in which one of these has a part.

        Newest draft first. `may` of a statement holds the commands that the caller may send now. With `incident`, the
        list's own `may` says whether the caller may draft on it; without, whether the caller may draft a notice.
        """
        incident = incident and await records.named(runtime, "incident", incident, "incident")
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            page = await queries.list_statements(
                connection, ctx, incident=incident, state=state, outdated=outdated, limit=limit, cursor=cursor
            )
            verbs = await queries.may_draft(connection, ctx, incident)
        return http.json_response({"items": page.rows, "next": page.next, "may": verbs})

    @api.get("/templates", **documents.answers(answers.Templates))
    async def list_templates(
        runtime: http.Serving,
        staff: http.Staff,
        incident: Annotated[
            IncidentRef | None, Query(description="The incident of the draft; without it, those of a notice.")
        ] = None,
        unit: Annotated[UnitCode | None, Query(description="The unit that speaks; by default as for a draft.")] = None,
    ) -> Response:
        """The templates of the matter's pack for a draft, each filled from the facts, for who may begin one."""
        incident = incident and await records.named(runtime, "incident", incident, "incident")
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            if unit is not None:
                ctx.offices.unit(unit)
            found = await queries.templates_for(connection, ctx, incident, unit)
        return http.json_response({"items": found, "next": None})

    @api.get("/statements/{id}", **documents.answers(answers.WholeStatement))
    async def read_statement(runtime: http.Serving, request: Request, id: Id, staff: http.Staff) -> Response:
        """One statement with its words and all its public texts. `If-Match` takes the `ETag`.

        `may_not` says why the caller may not take the next steps, in the best language of `Accept-Language`.
        """
        async with runtime.database.read() as connection:
            found = await queries.one_statement(connection, await runtime.context(connection, staff), id)
        if found is None:
            raise NotFound(f"there is no {id} that you may read", what=id)
        refused = [problem.body(language_of(request)) for problem in found.pop("may_not", ())]
        said = [{name: one[name] for name in ("type", "title", "detail")} | {"verb": one["act"]} for one in refused]
        headers = spoken(language_of(request))
        return http.json_response({**found, "may_not": said}, version=found["version"], headers=headers)

    @api.get("/statements/{id}/history", **documents.answers(answers.HistoryOfStatement))
    async def read_history(runtime: http.Serving, id: Id, staff: http.Staff) -> Response:
        """What was done on a statement: each text, and what each person decided and said, on which text."""
        async with runtime.database.read() as connection:
            found = await queries.history_of(connection, await runtime.context(connection, staff), id)
        if found is None:
            raise NotFound(f"there is no {id} that you may read", what=id)
        return http.json_response({"items": found, "next": None})

    @api.post(
        "/statements/{id}/preview-alert",
        **documents.answers_content("The alert.", {"application/cap+xml": bulletin.SIGNED}),
    )
    async def preview_alert(
        runtime: http.Serving, id: Id, staff: http.Staff, command: PreviewAlert = PREVIEW_ALERT
    ) -> Response:
        """The alert (CAP 1.2) of a statement that was published in an exercise, with the status `Exercise`.

        It is for a trial of receivers, and on no public page. A real alert stands on the bulletin. Nothing changes.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            known = await queries.one_statement(connection, ctx, id)
            if known is None:
                raise NotFound(f"there is no {id} that you may read", what=id)
            found = await bulletin.of_exercise(runtime, connection, ctx.offices, id)
        if found is None:
            raise Rejected(
                f"{id} is no published alert of an exercise; a real alert stands on the bulletin", code="no-alert"
            )
        return found

    @api.post("/statements/{id}/preview", **documents.answers_content("The page.", bulletin.PAGE))
    async def preview_statement(runtime: http.Serving, id: Id, staff: http.Staff, command: Preview) -> Response:
        """The statement's page as the bulletin would show it, with another text if the body has one. Nothing changes.

        On a published statement a text stands as its correction, and a reason alone as its withdrawal.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            found = await queries.one_statement(connection, ctx, id)
            if found is None:
                raise NotFound(f"there is no {id} that you may read", what=id)
            typed = await queries.resolved(connection, ctx, found, command)
            row = await bulletin.as_public(connection, found, typed, instant(ctx.now))
        return bulletin.preview(runtime, row, ctx.offices)

    @api.post("/preview", **documents.answers_content("The page.", bulletin.PAGE))
    async def preview_draft(runtime: http.Serving, staff: http.Staff, command: PreviewDraft) -> Response:
        """The page that a statement would have on the bulletin, for who may begin it. Nothing is stored."""
        command = await records.by_ids(runtime, command)
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            if command.unit is not None:
                ctx.offices.unit(command.unit)
            if not await queries.may_draft(connection, ctx, command.incident_id, command.unit):
                what = command.incident_id or command.unit or "matter"
                raise NotFound(f"there is no {what} on which you may write", what=what)
            about = {"id": "", "incident_id": command.incident_id, "unit": command.unit or ""}
            typed = await queries.resolved(connection, ctx, about, command)
            row = await bulletin.unbegun(connection, typed, instant(ctx.now), ctx.actor.unit or "")
        return bulletin.preview(runtime, row, ctx.offices)

    return api
