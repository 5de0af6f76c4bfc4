"""Audit on a SQLite file and an embedded log, and events of four services as on their topics."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event, seal
from schemas.fields import Fact, WordsRef
from schemas.ingest import ReportErased, ReportReceived
from schemas.offices import UnitPlaced
from services.audit.app import SERVICE
from services.audit.projection import AuditWork
from services.kernel.core.ids import derived
from services.kernel.core.time_source import TimeSource
from services.kernel.core.units import Offices
from services.kernel.delivery.log import Partition
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import http, process
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.kernel.store.session import partition_of
from tests.kit import access, spec

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
UNITS = {"city": None, "county": "city", "town-east": "county", "town-west": "county"}
SECRET = b"a secret of the tests, long enough"


def id_of(kind: str, name: str) -> str:
    """The same stream id for the same name."""
    return f"{kind}-{derived('world', name)}"


def words(text: str) -> WordsRef:
    """A reference to words. Audit never learns the words."""
    return WordsRef(ref=derived("words", text), digest=derived("words", text).replace("-", "") * 2)


def received(text: str = "road", unit: str = "town-east") -> ReportReceived:
    """A report's first event."""
    return ReportReceived(
        unit=unit,
        channel="board",
        discovered_at=START,
        subject=words(text),
        text=words(text),
        match_key="0" * 64,
        receipt="1" * 64,
    )


class World:
    """Writes events and lets audit take them in, with a minute of time for each event."""

    def __init__(self, folder: Path, database: str = "") -> None:
        self.folder, self.now, self.database = folder, START, database
        self.settings = Settings(data=folder, partitions=3)
        self.log = EmbeddedLog(folder / "log.sqlite", 3)
        self.heads: dict[str, Event] = {}
        self.runtime: Runtime

    async def start(self) -> None:
        """Opens audit as a process does: tables, recovery, planned work."""
        await self.log.start()
        database = Database(self.database or self.folder / "audit.sqlite")
        self.runtime = Runtime(SERVICE, self.settings, database, TimeSource(), self.log, SECRET)
        self.runtime.time_source.now = lambda: self.now  # type: ignore[method-assign]
        known = self.runtime.offices

        async def with_posts(connection: AsyncConnection, **more: bool) -> Offices:
            """Their events would only have to be subtracted from the counts of the tests."""
            found = await known(connection, **more)
            return replace(found, posts=dict.fromkeys(found.units, spec.offices().posts["city"]))

        self.runtime.offices = with_posts  # type: ignore[method-assign]
        await process.prepare(self.runtime)
        self.work = AuditWork(self.runtime)

    async def stop(self) -> None:
        """Closes the files."""
        await self.runtime.database.close()
        await self.log.stop()

    async def restart(self) -> None:
        """Another process on the same files."""
        await self.stop()
        await self.start()

    def event(
        self,
        service: str,
        stream: str,
        data: Fact,
        *,
        time: datetime | None = None,
        unit: str | None = None,
        incident: str | None = None,
        actor: str = "system",
        policy: str | None = None,
        drill: bool = False,
    ) -> Event:
        """The next event of a stream, recorded a minute after the last of all events."""
        self.now += timedelta(minutes=1)
        head = self.heads.get(stream)
        event = seal(
            data,
            id=derived("event", stream, str(head.version + 1 if head else 1)),
            source=self.settings.source(service),
            stream=stream,
            version=head.version + 1 if head else 1,
            previous=head.digest if head else None,
            time=time or self.now,
            recorded=self.now,
            partitionkey=incident or stream,
            actor=actor,
            correlation=incident,
            unit=unit,
            policy=policy,
            drill=drill,
        )
        self.heads[stream] = event
        return event

    async def send(self, *events: Event) -> None:
        """Puts events on their topics, in this order."""
        for event in events:
            place = Partition(event.topic, partition_of(event.partitionkey, self.settings.partitions))
            await self.log.append({place: [(event.partitionkey.encode(), event.bytes)]})

    async def tell(self, *texts: str) -> None:
        """Puts words on ingest's topic of words."""
        for text in texts:
            content = orjson.dumps({"ref": words(text).ref, "salt": "00" * 16, "words": text})
            await self.log.append({Partition("ingest.content", 0): [(words(text).ref.encode(), content)]})

    async def erase(self, name: str) -> None:
        """Lets ingest erase a report and its words, and audit take that in."""
        erased = ReportErased(refs=(words(name).ref,), reason=words("why"))
        await self.send(self.event("ingest", id_of("report", name), erased))
        await self.take()

    async def take(self, *topics: str) -> None:
        """Lets audit take in everything from the topics, the named ones first.

        Then its own order goes onto its topic.
        """
        service = self.runtime.service
        ends = await self.log.ends((*service.topics, *service.content_topics))
        rank = {topic: index for index, topic in enumerate(topics)}
        offsets = await self.work.offsets(list(ends))
        for partition in sorted(ends, key=lambda part: (rank.get(part.topic, len(rank)), part)):
            async for records in self.log.read(partition, offsets[partition], ends[partition]):
                await self.work.handle(records)
        await Relay(self.runtime).drain()

    async def units(self) -> None:
        """Places the units, as triage does."""
        stream = id_of("unit", "tree")
        kinds = {"city": "city", "county": "county"}
        for code, parent in UNITS.items():
            placed = UnitPlaced(unit=code, kind=kinds.get(code, "town"), name=code, parent=parent, since=START)  # type: ignore[arg-type]
            await self.send(self.event("triage", stream, placed, unit="city"))
        await self.take()

    def client(self, unit: str = "city", role: str = "auditor") -> httpx.AsyncClient:
        """A member of staff at the HTTP API."""
        app = http.application([self.runtime], title="audit", keys=access.PUBLIC)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://audit", headers=access.bearer(unit, role)
        )

    async def get(self, path: str, unit: str = "city", status: int = 200, **params: Any) -> Any:
        """The answer to a member of staff, as JSON."""
        return orjson.loads(await self.raw(path, unit, status, **params))

    async def raw(self, path: str, unit: str = "city", status: int = 200, **params: Any) -> bytes:
        """The answer to a member of staff, as bytes."""
        async with self.client(unit) as client:
            answer = await client.get(f"/audit/v1/{path}", params=params)
        assert answer.status_code == status, answer.text
        return answer.content

    async def rows(self, table: str, *columns: str) -> list[tuple[Any, ...]]:
        """Rows of one of audit's tables, in order of the named columns, or of all columns."""
        found = self.runtime.tables[table]
        wanted = [found.c[name] for name in columns] or list(found.columns)
        async with self.runtime.database.read() as connection:
            return [tuple(row) for row in await connection.execute(select(*wanted).order_by(*wanted))]
