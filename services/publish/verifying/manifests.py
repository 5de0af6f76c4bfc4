"""The signed file of a statement, made from the events of its stream and signed when somebody asks.

So after a revocation every statement has a good signature again, and nothing signed is stored.
"""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.manifest import Release
from schemas.releases import releases as releases_of
from services.kernel.access import notary
from services.kernel.delivery.runtime import Runtime
from services.publish.bulletin import queries
from services.publish.verifying import keys
from services.publish.views import METADATA


async def releases(connection: AsyncConnection, id_: str) -> list[Release]:
    """What a statement said in public; empty if it was never published, or in an exercise."""
    if not id_.startswith("statement-"):
        return []  # another stream can be long
    table = METADATA.tables["events"]
    chosen = select(table.c.bytes).where(table.c.stream_id == id_).order_by(table.c.version)
    events = [Event.parse(bytes_) for bytes_ in (await connection.execute(chosen)).scalars()]
    return [] if any(event.drill for event in events) else releases_of(events)


async def signed(runtime: Runtime, connection: AsyncConnection, id_: str) -> dict[str, Any] | None:
    """The file of a statement; None if it was never published. Raises `Unavailable` before there is a key."""
    found = await releases(connection, id_)
    if not found:
        return None
    unit = found[0].content["unit"]
    named = [await queries.name_of(connection, unit, release.at) for release in found]
    key = await keys.current(runtime, connection)
    return notary.sealed_file(found, named, runtime.settings.deployment, key)
