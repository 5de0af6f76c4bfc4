"""A second set of a service's tables beside the present one, and the exchange of tables between the two.

On PostgreSQL they stand in a schema of their own, and the exchange moves them into the schema of the others. On SQLite
they stand in a file of their own, and the exchange copies their rows.
"""

import asyncio
import fcntl
import functools
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Table, func, make_url, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.failpoints import failpoint
from services.kernel.files import private_file
from services.kernel.store.database import LOCK_SECONDS, Database
from services.kernel.store.failures import is_in_the_way

SCHEMA = "beside"
ATTEMPTS = 20
"""So often the exchange begins, when others hold the tables."""
PAUSE = 0.5
"""Seconds before it begins again."""
LOCK = 7_260_114_901
"""An advisory lock: one builds beside at a time."""
BUSY = "another process builds these tables beside the present ones now. Wait until it has ended"

T = TypeVar("T")
Last = Callable[[AsyncConnection], Awaitable[None]]
"""Does the last of the building while nobody writes. It gets a connection that reads the present tables."""


class NotBuilt(Exception):
    """The tables were not exchanged, and the present ones stay as they are. The text says why and what to do."""


@asynccontextmanager
async def place(present: Database) -> AsyncIterator[Database]:
    """An empty database beside the present one. It is gone at the end, and what a killed process left before.

    Raises `NotBuilt`.
    """
    async with _in_file(present) if present.is_sqlite else _in_schema(present) as made:
        yield made


@asynccontextmanager
async def _in_file(present: Database) -> AsyncIterator[Database]:
    path = Path(f"{present.location}-{SCHEMA}")
    with private_file(Path(f"{path}.lock")).open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise NotBuilt(BUSY) from None
        _remove(path)
        made = Database(path)
        try:
            yield made
        finally:
            await made.close()
            _remove(path)


def _remove(path: Path) -> None:
    for name in (path, *(Path(f"{path}-{end}") for end in ("wal", "shm"))):
        name.unlink(missing_ok=True)


@asynccontextmanager
async def _in_schema(present: Database) -> AsyncIterator[Database]:
    async with present.session() as session:
        if not (await session.execute(select(func.pg_try_advisory_lock(LOCK)))).scalar():
            raise NotBuilt(BUSY)
        try:
            await session.execute(text(f"drop schema if exists {SCHEMA} cascade"))
            try:
                await session.execute(text(f"create schema {SCHEMA}"))
            except ProgrammingError as error:
                raise NotBuilt(
                    f"the database makes no schema for the new tables: {str(error.orig).strip()}. "
                    "Give the service's role the right CREATE on its database"
                ) from error
            made = Database(_within(present.location))
            try:
                yield made
            finally:
                await made.close()
                await session.execute(text(f"drop schema if exists {SCHEMA} cascade"))
        finally:
            await session.execute(select(func.pg_advisory_unlock(LOCK)))


def _within(location: str) -> str:
    url = make_url(location)
    before = url.query.get("options", "")
    options = f"{before if isinstance(before, str) else ' '.join(before)} -csearch_path={SCHEMA}".strip()
    return url.update_query_dict({"options": options}).render_as_string(hide_password=False)


async def settled(connection: AsyncConnection, table: Table) -> None:
    """Waits until nobody is writing into the table, and lets nobody write until the transaction ends.

    A transaction that is under way has numbers of rows that others do not see yet, below numbers that they see.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f'lock table "{table.name}" in share mode'))


async def prepare(beside: Database, tables: Sequence[Table]) -> None:
    """Lets the database know how the new rows are spread, so that its plans are right from the first query on."""
    async with beside.transaction() as connection:
        for table in tables:
            await connection.execute(text(f'analyze "{table.name}"'))


async def exchange(
    present: Database, beside: Database, tables: Sequence[Table], stops: Sequence[Table], last: Last
) -> None:
    """Puts the tables beside in the place of the present ones: all or none, whenever this process ends.

    Nobody writes the tables or `stops` from `last` on until the end. Whoever writes locks one of `stops` early, so
    these are locked first. `last` may come several times. The tables beside are gone afterwards.
    """
    if present.is_sqlite:
        await _copied(present, beside, tables, last)
    else:
        await patiently(functools.partial(_moved, present, tables, stops, last))


async def patiently(locking: Callable[[], Awaitable[T]]) -> T:
    """The result of what locks tables. It begins again when others who hold some of them wait for the rest."""
    for attempt in range(ATTEMPTS):
        try:
            return await locking()
        except DBAPIError as error:
            if not is_in_the_way(error) or attempt == ATTEMPTS - 1:
                raise
            await asyncio.sleep(PAUSE)
    raise AssertionError("the last attempt returns or raises")


async def _copied(present: Database, beside: Database, tables: Sequence[Table], last: Last) -> None:
    with closing(sqlite3.connect(present.location, timeout=LOCK_SECONDS, isolation_level=None)) as raw:
        raw.execute("pragma synchronous = full")
        raw.execute("attach database ? as beside", [beside.location])
        # `begin immediate` would hold both files, and the builder still writes in his. So this writes, and changes
        # nothing.
        raw.execute("begin")
        raw.execute(f'delete from main."{tables[0].name}" where false')
        async with present.read() as connection:
            await last(connection)
        for table in tables:
            names = ", ".join(f'"{column.name}"' for column in table.columns)
            raw.execute(f'delete from main."{table.name}"')
            raw.execute(f'insert into main."{table.name}" ({names}) select {names} from beside."{table.name}"')
        failpoint("beside.before_commit")
        raw.execute("commit")


async def _moved(present: Database, tables: Sequence[Table], stops: Sequence[Table], last: Last) -> None:
    names = [f'"{table.name}"' for table in tables]
    async with present.transaction() as connection:
        schema = (await connection.execute(select(func.quote_ident(func.current_schema())))).scalar_one()
        # Everybody else waits behind a lock that waits.
        await connection.execute(text("set local lock_timeout = '2s'"))
        for table in stops:
            await connection.execute(text(f'lock table "{table.name}" in exclusive mode'))
        await connection.execute(text(f"lock table {', '.join(names)} in access exclusive mode"))
        await last(connection)
        await connection.execute(text(f"drop table {', '.join(names)}"))
        for name in names:
            await connection.execute(text(f"alter table {SCHEMA}.{name} set schema {schema}"))
        failpoint("beside.before_commit")
