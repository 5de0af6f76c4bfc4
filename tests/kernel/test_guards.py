"""Each guard of the unit of work, on and off: with it off the same history comes out wrong."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.envelope import Event
from services.kernel.log import Record
from services.kernel.runtime import Runtime
from services.kernel.work import Intake, LostPartition, UnitOfWork
from tests.kernel.test_work import report
from tests.kit import small
from tests.kit.stores import as_records, rows, runtime

pytestmark = pytest.mark.postgres


@pytest.fixture
async def triage(tmp_path: Path) -> AsyncIterator[Runtime]:
    async with runtime(small.triage(), tmp_path, "postgres") as made:
        yield made


class CursorOff(UnitOfWork):
    """Takes every well-formed event, whatever was taken before."""

    async def _judge(self, session: Any, intake: Intake, event: Event, record: Record) -> None:
        intake.accepted.append((event, record))


@pytest.mark.parametrize(("kind", "reports"), [(UnitOfWork, 4), (CursorOff, 7)])
async def test_the_cursor_drops_what_was_taken_before(triage: Runtime, kind: type[UnitOfWork], reports: int) -> None:
    events = report(1)
    await UnitOfWork(triage).handle(as_records(events[:1]))
    await kind(triage).handle(as_records([*events[1:], *events[1:]], start=1))
    assert await rows(triage, "report_counts") == [("county", reports)]


class SwapOff(UnitOfWork):
    """Writes the offset without looking at what it was."""

    async def _advance(self, connection: Any, starts: Any, nexts: Any) -> None:
        try:
            await super()._advance(connection, starts, nexts)
        except LostPartition:
            return


@pytest.mark.parametrize(("kind", "reports"), [(UnitOfWork, 4), (SwapOff, 7)])
async def test_the_swap_fences_a_second_consumer(triage: Runtime, kind: type[UnitOfWork], reports: int) -> None:
    """Two consumers hold the same records, as after a rebalance; the slower one must have no effect."""
    events = report(1)
    await UnitOfWork(triage).handle(as_records(events[:1]))
    both = asyncio.Barrier(2)

    class Paused(kind):  # type: ignore[misc, valid-type]
        async def _take_events(self, session: Any, intake: Intake, records: Any) -> None:
            await super()._take_events(session, intake, records)
            async with asyncio.timeout(10):
                await both.wait()

    async def once() -> None:
        work = Paused(triage)
        await work._once(as_records(events[1:], start=1), None)

    results = await asyncio.gather(once(), once(), return_exceptions=True)
    assert sum(isinstance(result, LostPartition) for result in results) == (1 if kind is UnitOfWork else 0)
    assert await rows(triage, "report_counts") == [("county", reports)]
