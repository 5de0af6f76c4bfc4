"""The newest events of some types that a question asks for."""

from collections.abc import Callable, Collection

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from services.audit.queries import Axes
from services.audit.views import TIMELINE

MOST = 500
"""An answer has at most so many. So many are also read at a time."""


async def newest(
    connection: AsyncConnection,
    types: Collection[str],
    axes: Axes,
    keep: Callable[[Event], bool],
    *asked: ColumnElement[bool],
) -> list[Event]:
    """Those to be kept, the newest first. Others take no place from them."""
    t, found, before = TIMELINE.c, list[Event](), axes.size
    chosen = select(t.position, t.bytes).where(t.type.in_(types), *axes.within(TIMELINE), *asked)
    chosen = chosen.order_by(t.position.desc()).limit(MOST)
    while len(found) < MOST:
        rows = (await connection.execute(chosen.where(t.position < before))).all()
        found += [event for row in rows if keep(event := Event.parse(row.bytes))]
        if len(rows) < MOST:
            break
        before = rows[-1].position
    return found[:MOST]
