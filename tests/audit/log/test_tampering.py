"""Whatever somebody changes in audit's database, the check names it by its position, on both databases."""

import hashlib
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, delete, select, update

from schemas.envelope import Event
from services.audit.app import SERVICE
from services.audit.log import signing
from services.audit.views import METADATA, TIMELINE, TREE
from services.kernel.proof import trees
from services.kernel.proof.result import CheckResult
from services.kernel.tlog import tree
from services.kernel.tlog.leaf import leaf_of
from tests.audit.log.test_growing import reports
from tests.audit.world import World

KEPT = METADATA.tables["log_kept"]
POSITION = 21
T = TIMELINE.c


def _bytes(connection: Connection, position: int) -> bytes:
    return bytes(connection.execute(select(T.bytes).where(T.position == position)).scalar_one())


def _rewritten(connection: Connection, **attributes: Any) -> bytes:
    """An event with other attributes, put in the place of the one that was there, with its digest."""
    raw = orjson.dumps({**orjson.loads(_bytes(connection, POSITION)), **attributes})
    values = {"bytes": raw, "digest": hashlib.sha256(raw).hexdigest()}
    connection.execute(update(TIMELINE).where(T.position == POSITION).values(values))
    return raw


def changed(connection: Connection) -> None:
    _rewritten(connection, actor="chief@county")


def back_dated(connection: Connection) -> None:
    _rewritten(connection, recordedtime="2020-01-01T00:00:00.000000Z")


def deleted(connection: Connection) -> None:
    connection.execute(delete(TIMELINE).where(T.position == POSITION))
    connection.execute(update(TIMELINE).where(T.position > POSITION).values(position=-T.position))
    connection.execute(update(TIMELINE).where(T.position < 0).values(position=-T.position - 1))


def reordered(connection: Connection) -> None:
    for was, now in ((POSITION, -1), (POSITION + 1, POSITION), (-1, POSITION + 1)):
        connection.execute(update(TIMELINE).where(T.position == was).values(position=now))


def truncated(connection: Connection) -> None:
    connection.execute(delete(TIMELINE).where(T.position >= POSITION))


def altered_hash(connection: Connection) -> None:
    here = (TREE.c.level == 0, TREE.c.number == POSITION // 16)
    row = bytearray(connection.execute(select(TREE.c.hashes).where(*here)).scalar_one())
    row[POSITION % 16 * 32] ^= 1
    connection.execute(update(TREE).where(*here).values(hashes=bytes(row)))


NAMED = f"audit: the log's hash at level 0 from position {POSITION} on is not that of the events in the timeline"
TAMPERED: dict[Callable[[Connection], None], str] = {
    changed: NAMED,
    back_dated: NAMED,
    deleted: NAMED,
    reordered: NAMED,
    truncated: f"leaves, but the timeline ends at {POSITION - 1}",
    altered_hash: NAMED,
}


async def checked(world: World) -> list[str]:
    """The faults of the log."""
    result, database, timeline = CheckResult(), world.runtime.database, SERVICE.timeline
    assert timeline is not None
    await trees.check(database, timeline, result)
    await trees.check_kept("triage", database, world.runtime.tables, database, timeline, result)
    return result.faults


@pytest.fixture
async def signed_world(world: World) -> World:
    """Audit with a log that was signed."""
    await reports(world, 40)
    await world.take()
    assert await signing.sign(world.runtime) is not None
    assert await checked(world) == []
    return world


@pytest.mark.requirement("AUD-01")
@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda tamper: tamper.__name__)
async def test_a_change_is_named_by_its_position(signed_world: World, tamper: Callable[[Connection], None]) -> None:
    async with signed_world.runtime.database.transaction() as connection:
        await connection.run_sync(tamper)
    found = await checked(signed_world)
    assert [text for text in found if TAMPERED[tamper] in text], found


@pytest.mark.parametrize("tamper", [changed, back_dated, deleted, reordered, truncated])
async def test_a_change_with_its_whole_tree_is_found_by_what_another_service_keeps(
    signed_world: World, tamper: Callable[[Connection], None]
) -> None:
    async with signed_world.runtime.database.transaction() as connection:
        await connection.run_sync(tamper)
        known = (await connection.execute(select(T.bytes).order_by(T.position))).scalars().all()
        rows = tree.grown(0, {}, [leaf_of(Event.parse(bytes_)).hash for bytes_ in known])
        await connection.execute(delete(TREE))
        await connection.execute(
            TREE.insert(), [{"level": r.level, "number": r.number, "hashes": h} for r, h in rows.items()]
        )
    (sentence,) = await checked(signed_world)
    assert sentence.startswith("triage holds a signed checkpoint of ")
    # The guard-off run: without what the other service keeps, nothing would show it.
    async with signed_world.runtime.database.transaction() as connection:
        await connection.execute(delete(KEPT))
    assert await checked(signed_world) == []
