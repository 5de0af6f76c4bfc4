"""The type of a file, by its content. Its name and the sender's word do not count."""

import codecs
from collections.abc import Iterator
from typing import IO

HEAD = 16
"""The first bytes show most types."""
HEIF = "image/heic"
"""Brands of pictures in a film's frame, such as HEIC and AVIF."""
HEIF_NAMES = ("image/heif", "image/heic-sequence", "image/heif-sequence", "image/avif")
"""What senders also call it."""
ARCHIVE = "application/zip"
"""Archives of any kind, and documents of office programs, most of which are archives."""
TEXT = "text/plain"

_ARCHIVES = (
    *(b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"\x1f\x8b\x08", b"BZh"),
    *(b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"MSCF\x00", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"!<arch>\n"),
)
"""First bytes of ZIP (also DOCX, XLSX, ODT), 7z, RAR, gzip, bzip2, xz, Zstandard, CAB, the old DOC and XLS, and ar."""

_HEIF_BRANDS = frozenset((b"heic heix heim heis hevc hevx hevm hevs mif1 mif2 msf1 miaf avif avis").split())
_BOXES = 1_000
_SOUND = 8_192
"""An MP3's first frame begins within so many bytes after its tags."""
_BITRATES = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
"""Bit rates of layer III in kbit/s, by MPEG version (3 is version 1; the others are 2 and 2.5)."""
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}

_CHARSETS = frozenset(("utf-8", "utf-16", "utf-16-le", "utf-16-be", "gb18030", "gbk", "gb2312"))


def recognised(file: IO[bytes]) -> str | None:
    """The media type that a file's content shows; None if it shows no known type."""
    file.seek(0)
    head = file.read(HEAD)
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head.startswith(b"%PDF-"):
        return "application/pdf"
    if head[4:8] == b"ftyp":
        return _boxed(file)
    if head.startswith(_ARCHIVES):
        return ARCHIVE
    if head.startswith(b"ID3") or head[:1] == b"\xff":
        return "audio/mpeg" if _is_sound(file, head) else None
    return None


def text(content: bytes, charset: str | None) -> str:
    """The words of a text: in the charset that the sender names, or else in UTF-16 or UTF-8, as the first bytes show.

    Raises `ValueError` with a sentence if the file is no text.
    """
    if charset is None:
        wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        charset = "utf-16" if wide else "utf-8-sig"
    else:
        try:
            charset = codecs.lookup(charset).name
        except (LookupError, ValueError):
            charset = ""
        if charset not in _CHARSETS:
            raise ValueError("the charset is none of UTF-8, UTF-16 and GB18030")
    try:
        words = content.decode(charset)
    except UnicodeDecodeError as error:
        name = "UTF-8" if charset == "utf-8-sig" else charset.upper()
        raise ValueError(f"the file is no text in {name}: byte {error.start} is wrong") from None
    if "\x00" in words:
        raise ValueError("the file is not a plain text")
    return words.removeprefix("\ufeff")


def _boxed(file: IO[bytes]) -> str | None:
    """Tells MP4 from HEIF. MP4 has a `moov`; HEIF has a `meta` that describes a picture, whatever its brands say."""
    names = set()
    for name, begin, size in _boxes(file):
        names.add(name)
        file.seek(begin)
        if name == b"ftyp":
            brands = file.read(min(size, 1_024))
            if _HEIF_BRANDS & {brands[:4], *(brands[at : at + 4] for at in range(8, len(brands), 4))}:
                return HEIF
        elif name == b"meta" and b"pict" in file.read(min(size, 64)):
            return HEIF
    return "video/mp4" if b"moov" in names else None


def _boxes(file: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and size of the content of each box of the outermost level."""
    end = file.seek(0, 2)
    at = 0
    for _ in range(_BOXES):
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size, before = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, before = int.from_bytes(head[8:16], "big"), 16
        elif size == 0:
            size = end - at
        if size < before or at + size > end:
            return
        yield head[4:8], at + before, size - before
        at += size


def _is_sound(file: IO[bytes], head: bytes) -> bool:
    """Whether MP3 frames follow each other behind the tags."""
    begin = 0
    if head.startswith(b"ID3"):
        size = 0
        for byte in head[6:10]:
            size = size << 7 | byte & 0x7F
        begin = 10 + size
    end = file.seek(0, 2)
    file.seek(begin)
    sound = file.read(_SOUND)
    at = sound.find(b"\xff")
    while 0 <= at < len(sound) - 4:
        length = _frame(sound[at : at + 4])
        file.seek(begin + at + length)
        following = file.read(4)
        if length and begin + at + length <= end and (not following or _frame(following) or following[:3] == b"TAG"):
            return True
        at = sound.find(b"\xff", at + 1)
    return False


def _frame(header: bytes) -> int:
    """The length of the MP3 frame that begins with these four bytes; 0 if no frame begins there."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return 0
    version, bitrate, rate = header[1] >> 3 & 3, header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return 0
    kilobits = _BITRATES[3 if version == 3 else 2][bitrate]
    return (144 if version == 3 else 72) * kilobits * 1_000 // _RATES[version][rate] + (header[2] >> 1 & 1)
