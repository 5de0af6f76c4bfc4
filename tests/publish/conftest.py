"""A publish service on a real database, with triage's events and people to act."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from schemas.envelope import Event
from schemas.fields import Fact, parse_instant
from schemas.offices import PolicyPackAssigned, UnitPlaced
from schemas.triage import IncidentFactEstablished, IncidentGraded, IncidentOpened
from services.kernel.core.ids import derived
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log import EventLog
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import http
from services.kernel.settings import Settings
from services.kernel.store import word_index
from services.kernel.store.database import Database
from services.kernel.store.session import Session
from services.publish.app import SERVICE
from services.publish.views import SAID
from services.publish.writing.figures import find
from tests.kit import access, spec
from tests.kit.stores import make_tables

PUBLIC = "http://office.test"
SECRET = b"the secret of these tests, long enough"
SINCE = parse_instant("2020-01-01T00:00:00.000000Z")
NAMES = {"city": "示例市", "county": "示例县", "town-east": "东镇", "town-west": "西镇", "county-roads": "县交通运输局"}
INCIDENT = f"incident-{spec.UUID}"
MEASURES = ("平方米", "户")
TITLE = "路面塌陷的处置"
TEXT = "路面塌陷处已围挡，今日恢复通行。"


@dataclass
class Office:
    """The service, with helpers for the tests."""

    runtime: Runtime
    app: FastAPI
    client: httpx.AsyncClient
    heard: dict[str, list[Event]] = field(default_factory=dict)

    async def hear(self, events: Sequence[Event]) -> None:
        """Takes in events of another service, only for the views."""
        async with self.runtime.database.transaction() as connection:
            session = Session(SERVICE, self.runtime.settings, connection, self.runtime.time_source.now())
            session.observed.extend(events)
            await session.flush()
        self.runtime.offices_changed()

    async def incident(self, *facts: Fact, uuid: str = spec.UUID, drill: bool = False) -> str:
        """Further facts of an incident of triage. Returns its id."""
        past = self.heard.setdefault(uuid, [])
        told = [*(event.data for event in past), *facts]
        all_ = spec.events("incident", [spec.At(fact, unit="county") for fact in told], uuid=uuid)
        fresh = all_[len(past) :]
        if drill:
            fresh = [Event({**event.attributes, "drill": True}, event.bytes) for event in fresh]
        past.extend(fresh)
        await self.hear(fresh)
        return f"incident-{uuid}"

    def as_(self, role: str, unit: str = "county", person: str = "") -> dict[str, str]:
        """The header of somebody with a role. Without `person`, each role has its own person."""
        return access.bearer(unit, role, person=person)

    async def draft(self, text: str = TEXT, **more: Any) -> str:
        """A fresh draft's id. By default all its figures are waived."""
        more = {"waive": waived(more.get("title", TITLE), text)} | more
        body = {"incident_id": INCIDENT, "kind": "status", "title": TITLE, "text": text} | more
        answer = await self.client.post("/publish/v1/statements", json=body, headers=self.as_("handler"))
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def act(self, id_: str, verb: str, role: str, body: Any = None, person: str = "") -> httpx.Response:
        """A verb on the present version."""
        who = self.as_(role, person=person)
        found = await self.client.get(f"/publish/v1/statements/{id_}", headers=who)
        headers = who | {"If-Match": found.headers["ETag"]}
        answer = await self.client.post(f"/publish/v1/statements/{id_}/{verb}", json=body, headers=headers)
        assert answer.status_code in (200, 403, 409, 422), answer.text
        return answer

    async def read(self, id_: str, role: str = "handler") -> Any:
        """A statement as somebody of the county reads it."""
        answer = await self.client.get(f"/publish/v1/statements/{id_}", headers=self.as_(role))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def published(self, text: str = TEXT, **more: Any) -> str:
        """A statement on the bulletin."""
        id_ = await self.draft(text, **more)
        for verb, role in (("submit", "handler"), ("approve", "approver"), ("publish", "spokesperson")):
            answer = await self.act(id_, verb, role)
            assert answer.status_code == 200, answer.text
        return id_


def waived(*texts: str) -> list[dict[str, Any]]:
    """What waives all figures and names of offices in texts."""
    figures = [one.text for text in texts for one in find(text, MEASURES)]
    figures += [name for name in NAMES.values() if any(name in text for text in texts)]
    return [{"figures": figures, "reason": "办理安排"}] if figures else []


def opened(unit: str = "town-east") -> IncidentOpened:
    """The first event of an incident."""
    return IncidentOpened(unit=unit, report=f"report-{spec.UUID}", discovered_at=spec.NOW)


def graded(level: str = "general", rank: int = 1) -> IncidentGraded:
    """A grading."""
    return IncidentGraded.model_validate({"level": level, "rank": rank, "reason": "as the figures say"})


def established(key: str = "cause") -> IncidentFactEstablished:
    """An established fact."""
    return IncidentFactEstablished.model_validate({"key": key, "kind": "yes_no", "yes": True, "source": "the site"})


@cache
def _pack() -> str:
    return spec.offices().assigned["city"]


@asynccontextmanager
async def staffed(database: Database, settings: Settings) -> AsyncIterator[Office]:
    """Publish on an empty database, with units, a pack, and one incident of town-east, which is graded general."""
    try:
        await make_tables(database, SERVICE.metadata)
        await word_index.make(database, SAID)
        runtime = Runtime(SERVICE, settings, database, TimeSource(), cast(EventLog, None), SECRET)
        app = http.application([runtime], title="publish", keys=access.PUBLIC)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://office.test") as client:
            made = Office(runtime, app, client)
            for code, name in NAMES.items():
                kind = spec.KINDS.get(code, "department")
                placed = {"unit": code, "kind": kind, "name": name, "parent": spec.UNITS[code], "since": SINCE}
                placing = [UnitPlaced.model_validate(placed), *spec.posts_of(code, SINCE)]
                await made.hear(spec.events("unit", placing, uuid=derived(code)))
            assigned = PolicyPackAssigned(unit="city", policy=_pack(), since=SINCE)
            await made.hear(spec.events("policy", [spec.loaded(spec.offices().packs[_pack()]), assigned]))
            await made.incident(opened(), graded())
            yield made
    finally:
        await database.close()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """Publish on a SQLite file."""
    async with staffed(Database(tmp_path / "publish.sqlite"), Settings(data=tmp_path, public_url=PUBLIC)) as made:
        yield made


@pytest.fixture
async def office_on_postgres(postgres_databases: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Publish on a PostgreSQL server."""
    settings = Settings(data=tmp_path, database=postgres_databases, public_url=PUBLIC)
    async with staffed(Database(postgres_databases.format(service="publish")), settings) as made:
        yield made
