"""HTTP of messages between deployments: where a matter stands that was handed over, with receipts and proofs."""

import base64
import functools
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event
from schemas.handing import IncidentHandedOver
from schemas.messages import DeliveryRefused, DeliveryTaken, MessageReceived
from services.audit import queries, reach
from services.audit.between.answers import BetweenMessages
from services.audit.between.passing import delivery_of
from services.audit.rights import READ_MATTER
from services.audit.views import LINKS, PEER_PROGRESS, TIMELINE
from services.kernel.serving import documents, http


@functools.cache
def router() -> APIRouter:
    """`/audit/v1/incidents/{id}/messages`."""
    routes = http.router("/audit/v1", "audit")

    @routes.get("/incidents/{id}/messages", **documents.answers(BetweenMessages))
    async def list_messages(
        runtime: http.Serving, id: Annotated[str, Depends(http.stream_id("incident"))], staff: http.Staff
    ) -> Response:
        """What went between this deployment and others on a matter, with receipts and proofs.

        Everybody whose unit has a part in the matter may read it.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            await reach.must_reach(connection, ctx, id, READ_MATTER)
            items = await _items(connection, id)
        return http.json_response({"items": items})

    return routes


async def _items(connection: AsyncConnection, incident: str) -> list[Mapping[str, Any]]:
    size, _ = await queries.head(connection)
    of, linked = TIMELINE.c, select(LINKS.c.stream_id).where(LINKS.c.incident_id == incident)
    came = (of.stream_id.in_(linked), of.stream_id.between("message-", "message."))
    chosen = select(TIMELINE).where(
        of.position < size,
        or_(((of.stream_id == incident) & of.type.in_(sorted(catalogue.BETWEEN))), came[0] & came[1]),
    )
    events = [Event.parse(row.bytes) for row in await connection.execute(chosen.order_by(of.position))]
    streams = [delivery_of(one.id) for one in events if one.stream == incident]
    ended = select(TIMELINE.c.bytes).where(of.stream_id.in_(streams), of.version == 1, of.position < size)
    deliveries = [Event.parse(raw) for raw in (await connection.execute(ended)).scalars()]
    errors = {row.peer: row.error for row in await connection.execute(select(PEER_PROGRESS))}
    known = {one.stream: one for one in deliveries}
    return [
        _received(one) if one.stream != incident else _sent(one, known.get(delivery_of(one.id)), errors)
        for one in events
    ]


def _sent(event: Event, delivery: Event | None, errors: Mapping[str, str | None]) -> dict[str, Any]:
    said = "handed" if isinstance(event.data, IncidentHandedOver) else event.data.said
    told = _blank(event.data.to, "here", said, event.id, event.recorded_text)
    match delivery and delivery.data:
        case DeliveryTaken(receipt=receipt) as data:
            shown = receipt.model_dump(mode="json")
            ended = {"state": "taken", "taken_at": shown["at"], "record": receipt.record}
            return {**told, **ended, "receipt": shown, "signature": data.signature}
        case DeliveryRefused(cause=cause):
            return {**told, "state": "refused", "cause": cause}
    return {**told, "cause": errors.get(event.data.to)}


def _received(event: Event) -> dict[str, Any]:
    data: MessageReceived = event.data
    carried = base64.b64decode(data.event)
    told = _blank(data.of, "there", data.said, data.sent, Event.parse(carried).recorded_text)
    kept = {"content": carried.decode(), "proof": base64.b64decode(data.proof).decode()}
    return {**told, "state": "taken", "taken_at": event.recorded_text, "record": event.stream, **kept}


def _blank(peer: str, by: str, said: str, event: str, at: str) -> dict[str, Any]:
    empty = dict.fromkeys(("taken_at", "cause", "record", "receipt", "signature", "content", "proof"))
    return {"peer": peer, "sent_by": by, "said": said, "event": event, "at": at, "state": "waiting", **empty}
