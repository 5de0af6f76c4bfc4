"""The folder of evidence files, and what is deleted from it beside an erasure."""

import asyncio
import time

from services.ingest import queries
from services.kernel.delivery.runtime import Runtime
from services.kernel.uploads.blobs import Blobs

SWEEP = 600.0
"""Seconds from one sweep to the next."""
FORGOTTEN = 3600.0
"""After this many seconds nobody writes to a file any more."""


def blobs_of(runtime: Runtime) -> Blobs:
    """The evidence files of a deployment."""
    return Blobs(runtime.settings.data / "evidence")


async def sweep(runtime: Runtime) -> None:
    """Deletes the remains of a crash: files of erased reports, and files that were never finished."""
    blobs = blobs_of(runtime)
    blobs.delete(blobs.unfinished(time.time() - FORGOTTEN))
    if names := blobs.names():
        async with runtime.database.read() as connection:
            erased = await queries.erased_files(connection)
        blobs.delete(names.intersection(erased))


async def keep_swept(runtime: Runtime) -> None:
    """Sweeps from time to time. An erasure may have left its files if its answer was lost."""
    while True:
        await asyncio.sleep(SWEEP)
        await sweep(runtime)
