"""A client that costs little: it prepares requests as bytes and sends them over open connections."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import orjson


def request(path: str, body: Any, headers: dict[str, str], kind: str = "application/json") -> bytes:
    """A POST as bytes on the wire. A body in bytes is sent as it is."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    lines = [
        f"POST {path} HTTP/1.1",
        "host: bench",
        f"content-type: {kind}",
        f"content-length: {len(content)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection:
    """One connection, one request at a time."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def open(self) -> None:
        """Connects."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def send(self, wire: bytes) -> tuple[int, bytes]:
        """Status and body."""
        self._writer.write(wire)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        return int(head[9:12]), await self._reader.readexactly(length)

    def close(self) -> None:
        """Closes the connection."""
        self._writer.close()


async def rate(port: int, wires: Sequence[bytes], at_once: int) -> float:
    """Requests a second, with `at_once` in flight. Every answer must be 2xx."""
    waiting = iter(wires)

    async def work(connection: Connection) -> None:
        for wire in waiting:
            status, body = await connection.send(wire)
            assert 200 <= status < 300, body

    connections = [Connection(port) for _ in range(at_once)]
    for connection in connections:
        await connection.open()
    began = time.perf_counter()
    await asyncio.gather(*(work(connection) for connection in connections))
    seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return len(wires) / seconds
