"""Pages of the bulletin among 10,000 statements, on both databases, against a bare FastAPI page of the same size.

Both applications are asked in this process without a socket, one request after the other. Pages a second are those of a
rush: the same address again and again. The p99 is that of a first visit: each request asks for another page, so each is
drawn anew. `python -m benchmarks bulletin --runs 3`.
"""

import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Response
from starlette.types import ASGIApp

from benchmarks import rig
from benchmarks.matching import KINDS
from benchmarks.measure import Figure, pairs, percentile
from benchmarks.verifying import fill, id_of
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from tests.kit import substrate
from tests.publish.conftest import PUBLIC, staffed

STATEMENTS, ASKED, VISITS = 10_000, 300, 300
CEILING_MS = 100.0


async def get(app: ASGIApp, path: str, query: str = "") -> bytes:
    """The body of a page that is answered with 200."""
    status, body = 0, b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, body
        status = message.get("status", status)
        body += message.get("body", b"")

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(b"host", b"office.test")], "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    assert status == 200, (path, query, status, body[:300])
    return body


def _bare(body: bytes) -> FastAPI:
    app = FastAPI()

    @app.get("/page")
    async def page() -> Response:
        return Response(body, media_type="text/html; charset=utf-8")

    return app


def _rate(app: ASGIApp, path: str) -> Callable[[], Awaitable[float]]:
    async def measure() -> float:
        began = time.perf_counter()
        for _ in range(ASKED):
            await get(app, path)
        return ASKED / (time.perf_counter() - began)

    return measure


async def measure(runs: int) -> list[Figure]:
    """The figures of both databases."""
    return [figure for kind in KINDS for figure in await _on(kind, runs)]


async def _on(kind: str, runs: int) -> list[Figure]:
    template = substrate.new_databases("bulletin", rig.postgres(), ("publish",)) if kind == "PostgreSQL" else ""
    figures = list[Figure]()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(template.format(service="publish") if template else Path(folder) / "publish.sqlite")
        async with staffed(database, Settings(data=Path(folder), database=template, public_url=PUBLIC)) as office:
            await fill(office.runtime, STATEMENTS)
            pages = {"list": "/bulletin/", "statement": f"/bulletin/statements/{id_of(7)}"}
            for name, path in pages.items():
                floor = _bare(await get(office.app, path))
                what = f"bulletin, {name}, {kind}"
                bare = "bare FastAPI page of the same size"
                rate = await pairs(
                    what, _rate(office.app, path), _rate(floor, "/page"), goal=0.5, floor_is=bare, unit="pages/s",
                    runs=runs,
                )  # fmt: skip
                first = list[float]()
                for at in range(VISITS):
                    began = time.perf_counter()
                    if name == "list":
                        await get(office.app, path, f"unit=county&visit={at}")
                    else:
                        await get(office.app, f"/bulletin/statements/{id_of(at * 31)}")
                    first.append((time.perf_counter() - began) * 1000)
                figures += [rate, Figure(f"{what}, first visit p99", "ms", percentile(first, 99), CEILING_MS)]
    if template:
        substrate.drop_databases(template)
    return figures
