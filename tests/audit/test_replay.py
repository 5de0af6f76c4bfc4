"""Views and audit, built again from the topics alone, equal the live ones row by row. A difference is shown."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from services.kernel.core.ids import derived
from services.kernel.delivery.log import Partition
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.proof import replay as replays
from services.kernel.proof.replay import Difference, replay
from services.kernel.store.database import Database
from tests.kernel.test_work import report
from tests.kit import small
from tests.kit.stores import as_records, rows, runtime
from tests.test_check import System, plant, system

REPORTS = [f"report-{derived('replay', str(number))}" for number in range(8)]


async def lived(made: System) -> None:
    """Reports come in little by little, so that audit takes several batches. One is erased."""
    for stream in REPORTS:
        await made.report(stream)
        await made.settle()
    await made.erase(REPORTS[3])
    await made.settle()


async def replayed(made: System, name: str, wait: float = 30.0) -> list[Difference]:
    """The differences between a service and its replay."""
    into = Database(made.folder / f"{name}-again.sqlite")
    try:
        return await replay(made.runtimes[name], into, wait)
    finally:
        await into.close()


@pytest.fixture
async def at_rest(tmp_path: Path) -> Path:
    """The folder of a system that has worked."""
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


@pytest.mark.parametrize("name", ["ingest", "triage", "audit"])
async def test_what_comes_in_meanwhile_is_no_difference(
    name: str, at_rest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = replays._sent

    async with system(at_rest) as made:

        async def then_more(*parts: Any) -> None:
            await asyncio.gather(sent(*parts), made.settle())
            for number in range(3):
                await made.report(f"report-{derived('later', str(number))}")
                await made.settle()
            await made.erase(REPORTS[0])
            await made.settle()
            await made.report(f"report-{derived('later', 'unsent')}")

        monkeypatch.setattr(replays, "_sent", then_more)
        await made.report(f"report-{derived('later', 'in the outbox')}")
        assert await replayed(made, name) == []


async def test_an_outbox_that_does_not_drain_is_no_difference_either(at_rest: Path) -> None:
    async with system(at_rest) as made:
        await made.report(f"report-{derived('later', 'in the outbox')}")
        with pytest.raises(replays.NotYet, match="3 records still wait"):
            await replayed(made, "ingest", 0.1)


@pytest.mark.postgres
async def test_on_postgresql_a_moment_stays_what_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with runtime(small.triage(), tmp_path, "postgres") as live:
        work, records = UnitOfWork(live), as_records([*report(1), *report(2), *report(3)])
        place = Partition("ingest.report", 0)
        await live.log.append({place: [(record.key or b"", record.value) for record in records]})
        await work.handle(records[:4])
        await Relay(live).drain()
        sent = replays._sent

        async def then_more(*parts: Any) -> None:
            await sent(*parts)
            await work.handle(records[4:])
            await Relay(live).drain()

        monkeypatch.setattr(replays, "_sent", then_more)
        into = Database(tmp_path / "again.sqlite")
        assert await replay(live, into) == []
        await into.close()
        assert await rows(live, "report_counts") == [("county", 12)]
