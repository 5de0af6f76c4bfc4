"""The lists of a desk and their counts with 100,000 open matters, on SQLite and on PostgreSQL: database time.

The root sees all matters, a town one in fifty. Some lists hold few, `open` holds all.
"""

import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.measure import Figure, percentile
from schemas.fields import instant
from services.kernel.core.standings import Units
from services.kernel.core.time_source import TimeSource
from services.kernel.core.uuid7 import uuid7
from services.kernel.serving.paging import cursor_of
from services.kernel.store import sql
from services.kernel.store.database import Database
from services.triage.app import SERVICE
from services.triage.views import DESK
from services.triage.worklist import desk_api
from services.triage.worklist.desk import NAMES, mask
from tests.kit import substrate

MATTERS, UNITS, PART = 100_000, 50, 5_000
CEILING_MS = 50.0
TIMES = 20
EVERY = dict(zip(NAMES, (1, 7, 5, 200, 60, 80, 20, 50, 30, 11, 40, 4, 70), strict=True))
"""List -> one matter in so many is on it."""


async def measure(runs: int) -> list[Figure]:
    """The slowest of all lists and counts, as the median of its milliseconds. The 95th percentiles are printed."""
    figures = []
    for kind in ("sqlite", "postgres"):
        async with _filled(kind) as database:
            for who, units in (("the root", None), ("a town", frozenset({"unit-07"}))):
                took = await _times(database, units)
                name, ms = max(took.items(), key=lambda one: one[1])
                label = f"{kind}, {who}: the slowest, {name}"
                figures.append(Figure(label, "ms", ms, CEILING_MS))
    return figures


@asynccontextmanager
async def _filled(kind: str) -> AsyncIterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        template = substrate.new_databases("desk", services=("triage",)) if kind == "postgres" else ""
        database = Database(template.format(service="triage") if template else Path(folder) / "triage.sqlite")
        try:
            async with database.transaction() as connection:
                await connection.run_sync(SERVICE.metadata.create_all)
                for part in _parts():
                    await sql.insert(connection, DESK, part)
            if kind == "postgres":
                # As the server does by itself in the background.
                async with database.read() as connection:
                    await connection.execute(text("vacuum analyze desk"))
            yield database
        finally:
            await database.close()
            if template:
                substrate.drop_databases(template)


def _parts() -> Iterator[list[dict[str, Any]]]:
    now = TimeSource().now()
    for start in range(0, MATTERS, PART):
        yield [
            _row(number, instant(now.replace(microsecond=number % 1_000_000))) for number in range(start, start + PART)
        ]


def _row(number: int, due: str) -> dict[str, Any]:
    unit = f"unit-{number % UNITS:02}"
    return {
        **dict.fromkeys(DESK.columns.keys()),
        "incident_id": f"incident-{uuid7()}",
        "number": f"{unit}-2026-{number:05}",
        **dict.fromkeys(("unit", "assigned", "verifying", "helping", "explaining", "correcting"), unit),
        "level": "general",
        "phase": "open",
        "accepted": False,
        "sent_back": False,
        **dict.fromkeys(("verifiers", "helpers", "correctors"), unit),
        "screened": False,
        "proposing": False,
        "unhelped": "",
        "proposals": "",
        "statements": "",
        "followed": False,
        "limits": f'{{"accept": {{"unit": "{unit}", "due": "{due}", "state": "running"}}}}',
        "due": due,
        "drill": False,
        **{name: (number // UNITS) % every == 0 for name, every in EVERY.items()},
        "lists": mask(name for name, every in EVERY.items() if (number // UNITS) % every == 0),
    }


async def _times(database: Database, units: Units) -> dict[str, float]:
    """What was asked -> the median of its milliseconds."""
    took: dict[str, list[float]] = {}
    async with database.read() as connection:

        async def timed(name: str, asked: Any) -> Any:
            began = time.perf_counter()
            found = await asked
            took.setdefault(name, []).append((time.perf_counter() - began) * 1000)
            return found

        for _ in range(TIMES):
            await timed("counts", desk_api.counts(connection, units, ("to_accept", "waiting_material")))
            for name in NAMES:
                rows = await timed(name, desk_api.page(connection, (name,), units, None, 50))
                if rows:
                    place = cursor_of(rows[-1]["due"], rows[-1]["incident_id"])
                    await timed(f"{name}, next page", desk_api.page(connection, (name,), units, place, 50))
    for name, times in took.items():
        print(f"{name}: {percentile(times, 0.5):.1f} ms, p95 {percentile(times, 0.95):.1f} ms")
    return {name: percentile(times, 0.5) for name, times in took.items()}
