"""One report a request through uvicorn, against a bare FastAPI endpoint with one INSERT, at the same concurrency."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from benchmarks import client, rig
from benchmarks.measure import Figure, pairs
from benchmarks.reports import reports
from deploy.native import free_port
from services.ingest.app import SERVICE

REQUESTS = 1500
PARALLEL = 16


async def measure(runs: int) -> list[Figure]:
    """Reports a second."""
    async with rig.runtime(SERVICE) as made, rig.runtime(SERVICE) as other:
        headers = {"authorization": f"Bearer {rig.integration_key(made)}"}
        wires = [client.request("/ingest/v1/reports", report, headers) for report in reports(REQUESTS)]
        with serving("ours", made.database.location) as port, serving("bare", other.database.location) as bare:

            async def ours() -> float:
                rig.empty(made)
                return await client.rate(port, wires, PARALLEL)

            async def floor() -> float:
                return await client.rate(bare, wires, PARALLEL)

            what = f"FastAPI + INSERT, {PARALLEL} at once"
            return [await pairs("single POST", ours, floor, goal=0.6, floor_is=what, unit="reports/s", runs=runs)]


@contextmanager
def serving(which: str, database: str) -> Iterator[int]:
    """One of the two servers; gives its port once it answers."""
    with started(which, database) as (port, _):
        yield port


@contextmanager
def started(which: str, database: str) -> Iterator[tuple[int, int]]:
    """The same with the number of its process."""
    port = free_port()
    environment = {**os.environ, "HUIYING_DATABASE": database}
    with subprocess.Popen([sys.executable, "-m", "benchmarks.servers", which, str(port)], env=environment) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/healthz", process)
            yield port, process.pid
        finally:
            process.terminate()


def wait_for(url: str, process: subprocess.Popen[bytes], limit: float = 30) -> None:
    """Returns once the address answers 200."""
    loop_end = asyncio.get_running_loop().time() + limit
    while asyncio.get_running_loop().time() < loop_end:
        assert process.poll() is None, f"the server of {url} ended with {process.returncode}"
        try:
            if httpx.get(url, timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
    raise AssertionError(f"{url} does not answer")
