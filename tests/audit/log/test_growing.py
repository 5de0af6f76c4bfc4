"""The tree grows with the timeline: the same order gives the same tree, however the events came."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from schemas.envelope import Event
from services.audit.log import growing
from services.audit.projection import AuditWork
from services.audit.views import HEAD, TREE
from services.kernel.delivery.log import Record
from services.kernel.tlog import Refused, tree
from services.kernel.tlog.leaf import leaf_of
from services.kernel.tlog.tree import Row
from tests.audit.world import World, id_of, received


async def reports(world: World, count: int, name: str = "r") -> None:
    """So many reports, each a stream of its own."""
    for number in range(count):
        stream = id_of("report", f"{name}{number}")
        await world.send(world.event("ingest", stream, received(f"{name}{number}"), unit="town-east"))


async def leaves(world: World) -> list[bytes]:
    return [leaf_of(Event.parse(bytes_)).hash for _, bytes_ in await world.rows("timeline", "position", "bytes")]


async def stored(world: World) -> dict[Row, bytes]:
    return {Row(level, number): bytes(hashes) for level, number, hashes in await world.rows("tree")}


async def size(world: World) -> int:
    (row,) = await world.rows("head", "size")
    return int(row[0])


async def must_be_whole(world: World) -> None:
    """The stored tree is the one over the timeline, and every proof comes out of it."""
    known = await leaves(world)
    assert await stored(world) == tree.grown(0, {}, known)
    async with world.runtime.database.read() as connection:
        assert await growing.root(connection, await size(world)) == tree.root_over(known[: await size(world)])
        await growing.must_have_its_edge(connection, await size(world))


async def test_the_tree_holds_every_event_at_its_position(world: World) -> None:
    for count in (1, 13, 2, 40):
        await reports(world, count, f"{count}-")
        await world.take()
        await must_be_whole(world)
    known = await leaves(world)
    async with world.runtime.database.read() as connection:
        for end in (1, 5, 17, len(known)):
            root = await growing.root(connection, end)
            assert root == tree.root_over(known[:end])
            path = await growing.hashes(connection, tree.inclusion(end // 2, end))
            tree.must_be_included(end // 2, end, known[end // 2], path, root)


async def test_what_comes_twice_is_one_leaf(world: World) -> None:
    await reports(world, 5)
    await world.take()
    before = await stored(world)
    again = [Event.parse(bytes_) for _, bytes_ in await world.rows("timeline", "position", "bytes")]
    await world.send(*again)
    await world.take()
    assert await stored(world) == before


async def test_batches_of_any_size_give_the_same_tree(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await reports(world, 40)
    for batch in (1, 3, 17, 100):
        monkeypatch.setattr(world.work, "batch", batch)
        await reports(world, 10, f"of{batch}-")
        await world.take()
        await must_be_whole(world)


async def test_an_altered_edge_is_noticed(world: World) -> None:
    await reports(world, 30)
    await world.take()
    for place, hashes in (await stored(world)).items():
        for wrong in (hashes[:-1] + bytes([hashes[-1] ^ 1]), hashes[:-32], hashes + b"\x00" * 32):
            if len(hashes) == tree.WIDTH * tree.SIZE and place.level == 0 and len(wrong) == len(hashes):
                continue  # a full row of leaves is no edge; `huiying check` reads it
            async with world.runtime.database.transaction() as connection:
                here = update(TREE).where(TREE.c.level == place.level, TREE.c.number == place.number)
                await connection.execute(here.values(hashes=wrong))
                edge = place in tree.edge(await size(world))
                if edge or len(wrong) < len(hashes):
                    with pytest.raises(Refused):
                        await growing.must_have_its_edge(connection, await size(world))
                await connection.execute(here.values(hashes=hashes))


async def test_the_leaf_is_written_with_the_position_or_not_at_all(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reports(world, 3)
    before = await stored(world), await size(world)

    async def fails(self: AuditWork, *args: object) -> None:
        raise OSError("the power is gone")

    with monkeypatch.context() as patched:
        patched.setattr(AuditWork, "_advance", fails)
        patched.setattr("services.kernel.delivery.unit_of_work.RETRY_LIMIT", 0.0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(world.take(), 0.3)
    assert (await stored(world), await size(world)) == before
    await world.take()
    await must_be_whole(world)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_interleaving_and_duplication_gives_the_tree_of_its_order(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    asyncio.run(_any_interleaving(data, tmp_path_factory.mktemp("log")))


async def _any_interleaving(data: st.DataObject, folder: Path) -> None:
    world = World(folder)
    await world.start()
    try:
        for number in range(8):
            stream = id_of("report", str(number))
            await world.send(world.event("ingest", stream, received(str(number)), unit="town-east"))
        parts: list[Sequence[Record]] = []
        for partition, end in (await world.log.ends(world.runtime.service.topics)).items():
            found = [record async for records in world.log.read(partition, 0, end) for record in records]
            if found:
                parts.append(found)
        # Each partition comes in its order, in batches of any size, any of them again; the partitions mix in any way.
        nexts = [0] * len(parts)
        while any(at < len(part) for at, part in zip(nexts, parts, strict=True)):
            which = data.draw(st.integers(0, len(parts) - 1))
            start = max(0, nexts[which] - data.draw(st.integers(0, 2)))
            batch = parts[which][start : nexts[which] + data.draw(st.integers(1, 3))]
            if batch:
                await world.work.handle(batch)
                nexts[which] = max(nexts[which], start + len(batch))
        await must_be_whole(world)
        assert await size(world) == 8
    finally:
        await world.stop()


async def forget_all(world: World) -> None:
    """As if the backup were of the first day. What audit said of the order is there, as its topic brought it back."""
    async with world.runtime.database.transaction() as connection:
        names = [table.name for table in world.runtime.service.rebuilt]
        for table in (*names, "consumer_offset", "stream_cursor"):
            await connection.exec_driver_sql(f"delete from {table}")
        await connection.execute(update(HEAD).values(size=0, next=0, logged=0))


async def test_a_restored_audit_regains_the_same_tree(world: World) -> None:
    await reports(world, 20)
    await world.take()
    before = await stored(world)
    order = await world.rows("timeline", "position", "digest")
    await forget_all(world)
    await world.restart()
    assert await size(world) == 0
    # Partitions in another order than at first, and events that nobody had seen before among them.
    await reports(world, 5, "later")
    await world.take("triage.unit", "ingest.report")
    assert (await world.rows("timeline", "position", "digest"))[: len(order)] == order
    await must_be_whole(world)
    now = await stored(world)
    assert all(now[place].startswith(hashes) for place, hashes in before.items())
