"""Checkpoints: the leader signs the root of the tree as it grows, and only what follows what was signed before."""

import asyncio
import time
from typing import NamedTuple

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.audit import LogSequenced
from schemas.checkpoints import CHECKPOINTS as STREAM
from schemas.checkpoints import CheckpointSigned, LogSignature
from schemas.envelope import Event
from services.audit.log import growing, keys
from services.audit.views import CHECKPOINTS, HEAD, LOG_TOPIC, METADATA
from services.kernel.access.checkpoints import Kept
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Problem
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.logging import Lasting, brief
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store import checkpoints
from services.kernel.store.session import Session
from services.kernel.tlog import Refused, tree
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.note import Note, Signer
from services.kernel.tlog.tree import Span

ALARM = "log"
LOOK_SECONDS = 0.5
"""The time between two looks at the size of the log."""
logger = structlog.get_logger()


class Standing(NamedTuple):
    """How far the log has come, and how far it was signed."""

    size: int
    """The events whose order is on audit's topic: no loss of the database can change it any more."""
    kept: Kept
    signers: list[Signer]
    """The keys that sign now, oldest first. More than one until a checkpoint has carried all of them."""
    renews: bool
    """Whether the newest checkpoint lacks the signature of one of them."""


async def run(runtime: Runtime) -> None:
    """The loop of the leader, until cancelled. What it told operators goes with it: the next leader looks anew."""
    try:
        await _keep_signing(runtime)
    finally:
        runtime.alarms.pop(ALARM, None)


async def _keep_signing(runtime: Runtime) -> None:
    waits, since = Lasting("log.waits", service=runtime.service.name), None
    settings = runtime.settings
    await look_at_the_edge(runtime)
    while True:
        try:
            async with runtime.database.read() as connection:
                now = await standing(runtime, connection)
            new = now.size - now.kept.size
            # A size below what was signed is looked at too: it is told to operators.
            since = (since or time.monotonic()) if new else None
            aged = since is not None and time.monotonic() - since >= settings.checkpoint_seconds
            if (now.renews and now.size) or new < 0 or new >= settings.checkpoint_events or aged:
                await sign(runtime)
                since = None
            waits.over()
        except (Problem, DBAPIError, OSError) as error:
            waits.told(brief(error))
        await asyncio.sleep(min(LOOK_SECONDS, settings.checkpoint_seconds))


async def look_at_the_edge(runtime: Runtime) -> bool:
    """Compares the right edge of the tree with what stands under it. Says so in readiness if it is altered."""
    try:
        async with runtime.database.moment() as connection:
            size = (await connection.execute(select(HEAD.c.size))).scalar() or 0
            await growing.must_have_its_edge(connection, size)
    except Refused as refused:
        _alarm(runtime, f"audit's tree of hashes was altered: {refused}. No checkpoint is signed; run `huiying check`")
        return False
    return True


async def standing(runtime: Runtime, connection: AsyncConnection) -> Standing:
    """How far the log has come and was signed."""
    kept = await checkpoints.kept(connection, METADATA.tables)
    signers = await keys.signers(runtime, connection, "log")
    newest = (await connection.execute(select(CHECKPOINTS.c.note).where(CHECKPOINTS.c.size == kept.size))).scalar()
    signed = {one.id for one in Note.parse(bytes(newest)).signatures} if newest else set()
    return Standing(
        await _on_topic(connection), kept, signers, any(signer.verifier.id not in signed for signer in signers)
    )


async def _on_topic(connection: AsyncConnection) -> int:
    """How many events have their place in the order on audit's topic.

    If the database is lost, and an older backup put in its place, the order comes back from the topic. What is not
    there yet may come in another order then, so it is not signed yet.
    """
    size = (await connection.execute(select(HEAD.c.size))).scalar() or 0
    events, outbox = METADATA.tables["events"], METADATA.tables["outbox"]
    waiting = (
        select(events.c.bytes)
        .join(outbox, outbox.c.event_id == events.c.event_id)
        .where(outbox.c.topic == LOG_TOPIC, events.c.type.in_(upcast.types_of(LogSequenced)))
        .order_by(outbox.c.seq)
        .limit(1)
    )
    first = (await connection.execute(waiting)).scalar()
    return size if first is None else min(size, Event.parse(first).data.first)


async def sign(runtime: Runtime) -> Checkpoint | None:
    """Signs what has come since the last checkpoint. None if there is nothing new, or if nothing may be signed.

    Before it signs, it proves from the stored hashes that the tree begins with the one that was signed last.
    """
    if not await look_at_the_edge(runtime):
        return None

    async def act(session: Session, ctx: Ctx) -> Answer:
        await session.load_head(STREAM)
        now = await standing(runtime, session.connection)
        if not now.signers or not now.size or (now.size == now.kept.size and not now.renews):
            return Answer({})
        if now.size < now.kept.size:
            raise Refused(
                f"{now.kept.size} events were signed, and audit has regained {now.size} of them. It signs again when "
                "it has all"
            )
        spans = tree.consistency(now.kept.size, now.size)
        *path, root = await growing.hashes(session.connection, [*spans, Span(0, now.size)])
        tree.must_be_consistent(now.kept.size, now.size, path, now.kept.root, root)
        origin = now.signers[-1].verifier.name
        found = Checkpoint(origin, now.size, root)
        said = CheckpointSigned(
            origin=origin,
            size=now.size,
            root=root.hex(),
            before=now.kept.size,
            path=tuple(one.hex() for one in path),
            signatures=tuple(
                LogSignature(key=signer.verifier.public.hex(), value=signer.sign(found.text).value.hex())
                for signer in now.signers
            ),
        )
        session.append(STREAM, [said], ctx)
        await keys.forget(session.connection, now.signers[:-1])
        failpoint("log.signed")
        return Answer({"size": now.size, "root": root.hex(), "origin": origin})

    try:
        body = (await transact(runtime, Caller(), act)).body
    except Refused as refused:
        _alarm(runtime, f"no checkpoint of the log is signed: {refused}")
        return None
    runtime.alarms.pop(ALARM, None)
    return Checkpoint(body["origin"], body["size"], bytes.fromhex(body["root"])) if body else None


def _alarm(runtime: Runtime, sentence: str) -> None:
    if runtime.alarms.get(ALARM) != sentence:
        logger.critical("log.not_signed", error=sentence)
    runtime.alarms[ALARM] = sentence
