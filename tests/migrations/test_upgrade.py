"""Revisions make each service's database and bring it up to date, in one transaction."""

import asyncio
import importlib
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from services.kernel.delivery.runtime import Service
from services.kernel.serving import process
from services.kernel.store import lease, migrations
from services.kernel.store.database import Database
from tests.kit import small, substrate

LATER = '''"""Add a note to the contents."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{newest}"


def upgrade() -> None:
    with op.batch_alter_table("contents") as contents:
        contents.add_column(sa.Column("note", sa.Text()))
'''


class Later(NamedTuple):
    triage: Service
    write: Callable[..., str]


def load(name: str) -> Service:
    service: Service = importlib.import_module(f"services.{name}.app").SERVICE
    return service


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


@pytest.fixture(params=["service", "kernel"])
def later(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Later:
    """Triage with one more revision: of its own tables, or of the tables of every service."""
    triage, folder = load("triage"), tmp_path / "versions"
    old = triage.revisions if request.param == "service" else migrations.KERNEL
    assert old is not None
    shutil.copytree(old, folder)
    newest = migrations.revisions(old)[-1]
    number = int(newest.removeprefix("kernel_")) + 1
    revision = f"{'kernel_' * (request.param == 'kernel')}{number:04}"
    if request.param == "service":
        triage = replace(triage, revisions=folder)
    else:
        monkeypatch.setattr(migrations, "KERNEL", folder)

    def write(more: str = "") -> str:
        (folder / f"{number:04}_add_note.py").write_text(LATER.format(revision=revision, newest=newest) + more)
        return revision

    return Later(triage, write)


def _index(index: Any) -> dict[str, Any]:
    """An index, with the condition of a partial one as its text."""
    return {**index, "dialect_options": {name: str(value) for name, value in index.get("dialect_options", {}).items()}}


def tables(connection: Connection) -> dict[str, Any]:
    """The database's own description of its tables, with collations and indexes."""
    found = inspect(connection)
    return {
        table: (
            [{**column, "type": str(column["type"])} for column in found.get_columns(table)],
            found.get_pk_constraint(table),
            sorted((_index(index) for index in found.get_indexes(table)), key=repr),
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

    await migrations.upgrade(database, service)

    def differences(connection: Connection) -> list[Any]:
        return compare_metadata(MigrationContext.configure(connection), service.metadata)

    async with database.transaction() as connection:
        assert await connection.run_sync(differences) == []
    assert service.revisions is not None
    assert set(await run(database, "select version_num from alembic_version")) == {
        (migrations.revisions(folder)[-1],) for folder in (migrations.KERNEL, service.revisions)
    }
    made = await all_tables(database)
    async with database.transaction() as connection:
        await connection.run_sync(service.metadata.drop_all)
        await connection.run_sync(service.metadata.create_all)
    assert made == await all_tables(database)


async def test_a_second_upgrade_does_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    triage = load("triage")
    await migrations.upgrade(database, triage)
    await run(database, "insert into erased (ref) values ('r')")
    monkeypatch.delattr(migrations, "migrate")

    await migrations.upgrade(database, triage)

    assert await run(database, "select ref from erased") == [("r",)]


START = """
import asyncio, sys
from pathlib import Path
from services.ingest.app import SERVICE
from services.kernel.delivery.runtime import Service
from services.kernel.store import migrations
from services.kernel.store.database import Database

async def start() -> None:
    database = Database(Path(sys.argv[1]))
    await migrations.upgrade(database, SERVICE)
    await database.close()

asyncio.run(start())
print("alembic" in sys.modules)
"""


def test_only_a_start_that_changes_the_database_imports_alembic(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START, str(tmp_path / "ingest.sqlite")]
    assert [subprocess.check_output(command, text=True).strip() for _ in range(2)] == ["True", "False"]


async def test_a_database_of_an_older_version_keeps_what_it_holds(database: Database, later: Later) -> None:
    await migrations.upgrade(database, later.triage)
    await run(database, "insert into contents (ref, salt, words) values ('r', 's', 'w')")
    revision = later.write()

    await migrations.upgrade(database, later.triage)

    assert await run(database, "select ref, words, note from contents") == [("r", "w", None)]
    assert (revision,) in await run(database, "select version_num from alembic_version")


async def test_a_revision_that_fails_leaves_nothing_behind(database: Database, later: Later) -> None:
    await migrations.upgrade(database, later.triage)
    before, at = await all_tables(database), await run(database, "select version_num from alembic_version")
    later.write("    raise OSError('the disk is full')\n")

    with pytest.raises(OSError, match="the disk is full"):
        await migrations.upgrade(database, later.triage)

    assert await all_tables(database) == before
    assert await run(database, "select version_num from alembic_version") == at


async def test_a_database_of_a_newer_version_is_refused(database: Database) -> None:
    triage = load("triage")
    await migrations.upgrade(database, triage)
    await run(database, "update alembic_version set version_num = '9999' where version_num not like 'kernel_%'")

    with pytest.raises(
        migrations.WrongDatabase, match=r"triage is at revision 9999.* Start the newer version, or restore"
    ):
        await migrations.upgrade(database, triage)


async def test_tables_without_a_revision_are_refused(database: Database) -> None:
    triage = load("triage")
    async with database.transaction() as connection:
        await connection.run_sync(triage.metadata.create_all)

    with pytest.raises(migrations.WrongDatabase, match="has Huiying's tables but no revision"):
        await migrations.upgrade(database, triage)


async def test_a_service_put_together_for_a_test_gets_its_own_tables(database: Database) -> None:
    service = small.triage()

    await migrations.upgrade(database, service)

    assert set(await all_tables(database)) == set(service.metadata.tables)


async def test_an_api_looks_at_its_topics_when_its_tables_stand(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[bool] = []

    async def lost(runtime: Any) -> str:
        async with database.read() as connection:
            looks.append(await connection.run_sync(lambda at: inspect(at).has_table("consumer_offset")))
        return "looked"

    monkeypatch.setattr(process, "_lost", lost)
    monkeypatch.setattr(process, "LOOK_SECONDS", 0.001)
    triage = load("triage")
    runtime: Any = SimpleNamespace(service=triage, database=database, lost="")
    if database.is_sqlite:
        await migrations.upgrade(database, triage)
    asked, is_there = 0, lease.is_there

    async def asking(connection: AsyncConnection) -> bool:
        nonlocal asked
        asked += 1
        return await is_there(connection)

    monkeypatch.setattr(lease, "is_there", asking)
    watch = asyncio.create_task(process.watch_topics(runtime))
    try:
        async with asyncio.timeout(20):
            while asked < 2 and not looks:
                await asyncio.sleep(0)
        await migrations.upgrade(database, triage)
        async with asyncio.timeout(20):
            while not runtime.lost:
                await asyncio.sleep(0)
    finally:
        watch.cancel()
    assert set(looks) == {True}


EDITS = {
    "alter table incidents rename to former": "there is no table incidents",
    "alter table consumer_offset rename column next to following": "consumer_offset has no column next, and 1 more",
    "alter table parked add column further integer not null default 0": "parked has a column further too many",
    "drop index ix_dead_letters_state": "dead_letters has no index ix_dead_letters_state",
}


@pytest.mark.parametrize("edit", EDITS)
async def test_a_database_of_an_edited_revision_is_refused_with_what_to_do(edit: str, database: Database) -> None:
    """Until a release, the first revision is made anew, so its number does not say which tables it made."""
    triage = load("triage")
    await migrations.upgrade(database, triage)
    await migrations.upgrade(database, triage)
    await run(database, edit)
    before = await all_tables(database)
    with pytest.raises(migrations.WrongDatabase, match=f"{EDITS[edit]}.* Start the version that made it, or restore"):
        await migrations.upgrade(database, triage)
    assert await all_tables(database) == before
