"""500 browsers that listen to a live list of `huiying up`: memory, time until all have heard of an act, and the end.

The listeners are of one office, which is the hardest case: one act concerns them all. An act counts from its answer.
"""

import asyncio
import os
import signal
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.console import PASSWORD, _made, _running, _served
from benchmarks.embedded import memory
from benchmarks.measure import Figure, percentile
from services.kernel.access.signing import SigningKey, signing_key_file
from services.kernel.settings import Settings
from tests.console.browser import HOME, Browser
from tests.kit import access

LISTENERS = 500
AT_ONCE = 50
MEMORY_MB = 100.0
HEARD_SECONDS = 3.0
END_SECONDS = 1.0
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def measure(runs: int) -> list[Figure]:
    """Megabytes that the listeners take, and seconds."""
    heard = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with _running(folder, "") as system:
            await _made(system)
        key = SigningKey.read(signing_key_file(Settings(data=folder)))
        headers = {"Authorization": f"Bearer {access.token('town-east', 'duty_officer', key=key)}"}
        with _served(folder, "") as (services, console, pid):
            browser = Browser(console)
            async with browser.client, httpx.AsyncClient(base_url=services, headers=headers, timeout=60) as api:
                await browser.sign_in("officer", PASSWORD)
                cookie = "; ".join(f"{one}={value}" for one, value in browser.client.cookies.items())
                await browser.open("/board")
                before = memory(pid)
                lines: list[Line] = []
                for _ in range(LISTENERS // AT_ONCE):
                    lines += await asyncio.gather(*(_listens(console, cookie) for _ in range(AT_ONCE)))
                took = memory(pid) - before
                matters = (await api.get("/triage/v1/desk/open", params={"limit": runs})).json()["items"]
                for matter in matters:
                    seen = (await api.get(f"/triage/v1/incidents/{matter['incident_id']}")).json()["revision"]
                    await _graded(api, f"/triage/v1/incidents/{matter['incident_id']}", seen)
                    began = time.perf_counter()
                    await asyncio.gather(*(_until(reader, matter["incident_id"]) for reader, _ in lines))
                    heard.append(time.perf_counter() - began)
            os.kill(pid, signal.SIGTERM)
            began = time.perf_counter()
            await asyncio.gather(*(reader.read() for reader, _ in lines))
            ended = time.perf_counter() - began
    return [
        Figure(f"{LISTENERS} listeners: memory", "MB", took, MEMORY_MB),
        Figure(
            f"{LISTENERS} listeners: until all heard of an act", "s", percentile(heard, 0.5), HEARD_SECONDS, runs=runs
        ),
        Figure(f"{LISTENERS} listeners: from SIGTERM to the end of the last stream", "s", ended, END_SECONDS),
    ]


async def _graded(api: httpx.AsyncClient, own: str, seen: int) -> None:
    body = {"level": "major", "reason": "影响出行"}
    (await api.post(f"{own}/grade", json=body, headers={"If-Match": str(seen)})).raise_for_status()


async def _listens(console: str, cookie: str) -> Line:
    """A stream that has begun."""
    where = urlsplit(console)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    writer.write(f"GET {HOME}/changes HTTP/1.1\r\nHost: {where.netloc}\r\nCookie: {cookie}\r\n\r\n".encode())
    await _until(reader, "event: beat")
    return reader, writer


async def _until(reader: asyncio.StreamReader, said: str) -> None:
    async with asyncio.timeout(60):
        while said not in (line := (await reader.readline()).decode()):
            if not line:
                raise AssertionError(f"the stream ended before {said}")
