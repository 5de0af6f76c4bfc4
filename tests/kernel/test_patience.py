"""Requests that come slowly or not at all, on a real socket: nobody can hold a connection for ever."""

import ast
import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

from services import apps
from services.kernel.serving import bodies, connection
from services.kernel.serving.connection import Connection
from tests.ingest.conftest import PATH, Ingest, report, running

SHORT = 0.5
LONG = 10.0
"""A connection that must close has closed within this time. One that must stay open outlives `SHORT` several times."""


@dataclass
class Server:
    """Ingest behind a port, with a key for it."""

    ingest: Ingest
    port: int
    key: str

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    def request(self, body: bytes, *, length: int | None = None, key: str = "", path: str = PATH) -> bytes:
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key or self.key}\r\n"
        kind = "application/x-ndjson" if path.endswith("batch") else "application/json"
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
        return head.encode() + body


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setattr(connection, "HEADER_SECONDS", SHORT)
    monkeypatch.setattr(connection, "REST_SECONDS", SHORT)
    monkeypatch.setattr(bodies, "BODY_SECONDS", SHORT)
    async with running(tmp_path, tmp_path / "ingest.sqlite") as ingest:
        key = (await ingest.key())["Authorization"].removeprefix("Bearer ")
        app = ingest.client._transport.app  # type: ignore[attr-defined]
        config = uvicorn.Config(app, host="127.0.0.1", port=0, http=Connection, lifespan="off", log_level="warning")
        made = uvicorn.Server(config)
        made.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        serving = asyncio.create_task(made._serve())
        while not made.started:
            await asyncio.sleep(0.005)
        yield Server(ingest, made.servers[0].sockets[0].getsockname()[1], key)
        made.should_exit = True
        await serving


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """The status and the body of one answer."""
    async with asyncio.timeout(LONG):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        return int(head.split()[1]), json.loads(await reader.readexactly(length))


async def closed(reader: asyncio.StreamReader) -> bytes:
    """The bytes that still came until the connection was closed."""
    async with asyncio.timeout(LONG):
        with suppress(ConnectionError):
            return await reader.read()
        return b""


async def trickle(writer: asyncio.StreamWriter, data: bytes, seconds: float) -> None:
    """Sends byte by byte, for ever if `seconds` is long, until the other side closes."""
    with suppress(ConnectionError):
        for byte in data:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(seconds)


@pytest.mark.parametrize("slowly", [False, True])
async def test_headers_that_do_not_come_are_408(server: Server, slowly: bool) -> None:
    async with server.connected() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\n")
        sending = asyncio.create_task(trickle(writer, b"X: " + b"y" * 1000, 0.05 if slowly else 100))
        status, problem = await answer(reader)
        assert (status, problem["type"], problem["status"]) == (408, "urn:huiying:problem:too-slow", 408)
        assert await closed(reader) == b""
        sending.cancel()


async def test_a_silent_connection_is_closed(server: Server) -> None:
    async with server.connected() as (reader, _):
        assert await closed(reader) == b""


@pytest.mark.parametrize("slowly", [False, True])
@pytest.mark.parametrize("path", [PATH, f"{PATH}/batch"])
async def test_a_body_that_does_not_come_is_408(server: Server, path: str, slowly: bool) -> None:
    async with server.connected() as (reader, writer):
        writer.write(server.request(b'{"unit": ', length=100_000, path=path))
        sending = asyncio.create_task(trickle(writer, b" " * 1000, 0.05 if slowly else 100))
        status, problem = await answer(reader)
        assert (status, problem["type"]) == (408, "urn:huiying:problem:too-slow")
        await closed(reader)
        sending.cancel()
    assert await server.ingest.events("report.received") == []


async def test_a_slow_line_that_goes_on_is_waited_for(server: Server) -> None:
    """The whole takes far longer than a silent body may take, but each part earns more time."""
    body = json.dumps(report(text="路" * 2000)).encode()
    async with server.connected() as (reader, writer):
        writer.write(server.request(b"", length=len(body)))
        for start in range(0, len(body), 1000):
            await asyncio.sleep(SHORT / 3)
            writer.write(body[start : start + 1000])
        status, made = await answer(reader)
        assert status == 201, made
        writer.write(server.request(json.dumps(report()).encode()))
        assert (await answer(reader))[0] == 201, "the connection goes on"


async def test_who_is_refused_reads_the_answer_before_the_body_is_sent_and_cannot_go_on_for_ever(
    server: Server,
) -> None:
    async with server.connected() as (reader, writer):
        writer.write(server.request(b"{", length=19_000_000, key="hy_nothing"))
        assert (await answer(reader))[0] == 401
        sending = asyncio.create_task(trickle(writer, b" " * 1000, 0.05))
        await closed(reader)
        sending.cancel()


async def test_who_is_refused_may_send_the_rest_at_once_and_go_on(server: Server) -> None:
    """A client may read only after it has sent everything. It still gets its answer."""
    async with server.connected() as (reader, writer):
        writer.write(server.request(b"x" * 3_000_000, key="hy_nothing"))
        await writer.drain()
        assert (await answer(reader))[0] == 401
        writer.write(server.request(json.dumps(report()).encode()))
        assert (await answer(reader))[0] == 201


async def test_requests_that_are_sent_together_are_answered_in_order(server: Server) -> None:
    body = json.dumps(report()).encode()
    async with server.connected() as (reader, writer):
        writer.write(server.request(body) + server.request(b"{") + server.request(body)[:30])
        assert [(await answer(reader))[0] for _ in range(3)] == [201, 400, 408]
        await closed(reader)


def test_every_server_of_the_programs_is_a_patient_one() -> None:
    calls = [
        call
        for file in sorted(Path(apps.__path__[0]).glob("*.py"))
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "uvicorn.Config"
    ]
    assert calls
    assert all("http=Connection" in ast.unparse(call) for call in calls)
