"""The posts that were fixed for matters, read from the view."""

from collections.abc import Iterable

from sqlalchemy import MetaData, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.publish.press.speakers import Speaking

GROUPS = ("speaks", "approves", "interviews")


async def read(connection: AsyncConnection, metadata: MetaData, incidents: Iterable[str]) -> dict[str, Speaking]:
    """Incident -> the posts that were fixed for it last; others are absent."""
    of = metadata.tables["press"].c
    chosen = select(of.incident_id, *(of[name] for name in GROUPS)).where(of.incident_id.in_(sorted(incidents)))
    return {
        row.incident_id: Speaking(**{name: tuple(getattr(row, name).split()) for name in GROUPS})
        for row in await connection.execute(chosen)
    }
