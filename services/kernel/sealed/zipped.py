"""A ZIP file in the only form that is accepted: stored, without any date, attribute, comment or gap.

Each header is what `_local` and `_central` write from the name, the length and the CRC-32. So every byte is content or
follows from it. Nothing is packed, so nothing can unfold. Any program opens such a file.
"""

import re
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from services.kernel.tlog import Refused

PIECE = 1 << 16
MOST_BYTES = 0xFFFF_FFFE
MOST_FILES = 65_534
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*){0,7}", re.ASCII)
_DATE = (0, 0x21)
"""1 January 1980, the first day that the form knows."""
_UTF8 = 0x0800


class DoesNotFit(ValueError):
    """The form does not hold so much."""


class Changed(ValueError):
    """A file has other bytes than a moment before."""


class Entry(NamedTuple):
    """A file to be written."""

    name: str
    size: int
    crc: int
    pieces: Iterable[bytes]


def entry(name: str, content: bytes) -> Entry:
    """A file with this content."""
    return Entry(name, len(content), zlib.crc32(content), (content,))


class Placed(NamedTuple):
    """A file inside: where its content begins, and its length."""

    start: int
    size: int


def is_name(name: str) -> bool:
    """Whether this may be a path: lower-case ASCII, forward slashes, no part that begins with a dot."""
    return len(name) <= 200 and _NAME.fullmatch(name) is not None


def write(to: BinaryIO, files: Iterable[Entry]) -> None:
    """Writes files, in the order of their names. Raises `DoesNotFit`, `Changed`, or `Refused` for a name."""
    at = 0
    listed: list[bytes] = []
    for name, size, crc, pieces in sorted(files):
        head = _local(name, size, crc)
        if not is_name(name):
            raise Refused(f"{name!r} is no name of a file in an archive")
        if at + len(head) + size > MOST_BYTES:
            raise DoesNotFit(f"an archive holds at most {MOST_BYTES} bytes, and there are more from {name} on")
        if len(listed) >= MOST_FILES:
            raise DoesNotFit(f"an archive holds at most {MOST_FILES} files, and there are more from {name} on")
        to.write(head)
        written, found = 0, 0
        for piece in pieces:
            to.write(piece)
            written, found = written + len(piece), zlib.crc32(piece, found)
        if (written, found) != (size, crc):
            raise Changed(f"{name} changed while it was written")
        listed.append(_central(name, size, crc, at))
        at += len(head) + size
    central = b"".join(listed)
    to.write(central + _end(len(listed), len(central), at))


def read(source: BinaryIO) -> dict[str, Placed]:
    """The files of a ZIP by their names, in their order. Every byte was read. Raises `Refused`."""
    source.seek(0)
    found: dict[str, Placed] = {}
    listed: list[bytes] = []
    at, before = 0, ""
    while (head := source.read(30))[:4] == b"PK\x03\x04":
        name, size, crc = _named(head, source)
        if head != _local(name, size, crc)[:30]:
            raise Refused(
                f"byte {at}: {name[:200]!r} was altered or packed anew; check the archive as it was given out"
            )
        if not is_name(name) or name <= before:
            raise Refused(f"byte {at}: {name[:200]!r} is no name here, or it is out of order")
        before = name
        found[name] = Placed(at + 30 + len(name), size)
        if _sum(source, size, name) != crc:
            raise Refused(f"{name}: it is not the file that was sealed; its bytes were changed")
        listed.append(_central(name, size, crc, at))
        at += 30 + len(name) + size
        if len(found) > MOST_FILES or at > MOST_BYTES:
            raise Refused("this is more than an archive holds")
    if not found:
        raise Refused("byte 0: this is no archive that the office gave out")
    central = b"".join(listed)
    rest = central + _end(len(found), len(central), at)
    if head + source.read(max(0, len(rest) - len(head)) + 1) != rest:
        raise Refused(f"byte {at}: the list at the end is not that of the files before it")
    return found


def content(source: BinaryIO, placed: Placed) -> Iterator[bytes]:
    """The pieces of a file."""
    at, left = placed
    while left:
        source.seek(at)
        piece = source.read(min(PIECE, left))
        if not piece:
            raise Refused("the file ends early")
        at, left = at + len(piece), left - len(piece)
        yield piece


def _named(head: bytes, source: BinaryIO) -> tuple[str, int, int]:
    if len(head) < 30:
        raise Refused("the archive ends within a header")
    crc, size, _, length = struct.unpack_from("<IIIH", head, 14)
    if length > 200:
        raise Refused("a name in the archive is too long")
    try:
        return source.read(length).decode("ascii"), size, crc
    except UnicodeDecodeError:
        raise Refused("a name in the archive is no ASCII") from None


def _sum(source: BinaryIO, size: int, name: str) -> int:
    crc = 0
    while size:
        piece = source.read(min(PIECE, size))
        if not piece:
            raise Refused(f"{name}: the archive ends within it")
        crc, size = zlib.crc32(piece, crc), size - len(piece)
    return crc


def _local(name: str, size: int, crc: int) -> bytes:
    return struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 10, _UTF8, 0, *_DATE, crc, size, size, len(name), 0) + (
        name.encode("ascii")
    )


def _central(name: str, size: int, crc: int, at: int) -> bytes:
    head = (b"PK\x01\x02", 10, 10, _UTF8, 0, *_DATE, crc, size, size, len(name), 0, 0, 0, 0, 0, at)
    return struct.pack("<4sHHHHHHIIIHHHHHII", *head) + name.encode("ascii")


def _end(count: int, size: int, at: int) -> bytes:
    return struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count, count, size, at, 0)
