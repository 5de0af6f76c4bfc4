"""The state by receipt beside a thousand clients that wait for news, against the same with nobody waiting."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

from benchmarks import client, rig
from benchmarks.measure import Figure, pairs
from benchmarks.reports import reports
from benchmarks.single import PARALLEL, serving
from services.ingest.app import SERVICE

WAITING, READS = 1_000, 1_000


def wire(receipt: str, wait: str = "", tag: str = "") -> bytes:
    """A GET as bytes on the wire."""
    known = f'if-none-match: "{tag}"\r\n' if tag else ""
    return f"GET /ingest/v1/receipts/{receipt}{wait} HTTP/1.1\r\nhost: bench\r\n{known}\r\n".encode()


async def measure(runs: int) -> list[Figure]:
    """Reads a second."""
    async with rig.runtime(SERVICE) as made:
        headers = {"authorization": f"Bearer {rig.integration_key(made)}"}
        with serving("ours", made.database.location) as port:
            sender = client.Connection(port)
            await sender.open()
            taken = [
                orjson.loads((await sender.send(client.request("/ingest/v1/reports", one, headers)))[1])["receipt"]
                for one in reports(WAITING)
            ]
            reads = [wire(taken[number % WAITING]) for number in range(READS)]

            async def floor() -> float:
                return await client.rate(port, reads, PARALLEL)

            async def ours() -> float:
                async with waiting(port, taken):
                    return await client.rate(port, reads, PARALLEL)

            what = f"nobody waiting, {PARALLEL} at once"
            name = f"state by receipt beside {WAITING} waiting clients"
            return [await pairs(name, ours, floor, goal=0.8, floor_is=what, unit="reads/s", runs=runs)]


@asynccontextmanager
async def waiting(port: int, receipts: list[str]) -> AsyncIterator[None]:
    """For each receipt a client that waits for a minute."""
    writers = []
    for receipt in receipts:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(wire(receipt))
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        tag = head.lower().partition(b'etag: "')[2].partition(b'"')[0].decode()
        writer.write(wire(receipt, "?wait=60", tag))
        writers.append(writer)
    try:
        yield
    finally:
        for writer in writers:
            writer.close()
