"""Pictures without what cameras and programs write into them: position, device, owner, time, comments, small copies.

A picture keeps the parts that show it, and of its EXIF the orientation alone; the parts themselves pass unaltered.
Everything else is left out, also what is not known here and what stands behind the picture's end, where phones put
films and further pictures with EXIF of their own. A colour profile shows the picture and stays.

Libraries that write pictures decode and encode them anew, which alters what is to be evidence and runs codecs on
whatever was sent. To leave parts out, only the frames around them are read.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from mmap import mmap

from services.kernel.core.problems import Malformed

Data = bytes | mmap
PART = 65_536

_MARKER = re.compile(rb"\xff+[^\x00\xff]")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
_CODING = frozenset((*range(0xC0, 0xD0), *range(0xD9, 0xE0)))
_NAMED = {0xE0: b"JFIF\x00", 0xE2: b"ICC_PROFILE\x00", 0xEE: b"Adobe"}
"""Application segments that decoding needs, with what each begins with."""
_EXIF = b"Exif\x00\x00"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NAME = re.compile(rb"[A-Za-z]{4}")
_PNG = frozenset(b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD pHYs acTL fcTL fdAT".split())

_WEBP = frozenset((b"VP8 ", b"VP8L", b"VP8X", b"ICCP", b"ALPH", b"ANIM", b"ANMF"))
_HAS_EXIF, _HAS_XMP = 0x08, 0x04

_ORIENTATION, _SHORT = 0x0112, 3


def cleaned(data: Data, media_type: str) -> Iterator[bytes]:
    """The picture without its metadata, in parts of at most `PART` bytes; cleaned again it is the same.

    Raises `Malformed` where the file breaks off or its frames are not those of the type, possibly after some parts.
    """
    return TYPES[media_type](data)


def _jpeg(data: Data) -> Iterator[bytes]:
    yield data[:2]
    at, code = 2, 0
    while code != _END:
        if not (marker := _MARKER.match(data, at)):
            raise _broken("JPEG", min(at, len(data)))
        begin, at = marker.end() - 2, marker.end()
        code = data[at - 1]
        end = at if code == _END else at + int.from_bytes(data[at : at + 2], "big")
        if code == _SCAN:
            end = _end_of_scan(data, end)
        if code in _CODING or (code in _NAMED and data[at + 2 : end].startswith(_NAMED[code])):
            yield from _parts(data, begin, end)
        elif code == _APP1 and data[at + 2 : end].startswith(_EXIF) and (exif := _turned(data, at + 2, end)):
            yield struct.pack(">BBH", 0xFF, _APP1, 2 + len(_EXIF) + len(exif)) + _EXIF + exif
        at = end


def _end_of_scan(data: Data, at: int) -> int:
    """Where the next marker stands that is not one of the scan's own; searched in steps, between which others run."""
    while at < len(data):
        if found := _AFTER_SCAN.search(data, at, at + PART):
            return found.start()
        at += PART - 1  # a marker may begin with the last byte
    raise _broken("JPEG", len(data))


def _png(data: Data) -> Iterator[bytes]:
    yield _SIGNATURE
    at, name = len(_SIGNATURE), b""
    while name != b"IEND":
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        end = at + 12 + length
        if not _NAME.fullmatch(name) or end > len(data) or (at == len(_SIGNATURE) and name != b"IHDR"):
            raise _broken("PNG", at)
        if name in _PNG:
            yield from _parts(data, at, end)
        elif name == b"eXIf" and (exif := _turned(data, at + 8, end - 4)):
            yield struct.pack(">I", len(exif)) + name + exif + struct.pack(">I", zlib.crc32(name + exif))
        at = end


def _webp(data: Data) -> Iterator[bytes]:
    """The size and the flags stand first, so the chunks are gone through twice."""
    size, exif = 4, b""
    for name, begin, end in _chunks(data):
        if name in _WEBP:
            size += 8 + (end - begin) + (end - begin) % 2
        elif name == b"EXIF" and not exif and data[12:16] == b"VP8X":
            exif = _turned(data, begin, end)
    if exif:
        size += 8 + len(exif)
    yield struct.pack("<4sI4s", b"RIFF", size, b"WEBP")
    for name, begin, end in _chunks(data):
        if name in _WEBP:
            yield data[begin - 8 : begin]
            if name == b"VP8X":
                yield bytes([data[begin] & ~(_HAS_EXIF | _HAS_XMP) | (_HAS_EXIF if exif else 0)])
            yield from _parts(data, begin + (name == b"VP8X"), end)
            yield bytes((end - begin) % 2)
    if exif:
        yield struct.pack("<4sI", b"EXIF", len(exif)) + exif


def _chunks(data: Data) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of each chunk's content."""
    at, whole = 12, 8 + int.from_bytes(data[4:8], "little")
    if whole > len(data) or data[12:16] not in (b"VP8 ", b"VP8L", b"VP8X"):
        raise _broken("WebP", at)
    while at < whole:
        name, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        begin, end = at + 8, at + 8 + length
        if end > whole or (name == b"VP8X" and length < 10):
            raise _broken("WebP", at)
        yield name, begin, end
        at = end + length % 2


TYPES: Mapping[str, Callable[[Data], Iterator[bytes]]] = {"image/jpeg": _jpeg, "image/png": _png, "image/webp": _webp}


def _turned(data: Data, begin: int, end: int) -> bytes:
    """EXIF that says how the picture is turned, as the EXIF there does, and nothing else; empty for an upright one."""
    tiff = data[begin : min(end, begin + PART)].removeprefix(_EXIF)
    order = {b"II*\x00": "<", b"MM\x00*": ">"}.get(tiff[:4])
    if order is None:
        return b""
    try:
        (table,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, table)
        for entry in range(table + 2, table + 2 + 12 * count, 12):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
            if tag == _ORIENTATION and kind == _SHORT and 2 <= value <= 8:
                return struct.pack(">4sIHHHIHHI", b"MM\x00*", 8, 1, _ORIENTATION, _SHORT, 1, value, 0, 0)
    except struct.error:
        pass  # EXIF that cannot be read turns nothing
    return b""


def _parts(data: Data, begin: int, end: int) -> Iterator[bytes]:
    for at in range(begin, end, PART):
        yield data[at : min(at + PART, end)]


def _broken(kind: str, at: int) -> Malformed:
    return Malformed(
        f"the {kind} picture breaks off or is damaged at byte {at}; send it again, whole",
        code="picture-damaged",
        kind=kind,
        at=at,
    )
