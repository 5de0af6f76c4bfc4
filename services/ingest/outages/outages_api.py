"""HTTP of outages: probes tell of them, staff read them."""

import functools
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from schemas.catalogue import kind_of
from schemas.envelope import Event
from schemas.fields import instant
from services.ingest import answers
from services.ingest.api import sender
from services.ingest.outages import decider, finding
from services.ingest.outages.commands import Observe, Tell
from services.ingest.rights import RIGHTS
from services.ingest.views import HEARD
from services.kernel.core.decider import Actor, Ctx
from services.kernel.serving import documents, http
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.serving.paging import At, Cursor, Limit, must_be_a_time
from services.kernel.store import sql
from services.kernel.store.session import Session

KIND = decider.DECIDER.kind


@functools.cache
def router() -> APIRouter:
    """`/ingest/v1/outages`."""
    api = http.router("/ingest/v1", "outages_api")

    @api.post("/outages", **documents.answers(answers.OutagesTold))
    async def tell_outages(runtime: http.Serving, body: Tell, actor: Annotated[Actor, Depends(sender)]) -> Response:
        """A probe tells what it saw. What it told before, and what another probe told, is the same outage.

        A probe tells each time, also that all is well: the answer says that the way in records what comes.
        """
        decider.must_be_possible(body)

        async def act(session: Session, ctx: Ctx) -> Answer:
            RIGHTS[Tell].require(actor.unit or "", ctx)
            if body.seen or await finding.going_on(session.connection):
                # Two probes that tell at once must find each other's outage.
                await sql.lock(session.connection, sql.Hold("operation", ["outages"]))
                events = await _record(session, body, ctx)
            else:
                events = []
            heard = {"integration": actor.post, "at": instant(ctx.now), "every": body.every}
            await sql.upsert(session.connection, HEARD, [heard])
            recorded = tuple(dict.fromkeys(event.stream for event in events))
            return Answer({"recorded": recorded, "at": instant(ctx.now)}, events=tuple(events))

        return http.reply(await transact(runtime, Caller(actor=actor), act))

    @api.get("/outages", **documents.answers(answers.Outages))
    async def list_outages(
        runtime: http.Serving,
        staff: http.Staff,
        going_on: Annotated[
            bool | None, Query(description="Only those that go on, or only those that are over.")
        ] = None,
        begin: Annotated[At | None, Query(alias="from", description="Only what lasted until then or longer.")] = None,
        to: Annotated[At | None, Query(description="Only what had begun by then.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Outages of the deployment's public addresses, the latest first, and the probes that tell of them.

        All staff may read them. That there is no outage says little while each probe is silent.
        """
        must_be_a_time("to", begin, to)
        async with runtime.database.read() as connection:
            rows, further = await finding.page(
                connection, going_on=going_on, begin=begin, end=to, cursor=cursor, limit=limit
            )
            probes = await finding.probes(connection, runtime.time_source.now())
        return http.json_response({"items": [finding.shown(row) for row in rows], "next": further, "probes": probes})

    return api


async def _record(session: Session, told: Tell, ctx: Ctx) -> list[Event]:
    events: list[Event] = []
    for seen in told.seen:
        # What was recorded just now is not in the table yet.
        loaded = {id_: one.state for id_, one in session.streams.items() if kind_of(id_) == KIND}
        mine = (id_ for id_, state in loaded.items() if decider.is_same(state, seen))
        stream = next(mine, None) or await finding.same(session.connection, seen)
        if stream is None:
            stream = ctx.ids.new(KIND)
            session.begin(stream)
        await session.load([stream])
        events += session.decide(stream, Observe(seen=seen, at=told.at), ctx)
    for stream in await finding.going_on(session.connection):
        await session.load([stream])
        state: decider.State = session.streams[stream].state
        if (ends := decider.over(state, told, ctx.actor.post)) is not None:
            events += session.decide(stream, ends, ctx)
    return events
