"""The loop that sends events to subscribers. It runs in the leader.

Each subscription has a worker of its own, which sends one event after the other, in the order of the log. How far it is
stands in the database, outside the log: if the process dies after the sending and before that, the message goes out
again under the same id. What a receiver does not take is tried again, ever more rarely, and nothing overtakes it.
"""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import WebhookError, instant, parse_instant
from schemas.operation import OperationSubscriptionDisabled
from services.audit import queries, reach
from services.audit.subscriptions import told
from services.audit.views import DELIVERIES, INTEGRATION_KEYS, METADATA, PROGRESS, SUBSCRIPTION_SECRETS, SUBSCRIPTIONS
from services.audit.views import TIMELINE as EVENTS
from services.kernel.access.keys import Keys
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.problems import Problem
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.sending import looping, webhook
from services.kernel.sending.webhook import Message
from services.kernel.serving import commands
from services.kernel.serving.commands import Answer, Caller
from services.kernel.store import sql
from services.kernel.store.session import Session
from services.kernel.store.words import texts

STEPS = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 3600, 7200, 14400, 28800))
"""The time after each failed try: each step once, then the last one; up to a quarter more, so that they spread."""
VALID = timedelta(days=3)
"""After so long without success a subscription is disabled."""
LOOKED = 500
"""So many events are looked at together."""
KEPT = 200
"""So many deliveries of each subscription are kept."""
USE = "subscription-secret"
KIND = "application/cloudevents+json"
"""The media type of a CloudEvent in the structured form. Some libraries know it by that alone."""


@dataclass(slots=True)
class Known:
    """What this process sends just now."""

    busy: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a subscription is."""

    run: int
    position: int
    tries: int = 0
    since: str | None = None
    """Since when nothing was taken."""
    next_at: str | None = None
    error: WebhookError | None = None


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled."""
    known = Known()
    try:
        await looping.forever(runtime, "subscriptions.wait", lambda: turn(runtime, known))
    finally:
        for task in known.busy.values():
            task.cancel()
        await asyncio.gather(*known.busy.values(), return_exceptions=True)


async def settle(runtime: Runtime, limit: float = 30.0) -> None:
    """Returns when nothing is left to send now. After `limit` seconds it raises `TimeoutError`."""
    known = Known()
    async with asyncio.timeout(limit):
        while True:
            await turn(runtime, known)
            if not known.busy:
                return
            await asyncio.wait(known.busy.values())


async def turn(runtime: Runtime, known: Known) -> None:
    """Begins to send what is due now. Raises what a worker raised, such as `Superseded` if another process leads."""
    for id_, task in list(known.busy.items()):
        if task.done():
            del known.busy[id_]
            task.result()
    now = instant(runtime.time_source.now())
    # In a transaction, since only the leader may look.
    async with runtime.database.transaction() as connection:
        size, _ = await queries.head(connection)
        due = [
            row.id
            for row in await connection.execute(select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.state == "active"))
            if row.id not in known.busy and _is_due(await progress(connection, row), size, now)
        ]
    if due:
        await runtime.ready_to_decide()
    for id_ in due:
        known.busy[id_] = asyncio.create_task(_work(runtime, id_, size))


def _is_due(at: Progress, size: int, now: str) -> bool:
    return at.position < size and (at.next_at is None or at.next_at <= now)


async def progress(connection: AsyncConnection, subscription: Any) -> Progress:
    """How far a subscription is. A replay begins anew."""
    chosen = select(PROGRESS).where(PROGRESS.c.id == subscription.id, PROGRESS.c.run == subscription.run)
    row = (await connection.execute(chosen)).first()
    return Progress(*row[1:]) if row else Progress(subscription.run, subscription.start)


async def _work(runtime: Runtime, id_: str, size: int) -> None:
    """Sends what a subscription gets of the first `size` events, until one is not taken."""
    try:
        while await _one(runtime, id_, size):
            pass
    except (Problem, DBAPIError, OSError) as error:
        if isinstance(error, Problem) and error.code == "superseded":
            raise
        # Of our own store: the next turn tries again.
        await asyncio.sleep(looping.LONGEST_REST)


async def _one(runtime: Runtime, id_: str, size: int) -> bool:
    """Sends the next event; whether there may be another one."""
    async with runtime.database.read() as connection:
        row = (await connection.execute(select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == id_))).first()
        if row is None or row.state != "active" or not await _is_spoken_for(connection, row):
            return False
        before = await progress(connection, row)
        found, reached = await _next(runtime, connection, row, before.position, size)
        address = (await texts(connection, METADATA, [row.address])).get(row.address)
        secret = await _secret(connection, runtime.keys, row)
    if found is None:
        await _keep(runtime, id_, Progress(row.run, reached))
        return reached < size
    event = Event.parse(found.bytes)
    now = runtime.time_source.now()
    error: WebhookError | None = "unreadable"
    if address is not None and secret is not None:
        private = runtime.settings.channels_private
        name, said = told.delivery_id(id_, event.id), told.body(event, found.position)
        error = await webhook.send(address, secret, Message(name, said, KIND), now, private=private)
    failpoint("subscription.sent")
    after = _after(row.run, found.position, before, error, now)
    delivery = {"id": id_, "position": found.position, "event": event.id, "type": event.type, "tries": before.tries + 1}
    await _keep(runtime, id_, after, {**delivery, "error": error, "at": instant(now)})
    if error is not None and (error == "gone" or _since(after) + VALID <= now):
        await _disable(runtime, row, found.position, error)
    return error is None


