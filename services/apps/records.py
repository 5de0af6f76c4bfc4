"""Matters of the record, for commands that judge them by a pack: read from the stores, folded as the services do."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, select

from schemas import escalation as e
from schemas.envelope import Event
from schemas.fields import instant
from services.apps import operate
from services.apps.client import Refused
from services.escalation import state as clocks
from services.escalation.trying.evaluate import Matter
from services.kernel.core.ids import stream_of
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.rules.conditions import Context
from services.kernel.serving import records
from services.kernel.settings import Settings
from services.triage import state as incidents


class Record(NamedTuple):
    """A matter as the services know it."""

    incident: str
    case: incidents.State
    clock: clocks.State
    told: tuple[tuple[datetime, e.ClockReminderSent], ...]
    offices: Offices
    now: datetime

    @property
    def pack(self) -> LoadedPack:
        """The pack of the matter. Raises `Unavailable`."""
        return self.offices.pack_of(self.clock.policy, self.unit)

    @property
    def unit(self) -> str:
        """The accountable unit."""
        return self.case.unit or self.clock.unit or ""

    @property
    def matter(self) -> Matter:
        """What the rules look at."""
        office = self.offices.ever.get(self.unit)
        nature = Context(
            category=self.case.category,
            channel=self.case.channel,
            unit=office.kind if office else None,
            answer_kind=self.case.answer_kind,
            doubtful=self.case.doubtful,
        )
        return Matter(
            self.pack,
            self.offices,
            self.clock,
            self.case.gravity,
            nature,
            self.now,
            self.told,
            self.case.report_count,
        )


@asynccontextmanager
async def reader(settings: Settings) -> AsyncIterator["Reader"]:
    """The record of a deployment, or of a data folder, also beside a running server."""
    async with operate.stores(settings) as found:
        async with found.runtimes["escalation"].database.read() as connection:
            offices = await found.runtimes["escalation"].offices(connection)
        yield Reader(found.runtimes, offices)


async def offices(settings: Settings) -> Offices:
    """The offices of the record, with its packs; none before the first start."""
    if settings.embedded and not (settings.data / "triage.sqlite").exists():
        return Offices()
    async with reader(settings) as found:
        return found.offices


class Reader(NamedTuple):
    """Reads matters."""

    runtimes: Mapping[str, Runtime]
    offices: Offices

    async def matter(self, incident: str) -> Record:
        """One matter, by its id or its number. Raises `Refused` if there is none."""
        incident = await records.find(self.runtimes["triage"], "incident", incident) or incident
        case, clock, told = incidents.initial_state(), clocks.initial_state(), []
        for event in await self._events("triage", incident):
            case = incidents.evolve(case, event)
        if not case.unit:
            raise Refused(f"no matter has the id or number {incident!r}; name one such as town-east-2026-00042")
        for event in await self._events("escalation", stream_of("clock", incident)):
            clock = clocks.evolve(clock, event)
            if isinstance(event.data, e.ClockReminderSent):
                told.append((event.recorded, event.data))
        now = self.runtimes["escalation"].time_source.now()
        return Record(incident, case, clock, tuple(told), self.offices, now)

    async def since(self, at: datetime) -> AsyncIterator[Record]:
        """The matters that were opened since a time, the oldest first, without exercises."""
        runtime = self.runtimes["triage"]
        rows = runtime.service.metadata.tables["events"].c
        opened = func.min(rows.recordedtime)
        query = (
            select(rows.stream_id)
            .where(rows.stream_id.like("incident-%"))
            .group_by(rows.stream_id)
            .having(opened >= instant(at))
            .order_by(opened, rows.stream_id)
        )
        async with runtime.database.read() as connection:
            ids = list(await connection.scalars(query))
        for incident in ids:
            record = await self.matter(incident)
            if not record.case.drill:
                yield record

    async def _events(self, service: str, stream: str) -> list[Event]:
        runtime: Any = self.runtimes[service]
        rows = runtime.service.metadata.tables["events"].c
        query = select(rows.bytes).where(rows.stream_id == stream).order_by(rows.version)
        async with runtime.database.read() as connection:
            return [Event.parse(bytes(row)) for row in await connection.scalars(query)]
