"""Whether audit's tree of hashes is the tree over its timeline, row by row."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Table, select

from schemas.envelope import Event, Undecodable
from services.kernel.delivery.runtime import Timeline
from services.kernel.proof.result import LOG_REWRITTEN, TREE_ALTERED, CheckResult
from services.kernel.store import checkpoints, sql
from services.kernel.store.database import Database
from services.kernel.tlog import Refused, tree
from services.kernel.tlog.leaf import leaf_of
from services.kernel.tlog.tree import Row

BATCH = 2000


async def check(database: Database, timeline: Timeline, result: CheckResult) -> bool:
    """Computes the tree anew and compares each stored row. Returns whether they are the same.

    It holds one batch of events and the tree's right edge in memory. Events that come meanwhile are not looked at.
    """
    size = await _size(database, timeline, result)
    edge: dict[Row, bytes] = {}
    same, first = True, 0
    while first < size:
        last = min(first + BATCH, size)
        leaves = await _leaves(database, timeline, first, last)
        if leaves is None:
            # What is wrong with the timeline is told where the timeline is checked.
            return False
        changed = tree.grown(first, edge, leaves)
        same &= await _compare(database, timeline, changed, size, result)
        edge = {row: (edge | changed)[row] for row in tree.edge(last)}
        first = last
    result.add("leaves", size)
    return same


async def _size(database: Database, timeline: Timeline, result: CheckResult) -> int:
    """How many leaves the timeline asks for. The tree grows with it, so it cannot have more than it has a bit later."""
    t, rows = timeline.table.c, timeline.tree.c
    lowest = select(rows.number, rows.hashes).where(rows.level == 0).order_by(rows.number.desc()).limit(1)
    async with database.read() as connection:
        held = (await connection.execute(lowest)).first()
        last = (await connection.execute(select(t.position).order_by(t.position.desc()).limit(1))).scalar()
    size = 0 if last is None else last + 1
    leaves = 0 if held is None else held.number * tree.WIDTH + len(held.hashes) // tree.SIZE
    if leaves > size:
        result.fault(TREE_ALTERED, "audit", f"audit: the log has {leaves} leaves, but the timeline ends at {size - 1}")
    return size


async def _leaves(database: Database, timeline: Timeline, first: int, last: int) -> list[bytes] | None:
    t = timeline.table.c
    chosen = select(t.position, t.bytes).where(t.position >= first, t.position < last).order_by(t.position)
    async with database.read() as connection:
        found = (await connection.execute(chosen)).all()
    if [row.position for row in found] != list(range(first, last)):
        return None
    try:
        return [leaf_of(Event.parse(row.bytes)).hash for row in found]
    except Undecodable:
        return None


async def _compare(
    database: Database, timeline: Timeline, changed: dict[Row, bytes], size: int, result: CheckResult
) -> bool:
    async with database.read() as connection:
        (found,) = await sql.rows_of(connection, [(timeline.tree, sorted(changed))])
    held = {Row(row["level"], row["number"]): bytes(row["hashes"]) for row in found}
    same = True
    for place, wanted in sorted(changed.items()):
        # A row may have grown since, so it only has to begin so.
        if not held.get(place, b"").startswith(wanted):
            same = False
            result.fault(TREE_ALTERED, "audit", _sentence(place, wanted, held.get(place)))
    return same


def _sentence(place: Row, wanted: bytes, held: bytes | None) -> str:
    """What is wrong with a row, by the first position that it concerns."""
    if held is None:
        at, what = 0, "is missing"
    else:
        beside = zip(tree.split(wanted), tree.split(held), strict=False)
        at = next((at for at, (one, other) in enumerate(beside) if one != other), len(held) // tree.SIZE)
        what = "is not that of the events in the timeline"
    position = (place.number * tree.WIDTH + at) * tree.WIDTH**place.level
    return f"audit: the log's hash at level {place.level} from position {position} on {what}"


async def check_kept(
    name: str,
    database: Database,
    tables: Mapping[str, Table],
    audit: Database,
    timeline: Timeline,
    result: CheckResult,
) -> None:
    """Compares the newest checkpoint that a service keeps with audit's tree, which has been compared before.

    It may be older than the tree. It is neither ahead of it nor another tree's.
    """
    async with database.read() as connection:
        kept = await checkpoints.kept(connection, tables)
    if not kept.size:
        return
    found = await root(audit, timeline, kept.size)
    if found is None:
        sentence = f"{name} holds a signed checkpoint of {kept.size} events, and audit's log has not so many"
        result.fault(LOG_REWRITTEN, name, sentence)
    elif found != kept.root:
        sentence = f"{name} holds a signed checkpoint of {kept.size} events whose root is not that of audit's log"
        result.fault(LOG_REWRITTEN, name, sentence)
    result.add("checkpoints", 1)


async def root(database: Database, timeline: Timeline, size: int) -> bytes | None:
    """The root of the first `size` leaves by the stored rows; None if they do not have so many."""
    wanted: Iterable[Row] = tree.rows_of([tree.Span(0, size)])
    async with database.read() as connection:
        (found,) = await sql.rows_of(connection, [(timeline.tree, sorted(wanted))])
    held = {Row(row["level"], row["number"]): bytes(row["hashes"]) for row in found}
    try:
        return tree.root_of(size, held)
    except Refused:
        return None
