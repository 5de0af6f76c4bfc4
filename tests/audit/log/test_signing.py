"""Checkpoints: signed as the log grows, never one that does not follow, and nothing while something is wrong."""

from typing import Any

import pytest
from sqlalchemy import delete, update

from schemas.checkpoints import CHECKPOINTS as STREAM
from schemas.checkpoints import CheckpointSigned
from schemas.envelope import Event
from services.audit.log import growing, keys, signing
from services.audit.views import CHECKPOINTS, HEAD, TIMELINE, TREE
from services.kernel.core.problems import NotFound
from services.kernel.delivery.relay import Relay
from services.kernel.serving.commands import Caller
from services.kernel.store import checkpoints
from services.kernel.tlog import tree
from services.kernel.tlog.checkpoint import Checkpoint, opened
from services.kernel.tlog.note import Verifier
from tests.audit.log.test_growing import forget_all, leaves, reports
from tests.audit.world import World

ORIGIN = "127.0.0.1:8400/audit/v1/log"


async def signed(world: World) -> Checkpoint | None:
    """Signs, and sends what was signed."""
    found = await signing.sign(world.runtime)
    await Relay(world.runtime).drain()
    return found


async def said(world: World) -> list[CheckpointSigned]:
    """The checkpoints on audit's stream."""
    events = world.runtime.tables["events"]
    async with world.runtime.database.read() as connection:
        chosen = events.select().where(events.c.stream_id == STREAM).order_by(events.c.version)
        found = [Event.parse(row.bytes).data for row in await connection.execute(chosen)]
    return [data for data in found if isinstance(data, CheckpointSigned)]


async def verifiers(world: World) -> list[Verifier]:
    async with world.runtime.database.read() as connection:
        return await keys.believed(connection)


async def note(world: World, size: int) -> bytes:
    notes = dict(await world.rows("checkpoints", "size", "note"))
    return bytes(notes[size])


async def alter(world: World, statement: Any) -> None:
    async with world.runtime.database.transaction() as connection:
        await connection.execute(statement)


async def test_each_checkpoint_follows_the_one_before(world: World) -> None:
    assert await signed(world) is not None
    for count in (1, 14, 3, 40):
        await reports(world, count, f"{count}-")
        await world.take()
        found = await signed(world)
        known = await leaves(world)
        assert found == (ORIGIN, len(known), tree.root_over(known))
        assert opened(await note(world, len(known)), ORIGIN, await verifiers(world)).checkpoint == found
        assert await signed(world) is None, "nothing is new"
    told = await said(world)
    assert [one.before for one in told] == [0, *(one.size for one in told[:-1])]
    known = await leaves(world)
    for one in told:
        path = [bytes.fromhex(hash_) for hash_ in one.path]
        before = tree.root_over(known[: one.before])
        tree.must_be_consistent(one.before, one.size, path, before, bytes.fromhex(one.root))
    assert world.runtime.alarms == {}


async def test_what_is_not_on_the_topic_yet_is_not_signed(world: World) -> None:
    await signed(world)
    sent = len(await leaves(world))
    await reports(world, 5)
    ends = await world.log.ends(world.runtime.service.topics)
    offsets = await world.work.offsets(list(ends))
    for partition, end in ends.items():
        async for records in world.log.read(partition, offsets[partition], end):
            await world.work.handle(records)
    assert len(await leaves(world)) == sent + 5
    assert await signing.sign(world.runtime) is None
    await Relay(world.runtime).drain()
    found = await signing.sign(world.runtime)
    assert found is not None and found.size == sent + 5


