"""Saved queries over HTTP: each unit keeps its own, and asks them of `/audit/v1/incidents` as every other question."""

import functools
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Response
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import Fact, Typed, instant
from schemas.operation import OperationQueryDropped, OperationQuerySaved, Question
from services.audit.basis import Basis
from services.audit.matters.listing import Wanted
from services.audit.matters.matters_api import checked
from services.audit.rights import KEEP_QUERIES
from services.audit.saved.answers import Asks, Kept, SavedQueries
from services.audit.saved.commands import ChangeQuery, DropQuery, SaveQuery
from services.audit.saved.periods import cut
from services.audit.views import METADATA, SAVED
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound, Rejected
from services.kernel.delivery import operations
from services.kernel.serving import documents, http
from services.kernel.serving.commands import Answer, Caller, must_have_seen, transact
from services.kernel.store import sql
from services.kernel.store.session import Session
from services.kernel.store.words import resolve

MOST = 100
"""The most questions that a unit keeps."""
Id = Annotated[str, Depends(http.stream_id("query"))]


@functools.cache
def router() -> APIRouter:
    """The paths of saved queries."""
    routes = http.router("/audit/v1", "audit")

    @routes.get("/saved-queries", **documents.answers(SavedQueries))
    async def list_saved_queries(runtime: http.Serving, staff: http.Staff) -> Response:
        """The questions that the unit of the caller keeps, each with the parameters that ask it now.

        A period such as the last month is cut in the time zone of the unit. Ask `/audit/v1/incidents`, or its export,
        with `asked`, and keep these parameters with a cursor.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            KEEP_QUERIES.require(ctx.actor.unit or "", ctx)
            chosen = select(SAVED).where(SAVED.c.unit == ctx.actor.unit).order_by(SAVED.c.saved_at, SAVED.c.query_id)
            rows = (await connection.execute(chosen.limit(MOST))).all()
            titles = await resolve(connection, METADATA, [row.title for row in rows])
            items = [_shown(row, titles(row.title), ctx) for row in rows]
        return http.json_response({"items": items})

    @routes.post("/saved-queries", **documents.answers(Kept, 201))
    async def save_query(runtime: http.Serving, body: SaveQuery, caller: http.Command) -> Response:
        """Keep a question under a title, for the unit of the caller."""

        async def act(session: Session, ctx: Ctx) -> Answer:
            unit = await _held(session, ctx)
            count = select(func.count()).select_from(SAVED).where(SAVED.c.unit == unit)
            if (await session.connection.execute(count)).scalar_one() >= MOST:
                raise Rejected(
                    f"{unit} keeps {MOST} questions already; remove one first",
                    code="saved-queries-full",
                    unit=unit,
                    most=MOST,
                )
            id_ = ctx.ids.new("query")
            return await _keep(session, ctx, id_, await _saved(session.connection, ctx, id_, body), 201)

        return http.reply(await transact(runtime, caller, act))

    @routes.post("/saved-queries/{id}/change-query", **documents.answers(Kept))
    async def change_query(runtime: http.Serving, id: Id, body: ChangeQuery, caller: http.Command) -> Response:
        """Keep another question, or another title, in the place of one that the unit of the caller keeps."""

        async def act(session: Session, ctx: Ctx) -> Answer:
            await _must_be_kept(session.connection, id, await _held(session, ctx), caller)
            return await _keep(session, ctx, id, await _saved(session.connection, ctx, id, body))

        return http.reply(await transact(runtime, caller, act))

    @routes.post("/saved-queries/{id}/drop-query", **documents.answers(Kept))
    async def drop_query(runtime: http.Serving, id: Id, body: DropQuery, caller: http.Command) -> Response:
        """Keep a question of the unit of the caller no more."""

        async def act(session: Session, ctx: Ctx) -> Answer:
            unit = await _held(session, ctx)
            await _must_be_kept(session.connection, id, unit, caller)
            return await _keep(session, ctx, id, OperationQueryDropped(query=id, unit=unit))

        return http.reply(await transact(runtime, caller, act))

    return routes


async def _held(session: Session, ctx: Ctx) -> str:
    """The unit of the actor, whose questions nobody else changes until the transaction ends.

    Raises `Forbidden` unless the actor is a member of its staff.
    """
    unit = ctx.actor.unit or ""
    KEEP_QUERIES.require(unit, ctx)
    # Not the day's stream, which is another one after midnight.
    await sql.lock(session.connection, sql.Hold("saved", [unit]))
    return unit


async def _must_be_kept(connection: AsyncConnection, id_: str, unit: str, caller: Caller) -> None:
    """Raises unless the unit keeps the question, and the caller saw it as it is."""
    chosen = select(SAVED.c.revision).where(SAVED.c.query_id == id_, SAVED.c.unit == unit)
    row = (await connection.execute(chosen)).first()
    if row is not None:
        must_have_seen(id_, row.revision, caller)
    else:
        raise NotFound(f"{unit} keeps no question {id_}", what=id_)


async def _saved(connection: AsyncConnection, ctx: Ctx, id_: str, body: SaveQuery) -> Fact:
    """The event that keeps a question. Raises `Malformed` for a code that neither exists nor stands in the record."""
    wanted = Wanted(
        post=body.post,
        level=body.level,
        category=body.category,
        state=body.state,
        clock=body.clock,
        clock_state=body.clock_state,
        drill=body.drill,
    )
    await checked(connection, ctx, (wanted, body.type, body.unit, None), await Basis().axes(connection))
    asks = Question(**body.model_dump(exclude={"title"}))
    return OperationQuerySaved(query=id_, unit=ctx.actor.unit or "", title=Typed(text=body.title), asks=asks)


async def _keep(session: Session, ctx: Ctx, id_: str, fact: Fact, status: int = 200) -> Answer:
    await operations.record(session, ctx, fact)
    return Answer({"id": id_}, status)


def _shown(row: Any, title: str | None, ctx: Ctx) -> dict[str, Any]:
    asks = orjson.loads(row.asks)
    said = {
        "id": row.query_id,
        "title": title,
        "unit": row.unit,
        "by": row.by,
        "saved_at": row.saved_at,
        "revision": row.revision,
    }
    return {**said, "asks": dict.fromkeys(Asks.model_fields) | asks, "asked": _asked(asks, ctx)}


def _asked(asks: dict[str, Any], ctx: Ctx) -> dict[str, str]:
    """The parameters of the list of matters that ask a question now."""
    same = {name: str(value).lower() if name == "drill" else value for name, value in asks.items() if name != "period"}
    if "period" not in asks:
        return same
    first, last = cut(asks["period"], ctx.now, ctx.offices.zone_of(ctx.actor.unit or ""))
    return {**same, "from": instant(first), "to": instant(last)}
