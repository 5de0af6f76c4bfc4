"""Channels, deliveries and answers to questions over HTTP, for staff."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.channels import ChannelKind
from schemas.fields import StatementRef, UnitCode
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.sending import webhook
from services.kernel.serving import commands as kernel
from services.kernel.serving import documents, http, records
from services.kernel.serving.answers import Done
from services.kernel.serving.commands import Answer
from services.kernel.serving.paging import Cursor, Limit, must_be_known
from services.kernel.store.session import Session
from services.publish import seen
from services.publish.delivering import answers, queries
from services.publish.delivering.channels import stream_of_channel
from services.publish.delivering.commands import ChangeChannel, Confirm, EndChannel, PlaceChannel, Retry
from services.publish.delivering.rights import PLACE_CHANNEL, Channel
from services.publish.rights import READ_STATEMENT
from services.publish.sending import secret_store
from services.publish.state import State

ChannelId = Annotated[str, Depends(http.stream_id("channel"))]
StatementId = Annotated[str, Depends(http.stream_id("statement"))]
END = EndChannel()
Place = PlaceChannel | ChangeChannel | EndChannel


def add_routes(api: APIRouter) -> None:
    """Adds the paths."""

    @api.get("/channels", **documents.answers(answers.Channels))
    async def list_channels(
        runtime: http.Serving,
        staff: http.Staff,
        unit: Annotated[UnitCode, Query(description="The unit.")],
    ) -> Response:
        """Where a unit says what it published: the office's own pages, and its further channels."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            READ_STATEMENT.require(unit, ctx)
            items = await queries.of_unit(connection, ctx, unit, runtime.settings)
        may = ["place-channel"] if PLACE_CHANNEL.holds(Channel(unit=unit), ctx) else []
        return http.json_response({"items": items, "next": None, "may": may})

    @api.post("/channels", **documents.answers(answers.ChannelDone, 201))
    async def place_channel(runtime: http.Serving, body: PlaceChannel, caller: http.Command) -> Response:
        """Gives a unit a further channel. The answer shows the secret of a webhook, once."""
        stream = stream_of_channel(body.unit, body.code)
        act = partial(_act, runtime, caller, stream, body, body.address, 201)
        return http.reply(await kernel.transact(runtime, caller, act))

    @api.post("/channels/{id}/change-channel", **documents.answers(answers.ChannelDone))
    async def change_channel(
        runtime: http.Serving, id: ChannelId, body: ChangeChannel, caller: http.Command
    ) -> Response:
        """Gives a channel another title, another address, or another secret, which is shown once."""
        act = partial(_act, runtime, caller, id, body, body.address, 200)
        return http.reply(await kernel.transact(runtime, caller, act))

    @api.post("/channels/{id}/end-channel", **documents.answers(answers.ChannelDone))
    async def end_channel(
        runtime: http.Serving, id: ChannelId, caller: http.Command, body: EndChannel = END
    ) -> Response:
        """Ends a channel. Nothing more goes there, also no correction."""
        return http.reply(await kernel.transact(runtime, caller, partial(_act, runtime, caller, id, body, None, 200)))

    @api.get("/deliveries", **documents.answers(answers.Deliveries))
    async def list_deliveries(
        runtime: http.Serving,
        staff: http.Staff,
        statement: Annotated[
            StatementRef | None, Query(description="Only of this statement, with the office's own pages.")
        ] = None,
        state: Annotated[answers.DeliveryState | None, Query(description="Only those of which this became.")] = None,
        kind: Annotated[ChannelKind | None, Query(description="Only at channels of this kind.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """What became of the releases of the caller's unit and the units below it, the newest release first."""
        statement = statement and await records.named(runtime, "statement", statement, "statement")
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            units = READ_STATEMENT.listed(ctx)
            page = await queries.list_deliveries(
                connection, ctx, units, runtime.settings,
                statement=statement, state=state, kind=kind, limit=limit, cursor=cursor,
            )  # fmt: skip
        return http.json_response({"items": page.rows, "next": page.next})

    @api.get("/replies", **documents.answers(answers.Replies))
    async def list_replies(
        runtime: http.Serving,
        staff: http.Staff,
        state: Annotated[answers.ReplyState | None, Query(description="Only those of which this became.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Published answers, for each report that named a place to which its answer is returned.

        The office's site administrator posts them there, and confirms it at the statement.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            units = READ_STATEMENT.listed(ctx)
            page = await queries.list_replies(connection, ctx, units, state=state, limit=limit, cursor=cursor)
        return http.json_response({"items": page.rows, "next": page.next})

    @api.post("/statements/{id}/confirm", **documents.answers(Done))
    async def confirm_delivery(
        runtime: http.Serving, id: StatementId, command: Confirm, caller: http.Command
    ) -> Response:
        """Says that the newest release was posted by hand. Another text than the approved one is refused."""
        see = partial(_for_delivery, id, command)
        return http.reply(await kernel.execute(runtime, caller, id, command, staff=True, see=see))

    @api.post("/statements/{id}/retry", **documents.answers(Done))
    async def retry_delivery(runtime: http.Serving, id: StatementId, command: Retry, caller: http.Command) -> Response:
        """Sends the newest release once more to a channel that did not take it."""
        see = partial(_for_delivery, id, command)
        return http.reply(await kernel.execute(runtime, caller, id, command, staff=True, see=see))


async def _for_delivery(
    id_: str, command: Confirm | Retry, connection: AsyncConnection, state: State
) -> Mapping[str, Any]:
    """The content of `ctx.seen` for a decision on a delivery."""
    report = command.report if isinstance(command, Confirm) else None
    question = await queries.question_of(connection, id_, report) if report else None
    return {"stream": id_, "channels": await seen.read_channels(connection, state.unit), "question": question}


async def _act(
    runtime: Runtime,
    caller: kernel.Caller,
    stream: str,
    command: Place,
    address: str | None,
    status: int,
    session: Session,
    ctx: Ctx,
) -> Answer:
    await session.load([stream])
    if session.streams[stream].version == 0 and not isinstance(command, PlaceChannel):
        raise NotFound(f"there is no {stream}", what=stream)
    known: Channel = session.streams[stream].state
    kind = command.kind if isinstance(command, PlaceChannel) else known.kind
    session.authorize(stream, command, ctx)
    if kind == "webhook" and address is not None:
        webhook.must_be_usable(address, private=runtime.settings.channels_private)
    kernel.decide(session, stream, command, ctx, caller, staff=not isinstance(command, PlaceChannel))
    secret = None
    if kind == "webhook" and (isinstance(command, PlaceChannel) or getattr(command, "renew_secret", False)):
        version = session.streams[stream].version
        secret = webhook.shown(await secret_store.renew(session.connection, runtime.keys, stream, version))
    revision = session.streams[stream].revision
    return Answer({"id": stream, "version": revision, "secret": secret}, status, revision)
