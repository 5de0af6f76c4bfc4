"""What is asked of a SQLite database, and how it goes about that."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from sqlalchemy import Select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.store.database import Database


@contextmanager
def asked() -> Iterator[list[str]]:
    """The texts of the questions that are put within, as they come, with their values in them."""
    execute, found = AsyncConnection.execute, list[str]()

    async def noted(self: AsyncConnection, statement: Any, *more: Any, **further: Any) -> Any:
        if isinstance(statement, Select):
            found.append(str(statement.compile(self.engine.sync_engine, compile_kwargs={"literal_binds": True})))
        return await execute(self, statement, *more, **further)

    with patch.object(AsyncConnection, "execute", noted):
        yield found


async def plans(database: Database, questions: Iterable[str]) -> list[str]:
    """How each question is gone about."""
    async with database.read() as connection:
        return [str((await connection.execute(text(f"explain query plan {one}"))).all()) for one in questions]
