"""The queries on a database, the plans of SQLite for them, and what PostgreSQL reads for them."""

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


async def read_rows(database: Database, questions: Iterable[str]) -> int:
    """How many rows PostgreSQL reads from tables to answer these queries."""
    found = 0
    async with database.read() as connection:
        for one in questions:
            told = (await connection.execute(text(f"explain (analyze, format json) {one}"))).scalar()
            found += _read(told[0]["Plan"])  # type: ignore[index]
    return found


def _read(node: dict[str, Any]) -> int:
    rows = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    own = rows if "Relation Name" in node else 0
    return own + sum(_read(one) for one in node.get("Plans", ()))
