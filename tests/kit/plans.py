"""The queries on a SQLite database, and SQLite's plans for them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.store.database import Database


@contextmanager
def asked() -> Iterator[list[str]]:
    """The texts of the queries within this block, in order, with their values. Those of `sql.fetch` are left out."""
    execute, found = AsyncConnection.execute, list[str]()

    async def noted(self: AsyncConnection, statement: Any, *more: Any, **further: Any) -> Any:
        if isinstance(statement, Select) and not more:
            found.append(str(statement.compile(self.engine.sync_engine, compile_kwargs={"literal_binds": True})))
        return await execute(self, statement, *more, **further)

    with patch.object(AsyncConnection, "execute", noted):
        yield found


async def plans(database: Database, questions: Iterable[str]) -> list[str]:
    """The plan of each query."""
    async with database.read() as connection:
        return [str((await connection.execute(text(f"explain query plan {one}"))).all()) for one in questions]
