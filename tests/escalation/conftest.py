"""Escalation over a real database: other services' topics on their way in, its timers, and its HTTP API."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, cast

import httpx
import pytest
from sqlalchemy import select

from schemas.envelope import Event, seal
from schemas.fields import Fact
from schemas.offices import PolicyPackAssigned, UnitPlaced
from services.escalation.app import SERVICE
from services.escalation.clock import timers
from services.kernel.core.ids import derived
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log import EventLog, LogGone, Partition, Record
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.serving import http
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.kernel.store.session import partition_of
from tests.escalation.incident import OFFICES, PACK, at
from tests.kit import access, spec
from tests.kit.stores import begin_with, content, make_tables

SECRET = b"only-for-tests-" * 4
LONG_AGO = at(0) - timedelta(days=30)


class Standing(TimeSource):
    """A clock that stands still until it is set."""

    at: datetime = at(0)

    def now(self) -> datetime:
        return self.at


@dataclass
class Topics:
    """The events of the other services. Timers only ask this log where it ends."""

    records: dict[Partition, list[Record]] = field(default_factory=dict)
    gone: bool = False

    def add(self, event: Event, partitions: int) -> None:
        number = partition_of(event.partitionkey, partitions)
        records = self.records.setdefault(Partition(event.topic, number), [])
        records.append(Record(event.topic, number, len(records), event.partitionkey.encode(), event.bytes))

    async def ends(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        if self.gone:
            raise LogGone("the log is away")
        return {part: len(records) for part, records in self.records.items() if part.topic in topics}

    async def begins(self, topics: Sequence[str]) -> Mapping[Partition, int]:
        return dict.fromkeys(await self.ends(topics), 0)

    async def before(self, offsets: Mapping[Partition, int]) -> Mapping[Partition, Record]:
        return {part: self.records[part][offset - 1] for part, offset in offsets.items()}


@dataclass
class Desk:
    """The means of a test. Events are written, then consumed topic by topic, so that a test decides which are late."""

    runtime: Runtime
    client: httpx.AsyncClient
    clock: Standing
    topics: Topics
    work: UnitOfWork
    streams: dict[str, Event] = field(default_factory=dict)
    taken: dict[Partition, int] = field(default_factory=dict)

    def tell(
        self, stream: str, fact: Fact, when: datetime, *, happened: datetime | None = None, unit: str = "town-east",
        skip: bool = False, incident: str | None = None,
    ) -> Event:  # fmt: skip
        """An event of another service, recorded at `when`. With `skip`, it is lost on the way to the topic."""
        last = self.streams.get(stream)
        service = "publish" if stream.startswith("statement") else "triage"
        correlation = incident or (stream if stream.startswith("incident") else None)
        event = seal(
            spec._plain(fact),
            id=derived("told", stream, str(last.version if last else 0)),
            source=f"/huiying/test/{service}",
            stream=stream,
            version=last.version + 1 if last else 1,
            previous=last.digest if last else None,
            time=happened or when,
            recorded=when,
            partitionkey=correlation or stream,
            actor="system",
            correlation=correlation,
            unit=unit,
        )
        self.streams[stream] = event
        if not skip:
            self.topics.add(event, self.runtime.settings.partitions)
        return event

    async def consume(self, *topics: str) -> None:
        """Takes in the records of the named topics, or of all topics."""
        for part, records in self.topics.records.items():
            if not topics or part.topic in topics:
                await self.work.handle(records[self.taken.get(part, 0) :])
                self.taken[part] = len(records)

    def restart(self, policies: Path) -> None:
        """The service starts again, with this policy folder."""
        old = self.runtime
        settings = old.settings.model_copy(update={"policies": policies})
        self.runtime = Runtime(SERVICE, settings, old.database, self.clock, old.log, SECRET)
        self.work = UnitOfWork(self.runtime)

    async def turn(self, now: datetime, pace: timers.Pace | None = None) -> None:
        """One round of the timer loop at this time."""
        self.clock.at = now
        await timers.turn(self.runtime, timers.Horizons(), pace or timers.Pace())

    async def rows(self, table: str, **where: Any) -> list[dict[str, Any]]:
        found = self.runtime.tables[table]
        chosen = select(found).where(*(found.c[name] == value for name, value in where.items()))
        async with self.runtime.database.read() as connection:
            return [dict(row) for row in (await connection.execute(chosen)).mappings()]

    async def clocks(self, incident: str) -> dict[str, dict[str, Any]]:
        return {row["clock"]: row for row in await self.rows("clocks", incident_id=incident)}

    async def events(self, stream: str) -> list[Event]:
        return [Event.parse(row["bytes"]) for row in await self.rows("events", stream_id=stream)]

    async def ask(
        self, method: str, path: str, role: str, unit: str = "county", json: Any = None, person: str = "anyone",
        **headers: str,
    ) -> httpx.Response:  # fmt: skip
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(
            method, f"/escalation/v1{path}", json=json, headers={**access.bearer(unit, role, person=person), **named}
        )


@asynccontextmanager
async def opened(database: Database, settings: Settings) -> AsyncIterator[Desk]:
    """Escalation on an empty database, with the shipped units under county-default."""
    clock, topics = Standing(), Topics()
    runtime = Runtime(SERVICE, settings, database, clock, cast("EventLog", topics), SECRET)
    app = http.application([runtime], title="escalation", keys=access.PUBLIC)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        made = Desk(runtime, client, clock, topics, UnitOfWork(runtime))
        try:
            await _begin(made)
            yield made
        finally:
            await database.close()


class Begun(NamedTuple):
    """A desk on a SQLite file after its first day."""

    store: bytes
    records: dict[Partition, list[Record]]
    streams: dict[str, Event]
    taken: dict[Partition, int]


_begun: dict[int, Begun] = {}
"""By the number of partitions. To begin takes longer than most tests, so the next ones have a copy."""


async def _begin(made: Desk) -> None:
    database, partitions = made.runtime.database, made.runtime.settings.partitions
    if database.is_sqlite and (begun := _begun.get(partitions)):
        begin_with(database, begun.store)
        made.topics.records = {part: [*records] for part, records in begun.records.items()}
        made.streams, made.taken = {**begun.streams}, {**begun.taken}
        return
    await make_tables(database, SERVICE.metadata)
    for unit in OFFICES.units.values():
        placed = UnitPlaced(unit=unit.code, kind=unit.kind, name=unit.code, parent=unit.parent, since=LONG_AGO)  # type: ignore[arg-type]
        made.tell(f"unit-{spec.UUID}", placed, LONG_AGO)
        for post in spec.posts_of(unit.code, LONG_AGO):
            made.tell(f"unit-{spec.UUID}", post, LONG_AGO)
    made.tell(f"policy-{spec.UUID}", spec.loaded(PACK), LONG_AGO)
    assigned = PolicyPackAssigned(unit="city", policy=PACK.ref, since=LONG_AGO)
    made.tell(f"policy-{spec.UUID}", assigned, LONG_AGO)
    await made.consume()
    if database.is_sqlite:
        await database.forget()
        records = {part: [*records] for part, records in made.topics.records.items()}
        _begun[partitions] = Begun(content(database), records, {**made.streams}, {**made.taken})


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Escalation on a SQLite file."""
    async with opened(Database(tmp_path / "escalation.sqlite"), Settings(data=tmp_path)) as made:
        yield made


@pytest.fixture
async def desk_on_postgres(postgres_databases: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """Escalation on a PostgreSQL server."""
    settings = Settings(data=tmp_path, database=postgres_databases)
    async with opened(Database(postgres_databases.format(service="escalation")), settings) as made:
        yield made
