"""Streams of audit's own as they were on both axes, from the first positions of the record."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.fields import Fact
from services.audit.queries import Axes
from services.audit.views import TIMELINE
from services.kernel.core.decider import Decider


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a list; None filters nothing. `from_` and `to` are texts of instants, both included."""

    wanted: Sequence[ColumnElement[bool]] = field(default_factory=tuple)
    """Conditions on the table of the streams as they are now, of what never changes."""
    state: str | None = None
    from_: str | None = None
    to: str | None = None


async def page(
    connection: AsyncConnection,
    table: Table,
    stages: Mapping[type[Fact], str],
    filters: Filters,
    axes: Axes,
    after: int | None,
    limit: int,
    *,
    backwards: bool = False,
) -> tuple[list[str], int | None]:
    """Streams that began after a position, or from the first, and the position for the next page, or None at the end.

    With `backwards`, those that began before it, the newest first. None begins with the first of them.
    `table` has one row a stream, under the stream's id, in a column named after the kind of stream. `stages` tells
    after which events a stream is in which state.
    """
    t, (id_,) = TIMELINE.c, table.primary_key.columns
    kind = id_.name.removesuffix("_id")
    # By the kind, PostgreSQL knows how few of all streams these are. Without it, it reads the whole record in order.
    of_kind = t.stream_id.between(f"{kind}-", f"{kind}.")
    wanted = [of_kind, t.version == 1, *axes.within(TIMELINE), *filters.wanted]
    if after is not None:
        wanted.append(t.position < after if backwards else t.position > after)
    if filters.from_ is not None:
        wanted.append(t.time >= filters.from_)
    if filters.to is not None:
        wanted.append(t.time <= filters.to)
    if filters.state is not None:
        of_state = upcast.types_of(*(model for model, stage in stages.items() if stage == filters.state))
        moves, last = upcast.types_of(*stages), TIMELINE.alias()
        moved = select(last.c.type).where(last.c.stream_id == id_, last.c.type.in_(moves), *axes.within(last))
        newest = moved.order_by(last.c.version.desc()).limit(1).correlate(table).scalar_subquery()
        wanted.append(newest.in_(of_state))
    chosen = select(t.stream_id, t.position).join(table, id_ == t.stream_id).where(*wanted)
    order = t.position.desc() if backwards else t.position
    rows = (await connection.execute(chosen.order_by(order).limit(limit + 1))).all()
    return [row.stream_id for row in rows[:limit]], rows[limit - 1].position if len(rows) > limit else None


async def histories(connection: AsyncConnection, ids: Collection[str], axes: Axes) -> dict[str, list[Event]]:
    """Stream -> its events on these axes, in order; without those that have none."""
    t, found = TIMELINE.c, dict[str, list[Event]]()
    chosen = select(t.bytes).where(t.stream_id.in_(ids), *axes.within(TIMELINE)).order_by(t.stream_id, t.version)
    for bytes_ in (await connection.execute(chosen)).scalars():
        event = Event.parse(bytes_)
        found.setdefault(event.stream, []).append(event)
    return {id_: found[id_] for id_ in ids if id_ in found}


def folded(decider: Decider, events: Sequence[Event]) -> Any:
    """The state of a stream after these events."""
    state = decider.initial_state()
    for event in events:
        state = decider.evolve(state, event)
    return state
