"""Each guard of the unit of work, on and off: with it off the same history comes out wrong."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from schemas.envelope import Event
from schemas.ingest import ReportErased
from services.kernel import work
from services.kernel.log import Record
from services.kernel.runtime import Runtime
from services.kernel.work import Intake, LostPartition, UnitOfWork
from tests.kernel.test_work import content, report
from tests.kit import small, spec
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


@pytest.mark.parametrize(("held", "left"), [(True, []), (False, [("words",)])])
async def test_an_erasure_waits_for_words_that_another_worker_takes_in(
    triage: Runtime, monkeypatch: pytest.MonkeyPatch, held: bool, left: list[Any]
) -> None:
    """Neither sees the other's rows: without the hold, words stay that were erased."""
    if not held:
        monkeypatch.setattr(work, "_hold", lambda *_: None)
    (ref, *_) = report(1)[0].words.values()
    erasure = spec.events("report", [report(1)[0].data, ReportErased(refs=(ref,))])
    taken, go_on = asyncio.Event(), asyncio.Event()

    class Paused(UnitOfWork):
        async def _take_events(self, session: Any, intake: Intake, events: Any) -> None:
            taken.set()
            await go_on.wait()

    words = asyncio.create_task(Paused(triage).handle([Record("ingest.content", 0, 0, ref.encode(), content(ref))]))
    await taken.wait()
    erasing = asyncio.create_task(UnitOfWork(triage).handle(as_records(erasure)))
    async with asyncio.timeout(20):
        while not erasing.done() and not await waits_for_a_lock(triage):
            await asyncio.sleep(0.02)
        assert erasing.done() is not held
        go_on.set()
        await asyncio.gather(words, erasing)
    assert await rows(triage, "contents", "words") == left


async def waits_for_a_lock(made: Runtime) -> bool:
    """Whether some transaction in this database waits for an advisory lock."""
    mine = "database = (select oid from pg_database where datname = current_database())"
    waiting = text(f"select count(*) from pg_locks where {mine} and locktype = 'advisory' and not granted")
    async with made.database.read() as connection:
        return bool((await connection.execute(waiting)).scalar_one())
