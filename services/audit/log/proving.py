"""The checkpoint of a size, and the proof that an event stands in the log."""

import re

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import UUID
from services.audit.basis import must_have_regained
from services.audit.log import growing, witnessing
from services.audit.views import CHECKPOINTS, TIMELINE
from services.kernel.core.problems import NotFound
from services.kernel.tlog import tree
from services.kernel.tlog.proof import Proof

_EVENT = re.compile(UUID)


async def checkpoint(connection: AsyncConnection, size: int | None) -> tuple[int, bytes]:
    """A signed size, and its note with the cosignatures. Raises `NotFound`."""
    chosen = select(CHECKPOINTS.c.size, CHECKPOINTS.c.note).order_by(CHECKPOINTS.c.size.desc()).limit(1)
    row = (await connection.execute(chosen if size is None else chosen.where(CHECKPOINTS.c.size == size))).first()
    if row is None:
        named = "of the log" if size is None else f"of size {size}"
        raise NotFound(f"no checkpoint {named} was signed", what="checkpoint" if size is None else str(size))
    return row.size, await witnessing.cosigned(connection, row.size, bytes(row.note))


async def inclusion(connection: AsyncConnection, event_id: str, size: int | None) -> tuple[Proof, int, Event]:
    """The proof of an event in the log of a signed size, the size, and the event. Raises `NotFound`, `Unavailable`."""
    signed, note = await checkpoint(connection, size)
    await must_have_regained(connection, signed)
    chosen = select(TIMELINE.c.position, TIMELINE.c.bytes).where(TIMELINE.c.event_id == event_id)
    row = (await connection.execute(chosen)).first() if _EVENT.fullmatch(event_id) else None
    if row is None or row.position >= signed:
        sentence = f"there is no event {event_id[:60]!r} among the {signed} that were signed"
        raise NotFound(sentence, what=event_id[:60])
    path = await growing.hashes(connection, tree.inclusion(row.position, signed))
    return Proof(row.position, tuple(path), note), signed, Event.parse(row.bytes)
