"""Figures of a time over the matters that an office sees: how often they were given on, and given back."""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.core.decider import Ctx
from services.triage.rights import READ_MATTER
from services.triage.views import HANDOVERS


async def handovers(
    connection: AsyncConnection, ctx: Ctx, since: str | None, until: str | None, drill: bool
) -> list[dict[str, Any]]:
    """For each unit that the actor oversees and each kind: how often, and how often late.

    `since` and `until` are instants as text; the end is not counted. Matters and exercises are counted apart.
    """
    table, overseen = HANDOVERS, READ_MATTER.listed(ctx)
    groups = (table.c.unit, table.c.kind, table.c.ground)
    late = select(*groups, table.c.late, func.count().label("number")).where(table.c.drill == drill)
    if overseen is not None:
        late = late.where(table.c.unit.in_(sorted(overseen)))
    if since is not None:
        late = late.where(table.c.recorded_at >= since)
    if until is not None:
        late = late.where(table.c.recorded_at < until)
    found = (await connection.execute(late.group_by(*groups, table.c.late))).mappings()
    items: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in found:
        named = (row["unit"], row["kind"], row["ground"] or "")
        item = items.setdefault(
            named, {"unit": row["unit"], "kind": row["kind"], "ground": row["ground"], "number": 0, "late": 0}
        )
        item["number"] += row["number"]
        item["late"] += row["number"] if row["late"] else 0
    return [items[named] for named in sorted(items)]
