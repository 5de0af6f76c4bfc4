"""Alembic for every service: the kernel's revisions here, a service's own in its `migrations/versions`.

A database follows two histories at once. The kernel's revisions have the ids `kernel_0001` and on, a service's `0001`
and on; the file `0002_add_place.py` holds the revision `0002` and follows `0001`. This code works with the highest
revision of each. `python -m services.kernel.store.migrations revision <service> "<message>"` writes the next one. Use
`kernel` for the kernel's history.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, inspect, text

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

    Only the leader calls it, and on a new database whoever wants to lead. Raises `WrongDatabase`.
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
