"""The loop that gives messages to other deployments. It runs in the leader, with a worker for each deployment.

A message goes out as soon as a signed checkpoint covers its event, and nothing overtakes it. What was taken in is an
event with the receipt. If the process dies before that, the message goes out again, and the receipt is the same. What
the other deployment refuses for good is an event, too, and triage tells the office. All else is tried again, ever more
rarely and without end: a matter waits here and is not lost.
"""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import structlog
from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event
from schemas.fields import Fact, instant
from schemas.handing import IncidentHandedOver
from schemas.lists import Peer
from schemas.messages import DeliveryRefused, DeliveryTaken, MessageReceipt
from services.audit.log import proving, witnessing
from services.audit.subscriptions.sending import STEPS
from services.audit.views import CHECKPOINTS, METADATA, PEER_PROGRESS, TIMELINE, WITNESSED
from services.kernel.between import signed
from services.kernel.between.message import KIND, PATH, Message, Word
from services.kernel.between.post import Said, post
from services.kernel.between.signed import Signing
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import derived
from services.kernel.core.problems import Problem
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.logging import Lasting, brief
from services.kernel.sending import looping
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store.session import Session
from services.kernel.store.sql import Write
from services.kernel.store.words import salted
from services.kernel.tlog.note import Verifier

LONGEST = 4
"""The last of `STEPS` that is waited between two tries: an hour."""
logger = structlog.get_logger()
PATIENT = 3
"""Tries without success after which operators are told."""
ENOUGH = 12
"""Tries, over half a day, after which a matter that is not known there will not be: the other record lost it."""
UNKNOWN = "not-handed-over"
UNREADY = 60.0
"""Seconds for which words of a message may be missing here before operators are told."""


@dataclass(slots=True)
class Known:
    """What this process sends just now."""

    busy: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    waits: dict[str, Lasting] = field(default_factory=dict)
    """What is wrong here with the next message for a deployment."""
    witnesses: bool = False
    """Whether this deployment is a witness for the logs of the list."""

    def waiting(self, peer: str) -> Lasting:
        """The state of this deployment's own trouble with messages for another one."""
        return self.waits.setdefault(peer, Lasting("peer.not_ready", peer=peer))


