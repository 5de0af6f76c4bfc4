"""A small log of two streams, and ways to spoil its files."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cache

import pytest

from schemas.envelope import Event
from schemas.fields import WordsRef
from schemas.triage import IncidentInstructionGiven
from services.kernel.sealed import matter, record
from services.kernel.tlog import Refused
from tests.kit.logs import Log
from tests.kit.spec import NOW, At, events

WORDS = WordsRef(ref="01890a5d-c3d4-7e5f-8a6b-7c8d9e0f1a2b", digest="9f2c" * 16)
ONE, TWO = "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"


@cache
def small(count: int = 7) -> Log:
    """A log of events of two streams in turn, a minute apart."""
    facts = [At(IncidentInstructionGiven(text=WORDS), NOW + timedelta(minutes=at)) for at in range(count)]
    one, two = (events("incident", facts[part::2], uuid) for part, uuid in ((0, ONE), (1, TWO)))
    return Log(sorted([*one, *two], key=lambda event: event.recorded_text))


def whole(log: Log, *checkpoints: bytes, leaves: list[bytes] | None = None, shown: list[Event] | None = None) -> bytes:
    """The record of a log; with other hashes or events if they are given."""
    hashes = log.leaves if leaves is None else leaves
    found = [event.bytes for event in (log.events if shown is None else shown)]
    size = record.BLOCK
    blocks = [record.block(hashes[at : at + size], found[at : at + size]) for at in range(0, len(hashes), size)]
    return record.head(*checkpoints, log.checkpoint()) + b"".join(blocks)


def part(log: Log, *positions: int, hidden: tuple[int, ...] = ()) -> bytes:
    """The events at these positions, with proofs."""
    rows = []
    for at in positions:
        path, event = log.path(at), log.events[at]
        rows.append(matter.withheld(at, path, event) if at in hidden else matter.line(at, path, event.bytes))
    return matter.head(log.checkpoint()) + b"".join(rows) + matter.end(len(positions))


def flips(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """The bytes with one bit changed, for each bit."""
    changed = bytearray(raw)
    for at in range(len(raw)):
        for bit in range(8):
            changed[at] ^= 1 << bit
            yield at * 8 + bit, bytes(changed)
            changed[at] ^= 1 << bit


def must_refuse(check: Callable[[bytes], object], raw: bytes, why: str | None = None) -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(Refused, match=why) as refused:
        check(raw)
    return str(refused.value)


def no_bit_counts_for_nothing(check: Callable[[bytes], object], raw: bytes) -> None:
    """Every bit of a file, changed, makes it refused; and so does every byte taken away or added."""
    check(raw)
    spoilt = [at for at, bad in flips(raw) if not _refused(check, bad)]
    assert not spoilt, f"bits {spoilt[:20]} may be anything"
    for at in range(len(raw)):
        assert _refused(check, raw[:at]), f"cut after {at} bytes"
        assert _refused(check, raw[:at] + raw[at + 1 :]), f"without byte {at}"
    for bad in (raw + b"\n", raw + b"x", raw + raw, b"\n" + raw, raw.replace(b"\n", b"\r\n")):
        assert bad == raw or _refused(check, bad)


def _refused(check: Callable[[bytes], object], raw: bytes) -> bool:
    try:
        check(raw)
    except Refused:
        return True
    return False
