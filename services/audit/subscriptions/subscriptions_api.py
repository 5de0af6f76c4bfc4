"""Subscriptions: events of a unit's matters, or of an integration's own reports, at an address by webhooks."""

import functools
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import Fact, Typed
from schemas.operation import (
    OperationSubscriptionEnded,
    OperationSubscriptionMade,
    OperationSubscriptionRenewed,
    OperationSubscriptionReplayed,
)
from services.audit import queries
from services.audit.rights import SUBSCRIBE
from services.audit.subscriptions import sending, told
from services.audit.subscriptions.answers import Subscribed, SubscriptionDeliveries, SubscriptionDone, Subscriptions
from services.audit.subscriptions.commands import Replay, Subscribe
from services.audit.views import DELIVERIES, INTEGRATION_KEYS, METADATA, SUBSCRIPTION_SECRETS, SUBSCRIPTIONS
from services.kernel.access.integrations import PREFIX, key_digest
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import Malformed, NotFound, Rejected, Unauthenticated
from services.kernel.delivery import operations
from services.kernel.sending import webhook
from services.kernel.serving import documents, http, sign_in
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.serving.sign_in import SignIn
from services.kernel.store import sql
from services.kernel.store.session import Session
from services.kernel.store.words import resolve

MOST = 20
"""The most subscriptions of a unit, with those of its integrations."""
Id = Annotated[str, Depends(http.stream_id("subscription"))]


async def _judge(request: Request, credential: str) -> Actor:
    if not credential.startswith(PREFIX):
        return await sign_in.staff(request, credential)
    of = INTEGRATION_KEYS.c
    async with http.asked(request).database.read() as connection:
        row = (await connection.execute(select(INTEGRATION_KEYS).where(of.digest == key_digest(credential)))).first()
    if row is None or row.revoked_at is not None or row.scope != "ingest":
        raise Unauthenticated(
            "this key is unknown or was revoked; ask the office's administrator for a new one", code="key-unknown"
        )
    return Actor(row.integration, row.unit, frozenset({"integration"}))


SUBSCRIBER = SignIn(_judge, sign_in.KEY, sign_in.STAFF)
"""An integration by its key, or a member of staff by their token."""
Who = Annotated[Actor, Depends(SUBSCRIBER)]


async def _caller(request: Request, who: Who, idempotency_key: http.IdempotencyKey = None) -> Caller:
    return await http.conditions(request, who, None, idempotency_key, None)


Once = Annotated[Caller, Depends(_caller)]
"""Who asks, for what makes a secret: a repetition with the same `Idempotency-Key` makes no second one."""


