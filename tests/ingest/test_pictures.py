"""What a picture keeps, and what of it is never stored."""

import struct
import zlib
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.pictures import PART, TYPES, cleaned
from services.kernel.core.problems import Malformed

SECRET = b"Somebody's telephone, 30.5728 N 104.0668 E"
"""Stands in everything that is to be left out."""
ORIENTATION = 0x0112


def exif(orientation: int | None = None, order: str = ">") -> bytes:
    """TIFF as cameras write it: compression, maker, perhaps orientation, and a position."""
    short = 0 if order == "<" else 16
    entries = [(0x0103, 3, 1, 6 << short), (0x010F, 2, len(SECRET), 62), (0x8825, 4, 1, 62 + len(SECRET))]
    if orientation is not None:
        entries.insert(2, (ORIENTATION, 3, 1, orientation << short))
    table = b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(entries)) + table
    position = struct.pack(f"{order}HHHI4sI", 1, 1, 2, 2, b"N\0", 0)
    return head.ljust(62, b"\0") + SECRET + position


def turned(orientation: int) -> bytes:
    """TIFF that holds the orientation alone."""
    entry = struct.pack(">HHIHH", ORIENTATION, 3, 1, orientation, 0)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)


def segment(code: int, body: bytes = b"") -> bytes:
    return struct.pack(">BBH", 0xFF, code, 2 + len(body)) + body


SCAN = segment(0xDA, b"\1\1\0\0\x3f\0") + b"\x12\xff\x00\x34\xff\xd0\x56\xff\xd7\x78"
JFIF, ADOBE = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"), segment(0xEE, b"Adobe\0\x64\0\0\0\0\1")
COLOURS = segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(200))
CODED = (
    segment(0xDB, bytes(65)),
    segment(0xC2, bytes(9)),
    segment(0xC4, bytes(20)),
    SCAN,
    segment(0xC4, bytes(20)),
    SCAN,
)
EXIF = segment(0xE1, b"Exif\0\0" + exif())
LEFT_OUT = {
    "EXIF": EXIF,
    "XMP": segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET),
    "further pictures": segment(0xE2, b"MPF\0" + SECRET),
    "IPTC": segment(0xED, b"Photoshop 3.0\0" + SECRET),
    "a small copy": segment(0xE0, b"JFXX\0\x10" + SECRET),
    "a comment": segment(0xFE, SECRET),
    "an unknown segment": segment(0xE9, SECRET),
    "a reserved segment": segment(0xF0, SECRET),
}


