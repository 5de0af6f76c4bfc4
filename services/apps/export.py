"""Files for `huiying verify`: the whole record, or that of a matter, with what proves it. Audit's API gives everything.

A file holds what the newest checkpoint covers. Nothing is checked here, so that an altered record can be written, too,
and `huiying verify` names the place.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import httpx
import orjson

from services.apps import client as api
from services.kernel.sealed import matter, record
from services.kernel.tlog import tree
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.note import Note
from services.kernel.tlog.tiles import TILE, Tile, rows_in
from services.kernel.tlog.tree import SIZE, Row, split

LOG = "/audit/v1/log"
"""Where the log serves its checkpoint and its tiles."""
KEPT_TILES = 2000
"""So many tiles are kept of those that proofs need."""


class Written(NamedTuple):
    """A file: its events, the size of the log that it rests on, and its SHA-256 in hex."""

    events: int
    size: int
    sha256: str


async def write_record(client: httpx.AsyncClient, token: str, to: Path) -> Written:
    """Writes the whole record. Raises `Refused` of the client."""
    note, size = await _checkpoint(client)
    events = _flat(api.pages(client, "/audit/v1/events", token, log_size=size))
    count, first = 0, 0
    with _appears(to) as (file, sha256):
        _put(file, sha256, record.head(note))
        while first < size:
            width = min(record.BLOCK, size - first)
            leaves = split(await _tile(client, Tile(0, first // TILE, width)))
            shown = [orjson.dumps(event) async for event in _first(events, width)]
            _put(file, sha256, record.block(leaves, shown))
            count, first = count + len(shown), first + width
    return Written(count, size, sha256.hexdigest())


async def write_matter(client: httpx.AsyncClient, token: str, incident: str, to: Path) -> Written:
    """Writes the record of a matter. Raises `Refused` of the client."""
    note, size = await _checkpoint(client)
    path = f"/audit/v1/incidents/{incident}/timeline"
    entries = _flat(api.pages(client, path, token, log_size=size))
    found = sorted([(entry["position"], orjson.dumps(entry["event"])) async for entry in entries])
    proofs = _Proofs(client, size)
    with _appears(to) as (file, sha256):
        _put(file, sha256, matter.head(note))
        for position, event in found:
            _put(file, sha256, matter.line(position, await proofs.path(position), event))
        _put(file, sha256, matter.end(len(found)))
    return Written(len(found), size, sha256.hexdigest())


class _Proofs:
    """Paths in a log of one size, made of its tiles."""

    def __init__(self, client: httpx.AsyncClient, size: int) -> None:
        self._client, self._size = client, size
        self._tiles: dict[Tile, dict[Row, bytes]] = {}

    async def path(self, position: int) -> list[bytes]:
        """The hashes that prove the event at a position."""
        spans = tree.inclusion(position, self._size)
        rows = await self._rows(tree.rows_of(spans))
        return [tree.hash_of(span, rows) for span in spans]

    async def _rows(self, wanted: Iterable[Row]) -> dict[Row, bytes]:
        found: dict[Row, bytes] = {}
        for row in wanted:
            level, between = divmod(row.level, 2)
            index = row.number if between else row.number * tree.WIDTH // TILE
            found |= await self._tile(level, index)
        return found

    async def _tile(self, level: int, index: int) -> dict[Row, bytes]:
        tile = Tile(level, index, min(TILE, (self._size >> 8 * level) - index * TILE))
        if tile not in self._tiles:
            if len(self._tiles) >= KEPT_TILES:
                del self._tiles[next(iter(self._tiles))]
            self._tiles[tile] = rows_in(tile, await _tile(self._client, tile))
        return self._tiles[tile]


async def _checkpoint(client: httpx.AsyncClient) -> tuple[bytes, int]:
    """The newest checkpoint as it was signed, and its size."""
    note = await _bytes(client, "checkpoint")
    return note, Checkpoint.parse(Note.parse(note).text).size


async def _tile(client: httpx.AsyncClient, tile: Tile) -> bytes:
    content = await _bytes(client, tile.path)
    if len(content) != tile.width * SIZE:
        raise api.Refused(f"{tile.path} of the log has {len(content)} bytes and not {tile.width * SIZE}")
    return content


async def _bytes(client: httpx.AsyncClient, path: str) -> bytes:
    try:
        answer = await client.get(f"{LOG}/{path}")
    except httpx.TransportError as error:
        raise api.Refused(f"{client.base_url} does not answer: {type(error).__name__} {error}") from None
    if answer.is_success:
        return answer.content
    if answer.status_code == 404 and path == "checkpoint":
        raise api.Refused("the log has signed no checkpoint yet; try again when it has")
    raise api.Refused(f"{LOG}/{path} answered {answer.status_code}")


async def _flat(pages: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for page in pages:
        for item in page["items"]:
            yield item


async def _first(items: AsyncIterator[Any], count: int) -> AsyncIterator[Any]:
    """The next items, at most so many. The others stay."""
    while count:
        try:
            yield await anext(items)
        except StopAsyncIteration:
            return
        count -= 1


@contextmanager
def _appears(to: Path) -> Any:
    """A file that appears only when it is whole, and the SHA-256 of what is put into it."""
    part = to.with_name(f"{to.name}.part")
    try:
        with part.open("wb") as file:
            yield file, hashlib.sha256()
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


def _put(file: BinaryIO, sha256: Any, content: bytes) -> None:
    file.write(content)
    sha256.update(content)