@functools.cache
def router() -> APIRouter:
    """The paths of subscriptions."""
    routes = http.router("/audit/v1", "audit")

    @routes.get("/subscriptions", **documents.answers(Subscriptions))
    async def list_subscriptions(runtime: http.Serving, who: Who) -> Response:
        """The subscriptions of the caller's unit, with those of its integrations; of an integration, its own.

        Each shows how far the sending is. It shows no secret.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, who)
            chosen = select(SUBSCRIPTIONS).where(_own(ctx)).order_by(SUBSCRIPTIONS.c.made_at, SUBSCRIPTIONS.c.id)
            rows = (await connection.execute(chosen)).all()
            addresses = await resolve(connection, METADATA, [row.address for row in rows])
            delivered = await _delivered(connection, ctx)
            items = [
                _shown(row, addresses(row.address), await sending.progress(connection, row), delivered.get(row.id))
                for row in rows
            ]
            size, _ = await queries.head(connection)
            may = () if await _is_full(connection, who.unit or "") else ("subscribe",)
        types = sorted(map(told.short, told.offered(to_integration=not ctx.actor.is_staff)))
        return http.json_response({"items": items, "size": size, "types": types, "may": may})

    @routes.post("/subscriptions", **documents.answers(Subscribed, 201))
    async def make_subscription(runtime: http.Serving, body: Subscribe, caller: Once) -> Response:
        """Get events at an address, signed as Standard Webhooks describe. The answer shows the secret, once.

        A unit's administrator gets what concerns the matters of the unit and those below it; an integration gets what
        becomes of its own reports. Messages hold facts, and neither words nor posts. See `docs/webhooks.md`. A
        repetition with the same `Idempotency-Key` makes no second one, and shows no secret.
        """
        secret = None

        async def act(session: Session, ctx: Ctx) -> Answer:
            nonlocal secret
            unit = await _held(session, ctx)
            webhook.must_be_usable(body.address, private=runtime.settings.channels_private)
            offered = told.offered(to_integration=not ctx.actor.is_staff)
            for name in body.types:
                if not told.types_of(name) & offered:
                    raise Malformed(
                        f"types: no events of the type {name!r} are sent",
                        code="not-in-list",
                        field="types",
                        known=sorted(set(map(told.short, offered))),
                    )
            if await _is_full(session.connection, unit):
                raise Rejected(
                    f"{unit} has {MOST} subscriptions already; end one first",
                    code="subscriptions-full",
                    unit=unit,
                    most=MOST,
                )
            size, _ = await queries.head(session.connection)
            id_ = ctx.ids.new("subscription")
            fact = OperationSubscriptionMade(
                subscription=id_,
                unit=unit,
                integration=None if ctx.actor.is_staff else ctx.actor.post,
                address=Typed(text=body.address),
                types=body.types,
                drills=body.drills,
                position=size if body.position is None else _known(body.position, size),
            )
            secret = await sending.renew(session.connection, runtime.keys, id_, 1)
            return await _keep(session, ctx, id_, fact)

        answer = await transact(runtime, caller, act)
        return http.json_response({**answer.body, "secret": secret}, status=201)

    @routes.delete("/subscriptions/{id}", **documents.answers(SubscriptionDone))
    async def end_subscription(runtime: http.Serving, id: Id, who: Who) -> Response:
        """Ends a subscription for good. Nothing more is sent. A repetition changes nothing."""

        async def act(session: Session, ctx: Ctx) -> Answer:
            row = await _mine(session, ctx, id)
            if row.state == "ended":
                return Answer({"id": id})
            await session.connection.execute(delete(SUBSCRIPTION_SECRETS).where(SUBSCRIPTION_SECRETS.c.id == id))
            return await _keep(session, ctx, id, OperationSubscriptionEnded(subscription=id, unit=row.unit))

        return http.reply(await transact(runtime, Caller(actor=who), act))

    @routes.post("/subscriptions/{id}/renew-secret", **documents.answers(Subscribed))
    async def renew_secret(runtime: http.Serving, id: Id, caller: Once) -> Response:
        """Gives a subscription another secret, which is shown once. The former one counts for nothing more."""
        secret = None

        async def act(session: Session, ctx: Ctx) -> Answer:
            nonlocal secret
            row = _going(await _mine(session, ctx, id))
            secret = await sending.renew(session.connection, runtime.keys, id, row.secret + 1)
            return await _keep(session, ctx, id, OperationSubscriptionRenewed(subscription=id, unit=row.unit))

        answer = await transact(runtime, caller, act)
        return http.json_response({**answer.body, "secret": secret})

    @routes.post("/subscriptions/{id}/replay", **documents.answers(SubscriptionDone))
    async def replay_subscription(runtime: http.Serving, id: Id, body: Replay, who: Who) -> Response:
        """Sends again from a position of the log on, under the same ids; also after the subscription was disabled."""

        async def act(session: Session, ctx: Ctx) -> Answer:
            row = _going(await _mine(session, ctx, id))
            size, _ = await queries.head(session.connection)
            at = _known(body.position, size)
            fact = OperationSubscriptionReplayed(subscription=id, unit=row.unit, position=at)
            return await _keep(session, ctx, id, fact)

        return http.reply(await transact(runtime, Caller(actor=who), act))

    @routes.get("/subscriptions/{id}/deliveries", **documents.answers(SubscriptionDeliveries))
    async def list_webhook_deliveries(runtime: http.Serving, id: Id, who: Who) -> Response:
        """The newest messages of a subscription: their positions, tries, and what became of them."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, who)
            known = select(SUBSCRIPTIONS.c.id).where(SUBSCRIPTIONS.c.id == id, _own(ctx))
            if (await connection.execute(known)).first() is None:
                raise _unknown(id, ctx)
            chosen = select(DELIVERIES).where(DELIVERIES.c.id == id).order_by(DELIVERIES.c.position.desc())
            rows = (await connection.execute(chosen.limit(sending.KEPT))).mappings().all()
        items = [
            {
                **{name: row[name] for name in ("position", "event", "type", "tries", "error", "at")},
                "state": "waiting" if row["error"] else "delivered",
            }
            for row in rows
        ]
        return http.json_response({"items": items})

    return routes


