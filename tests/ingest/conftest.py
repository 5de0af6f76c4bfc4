"""Ingest on a real database behind its HTTP API. Nothing is relayed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from schemas.envelope import Event
from schemas.fields import Fact, instant
from services.ingest.app import SERVICE
from services.kernel.core.decider import STAFF_ROLES
from services.kernel.core.ids import derived
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import http
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.kernel.store.session import Session
from tests.kit import access, spec
from tests.kit.spec import KINDS, UNITS, UUID
from tests.kit.stores import make_tables

PATH = "/ingest/v1/reports"
SECRET = b"a secret of tests, long enough for HMAC"


@dataclass
class Ingest:
    """The service, its API, and queries on its tables."""

    runtime: Runtime
    client: httpx.AsyncClient

    def staff(self, *roles: str, unit: str = "county", person: str = "anyone") -> dict[str, str]:
        """The header of a staff token."""
        return access.bearer(unit, *roles, person=person)

    async def key(self, unit: str = "county", name: str | None = None) -> dict[str, str]:
        """The header of a fresh key. Without a name, it has its own integration."""
        body = {"unit": unit, "name": name}
        made = await self.client.post("/ingest/v1/keys", json=body, headers=self.staff("admin", unit="city"))
        assert made.status_code == 201, made.text
        return {"Authorization": f"Bearer {made.json()['key']}"}

    async def hear(self, name: str, *facts: Fact) -> str:
        """Gives ingest triage's events of this incident: all of them so far. Returns the incident's id."""
        uuid = derived("incident", name)
        told = spec.events("incident", facts, uuid=uuid, start=self.runtime.time_source.now())
        async with self.runtime.database.transaction() as connection:
            session = Session(SERVICE, self.runtime.settings, connection, self.runtime.time_source.now())
            session.observed.extend(told)
            await session.flush()
        return f"incident-{uuid}"

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """Every row of a table."""
        async with self.runtime.database.read() as connection:
            return [dict(row) for row in (await connection.execute(select(self.runtime.tables[table]))).mappings()]

    async def events(self, type_: str = "") -> list[Event]:
        """The stored events whose type contains `type_`, in order."""
        events = self.runtime.tables["events"]
        async with self.runtime.database.read() as connection:
            stored = (await connection.execute(select(events.c.bytes).order_by(events.c.seq))).scalars().all()
        return [event for event in map(Event.parse, stored) if type_ in event.type]

    async def words(self) -> list[str]:
        """All stored words."""
        return [row["words"] for row in await self.rows("contents")]


def report(**more: Any) -> dict[str, Any]:
    """A report's body. A field with None is left out."""
    body = {
        "unit": "town-east",
        "channel": "message_board",
        "subject": "路灯不亮",
        "text": "人民路的路灯已经三天不亮了。",
        "discovered_at": instant(datetime.now(UTC)),
        **more,
    }
    return {name: value for name, value in body.items() if value is not None}


async def post(ingest: Ingest, headers: dict[str, str], body: Any = None, **more: Any) -> httpx.Response:
    """Sends one report."""
    return await ingest.client.post(PATH, json=body or report(**more), headers=headers)


async def erase(ingest: Ingest, id_: str) -> httpx.Response:
    """Deletes a report's words as an administrator of the unit above does by law, alone."""
    body = {"cause": "law", "reason": "依法删除"}
    return await ingest.client.post(f"{PATH}/{id_}/erase", json=body, headers=ingest.staff("admin", unit="county"))


def refused(answer: httpx.Response, status: int, *says: str, field: str | None = None) -> None:
    """Checks that the answer is a problem with this status whose sentence contains all this."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert all(part in body["detail"] for part in says), body
    assert body.get("field") == field, body


async def start(runtime: Runtime) -> None:
    """Places the shipped units and their posts."""
    since = "2020-01-01T00:00:00.000000Z"
    always: dict[str, Any] = {"since": since, "until": None, "stream_id": f"unit-{UUID}", "version": len(UNITS)}
    units = [
        {"unit": code, "kind": KINDS.get(code, "department"), "name": code, "parent": parent, "drill": False, **always}
        for code, parent in UNITS.items()
    ]
    empty = {"members": "", "serves": ""}
    posts = [
        {"unit": unit, "code": role, "title": role, "roles": role, "head": role == "chief", **empty, **always}
        for unit in UNITS
        for role in STAFF_ROLES
    ]
    async with runtime.database.transaction() as connection:
        await connection.execute(runtime.tables["units"].insert(), units)
        await connection.execute(runtime.tables["posts"].insert(), posts)


@asynccontextmanager
async def running(tmp_path: Path, where: Path | str, *, again: bool = False) -> AsyncIterator[Ingest]:
    """Ingest on an empty database, or `again` on one that it left."""
    settings = Settings(data=tmp_path, report_limit=300_000, evidence_limit=200_000)
    log = EmbeddedLog(tmp_path / "log.sqlite", settings.partitions)
    runtime = Runtime(SERVICE, settings, Database(where), TimeSource(), log, SECRET)
    try:
        if not again:
            await make_tables(runtime.database, SERVICE.metadata)
            await start(runtime)
        app = http.application([runtime], title="ingest", keys=access.PUBLIC)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://ingest") as client:
            yield Ingest(runtime, client)
    finally:
        await runtime.database.close()


@pytest.fixture
async def ingest(tmp_path: Path) -> AsyncIterator[Ingest]:
    """Ingest on a SQLite file."""
    async with running(tmp_path, tmp_path / "ingest.sqlite") as service:
        yield service


@pytest.fixture
async def on_postgres(tmp_path: Path, postgres_databases: str) -> AsyncIterator[Ingest]:
    """Ingest on PostgreSQL."""
    async with running(tmp_path, postgres_databases.format(service="ingest")) as service:
        yield service
