"""Alembic for every service: the kernel's revisions here, a service's own in its `migrations/versions`.

A database follows two histories at once. The kernel's revisions have the ids `kernel_0001` and on, a service's `0001`
and on; the file `0002_add_place.py` holds the revision `0002` and follows `0001`. This code works with the highest
revision of each. `python -m services.kernel.store.migrations revision <service> "<message>"` writes the next one. Use
`kernel` for the kernel's history.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Dialect, MetaData, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

from services.kernel.store import sql
from services.kernel.store.database import Database
from services.kernel.store.session import Owner

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent
KERNEL = HERE / "versions"
_one_at_a_time = asyncio.Lock()
"""Alembic keeps its state in module globals, which another task must not touch meanwhile."""


class WrongDatabase(Exception):
    """This code cannot work with the database. The text says why and what to do."""


async def upgrade(database: Database, owner: Owner) -> None:
    """Brings the owner's database to the version of this code, in one transaction. Quick if it is there already.

    Only the leader calls it, and on a new database whoever wants to lead. Raises `WrongDatabase`, also for a database
    of this revision that has other tables.
    """
    folders = None if owner.revisions is None else (KERNEL, owner.revisions)
    await upgrade_to(database, owner.name, owner.metadata, folders)


async def upgrade_to(database: Database, name: str, metadata: MetaData, folders: Sequence[Path] | None) -> None:
    """Brings a database to the newest revision of each folder. Without folders, the tables are made directly."""
    async with _one_at_a_time, database.transaction() as connection:
        await sql.lock(connection, sql.Hold("migrations", ["all"]))
        if folders is None:
            await connection.run_sync(metadata.create_all)
            return
        at = await connection.run_sync(_revisions_of)
        if at == {revisions(folder)[-1] for folder in folders}:
            await _must_fit(connection, name, metadata)
            return
        known = {revision for folder in folders for revision in revisions(folder)}
        if strange := sorted(at - known):
            raise WrongDatabase(
                f"the database of {name} is at revision {', '.join(strange)}, which this version does not know. "
                "A newer version used it. Start the newer version, or restore a backup of this version"
            )
        if not at and await connection.run_sync(_has_tables, metadata):
            raise WrongDatabase(
                f"the database of {name} has Huiying's tables but no revision. A version made it that was "
                "never released. Start with an empty one"
            )
        await connection.run_sync(migrate, folders, metadata)
        await _must_fit(connection, name, metadata)


async def _must_fit(connection: AsyncConnection, name: str, metadata: MetaData) -> None:
    """Raises `WrongDatabase` unless the database has the tables of this code.

    Its revision does not tell: before a release, a revision is made anew under the same number.
    """
    if differs := await connection.run_sync(differences, metadata):
        more = f", and {len(differs) - 1} more" if len(differs) > 1 else ""
        raise WrongDatabase(
            f"the database of {name} was made by another version with the same revision: {differs[0]}{more}. Nothing "
            "was changed in it. Start the version that made it, or restore a backup of this version. Where the record "
            "may go, start this one with empty "
            "databases and another HUIYING_PREFIX, and without a HUIYING_DATABASE with an empty HUIYING_DATA"
        )


def differences(connection: Connection, metadata: MetaData) -> list[str]:
    """In which tables, columns and indexes of the code a database differs, each as a clause. Quick."""
    is_sqlite = connection.dialect.name == "sqlite"
    columns: dict[str, dict[str, tuple[str, bool]]] = {}
    for table, column, type_, is_needed in connection.execute(text(_SQLITE_COLUMNS if is_sqlite else _COLUMNS)):
        columns.setdefault(table, {})[column] = (type_.lower(), bool(is_needed))
    indexes = set(connection.execute(text(_SQLITE_INDEXES if is_sqlite else _INDEXES)).scalars())
    found = []
    for table in metadata.sorted_tables:
        if table.name not in columns:
            found.append(f"there is no table {table.name}")
            continue
        here = columns[table.name]
        wanted = {one.name: (_type(one.type, connection.dialect), not one.nullable) for one in table.columns}
        found += [f"{table.name} has no column {one}" for one in wanted if one not in here]
        # Nothing would fill it. A further column that may be empty harms nothing.
        found += [f"{table.name} has a column {one} too many" for one in here if one not in wanted and here[one][1]]
        found += [
            f"the column {one} of {table.name} is {' '.join(_said(*here[one]))}, not {' '.join(_said(*wanted[one]))}"
            for one in wanted
            if one in here and here[one] != wanted[one]
        ]
        named = sorted(str(index.name) for index in table.indexes)
        found += [f"{table.name} has no index {one}" for one in named if one not in indexes]
    return found


_COLUMNS = """
    select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relkind in ('r', 'p') and c.relnamespace = current_schema()::regnamespace
        and a.attnum > 0 and not a.attisdropped
"""
_SQLITE_COLUMNS = """
    select m.name, p.name, p.type, p."notnull" from sqlite_master m, pragma_table_info(m.name) p where m.type = 'table'
"""
_INDEXES = "select indexname from pg_indexes where schemaname = current_schema()"
_SQLITE_INDEXES = "select name from sqlite_master where type = 'index'"
_POSTGRES_NAMES = {"varchar": "character varying", "float": "double precision"}


def _type(type_: TypeEngine[Any], dialect: Dialect) -> str:
    """A type as the database says it."""
    said = type_.compile(dialect).lower().partition(" collate ")[0]
    if dialect.name == "sqlite":
        return said
    name, paren, rest = said.partition("(")
    return _POSTGRES_NAMES.get(name, name) + paren + rest


def _said(type_: str, is_needed: bool) -> tuple[str, str]:
    return type_, "not null" if is_needed else "or null"


def revisions(folder: Path) -> list[str]:
    """The ids of the revisions in a folder, oldest first."""
    prefix = "kernel_" if folder == KERNEL else ""
    return sorted(prefix + path.name.partition("_")[0] for path in folder.glob("[0-9]*_*.py"))


def config(folders: Sequence[Path], connection: Connection, metadata: MetaData) -> "Config":
    """Alembic's configuration for one database; `env.py` takes the connection from it."""
    from alembic.config import Config

    made = Config(attributes={"connection": connection, "metadata": metadata})
    locations = "\n".join(map(str, folders))
    for name, value in (("script_location", HERE), ("version_locations", locations), ("path_separator", "newline")):
        made.set_main_option(name, str(value).replace("%", "%%"))
    return made


def migrate(connection: Connection, folders: Sequence[Path], metadata: MetaData) -> None:
    """Runs the revisions that the database lacks, within the connection's transaction."""
    from alembic import command

    command.upgrade(config(folders, connection, metadata), "heads")


def _revisions_of(connection: Connection) -> set[str]:
    if not inspect(connection).has_table("alembic_version"):
        return set()
    return set(connection.execute(text("select version_num from alembic_version")).scalars())


def _has_tables(connection: Connection, metadata: MetaData) -> bool:
    return not metadata.tables.keys().isdisjoint(inspect(connection).get_table_names())
