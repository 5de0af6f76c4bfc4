"""Reading and writing rows, the same for both databases.

SQLAlchemy builds the statement; on PostgreSQL psycopg runs it.

Several statements travel in one exchange with the server. SQLAlchemy takes several times longer to build and run a
small statement than the statement itself takes.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Dialect,
    Float,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    TableValuedAlias,
    bindparam,
    delete,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

from services.kernel.store.database import driver, is_sqlite

if TYPE_CHECKING:
    from psycopg import AsyncCursor

COPY_FROM = 64
"""On PostgreSQL, COPY is faster than INSERT from this number of rows on."""
SQLITE_VARIABLES = 30_000
STRIPES = 512

Keys = Sequence[tuple[Any, ...]]
"""Primary keys, in the order of the table's columns."""


class Write(NamedTuple):
    """Rows for one table. All have the same columns."""

    table: Table
    rows: Sequence[Mapping[str, Any]]
    replaces: bool = False
    """Whether a row replaces the row with the same primary key. Then each key occurs at most once."""
    skips: bool = False
    """Whether a row is skipped if its primary key exists already."""


_NOTIFY = "select pg_notify(%s, '')"
_NOT_ON_DISK = ("set local synchronous_commit to off", None)


async def write(connection: AsyncConnection, writes: Iterable[Write], notify: str | None = None) -> None:
    """Adds, replaces or skips rows, each table once. Raises `IntegrityError` if a key exists, see `database.violates`.

    `notify` is a channel of PostgreSQL; its listeners wake up after the commit. On PostgreSQL, few rows travel together
    in one statement, and many by COPY; the statements between two COPYs travel in one exchange.
    """
    writes = [one for one in writes if one.rows]
    if not writes:
        return
    if is_sqlite(connection):
        for one in writes:
            await connection.execute(_adding(one), one.rows)
        return
    telling: list[Statement] = [(_NOTIFY, [notify])] if notify else []
    if all(len(one.rows) < COPY_FROM for one in writes):
        await _execute(connection, [_together([_few(one) for one in writes]), *telling])
        return
    waiting = telling
    for one in writes:
        if one.replaces or one.skips or len(one.rows) < COPY_FROM:
            waiting.append(_few(one))
        else:
            await _execute(connection, waiting)
            waiting = []
            await _copy(connection, one)
    await _execute(connection, waiting)


