"""Deletes files that nothing needs any more: the answer that should have deleted them may have been lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.store.database import Database
from services.kernel.uploads.blobs import Blobs

SECONDS = 600.0
"""From one sweep to the next."""
FORGOTTEN = 3600.0
"""After this many seconds nobody writes to a file any more."""
Gone = Callable[[AsyncConnection], Awaitable[Iterable[str]]]
"""Reads the references of files that the record does not need any more."""


async def sweep(blobs: Blobs, database: Database, gone: Gone) -> None:
    """Deletes files that were never finished, and those that are gone."""
    blobs.delete(blobs.unfinished(time.time() - FORGOTTEN))
    if names := blobs.names():
        async with database.read() as connection:
            found = await gone(connection)
        blobs.delete(names.intersection(found))


async def keep_swept(blobs: Blobs, database: Database, gone: Gone) -> None:
    """Sweeps from time to time."""
    while True:
        await asyncio.sleep(SECONDS)
        await sweep(blobs, database, gone)
