"""Files of lines, each line JSON in its only form; the first one holds checkpoints."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import orjson

from services.kernel.sealed.strict import compact, members
from services.kernel.sealed.trust import Trust
from services.kernel.tlog import Refused
from services.kernel.tlog.checkpoint import Checkpoint

FORM = 1
"""The version of the files."""
MOST_CHECKPOINTS = 1000


def line(**named: Any) -> bytes:
    """A line with these members in this order."""
    return orjson.dumps(named) + b"\n"


def read(source: BinaryIO, longest: int) -> Iterator[bytes]:
    """The lines of a file, without their ends. Raises `Refused` for one that is too long or has no end."""
    number = 0
    while raw := source.readline(longest + 1):
        number += 1
        if not raw.endswith(b"\n"):
            raise Refused(f"line {number}: it is " + ("too long" if len(raw) > longest else "cut off"))
        yield raw[:-1]


def believed(first: bytes | None, kind: str, trust: Trust, *, signed: bool = True) -> list[Checkpoint]:
    """The checkpoints of the first line of a file of this kind, which grow. Raises `Refused`.

    If they need not be `signed`, the caller must prove them in another way.
    """
    if first is None:
        raise Refused("the file is empty")
    form, notes = members(compact(first, "line 1"), (kind, "checkpoints"), "line 1")
    if form != FORM or isinstance(form, bool) or not isinstance(notes, list) or not 1 <= len(notes) <= MOST_CHECKPOINTS:
        raise Refused(f"line 1: this program knows no such {kind}")
    found: list[Checkpoint] = []
    for note in notes:
        if not isinstance(note, str):
            raise Refused("line 1: a checkpoint is no text")
        # Witnesses sign the newest one. It stands for those before it once the roots below it have been computed.
        where = "line 1: the checkpoint"
        raw = note.encode()
        one = trust.open(raw, where, newest=note is notes[-1]) if signed else trust.stated(raw, where)
        if found and one.size <= found[-1].size:
            raise Refused("line 1: the checkpoints do not grow")
        found.append(one)
    return found
