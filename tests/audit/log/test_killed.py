"""Audit is killed between leaf, checkpoint and offset. Every checkpoint that was ever signed is one of the same log."""

import asyncio
import itertools
import multiprocessing
import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from schemas.checkpoints import CHECKPOINTS as STREAM
from schemas.checkpoints import CheckpointSigned
from schemas.envelope import Event
from services.audit.log import signing
from services.kernel import failpoints
from services.kernel.access.checkpoints import Kept
from services.kernel.delivery.relay import Relay
from services.kernel.tlog import tree
from tests.audit.log.test_growing import leaves, must_be_whole, reports, size
from tests.audit.log.test_signing import said, verifiers
from tests.audit.world import START, World
from tests.kit import substrate

POINTS = ("work.before_commit:2", "work.committed:2", "log.signed:2", "command.committed:2", "relay.acked:3")


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where audit's database is; empty for a file in the folder."""
    template = (
        substrate.new_databases("t", services=("audit",), with_tables=True) if request.param == "postgres" else ""
    )
    yield template.format(service="audit")
    if template:
        substrate.drop_databases(template)


def life(folder: Path, database: str, number: int, point: str) -> int | None:
    """One process that works until the point, in a fork. Returns how it ended."""

    def lives() -> None:
        os.environ |= {"HUIYING_FAILPOINT": point, "HUIYING_FAILPOINT_WHEN": str(folder / f"begun{number}")}
        failpoints._chosen.cache_clear()
        failpoints._passes = itertools.count(1)
        asyncio.run(_works(folder, database, number))

    process = multiprocessing.get_context("fork").Process(target=lives)
    process.start()
    process.join(60)
    return process.exitcode


async def _works(folder: Path, database: str, number: int) -> None:
    world = World(folder, database)
    world.now = START + timedelta(days=number)
    await world.start()
    if number == 0:
        await world.units()
    (folder / f"begun{number}").touch()
    for step in range(4):
        await reports(world, 7, f"{number}-{step}-")
        await world.take()
        await signing.sign(world.runtime)
        await Relay(world.runtime).drain()
    await world.stop()


@pytest.mark.requirement("AUD-01")
def test_every_checkpoint_ever_signed_is_of_one_log(database: str, tmp_path: Path) -> None:
    for number, point in enumerate(POINTS):
        assert life(tmp_path, database, number, point) == -signal.SIGKILL, point
    assert life(tmp_path, database, len(POINTS), "") == 0
    asyncio.run(_must_be_one_log(tmp_path, database))


async def _must_be_one_log(folder: Path, database: str) -> None:
    world = World(folder, database)
    world.now = START + timedelta(days=99)
    await world.start()
    try:
        await must_be_whole(world)
        known, told = await leaves(world), await said(world)
        assert len(known) == await size(world) > 80
        assert len(told) > len(POINTS) and told[-1].size == len(known)
        for one in told:
            assert bytes.fromhex(one.root) == tree.root_over(known[: one.size])
        # The topic has what was signed, to the byte, and each other service would take it all.
        kept, events = Kept(), dict[int, Event]()
        for partition, end in (await world.log.ends(["audit.checkpoint"])).items():
            async for records in world.log.read(partition, 0, end):
                for record in records:
                    event = Event.parse(record.value)
                    if event.stream == STREAM:
                        assert events.setdefault(event.version, event).bytes == event.bytes
        for _, event in sorted(events.items()):
            kept = kept.after(event, world.runtime.keys.digest)
        assert [event.data for _, event in sorted(events.items()) if isinstance(event.data, CheckpointSigned)] == told
        assert (kept.size, kept.root) == (len(known), tree.root_over(known))
        assert len(await verifiers(world)) == 1
    finally:
        await world.stop()
