"""Static tiles (c2sp.org/tlog-tiles), from which every client makes its own proofs: paths, contents, and their rows."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.kernel.tlog import Refused
from services.kernel.tlog.leaf import MAX_BYTES
from services.kernel.tlog.tree import BITS, SIZE, WIDTH, Row, Rows, joined, split

TILE = 256
"""The most hashes, or entries, of a tile."""
_PATH = re.compile(r"(?:x[0-9]{3}/)*[0-9]{3}(?:\.p/(?:[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?", re.ASCII)
_LEVEL = re.compile(r"[0-9]|[1-5][0-9]|6[0-3]", re.ASCII)


class Tile(NamedTuple):
    """A tile: hashes at a level, or entries (`level` is None)."""

    level: int | None
    number: int
    width: int = TILE

    @property
    def path(self) -> str:
        """Its path behind the prefix of the log."""
        level = "entries" if self.level is None else str(self.level)
        parts = [f"{self.number % 1000:03}"]
        rest = self.number // 1000
        while rest:
            parts.insert(0, f"x{rest % 1000:03}")
            rest //= 1000
        partial = "" if self.width == TILE else f".p/{self.width}"
        return f"tile/{level}/{'/'.join(parts)}{partial}"

    @classmethod
    def parse(cls, path: str) -> "Tile":
        """The tile of a path, which has one form only. Raises `Refused`."""
        parts = path.split("/", 2)
        fits = len(parts) == 3 and parts[0] == "tile" and (parts[1] == "entries" or _LEVEL.fullmatch(parts[1]))
        if not fits or len(path) > 60 or not _PATH.fullmatch(parts[2]):
            raise Refused(f"there is no tile {path[:80]!r}")
        digits, _, width = parts[2].partition(".p/")
        number = int(digits.replace("x", "").replace("/", ""))
        found = cls(None if parts[1] == "entries" else int(parts[1]), number, int(width or TILE))
        if found.path != path:
            raise Refused(f"there is no tile {path[:80]!r}")
        return found

    def within(self, size: int) -> bool:
        """Whether a log of this size, or a smaller one, has this tile."""
        return self.number * TILE + self.width <= size >> (8 * (self.level or 0))

    @property
    def rows(self) -> list[Row]:
        """The rows whose hashes make the tile, from left to right. The last one may be longer than the tile."""
        per = TILE // WIDTH
        count = -(-self.width // WIDTH)
        return [Row(2 * (self.level or 0), self.number * per + at) for at in range(count)]

    def content(self, rows: Rows) -> bytes:
        """The hashes of the tile, one behind the other. Raises `Refused` if rows are missing."""
        found = b"".join(rows.get(row, b"") for row in self.rows)[: self.width * SIZE]
        if len(found) != self.width * SIZE:
            raise Refused(f"hashes of {self.path} are missing")
        return found


def tiles_of(size: int) -> list[Tile]:
    """All tiles of hashes of a log of this size, the partial ones at the right edge included."""
    found, level = [], 0
    while size >> (8 * level):
        count = size >> (8 * level)
        found += [Tile(level, number) for number in range(count // TILE)]
        if count % TILE:
            found.append(Tile(level, count // TILE, count % TILE))
        level += 1
    return found


def rows_in(tile: Tile, content: bytes) -> dict[Row, bytes]:
    """The rows that follow from the content of a tile: its own, and those of the level between it and the next tile."""
    if tile.level is None or len(content) != tile.width * SIZE:
        raise Refused(f"{tile.path} has not the length of its hashes")
    step = WIDTH * SIZE
    own = {row: content[at * step : (at + 1) * step] for at, row in enumerate(tile.rows)}
    above = b"".join(joined(split(hashes)) for hashes in own.values() if len(hashes) == step)
    between = {Row(2 * tile.level + 1, tile.number): above} if above else {}
    return own | between


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries, each behind its length in two bytes."""
    return b"".join(len(entry).to_bytes(2) + entry for entry in entries)


def entries_in(content: bytes, width: int) -> Sequence[bytes]:
    """The entries of a bundle. Raises `Refused` unless there are exactly `width`."""
    found, at = [], 0
    while at < len(content):
        end = at + 2 + int.from_bytes(content[at : at + 2])
        if at + 2 > len(content) or end > len(content):
            raise Refused("the bundle ends within an entry")
        found.append(content[at + 2 : end])
        at = end
    if len(found) != width:
        raise Refused(f"the bundle has {len(found)} entries and not {width}")
    return found


assert BITS * 2 == 8 and MAX_BYTES < 1 << 16
