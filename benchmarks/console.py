"""Pages of the console at 1,000 and at 100,000 matters, on SQLite and on PostgreSQL: time, weight and memory.

A few matters are handled through the API, and then their rows are copied under other ids and numbers, with their words;
the log and the timelines are not. On SQLite the console stands in the process of the services, as `huiying up` has it.
On PostgreSQL it is a process of its own, as `huiying serve console` is, and asks the services over HTTP. The floor of a
page is the call that fills most of it, by the same clock. Each request is alone.

python -m benchmarks.console FOLDER PORT DATABASES        serves the embedded system, on PostgreSQL if named
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import uvloop
from sqlalchemy import text

from benchmarks import embedded, rig
from benchmarks.measure import Figure, percentile
from benchmarks.single import wait_for
from deploy.native import free_port
from services.apps import up, web
from services.apps.embedded import SERVICES, Embedded
from services.kernel.access.signing import SigningKey, signing_key_file
from services.kernel.settings import Settings
from services.kernel.store import sql
from services.kernel.store.database import Database
from tests.console.browser import HOME, Browser
from tests.kit import access, substrate

SIZES = (1_000, 100_000)
MADE = 20
"""Matters that are handled through the API. All others are copies of them."""
TIMES = 60
PART = 5_000
CEILING_MS = 100.0
HEAVIEST_KB = 150.0
MEMORY_MB = 250.0
OF_PAGE = 0.2
"""A page takes at most five times as long as the call that fills most of it."""
COPIED: Mapping[str, tuple[str, ...]] = {
    "triage": (
        "incidents", "desk", "incident_reports", "reports", "incident_notes", "incident_facts", "fact_values",
        "standings", "standing_units", "contents",
    ),
    "escalation": ("incidents", "clocks", "standings", "standing_units"),
    "publish": ("incidents", "statements", "standings", "standing_units", "contents"),
    "audit": ("entries", "links"),
}  # fmt: skip
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
Rows = dict[tuple[str, str], list[dict[str, Any]]]
"""Service and table -> the rows of the matters that are copied."""
NUMBER = re.compile(r"(-20\d\d-S?)(\d{5,})\b")
PLACES = ("人民路", "北街", "河堤", "卫生院", "幸福里", "东桥", "老码头", "三中", "菜市场", "车站")
WORDS = ("路灯不亮", "井盖缺失")
PASSWORD = "a phrase of the benchmarks"
POST = "duty_officer@county"


class Stored(Embedded):
    """The embedded system, its stores on PostgreSQL if databases are named."""

    def __init__(self, settings: Settings, databases: str) -> None:
        super().__init__(settings)
        self.databases = databases

    def store(self, name: str) -> Database:
        """The store of a service, or of the console."""
        return Database(self.databases.format(service=name)) if self.databases else super().store(name)


async def measure(runs: int) -> list[Figure]:
    """Milliseconds of each page, kilobytes of the heaviest, megabytes of the process."""
    figures = []
    for kind in ("sqlite", "postgres"):
        names = ("console", *(service.name for service in SERVICES))
        databases = substrate.new_databases("pages", rig.postgres(), names) if kind == "postgres" else ""
        with tempfile.TemporaryDirectory() as folder:
            try:
                async with _running(Path(folder), databases) as system:
                    rows = await _made(system)
                for there, size in pairwise((MADE, *SIZES)):
                    async with _running(Path(folder), databases) as system:
                        await _copy(system, rows, range(there // MADE, size // MADE))
                    figures += await _measured(f"{kind}, {size:,} matters", Path(folder), databases)
            finally:
                if databases:
                    substrate.drop_databases(databases, names)
    return figures


@asynccontextmanager
async def _running(folder: Path, databases: str) -> AsyncIterator[Stored]:
    system = Stored(Settings(data=folder), databases)
    try:
        await system.start()
        yield system
    finally:
        await system.stop()


async def _copy(system: Stored, rows: Rows, copies: range) -> None:
    """Adds these copies of all matters."""
    for (service, name), originals in rows.items():
        runtime = system.runtimes[service]
        made = (_other(row, number) for number in copies for row in originals)
        while part := [row for row, _ in zip(made, range(PART), strict=False)]:
            async with runtime.database.transaction() as connection:
                await sql.insert(connection, runtime.tables[name], part)
    for service in COPIED if system.databases else ():
        # As the server does by itself in the background.
        async with system.runtimes[service].database.read() as connection:
            await connection.execute(text("vacuum analyze"))


async def _made(system: Stored) -> Rows:
    """The rows of the matters that are copied. Half of them have a statement. Makes the account of who looks, too."""
    assert system.console is not None
    await system.console.site.accounts.make("officer", "王敏", PASSWORD, [POST], must_change=False)
    town, county = system.token("town-east", "duty_officer"), system.token("county-roads", "handler")
    async with system.client(town) as desk, system.client(county) as roads:
        for number in range(MADE):
            place, what = PLACES[number % len(PLACES)], WORDS[number // len(PLACES)]
            said = {"subject": f"{place}{what}", "text": f"{place}{what}，已经三天没有人来修。", "place": place}
            now = system.time_source.now().isoformat()
            report = {"unit": "town-east", "channel": "hotline", "discovered_at": now, **said}
            taken = (await desk.post("/ingest/v1/reports", json=report)).raise_for_status().json()
            await system.settle()
            asked = {"report_id": taken["report_id"]}
            found = (await desk.get("/triage/v1/incidents", params=asked)).json()["items"][0]
            own = f"/triage/v1/incidents/{found['id']}"

            async def does(client: httpx.AsyncClient, verb: str, own: str = own, **body: str) -> None:
                seen = {"If-Match": str((await client.get(own)).json()["revision"])}
                (await client.post(f"{own}/{verb}", json=body, headers=seen)).raise_for_status()

            await does(desk, "assign", unit="county-roads", reason="归口交通")
            if number % 2:
                await does(roads, "accept")
                await does(roads, "record-handling", track="problem", text="已到现场")
                await system.settle()
                draft = {"incident_id": found["id"], "kind": "status", "title": "处置情况", "text": "正在抢修。"}
                (await roads.post("/publish/v1/statements", json=draft)).raise_for_status()
    await system.settle()
    rows: Rows = {}
    for service, names in COPIED.items():
        runtime = system.runtimes[service]
        async with runtime.database.read() as connection:
            for name in names:
                found = (await connection.execute(runtime.tables[name].select())).mappings()
                rows[service, name] = [dict(row) for row in found]
    assert len(rows["triage", "incidents"]) == MADE
    return rows


def _other(row: Mapping[str, Any], number: int) -> dict[str, Any]:
    """A row of another matter: each id of the row is another one, and so is each number of a matter or statement."""
    found = dict(row)
    for name, value in row.items():
        if isinstance(value, str) and "-" in value:
            changed = UUID.sub(lambda id_: f"{id_[0][:28]}{number:08x}", value)
            found[name] = NUMBER.sub(lambda one: f"{one[1]}{int(one[2]) + number * MADE:05}", changed)
    return found


async def _measured(label: str, folder: Path, databases: str) -> list[Figure]:
    with _served(folder, databases) as (services, console, pid):
        key = SigningKey.read(signing_key_file(Settings(data=folder)))
        headers = {"Authorization": f"Bearer {access.token('county', 'duty_officer', key=key)}"}
        browser = Browser(console)
        async with browser.client, httpx.AsyncClient(base_url=services, headers=headers, timeout=60) as api:
            await browser.sign_in("officer", PASSWORD)
            return await _pages(label, browser, api, pid)


async def _pages(label: str, browser: Browser, api: httpx.AsyncClient, pid: int) -> list[Figure]:
    matter, said = (
        f"town-east-{datetime.now(UTC).year}-{MADE:05}",
        {"words": f"{PLACES[0]}{WORDS[1]}", "purpose": "核对是否同一件事"},
    )
    form = dict((await browser.open("/search")).form("/sign-out").fields)

    def page(path: str) -> Callable[[], Awaitable[httpx.Response]]:
        return lambda: browser.client.get(HOME + path)

    def call(path: str, **params: Any) -> Callable[[], Awaitable[httpx.Response]]:
        return lambda: api.get(path, params=params)

    async def searched() -> httpx.Response:
        return await browser.client.post(f"{HOME}/search", data=form | said)

    pages = {
        "board": (page("/board"), call("/triage/v1/desk/open", limit=100)),
        "inbox": (page("/inbox"), call("/triage/v1/desk/inbox", limit=100)),
        "matter": (page(f"/incidents/{matter}"), call(f"/triage/v1/incidents/{matter}")),
        "search": (searched, call("/triage/v1/search", **said, limit=50)),
        "statements": (page("/statements"), call("/publish/v1/statements", limit=100)),
        "roster": (page("/roster"), call("/escalation/v1/roster", unit="county")),
    }
    figures, heaviest = [], 0
    for name, (ours, floor) in pages.items():
        took: list[float] = []
        below: list[float] = []
        for ask, times in ((ours, took), (floor, below)) * TIMES:
            began = time.perf_counter()
            answer = await ask()
            times.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, (name, answer.status_code, answer.text[:500])
            heaviest = max(heaviest, len(answer.content) if ask is ours else 0)
        # The first ones open connections and read templates.
        p50, p99, api50 = percentile(took[3:], 0.5), percentile(took[3:], 0.99), percentile(below[3:], 0.5)
        print(f"{label}: {name} p50 {p50:.1f} ms, p99 {p99:.1f} ms; its call {api50:.1f} ms")
        figures.append(Figure(f"{name}, {label}: p99", "ms", p99, CEILING_MS))
        figures.append(Figure(f"{name}, {label}: p50", "ms", p50, OF_PAGE, api50, api50 / p50, "ms of its call"))
    figures.append(Figure(f"heaviest page, {label}", "kB", heaviest / 1000, HEAVIEST_KB))
    figures.append(Figure(f"memory of the console's process, {label}", "MB", embedded.memory(pid), MEMORY_MB))
    return figures


@contextmanager
def _served(folder: Path, databases: str) -> Iterator[tuple[str, str, int]]:
    """Addresses of the services and of the console, and the number of the process in which the console is."""
    port, own = free_port(), free_port()
    services = f"http://127.0.0.1:{port}"
    plain = {**os.environ, "HUIYING_LOG_LEVEL": "warning"}
    command = [sys.executable, "-m", "benchmarks.console", str(folder), str(port), databases]
    with subprocess.Popen(command, env=plain) as process:
        try:
            wait_for(f"{services}/readyz", process, 120)
            if not databases:
                yield services, services, process.pid
                return
            deployed = {
                "HUIYING_DATA": str(folder),
                "HUIYING_DATABASE": databases,
                "HUIYING_KAFKA": "127.0.0.1:1",
                "HUIYING_SECRET": (folder / "secret").read_text().strip(),
                "HUIYING_SERVICES": services,
                "HUIYING_PORT": str(own),
            }
            alone = [sys.executable, "-m", "services.apps.cli", "serve", "console"]
            with subprocess.Popen(alone, env=plain | deployed) as console:
                try:
                    wait_for(f"http://127.0.0.1:{own}/readyz", console)
                    yield services, f"http://127.0.0.1:{own}", console.pid
                finally:
                    console.terminate()
        finally:
            process.terminate()


async def _serve(folder: Path, port: int, databases: str) -> None:
    with web.bound("127.0.0.1", port) as on:
        async with _running(folder, databases) as system, up.served(system, on):
            await up.until_ended(system)


if __name__ == "__main__":
    uvloop.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
