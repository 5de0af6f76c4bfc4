"""Missing rights as events: each is counted once, even if many come at the same moment."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.kernel.core.problems import Forbidden, Rejected
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import process
from services.kernel.store.database import Database
from services.kernel.store.session import Conflict
from tests.kit import small, spec
from tests.kit.stores import rows, runtime, stored


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def made(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with runtime(small.ingest(), tmp_path, request.param) as started:
        yield started


def another(made: Runtime) -> Runtime:
    """Another process of the same service."""
    database = Database(made.settings.data / "ingest.sqlite" if made.database.is_sqlite else made.database.location)
    return Runtime(made.service, made.settings, database, made.time_source, made.log, made.secret)


async def test_refusals_at_the_same_moment_are_all_counted(made: Runtime) -> None:
    other, stop = another(made), asyncio.Event()

    async def sum_up() -> None:
        while not stop.is_set():
            await asyncio.gather(*(operations.sum_refusals(one) for one in (made, other)))

    async def refuse(number: int) -> None:
        problem = Forbidden("you may not", act=f"act {number % 3}")
        await operations.refuse((made, other)[number % 2], spec.staff("handler"), problem)

    summing = asyncio.create_task(sum_up())
    for minute in range(3):
        made.time_source.move(timedelta(minutes=minute))
        await asyncio.gather(*(refuse(number) for number in range(30)))
    stop.set()
    await summing
    made.time_source.move(timedelta(minutes=3))
    await operations.sum_refusals(made)
    assert sum(event.data.count for event in await stored(made)) == 90
    assert await rows(made, "refusals") == []
    await other.database.close()


async def test_an_attempt_to_take_two_parts_is_recorded_once_a_minute_for_each_post_and_record(made: Runtime) -> None:
    record = f"statement-{spec.UUID}"

    def problem(on: str) -> Rejected:
        refused = Rejected("you wrote this", code="drafted-by-you", rule="approval.separation", pack="p@1")
        refused.record = on
        return refused

    async def attempt(post: str, on: str) -> None:
        await operations.separate(made, spec.staff(post), problem(on))

    await asyncio.gather(*(attempt("approver", record) for _ in range(5)))
    await attempt("chief", record)
    await attempt("approver", f"incident-{spec.UUID}")
    made.time_source.move(timedelta(minutes=1))
    await attempt("approver", record)
    found = sorted((event.actor, event.data.record) for event in await stored(made))
    other = f"incident-{spec.UUID}"
    of_approver = [("approver@county", other), *[("approver@county", record)] * 2]
    assert found == [*of_approver, ("chief@county", record)]


async def test_no_loop_ends_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOOP_SECONDS", 0.001)
    failures = [Conflict("a stream has grown"), ValueError("one bad record"), OSError("no disk")]

    async def loop(made: Runtime) -> None:
        if failures:
            raise failures.pop()

    async with runtime(small.ingest(), tmp_path, "sqlite") as made:
        async with asyncio.timeout(10):
            await process._supervised(made, loop)
    assert failures == []
