"""The whole record in one file: events in the log's order, 256 behind the hashes that the log keeps of them.

The hashes find the place. If they give the signed root, the first event with another hash is the altered one, however
many lines were changed, added, taken out or moved. If they were changed too, the checkpoints in the first line and
those that the caller saw bound the place.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, NoReturn

from schemas.envelope import MAX_BYTES, Event
from services.kernel.sealed import lines
from services.kernel.sealed.chains import Chains
from services.kernel.sealed.strict import compact, event_of, members
from services.kernel.sealed.trust import Trust
from services.kernel.tlog import Refused
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.leaf import leaf_of
from services.kernel.tlog.note import decoded, encoded
from services.kernel.tlog.tree import EMPTY, SIZE, node_hash

KIND = "record"
BLOCK = 256
"""The events behind one line of hashes; the last block may have fewer."""
MARK = b'{"leaves":"'


class Held(NamedTuple):
    """A record that is what its log signed."""

    checkpoint: Checkpoint
    streams: int


class Growing:
    """The root of a tree that grows by one leaf at a time. It keeps one hash for each bit of the size."""

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Takes in the hash of the next leaf."""
        hash_, at = leaf, self.size
        while at & 1:
            hash_, at = node_hash(self._edge.pop(), hash_), at >> 1
        self._edge.append(hash_)
        self.size += 1

    @property
    def root(self) -> bytes:
        """The root over all leaves so far."""
        if not self._edge:
            return EMPTY
        *rest, hash_ = self._edge
        for left in reversed(rest):
            hash_ = node_hash(left, hash_)
        return hash_


def head(*checkpoints: bytes) -> bytes:
    """The first line. The last of the checkpoints is that of the record."""
    return lines.line(record=lines.FORM, checkpoints=[one.decode() for one in checkpoints])


def block(leaves: list[bytes], events: list[bytes]) -> bytes:
    """The lines of the next events, with the hashes that the log keeps of them."""
    return lines.line(leaves=encoded(b"".join(leaves))) + b"".join(event + b"\n" for event in events)


def verify(source: BinaryIO, trust: Trust) -> Held:
    """Checks a whole record. Raises `Refused` with the first wrong position."""
    rows = lines.read(source, MAX_BYTES)
    checkpoints = lines.believed(next(rows, None), KIND, trust)
    newest = checkpoints[-1]
    if beyond := [size for size in trust.roots if size > newest.size]:
        raise Refused(
            f"position {newest.size}: the record ends there, but a checkpoint of {max(beyond)} events was seen: it is "
            "older than that, or it was cut"
        )
    reading = _Reading(rows, newest, {**trust.roots, **{one.size: one.root for one in checkpoints}})
    try:
        reading.run()
        return Held(newest, reading.chains.streams)
    finally:
        reading.chains.close()


class _Reading:
    """One pass over the blocks. The first fault is kept until the roots have told whether it is the first one."""

    def __init__(self, rows: Iterator[bytes], newest: Checkpoint, roots: dict[int, bytes]) -> None:
        self._rows, self._newest = rows, newest
        self._roots = {size: roots[size] for size in sorted(roots)}
        self._tree, self._proven = Growing(), 0
        self._fault: tuple[int, str] | None = None
        self.chains = Chains()

    def run(self) -> None:
        """Reads to the end. Raises `Refused`."""
        self._meet_root()
        row = next(self._rows, None)
        while row is not None:
            row = self._block(row)
        if self._tree.size < self._newest.size:
            self._end(self._tree.size, f"the record is cut there; the checkpoint says {self._newest.size} events")
        if self._fault is not None:
            self._end(*self._fault)

    def _block(self, row: bytes) -> bytes | None:
        """Reads a block, and returns the line behind it."""
        first = self._tree.size
        leaves = self._leaves(row)
        for at, leaf in enumerate(leaves, first):
            row_ = next(self._rows, None)
            if row_ is None or row_.startswith(MARK):
                self._note(at, "the event that the log holds there is missing")
                self._grow(leaves[at - first :])
                return row_
            self._event(row_, leaf, at)
            self._grow([leaf])
        if len(leaves) < min(BLOCK, self._newest.size - first):
            self._note(first + len(leaves), f"the record is cut there; the checkpoint says {self._newest.size} events")
        behind = next(self._rows, None)
        while behind is not None and not behind.startswith(MARK):
            self._note(first + len(leaves), "an event stands there that is not among the hashes of the log")
            behind = next(self._rows, None)
        return behind

    def _leaves(self, row: bytes) -> list[bytes]:
        first = self._tree.size
        try:
            (told,) = members(compact(row, f"position {first}"), ("leaves",), f"position {first}")
            raw = decoded(told) if isinstance(told, str) else b""
        except Refused as refused:
            self._end(first, str(refused).removeprefix(f"position {first}: "))
        count = min(BLOCK, self._newest.size - first)
        if not 0 < len(raw) <= count * SIZE or len(raw) % SIZE:
            self._end(first, f"{len(raw) // SIZE} hashes of the log stand there, and not {count}")
        return [raw[at : at + SIZE] for at in range(0, len(raw), SIZE)]

    def _event(self, row: bytes, leaf: bytes, at: int) -> None:
        if self._fault is not None:
            return
        where = f"position {at}"
        try:
            event = event_of(row, where)
            if leaf_of(event).hash == leaf:
                self.chains.add(event, where)
            else:
                self._note(at, f"{_named(event)} is not what the log holds there")
        except Refused as refused:
            self._note(at, str(refused).removeprefix(f"{where}: "))

    def _grow(self, leaves: list[bytes]) -> None:
        for leaf in leaves:
            self._tree.add(leaf)
            self._meet_root()

    def _meet_root(self) -> None:
        """Compares with the root of this size, if it is known. Another one ends the reading."""
        size = self._tree.size
        root = self._roots.get(size)
        if root is None:
            return
        if root == self._tree.root:
            self._proven = size
            return
        if self._fault is not None and self._fault[0] < self._proven:
            self._end(*self._fault)
        altered = (
            f"the hashes beside the events do not give the signed root of {size} events, so these were altered, too; "
            f"the first wrong event is one of positions {self._proven} to {size - 1}"
        )
        if self._fault is not None and self._fault[0] < size:
            self._end(self._fault[0], f"{self._fault[1]}; {altered}")
        self._end(self._proven, altered)

    def _note(self, at: int, sentence: str) -> None:
        if self._fault is None:
            self._fault = (at, sentence)

    def _end(self, at: int, sentence: str) -> NoReturn:
        """Ends the reading with the first fault, which is this one if there was none before."""
        at, sentence = self._fault or (at, sentence)
        raise Refused(f"position {at}: {sentence}")


def _named(event: Event) -> str:
    return f"{event.type} {event.id} (version {event.version} of {event.stream})"
