"""A burst of reports into five services, with broker and database on this machine, until audit has all resulting
events.

The reports come in batches, as an integration sends a backlog. PostgreSQL keeps the time of each commit
(`track_commit_timestamp`), so nothing is measured while the system runs.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg

from benchmarks.measure import Figure, percentile
from benchmarks.reports import reports
from schemas.fields import instant
from tests.kit import stack, substrate

REPORTS = 10_000
BATCH = 500
PARALLEL = 2
LIMIT = 300
QUIET = 5
"""After this many seconds without a new event, nothing more is on its way."""


async def measure(runs: int) -> list[Figure]:
    """Reports and events a second, medians. A goal without a floor is a number that must be reached."""
    found = [await asyncio.to_thread(_once) for _ in range(min(runs, 3))]
    reports_, events = (percentile(column, 0.5) for column in zip(*found, strict=True))
    return [
        Figure("burst, until all is in audit", "reports/s", reports_, 1000, at_least=True, runs=len(found)),
        Figure("burst, events", "events/s", events, 6000, at_least=True, runs=len(found)),
    ]


def _once() -> tuple[float, float]:
    with substrate.private_postgres(track_commit_timestamp="on") as server, tempfile.TemporaryDirectory() as folder:
        template = substrate.new_databases("burst", server=server.url)
        with stack.deployed(Path(folder), template) as world:
            with world.integration():
                pass
            before = _timeline(substrate.plain_url(template, "audit"))[0]
            began = time.time()
            asyncio.run(post(world, reports(REPORTS)))
            events, last = arrived(substrate.plain_url(template, "audit"), REPORTS)
        return REPORTS / (last - began), (events - before) / (last - began)


async def post(world: stack.DeployedWorld, bodies: Sequence[Any]) -> None:
    """Posts reports until all are answered. All have been discovered now."""
    now = instant(datetime.now(UTC))  # an older matter would miss every limit at once
    bodies = [{**report, "discovered_at": now} for report in bodies]
    parts = iter([bodies[start : start + BATCH] for start in range(0, len(bodies), BATCH)])
    headers = {"Authorization": f"Bearer {world.key}", "Content-Type": "application/x-ndjson"}
    async with httpx.AsyncClient(base_url=world.url("ingest"), headers=headers, timeout=LIMIT) as client:
        await asyncio.gather(*(_send(client, parts) for _ in range(PARALLEL)))


async def _send(client: httpx.AsyncClient, parts: Any) -> None:
    for part in parts:
        answer = await client.post("/ingest/v1/reports/batch", content=_lines(part))
        refused = [line for line in answer.content.splitlines() if orjson.loads(line)["status"] != 201]
        assert not refused, refused[:3]


def _lines(bodies: Sequence[Any]) -> bytes:
    return b"".join(orjson.dumps(body) + b"\n" for body in bodies)


def arrived(database: str, reports_: int) -> tuple[int, float]:
    """The number of audit's events once every report has its incident and nothing more comes, and the time of the last
    one.
    """
    until, before, quiet = time.monotonic() + LIMIT, 0, 0
    while time.monotonic() < until:
        size = _size(database)
        quiet = quiet + 1 if size == before else 0
        if quiet >= QUIET:
            count, placed, last = _timeline(database)
            if placed == reports_:
                return count, last
        before = size
        time.sleep(1)
    raise AssertionError(f"after {LIMIT} s audit has {before} events")


def _size(database: str) -> int:
    """The number of audit's events, without counting them."""
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute("select next from head").fetchone()
    return int(row[0]) if row else 0


def _timeline(database: str) -> tuple[int, int, float]:
    """Events, reports with an incident, and the time of the last commit, in seconds since 1970."""
    statement = """
        select count(*),
               count(*) filter (where type ~ '^huiying.incident.(opened|report_attached).'),
               coalesce(max(extract(epoch from pg_xact_commit_timestamp(xmin))), 0) from timeline
    """
    with psycopg.connect(database, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
    assert row is not None
    return row[0], row[1], float(row[2])