def _after(run: int, position: int, before: Progress, error: WebhookError | None, now: datetime) -> Progress:
    if error is None:
        return Progress(run, position + 1)
    pause = STEPS[min(before.tries, len(STEPS) - 1)] * (1 + random.random() / 4)  # noqa: S311, it spreads tries
    return Progress(run, position, before.tries + 1, before.since or instant(now), instant(now + pause), error)


def _since(at: Progress) -> datetime:
    assert at.since is not None, "a failure has a beginning"
    return parse_instant(at.since)


async def _is_spoken_for(connection: AsyncConnection, row: Any) -> bool:
    """Whether an integration still has a key. Without one, nothing goes out in its name."""
    if row.integration is None:
        return True
    of = INTEGRATION_KEYS.c
    chosen = select(of.id).where(of.integration == row.integration, of.revoked_at.is_(None), of.digest.is_not(None))
    return (await connection.execute(chosen.limit(1))).first() is not None


async def _secret(connection: AsyncConnection, keys: Keys, row: Any) -> bytes | None:
    """The secret that the newest event about it made; None if the store has another one, as after a restore."""
    sealed = (
        await connection.execute(select(SUBSCRIPTION_SECRETS.c.sealed).where(SUBSCRIPTION_SECRETS.c.id == row.id))
    ).scalar()
    try:
        return keys.open(USE, sealed, f"{row.id}@{row.secret}") if sealed is not None else None
    except ValueError:
        return None


async def renew(connection: AsyncConnection, keys: Keys, id_: str, number: int) -> str:
    """Makes a subscription's secret, its `number`th, and returns it as receivers write it."""
    secret = webhook.new_secret()
    sealed = keys.seal(USE, secret, f"{id_}@{number}")
    await sql.upsert(connection, SUBSCRIPTION_SECRETS, [{"id": id_, "sealed": sealed}])
    return webhook.shown(secret)


async def _next(
    runtime: Runtime, connection: AsyncConnection, row: Any, position: int, size: int
) -> tuple[Any | None, int]:
    """The next event that a subscription gets, and the position up to which there is none."""
    offered = told.offered(to_integration=row.integration is not None)
    named = {one for name in row.types.split(",") if name for one in told.types_of(name)}
    wanted = offered & named if row.types else offered
    ctx = await runtime.context(connection, Actor(f"admin@{row.unit}", row.unit, frozenset({"admin"})))
    end = min(position + LOOKED, size)
    of = EVENTS.c
    chosen = select(EVENTS).where(of.position >= position, of.position < end, of.type.in_(sorted(wanted)))
    for one in (await connection.execute(chosen.order_by(of.position))).all():
        if await _gets(connection, ctx, row, one, size):
            return one, one.position
    return None, end


async def _gets(connection: AsyncConnection, ctx: Ctx, row: Any, one: Any, size: int) -> bool:
    """Whether an event is of a matter or an act that the subscriber may read; of an integration, of its own report.

    An event of a drill looks like a real one, so that it goes only to who asked for such.
    """
    if not row.drills and Event.parse(one.bytes).drill:
        return False
    if row.integration is not None:
        of = EVENTS.c
        first = select(of.actor).where(of.stream_id == one.stream_id, of.version == 1)
        sender = (await connection.execute(first)).scalar()
        return bool(sender == row.integration)
    reading = await reach.of_event(connection, ctx, one, size)
    return reading is not None and reading.covers(one.recordedtime)


async def _keep(runtime: Runtime, id_: str, at: Progress, delivery: dict[str, Any] | None = None) -> None:
    """Writes how far a subscription is, unless it was replayed or ended meanwhile."""
    async with runtime.database.transaction() as connection:
        chosen = select(SUBSCRIPTIONS.c.run).where(SUBSCRIPTIONS.c.id == id_, SUBSCRIPTIONS.c.state != "ended")
        if (await connection.execute(chosen)).scalar() != at.run:
            return
        row = {name: getattr(at, name) for name in ("run", "position", "tries", "since", "next_at", "error")}
        await sql.upsert(connection, PROGRESS, [{"id": id_, **row}])
        if delivery is not None:
            await sql.upsert(connection, DELIVERIES, [delivery])
            of = DELIVERIES.c
            oldest = select(of.position).where(of.id == id_).order_by(of.at.desc(), of.position.desc()).offset(KEPT)
            await connection.execute(delete(DELIVERIES).where(of.id == id_, of.position.in_(oldest.limit(KEPT))))


async def _disable(runtime: Runtime, row: Any, position: int, error: WebhookError) -> None:
    """Records that nothing is sent any more."""

    async def act(session: Session, ctx: Ctx) -> Answer:
        chosen = select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == row.id, SUBSCRIPTIONS.c.run == row.run)
        known = (await session.connection.execute(chosen)).first()
        if known is not None and known.state == "active":
            fact = OperationSubscriptionDisabled(subscription=row.id, unit=row.unit, position=position, cause=error)
            await operations.record(session, ctx, fact)
        return Answer({})

    await commands.transact(runtime, Caller(), act)
