"""Each service's database is made and brought up to date by its revisions, in one transaction."""

import importlib
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from schemas import catalogue
from services.kernel import migrations
from services.kernel.clock import Clock
from services.kernel.database import Database
from services.kernel.runtime import Runtime
from services.kernel.service import Service
from services.kernel.settings import Settings
from tests.kit import small, substrate

LATER = '''"""Add a note to the contents."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("contents") as contents:
        contents.add_column(sa.Column("note", sa.Text()))
'''


def load(name: str) -> Service:
    service: Service = importlib.import_module(f"services.{name}.app").SERVICE
    return service


def runtime(service: Service, database: Database) -> Runtime:
    return Runtime(service, Settings(), database, Clock(), cast(Any, None), b"")


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    template = substrate.new_databases()
    yield template.format(service="triage")
    substrate.drop_databases(template)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database of each sort."""
    if request.param == "sqlite":
        made = Database(tmp_path / "service.sqlite")
    else:
        made = Database(request.getfixturevalue("postgres_url"))
        await run(made, "drop schema public cascade")
        await run(made, "create schema public")
    yield made
    await made.close()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], object]:
    """Makes this the next revision of triage."""
    folder = tmp_path / "versions"
    folder.mkdir()
    for file in migrations.versions_of("triage").glob("0001_*.py"):
        shutil.copy(file, folder)
    monkeypatch.setattr(migrations, "versions_of", lambda service: folder)
    return (folder / "0002_add_note.py").write_text


def tables(connection: Connection) -> dict[str, Any]:
    """All that the database says of its tables, collations and indexes among it."""
    found = inspect(connection)
    return {
        table: (
            [{**column, "type": str(column["type"])} for column in found.get_columns(table)],
            found.get_pk_constraint(table),
            sorted(found.get_indexes(table), key=repr),
            sorted(found.get_unique_constraints(table), key=repr),
        )
        for table in found.get_table_names()
        if table != "alembic_version"
    }


async def all_tables(database: Database) -> dict[str, Any]:
    async with database.transaction() as connection:
        return await connection.run_sync(tables)


async def run(database: Database, statement: str) -> list[Any]:
    async with database.transaction() as connection:
        done = await connection.execute(text(statement))
        return [tuple(row) for row in done] if done.returns_rows else []


@pytest.mark.parametrize("name", catalogue.SERVICES)
async def test_an_empty_database_gets_exactly_the_tables_of_the_code(name: str, database: Database) -> None:
    service = load(name)

    await migrations.upgrade(runtime(service, database))

    def differences(connection: Connection) -> list[Any]:
        return compare_metadata(MigrationContext.configure(connection), service.metadata)

    async with database.transaction() as connection:
        assert await connection.run_sync(differences) == []
    assert await run(database, "select version_num from alembic_version") == [
        (migrations.revisions(migrations.versions_of(name))[-1],)
    ]
    made = await all_tables(database)
    async with database.transaction() as connection:
        await connection.run_sync(service.metadata.drop_all)
        await connection.run_sync(service.metadata.create_all)
    assert made == await all_tables(database)


async def test_a_second_upgrade_does_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    triage = runtime(load("triage"), database)
    await migrations.upgrade(triage)
    await run(database, "insert into erased (ref) values ('r')")
    monkeypatch.delattr(migrations, "migrate")

    await migrations.upgrade(triage)

    assert await run(database, "select ref from erased") == [("r",)]


START = """
import asyncio, sys
from pathlib import Path
from services.ingest.app import SERVICE
from services.kernel import migrations
from services.kernel.clock import Clock
from services.kernel.database import Database
from services.kernel.runtime import Runtime
from services.kernel.settings import Settings

async def start() -> None:
    database = Database(Path(sys.argv[1]))
    await migrations.upgrade(Runtime(SERVICE, Settings(), database, Clock(), None, b""))
    await database.close()

asyncio.run(start())
print("alembic" in sys.modules)
"""


def test_only_a_start_that_changes_the_database_imports_alembic(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START, str(tmp_path / "ingest.sqlite")]
    assert [subprocess.check_output(command, text=True).strip() for _ in range(2)] == ["True", "False"]


async def test_a_database_of_an_older_version_keeps_what_it_holds(
    database: Database, later: Callable[[str], object]
) -> None:
    triage = runtime(load("triage"), database)
    await migrations.upgrade(triage)
    await run(database, "insert into contents (ref, salt, words) values ('r', 's', 'w')")
    later(LATER)

    await migrations.upgrade(triage)

    assert await run(database, "select ref, words, note from contents") == [("r", "w", None)]
    assert await run(database, "select version_num from alembic_version") == [("0002",)]


async def test_a_revision_that_fails_leaves_nothing_behind(database: Database, later: Callable[[str], object]) -> None:
    triage = runtime(load("triage"), database)
    await migrations.upgrade(triage)
    before = await all_tables(database)
    later(LATER + "    raise OSError('the disk is full')\n")

    with pytest.raises(OSError, match="the disk is full"):
        await migrations.upgrade(triage)

    assert await all_tables(database) == before
    assert await run(database, "select version_num from alembic_version") == [("0001",)]


async def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    triage = runtime(load("triage"), database)
    await migrations.upgrade(triage)
    await run(database, "update alembic_version set version_num = '9999'")

    with pytest.raises(migrations.WrongDatabase, match=r"triage is at revision 9999.* Start that one, or restore"):
        await migrations.upgrade(triage)


async def test_tables_without_a_revision_are_refused(database: Database) -> None:
    triage = runtime(load("triage"), database)
    async with database.transaction() as connection:
        await connection.run_sync(triage.service.metadata.create_all)

    with pytest.raises(migrations.WrongDatabase, match="has tables of ours but no revision"):
        await migrations.upgrade(triage)


async def test_a_service_put_together_for_a_test_gets_its_own_tables(database: Database) -> None:
    service = small.triage()

    await migrations.upgrade(runtime(service, database))

    assert set(await all_tables(database)) == set(service.metadata.tables)
