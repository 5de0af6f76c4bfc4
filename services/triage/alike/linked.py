"""How matters belong together, as people decided: the links of an incident, as they are shown."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.core.decider import Ctx
from services.kernel.core.standings import Standing
from services.kernel.store import standings
from services.kernel.store.views import Row
from services.kernel.store.words import resolve
from services.triage.rights import READ_MATTER
from services.triage.seen import absorbed_by, naming, rows_of
from services.triage.views import INCIDENT_LINKS, INCIDENTS, METADATA


async def wholes(connection: AsyncConnection, id_: str, besides: str) -> set[str]:
    """The incidents of which this one is a part, also by way of others or of mergers.

    What was decided on this one and `besides` does not count, since it is decided anew.
    """
    of, incidents = INCIDENT_LINKS, INCIDENTS
    found, further = set[str](), {id_}
    while further:
        found |= further
        parts = select(of.c.incident_id, of.c.to).where(of.c.incident_id.in_(further), of.c.kind == "part")
        ends = incidents.c.id, incidents.c.merged_into
        merged = select(*ends).where(ends[1].is_not(None), or_(*(end.in_(further) for end in ends)))
        steps = [*(await connection.execute(parts)), *(await connection.execute(merged))]
        further = {end for one, other in steps if (one, other) != (id_, besides) for end in (one, other)} - found
    return found - {id_}


async def links_of(connection: AsyncConnection, family: Collection[str]) -> list[Row]:
    """The links of an incident and of those that were merged into it, oldest first. Those among them are left out."""
    of = INCIDENT_LINKS
    return await rows_of(connection, of, of.c.incident_id.in_(family) & of.c.to.not_in(family), of.c.at)


async def decided(connection: AsyncConnection, id_: str) -> dict[str, str]:
    """Other incidents -> what was decided on them and this one; the newest decision counts.

    It goes on where an incident was merged. Of a part and its whole, `part` is said on both sides.
    """
    family = [
        id_,
        *(one["id"] for one in await absorbed_by(connection, await naming(connection, "merged_into", [id_]))),
    ]
    rows = await links_of(connection, family)
    known = await standings.read(connection, METADATA, [row["to"] for row in rows])
    return {head(known, row["to"]): "part" if row["kind"] == "whole" else row["kind"] for row in rows}


async def shown(connection: AsyncConnection, ctx: Ctx, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """These links, as far as the actor may read the other incident."""
    known = await standings.read(connection, METADATA, [row["to"] for row in rows])
    rows = [row for row in rows if READ_MATTER.of_matter(known, row["to"], ctx) is not None]
    heads = {row["to"]: head(known, row["to"]) for row in rows}
    numbers = {
        one["id"]: one["number"]
        for one in await rows_of(connection, INCIDENTS, INCIDENTS.c.id.in_([*heads, *heads.values()]))
    }
    reasons = await _reasons(connection, rows)
    words = await resolve(connection, METADATA, reasons.values())
    return [
        {
            "incident": row["incident_id"],
            "to": row["to"],
            "number": numbers.get(row["to"]),
            "goes_on_in": heads[row["to"]] if heads[row["to"]] != row["to"] else None,
            "kind": row["kind"],
            "at": row["at"],
            "by": row["actor"],
            "reason": words(reasons.get((row["incident_id"], row["to"]))),
        }
        for row in rows
    ]


async def _reasons(connection: AsyncConnection, rows: Sequence[Row]) -> dict[tuple[str, str], str]:
    """The reason of each link. It stands on the incident on which the link was decided."""
    of = INCIDENT_LINKS
    found = {(row["incident_id"], row["to"]): row["reason"] for row in rows if row["reason"]}
    missing = [(row["to"], row["incident_id"]) for row in rows if not row["reason"]]
    if missing:
        others = await rows_of(connection, of, tuple_(of.c.incident_id, of.c.to).in_(missing))
        found |= {(row["to"], row["incident_id"]): row["reason"] for row in others if row["reason"]}
    return found


def head(known: Mapping[str, Standing], id_: str) -> str:
    """The incident in which this one goes on."""
    while (standing := known.get(id_)) is not None and standing.into:
        id_ = standing.into
    return id_
