"""Bulk intake: a batch of lines through the HTTP application, masked and durable, against COPY of the same bytes."""

import time
from collections.abc import AsyncIterator

import httpx
import orjson

from benchmarks import rig
from benchmarks.measure import Figure, pairs
from benchmarks.reports import reports
from services.ingest.app import SERVICE
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import http, process
from tests.kit import access

REPORTS = 4000


async def fill(made: Runtime, number: int) -> None:
    """Lets ingest take in this many reports."""
    app = http.application([made], title="ingest", keys=access.PUBLIC)
    content = b"\n".join(orjson.dumps(report) for report in reports(number))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ingest", timeout=600) as client:
        answer = await client.post("/ingest/v1/reports/batch", content=content, headers=_headers(made))
    assert sum(orjson.loads(line)["status"] == 201 for line in answer.content.splitlines()) == number


def _headers(made: Runtime) -> dict[str, str]:
    return {"Authorization": f"Bearer {rig.integration_key(made)}", "Content-Type": "application/x-ndjson"}


async def measure(runs: int) -> list[Figure]:
    """Reports a second."""
    lines = [orjson.dumps(report) + b"\n" for report in reports(REPORTS)]
    async with rig.runtime(SERVICE) as made, process.leadership(made), rig.runtime(SERVICE) as bare:
        app = http.application([made], title="ingest", keys=access.PUBLIC)
        transport = httpx.ASGITransport(app)
        client = httpx.AsyncClient(transport=transport, base_url="http://ingest", headers=_headers(made), timeout=600)

        async def body() -> AsyncIterator[bytes]:
            for start in range(0, len(lines), 100):
                yield b"".join(lines[start : start + 100])

        async def ours() -> float:
            rig.empty(made)
            rig.settle([made])
            began = time.perf_counter()
            answer = await client.post("/ingest/v1/reports/batch", content=body())
            seconds = time.perf_counter() - began
            taken = sum(orjson.loads(line)["status"] == 201 for line in answer.content.splitlines())
            assert taken == REPORTS, answer.text[:500]
            return REPORTS / seconds

        await ours()
        rows = rig.stored(made)

        async def floor() -> float:
            rig.settle([bare])
            return REPORTS / rig.copy(bare, rows)

        try:
            return [await pairs("bulk intake", ours, floor, goal=0.25, floor_is="COPY", unit="reports/s", runs=runs)]
        finally:
            await client.aclose()
