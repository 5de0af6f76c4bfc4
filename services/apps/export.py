"""An incident's events in a file, one on each line, byte for byte as stored; and the check of such a file.

The file is enough for the check. Each event names the digest of the one before it in its stream. No event names the
newest one of a stream. For this, both commands print the digest of the whole file.
"""

import hashlib
import itertools
from collections.abc import AsyncIterable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from schemas.envelope import Event, Undecodable


async def write(timeline: AsyncIterable[dict[str, Any]], to: Path) -> tuple[int, str]:
    """Writes the events of a timeline, from the pages of audit's answer. Returns their number and the file's digest.

    Envelopes are compact JSON, so the same bytes come out again. The file appears only when it is whole.
    """
    events, sha256, part = 0, hashlib.sha256(), to.with_name(f"{to.name}.part")
    try:
        with part.open("wb") as file:
            async for page in timeline:
                for item in page["items"]:
                    line = orjson.dumps(item["event"]) + b"\n"
                    file.write(line)
                    sha256.update(line)
                    events += 1
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)
    return events, sha256.hexdigest()


@dataclass
class Verdict:
    """The contents of a file, and its faults."""

    events: int = 0
    streams: dict[str, int] = field(default_factory=dict)
    """Stream -> its last version in the file."""
    begun_later: list[str] = field(default_factory=list)
    """Streams whose first version in the file is not 1. Earlier events cannot be judged."""
    sha256: str = ""
    faults: list[str] = field(default_factory=list)


def verify(path: Path) -> Verdict:
    """Checks every envelope, the order, and each stream's chain of digests. Raises `OSError`."""
    content = path.read_bytes()
    verdict = Verdict(sha256=hashlib.sha256(content).hexdigest())
    _check(content.splitlines(), verdict)
    return verdict


def _check(rows: Iterable[bytes], verdict: Verdict) -> None:
    streams: dict[str, dict[int, tuple[int, Event]]] = {}
    seen: set[str] = set()
    before = ("", "")
    for number, row in enumerate(rows, 1):
        if not row:
            continue
        verdict.events += 1
        try:
            event = Event.parse(row)
        except Undecodable as error:
            verdict.faults.append(f"line {number}: {error}")
            continue
        place = (event.recorded_text, event.id)
        if place < before:
            verdict.faults.append(f"line {number}: {event.id} is out of order; events go by recordedtime, then id")
        before = max(place, before)
        of_stream = streams.setdefault(event.stream, {})
        if event.id in seen or event.version in of_stream:
            verdict.faults.append(f"line {number}: version {event.version} of {event.stream} stands twice")
        seen.add(event.id)
        of_stream.setdefault(event.version, (number, event))
    for stream, events in streams.items():
        chain = [events[version] for version in sorted(events)]
        verdict.streams[stream] = chain[-1][1].version
        if chain[0][1].version != 1:
            verdict.begun_later.append(stream)
        for (_, earlier), (number, event) in itertools.pairwise(chain):
            if fault := _broken(earlier, event):
                verdict.faults.append(f"line {number}: {fault}")


def _broken(before: Event, event: Event) -> str | None:
    """The fault between two events of a stream that follow each other in the file, if there is one."""
    if event.version != before.version + 1:
        return f"version {event.version} of {event.stream} follows {before.version}: a gap"
    if event.previous != before.digest:
        return f"version {event.version} of {event.stream} does not name the digest of version {before.version}"
    if event.recorded < before.recorded:
        return f"version {event.version} of {event.stream} was recorded before version {before.version}"
    return None
