"""Views and audit, built again from the topics alone, equal the live ones row by row; where they do not, it shows."""

from pathlib import Path

import pytest

from services.kernel.core.ids import derived
from services.kernel.proof.replay import Difference, replay
from services.kernel.store.database import Database
from tests.test_check import System, plant, system

REPORTS = [f"report-{derived('replay', str(number))}" for number in range(8)]


async def lived(made: System) -> None:
    """Reports come in piece by piece, so that audit takes several batches; one is erased."""
    for stream in REPORTS:
        await made.report(stream)
        await made.settle()
    await made.erase(REPORTS[3])
    await made.settle()


async def replayed(made: System, name: str) -> list[Difference]:
    """What differs between a service and its replay."""
    into = Database(made.folder / f"{name}-again.sqlite")
    try:
        return await replay(made.runtimes[name], into)
    finally:
        await into.close()


@pytest.fixture
async def at_rest(tmp_path: Path) -> Path:
    """The folder of a system that has lived."""
    async with system(tmp_path, new=True) as made:
        await lived(made)
    return tmp_path


@pytest.mark.parametrize("name", ["triage", "audit"])
async def test_a_replay_from_the_topics_gives_the_same_rows(name: str, at_rest: Path) -> None:
    async with system(at_rest) as made:
        assert await replayed(made, name) == []


async def test_a_row_that_differs_is_named(at_rest: Path) -> None:
    plant(at_rest, "triage", "update report_counts set reports = reports + 1")
    async with system(at_rest) as made:
        (found,) = await replayed(made, "triage")
    assert (found.table, found.key) == ("report_counts", ("county",))
    assert found.live is not None
    assert found.replayed is not None
    assert found.live["reports"] == found.replayed["reports"] + 1


async def test_rows_that_one_side_lacks_are_named(at_rest: Path) -> None:
    plant(at_rest, "audit", "update timeline set position = 900 where position = 0")
    async with system(at_rest) as made:
        found = await replayed(made, "audit")
    assert [(each.table, each.key) for each in found] == [("timeline", (900,)), ("timeline", (0,))]
    assert found[0].replayed is None
    assert found[1].live is None
