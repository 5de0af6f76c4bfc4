"""The folder of evidence files. What was erased from it is swept, too: its answer may have been lost."""

from services.ingest import queries
from services.kernel.delivery.runtime import Runtime
from services.kernel.uploads import sweeping
from services.kernel.uploads.blobs import Blobs


def blobs_of(runtime: Runtime) -> Blobs:
    """The evidence files of a deployment."""
    return Blobs(runtime.settings.data / "evidence")


async def sweep(runtime: Runtime) -> None:
    """Deletes the files of erased reports, and files that were never finished."""
    await sweeping.sweep(blobs_of(runtime), runtime.database, queries.erased_files)


async def keep_swept(runtime: Runtime) -> None:
    """Sweeps from time to time."""
    await sweeping.keep_swept(blobs_of(runtime), runtime.database, queries.erased_files)
