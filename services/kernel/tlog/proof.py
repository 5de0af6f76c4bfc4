"""Files that prove one entry offline (c2sp.org/tlog-proof): its place, the path to the root, and the checkpoint."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.kernel.tlog import Refused
from services.kernel.tlog.checkpoint import Opened, number, opened
from services.kernel.tlog.note import MAX_BYTES, Verifier, decoded, encoded
from services.kernel.tlog.tree import SIZE, leaf_hash, must_be_included

HEAD = "c2sp.org/tlog-proof@v1"
SUFFIX = ".tlog-proof"
MAX_HASHES = 63
"""No path in a tree of fewer than 2^63 leaves is longer."""


class Proof(NamedTuple):
    """A file. Nothing in it is believed before `must_prove`."""

    position: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    """The signed note, to the byte."""
    extra: bytes | None = None
    """What else came with it; nobody signed it."""

    @property
    def written(self) -> bytes:
        """The file's bytes."""
        extra = "" if self.extra is None else f"extra {encoded(self.extra)}\n"
        return f"{HEAD}\n{extra}index {self.position}\n{hash_lines(self.path)}\n".encode() + self.checkpoint

    @classmethod
    def parse(cls, raw: bytes) -> "Proof":
        """The proof of a file, which has one form only. Raises `Refused`."""
        above, checkpoint = parted(raw)
        extra = None
        if not above or above.pop(0) != HEAD:
            raise Refused(f"the file does not begin with {HEAD}")
        if above and above[0].startswith("extra "):
            extra = decoded(above.pop(0).removeprefix("extra "))
        if not above or not above[0].startswith("index "):
            raise Refused("the file names no index")
        position = number(above.pop(0).removeprefix("index "))
        return cls(position, hashes(above), checkpoint, extra)

    def must_prove(
        self, entry: bytes, origin: str, keys: Iterable[Verifier], witnesses: Iterable[Verifier] = ()
    ) -> Opened:
        """Raises `Refused` unless a believed key signed a tree that holds exactly this entry at `position`."""
        found = opened(self.checkpoint, origin, keys, witnesses)
        must_be_included(self.position, found.checkpoint.size, leaf_hash(entry), self.path, found.checkpoint.root)
        return found


def hash_lines(found: Iterable[bytes]) -> str:
    """One line for each hash."""
    return "".join(f"{encoded(one)}\n" for one in found)


def hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    """The hashes of lines. Raises `Refused`."""
    if len(lines) > MAX_HASHES:
        raise Refused(f"a proof has at most {MAX_HASHES} hashes")
    found = tuple(map(decoded, lines))
    if any(len(one) != SIZE for one in found):
        raise Refused("a hash has 32 bytes")
    return found


def parted(raw: bytes) -> tuple[list[str], bytes]:
    """The lines above the first empty one, and the bytes below it. Raises `Refused`."""
    above, gap, below = raw.partition(b"\n\n")
    if not gap or len(raw) > MAX_BYTES:
        raise Refused("there is no checkpoint behind an empty line")
    try:
        return above.decode("ascii").split("\n"), below
    except UnicodeDecodeError:
        raise Refused("the lines above the checkpoint are not ASCII") from None
