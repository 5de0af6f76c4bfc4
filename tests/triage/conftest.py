"""A triage service over a real SQLite file, with its HTTP API and the kernel's unit of work, but no log."""

import asyncio
import functools
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from schemas.envelope import Event, seal
from schemas.fields import Fact, WordsRef
from schemas.ingest import ReportReceived, ReportRefused
from services.kernel.core.ids import derived
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log import EventLog, Record
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.rules.packs import load_packs
from services.kernel.serving import http
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.kernel.store.session import partition_of
from services.kernel.store.sql import insert
from services.triage.app import SERVICE
from services.triage.offices import setup
from tests.kit import access

SECRET = b"only-for-tests-" * 4


def words(text: str) -> WordsRef:
    """A reference to words that ingest sealed."""
    ref = derived("words", text)
    return WordsRef(ref=ref, digest=ref.replace("-", "") * 2)


@dataclass
class Triage:
    """The means of a test: the service, a client, and other services' events on their way in."""

    runtime: Runtime
    client: httpx.AsyncClient
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    streams: dict[str, Event] = field(default_factory=dict)
    numbers: Any = field(default_factory=itertools.count)

    def token(self, role: str, unit: str = "county") -> dict[str, str]:
        return access.bearer(unit, role, person="anyone")

    async def get(self, path: str, unit: str = "county", role: str = "duty_officer", **query: Any) -> httpx.Response:
        return await self.client.get(f"/triage/v1/{path}", params=query, headers=self.token(role, unit))

    async def ask(
        self, id_: str, verb: str, body: Any = None, *, role: str, unit: str = "county", version: int | str | None = -1
    ) -> httpx.Response:
        """POSTs a verb; version -1 is the newest, None sends no If-Match."""
        headers = self.token(role, unit)
        if version == -1:
            version = (await self.get(f"incidents/{id_}", "city")).json()["version"]
        if version is not None:
            headers["If-Match"] = str(version)
        sent = {} if body is None else {"json": body}
        return await self.client.post(f"/triage/v1/incidents/{id_}/{verb}", headers=headers, **sent)

    async def agree(self, id_: str) -> None:
        """All who must approve the newest proposal agree to it, each post by its own person."""
        while True:
            found = (await self.get(f"incidents/{id_}", "city")).json()
            if not (due := found["proposals"][-1]["due"]):
                return
            post, _, unit = due[0].partition("@")
            headers = access.bearer(unit, post, person=due[0]) | {"If-Match": str(found["version"])}
            body = {"proposal": found["proposals"][-1]["proposal"]}
            answer = await self.client.post(f"/triage/v1/incidents/{id_}/approve", headers=headers, json=body)
            assert answer.status_code == 200, answer.text

    def event(
        self, stream: str, data: Fact, *, service: str, unit: str = "town-east", drill: bool = False, **more: Any
    ) -> Event:
        """The next event of another service's stream."""
        before = self.streams.get(stream)
        now = self.runtime.time_source.now()
        made = seal(
            data,
            id=derived(stream, str(next(self.numbers))),
            source=f"/huiying/test/{service}",
            stream=stream,
            version=before.version + 1 if before else 1,
            previous=before.digest if before else None,
            time=now,
            recorded=now,
            partitionkey=stream,
            actor="integration",
            unit=unit,
            drill=drill,
            **more,
        )
        self.streams[stream] = made
        return made

    def report(
        self,
        name: str,
        *,
        unit: str = "town-east",
        match_key: str | None = None,
        drill: bool = False,
        discovered_at: datetime | None = None,
        entered_late: bool = False,
    ) -> Event:
        """A report, as ingest received it."""
        data = ReportReceived(
            unit=unit,
            channel="board",
            discovered_at=discovered_at or self.runtime.time_source.now() - timedelta(minutes=5),
            entered_late=entered_late,
            subject=words(f"{name}: subject"),
            text=words(f"{name}: text"),
            category="roads",
            match_key=derived("match_key", unit, match_key or name).replace("-", "") * 2,
            receipt="0" * 64,
        )
        return self.event(f"report-{derived(name)}", data, service="ingest", unit=unit, drill=drill)

    def refusal(self, report: Event, reason: str = "out of scope") -> Event:
        """Ingest's event that a report gets no answer."""
        return self.event(report.stream, ReportRefused(reason=words(reason)), service="ingest")

    async def take(self, *events: Event) -> None:
        """Passes events on like the log: in order within each partition."""
        work = UnitOfWork(self.runtime)
        for (topic, partition), group in itertools.groupby(events, self.place):
            start = self.offsets.get((topic, partition), 0)
            records = [
                Record(topic, partition, start + index, event.partitionkey.encode(), event.bytes)
                for index, event in enumerate(group)
            ]
            await work.handle(records)
            self.offsets[topic, partition] = start + len(records)
        async with self.runtime.database.read() as connection:
            aside = (await connection.execute(self.runtime.tables["dead_letters"].select())).mappings().all()
        assert [row["error"] for row in aside] == []

    async def lose_the_place(self) -> None:
        """The consumer starts at the beginning again, as with a restored store that has recovered its events."""
        async with self.runtime.database.transaction() as connection:
            for name in ("consumer_offset", "stream_cursor"):
                await connection.execute(self.runtime.tables[name].delete())
        self.offsets.clear()

    def place(self, event: Event) -> tuple[str, int]:
        """The event's topic and partition."""
        return event.topic, partition_of(event.partitionkey, self.runtime.settings.partitions)

    async def say(self, *texts: str) -> None:
        """The words arrive."""
        rows = [{"ref": words(text).ref, "salt": b"salt", "words": text} for text in texts]
        async with self.runtime.database.transaction() as connection:
            await insert(connection, self.runtime.tables["contents"], rows)

    async def open(self, name: str = "pothole", **more: Any) -> str:
        """Takes in a report now and returns its incident."""
        report = self.report(name, **more)
        await self.take(report)
        found = await self.get("incidents", "city", report_id=report.stream)
        [item] = found.json()["items"]
        return str(item["id"])

    async def events(self, stream: str) -> list[Event]:
        """The stored events of a stream."""
        table = self.runtime.tables["events"]
        async with self.runtime.database.read() as connection:
            chosen = table.select().where(table.c.stream_id == stream).order_by(table.c.version)
            return [Event.parse(row["bytes"]) for row in (await connection.execute(chosen)).mappings()]

    async def kinds(self, stream: str) -> list[str]:
        """The names of a stream's events."""
        return [event.type.split(".")[2] for event in await self.events(stream)]


