"""The database's border: what stands for a server that does not answer."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from services.kernel.delivery.unit_of_work import is_defect
from services.kernel.store import sql
from tests.kit import small
from tests.kit.stores import runtime


@pytest.mark.postgres
async def test_a_pool_that_stays_full_is_a_database_that_does_not_answer(tmp_path: Path) -> None:
    """It is waited for, and a caller gets 503: neither a defect nor a crash."""
    async with runtime(small.ingest(), tmp_path, "postgres") as made, AsyncExitStack() as stack:
        pool: Any = made.database._write.pool
        pool._timeout = 0.1
        for _ in range(pool.size() + pool._max_overflow):
            await stack.enter_async_context(made.database.read())
        with pytest.raises(DBAPIError, match="connect") as refused:
            async with made.database.transaction():
                raise AssertionError("there is no connection left")
        assert not is_defect(refused.value)


async def test_a_list_in_a_condition_is_looked_up_by_the_index(tmp_path: Path) -> None:
    """SQLite reads a whole table where it is asked whether a condition equals 1."""
    events = small.ingest().metadata.tables["events"]
    chosen = select(events.c.bytes).where(sql.is_one_of(events.c.stream_id, "streams"))
    async with runtime(small.ingest(), tmp_path, "sqlite") as made, made.database.read() as connection:
        compiled = str(chosen.compile(dialect=connection.dialect))
        plan = await connection.exec_driver_sql(f"explain query plan {compiled}", ('["report-1"]',))
        steps = [row[3] for row in plan]
    assert any(step.startswith("SEARCH events USING INDEX") for step in steps), steps
