"""`POST /<service>/v1/words/erase`: the same in every service, for words of all its streams."""

import functools
from collections.abc import Sequence

from fastapi import APIRouter, Response
from sqlalchemy import select

from schemas import catalogue
from schemas.envelope import Event
from services.kernel.access.erasure import KIND, EraseWords
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound, Rejected
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, http, records
from services.kernel.serving.answers import Done
from services.kernel.serving.commands import Answer, Caller, with_seen
from services.kernel.store.session import Session


def add_route(api: APIRouter, service: str) -> None:
    """Adds the path to a service's API."""

    @api.post("/words/erase", name=f"erase words of {service}", **documents.answers(Done))
    async def erase_words(runtime: http.Serving, body: EraseWords, caller: http.Command) -> Response:
        """Delete words that people typed, here and everywhere. One person asks; another one confirms.

        The second person is of a unit above the unit that answers for the words; at the root, another person of the
        root. The events stay and show that there were words.
        """
        return http.reply(await erase(runtime, caller, await records.by_ids(runtime, body)))


async def erase(runtime: Runtime, caller: Caller, command: EraseWords) -> Answer:
    """One call, which asks or confirms."""
    service, stream = runtime.service.name, command.stream

    async def act(session: Session, ctx: Ctx) -> Answer:
        kind = catalogue.kind_of(stream)
        if kind == "report":
            raise Rejected("a report is erased whole; ask for it at its own path", code="erase-the-report")
        if kind == KIND or f"{service}.{kind}" not in catalogue.event_topics(service):
            raise NotFound(f"{service} has no {stream}", what=stream)
        events = await _events(session, stream)
        if not events:
            raise NotFound(f"there is no {stream}", what=stream)
        await session.load([command.request])
        refs = {ref for event in events for ref in event.words.values()}
        seen = with_seen(ctx, {"unit": _answers(session, events, ctx), "refs": refs})
        decided = commands.decide(session, command.request, command, seen, caller)
        for event in decided:
            if catalogue.is_erasure(event.type):
                await session.erase(event.data.refs, announce=True)
        return commands.answer(session, command.request, decided)

    return await commands.transact(runtime, caller, act)


async def _events(session: Session, stream: str) -> list[Event]:
    events = session.service.metadata.tables["events"]
    chosen = select(events.c.bytes).where(events.c.stream_id == stream).order_by(events.c.version)
    return [Event.parse(bytes_) for (bytes_,) in await session.connection.execute(chosen)]


def _answers(session: Session, events: Sequence[Event], ctx: Ctx) -> str:
    """The unit that answers for a stream: the unit in its state, or the unit that began it; else the root."""
    state, decider = None, session.service.deciders.get(events[0].kind)
    if decider is not None:
        state = functools.reduce(decider.evolve, events, decider.initial_state())
    unit = getattr(state, "unit", None) or events[0].unit
    if unit in ctx.offices.ever:
        return str(unit)
    return next(code for code, one in sorted(ctx.offices.units.items()) if one.parent is None)
