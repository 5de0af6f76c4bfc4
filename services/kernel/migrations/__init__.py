"""Alembic for every service: one environment here, the revisions in `services/<service>/migrations/versions`.

Revisions are numbered: `0002_add_place.py` has the id `0002` and follows `0001`; the highest number is what this code
works with. `python -m services.kernel.migrations revision <service> "<message>"` writes the next one.
"""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, MetaData, inspect, text

from services.kernel.runtime import Runtime
from services.kernel.service import Service

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent
_one_at_a_time = asyncio.Lock()
"""Alembic keeps what it works on in module globals, also while another task runs."""


class WrongDatabase(Exception):
    """This database cannot be brought to the version of this code; the text says why and what to do."""


async def upgrade(runtime: Runtime) -> None:
    """Brings the service's database to the version of this code, in one transaction; quick where it is there already.

    Only the leader calls it. Raises `WrongDatabase`.
    """
    service, metadata = runtime.service.name, runtime.service.metadata
    async with _one_at_a_time, runtime.database.transaction() as connection:
        if not _has_revisions(runtime.service):
            await connection.run_sync(metadata.create_all)
            return
        folder = versions_of(service)
        at, known = await connection.run_sync(_revision), revisions(folder)
        if at == known[-1]:
            return
        if at is not None and at not in known:
            raise WrongDatabase(
                f"the database of {service} is at revision {at}, this version knows {known[0]} to {known[-1]}: "
                "it was used by a newer version. Start that one, or restore a backup that this one has made"
            )
        if at is None and await connection.run_sync(_has_tables, metadata):
            raise WrongDatabase(
                f"the database of {service} has tables of ours but no revision: it was made by a version that was "
                "never released. Start with an empty one"
            )
        await connection.run_sync(migrate, folder, metadata)


def versions_of(service: str) -> Path:
    """Where the revisions of a service lie."""
    return HERE.parents[1] / service / "migrations" / "versions"


def revisions(folder: Path) -> list[str]:
    """The ids of the revisions in a folder, oldest first."""
    return sorted(path.name.partition("_")[0] for path in folder.glob("[0-9]*_*.py"))


def config(folder: Path, connection: Connection, metadata: MetaData) -> "Config":
    """Alembic's configuration for one database; `env.py` takes the connection from it."""
    from alembic.config import Config

    made = Config(attributes={"connection": connection, "metadata": metadata})
    for name, value in (("script_location", HERE), ("version_locations", folder), ("path_separator", "newline")):
        made.set_main_option(name, str(value).replace("%", "%%"))
    return made


def migrate(connection: Connection, folder: Path, metadata: MetaData) -> None:
    """Runs the revisions that the database lacks, within the connection's transaction."""
    from alembic import command

    command.upgrade(config(folder, connection, metadata), "head")


def _has_revisions(service: Service) -> bool:
    """Whether the revisions of this name are of this service: one that is put together in a test has other tables."""
    views = sys.modules.get(f"services.{service.name}.views")
    return getattr(views, "METADATA", None) is service.metadata and bool(revisions(versions_of(service.name)))


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("select version_num from alembic_version")).scalar()
    return found


def _has_tables(connection: Connection, metadata: MetaData) -> bool:
    return not metadata.tables.keys().isdisjoint(inspect(connection).get_table_names())