class NotReady(Exception):
    """Words of the message have not come yet."""


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled. Without other deployments it ends at once."""
    if not runtime.lists.peers:
        return
    known = Known()
    try:
        await looping.forever(runtime, "peers.wait", lambda: turn(runtime, known))
    finally:
        for task in known.busy.values():
            task.cancel()
        await asyncio.gather(*known.busy.values(), return_exceptions=True)
        for peer in runtime.lists.peers:
            runtime.alarms.pop(_alarm(peer), None)
            runtime.alarms.pop(_unready(peer), None)


async def _witness(runtime: Runtime) -> None:
    """Makes this deployment a witness for the logs of the list that say so."""
    for peer in runtime.lists.peers.values():
        if not peer.witnessed:
            continue
        keys = [Verifier.parse(one) for one in peer.log]
        public = tuple(sorted(key.public.hex() for key in keys))
        async with runtime.database.read() as connection:
            chosen = select(WITNESSED.c["keys"]).where(WITNESSED.c.origin == keys[0].name)
            known = (await connection.execute(chosen)).scalar()
        if known is None or sorted(known.split(",")) != list(public):
            await runtime.ready_to_decide()
            await witnessing.know(runtime, Caller(), keys[0].name, public)


async def turn(runtime: Runtime, known: Known) -> None:
    """Begins to send what is due now."""
    for name, task in list(known.busy.items()):
        if task.done():
            del known.busy[name]
            task.result()
    if not known.witnesses:
        await _witness(runtime)
        known.witnesses = True
    now = instant(runtime.time_source.now())
    # In a transaction, since only the leader may look.
    async with runtime.database.transaction() as connection:
        size = await _signed(connection)
        rows = {row.peer: row for row in await connection.execute(select(PEER_PROGRESS))}
    due = [peer for name, peer in runtime.lists.peers.items() if name not in known.busy]
    due = [peer for peer in due if _is_due(rows.get(peer.name), size, now)]
    if due:
        await runtime.ready_to_decide()
    for peer in due:
        known.busy[peer.name] = asyncio.create_task(_work(runtime, peer, known.waiting(peer.name)))


def _is_due(row: Any, size: int, now: str) -> bool:
    if row is None:
        return size > 0
    return row.position < size and (row.next_at is None or row.next_at <= now)


async def _signed(connection: AsyncConnection) -> int:
    """How many events a signed checkpoint covers."""
    return (await connection.execute(select(func.max(CHECKPOINTS.c.size)))).scalar() or 0


async def _work(runtime: Runtime, peer: Peer, waits: Lasting) -> None:
    """Sends what is for a deployment, until something is not taken."""
    try:
        while await _one(runtime, peer):
            pass
    except (NotReady, Problem, DBAPIError, OSError) as error:
        if isinstance(error, Problem) and error.code == "superseded":
            raise
        waits.told(brief(error))
        if isinstance(error, NotReady) and waits.seconds > UNREADY:
            runtime.alarms[_unready(peer.name)] = (
                f"a message for the deployment {peer.name} waits in this record, and all later ones behind it: "
                f"{error}; look at the lag and the dead letters of audit"
            )
        await asyncio.sleep(looping.LONGEST_REST)
    else:
        waits.over()
        runtime.alarms.pop(_unready(peer.name), None)


async def _one(runtime: Runtime, peer: Peer) -> bool:
    """Sends the next message; whether there may be another one."""
    async with runtime.database.read() as connection:
        size = await _signed(connection)
        row = (await connection.execute(select(PEER_PROGRESS).where(PEER_PROGRESS.c.peer == peer.name))).first()
        begin = row.position if row else 0
        found = await _next(connection, peer.name, begin, size)
        if found is None:
            message = None
        else:
            event = Event.parse(found.bytes)
            proof, _, _ = await proving.inclusion(connection, event.id, None)
            message = Message(event, proof.written, await _words(connection, event))
    if message is None:
        await _keep(runtime, peer, size)
        return False
    tries = (row.tries if row else 0) + 1
    unknown = times_unknown(row)
    error, fact = await _tried(runtime, peer, message, unknown)
    failpoint("message.sent")
    if fact is not None:
        await _keep(runtime, peer, found.position + 1, message.event, fact)
        runtime.alarms.pop(_alarm(peer.name), None)
        return True
    if error == UNKNOWN:
        # Only these answers count for `ENOUGH`. A deployment that was away may not have read its topics yet.
        tries = unknown
    now = runtime.time_source.now()
    pause = STEPS[min(tries - 1, LONGEST)] * (1 + random.random() / 4)  # noqa: S311, it spreads tries
    since = (row and row.since) or instant(now)
    await _keep(runtime, peer, found.position, tries=tries, since=since, error=error, pause=pause)
    if tries == 1:
        logger.warning("peer.waits", peer=peer.name, address=peer.address, error=error)
    if tries >= PATIENT:
        runtime.alarms[_alarm(peer.name)] = (
            f"the deployment {peer.name} at {peer.address} has taken no message since {since} ({error}); look at its "
            "entry in peers.yaml, and ask whoever runs it. What is for it waits"
        )
    return False


def times_unknown(row: Any) -> int:
    """Which one in a row it is, if the other deployment answers now that it knows nothing of the matter."""
    return row.tries + 1 if row is not None and row.error == UNKNOWN else 1


def _alarm(peer: str) -> str:
    return f"peer.{peer}"


def _unready(peer: str) -> str:
    return f"peer.{peer}.words"


async def _next(connection: AsyncConnection, peer: str, begin: int, size: int) -> Any:
    """The next row that goes to the deployment; None if there is none.

    What became of a message may be known from the topic while the place comes from a backup: it does not go again.
    """
    of, events = TIMELINE.c, METADATA.tables["events"].c
    chosen = select(TIMELINE).where(of.type.in_(sorted(catalogue.BETWEEN)), of.position >= begin, of.position < size)
    for row in (await connection.execute(chosen.order_by(of.position))).all():
        event = Event.parse(row.bytes)
        if event.data.to != peer or event.drill:
            continue
        told = select(events.event_id).where(events.stream_id == delivery_of(event.id)).limit(1)
        if (await connection.execute(told)).first() is None:
            return row
    return None


async def _words(connection: AsyncConnection, event: Event) -> tuple[Word, ...]:
    """The words that go with an event, those that are not erased. Raises `NotReady` while some have not come."""
    refs = list(event.words.values())
    if isinstance(event.data, IncidentHandedOver):
        of = TIMELINE.c
        named = [one.report for one in event.data.reports]
        chosen = select(TIMELINE.c.bytes).where(of.stream_id.in_(named), of.version == 1)
        received = [Event.parse(raw) for raw in (await connection.execute(chosen)).scalars()]
        if missing := {*named} - {one.stream for one in received}:
            raise NotReady(f"{len(missing)} reports have not come")
        refs += [one.words[name] for one in received for name in ("subject", "text")]
    found = await salted(connection, METADATA, refs)
    if missing := set(refs) - set(found) - await _erased(connection, refs):
        raise NotReady(f"{len(missing)} words have not come")
    return tuple(Word(salt=found[ref].salt.hex(), text=found[ref].words) for ref in refs if ref in found)


async def _erased(connection: AsyncConnection, refs: Iterable[str]) -> set[str]:
    erased = METADATA.tables["erased"]
    return set((await connection.execute(select(erased.c.ref).where(erased.c.ref.in_(list(refs))))).scalars())


async def _tried(runtime: Runtime, peer: Peer, message: Message, unknown: int) -> tuple[str | None, Fact | None]:
    """Why the message is not taken, or the event of what became of it."""
    key = Signing(runtime.keys, runtime.settings.message_key)
    headers = key.headers(message.id, runtime.time_source.now(), message.body) | {"Content-Type": KIND}
    try:
        said = await post(peer.address + PATH, message.body, headers, runtime.settings.peers_ca)
    except TimeoutError:
        return "too_slow", None
    except (httpx.HTTPError, httpx.InvalidURL, OSError):
        return "unreachable", None
    event = message.event
    if said.status == 200:
        taken = _receipt(said, peer, event, runtime.settings.deployment)
        return ("receipt_unproven", None) if taken is None else (None, taken)
    lost = said.problem == UNKNOWN and unknown >= ENOUGH
    if (cause := said.problem if lost else said.refuses) is not None:
        status = said.status
        return None, DeliveryRefused(incident=event.stream, to=peer.name, sent=event.id, status=status, cause=cause)
    return UNKNOWN if said.problem == UNKNOWN else f"status_{said.status}", None


def _receipt(said: Said, peer: Peer, event: Event, own: str) -> DeliveryTaken | None:
    """The receipt, if a known key of the other deployment signed it for this event."""
    try:
        taken = DeliveryTaken(incident=event.stream, to=peer.name, **said.body)
        receipt = MessageReceipt.model_validate(taken.receipt)
    except (TypeError, ValidationError):
        return None
    right = (receipt.by, receipt.to, receipt.sent, receipt.digest) == (peer.name, own, event.id, event.digest)
    known = taken.key in peer.keys and signed.signed_receipt(receipt, taken.key, taken.signature)
    return taken if right and known else None


async def _keep(
    runtime: Runtime,
    peer: Peer,
    position: int,
    event: Event | None = None,
    fact: Fact | None = None,
    *,
    tries: int = 0,
    since: str | None = None,
    error: str | None = None,
    pause: timedelta | None = None,
) -> None:
    """Writes how far the sending is, with the event of what became of a message."""

    async def act(session: Session, ctx: Ctx) -> Answer:
        if event is not None and fact is not None:
            stream = delivery_of(event.id)
            await session.load_head(stream)
            if session.streams[stream].version == 0:
                session.append(stream, [fact], ctx, correlation=event.stream)
        next_at = instant(ctx.now + pause) if pause else None
        row = {"peer": peer.name, "position": position, "tries": tries, "since": since, "next_at": next_at}
        session.also.append(Write(PEER_PROGRESS, [{**row, "error": error}], replaces=True))
        return Answer({})

    await transact(runtime, Caller(), act)


def delivery_of(event: str) -> str:
    """The stream of what became of the message that carries an event."""
    return f"delivery-{derived('between', event)}"
