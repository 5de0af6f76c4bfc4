"""Which files the record needs, and which of them are not in their folder."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.operation import OperationArchiveSealed
from services.apps.backups.databases import files_of
from services.apps.backups.folder import FILES
from services.audit.views import METADATA
from services.ingest import queries as ingest
from services.kernel.delivery.runtime import Runtime
from services.kernel.settings import Settings
from services.publish.attaching import queries as publish


async def _archives(connection: AsyncConnection) -> Collection[str]:
    events = METADATA.tables["events"]
    chosen = select(events.c.bytes).where(events.c.type.in_(upcast.types_of(OperationArchiveSealed)))
    rows = (await connection.execute(chosen)).scalars()
    return {f"{Event.parse(bytes_).attributes['data']['sha256']}.zip" for bytes_ in rows}


NEEDED: Mapping[str, Callable[[AsyncConnection], Awaitable[Collection[str]]]] = {
    "evidence": ingest.kept_files,
    "attachments": publish.kept,
    "archives": _archives,
}
"""Folder -> the names of the files that its service needs."""


def folder_of(settings: Settings, folder: str) -> Path | None:
    """A folder of files; None if the command line does not reach it."""
    place = settings.data if settings.embedded else files_of(settings, FILES[folder])
    return place / folder if place is not None and place.is_dir() else None


async def lacking(settings: Settings, runtimes: Mapping[str, Runtime]) -> tuple[dict[str, list[str]], int]:
    """Folder -> the files that are needed and not there, and how many were looked for. Only folders in reach."""
    found, looked = dict[str, list[str]](), 0
    for folder, needed in NEEDED.items():
        place = folder_of(settings, folder)
        if place is None or FILES[folder] not in runtimes:
            continue
        async with runtimes[FILES[folder]].database.read() as connection:
            names = await needed(connection)
        looked += len(names)
        if gone := sorted(name for name in names if not (place / name).is_file()):
            found[folder] = gone
    return found, looked