def jpeg(*more: bytes) -> bytes:
    """A picture with these segments before its tables."""
    return b"\xff\xd8" + b"".join((JFIF, *more, COLOURS, ADOBE, *CODED)) + b"\xff\xd9"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(pixels: bytes = b"pixels", *more: bytes) -> bytes:
    """A picture of 2 x 1 pixels with these chunks before and behind them."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", len(pixels) // 3, 1, 8, 2, 0, 0, 0))
    profile, data = chunk(b"iCCP", b"p\0\0" + zlib.compress(b"x")), chunk(b"IDAT", zlib.compress(b"\0" + pixels))
    return b"\x89PNG\r\n\x1a\n" + b"".join((head, profile, *more, data, *more, chunk(b"IEND", b"")))


def riff(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2)


def webp(flags: int, *more: bytes) -> bytes:
    """An extended picture with these chunks behind its pixels."""
    body = b"".join(
        (riff(b"VP8X", bytes([flags]) + bytes(9)), riff(b"ICCP", b"abc"), riff(b"VP8L", b"\x2fpixe"), *more)
    )
    return riff(b"RIFF", b"WEBP" + body)


JPEG, PNG, WEBP = jpeg(), png(), webp(0x20)
"""Pictures that hold nothing but what shows them."""
TAKEN = jpeg(*LEFT_OUT.values()) + SECRET
"""`JPEG` as a telephone makes it."""
WRITTEN = {
    "image/jpeg": TAKEN,
    "image/png": png(b"pixels", *(chunk(n, SECRET) for n in (b"tEXt", b"zTXt", b"iTXt", b"tIME", b"prVt"))) + SECRET,
    "image/webp": webp(0x2C, riff(b"EXIF", exif()), riff(b"XMP ", SECRET), riff(b"odd ", SECRET)) + SECRET,
}
PLAIN = {"image/jpeg": JPEG, "image/png": PNG, "image/webp": WEBP}
TURNED: dict[str, Callable[[bytes], bytes]] = {
    "image/jpeg": lambda tiff: jpeg(segment(0xE1, b"Exif\0\0" + tiff)),
    "image/png": lambda tiff: png().replace(chunk(b"IEND", b""), chunk(b"eXIf", tiff) + chunk(b"IEND", b"")),
    "image/webp": lambda tiff: webp(0x28, riff(b"EXIF", tiff)),
}


def clean(data: bytes, kind: str) -> bytes:
    return b"".join(cleaned(data, kind))


each = pytest.mark.parametrize("kind", TYPES)


@each
def test_keeps_what_shows_it_and_nothing_else(kind: str) -> None:
    assert SECRET in WRITTEN[kind]
    assert clean(WRITTEN[kind], kind) == PLAIN[kind]


@each
def test_that_holds_nothing_else_is_unaltered(kind: str) -> None:
    assert clean(PLAIN[kind], kind) == PLAIN[kind]


@pytest.mark.parametrize("what", LEFT_OUT)
def test_each_segment_is_left_out_wherever_it_stands(what: str) -> None:
    between = JPEG.replace(SCAN, SCAN + LEFT_OUT[what])
    assert clean(jpeg(LEFT_OUT[what]), "image/jpeg") == JPEG
    assert clean(between, "image/jpeg") == JPEG


@pytest.mark.parametrize("size", range(PART - 4, PART + 4))
def test_a_segment_behind_a_long_scan_is_found(size: int) -> None:
    scan = segment(0xDA) + bytes(size)
    plain, written = (b"\xff\xd8" + scan + more + b"\xff\xd9" for more in (b"", LEFT_OUT["a comment"]))
    assert clean(written, "image/jpeg") == plain


def test_comes_in_parts_of_a_bounded_size() -> None:
    scan = segment(0xDA) + bytes(5 * PART)
    assert max(map(len, cleaned(b"\xff\xd8" + scan + b"\xff\xd9", "image/jpeg"))) == PART


@each
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(2, 9))
def test_stays_turned_as_it_was(kind: str, order: str, orientation: int) -> None:
    assert clean(TURNED[kind](exif(orientation, order)), kind) == TURNED[kind](turned(orientation))


@pytest.mark.parametrize("kind", ["image/png", "image/webp"])
def test_stays_turned_where_exif_has_the_head_that_jpeg_gives_it(kind: str) -> None:
    assert clean(TURNED[kind](b"Exif\0\0" + exif(6)), kind) == TURNED[kind](turned(6))


@each
@pytest.mark.parametrize(
    "tiff",
    [
        exif(1),
        exif(9),
        b"",
        SECRET,
        exif(6)[:7],
        exif(6)[:30],
        b"MM\0*\xff\xff\xff\xff" + SECRET,
        exif(6).replace(b"\x01\x12\0\3", b"\x01\x12\0\4"),
    ],
)
def test_has_no_exif_where_it_says_of_no_turning(kind: str, tiff: bytes) -> None:
    assert clean(TURNED[kind](tiff), kind) == PLAIN[kind]


def test_only_exif_says_how_a_jpeg_is_turned() -> None:
    assert clean(jpeg(segment(0xE1, exif(6))), "image/jpeg") == JPEG


def test_the_first_exif_says_how_a_webp_is_turned() -> None:
    two = webp(0x28, riff(b"EXIF", exif(6)), riff(b"EXIF", exif(3)))
    assert clean(two, "image/webp") == webp(0x28, riff(b"EXIF", turned(6)))


def test_a_simple_webp_has_no_place_for_exif() -> None:
    simple = partial(riff, b"RIFF")
    plain = b"WEBP" + riff(b"VP8L", b"\x2fpixe")
    assert clean(simple(plain + riff(b"EXIF", exif(6))), "image/webp") == simple(plain)


@each
def test_that_breaks_off_is_refused(kind: str) -> None:
    whole = PLAIN[kind]
    for size in range(12, len(whole)):
        with pytest.raises(Malformed, match="breaks off"):
            clean(whole[:size], kind)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (jpeg(b"\0"), "image/jpeg"),
        (jpeg(b"\xff\xe1\0\1"), "image/jpeg"),
        (jpeg(b"\xff\xd8"), "image/jpeg"),
        (jpeg(b"\xff\xd0"), "image/jpeg"),
        (jpeg(b"\xff\xe1\xff\xff"), "image/jpeg"),
        (PNG.replace(b"IHDR", b"CgBI"), "image/png"),
        (PNG.replace(b"IDAT", b"ID\0T"), "image/png"),
        (PNG[:8] + bytes(100), "image/png"),
        (WEBP[:12], "image/webp"),
        (WEBP.replace(b"VP8X", b"odd "), "image/webp"),
        (riff(b"RIFF", b"WEBP" + riff(b"VP8X", bytes(9))), "image/webp"),
        (riff(b"RIFF", b"WEBP" + riff(b"VP8L", b"x") + b"VP8"), "image/webp"),
    ],
)
def test_with_wrong_frames_is_refused(data: bytes, kind: str) -> None:
    with pytest.raises(Malformed, match="is damaged at byte"):
        clean(data, kind)


@each
@given(data=st.data())
def test_cleaned_again_is_the_same(kind: str, data: st.DataObject) -> None:
    """Of pictures with any bytes overwritten: a refusal, or a picture that has nothing more to lose."""
    damaged = bytearray(TURNED[kind](exif(6)) if data.draw(st.booleans()) else WRITTEN[kind])
    for at in data.draw(st.lists(st.integers(12, len(damaged) - 1), max_size=6)):
        damaged[at] = data.draw(st.sampled_from((0, 1, 0xD9, 0xDA, 0xE1, 0xFF)) | st.integers(0, 255))
    try:
        once = clean(bytes(damaged), kind)
    except Malformed:
        return
    assert clean(once, kind) == once


@given(bodies=st.lists(st.tuples(st.sampled_from((0xC4, 0xDA, 0xE0, 0xE1, 0xE2, 0xFE)), st.binary(max_size=40))))
@example(bodies=[(0xDA, b"\xff"), (0xFE, b""), (0xDA, b"\xff\x00")])
def test_any_segments_cleaned_again_are_the_same(bodies: list[tuple[int, bytes]]) -> None:
    picture = b"\xff\xd8" + b"".join(segment(code, body) for code, body in bodies) + b"\xff\xd9"
    once = clean(picture, "image/jpeg")
    assert clean(once, "image/jpeg") == once
