"""Everything in one process on an empty folder: time from the command to the first answer, and memory."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.measure import Figure, percentile
from benchmarks.reports import reports
from deploy.native import free_port
from services.kernel.access.signing import SigningKey, signing_key_file
from services.kernel.settings import Settings
from tests.kit import access

REPORTS = 500


async def measure(runs: int) -> list[Figure]:
    """Seconds and megabytes, medians."""
    return _measure(runs)


def _measure(runs: int) -> list[Figure]:
    starts, again, idle, busy = [], [], [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for times in (starts, again):
                port = free_port()
                began = time.perf_counter()
                with subprocess.Popen(
                    [sys.executable, "-m", "services.apps.cli", "up", "--data", name, "--port", str(port)],
                    env={**os.environ, "HUIYING_LOG_LEVEL": "warning"},
                    stdout=subprocess.DEVNULL,
                ) as process:
                    try:
                        until_ready(port)
                        times.append(time.perf_counter() - began)
                        if times is starts:
                            idle.append(memory(process.pid))
                            _post(port, folder)
                            busy.append(memory(process.pid))
                    finally:
                        process.terminate()
    return [
        Figure("embedded cold start", "s", percentile(starts, 0.5), 3, runs=runs),
        Figure("embedded start, data there", "s", percentile(again, 0.5), 3, runs=runs),
        Figure("embedded memory when ready", "MB", percentile(idle, 0.5), 250, runs=runs),
        Figure(f"embedded memory after {REPORTS} reports", "MB", percentile(busy, 0.5), 250, runs=runs),
    ]


def until_ready(port: int) -> None:
    """Waits for the first good answer."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise AssertionError("the server did not answer within a minute")


def memory(pid: int) -> float:
    """Megabytes that a process holds in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


def _post(port: int, folder: Path) -> None:
    key = SigningKey.read(signing_key_file(Settings(data=folder)))
    headers = {"Authorization": f"Bearer {access.token('city', 'duty_officer', key=key)}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        for report in reports(REPORTS):
            assert client.post("/ingest/v1/reports", json=report, timeout=30).status_code == 201