def _own(ctx: Ctx) -> Any:
    """The condition on the subscriptions of the caller. Raises `Forbidden` for staff without the right."""
    if not ctx.actor.is_staff:
        return SUBSCRIPTIONS.c.integration == ctx.actor.post
    SUBSCRIBE.require(ctx.actor.unit or "", ctx)
    return SUBSCRIPTIONS.c.unit == ctx.actor.unit


async def _held(session: Session, ctx: Ctx) -> str:
    """The unit of the caller, whose subscriptions nobody else changes until the transaction ends."""
    _own(ctx)
    unit = ctx.actor.unit or ""
    await sql.lock(session.connection, sql.Hold("subscriptions", [unit]))
    return unit


async def _mine(session: Session, ctx: Ctx, id_: str) -> Any:
    await _held(session, ctx)
    chosen = select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == id_, _own(ctx))
    row = (await session.connection.execute(chosen)).first()
    if row is None:
        raise _unknown(id_, ctx)
    return row


def _going(row: Any) -> Any:
    if row.state == "ended":
        raise Rejected("the subscription ended; subscribe anew", code="subscription-ended")
    return row


def _unknown(id_: str, ctx: Ctx) -> NotFound:
    return NotFound(f"{ctx.actor.unit} has no subscription {id_}", what=id_)


def _known(position: int, size: int) -> int:
    if position > size:
        raise Malformed(
            f"position: the log ends at {size}; name that or an earlier one",
            code="number-too-large",
            field="position",
            maximum=size,
        )
    return position


async def _keep(session: Session, ctx: Ctx, id_: str, fact: Fact) -> Answer:
    await operations.record(session, ctx, fact)
    return Answer({"id": id_})


async def _is_full(connection: AsyncConnection, unit: str) -> bool:
    of = SUBSCRIPTIONS.c
    count = select(func.count()).select_from(SUBSCRIPTIONS).where(of.unit == unit, of.state != "ended")
    return bool((await connection.execute(count)).scalar_one() >= MOST)


async def _delivered(connection: AsyncConnection, ctx: Ctx) -> Mapping[str, str]:
    """Subscription of the caller -> when a message was last taken."""
    of, own = DELIVERIES.c, select(SUBSCRIPTIONS.c.id).where(_own(ctx))
    chosen = select(of.id, func.max(of.at).label("at")).where(of.error.is_(None), of.id.in_(own)).group_by(of.id)
    return {row.id: row.at for row in await connection.execute(chosen)}


def _shown(row: Any, address: str | None, at: sending.Progress, delivered_at: str | None) -> dict[str, Any]:
    said = {
        name: getattr(row, name) for name in ("id", "unit", "integration", "drills", "by", "made_at", "state", "cause")
    }
    types = [one for one in row.types.split(",") if one]
    how = {name: getattr(at, name) for name in ("position", "tries", "next_at", "error")}
    may = () if row.state == "ended" else ("replay", "renew-secret", "end-subscription")
    return {**said, "address": address, "types": types, **how, "delivered_at": delivered_at, "may": may}
