"""What gets through of an attempt to guess: wrong tokens, passwords and numbers, as fast as eight connections send them
to everything in one process, from one address; and what a reader at another address waits meanwhile.

A proxy is trusted, so that each side has an address of its own.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx

from benchmarks.embedded import until_ready
from benchmarks.measure import Figure, percentile
from deploy.native import free_port
from services.console.access.accounts import FREE_FAILURES
from services.kernel.serving.sign_in import FAILURES
from tests.console.browser import Browser

SECONDS = 20.0
CONNECTIONS = 8
READER_MS = 100.0
ELSEWHERE = {"X-Forwarded-For": "192.0.2.7"}
Try = Callable[[], Awaitable[int]]


async def measure(runs: int) -> list[Figure]:
    """How many were judged, a rate of refusals, and milliseconds of a page for somebody else."""
    return await asyncio.to_thread(_measure)


def _measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = [sys.executable, "-m", "services.apps.cli", "up", "--data", folder, "--port", str(port)]
        settings = {"HUIYING_LOG_LEVEL": "critical", "HUIYING_PROXIES": "127.0.0.1", "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                said = ""
                while "Huiying answers" not in said:
                    said += process.stdout.readline()
                until_ready(port)
                return asyncio.run(_doors(f"http://127.0.0.1:{port}", re.findall(r"set-up code (\S+)", said)[0]))
            finally:
                process.terminate()


async def _doors(at: str, code: str) -> list[Figure]:
    own = Browser(at)
    first = await own.open("/first-run")
    phrase = "a phrase for these figures"
    await own.send(
        first, "/first-run", code=code, login="boss", name="王敏", post="admin@city", password=phrase, again=phrase
    )
    stranger = Browser(at)
    page = await stranger.open("/sign-in")
    async with httpx.AsyncClient(base_url=at, timeout=60) as client:

        async def token() -> int:
            headers = {"Authorization": f"Bearer {os.urandom(16).hex()}"}
            return (await client.get("/triage/v1/desk/open", headers=headers)).status_code

        async def password() -> int:
            return (await stranger.send(page, "/sign-in", login="boss", password=os.urandom(8).hex())).status

        async def number() -> int:
            asked = {"number": f"town-east-2026-{int.from_bytes(os.urandom(2)):05}"}
            return (await client.get("/bulletin/status", params=asked)).status_code

        figures = []
        doors: tuple[tuple[str, Try, int], ...] = (
            ("tokens", token, FAILURES),
            ("passwords of a login", password, FREE_FAILURES),
            ("numbers", number, FAILURES),
        )
        for name, attempt, most in doors:
            found, waits = await _attacked(attempt, at)
            judged, refused = found.total() - found[429], found[429]
            assert refused and set(found) <= {401, 404, 422, 429}, found
            figures += [
                Figure(f"wrong {name} judged in {SECONDS:.0f} s", "", judged, most),
                Figure(f"wrong {name} refused unread", "a second", refused / SECONDS, 1, at_least=True),
                Figure(f"a page for others meanwhile, p99 ({name})", "ms", percentile(waits, 0.99), READER_MS),
            ]
        await own.client.aclose()
        await stranger.client.aclose()
    return figures


async def _attacked(attempt: Try, at: str) -> tuple[Counter[int], list[float]]:
    """The answers by status, and the milliseconds of a reader elsewhere."""
    until, found, waits = time.monotonic() + SECONDS, Counter[int](), list[float]()

    async def attacker() -> None:
        while time.monotonic() < until:
            found[await attempt()] += 1

    async def reader() -> None:
        async with httpx.AsyncClient(base_url=at, headers=ELSEWHERE, timeout=60) as client:
            while time.monotonic() < until:
                began = time.perf_counter()
                assert (await client.get("/bulletin/")).status_code == 200
                waits.append((time.perf_counter() - began) * 1000)
                await asyncio.sleep(0.05)

    await asyncio.gather(reader(), *(attacker() for _ in range(CONNECTIONS)))
    return found, waits
