"""How much of a matter somebody reads, by the part that the own unit has in it or had."""

from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit import queries
from services.kernel.access.rights import Read
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.core.standings import Reading


async def reading(connection: AsyncConnection, ctx: Ctx, incident: str, right: Read) -> Reading:
    """How much of the matter the actor reads. At the root, nothing is looked up for it.

    Raises `NotFound` for an unknown one, `Forbidden` if it is nothing.
    """
    if not await queries.knows(connection, incident):
        raise NotFound(f"there is no incident {incident[:60]!r}", what=incident[:60])
    if right.units(ctx) is None:
        return Reading()
    known = await queries.standings(connection, incident)
    found = right.of_matter(known, incident, ctx)
    if found is None:
        raise right.refused(known[incident].accountable if incident in known else None, ctx)
    return found


async def must_reach(connection: AsyncConnection, ctx: Ctx, incident: str, right: Read) -> None:
    """Raises `NotFound` or `Forbidden` unless the actor's unit has a part in the matter, not only had one."""
    if (await reading(connection, ctx, incident, right)).until is not None:
        known = await queries.standings(connection, incident)
        raise right.refused(known[incident].accountable if incident in known else None, ctx)
