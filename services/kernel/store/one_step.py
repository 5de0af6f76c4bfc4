"""A connection to SQLite. It runs a statement, reads all its rows and closes it in one step of its thread.

SQLAlchemy's own connection takes four steps, and each one waits for this process' other threads. That is most of the
time of a small statement.
"""

from collections import deque
from contextlib import closing
from typing import Any, NamedTuple

from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection, AsyncAdapt_aiosqlite_cursor


class _Done(NamedTuple):
    """What is left of a cursor of the driver after its statement."""

    description: Any = None
    rowcount: int = -1
    lastrowid: int | None = None


class _Cursor(AsyncAdapt_aiosqlite_cursor):
    """Holds the rows of its last statement, and nothing that must be closed."""

    __slots__ = ()
    _awaitable_cursor_close = False

    def _aenter_cursor(self, cursor: Any) -> Any:
        return cursor

    def _make_new_cursor(self, connection: Any) -> Any:
        return _Done()

    def close(self) -> None:
        self._rows.clear()

    async def _execute_async(self, operation: Any, parameters: Any) -> None:
        await self._run("execute", operation, parameters or ())

    async def _executemany_async(self, operation: Any, seq_of_parameters: Any) -> None:
        await self._run("executemany", operation, seq_of_parameters)

    async def _run(self, how: str, operation: Any, parameters: Any) -> None:
        raw: Any = self._connection

        def whole() -> tuple[list[Any], _Done]:
            with closing(raw._conn.cursor()) as cursor:  # noqa: SLF001
                getattr(cursor, how)(operation, parameters)
                rows = cursor.fetchall() if cursor.description else []
                return rows, _Done(cursor.description, cursor.rowcount, cursor.lastrowid)

        async with self._adapt_connection._execute_mutex:  # noqa: SLF001
            # aiosqlite names no public way to run several calls in one step.
            rows, self._cursor = await raw._execute(whole)  # noqa: SLF001
        self._rows = deque(rows)


class Connection(AsyncAdapt_aiosqlite_connection):
    """Such a connection, around one of aiosqlite."""

    __slots__ = ()
    _cursor_cls = _Cursor
