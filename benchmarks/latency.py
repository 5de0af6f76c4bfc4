"""All five services, broker and database on this machine at 100 reports a second: how soon audit has the results.

The time runs from the sending of a report to the commit that makes its event readable in audit. PostgreSQL keeps the
time of each commit (`track_commit_timestamp`), so nothing is measured while the system runs.
"""

import asyncio
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psycopg

from benchmarks import client
from benchmarks.measure import Figure, percentile
from benchmarks.reports import reports
from schemas.fields import instant
from tests.kit import stack, substrate

A_SECOND = 100
WARM_UP = 5
SECONDS = 30
CONNECTIONS = 32
LIMIT = 120


async def measure(runs: int) -> list[Figure]:
    """Milliseconds, over all reports after the warm-up."""
    with substrate.private_postgres(track_commit_timestamp="on") as server, tempfile.TemporaryDirectory() as folder:
        template = substrate.new_databases("latency", server=server.url)
        with stack.deployed(Path(folder), template) as world:
            with world.integration():
                pass
            sent = await asyncio.to_thread(_post_all, world)
            received, opened = _committed(substrate.plain_url(template, "audit"), len(sent))
    figures = []
    for what, seen in (("report.received", received), ("incident.opened", opened)):
        measured = list(sent.items())[WARM_UP * A_SECOND :]
        took = [(seen[report] - at) * 1000 for report, at in measured if report in seen]
        assert len(took) >= 0.99 * len(measured) or what == "incident.opened", f"{len(took)} of {len(measured)} {what}"
        for name, part, goal in (("p50", 0.5, 50), ("p99", 0.99, 250)):
            figures.append(Figure(f"post to {what} in audit, {name}", "ms", percentile(took, part), goal))
    return figures


def _post_all(world: stack.DeployedWorld) -> dict[str, float]:
    return asyncio.run(_post(world))


async def _post(world: stack.DeployedWorld) -> dict[str, float]:
    """Report -> when it was sent. One is sent every hundredth of a second, however long the answers take."""
    headers = {"authorization": f"Bearer {world.key}"}
    now = instant(datetime.now(UTC))  # an older matter would miss every limit at once
    bodies = [{**report, "discovered_at": now} for report in reports(A_SECOND * (WARM_UP + SECONDS))]
    wires = [client.request("/ingest/v1/reports", body, headers) for body in bodies]
    free: asyncio.Queue[client.Connection] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        connection = client.Connection(world.ports["ingest"])
        await connection.open()
        free.put_nowait(connection)
    sent: dict[str, float] = {}

    async def one(wire: bytes) -> None:
        at = time.time()
        connection = await free.get()
        status, body = await connection.send(wire)
        free.put_nowait(connection)
        assert status == 201, body
        sent[orjson.loads(body)["report_id"]] = at

    began = time.monotonic()
    tasks = []
    for number, wire in enumerate(wires):
        await asyncio.sleep(max(0.0, began + number / A_SECOND - time.monotonic()))
        tasks.append(asyncio.create_task(one(wire)))
    await asyncio.gather(*tasks)
    return dict(sorted(sent.items(), key=lambda item: item[1]))


def _committed(database: str, number: int) -> tuple[dict[str, float], dict[str, float]]:
    """Report -> when audit committed its receipt and the opening of its incident."""
    statement = "select bytes, extract(epoch from pg_xact_commit_timestamp(xmin)) from timeline where type = %s"
    with psycopg.connect(database, autocommit=True) as connection:
        until = time.monotonic() + LIMIT
        before = -1
        while time.monotonic() < until:
            found = connection.execute(
                "select count(*) from timeline where type = 'huiying.report.received.v1'"
            ).fetchone()
            assert found is not None
            whole = connection.execute("select count(*) from timeline").fetchone()
            assert whole is not None
            if found[0] >= number and whole[0] == before:
                break
            before = whole[0]
            time.sleep(1)
        received, opened = {}, {}
        for bytes_, at in connection.execute(statement, ["huiying.report.received.v1"]):
            received[orjson.loads(bytes_)["subject"]] = float(at)
        for bytes_, at in connection.execute(statement, ["huiying.incident.opened.v1"]):
            opened[orjson.loads(bytes_)["data"]["report"]] = float(at)
    return received, opened
