"""Runtimes of small services on real databases, SQLite and PostgreSQL alike."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import MetaData, Table, select

from schemas.envelope import Event
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log import Record
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.delivery.runtime import Runtime, Service
from services.kernel.files import private_file
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.kernel.store.session import partition_of
from tests.kit import substrate

SECRET = b"a secret of the tests, long enough to be one"


_made: dict[MetaData, bytes] = {}


async def make_tables(database: Database, metadata: MetaData) -> None:
    """The tables of a service in an empty database. A SQLite file is a copy of the first one that was made."""
    if not database.is_sqlite:
        async with database.transaction() as connection:
            await connection.run_sync(metadata.create_all)
        return
    if metadata not in _made:
        with tempfile.TemporaryDirectory() as folder:
            first = Database(Path(folder) / "first.sqlite")
            async with first.transaction() as connection:
                await connection.run_sync(metadata.create_all)
            await first.close()
            _made[metadata] = content(first)
    begin_with(database, _made[metadata])


def content(database: Database) -> bytes:
    """A SQLite file, with nothing in the write-ahead file beside it."""
    file = Path(database.location)
    beside = file.with_name(f"{file.name}-wal")
    assert not beside.exists() or beside.stat().st_size == 0
    return file.read_bytes()


def begin_with(database: Database, content: bytes) -> None:
    """Makes the SQLite file of a database to which nobody has connected yet."""
    private_file(Path(database.location)).write_bytes(content)


@asynccontextmanager
async def runtime(service: Service, path: Path, kind: str, **settings: Any) -> AsyncIterator[Runtime]:
    """A service with its tables, on `sqlite` or `postgres`, over an embedded log in `path`."""
    template = substrate.new_databases("t", services=(service.name,)) if kind == "postgres" else ""
    made = Settings(data=path, **settings)
    database = Database(template.format(service=service.name) if template else path / f"{service.name}.sqlite")
    log = EmbeddedLog(path / "log.sqlite", made.partitions)
    await log.start()
    await make_tables(database, service.metadata)
    try:
        yield Runtime(service, made, database, TimeSource(), log, SECRET)
    finally:
        await database.close()
        await log.stop()
        if template:
            substrate.drop_databases(template)


async def rows(made: Runtime, table: str | Table, *columns: str) -> list[Any]:
    """All rows of a table, or some columns of them, sorted."""
    found = made.tables[table] if isinstance(table, str) else table
    wanted = [found.c[name] for name in columns] or [found]
    async with made.database.read() as connection:
        return sorted(tuple(row) for row in (await connection.execute(select(*wanted))).all())


async def stored(made: Runtime) -> list[Event]:
    """The store's events in order of streams and versions."""
    table = made.tables["events"]
    async with made.database.read() as connection:
        found = await connection.execute(select(table.c.bytes).order_by(table.c.stream_id, table.c.version))
        return [Event.parse(bytes_) for (bytes_,) in found]


def as_records(
    events: Sequence[Event | bytes], topic: str = "ingest.report", start: int = 0, partition: int = 0
) -> list[Record]:
    """Consecutive records of one partition."""
    values = [event.bytes if isinstance(event, Event) else event for event in events]
    return [Record(topic, partition, start + index, b"key", value) for index, value in enumerate(values)]


def partition(event: Event, partitions: int = 4) -> int:
    """The place to which the relay would send it."""
    return partition_of(event.partitionkey, partitions)
