"""The database's border: errors of a server that does not answer."""

import asyncio
import contextlib
import importlib.util
import time
from contextlib import AsyncExitStack
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from services.kernel.core.problems import Unavailable
from services.kernel.delivery import recovery
from services.kernel.delivery import runtime as delivery
from services.kernel.delivery.unit_of_work import is_defect
from services.kernel.store import database, sql
from services.kernel.store.sql import Write
from services.kernel.tasks import side_by_side
from tests.kit import small
from tests.kit.stores import runtime


async def test_a_commit_on_sqlite_waits_for_the_disk(tmp_path: Path) -> None:
    """The tests do not wait, so this asks the module as it is shipped."""
    described = importlib.util.find_spec(database.__name__)
    assert described is not None and described.loader is not None
    shipped = importlib.util.module_from_spec(described)
    described.loader.exec_module(shipped)
    made = shipped.Database(tmp_path / "some.sqlite")
    try:
        async with made.transaction() as connection:
            assert (await connection.execute(text("pragma synchronous"))).scalar_one() == 2
    finally:
        await made.close()


@pytest.mark.postgres
async def test_a_pool_that_stays_full_is_a_database_that_does_not_answer(tmp_path: Path) -> None:
    """The caller gets 503, and work waits. It is neither a defect nor a crash."""
    async with runtime(small.ingest(), tmp_path, "postgres") as made, AsyncExitStack() as stack:
        pool: Any = made.database._write.pool
        pool._timeout = 0.1
        for _ in range(pool.size() + pool._max_overflow):
            await stack.enter_async_context(made.database.read())
        with pytest.raises(DBAPIError, match="connect") as refused:
            async with made.database.transaction():
                raise AssertionError("there is no connection left")
        assert not is_defect(refused.value)


@pytest.mark.postgres
async def test_a_statement_is_planned_for_its_own_values_however_often_it_is_asked(tmp_path: Path) -> None:
    """A plan for any values is the sixth one at the earliest: on a large record it may take minutes."""
    async with runtime(small.ingest(), tmp_path, "postgres") as made, made.database.read() as connection:
        for number in range(20):
            await connection.execute(text("select * from events where seq < :number"), {"number": number})
        plans = text("select generic_plans, custom_plans from pg_prepared_statements where statement like '%seq <%'")
        ((generic, custom),) = (await connection.execute(plans)).all()
        assert (generic, custom > 5) == (0, True)


async def test_a_database_closes_connections_that_are_given_back_after_its_end_began(tmp_path: Path) -> None:
    made, holds = database.Database(tmp_path / "some.sqlite"), asyncio.Event()
    found: list[Any] = []

    async def read() -> None:
        async with made.read() as connection:
            found.append((await connection.get_raw_connection()).driver_connection)
            holds.set()
            await asyncio.sleep(0.05)

    reading = asyncio.create_task(read())
    await holds.wait()
    await made.close()
    await reading
    with pytest.raises(ValueError, match="no active connection"):
        await found[0].execute("select 1")


async def test_a_transaction_that_was_cancelled_locks_no_file(tmp_path: Path) -> None:
    """Not even while somebody holds the error, as a loop does that waits before it tries again."""
    made = database.Database(tmp_path / "some.sqlite", 0.2)
    async with made.transaction() as connection:
        await connection.execute(text("create table some (n int)"))

    async def write() -> None:
        async with made.transaction() as connection:
            await connection.execute(text("insert into some values (:n)"), [{"n": 1}] * 20_000)

    async def fail(seconds: float) -> None:
        await asyncio.sleep(seconds)
        raise OSError("gone")

    for number in range(8):
        try:
            await side_by_side((write(), fail(0.005 + number / 500)))
        except OSError:
            async with made.transaction() as connection:
                await connection.execute(text("insert into some values (2)"))
    await made.close()


@pytest.mark.postgres
async def test_a_database_that_answers_late_does_not_make_the_clock_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_SKEW", 0.2)
    async with runtime(small.ingest(), tmp_path, "postgres") as made:
        async with AsyncExitStack() as stack:
            pool: Any = made.database._write.pool
            for _ in range(pool.size() + pool._max_overflow):
                await stack.enter_async_context(made.database.read())
            asking = asyncio.create_task(made.ready_to_decide())
            await asyncio.sleep(0.5)
        await asking


@pytest.mark.postgres
@pytest.mark.parametrize("off", [60, -60])
async def test_nothing_is_decided_by_a_clock_that_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: int
) -> None:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Wrong":
            return cls.fromtimestamp(time.time() - off, tz)

    monkeypatch.setattr(delivery, "datetime", Wrong)
    async with runtime(small.ingest(), tmp_path, "postgres") as made:
        with pytest.raises(Unavailable, match=f"clock is {off} s off"):
            await made.ready_to_decide()


@pytest.mark.postgres
@pytest.mark.parametrize("guarded", [True, False])
async def test_who_is_cancelled_while_it_ends_ends_as_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """If cancelled twice, psycopg gives the connection up.

    Without the guard, a loop that waits for databases would end.
    """
    if not guarded:
        monkeypatch.setattr(database, "_ends_cancelled", contextlib.nullcontext)
    async with runtime(small.ingest(), tmp_path, "postgres") as made:

        async def sleep() -> None:
            async with made.database.transaction() as connection, database.driver(connection) as raw:
                await raw.execute("select pg_sleep(60)")

        async def is_asleep() -> bool:
            asked = (
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
            )
            async with made.database.read() as connection:
                return bool((await connection.execute(text(asked))).scalar())

        task = asyncio.create_task(sleep())
        while not await is_asleep():
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.sleep(0)  # psycopg begins to cancel the query
        task.cancel()
        with pytest.raises(asyncio.CancelledError if guarded else DBAPIError):
            await task


