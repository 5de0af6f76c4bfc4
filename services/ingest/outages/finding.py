"""The reading of the table of outages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant, parse_instant
from services.ingest.outages.commands import Seen
from services.ingest.views import API_KEYS, HEARD, OUTAGES
from services.kernel.serving import paging

SILENT = 3
"""The rounds after which a probe that told nothing is silent."""


async def going_on(connection: AsyncConnection) -> list[str]:
    """The outages that a probe still sees."""
    chosen = select(OUTAGES.c.id).where(OUTAGES.c.until.is_(None)).order_by(OUTAGES.c.id)
    return list((await connection.execute(chosen)).scalars())


async def same(connection: AsyncConnection, seen: Seen) -> str | None:
    """The outage that this is a part of: of the same site and trouble, and with a moment in common."""
    o = OUTAGES.c
    of = select(o.id, o.until, o.statement).where(o.site == seen.site, o.trouble == seen.trouble)
    if seen.until is not None:
        of = of.where(o.since <= instant(seen.until))
    for row in await connection.execute(of.order_by(o.since.desc(), o.id)):
        if row.statement == seen.statement and (row.until is None or row.until >= instant(seen.since)):
            return str(row.id)
    return None


async def page(
    connection: AsyncConnection,
    *,
    going_on: bool | None,
    begin: datetime | None,
    end: datetime | None,
    cursor: str | None,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """Outages, the latest first, and the cursor of the next page. From `begin` to `end`: with a moment in it."""
    o = OUTAGES.c
    chosen = select(OUTAGES).order_by(o.since.desc(), o.id.desc()).limit(limit + 1)
    if going_on is not None:
        chosen = chosen.where(o.until.is_(None) if going_on else o.until.is_not(None))
    if end is not None:
        chosen = chosen.where(o.since <= instant(end))
    if begin is not None:
        chosen = chosen.where(o.until.is_(None) | (o.until >= instant(begin)))
    if cursor is not None:
        since, id_ = paging.place_of(cursor, str, str)
        chosen = chosen.where((o.since < since) | ((o.since == since) & (o.id < id_)))
    rows: Sequence[Any] = (await connection.execute(chosen)).mappings().all()
    return paging.page([dict(row) for row in rows], limit, lambda row: (row["since"], row["id"]))


async def probes(connection: AsyncConnection, now: datetime) -> list[dict[str, Any]]:
    """The probes that have a valid key, and when each told last."""
    k = API_KEYS.c
    chosen = (
        select(k.unit, k.name, HEARD.c.at, HEARD.c.every)
        .select_from(API_KEYS.outerjoin(HEARD, HEARD.c.integration == k.integration))
        .where(k.scope == "probe", k.revoked_at.is_(None))
        .distinct()
        .order_by(k.unit, k.name)
    )
    return [
        {"unit": row.unit, "name": row.name, "heard_at": row.at, "silent": _is_silent(row, now)}
        for row in await connection.execute(chosen)
    ]


def _is_silent(row: Any, now: datetime) -> bool:
    return row.at is None or (now - parse_instant(row.at)).total_seconds() > SILENT * row.every


def shown(row: dict[str, Any]) -> dict[str, Any]:
    """An outage as an answer. `clock_ahead` is how many seconds the probe's clock was ahead when it told of it."""
    recorded = parse_instant(row.pop("recorded_at"))
    ahead = parse_instant(row["told_at"]) - recorded
    return {**row, "clock_ahead": round(ahead.total_seconds(), 1)}
