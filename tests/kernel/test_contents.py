"""The content shows the type of a file."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.kernel.uploads import contents
from services.kernel.uploads.contents import HEIF, recognised
from tests.kernel.test_pictures import JPEG, PNG


def box(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", 8 + len(body)) + name + body


def brands(*names: bytes) -> bytes:
    return box(b"ftyp", names[0] + bytes(4) + b"".join(names))


MOVIE = box(b"moov", box(b"mvhd", bytes(100)))
MP4 = brands(b"isom", b"mp42") + MOVIE + box(b"mdat", b"film")
META = box(b"meta", bytes(4) + box(b"hdlr", bytes(8) + b"pict" + bytes(12)))
HEIC = brands(b"heic", b"mif1") + META + box(b"mdat", b"picture")
FRAME = b"\xff\xfb\x90\x00" + bytes(413)
"""MPEG 1, layer III, 128 kbit/s, 44.1 kHz."""
LATER = b"\xff\xf3\x40\xc4" + bytes(92)
"""MPEG 2, layer III, 32 kbit/s, 22.05 kHz: 104 bytes. This one is shorter than its header says."""
ID3 = b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (JPEG, "image/jpeg"),
        (PNG, "image/png"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7", "application/pdf"),
        (MP4, "video/mp4"),
        (brands(b"isom") + box(b"free") + box(b"mdat", b"film") + MOVIE, "video/mp4"),
        (brands(b"mp42") + struct.pack(">I4sQ", 1, b"mdat", 20) + b"film" + MOVIE, "video/mp4"),
        (brands(b"mp42") + MOVIE + struct.pack(">I4s", 0, b"mdat") + b"to the end", "video/mp4"),
        (HEIC, HEIF),
        (brands(b"mp42", b"heic") + META + box(b"mdat", b"picture"), HEIF),
        (brands(b"mp42", b"isom") + META + box(b"mdat", b"picture"), HEIF),  # whatever its brands say
        (brands(b"avif", b"mif1") + META, HEIF),
        (brands(b"isom") + box(b"mdat", b"film"), None),
        (MP4[:40], None),
        (FRAME * 3, "audio/mpeg"),
        (FRAME, "audio/mpeg"),
        (ID3 + FRAME * 2, "audio/mpeg"),
        (ID3 + bytes(100) + FRAME * 2, "audio/mpeg"),
        (LATER + bytes(8) + LATER, "audio/mpeg"),
        (ID3, None),
        (b"\xff\xfb\x90\x00 and more", None),
        ("现场".encode("utf-16"), None),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", None),
        (b"<svg", None),
        (b"", None),
    ],
)
def test_is_known_by_its_content(content: bytes, kind: str | None) -> None:
    assert recognised(io.BytesIO(content)) == kind


@given(st.binary(), st.sampled_from((b"", b"\xff", b"ID3", b"\x00\x00\x00\x18ftyp", MP4, FRAME)))
def test_any_content_is_looked_at(more: bytes, head: bytes) -> None:
    recognised(io.BytesIO(head + more))


@given(st.text())
def test_a_text_is_read_in_the_charset_that_it_shows(words: str) -> None:
    for charset in ("utf-8-sig", "utf-16"):
        if "\x00" in words:
            with pytest.raises(ValueError, match="not a plain text"):
                contents.text(words.encode(charset), None)
        else:
            assert contents.text(words.encode(charset), None) == words.removeprefix("\ufeff")
