"""How much of a matter somebody reads, by the part that the own unit has in it or had."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from services.audit import queries
from services.audit.archive.told import is_told
from services.audit.inspections.rights import READ_INSPECTION
from services.audit.rights import READ_MATTER, hidden_types, reading_of_event
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


async def found(connection: AsyncConnection, ctx: Ctx, incident: str) -> Reading | None:
    """How much of an incident the actor may read; None for nothing. At the root, nothing is looked up for it."""
    if READ_MATTER.units(ctx) is None:
        return Reading()
    return READ_MATTER.of_matter(await queries.standings(connection, incident), incident, ctx)


async def of_event(connection: AsyncConnection, ctx: Ctx, row: Any, size: int) -> Reading | None:
    """How much the actor reads of where an event of the timeline stands, in the first `size` positions."""
    one = Event.parse(row.bytes)
    named = [*await queries.named_by(connection, row.position)]
    if (packed := await queries.packed_by(connection, one.id)) is not None:
        named.append(packed)
    of_its_matters = [await found(connection, ctx, incident) for incident in named]
    for incident in await queries.incidents_of(connection, row.stream_id, size):
        of_it = READ_MATTER.of_matter(await queries.standings(connection, incident), incident, ctx)
        if of_it is None:
            continue
        until = of_it.until.at if of_it.until else None
        incidents = await queries.family(connection, incident, size, until)
        if await queries.belongs(connection, row.stream_id, incidents, size, until):
            gone = (await queries.left(connection, incidents, size, until)).get(row.stream_id)
            if gone is None or row.recordedtime <= gone:
                of_its_matters.append(of_it)
    hears = await queries.hears(connection, row.position, READ_INSPECTION.units(ctx))
    is_hidden = one.type in hidden_types(ctx) and not (packed is not None and is_told(one, ctx))
    return None if is_hidden or not hears else reading_of_event(row.unit, of_its_matters, ctx)
