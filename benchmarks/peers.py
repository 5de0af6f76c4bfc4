"""Beside other systems, in the same run: Tessera's log on files, and the projection of pyeventsourcing on PostgreSQL.

The first takes a Go tool chain, the second `pip install eventsourcing[postgres]`. Both are wanted by this figure alone,
so neither is a requirement of the project.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import rig
from benchmarks.histories import Histories
from benchmarks.measure import Figure, pairs
from benchmarks.record import Alone
from schemas.envelope import Event
from services.audit.app import SERVICE
from services.audit.log import growing
from services.audit.projection import BATCH, learn
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import sql

LEAVES, EVENTS, FEW = 100_000, 20_000, 4_000
GO = Path(__file__).parent / "tessera"
MODULES = ("github.com/transparency-dev/tessera@v1.0.4", "golang.org/x/mod@latest")


async def measure(runs: int) -> list[Figure]:
    """Leaves a second, and events a second."""
    return [await _tessera(runs), await _eventsourcing(runs)]


async def _tessera(runs: int) -> Figure:
    with tempfile.TemporaryDirectory() as folder:
        program = _built(Path(folder))
        async with rig.runtime(SERVICE) as made:

            async def ours() -> float:
                rig.empty(made)
                rig.settle([made])
                return await _leaves(made)

            async def theirs() -> float:
                with tempfile.TemporaryDirectory(dir=folder) as log:
                    return LEAVES / float(_run(str(program), log, str(LEAVES)))

            what = "Tessera's POSIX log"
            return await pairs("durable leaves", ours, theirs, goal=1.0, floor_is=what, unit="leaves/s", runs=runs)


def _built(folder: Path) -> Path:
    if (go := shutil.which("go")) is None:
        raise SystemExit("the figure beside Tessera takes a Go tool chain")
    shutil.copytree(GO, folder / "source")
    for arguments in (("mod", "init", "benchmark"), ("get", *MODULES), ("mod", "tidy"), ("build", "-o", "../program")):
        _run(go, *arguments, cwd=folder / "source")
    return folder / "program"


def _run(*arguments: str, cwd: Path | None = None) -> str:
    return subprocess.run(arguments, cwd=cwd, capture_output=True, text=True, check=True).stdout


async def _leaves(made: Runtime) -> float:
    """The tree alone: leaves are hashed and the tree grows in transactions that wait for the disk."""
    leaves = [b"an entry of about the length of an audit leaf: %0200d" % at for at in range(LEAVES)]
    began = time.perf_counter()
    for start in range(0, LEAVES, BATCH):
        hashes = [growing.tree.leaf_hash(leaf) for leaf in leaves[start : start + BATCH]]
        async with made.database.transaction() as connection:
            await sql.write(connection, await growing.grown(connection, start, hashes))
    return LEAVES / (time.perf_counter() - began)


async def _eventsourcing(runs: int) -> Figure:
    async with rig.runtime(SERVICE) as made, rig.runtime(SERVICE) as beside:
        histories = Histories(made.settings.partitions)
        records = list(islice(histories.more(EVENTS // histories.each + 1), EVENTS))
        events = [Event.parse(record.value) for record in records[:FEW]]

        async def ours() -> float:
            rig.empty(made)
            await learn(made)
            rig.settle([made])
            work, began = Alone(made), time.perf_counter()
            for start in range(0, EVENTS, BATCH):
                await work.handle(records[start : start + BATCH])
            return EVENTS / (time.perf_counter() - began)

        async def theirs() -> float:
            return _projected(rig.plain(beside), events)

        what = "pyeventsourcing"
        return await pairs("projection", ours, theirs, goal=10.0, floor_is=what, unit="events/s", runs=runs)


@cache
def _classes() -> tuple[Any, Any, Any]:
    """An aggregate that keeps events, the table of a projection, and the projection. Each name may be taken once."""
    from eventsourcing.domain import Aggregate
    from eventsourcing.persistence import Tracking
    from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
    from eventsourcing.projection import Projection
    from psycopg.sql import SQL, Identifier

    class Kept(Aggregate):
        class Noted(Aggregate.Event):
            type: str
            stream: str
            value: str

    class View(PostgresTrackingRecorder):
        def __init__(self, datastore: PostgresDatastore, **named: Any) -> None:
            super().__init__(datastore, **named)
            self.rows = 0
            table = Identifier(self.datastore.schema), Identifier("kept_events")
            self.sql_create_statements += [
                SQL(
                    "create table if not exists {0}.{1} "
                    "(position bigint primary key, type text, stream text, value text)"
                ).format(*table),
                SQL("create index if not exists kept_type on {0}.{1} (type, position)").format(*table),
                SQL("create index if not exists kept_stream on {0}.{1} (stream, position)").format(*table),
            ]
            self.adding = SQL("insert into {0}.{1} values (%s, %s, %s, %s)").format(*table)

        def add(self, event: Any, tracking: Tracking) -> None:
            with self.datastore.transaction(commit=True) as cursor:
                self._insert_tracking(cursor, tracking)
                cursor.execute(self.adding, (tracking.notification_id, event.type, event.stream, event.value))
            self.rows += 1

    class Projected(Projection[View]):
        name = "projected"

        def process_event(self, domain_event: Any, tracking: Tracking) -> None:
            if isinstance(domain_event, Kept.Noted):
                self.view.add(domain_event, tracking)

    return Kept, View, Projected


def _projected(url: str, events: Sequence[Event]) -> float:
    """Events a second of a projection that keeps each event in a table with its position and indexes, as audit does."""
    from eventsourcing.application import Application
    from eventsourcing.projection import ProjectionRunner

    kept_class, view, projected = _classes()
    address = urlsplit(url)
    env = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": address.path.strip("/"),
        "POSTGRES_HOST": address.hostname or "",
        "POSTGRES_PORT": str(address.port),
        "POSTGRES_USER": address.username or "",
        "POSTGRES_PASSWORD": address.password or "",
        "POSTGRES_SCHEMA": f"es{os.getpid()}_{time.monotonic_ns()}",
    }
    _make_schema(url, env["POSTGRES_SCHEMA"])
    application = Application[Any](env)
    kept = kept_class()
    for at, event in enumerate(events):
        kept.trigger_event(kept_class.Noted, type=event.type, stream=event.stream, value=event.bytes.decode())
        if at % 500 == 499:
            application.save(kept)
    application.save(kept)
    began = time.perf_counter()
    with ProjectionRunner(
        application_class=Application, projection_class=projected, view_class=view, env=env
    ) as runner:
        while runner.view.rows < len(events):
            runner.run_forever(timeout=0.02)
        taken = time.perf_counter() - began
    application.close()
    return len(events) / taken


def _make_schema(url: str, name: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'create schema "{name}"')
