"""A matter that nobody has reported yet, over HTTP: `POST incidents` registers it."""

import functools

from fastapi import APIRouter, Response

from services.kernel.core.decider import Ctx
from services.kernel.serving import commands, documents, http
from services.kernel.serving.answers import Done
from services.kernel.store.session import Session
from services.triage.owed.answering_commands import Register
from services.triage.rights import REGISTER


@functools.cache
def router() -> APIRouter:
    """The path of the registration."""
    routes = http.router("/triage/v1", "triage")

    @routes.post("/incidents", **documents.answers(Done, 201))
    async def register_incident(runtime: http.Serving, body: Register, caller: http.Command) -> Response:
        """Opens a matter before anybody has reported it. Its facts and its response are prepared as of any matter.

        Limits that count from the discovery run from the first report, which joins by a merger.
        """

        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            ctx.offices.unit(body.unit)
            REGISTER.require(body.unit, ctx)
            stream = ctx.ids.new("incident")
            session.begin(stream).drill = ctx.offices.drills(body.unit)
            await session.hold_numbers([body.unit], ctx)
            return commands.answer(session, stream, session.decide(stream, body, ctx), 201)

        return http.reply(await commands.transact(runtime, caller, act))

    return routes
