"""Services on PostgreSQL and Kafka for measuring, and the bare COPY for comparison."""

import functools
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Table

from services.ingest import keys
from services.kernel.core.time_source import TimeSource
from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery.log.kafka import KafkaLog
from services.kernel.delivery.runtime import Runtime, Service
from services.kernel.serving import process
from services.kernel.settings import Settings
from services.kernel.store import migrations
from services.kernel.store.database import Database
from tests.kit import substrate

SECRET = b"a secret of the benchmarks, long enough"
UNITS = {"city": None, "county": "city", "town-east": "county", "town-west": "county"}
KEPT = frozenset({"units", "posts", "packs_assigned", "api_keys", "lease"})
"""Tables with the rights of callers, and with who leads. They stay when the others are emptied."""
Rows = Mapping[str, tuple[list[str], list[tuple[Any, ...]]]]
"""Table -> its columns and rows."""
_running = ExitStack()


@functools.cache
def postgres() -> str:
    """The URL of a server that waits for the disk, as a deployment's does. The shared server of tests does not."""
    return os.environ.get("DATABASE_URL") or _running.enter_context(substrate.private_postgres()).url


def close() -> None:
    """Ends every server that the benchmarks share."""
    _running.close()
    substrate.close()


@asynccontextmanager
async def runtime(service: Service, prefix: str = "", *, prepared: bool = False) -> AsyncIterator[Runtime]:
    """A service on its own empty database, with the units placed. With a prefix it also has the broker.

    `prepared` makes it ready as a process does, with packs and topics. Otherwise the caller makes the topics.
    """
    template = substrate.new_databases("bench", postgres(), (service.name,))
    os.environ.setdefault("HUIYING_LOG_LEVEL", "warning")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data=Path(folder),
            database=template,
            kafka=substrate.kafka() if prefix else "",
            prefix=prefix or "bench",
            outbox_limit=10**9,
        )
        database = Database(template.format(service=service.name))
        made = Runtime(service, settings, database, TimeSource(), KafkaLog(settings, service.name), SECRET)
        try:
            if prepared:
                await process.prepare(made)
            else:
                await migrations.upgrade(database, service)
                await place_units(made)
            yield made
        finally:
            await made.log.stop()
            await database.close()
            substrate.drop_databases(template)


async def place_units(made: Runtime) -> None:
    """Puts the tree of units into a service's store, as if triage had sent it."""
    rows = [
        {
            "unit": code,
            "since": "2000-01-01T00:00:00.000000Z",
            "until": None,
            "kind": "county",
            "name": code,
            "parent": parent,
            "drill": False,
            "stream_id": "unit-00000000-0000-7000-8000-000000000000",
            "version": number,
        }
        for number, (code, parent) in enumerate(UNITS.items(), 1)
    ]
    async with made.database.transaction() as connection:
        await connection.execute(made.tables["units"].insert(), rows)


def integration_key(made: Runtime) -> str:
    """A key with which integrations send reports."""
    key = keys.new_key()
    row = (f"key-{uuid7()}", keys.key_digest(key), keys.integration_id("city", "bench"), "bench", "city", keys.SCOPE)
    columns = "id, digest, integration, name, unit, scope"
    with psycopg.connect(plain(made), autocommit=True) as connection:
        connection.execute(f"insert into api_keys ({columns}) values (%s, %s, %s, %s, %s, %s)", row)
    return key


def plain(made: Runtime) -> str:
    """The database's address in psycopg's form."""
    return made.database.location.replace("postgresql+psycopg:", "postgresql:", 1)


def empty(made: Runtime) -> None:
    """Empties every table but `KEPT`."""
    names = ", ".join(f'"{name}"' for name in made.tables if name not in KEPT)
    with psycopg.connect(plain(made), autocommit=True) as connection:
        connection.execute(f"truncate {names}")


def stored(made: Runtime) -> Rows:
    """The rows of the service's tables, without the numbers that the database assigns."""
    rows = {}
    with psycopg.connect(plain(made)) as connection:
        for name, table in made.tables.items():
            columns = [column.name for column in table.columns if not _is_given(table, column.name)]
            quoted = ", ".join(f'"{column}"' for column in columns)
            found = connection.execute(f'select {quoted} from "{name}"').fetchall()
            if found and name not in KEPT:
                rows[name] = (columns, found)
    return rows


def _is_given(table: Table, column: str) -> bool:
    return column == "seq"


def copy(made: Runtime, rows: Rows) -> float:
    """Seconds for COPY of these rows into the emptied tables with their indexes, in one transaction."""
    empty(made)
    began = time.perf_counter()
    with psycopg.connect(plain(made)) as connection:
        for name, (columns, values) in rows.items():
            quoted = ", ".join(f'"{column}"' for column in columns)
            with connection.cursor().copy(f'copy "{name}" ({quoted}) from stdin') as into:
                for row in values:
                    into.write_row(row)
    return time.perf_counter() - began


def settle(mades: Sequence[Runtime]) -> None:
    """Lets the server write its backlog, so that no run pays for the one before."""
    with psycopg.connect(plain(mades[0]), autocommit=True) as connection:
        connection.execute("checkpoint")
