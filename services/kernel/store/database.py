"""One SQL database a service: PostgreSQL in a deployment, a SQLite file embedded. This and `sql` alone know which."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from select import POLLIN, poll
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from services.kernel.files import private_file

ISOLATION = "READ COMMITTED"
"""Said with each BEGIN. Whoever waited for a lock must then see what its former holder wrote."""
DURABLE = "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'"
"""2xx means durable; a stricter setting than `on` stays."""


LOCK_SECONDS = 5.0
"""How long anything waits for a row, a table or a file that somebody else holds."""
POOL_SECONDS = 10.0
"""How long anything waits for a connection that this process has in use."""
CONNECT_SECONDS = 5
answer_within: ContextVar[float | None] = ContextVar("answer_within", default=None)
"""Seconds that a transaction or a reading may take where somebody waits for the answer; None where nobody does."""


class Database:
    """Engines for writing and reading. On SQLite: one writer that begins IMMEDIATE, and `query_only` readers.

    Waiting has an end. What took too long is a `DBAPIError`, or a `TimeoutError` within `answer_within`.
    """

    def __init__(self, url: str | Path, lock_seconds: float = LOCK_SECONDS) -> None:
        self.is_sqlite = isinstance(url, Path)
        self.location = str(url)
        if isinstance(url, Path):
            self._write = _sqlite(url, lock_seconds, readonly=False)
            self._read = _sqlite(url, lock_seconds, readonly=True)
        else:
            self._write = _postgresql(url, lock_seconds)
            # Each statement sees what is committed by then, in a transaction or not: so there is none to begin or end.
            self._read = self._write.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that commits at the end and rolls back on an error."""
        async with asyncio.timeout(answer_within.get()), _free(self._write) as connection, connection.begin():
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading alone."""
        async with asyncio.timeout(answer_within.get()), _free(self._read) as connection:
            yield connection

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading that sees what is committed now until its end, whatever is committed meanwhile."""
        async with _free(self._read if self.is_sqlite else self._write) as connection:
            if self.is_sqlite:
                await connection.execute(text("select count(*) from sqlite_master"))
            else:
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                await connection.execute(text("select 1"))
            yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """A connection outside the pool's rhythm with autocommit, for locks and LISTEN (PostgreSQL)."""
        async with _free(self._write) as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def now(self) -> datetime:
        """The database's own clock, for the skew check."""
        if self.is_sqlite:
            return datetime.now(UTC)
        async with self.read() as connection:
            found: datetime = (await connection.execute(text("select clock_timestamp()"))).scalar_one()
            return found

    async def forget(self) -> bool:
        """Empties the write-ahead file, where erased rows still stand. False where somebody reads from it: try again.

        On PostgreSQL that is the server's own business.
        """
        return await asyncio.to_thread(_checkpoint, self.location) if self.is_sqlite else True

    async def close(self) -> None:
        await self._write.dispose()
        if self.is_sqlite:
            await self._read.dispose()


@asynccontextmanager
async def _free(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection of the pool. One that does not become free in time is a database that does not answer."""
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(engine.connect())
        except PoolTimeout as error:
            raise DBAPIError("connect", None, error) from error
        yield connection


def _postgresql(url: str, lock_seconds: float) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=10,
        max_overflow=10,
        pool_timeout=POOL_SECONDS,
        pool_use_lifo=True,
        isolation_level=ISOLATION,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def settle(connection: Any, _: Any) -> None:
        """What we rely on is set here: a database may have other defaults."""
        connection.cursor().execute(DURABLE)
        connection.cursor().execute(f"set lock_timeout = {int(lock_seconds * 1000)}")
        connection.commit()

    @event.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, _: Any, __: Any) -> None:
        """A server that has gone leaves something to read on an idle connection: seen without asking it anything."""
        idle = poll()
        idle.register(connection.driver_connection.fileno(), POLLIN)
        if idle.poll(0):
            raise DisconnectionError

    return engine


def _sqlite(path: Path, lock_seconds: float, *, readonly: bool) -> AsyncEngine:
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        poolclass=AsyncAdaptedQueuePool,
        pool_size=4 if readonly else 1,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        hide_parameters=True,
        connect_args={"isolation_level": None, "timeout": lock_seconds},
    )

    @event.listens_for(engine.sync_engine, "do_connect")
    def close_to_others(*_: object) -> None:
        """What SQLite writes beside a file gets the file's rights."""
        private_file(path)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("pragma journal_mode = wal")
        cursor.execute("pragma synchronous = full")
        cursor.execute("pragma foreign_keys = on")
        cursor.execute("pragma secure_delete = on")
        if readonly:
            cursor.execute("pragma query_only = on")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("begin" if readonly else "begin immediate")

    return engine


def _checkpoint(path: str) -> bool:
    """On a connection of its own, which waits for nobody long: writers wait for it."""
    with closing(sqlite3.connect(path, timeout=0.1)) as connection:
        busy, _, _ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        return not busy


def is_sqlite(connection: AsyncConnection) -> bool:
    """Whether this connection's database is SQLite."""
    return connection.dialect.name == "sqlite"


@asynccontextmanager
async def driver(connection: AsyncConnection) -> AsyncIterator[Any]:
    """Psycopg's own connection, within the same transaction; its errors come out as SQLAlchemy's."""
    import psycopg

    sync = connection.sync_connection
    assert sync is not None, "the connection is open"
    try:
        # Not `get_raw_connection`: it starts a greenlet, which costs as much as a statement.
        yield sync.connection.driver_connection
    except psycopg.Error as error:
        # psycopg's exceptions have the names of the DB-API, which is what SQLAlchemy goes by.
        base: Any = psycopg.Error
        raise DBAPIError.instance(None, None, error, base, dialect=connection.dialect) from error


def violates(error: IntegrityError, table: str, *columns: str) -> bool:
    """Whether a row was refused because another one has the same values in these columns, which are unique."""
    if diagnosis := getattr(error.orig, "diag", None):
        return bool(diagnosis.constraint_name == f"uq_{table}_{'_'.join(columns)}")
    return str(error.orig).rpartition(": ")[2] == ", ".join(f"{table}.{column}" for column in columns)
