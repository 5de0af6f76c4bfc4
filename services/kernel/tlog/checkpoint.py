"""Checkpoints (c2sp.org/tlog-checkpoint): the origin of a log, its size and its root, as the text of a signed note."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from services.kernel.tlog import Refused, note
from services.kernel.tlog.note import Note, Signature, Verifier
from services.kernel.tlog.tree import EMPTY, LIMIT, SIZE

_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


class Checkpoint(NamedTuple):
    """What a log says of itself."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{note.encoded(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """The checkpoint of a text. Raises `Refused`, for lines behind the third one too."""
        lines = text.split("\n")
        if len(lines) != 4 or lines[3]:
            raise Refused("a checkpoint has three lines: origin, size and root")
        origin, size, root = lines[:3]
        note.must_be_a_name(origin)
        found = cls(origin, number(size), note.decoded(root))
        if len(found.root) != SIZE or (found.size == 0 and found.root != EMPTY):
            raise Refused("the root of the checkpoint is no root of a tree of its size")
        return found


class Opened(NamedTuple):
    """A checkpoint that a believed key signed."""

    checkpoint: Checkpoint
    note: Note
    by: dict[Verifier, Signature]
    """The believed keys that signed it, the log's and those of witnesses."""


def opened(raw: bytes, origin: str, keys: Iterable[Verifier], witnesses: Iterable[Verifier] = ()) -> Opened:
    """The checkpoint in a note. Raises `Refused` unless one of the log's keys signed it, under the log's origin."""
    keys = tuple(keys)
    found = Note.parse(raw)
    by = found.known([*keys, *witnesses])
    if not any(key in by for key in keys):
        raise Refused("no known key of the log signed the checkpoint")
    checkpoint = Checkpoint.parse(found.text)
    if checkpoint.origin != origin:
        raise Refused(f"the checkpoint is of {checkpoint.origin}, not of {origin}")
    return Opened(checkpoint, found, by)


def number(text: str) -> int:
    """A whole number without needless zeros. Raises `Refused`."""
    if not _NUMBER.fullmatch(text) or int(text) >= LIMIT:
        raise Refused(f"{text[:30]!r} is no number in its only form")
    return int(text)
