"""Records of as many matters as one likes, with valid chains: one matter as a pattern, with other ids and times."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from schemas.envelope import Event
from schemas.fields import instant
from services.kernel.delivery.log import Partition, Record
from services.kernel.store.session import partition_of
from tests.audit.matter import Matter

PLACES = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb'|"previousdigest":"[0-9a-f]{64}"|town-east-2026-00001|\d{4}-\d\d-\d\dT[\d:.]+Z'
)
STEP = timedelta(minutes=1)
"""A matter begins a minute after the one before."""


class _Pattern(NamedTuple):
    topic: str
    stream: int
    """Which of the ids is the stream's."""
    key: bytes
    """The key of the partition: the kind of a stream, and which of the ids follows."""
    of_key: int
    pieces: tuple[tuple[bytes, str, int], ...]
    """Bytes, and what follows them: an `id` or a `time` with its number, the `digest` before, the `number`, nothing."""


class Histories:
    """Matters one after the other. Each has the same events."""

    def __init__(self, partitions: int) -> None:
        matter = (
            Matter().known().clock("public_statement", 3).clock("verify", 1).clock("handling", 48).breach("verify", 1)
        )
        matter = matter.rung("verify", "reminder", 2).reported(2).breach("public_statement", 3)
        matter = matter.rung("public_statement", "reminder", 4).rung("public_statement", "supervision", 6)
        matter = matter.published(7, "人民路水管爆裂，已于当日抢修，恢复供水。")
        self.events = matter.events
        self._ids: dict[bytes, int] = {}
        self._times: list[datetime] = []
        self._patterns = [self._pattern(event) for event in self.events]
        self._partitions = partitions
        self._offsets: dict[Partition, int] = {}
        self._made = 0

    @property
    def each(self) -> int:
        """Events of a matter."""
        return len(self._patterns)

    def incident(self, number: int) -> str:
        """The id of a matter."""
        of = self._ids[self.events[1].stream.partition("-")[2].encode()]
        return f"incident-{_id(number, of).decode()}"

    def event(self, number: int, place: int) -> str:
        """The id of an event of a matter."""
        return _id(number, self._ids[self.events[place].id.encode()]).decode()

    def more(self, matters: int) -> Iterator[Record]:
        """The records of the next matters, in the order of recording."""
        for _ in range(matters):
            yield from self._matter(self._made)
            self._made += 1

    def _matter(self, number: int) -> Iterator[Record]:
        ids = [_id(number, of) for of in range(len(self._ids))]
        times = [instant(at + number * STEP).encode() for at in self._times]
        digests: dict[int, bytes] = {}
        said = b"town-east-2026-%05d" % (number + 1)
        for pattern in self._patterns:
            parts = []
            for piece, what, of in pattern.pieces:
                parts.append(piece)
                if what == "id":
                    parts.append(ids[of])
                elif what == "time":
                    parts.append(times[of])
                elif what == "digest":
                    parts.append(digests[pattern.stream])
                elif what == "number":
                    parts.append(said)
            value = b"".join(parts)
            digests[pattern.stream] = sha256(value).hexdigest().encode()
            key = pattern.key + ids[pattern.of_key]
            place = Partition(pattern.topic, partition_of(key.decode(), self._partitions))
            offset = self._offsets.get(place, 0)
            self._offsets[place] = offset + 1
            yield Record(place.topic, place.number, offset, key, value)

    def _pattern(self, event: Event) -> _Pattern:
        pieces, at, value = list[tuple[bytes, str, int]](), 0, event.bytes
        for found in PLACES.finditer(value):
            text, start = found[0], found.start()
            if text.startswith(b'"previous'):
                start += len(b'"previousdigest":"')
                pieces.append((value[at:start], "digest", 0))
                at = found.end() - 1
                continue
            if text.startswith(b"town"):
                pieces.append((value[at:start], "number", 0))
            elif text.endswith(b"Z"):
                self._times.append(datetime.fromisoformat(text.decode()))
                pieces.append((value[at:start], "time", len(self._times) - 1))
            else:
                pieces.append((value[at:start], "id", self._ids.setdefault(text, len(self._ids))))
            at = found.end()
        pieces.append((value[at:], "", 0))
        kind, _, uuid = event.partitionkey.partition("-")
        stream = self._ids[event.stream.partition("-")[2].encode()]
        return _Pattern(event.topic, stream, f"{kind}-".encode(), self._ids[uuid.encode()], tuple(pieces))


def _id(number: int, of: int) -> bytes:
    """Spread over all ids, as random ones are, so that an index is not filled in order."""
    spread = (number * 2_654_435_761) & 0xFFFFFFFF
    return b"%08x-%04x-7000-8000-%012x" % (spread, of, number)