_load_once = functools.cache(load_packs)


@pytest.fixture(autouse=True, scope="module")
def _packs_are_read_once() -> Iterator[None]:
    """Trying a pack's conditions takes longer than most of these tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setup, "load_packs", _load_once)
        yield


@asynccontextmanager
async def made(database: Database, settings: Settings, *, begun: bool = False) -> AsyncIterator[Runtime]:
    """A triage service with the shipped units and pack, on SQLite or PostgreSQL; unless it has `begun`, it begins."""
    runtime = Runtime(SERVICE, settings, database, TimeSource(), cast(EventLog, None), SECRET)
    try:
        if not begun:
            async with database.transaction() as connection:
                await connection.run_sync(SERVICE.metadata.create_all)
            assert SERVICE.on_start is not None
            await SERVICE.on_start(runtime)
        yield runtime
    finally:
        await database.close()


@pytest.fixture(scope="session")
def first_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SQLite file of a service that has begun. Each test has a copy: to begin takes longer than most of them."""
    folder = tmp_path_factory.mktemp("begun")

    async def begin() -> None:
        async with made(Database(folder / "triage.db"), Settings(data=folder)):
            pass

    with ThreadPoolExecutor(1) as other:
        other.submit(asyncio.run, begin()).result()
    return folder / "triage.db"


@asynccontextmanager
async def used(runtime: Runtime) -> AsyncIterator[Triage]:
    """The service through HTTP."""
    app = http.application([runtime], title="triage", keys=access.PUBLIC)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://triage") as client:
        yield Triage(runtime, client)


@pytest.fixture
async def triage(first_day: Path, tmp_path: Path) -> AsyncIterator[Triage]:
    """Triage on a SQLite file."""
    shutil.copyfile(first_day, tmp_path / "triage.db")
    database, settings = Database(tmp_path / "triage.db"), Settings(data=tmp_path)
    async with made(database, settings, begun=True) as runtime, used(runtime) as service:
        yield service


@pytest.fixture
async def triage_on_postgres(postgres_databases: str, tmp_path: Path) -> AsyncIterator[Triage]:
    """Triage on a PostgreSQL server, where transactions really run at once."""
    url = postgres_databases.format(service="triage")
    settings = Settings(data=tmp_path, database=postgres_databases)
    async with made(Database(url), settings) as runtime, used(runtime) as service:
        yield service
