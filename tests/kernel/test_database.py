"""The database's border: what stands for a server that does not answer."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from services.kernel.delivery.unit_of_work import is_defect
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
