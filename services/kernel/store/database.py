"""One SQL database for each service: PostgreSQL in a deployment, a SQLite file embedded.

Only this module, `sql` and `word_index` know which one it is.
"""

import asyncio
import os
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from select import POLLIN, poll
from typing import Any

from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from services.kernel.files import private_file
from services.kernel.store import one_step
from services.kernel.tasks import to_the_end

ISOLATION = "READ COMMITTED"
"""Set at each BEGIN. A transaction that waited for a lock must then see what the former holder wrote."""
DURABLE = "select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'"
"""A 2xx answer means durable. A setting that is stricter than `on` stays."""
SYNCHRONOUS = "full"
"""SQLite waits for the disk at each commit, too."""
GONE = {
    "idle_in_transaction_session_timeout": 60_000,
    "tcp_keepalives_idle": 15,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""How soon the server ends the session of a process that froze in a transaction, or of a host that vanished."""
PLANS = {"plan_cache_mode": "force_custom_plan"}
"""A statement is planned for its own values each time. The sixth time PostgreSQL might keep a plan for any values: a
number of a large record then takes minutes, where it took a second before."""
LOCK_SECONDS = 5.0
"""How long a statement waits for a row, a table or a file that somebody else holds."""
POOL_SECONDS = 10.0
"""How long a task waits for a connection while this process uses them all."""
CONNECT_SECONDS = 5
CLOSE_SECONDS = 2.0
"""How long a database that closes waits for connections in use."""
REST = 10
"""A pause of this many times its length follows each rewriting of a file, since writers wait for it."""
answer_within: ContextVar[float | None] = ContextVar("answer_within", default=None)
"""Seconds for a transaction or a reading while somebody waits for the answer; None if nobody waits."""


class Database:
    """Engines for writing and reading. On SQLite: one writer that begins IMMEDIATE, and `query_only` readers.

    No wait is endless. It ends with a `DBAPIError`, or with a `TimeoutError` within `answer_within`.
    """

    def __init__(self, url: str | Path, lock_seconds: float = LOCK_SECONDS) -> None:
        self.is_sqlite = isinstance(url, Path)
        self.location = str(url)
        self.name = f"huiying {token_hex(4)} {os.getpid()}@{socket.gethostname()}"[:63]
        """The name of this process' sessions on PostgreSQL, and of this process as a leader."""
        self._forgetting = asyncio.Lock()
        self.fence: Callable[[AsyncConnection], Awaitable[None]] | None = None
        """Is called at the start of each transaction. It raises if this process led and another one leads now."""
        if isinstance(url, Path):
            self._write = _sqlite(url, lock_seconds, readonly=False)
            self._read = _sqlite(url, lock_seconds, readonly=True)
        else:
            self._write = _postgresql(url, self.name, lock_seconds)
            # Each statement sees all that is committed by then, inside a transaction or not. So none is needed.
            self._read = self._write.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def transaction(self, *, fenced: bool = True) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction that commits at the end, and rolls back on an error; `fence` may raise one."""
        waiting, is_ending = asyncio.timeout(answer_within.get()), False
        try:
            async with waiting, _ends_cancelled(), _free(self._write) as connection, connection.begin():
                if fenced and self.fence is not None:
                    await self.fence(connection)
                yield connection
                is_ending = True
        except TimeoutError as error:
            if is_ending:
                # A commit that is given up may be durable or not. The caller must not say that nothing was kept.
                raise DBAPIError("commit", None, error) from error
            raise

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that only reads."""
        async with asyncio.timeout(answer_within.get()), _ends_cancelled(), _free(self._read) as connection:
            yield connection

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading.

        Until its end it sees what is committed now, and nothing that is committed later.
        """
        async with _free(self._read if self.is_sqlite else self._write) as connection:
            if self.is_sqlite:
                await connection.execute(text("select count(*) from sqlite_master"))
            else:
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                # The caller may do other things meanwhile. The moment begins with this statement.
                await connection.execute(text("select set_config('idle_in_transaction_session_timeout', '0', true)"))
            yield connection

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncConnection]:
        """A connection outside the pool, with autocommit, for locks and LISTEN (PostgreSQL)."""
        async with _free(self._write) as connection:
            yield await connection.execution_options(isolation_level="AUTOCOMMIT")

    async def now(self) -> datetime:
        """The time of the database's clock, for the skew check."""
        if self.is_sqlite:
            return datetime.now(UTC)
        async with self.read() as connection:
            found: datetime = (await connection.execute(text("select clock_timestamp()"))).scalar_one()
            return found

    async def forget(self) -> bool:
        """Writes the file anew if words were erased since, and empties its write-ahead file.

        Returns False if somebody else uses the file; then try again. On PostgreSQL the server does this itself.
        """
        return await to_the_end(self._forget()) if self.is_sqlite else True

    async def _forget(self) -> bool:
        async with self._forgetting:
            return await asyncio.to_thread(_forget, self.location)

    async def close(self) -> None:
        """Waits for a rewriting of the file: whoever closed it may put another file in its place, as a restore does."""
        async with self._forgetting:
            await self._close()

    async def _close(self) -> None:
        for engine in (self._write, self._read) if self.is_sqlite else (self._write,):
            await _given_back(engine)
            await engine.dispose()


@asynccontextmanager
async def _ends_cancelled() -> AsyncIterator[None]:
    """A cancelled task ends as cancelled, even if its connection was lost on the way and cannot roll back."""
    try:
        yield
    except DBAPIError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from error
        raise


@asynccontextmanager
async def _free(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection of the pool. If none becomes free in time, the database counts as one that does not answer."""
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(engine.connect())
        except PoolTimeout as error:
            raise DBAPIError("connect", None, error) from error
        yield connection


async def _given_back(engine: AsyncEngine) -> None:
    """Waits a moment for connections in use: a cancelled task gives its own back later. A disposed pool closes none of
    them.
    """
    pool = engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool), "both kinds of database have such a pool"
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            while pool.checkedout():
                await asyncio.sleep(0.005)


def _postgresql(url: str, name: str, lock_seconds: float) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=10,
        max_overflow=10,
        pool_timeout=POOL_SECONDS,
        pool_use_lifo=True,
        isolation_level=ISOLATION,
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": name},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def settle(connection: Any, _: Any) -> None:
        """Sets what this code relies on: a database may have other defaults."""
        settings = {"lock_timeout": int(lock_seconds * 1000), **GONE, **PLANS}
        said = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
        connection.cursor().execute(f"select {said}")
        connection.cursor().execute(DURABLE)
        connection.commit()

    @event.listens_for(engine.sync_engine, "checkout")
    def look(connection: Any, _: Any, __: Any) -> None:
        """Whether the server closed an idle connection.

        A closed one has something to read, so this asks the server nothing.
        """
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
    def connect(dialect: Any, _: Any, args: Any, named: Any) -> one_step.Connection:
        """The files that SQLite writes beside a database get the rights of the database file."""
        private_file(path)
        return one_step.Connection(dialect.loaded_dbapi, dialect.connect(*args, **named).driver_connection)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute("pragma journal_mode = wal")
        cursor.execute(f"pragma synchronous = {SYNCHRONOUS}")
        cursor.execute("pragma foreign_keys = on")
        cursor.execute("pragma secure_delete = on")
        if readonly:
            cursor.execute("pragma query_only = on")
        cursor.close()

    @event.listens_for(engine.sync_engine, "invalidate")
    def give_up(connection: Any, *_: object) -> None:
        """Ends the transaction of a cancelled task. Else it goes on, and locks the file, while its error is held."""
        with suppress(DBAPIError, sqlite3.Error):
            connection.rollback()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("begin" if readonly else "begin immediate")

    return engine


def _forget(path: str) -> bool:
    """On its own connection, with a short wait, since writers wait for it.

    SQLite overwrites a row that it deletes, and no copy that it left behind when the row moved to another page. So the
    file is written anew when more words are erased than its `user_version` says. A table with an index, as the one of
    the words has, keeps its rowids by this; the index of the words names them.
    """
    with closing(sqlite3.connect(path, timeout=0.1, isolation_level=None)) as connection:
        try:
            if (erased := _erased(connection)) != connection.execute("pragma user_version").fetchone()[0]:
                connection.execute("vacuum")
                connection.execute(f"pragma user_version = {erased}")
            busy, _, _ = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                return False
            raise DBAPIError("vacuum", None, error) from error
        return not busy


def _erased(connection: sqlite3.Connection) -> int:
    """How many words were erased. A database without words has no such table."""
    if connection.execute("select 1 from sqlite_master where name = 'erased'").fetchone() is None:
        return 0
    count: int = connection.execute("select count(*) from erased").fetchone()[0]
    return count


def is_sqlite(connection: AsyncConnection) -> bool:
    """Whether this connection's database is SQLite."""
    return connection.dialect.name == "sqlite"


@asynccontextmanager
async def driver(connection: AsyncConnection) -> AsyncIterator[Any]:
    """Psycopg's own connection, within the same transaction. Its errors come out as SQLAlchemy's."""
    import psycopg

    sync = connection.sync_connection
    assert sync is not None, "the connection is open"
    try:
        # Not `get_raw_connection`: it starts a greenlet, which costs as much as a statement.
        yield sync.connection.driver_connection
    except psycopg.Error as error:
        # psycopg's exceptions have the names of the DB-API; SQLAlchemy matches by these names.
        base: Any = psycopg.Error
        raise DBAPIError.instance(None, None, error, base, dialect=connection.dialect) from error


def violates(error: IntegrityError, table: str, *columns: str) -> bool:
    """Whether the database refused a row because another row has the same values in these unique columns."""
    if diagnosis := getattr(error.orig, "diag", None):
        return bool(diagnosis.constraint_name == f"uq_{table}_{'_'.join(columns)}")
    return str(error.orig).rpartition(": ")[2] == ", ".join(f"{table}.{column}" for column in columns)


def violates_key(error: IntegrityError, table: str) -> bool:
    """Whether PostgreSQL refused a row because another row has its primary key. On SQLite nobody writes in between."""
    diagnosis = getattr(error.orig, "diag", None)
    return diagnosis is not None and bool(diagnosis.constraint_name == f"pk_{table}")
