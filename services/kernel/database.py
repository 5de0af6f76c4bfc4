"""One SQL database a service: PostgreSQL in a deployment, a SQLite file embedded. The only place that knows which."""

import zlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import BigInteger, Boolean, Float, Integer, LargeBinary, Table, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.types import TypeEngine

from services.kernel.problems import Unavailable

COPY_FROM = 16
"""Rows from which COPY beats INSERT on PostgreSQL."""
SQLITE_VARIABLES = 30_000
STRIPES = 512


class Database:
    """Engines for writing and reading. On SQLite: one writer that begins IMMEDIATE, and `query_only` readers."""

    def __init__(self, url: str | Path) -> None:
        self.is_sqlite = isinstance(url, Path)
        self.location = str(url)
        if isinstance(url, Path):
            self._write = _sqlite(url, readonly=False)
            self._read = _sqlite(url, readonly=True)
        else:
            self._write = create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True)
            self._read = self._write

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that commits at the end and rolls back on an error."""
        async with self._write.connect() as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading alone."""
        async with self._read.connect() as connection:
            yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """A connection outside the pool's rhythm with autocommit, for locks and LISTEN (PostgreSQL)."""
        async with self._write.connect() as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def now(self) -> datetime:
        """The database's own clock, for the skew check."""
        if self.is_sqlite:
            return datetime.now(UTC)
        async with self.read() as connection:
            found: datetime = (await connection.execute(text("select clock_timestamp()"))).scalar_one()
            return found

    async def close(self) -> None:
        await self._write.dispose()
        if self._read is not self._write:
            await self._read.dispose()


def _sqlite(path: Path, *, readonly: bool) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        poolclass=AsyncAdaptedQueuePool,
        pool_size=4 if readonly else 1,
        max_overflow=0,
        connect_args={"isolation_level": None, "timeout": 30},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("pragma journal_mode = wal")
        cursor.execute("pragma synchronous = full")
        cursor.execute("pragma foreign_keys = on")
        cursor.execute("pragma busy_timeout = 30000")
        if readonly:
            cursor.execute("pragma query_only = on")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("begin" if readonly else "begin immediate")

    return engine


def is_sqlite(connection: AsyncConnection) -> bool:
    """Whether this connection's database is SQLite."""
    return connection.dialect.name == "sqlite"


async def insert(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds rows that all have the same columns, in order; raises `IntegrityError` where a key exists."""
    if not rows:
        return
    if is_sqlite(connection) or len(rows) < COPY_FROM:
        await connection.execute(table.insert(), rows)
        return
    columns = [column for column in table.columns if column.name in rows[0]]
    names = [column.name for column in columns]
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    quoted = ", ".join(f'"{name}"' for name in names)
    import psycopg

    try:
        async with driver.cursor() as cursor, cursor.copy(f'copy "{table.name}" ({quoted}) from stdin') as copy:
            for row in rows:
                await copy.write_row([row[name] for name in names])
    except psycopg.IntegrityError as error:
        raise IntegrityError(f"copy {table.name}", None, error) from error
    except psycopg.Error as error:
        raise DBAPIError(f"copy {table.name}", None, error) from error


async def upsert(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds or replaces whole rows by primary key; each key at most once."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key.columns]
    rest = [name for name in rows[0] if name not in keys]
    if not is_sqlite(connection) and len(rows) >= COPY_FROM:
        change = ", ".join(f'"{name}" = excluded."{name}"' for name in rest)
        conflict = ", ".join(f'"{name}"' for name in keys)
        await _unnest(
            connection, table, rows, f"on conflict ({conflict}) do " + (f"update set {change}" if rest else "nothing")
        )
        return
    statement: Any = (sqlite if is_sqlite(connection) else postgresql).insert(table)
    if rest:
        changed = {name: statement.excluded[name] for name in rest}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changed)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    await connection.execute(statement, rows)


async def add_missing(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> set[tuple[Any, ...]]:
    """Adds the rows whose primary key is not there yet, and returns the keys added. Rows must be sorted by key.

    Waits for another transaction that adds the same key to end.
    """
    if not rows:
        return set()
    keys = list(table.primary_key.columns)
    if not is_sqlite(connection):
        returning = ", ".join(f'"{column.name}"' for column in keys)
        found = await _unnest(connection, table, rows, f"on conflict do nothing returning {returning}")
        return {tuple(row) for row in found}
    added: set[tuple[Any, ...]] = set()
    size = max(1, SQLITE_VARIABLES // len(rows[0]))
    for start in range(0, len(rows), size):
        statement = sqlite.insert(table).values(list(rows[start : start + size]))
        found = await connection.execute(statement.on_conflict_do_nothing().returning(*keys))
        added.update(tuple(row) for row in found)
    return added


async def _unnest(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]], rest: str) -> Any:
    """One statement with one array a column: as short for five hundred rows as for one."""
    names = list(rows[0])
    columns = ", ".join(f'"{name}"' for name in names)
    arrays = ", ".join(f"cast(:{name} as {_array(table.columns[name].type)})" for name in names)
    statement = text(f'insert into "{table.name}" ({columns}) select * from unnest({arrays}) {rest}')
    return await connection.execute(statement, {name: [row[name] for row in rows] for name in names})


def _array(type_: TypeEngine[Any]) -> str:
    for sort, name in (
        (BigInteger, "bigint"),
        (Integer, "integer"),
        (LargeBinary, "bytea"),
        (Boolean, "boolean"),
        (Float, "float8"),
    ):
        if isinstance(type_, sort):
            return f"{name}[]"
    return "text[]"


async def lock(connection: AsyncConnection, space: str, names: Iterable[str]) -> None:
    """Holds these names until the transaction ends, taken in one order so that two holders never wait in a ring.

    Whoever locks in several spaces must do so in the same order of spaces everywhere: `idempotency`, `matter`, `view`.
    Names share `STRIPES` locks a space, so that a large batch stays within PostgreSQL's lock table. SQLite's writer is
    alone already.
    """
    if is_sqlite(connection):
        return
    stripes = sorted({zlib.crc32(name.encode()) % STRIPES for name in names})
    if stripes:
        statement = text(
            "select pg_advisory_xact_lock(:space, n) from unnest(cast(:stripes as integer[])) n order by n"
        )
        number = zlib.crc32(space.encode()) & 0x7FFFFFFF
        await connection.execute(statement, {"space": number, "stripes": stripes})


def translate(error: DBAPIError) -> Unavailable:
    """The problem that a caller sees when the database fails under a request."""
    detail = str(error.orig).strip().split("\n")[0]
    if "full" in detail or "No space" in detail:
        return Unavailable(
            "the store has no room left; nothing of the request was kept. Free space, then try again", 30
        )
    return Unavailable("the store cannot be reached; nothing of the request is known to be kept. Try again", 5)