async def test_works_side_by_side_are_cancelled_once() -> None:
    """A second cancellation would cut off the work's own cleaning up."""
    ended = asyncio.Event()

    async def ends_slowly() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.set()

    both = asyncio.create_task(side_by_side((asyncio.sleep(60), ends_slowly())))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both
    assert ended.is_set()


async def test_a_list_in_a_condition_is_looked_up_by_the_index(tmp_path: Path) -> None:
    """SQLite reads a whole table if it must compare a condition with 1."""
    events = small.ingest().metadata.tables["events"]
    chosen = select(events.c.bytes).where(sql.is_one_of(events.c.stream_id, "streams"))
    async with runtime(small.ingest(), tmp_path, "sqlite") as made, made.database.read() as connection:
        compiled = str(chosen.compile(dialect=connection.dialect))
        plan = await connection.exec_driver_sql(f"explain query plan {compiled}", ('["report-1"]',))
        steps = [row[3] for row in plan]
    assert any(step.startswith("SEARCH events USING INDEX") for step in steps), steps


@pytest.mark.postgres
async def test_no_plan_compares_each_row_with_each_value_of_a_list(tmp_path: Path) -> None:
    """A statement that was planned while its table was small reads the whole table until it is planned anew."""
    events = small.ingest().metadata.tables["events"]
    few = select(events.c.bytes).where(sql.is_one_of(events.c.stream_id, "streams"))
    placed, named = recovery.under(events)
    async with (
        runtime(small.ingest(), tmp_path, "postgres") as made,
        made.database.read() as connection,
        sql.driver(connection) as raw,
    ):
        await raw.execute("set local plan_cache_mode to force_generic_plan")
        # An index is taken wherever it can be, so that an empty table tells of a full one.
        await raw.execute("set local enable_seqscan to off")
        for at, (chosen, *lists) in enumerate(
            ((few, "streams text"), (placed, "streams text", "versions int"), (named, "ids text"))
        ):
            compiled = str(chosen.compile(dialect=connection.dialect))
            types = [one.split() for one in lists]
            for number, (name, _) in enumerate(types, 1):
                compiled = compiled.replace(f"%({name})s", f"${number}")
            listed = ", ".join(f"{type_}[]" for _, type_ in types)
            values = ", ".join("'{1}'" for _ in types)
            await raw.execute(f"prepare asked{at}({listed}) as {compiled}")  # type: ignore[arg-type]
            plan = str(await (await raw.execute(f"explain execute asked{at}({values})")).fetchall())
            assert "ANY" not in plan, plan
            assert "Seq Scan on events" not in plan, plan


@pytest.mark.postgres
@pytest.mark.parametrize("at", [0, 1, 2], ids=["before the copy", "at its side", "after it"])
async def test_a_row_that_exists_is_named_wherever_it_stands_among_many(at: int, tmp_path: Path) -> None:
    """Whoever claimed it decides again. Nothing of the write stays, and the connection goes on."""
    async with runtime(small.ingest(), tmp_path, "postgres") as made:
        contents, erased = made.tables["contents"], made.tables["erased"]
        async with made.database.transaction() as connection:
            await sql.insert(connection, erased, [{"ref": "taken"}])
        many = [{"ref": f"ref {n}", "salt": b"salt", "words": "words"} for n in range(sql.COPY_FROM)]
        cursor = {"consumer": "some", "stream_id": "stream", "version": 1, "digest": "", "blocked": None}
        writes = [Write(made.tables["stream_cursor"], [cursor], replaces=True), Write(contents, many)]
        writes.insert(at, Write(erased, [{"ref": "taken"}]))
        with pytest.raises(IntegrityError) as refused:
            async with made.database.transaction() as connection:
                await sql.write(connection, writes, "channel")
        assert database.violates_key(refused.value, "erased")
        async with made.database.transaction() as connection:
            assert (await connection.execute(select(func.count()).select_from(contents))).scalar_one() == 0


async def test_a_statement_on_sqlite_is_one_step_of_its_connections_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step waits for the event loop and for the interpreter's lock."""
    made, steps, run = database.Database(tmp_path / "some.sqlite"), list[Any](), aiosqlite.Connection._execute

    async def noted(self: aiosqlite.Connection, call: Any, *more: Any, **named: Any) -> Any:
        steps.append(call)
        return await run(self, call, *more, **named)

    monkeypatch.setattr(aiosqlite.Connection, "_execute", noted)
    async with made.transaction() as connection:
        await connection.execute(text("create table some (n int)"))
        steps.clear()
        added = await connection.execute(text("insert into some values (:n)"), [{"n": 1}, {"n": 2}])
        found = (await connection.execute(text("select n from some order by n"))).mappings().all()
        assert (added.rowcount, found, len(steps)) == (2, [{"n": 1}, {"n": 2}], 2)
        with pytest.raises(DBAPIError, match="no such table"):
            await connection.execute(text("select n from other"))
        assert (await connection.execute(text("select count(*) from some"))).scalar_one() == 2
    await made.close()
