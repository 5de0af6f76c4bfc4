"""The offices and the titles of codes as the record had them, for answers."""

from typing import NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.titles import Language
from services.audit import queries
from services.audit.basis import types_of
from services.audit.queries import Axes
from services.audit.rights import data_of
from services.audit.summaries import Names
from services.audit.views import TIMELINE
from services.kernel.core.units import Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import offices


async def names_of(runtime: Runtime, connection: AsyncConnection, size: int, language: Language) -> Names:
    """The titles in a language, as the first `size` positions give them."""
    types = [full for name in ("unit.placed", "unit.post_placed") for full in types_of(name) or ()]
    then = await offices_at(connection, Axes(size), await runtime.offices(connection))
    return Names(language, then, await queries.names(connection, types, size))


class _Placed(NamedTuple):
    """What the events on placements make, and when the last of them was recorded."""

    placements: offices.Placements
    recorded: str


KEPT = 16
"""So many answers of `_placed` are kept for a database."""
_kept: WeakKeyDictionary[Engine, dict[tuple[int, str | None], _Placed]] = WeakKeyDictionary()
"""By the position of the newest placement, and `known_at`: what was placed up to there never changes."""


async def offices_at(connection: AsyncConnection, axes: Axes, now: Offices) -> Offices:
    """The offices with the tree of units and the packs in force of these axes; the rest is that of `now`.

    What begins counts from its begin on, as far as it was recorded by `known_at`. Without axes it is the tree at the
    last instant of which these positions tell. So what is decided later about units changes no answer of a fixed size.
    """
    t, placed = TIMELINE.c, await _placed(connection, axes)
    last = select(t.recordedtime).where(t.position == axes.size - 1)
    told = [placed.recorded]
    told += [(await connection.execute(last)).scalar() or "", await queries.complete_until(connection, axes.size) or ""]
    until = min(filter(None, (axes.as_of, axes.known_at, max(told))), default="")
    return offices.as_placed(now, placed.placements, until)


async def _placed(connection: AsyncConnection, axes: Axes) -> _Placed:
    t, placing = TIMELINE.c, TIMELINE.c.type.in_(offices.PLACING)
    chosen = select(func.max(t.position), func.max(t.recordedtime)).where(placing, t.position < axes.size)
    newest, recorded = (await connection.execute(chosen)).one()
    if newest is None:
        return _Placed(offices.placements(()), "")
    known_at = axes.known_at if axes.known_at is not None and axes.known_at < recorded else None
    kept = _kept.setdefault(connection.sync_engine, {})
    if (newest, known_at) not in kept:
        axis = Axes(newest + 1, None, known_at)
        chosen = select(t.bytes).where(placing, *axis.within(TIMELINE)).order_by(t.position)
        events = [Event.parse(bytes_) for bytes_ in (await connection.execute(chosen)).scalars()]
        placements = offices.placements(event for event in events if data_of(event) is not None)
        kept[newest, known_at] = _Placed(placements, max((event.recorded_text for event in events), default=""))
        for old in list(kept)[:-KEPT]:
            kept.pop(old)
    return kept[newest, known_at]