@pytest.mark.requirement("AUD-01")
@pytest.mark.parametrize("what", ["leaf", "event", "cut"])
async def test_a_log_that_was_rewritten_is_not_signed_and_says_so(world: World, what: str) -> None:
    await reports(world, 40)
    await world.take()
    before = await signed(world)
    assert before is not None
    async with world.runtime.database.transaction() as connection:
        if what == "cut":
            # The last events are gone, and the tree is that of those that are left: it is whole, and shorter.
            kept = 20
            rows = tree.grown(0, {}, (await leaves(world))[:kept])
            await connection.execute(delete(TREE))
            await connection.execute(
                TREE.insert(), [{"level": r.level, "number": r.number, "hashes": h} for r, h in rows.items()]
            )
            await connection.execute(delete(TIMELINE).where(TIMELINE.c.position >= kept))
            await connection.execute(update(HEAD).values(size=kept, next=kept))
        elif what == "leaf":
            row = (await growing.rows(connection, [tree.Row(1, 0)]))[tree.Row(1, 0)]
            await connection.execute(
                update(TREE).where(TREE.c.level == 1, TREE.c.number == 0).values(hashes=bytes(32) + row[32:])
            )
        else:
            # Event and tree are altered together, so that the tree agrees with the timeline.
            known = await leaves(world)
            rows = tree.grown(0, {}, [tree.leaf_hash(b"another"), *known[1:]])
            await connection.execute(delete(TREE))
            await connection.execute(
                TREE.insert(), [{"level": r.level, "number": r.number, "hashes": h} for r, h in rows.items()]
            )
    if what != "cut":
        await reports(world, 3, "more")
        await world.take()
        assert len(await leaves(world)) == before.size + 3, "events are taken in all the same"
    assert await signed(world) is None
    assert [one.size for one in await said(world)][-1] == before.size
    async with world.client() as client:
        ready = (await client.get("/readyz")).json()["services"]["audit"]
        (sentence,) = ready["alarms"]
        assert "sign" in sentence
        metrics = (await client.get("/metrics")).text
    assert 'huiying_alarms{service="audit"} 1.0' in metrics


async def test_after_a_restore_nothing_is_signed_before_all_that_was_signed_is_regained(world: World) -> None:
    await reports(world, 20)
    await world.take()
    before = await signed(world)
    assert before is not None
    await forget_all(world)
    await world.restart()
    await reports(world, 2, "later")
    assert await signed(world) is None, "nothing is regained"
    assert world.runtime.alarms == {}, "an empty log is no alarm"
    ends = {part: end for part, end in (await world.log.ends(world.runtime.service.topics)).items() if end}
    offsets = await world.work.offsets(list(ends))
    part = next(part for part in sorted(ends) if part.topic == "triage.unit")
    async for records in world.log.read(part, offsets[part], ends[part]):
        await world.work.handle(records)
    assert 0 < (await world.rows("head", "size"))[0][0] < before.size
    assert await signed(world) is None
    assert "regained" in world.runtime.alarms["log"]
    await world.take()
    found = await signed(world)
    assert found is not None and found.size > before.size
    assert world.runtime.alarms == {}
    assert [one.before for one in await said(world)][-1] == before.size


async def test_both_keys_sign_one_checkpoint_when_the_key_changes(world: World) -> None:
    await signed(world)
    (first,) = await verifiers(world)
    second = Verifier.parse(await keys.rotate(world.runtime, Caller()))
    size = len(await leaves(world))
    overlap = await signed(world)
    assert overlap is not None and overlap.size == size, "the same size is signed again"
    assert set(opened(await note(world, size), ORIGIN, [first]).by) == {first}
    assert set(opened(await note(world, size), ORIGIN, [first, second]).by) == {first, second}
    assert await signed(world) is None
    await reports(world, 2)
    await world.take()
    later = await signed(world)
    assert later is not None
    assert set(opened(await note(world, later.size), ORIGIN, [first, second]).by) == {second}
    assert len(await world.rows("log_secrets")) == 2, "one of the log, one of the witness"


async def test_a_revoked_key_counts_for_nothing_and_another_signs_the_same_size(world: World) -> None:
    await signed(world)
    (first,) = await verifiers(world)
    await keys.revoke(world.runtime, Caller(), first.vkey, "somebody copied it")
    await keys.revoke(world.runtime, Caller(), first.vkey, "again")
    (second,) = await verifiers(world)
    assert second != first
    size = len(await leaves(world))
    found = await signed(world)
    assert found is not None and found.size == size
    assert set(opened(await note(world, size), ORIGIN, [second]).by) == {second}
    with pytest.raises(NotFound):
        await keys.revoke(world.runtime, Caller(), "nobody+00000000+AA==", "no such key")


async def test_the_name_of_the_log_stays(world: World) -> None:
    object.__setattr__(world.runtime, "settings", world.settings.model_copy(update={"log_origin": "elsewhere.example"}))
    await keys.rotate(world.runtime, Caller())
    assert {one.name for one in await verifiers(world)} == {ORIGIN}


async def test_what_was_signed_is_kept(world: World) -> None:
    await signed(world)
    async with world.runtime.database.read() as connection:
        kept = await checkpoints.kept(connection, world.runtime.tables)
        size = (await connection.execute(CHECKPOINTS.select())).one().size
    assert (kept.size, kept.origin) == (size, ORIGIN)
