"""The HTTP paths of the addresses of posts. No answer shows an address."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from schemas.fields import UnitCode, Uuid
from services.escalation.answers import Addresses, Place
from services.escalation.commands import KeepAddress
from services.escalation.notify import channels, places, postbox
from services.escalation.notify.places import SetAddress
from services.escalation.rights import READ_ROSTER, SET_ADDRESS
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.serving import commands, documents, http
from services.kernel.serving.commands import Answer
from services.kernel.serving.paging import must_be_known
from services.kernel.store.session import Session

PlaceId = Annotated[Uuid, Path(description="The id of the place, see the list.")]


def add_routes(api: APIRouter) -> None:
    """Adds the list, and addition and removal for administrators of the post's unit or of one above it."""

    @api.get("/addresses", **documents.answers(Addresses))
    async def list_addresses(
        runtime: http.Serving,
        staff: http.Staff,
        unit: Annotated[UnitCode, Query(description="Whose posts, with those of units below.")],
    ) -> Response:
        """The places to which notices for posts go: post, kind of channel, language, and since when."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.units)
            READ_ROSTER.require(unit, ctx)
            found, below = await places.all_places(connection), ctx.offices.below(unit)
        items = [_shown(one) for one in found if one.post.partition("@")[2] in below]
        may = ["set-address", "end-address"] if SET_ADDRESS.holds(unit, ctx) else []
        return http.json_response({"items": items, "may": may})

    @api.post("/addresses", **documents.answers(Place, 201))
    async def set_address(runtime: http.Serving, body: SetAddress, caller: http.Command) -> Response:
        """Add an address of a post. Notices that arise from now on go there."""

        async def act(session: Session, ctx: Ctx) -> Answer:
            ctx.offices.post(body.post)
            SET_ADDRESS.require(body.post.partition("@")[2], ctx)
            way = await asyncio.to_thread(channels.way_of, body.address)
            # Twice the same address would double each notice.
            made = await places.same(session.connection, runtime.keys, body)
            if made is None:
                place = await places.add(session.connection, runtime.keys, body, way, ctx.now)
                made = await places.find(session.connection, place)
                assert made is not None, "it was added just now"
                await _kept(session, ctx, made)
            return Answer(_shown(made), 201)

        return http.reply(await commands.transact(runtime, caller, act))

    @api.post("/addresses/{place}/end", **documents.answers(Place))
    async def end_address(runtime: http.Serving, place: PlaceId, caller: http.Command) -> Response:
        """Forget an address of a post. Nothing more goes there."""

        async def act(session: Session, ctx: Ctx) -> Answer:
            found = await places.find(session.connection, place)
            if found is None:
                raise NotFound(f"there is no place {place!r}", what=place)
            SET_ADDRESS.require(found.post.partition("@")[2], ctx)
            await places.remove(session.connection, place)
            await _kept(session, ctx, found, ended=True)
            return Answer(_shown(found))

        return http.reply(await commands.transact(runtime, caller, act))


async def _kept(session: Session, ctx: Ctx, place: places.Place, *, ended: bool = False) -> None:
    """The change goes on record, without the address."""
    stream = postbox.stream_of_post(place.post)
    await session.load([stream])
    command = KeepAddress.model_validate(
        {"post": place.post, "way": place.way, "place": place.id, "language": place.language, "ended": ended}
    )
    session.decide(stream, command, ctx)


def _shown(place: places.Place) -> dict[str, str]:
    return {
        "place": place.id,
        "post": place.post,
        "way": place.way,
        "language": place.language,
        "since": place.since,
    }
