"""The press part of a matter over HTTP, for staff."""

import functools
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import stream_of
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands as kernel
from services.kernel.serving import documents, http, records
from services.kernel.serving.answers import Done
from services.kernel.store.session import Session
from services.publish.press import queries
from services.publish.press.answers import PressPart
from services.publish.press.commands import (
    CallConference,
    CancelConference,
    FixSpeakers,
    HoldConference,
    LogContact,
    PostponeConference,
)

Id = Annotated[str, Depends(http.stream_id("incident"))]


@functools.cache
def router() -> APIRouter:
    """`/publish/v1/press/{id}`, where `id` is the matter. Nothing is listed across matters."""
    routes = http.router("/publish/v1", "publish")

    async def act(runtime: Runtime, incident: str, caller: kernel.Caller, command: Command) -> Response:
        stream, command = stream_of("press", incident), await records.by_ids(runtime, command)

        async def decided(session: Session, ctx: Ctx) -> kernel.Answer:
            named = getattr(command, "statement", None)
            seen = await queries.for_press(session.connection, incident, named)
            await session.load([stream])
            if session.streams[stream].version == 0 and seen["incident"] is not None:
                session.streams[stream].drill = seen["incident"].drill
            known = kernel.with_seen(ctx, seen)
            return kernel.answer(session, stream, kernel.decide(session, stream, command, known, caller, staff=True))

        return http.reply(await kernel.transact(runtime, caller, decided))

    @routes.get("/press/{id}", **documents.answers(PressPart))
    async def read_press(runtime: http.Serving, id: Id, staff: http.Staff) -> Response:
        """Who speaks on a matter, its press conferences, and what media were given."""
        async with runtime.database.read() as connection:
            found = await queries.press_of(connection, await runtime.context(connection, staff), id)
        if found is None:
            raise NotFound(f"there is no {id} that you may read", what=id)
        return http.json_response(found, version=found["version"])

    @routes.post("/press/{id}/fix-speakers", **documents.answers(Done))
    async def fix_speakers(runtime: http.Serving, id: Id, command: FixSpeakers, caller: http.Command) -> Response:
        """Fixes who speaks on a matter, who also approves, and who is interviewed."""
        return await act(runtime, id, caller, command)

    @routes.post("/press/{id}/call-conference", **documents.answers(Done))
    async def call_conference(runtime: http.Serving, id: Id, command: CallConference, caller: http.Command) -> Response:
        """Calls a press conference."""
        return await act(runtime, id, caller, command)

    @routes.post("/press/{id}/postpone-conference", **documents.answers(Done))
    async def postpone_conference(
        runtime: http.Serving, id: Id, command: PostponeConference, caller: http.Command
    ) -> Response:
        """Puts a press conference off."""
        return await act(runtime, id, caller, command)

    @routes.post("/press/{id}/cancel-conference", **documents.answers(Done))
    async def cancel_conference(
        runtime: http.Serving, id: Id, command: CancelConference, caller: http.Command
    ) -> Response:
        """Calls a press conference off."""
        return await act(runtime, id, caller, command)

    @routes.post("/press/{id}/hold-conference", **documents.answers(Done))
    async def hold_conference(runtime: http.Serving, id: Id, command: HoldConference, caller: http.Command) -> Response:
        """Records a press conference with the text that was read out, which must be the statement's own."""
        return await act(runtime, id, caller, command)

    @routes.post("/press/{id}/log-contact", **documents.answers(Done))
    async def log_contact(runtime: http.Serving, id: Id, command: LogContact, caller: http.Command) -> Response:
        """Logs what a medium was given. A text that differs from the statement is refused."""
        return await act(runtime, id, caller, command)

    return routes