async def insert(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds rows that all have the same columns, in order. Raises `IntegrityError` if a key exists."""
    await write(connection, [Write(table, rows)])


async def upsert(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Adds or replaces whole rows by primary key. Each key occurs at most once."""
    await write(connection, [Write(table, rows, replaces=True)])


Statement = tuple[str, Any]
"""Text as psycopg takes it, and the parameters."""


async def _execute(
    connection: AsyncConnection, statements: Sequence[Statement], *, binary: bool = False
) -> "list[AsyncCursor]":
    """Runs statements in order. Within a transaction, several of them travel in one exchange with the server."""
    if not statements:
        return []
    async with driver(connection) as raw:
        if len(statements) < 2 or raw.autocommit:
            # In autocommit no rollback follows a failure. psycopg would then believe that the statement is prepared,
            # which it is not.
            return [await raw.execute(*statement, binary=binary) for statement in statements]
        async with raw.pipeline():
            return [await raw.execute(*statement, binary=binary) for statement in statements]


async def _copy(connection: AsyncConnection, one: Write) -> None:
    names = tuple(one.rows[0])
    of_row = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
    statement = f'copy "{one.table.name}" ({_list(names)}) from stdin (format binary)'
    async with driver(connection) as raw, raw.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([_name(one.table.c[name].type) for name in names])
        # Not `copy.write_row`: to await each row costs more than to encode it.
        for row in map(of_row, one.rows):
            if block := copy.formatter.write_row(row):
                await copy.write(block)


def _few(one: Write) -> Statement:
    """One statement for any number of rows."""
    statement = _insert(one.table, tuple(one.rows[0]), one.replaces)
    return f"{statement} on conflict do nothing" if one.skips else statement, [_json(one.rows)]


def _together(statements: Sequence[Statement]) -> Statement:
    """Statements as one, since each takes its own turn in the driver. None sees what another one writes."""
    *others, (last, values) = statements
    if not others:
        return last, values
    parts = ", ".join(f"w{at} as ({statement})" for at, (statement, _) in enumerate(others))
    return f"with {parts} {last}", [*(value for _, own in others for value in own), *values]


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as one parameter, in the form that costs least to write of all that PostgreSQL takes."""
    # SQLAlchemy's column names are a subclass of str.
    return orjson.dumps(rows, default=_hex, option=orjson.OPT_NON_STR_KEYS).decode()


def _hex(value: bytes) -> str:
    return f"\\x{value.hex()}"


@lru_cache(1024)
def _insert(table: Table, names: tuple[str, ...], replaces: bool) -> str:
    source = f'select {_list(names)} from json_populate_recordset(null::"{table.name}", %s::json)'
    statement = f'insert into "{table.name}" ({_list(names)}) {source}'
    if not replaces:
        return statement
    keys = [column.name for column in table.primary_key.columns]
    change = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys)
    return f"{statement} on conflict ({_list(keys)}) do " + (f"update set {change}" if change else "nothing")


def _list(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _adding(one: Write) -> Any:
    """SQLite's statement for rows like these."""
    if not one.replaces:
        return sqlite.insert(one.table).on_conflict_do_nothing() if one.skips else one.table.insert()
    keys = [column.name for column in one.table.primary_key.columns]
    statement = sqlite.insert(one.table)
    changed = {name: statement.excluded[name] for name in one.rows[0] if name not in keys}
    if changed:
        return statement.on_conflict_do_update(index_elements=keys, set_=changed)
    return statement.on_conflict_do_nothing(index_elements=keys)


class Hold(NamedTuple):
    """Names that a transaction holds until its end, see `lock`. Holders that share a name do not exclude each other."""

    space: str
    names: Iterable[str]
    shared: bool = False


class Query(NamedTuple):
    """A `select` that is built once, and the values of its bound parameters. Parameters of `is_one_of` are lists."""

    statement: Select[Any]
    values: Mapping[str, Any]


class _IsOneOf(FunctionElement[Any]):
    # Not `Boolean`: SQLite would then compare the condition with 1 and read the whole table.
    type = Integer()
    inherit_cache = True


class _IsNoneOf(FunctionElement[Any]):
    type = Integer()
    inherit_cache = True


def is_one_of(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """The condition that a column holds one of the values that a `Query` gives under this name.

    The list is one parameter, however long it is. So the text of the statement stays the same.
    """
    return _IsOneOf(column, bindparam(name, None))


def is_none_of(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    """The condition that a column holds none of these values; see `is_one_of`."""
    return _IsNoneOf(column, bindparam(name, None))


class _Listed(FunctionElement[str]):
    type = String()
    inherit_cache = True


def listed(name: str) -> TableValuedAlias:
    """The list that a `Query` gives under this name, as a table with one column, `value`; see `is_one_of`."""
    return _Listed(bindparam(name, None)).table_valued("value", name="listed")


@compiles(_Listed, "postgresql")
def _as_unnested(element: _Listed, compiler: Any, **options: Any) -> str:
    (values,) = element.clauses
    return f"(select unnest({compiler.process(values, **options)}::text[]) as value)"


@compiles(_Listed, "sqlite")
def _as_each(element: _Listed, compiler: Any, **options: Any) -> str:
    (values,) = element.clauses
    return f"(select value from json_each({compiler.process(values, **options)}))"


class _Mapped(FunctionElement[str]):
    type = String()
    inherit_cache = True


def mapped(values: Mapping[str, str]) -> TableValuedAlias:
    """A mapping as a table of two columns, `key` and `value`. It is one parameter of any size."""
    return _Mapped(literal(orjson.dumps(values).decode())).table_valued("key", "value", name="mapped")


@compiles(_Mapped, "postgresql")
def _as_pairs(element: _Mapped, compiler: Any, **options: Any) -> str:
    (values,) = element.clauses
    return f"(select key, value from json_each_text({compiler.process(values, **options)}::json))"


@compiles(_Mapped, "sqlite")
def _as_each_pair(element: _Mapped, compiler: Any, **options: Any) -> str:
    (values,) = element.clauses
    return f"(select key, value from json_each({compiler.process(values, **options)}))"


@compiles(_IsOneOf, "postgresql")
@compiles(_IsNoneOf, "postgresql")
def _is_in(element: _IsOneOf | _IsNoneOf, compiler: Any, **options: Any) -> str:
    # Not "= any" and "<> all": a plan for any list does not hash the list, and compares each row with each value.
    column, values = element.clauses
    listed = f"select unnest({compiler.process(values, **options)}::{_array(column.type)})"
    return f"{compiler.process(column, **options)} {'not ' * isinstance(element, _IsNoneOf)}in ({listed})"


@compiles(_IsOneOf, "sqlite")
@compiles(_IsNoneOf, "sqlite")
def _is_among(element: _IsOneOf | _IsNoneOf, compiler: Any, **options: Any) -> str:
    column, values = element.clauses
    listed = f"select value from json_each({compiler.process(values, **options)})"
    return f"{compiler.process(column, **options)} {'not ' * isinstance(element, _IsNoneOf)}in ({listed})"


Rows = list[tuple[Any, ...]]


async def fetch(connection: AsyncConnection, queries: Sequence[Query], hold: Hold | None = None) -> list[Rows]:
    """The rows of each query, read after the names are locked.

    On PostgreSQL, all queries travel in one exchange with the server, without SQLAlchemy. SQLAlchemy takes several
    times longer to run a small statement than the statement itself takes.
    """
    if is_sqlite(connection):
        return [await _select(connection, query) for query in queries]
    return await _read(connection, [_asked(query, connection.dialect) for query in queries], hold)


async def _select(connection: AsyncConnection, query: Query) -> Rows:
    values = {
        name: orjson.dumps(value).decode() if isinstance(value, list) else value for name, value in query.values.items()
    }
    return [tuple(row) for row in await connection.execute(query.statement, values)]


def _asked(query: Query, dialect: Dialect) -> Statement:
    text_, fixed = _text(query.statement, dialect)
    return text_, {**fixed, **query.values}


@lru_cache(256)
def _text(statement: Select[Any], dialect: Dialect) -> tuple[str, Mapping[str, Any]]:
    compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
    return str(compiled), compiled.params


async def _read(connection: AsyncConnection, asked: Sequence[Statement | None], hold: Hold | None) -> list[Rows]:
    """The rows for each query; nothing for no query."""
    locking = _locking(hold) if hold else []
    statements = [*locking, *(one for one in asked if one is not None)]
    if not statements:
        return [[] for _ in asked]
    answers = iter((await _execute(connection, statements, binary=True))[len(locking) :])
    return [[] if one is None else await next(answers).fetchall() for one in asked]


async def rows_of(
    connection: AsyncConnection, wanted: Sequence[tuple[Table, Keys]], hold: Hold | None = None
) -> list[list[dict[str, Any]]]:
    """The rows of each table with these primary keys, read after the names are locked; see `fetch`."""
    if is_sqlite(connection):
        return [await _rows_of(connection, table, keys) for table, keys in wanted]
    asked = [(_chosen(table), _arrays(table, keys)) if keys else None for table, keys in wanted]
    found = await _read(connection, asked, hold)
    return [_named(table, rows) for (table, _), rows in zip(wanted, found, strict=True)]


def _named(table: Table, rows: Rows) -> list[dict[str, Any]]:
    names = table.columns.keys()
    return [dict(zip(names, row, strict=True)) for row in rows]


async def _rows_of(connection: AsyncConnection, table: Table, keys: Keys) -> list[dict[str, Any]]:
    columns, found = list(table.primary_key.columns), []
    for start in range(0, len(keys), 500):
        part = keys[start : start + 500]
        condition = columns[0].in_([key[0] for key in part]) if len(columns) == 1 else tuple_(*columns).in_(part)
        found += [dict(row) for row in (await connection.execute(select(table).where(condition))).mappings()]
    return found


@lru_cache(256)
def _chosen(table: Table) -> str:
    return f'select {_list(table.columns.keys())} from "{table.name}" where {_are(table)}'


def _are(table: Table) -> str:
    """The condition that a row's primary key is one of those in `_arrays`."""
    keys = list(table.primary_key.columns)
    arrays = ", ".join(f"%b::{_array(key.type)}" for key in keys)
    if len(keys) == 1:
        return f'"{keys[0].name}" = any({arrays})'
    return f"({_list(key.name for key in keys)}) in (select * from unnest({arrays}))"


def _arrays(table: Table, keys: Keys) -> list[list[Any]]:
    return [[key[at] for key in keys] for at in range(len(table.primary_key.columns))]


async def remove(connection: AsyncConnection, table: Table, keys: Keys) -> None:
    """Deletes the rows with these primary keys."""
    if not keys:
        return
    if is_sqlite(connection):
        await _remove(connection, table, keys)
    else:
        await _execute(connection, [_removing(table, keys)])


async def remove_and_fetch(connection: AsyncConnection, table: Table, keys: Keys, query: Query) -> Rows:
    """Deletes the rows with these primary keys, then reads.

    On PostgreSQL both travel in one exchange with the server, and the commit does not wait for the disk. So deleted
    rows may be back after a crash of the server.
    """
    if not keys:
        return (await fetch(connection, [query]))[0]
    if is_sqlite(connection):
        await _remove(connection, table, keys)
        return await _select(connection, query)
    asked = _asked(query, connection.dialect)
    *_, found = await _execute(connection, [_NOT_ON_DISK, _removing(table, keys), asked], binary=True)
    return await found.fetchall()


async def _remove(connection: AsyncConnection, table: Table, keys: Keys) -> None:
    columns = list(table.primary_key.columns)
    this = (column == bindparam(f"of_{column.name}") for column in columns)
    rows = [{f"of_{column.name}": part for column, part in zip(columns, key, strict=True)} for key in keys]
    await connection.execute(delete(table).where(*this), rows)


def _removing(table: Table, keys: Keys) -> Statement:
    return f'delete from "{table.name}" where {_are(table)}', _arrays(table, keys)


class Move(NamedTuple):
    """A row by its primary key, the number that it should hold now, and the number that it should hold afterwards."""

    key: tuple[Any, ...]
    before: int
    after: int
    beside: str | None
    """The new value of the other column."""


async def swap(connection: AsyncConnection, table: Table, column: str, beside: str, moves: Sequence[Move]) -> int:
    """Compare-and-swap of a number in several rows, with a text beside it.

    Returns how many rows held the expected number.
    """
    keys = [key.name for key in table.primary_key.columns]
    if is_sqlite(connection):
        row = update(table).where(*(table.c[key] == bindparam(f"of_{key}") for key in keys))
        found = row.where(table.c[column] == bindparam("before"))
        swapped = found.values({column: bindparam("after"), beside: bindparam("text")})
        count = 0
        for move in moves:
            place = {f"of_{name}": part for name, part in zip(keys, move.key, strict=True)}
            values = {**place, "before": move.before, "after": move.after, "text": move.beside}
            count += (await connection.execute(swapped, values)).rowcount
        return count
    rows = [
        {**dict(zip(keys, move.key, strict=True)), "before": move.before, "after": move.after, "text": move.beside}
        for move in moves
    ]
    shape = ", ".join(f'"{key.name}" {_array(key.type)[:-2]}' for key in table.primary_key.columns)
    same = " and ".join(f'x."{key}" = t."{key}"' for key in keys)
    statement = (
        f'update "{table.name}" t set "{column}" = x.after, "{beside}" = x.text '
        f'from json_to_recordset(%s::json) as x({shape}, "before" bigint, "after" bigint, "text" text) '
        f'where {same} and t."{column}" = x.before'
    )
    (done,) = await _execute(connection, [(statement, [_json(rows)])])
    return int(done.rowcount)


async def add_missing(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]
) -> set[tuple[Any, ...]]:
    """Adds the rows whose primary key does not exist yet, and returns the added keys. Rows must be sorted by key.

    If another transaction adds the same key, this waits for its end.
    """
    if not rows:
        return set()
    keys = list(table.primary_key.columns)
    if not is_sqlite(connection):
        names = [key.name for key in keys]
        statement = f"{_insert(table, tuple(rows[0]), False)} on conflict do nothing returning {_list(names)}"
        (done,) = await _execute(connection, [(statement, [_json(rows)])])
        return set(await done.fetchall())
    added: set[tuple[Any, ...]] = set()
    size = max(1, SQLITE_VARIABLES // len(rows[0]))
    for start in range(0, len(rows), size):
        adding = sqlite.insert(table).values(list(rows[start : start + size]))
        found = await connection.execute(adding.on_conflict_do_nothing().returning(*keys))
        added.update(tuple(row) for row in found)
    return added


def _array(type_: TypeEngine[Any]) -> str:
    return f"{_name(type_)}[]"


def _name(type_: TypeEngine[Any]) -> str:
    """PostgreSQL's name of a column's type."""
    for sort, name in (
        (BigInteger, "bigint"),
        (Integer, "integer"),
        (LargeBinary, "bytea"),
        (Boolean, "boolean"),
        (Float, "float8"),
    ):
        if isinstance(type_, sort):
            return name
    return "text"


async def stands(connection: AsyncConnection, lock: int, statement: str, values: Sequence[Any]) -> bool:
    """Whether a query of PostgreSQL finds a row after an advisory lock is shared until the end of the transaction.

    At the begin of a transaction, all of this is one exchange with the server.
    """
    sharing = ("select pg_advisory_xact_lock_shared(%s)", [lock])
    _, found = await _execute(connection, [sharing, (statement, values)])
    return await found.fetchone() is not None


async def lock(connection: AsyncConnection, hold: Hold) -> None:
    """Locks names until the transaction ends. They are taken in one order, so that two holders never wait in a ring.

    A caller that locks in several spaces must use the same order of spaces everywhere: `idempotency`, `intake`,
    `link`, `match_key`, `number`, `saved`, `separation`, `operation`, `view`. The names of a space share `STRIPES`
    locks, so that a large batch fits PostgreSQL's lock table. SQLite has only one writer at a time anyway.
    """
    if not is_sqlite(connection):
        await _execute(connection, _locking(hold))


def _locking(hold: Hold) -> list[Statement]:
    """One statement, or none without names."""
    stripes = sorted({zlib.crc32(name.encode()) % STRIPES for name in hold.names})
    if not stripes:
        return []
    function = f"pg_advisory_xact_lock{'_shared' if hold.shared else ''}"
    statement = f"select {function}(%s, n) from unnest(%s::integer[]) n order by n"
    return [(statement, [zlib.crc32(hold.space.encode()) & 0x7FFFFFFF, stripes])]
