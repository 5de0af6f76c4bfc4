"""The tree grows with the timeline, in the same transaction: leaf `n` is the event at position `n`.

Stored hashes are only added to. A reader who knows a size finds the tree of this size, however far it has grown since.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from services.audit.views import TIMELINE, TREE
from services.kernel.store import sql
from services.kernel.store.sql import Write
from services.kernel.tlog import Refused, tree
from services.kernel.tlog.leaf import leaf_of
from services.kernel.tlog.tree import Row, Span

PAGE = 2000
"""So many events of the timeline are read at once."""


async def grown(connection: AsyncConnection, size: int, leaves: Iterable[bytes]) -> list[Write]:
    """What is to be written when these leaves come behind the first `size`. Raises `Refused` if the tree is damaged."""
    held = await rows(connection, tree.edge(size))
    changed = tree.grown(size, held, leaves)
    longer = [_row(place, hashes) for place, hashes in changed.items() if place in held]
    new = [_row(place, hashes) for place, hashes in changed.items() if place not in held]
    return [Write(TREE, longer, replaces=True), Write(TREE, new)]


async def grown_to(connection: AsyncConnection, start: int, end: int, placed: Mapping[int, Event]) -> None:
    """Grows the tree from `start` to `end` leaves, with events of the timeline and those of `placed`, by position.

    Only a restored audit needs this: it regains positions out of order.
    """
    for first in range(start, end, PAGE):
        last = min(first + PAGE, end)
        events = dict(placed)
        lacking = [position for position in range(first, last) if position not in placed]
        if lacking:
            chosen = select(TIMELINE.c.position, TIMELINE.c.bytes).where(
                TIMELINE.c.position >= lacking[0], TIMELINE.c.position <= lacking[-1]
            )
            for position, bytes_ in await connection.execute(chosen):
                events[position] = Event.parse(bytes_)
        leaves = [leaf_of(events[position]).hash for position in range(first, last)]
        await sql.write(connection, await grown(connection, first, leaves))


async def rows(connection: AsyncConnection, places: Iterable[Row]) -> dict[Row, bytes]:
    """The stored hashes of these rows, as far as they are there."""
    (found,) = await sql.rows_of(connection, [(TREE, sorted(places))])
    return {Row(row["level"], row["number"]): bytes(row["hashes"]) for row in found}


async def hashes(connection: AsyncConnection, spans: Sequence[Span]) -> list[bytes]:
    """The hash over each of these spans of leaves. Raises `Refused` if the tree is damaged."""
    held = await rows(connection, tree.rows_of(spans))
    return [tree.hash_of(span, held) for span in spans]


async def inclusions(connection: AsyncConnection, positions: Sequence[int], size: int) -> list[list[bytes]]:
    """The path that proves each of these positions in the first `size`, from one query. Raises `Refused`.

    Neighbours share most of their paths, so many positions at once cost little more than one.
    """
    paths = [tree.inclusion(position, size) for position in positions]
    spans = {span for path in paths for span in path}
    found = dict(zip(spans, await hashes(connection, list(spans)), strict=True))
    return [[found[span] for span in path] for path in paths]


async def root(connection: AsyncConnection, size: int) -> bytes:
    """The root of the first `size` leaves. Raises `Refused` if the tree is damaged."""
    (found,) = await hashes(connection, [Span(0, size)])
    return found


async def must_have_its_edge(connection: AsyncConnection, size: int) -> None:
    """Compares the right edge of the tree with what stands under it: rows, and the last events of the timeline.

    Raises `Refused`. It reads a few hundred rows at most, however large the tree is.
    """
    places = tree.edge(size)
    held = await rows(connection, places)
    tree.must_be_the_edge(size, held)
    for place in places:
        first = place.number * tree.WIDTH
        count = len(held[place]) // tree.SIZE
        if place.level:
            under = await rows(connection, [Row(place.level - 1, first + at) for at in range(count)])
            wanted = [tree.full(under.get(Row(place.level - 1, first + at), b"")) for at in range(count)]
        else:
            wanted = await _leaves(connection, first, first + count)
        if held[place] != b"".join(wanted):
            raise Refused(f"row {place.number} at level {place.level} is not what stands under it")


async def _leaves(connection: AsyncConnection, first: int, last: int) -> list[bytes]:
    chosen = select(TIMELINE.c.bytes).where(TIMELINE.c.position >= first, TIMELINE.c.position < last)
    found = await connection.execute(chosen.order_by(TIMELINE.c.position))
    return [leaf_of(Event.parse(bytes_)).hash for bytes_ in found.scalars()]


def _row(place: Row, hashes: bytes) -> dict[str, object]:
    return {"level": place.level, "number": place.number, "hashes": hashes}
