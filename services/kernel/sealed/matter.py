"""A part of the record, such as a matter: events in the log's order, each with the path that proves it.

An event that is not shown stands with its entry in the log: its stream, version, time and digest, without its content.
Streams have no gap, except before a single event that names the matter while its stream does not belong to it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, NamedTuple

import orjson

from schemas import catalogue
from schemas.envelope import MAX_BYTES, Event
from services.kernel.sealed import lines
from services.kernel.sealed.chains import Chains
from services.kernel.sealed.strict import compact, event_of
from services.kernel.sealed.trust import Trust
from services.kernel.tlog import Refused, leaf
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.leaf import Leaf, leaf_of
from services.kernel.tlog.note import encoded
from services.kernel.tlog.proof import hashes
from services.kernel.tlog.tree import LIMIT, must_be_included

KIND = "matter"
LONGEST = MAX_BYTES + 5000
END = b'{"events":'
SHOWN, WITHHELD = ("index", "proof", "event"), ("index", "proof", "entry")


class Placed(NamedTuple):
    """An event of the file, proven; its content is None if only its entry is shown."""

    position: int
    leaf: Leaf
    event: Event | None


class Held(NamedTuple):
    """A file of which every line is proven."""

    checkpoint: Checkpoint
    events: int
    withheld: int
    streams: int


def head(checkpoint: bytes) -> bytes:
    """The first line."""
    return lines.line(matter=lines.FORM, checkpoints=[checkpoint.decode()])


def line(position: int, path: Sequence[bytes], event: bytes) -> bytes:
    """The line of an event."""
    return lines.line(index=position, proof=[encoded(one) for one in path], event=orjson.Fragment(event))


def withheld(position: int, path: Sequence[bytes], event: Event) -> bytes:
    """The line of an event whose content is not shown."""
    entry = orjson.Fragment(leaf_of(event).entry)
    return lines.line(index=position, proof=[encoded(one) for one in path], entry=entry)


def end(events: int) -> bytes:
    """The last line. It tells of a file that was cut by accident; who cuts on purpose writes another one."""
    return lines.line(events=events)


def read(source: BinaryIO, trust: Trust, *, signed: bool = True) -> tuple[Checkpoint, Iterator[Placed]]:
    """The checkpoint, and the events in order, each proven. Raises `Refused` with the first wrong position.

    If the checkpoint need not be `signed`, the caller must prove it in another way.
    """
    rows = lines.read(source, LONGEST)
    found = lines.believed(next(rows, None), KIND, trust, signed=signed)
    if len(found) != 1:
        raise Refused("line 1: a part of the record has one checkpoint")
    return found[0], _placed(rows, found[0])


def verify(source: BinaryIO, trust: Trust) -> Held:
    """Checks a whole file. Raises `Refused` with the first wrong position."""
    checkpoint, placed = read(source, trust)
    events = hidden = 0
    streams: set[str] = set()
    for one in placed:
        events, hidden = events + 1, hidden + (one.event is None)
        streams.add(one.leaf.stream_id)
    if not events:
        raise Refused("the file holds no event")
    return Held(checkpoint, events, hidden, len(streams))


def _placed(rows: Iterator[bytes], checkpoint: Checkpoint) -> Iterator[Placed]:
    before, count, chains = -1, 0, Chains()
    try:
        for number, row in enumerate(rows, 2):
            if row.startswith(END):
                if row + b"\n" != end(count):
                    raise Refused(f"line {number}: {count} events stand before the end, which says otherwise")
                if next(rows, None) is not None:
                    raise Refused(f"line {number + 1}: something stands behind the end")
                return
            placed = _proven(compact(row, f"line {number}"), f"line {number}", checkpoint)
            where = f"position {placed.position}"
            if placed.position <= before:
                raise Refused(f"line {number}, {where}: it stands twice or out of order")
            before, count = placed.position, count + 1
            if placed.event is None:
                one = placed.leaf
                chains.pass_over(one.stream_id, one.version, one.recorded_at, one.value_sha256, where)
            else:
                chains.add(placed.event, where, alone=catalogue.names_incident(placed.event.type))
            yield placed
        raise Refused("the file was cut: its last line is missing")
    finally:
        chains.close()


def _proven(told: Any, where: str, checkpoint: Checkpoint) -> Placed:
    names = tuple(told) if isinstance(told, dict) else ()
    if names not in (SHOWN, WITHHELD):
        raise Refused(f"{where}: it is made neither of {', '.join(SHOWN)} nor of {', '.join(WITHHELD)}")
    position, path, content = told.values()
    if type(position) is not int or not 0 <= position < LIMIT or not isinstance(path, list):
        raise Refused(f"{where}: it has no position, or no proof")
    where = f"position {position}"
    raw = orjson.dumps(content)
    try:
        event = event_of(raw, where) if names == SHOWN else None
        found = leaf_of(event) if event else leaf.parse(raw)
        must_be_included(position, checkpoint.size, found.hash, hashes(_texts(path)), checkpoint.root)
    except Refused as refused:
        said = str(refused).removeprefix(f"{where}: ")
        raise Refused(f"{where}: the log does not hold this there: {said}") from None
    return Placed(position, found, event)


def _texts(path: list[Any]) -> list[str]:
    if not all(isinstance(one, str) for one in path):
        raise Refused("a hash is no text")
    return path
