"""One matter of 30,000 reports through five services, posted as a burst, until audit has all resulting events.

The floor of the rate at the end is the rate at the beginning, measured by the commits of audit. At the end the matter
is graded over HTTP, beside another one with a single report.
"""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import psycopg

from benchmarks import burst
from benchmarks.measure import Figure, percentile
from benchmarks.reports import reports
from tests.kit import stack, substrate

REPORTS = 30_000
PART = 5_000
"""The rate is taken over this many reports, at the beginning and at the end."""
GRADINGS = 20
TWICE = 0.5


async def measure(runs: int) -> list[Figure]:
    """Reports a second, and milliseconds of a grading."""
    return await asyncio.to_thread(_once)


def _once() -> list[Figure]:
    with substrate.private_postgres(track_commit_timestamp="on") as server, tempfile.TemporaryDirectory() as folder:
        template = substrate.new_databases("matter", server=server.url)
        with stack.deployed(Path(folder), template) as world:
            with world.integration():
                pass
            one, other = reports(2)
            bodies = [{**one, "external_id": str(number)} for number in range(REPORTS)]
            asyncio.run(burst.post(world, bodies))
            asyncio.run(burst.post(world, [other]))
            audit = substrate.plain_url(template, "audit")
            burst.arrived(audit, REPORTS + 1)
            first, last = _rates(audit)
            with world.client("triage", "duty_officer") as staff:
                many, few = _graded(staff)
    return [
        Figure(
            f"one matter of {REPORTS:,}: the last {PART:,}", "reports/s", last, TWICE, first, last / first, "the first"
        ),
        Figure(f"one matter of {REPORTS:,}: a grading", "ms", many, TWICE, few, few / many, "of one report"),
    ]


def _rates(database: str) -> tuple[float, float]:
    """Reports a second that joined the matter, by the commits of audit: for the first reports and for the last."""
    statement = """
        select extract(epoch from pg_xact_commit_timestamp(xmin)) from timeline
        where type like 'huiying.incident.report_attached.%%' order by position
    """
    with psycopg.connect(database, autocommit=True) as connection:
        times = [float(at) for (at,) in connection.execute(statement).fetchall()]
    return _rate(times[:PART]), _rate(times[-PART:])


def _rate(times: Sequence[float]) -> float:
    """Leaves out the first transaction, whose beginning is unknown."""
    later = [at for at in times if at > times[0]]
    return len(later) / (later[-1] - times[0])


def _graded(staff: httpx.Client) -> tuple[float, float]:
    """Milliseconds of a grading of the large matter and of the small one, medians. They take turns."""
    listed = staff.get("/triage/v1/incidents").json()["items"]
    versions = {item["id"]: item["version"] for item in sorted(listed, key=lambda item: -item["report_count"])}
    took: dict[str, list[float]] = {id_: [] for id_ in versions}
    for number in range(GRADINGS):
        for id_, times in took.items():
            body = {"level": ("major", "general")[number % 2], "reason": "measured"}
            began = time.perf_counter()
            answer = staff.post(
                f"/triage/v1/incidents/{id_}/grade", json=body, headers={"If-Match": str(versions[id_])}
            )
            times.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, answer.text
            versions[id_] = answer.json()["version"]
    many, few = (percentile(all_, 0.5) for all_ in took.values())
    return many, few
