"""Each guard of the unit of work, on and off. With a guard off, the same history gives a wrong result."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from schemas import catalogue
from schemas.envelope import Event
from schemas.ingest import ReportErased, ReportReachMeasured
from services.kernel.delivery import repairs
from services.kernel.delivery import unit_of_work as work
from services.kernel.delivery.intake import Intake
from services.kernel.delivery.log import Record
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import LostPartition, UnitOfWork
from services.kernel.store.sql import Hold
from tests.kernel.test_repairs import NEWER
from tests.kernel.test_work import altered, content, report
from tests.kit import small, spec
from tests.kit.stores import as_records, rows, runtime

pytestmark = pytest.mark.postgres


@pytest.fixture
async def triage(tmp_path: Path) -> AsyncIterator[Runtime]:
    async with runtime(small.triage(), tmp_path, "postgres") as made:
        yield made


class CursorOff(UnitOfWork):
    """Takes every well-formed event, even if an earlier one contradicts it."""

    async def judge(self, session: Any, intake: Intake, event: Event, record: Record) -> None:
        intake.accepted.append((event, record))


@pytest.mark.parametrize(("kind", "reports"), [(UnitOfWork, 4), (CursorOff, 7)])
async def test_the_cursor_drops_what_was_taken_before(triage: Runtime, kind: type[UnitOfWork], reports: int) -> None:
    events = report(1)
    await UnitOfWork(triage).handle(as_records(events[:1]))
    await kind(triage).handle(as_records([*events[1:], *events[1:]], start=1))
    assert await rows(triage, "report_counts") == [("county", reports)]


class SwapOff(UnitOfWork):
    """Writes the offset without comparing it first."""

    async def _advance(self, connection: Any, starts: Any, lasts: Any) -> None:
        try:
            await super()._advance(connection, starts, lasts)
        except LostPartition:
            return


@pytest.mark.parametrize(("kind", "reports"), [(UnitOfWork, 4), (SwapOff, 7)])
async def test_the_swap_fences_a_second_consumer(triage: Runtime, kind: type[UnitOfWork], reports: int) -> None:
    """Two consumers hold the same records, as after a rebalance. The slower one must have no effect."""
    events = report(1)
    await UnitOfWork(triage).handle(as_records(events[:1]))
    both = asyncio.Barrier(2)

    class Paused(kind):  # type: ignore[misc, valid-type]
        async def conclude(self, session: Any, intake: Intake) -> None:
            await super().conclude(session, intake)
            async with asyncio.timeout(10):
                await both.wait()

    async def once() -> None:
        work = Paused(triage)
        await work._once(as_records(events[1:], start=1), None, alone=False)

    results = await asyncio.gather(once(), once(), return_exceptions=True)
    assert sum(isinstance(result, LostPartition) for result in results) == (1 if kind is UnitOfWork else 0)
    assert await rows(triage, "report_counts") == [("county", reports)]


@pytest.fixture(params=[True, False], ids=["held", "not_held"])
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether workers, erasures and repairs exclude each other."""
    if not request.param:
        for module in (work, repairs):
            monkeypatch.setattr(module, "hold", lambda **_: Hold("intake", []))
    return bool(request.param)


async def at_once(made: Runtime, records: list[Record], other: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """A worker takes the records in. Before its commit, the other work is done or waits for a lock."""
    taken, go_on = asyncio.Event(), asyncio.Event()

    class Paused(UnitOfWork):
        async def _advance(self, connection: Any, starts: Any, lasts: Any) -> None:
            await super()._advance(connection, starts, lasts)
            taken.set()
            await go_on.wait()

    first = asyncio.create_task(Paused(made).handle(records))
    await taken.wait()
    second = asyncio.create_task(other())
    try:
        async with asyncio.timeout(20):
            while not second.done() and not await waits_for_a_lock(made):
                await asyncio.sleep(0.02)
    finally:
        go_on.set()
        await asyncio.gather(first, second)


async def test_an_erasure_waits_for_words_that_another_worker_takes_in(triage: Runtime, held: bool) -> None:
    """Neither transaction sees the other's rows. Without the lock, erased words stay."""
    (ref, *_) = report(1)[0].words.values()
    erasure = as_records(spec.events("report", [report(1)[0].data, ReportErased(refs=(ref,))]))
    words = Record("ingest.content", 0, 0, ref.encode(), content(ref))
    await at_once(triage, [words], lambda: UnitOfWork(triage).handle(erasure))
    assert await rows(triage, "contents", "words") == ([] if held else [("words",)])


async def test_an_erasure_that_waited_for_its_turn_waits_for_words_too(triage: Runtime, held: bool) -> None:
    """It leaves the parked events with a record that is no erasure itself."""
    first, second, *_ = report(1)
    (ref, *_) = first.words.values()
    events = as_records(spec.events("report", [first.data, second.data, ReportErased(refs=(ref,))]))
    words = Record("ingest.content", 0, 0, ref.encode(), content(ref))
    await UnitOfWork(triage).handle([events[0], events[2]._replace(offset=1)])
    last = [events[1]._replace(offset=2)]
    await at_once(triage, [words], lambda: UnitOfWork(triage).handle(last))
    assert await rows(triage, "contents", "words") == ([] if held else [("words",)])


async def test_a_repair_waits_for_what_a_worker_parks(
    triage: Runtime, monkeypatch: pytest.MonkeyPatch, held: bool
) -> None:
    """Without the lock, the worker writes that the stream waits, although the repair has just freed it."""
    first, second, third = report(1, 3)
    later = altered(second, type=NEWER)
    await UnitOfWork(triage).handle(as_records([first, later]))
    monkeypatch.setitem(catalogue._models, NEWER, ReportReachMeasured)
    behind = as_records([altered(third, previousdigest=later.digest)], start=2)
    await at_once(triage, behind, lambda: repairs.unpark(UnitOfWork(triage)))
    assert await rows(triage, "parked", "version") == ([] if held else [(3,)])
    assert await rows(triage, "report_counts") == [("county", 3 if held else 2)]


async def waits_for_a_lock(made: Runtime) -> bool:
    """Whether some transaction in this database waits for another one."""
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with made.database.read() as connection:
        return bool((await connection.execute(text(waiting))).scalar_one())
