"""A burst of reports into five services, with broker and database on this machine, until audit has all resulting
events; and how much disk these take in each store and on the topics.

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
from schemas import catalogue
from schemas.catalogue import SERVICES
from schemas.fields import instant
from services.kernel.delivery.log.kafka import KafkaLog
from services.kernel.settings import Settings
from tests.kit import stack, substrate

REPORTS = 10_000
MOST = {"ingest": 20e3, "triage": 50e3, "escalation": 40e3, "publish": 10e3, "audit": 50e3, "topics": 20e3}
"""Store, or all topics -> the most bytes that a report may take there."""
BATCH = 500
PARALLEL = 2
LIMIT = 300
QUIET = 5
"""After this many seconds without a new event, nothing more is on its way."""


async def measure(runs: int) -> list[Figure]:
    """Reports and events a second, medians. A goal without a floor is a number that must be reached."""
    found = [await asyncio.to_thread(once, REPORTS) for _ in range(min(runs, 3))]
    reports_, events = (percentile([one[at] for one in found], 0.5) for at in (0, 1))
    disk = [Figure(f"disk, {name}", "bytes/report", each, most) for name, (each, most) in found[-1][2].items()]
    return [
        *disk,
        Figure("burst, until all is in audit", "reports/s", reports_, 1000, at_least=True, runs=len(found)),
        Figure("burst, events", "events/s", events, 6000, at_least=True, runs=len(found)),
    ]


def once(count: int, **environment: str) -> tuple[float, float, dict[str, tuple[float, float]]]:
    """Reports and events a second, and for each store and the topics: bytes a report, and the most that may be."""
    with substrate.private_postgres(track_commit_timestamp="on") as server, tempfile.TemporaryDirectory() as folder:
        template = substrate.new_databases("burst", server=server.url)
        with stack.deployed(Path(folder), template, **environment) as world:
            with world.integration():
                pass
            before, empty = _timeline(substrate.plain_url(template, "audit"))[0], _disk(world, template)
            began = time.time()
            asyncio.run(post(world, reports(count)))
            events, last = arrived(substrate.plain_url(template, "audit"), count)
            full = _disk(world, template)
        disk = {name: ((full[name] - empty[name]) / count, most) for name, most in MOST.items()}
        return count / (last - began), (events - before) / (last - began), disk


def _disk(world: stack.DeployedWorld, template: str) -> dict[str, float]:
    """Bytes of each service's database, and of the records on the topics."""
    found = {}
    for name in SERVICES:
        with psycopg.connect(substrate.plain_url(template, name), autocommit=True) as connection:
            row = connection.execute("select pg_database_size(current_database())").fetchone()
            assert row is not None
            found[name] = float(row[0])
    return found | {"topics": float(asyncio.run(_of_topics(world)))}


async def _of_topics(world: stack.DeployedWorld) -> int:
    """Keys and values of all records. What the broker adds to them is little, since it writes them in batches."""
    topics = [topic for name in SERVICES for topic in (*catalogue.event_topics(name), catalogue.content_topic(name))]
    kafka = world.environment["HUIYING_KAFKA"]
    settings = Settings(database="postgresql+psycopg://-/{service}", kafka=kafka, prefix=world.prefix)
    log = KafkaLog(settings, "bench")
    try:
        begins, ends = await log.begins(topics), await log.ends(topics)
        size = 0
        async for records in log.read_together({part: (begins[part], end) for part, end in ends.items()}):
            size += sum(len(record.key or b"") + len(record.value or b"") for record in records)
        return size
    finally:
        await log.stop()


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
