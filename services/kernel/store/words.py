"""Reads words by their references, from a service's content records."""

import hashlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import AsyncConnection

ERASED = "[erased]"
"""Stands in place of erased words. Words that have not arrived yet read as null."""


async def texts(connection: AsyncConnection, metadata: MetaData, refs: Iterable[str | None]) -> dict[str, str]:
    """Reference -> words, for those that exist."""
    contents, found = metadata.tables["contents"], dict[str, str]()
    for part in _parts(refs):
        chosen = select(contents.c.ref, contents.c.words).where(contents.c.ref.in_(part))
        found.update({row.ref: row.words for row in await connection.execute(chosen)})
    return found


class Salted(NamedTuple):
    """Words with the salt of their digest."""

    words: str
    salt: bytes

    @property
    def digest(self) -> str:
        """SHA-256 over salt and words, as events have it."""
        return hashlib.sha256(self.salt + self.words.encode()).hexdigest()


async def salted(connection: AsyncConnection, metadata: MetaData, refs: Iterable[str | None]) -> dict[str, Salted]:
    """Reference -> words with their salt, for those that exist."""
    contents, found = metadata.tables["contents"], dict[str, Salted]()
    for part in _parts(refs):
        chosen = select(contents.c.ref, contents.c.words, contents.c.salt).where(contents.c.ref.in_(part))
        found.update({row.ref: Salted(row.words, bytes(row.salt)) for row in await connection.execute(chosen)})
    return found


async def digests_of(connection: AsyncConnection, metadata: MetaData, refs: Iterable[str | None]) -> dict[str, str]:
    """Reference -> digest of the words, for those that exist."""
    return {ref: one.digest for ref, one in (await salted(connection, metadata, refs)).items()}


async def resolve(
    connection: AsyncConnection, metadata: MetaData, refs: Iterable[str | None]
) -> Callable[[str | None], str | None]:
    """A function from a reference to what a reader may see: the words, `ERASED`, or None."""
    wanted, erased = list(refs), metadata.tables["erased"]
    found = await texts(connection, metadata, wanted)
    for part in _parts(wanted):
        gone = await connection.execute(select(erased.c.ref).where(erased.c.ref.in_(part)))
        found.update(dict.fromkeys(gone.scalars(), ERASED))
    return lambda ref: found.get(ref) if ref else None


def _parts(refs: Iterable[str | None]) -> Iterable[list[str]]:
    """Each reference once, in groups that fit into a statement."""
    wanted = sorted({ref for ref in refs if ref})
    return (wanted[start : start + 500] for start in range(0, len(wanted), 500))
