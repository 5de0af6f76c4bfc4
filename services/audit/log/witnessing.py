"""Witnesses: others cosign our checkpoints, so that no county rewrites its log alone; and we cosign theirs.

A witness holds the newest checkpoint that it cosigned of each log, as events on a stream of its own. So two requests
at once meet at the stream's version, a kill leaves both or neither, and after a restore it comes back from the topic.
"""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.views import COSIGNATURES
from services.kernel.settings import Settings
from services.kernel.tlog import note
from services.kernel.tlog.note import Note, Verifier


class Witness(NamedTuple):
    """A witness that is asked."""

    address: str
    """The address below which it takes `add-checkpoint`."""
    key: Verifier


def configured(settings: Settings) -> list[Witness]:
    """The witnesses of the settings. Raises `ValueError` with what is wrong."""
    found = []
    for one in filter(None, map(str.strip, settings.witnesses.split(";"))):
        address, _, vkey = one.partition(" ")
        key = Verifier.parse(vkey.strip())
        if key.kind != note.COSIGNATURE or not address.startswith(("http://", "https://")):
            raise ValueError(
                f"HUIYING_WITNESSES: write an address, a space and the key of a witness, not {one[:200]!r}"
            )
        found.append(Witness(address.rstrip("/"), key))
    return found


async def cosigned(connection: AsyncConnection, size: int, raw: bytes) -> bytes:
    """A signed note with the cosignatures that witnesses gave for its size."""
    chosen = select(COSIGNATURES.c.line).where(COSIGNATURES.c.size == size).order_by(COSIGNATURES.c.witness)
    found = (await connection.execute(chosen)).scalars().all()
    lines = [line for one in found for line in note.lines(one.encode())]
    return Note.parse(raw).signed_by(*lines).written if lines else raw
