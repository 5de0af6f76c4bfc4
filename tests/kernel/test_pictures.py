"""What a picture shows is kept. Nothing else is ever stored."""

import io
import struct
import sys
import warnings
import zlib
from pathlib import Path

import pytest
from PIL import Image, ImageCms, ImageOps
from PIL.PngImagePlugin import PngInfo

from services.kernel.core.problems import Malformed, TooLarge
from services.kernel.uploads import apart, paginate, redraw, rewrite
from services.kernel.uploads.pictures import READ, TYPES, Area, redrawn

SECRET = b"Somebody's telephone, 30.5728 N 104.0668 E"
"""This text stands in every part that must be left out."""
PIXELS = 50_000_000
ORIENTATION = 0x0112
CODES = ("DAMAGED", "TOO_LARGE", "TOO_COSTLY", "NOT_TAKEN")


def exif(orientation: int | None = None) -> bytes:
    """EXIF as cameras write it: perhaps a turn, a maker, a position."""
    data = Image.Exif()
    data[0x010F] = SECRET.decode()
    if orientation is not None:
        data[ORIENTATION] = orientation
    data.get_ifd(0x8825)[1] = "N"
    return data.tobytes()


def profile() -> bytes:
    """A profile of sRGB with more than colours: the text stands in its own tag."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    data += SECRET
    data[:4] = struct.pack(">I", len(data))
    return bytes(data)


def drawn(width: int = 40, height: int = 24, colour: tuple[int, int, int] = (200, 30, 30)) -> Image.Image:
    """A red field with a blue corner, to see which way it is turned."""
    picture = Image.new("RGB", (width, height), colour)
    picture.paste((20, 20, 220), (0, 0, width // 4, height // 4))
    return picture


def encoded(kind: str, picture: Image.Image | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    usual: dict[str, object] = {"image/webp": {"lossless": True}}.get(kind, {})  # type: ignore[assignment]
    (picture or drawn()).save(file, redraw.FORMATS[kind][0], **{**usual, **options})  # type: ignore[arg-type]
    return file.getvalue()


def anew(data: bytes, kind: str) -> bytes:
    """Redraws in this process by the program's own code: fast, and without its limits."""
    new = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert redraw.redraw(io.BytesIO(data), new, kind, PIXELS) == 0
    return new.getvalue()


def by_program(path: Path, data: bytes, kind: str, pixels: int = PIXELS) -> bytes:
    """Redraws as the service does."""
    path.write_bytes(data)
    with path.open("rb+") as file, redrawn(file, kind, pixels) as new:
        return new.read()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(*more: bytes, picture: Image.Image | None = None) -> bytes:
    """A PNG with these chunks before its pixels."""
    data = encoded("image/png", picture)
    return data[:33] + b"".join(more) + data[33:]


def segment(code: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, 2 + len(body)) + body


def riff(name: bytes, body: bytes) -> bytes:
    return struct.pack("<4sI", name, len(body)) + body + bytes(len(body) % 2)


def _taken() -> bytes:
    """A JPEG as a telephone makes it, with some data in every possible place."""
    data = encoded("image/jpeg", exif=exif(), icc_profile=profile(), comment=SECRET, xmp=SECRET)
    thumbnail = segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\x07\2" + (SECRET * 2)[:42])
    more = (
        segment(0xE0, b"JFXX\0\x10" + SECRET),
        segment(0xE2, b"MPF\0" + SECRET),
        segment(0xED, b"Photoshop 3.0\0" + SECRET),
        segment(0xE9, SECRET),
    )
    return data[:2] + thumbnail + b"".join(more) + data[2:] + SECRET


def _written_png() -> bytes:
    info = PngInfo()
    info.add_text("Author", SECRET.decode())
    info.add_text("Comment", SECRET.decode(), zip=True)
    info.add_itxt("Title", SECRET.decode())
    data = encoded("image/png", pnginfo=info, exif=exif(), icc_profile=profile())
    return data[:33] + chunk(b"prVt", SECRET) + chunk(b"tIME", b"\x07\xe7\1\1\1\1\1") + data[33:] + SECRET


def _written_webp() -> bytes:
    data = encoded("image/webp", exif=exif(), icc_profile=profile(), xmp=SECRET)
    return riff(b"RIFF", data[8:] + riff(b"odd ", SECRET)) + SECRET


WRITTEN = {"image/jpeg": _taken(), "image/png": _written_png(), "image/webp": _written_webp()}
PLAIN = {kind: anew(encoded(kind), kind) for kind in TYPES}
JPEG, PNG = PLAIN["image/jpeg"], PLAIN["image/png"]
"""Pictures with nothing but pixels."""
TAKEN = WRITTEN["image/jpeg"]

each = pytest.mark.parametrize("kind", TYPES)


def opened(data: bytes) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a JPEG that says wrongly that further pictures follow
        picture = Image.open(io.BytesIO(data))
        picture.load()
    return picture


def inflated(data: bytes) -> bytes:
    """The file, and the contents of the packed chunks of a PNG."""
    packed = [data[at:] for at in range(len(data)) if data[at : at + 1] == b"\x78"]
    out = data
    for rest in packed:
        try:
            out += zlib.decompressobj().decompress(rest)
        except zlib.error:
            continue
    return out


@each
def test_keeps_what_shows_it_and_nothing_else(kind: str, tmp_path: Path) -> None:
    assert SECRET in inflated(WRITTEN[kind])
    new = by_program(tmp_path / "picture", WRITTEN[kind], kind)
    assert SECRET not in inflated(new)
    before, after = opened(WRITTEN[kind]), opened(new)
    assert not {"exif", "icc_profile", "comment", "xmp", "Author", "Comment", "Title"} & after.info.keys()
    pairs = zip(after.convert("RGB").tobytes(), before.convert("RGB").tobytes(), strict=True)
    apart = [abs(one - other) for one, other in pairs]
    assert sum(apart) <= (3 * len(apart) if kind == "image/jpeg" else 0)


@pytest.mark.parametrize("kind", ["image/png", "image/webp"])
def test_drawn_again_is_the_same(kind: str) -> None:
    assert anew(PLAIN[kind], kind) == PLAIN[kind]


@each
@pytest.mark.parametrize("orientation", range(1, 9))
def test_is_upright_without_saying_so(kind: str, orientation: int) -> None:
    given = opened(encoded(kind, exif=exif(orientation), **({"quality": 95} if kind == "image/jpeg" else {})))
    after = opened(anew(encoded(kind, exif=exif(orientation)), kind))
    upright = ImageOps.exif_transpose(given)
    assert after.size == upright.size
    assert after.getexif().get(ORIENTATION) is None
    for at in ((1, 1), (after.width - 2, 1), (1, after.height - 2), (after.width - 2, after.height - 2)):
        pairs = zip(after.convert("RGB").getpixel(at), upright.convert("RGB").getpixel(at), strict=True)  # type: ignore[arg-type]
        assert all(abs(one - other) < 40 for one, other in pairs), at


def test_a_jpeg_keeps_its_quality() -> None:
    for quality in (30, 75, 95):
        sent = encoded("image/jpeg", quality=quality)
        assert opened(anew(sent, "image/jpeg")).quantization == opened(sent).quantization  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "mode"),
    [
        *(("image/jpeg", mode) for mode in ("L", "CMYK")),
        *(("image/png", mode) for mode in ("1", "L", "P", "LA", "RGBA", "I;16")),
        ("image/webp", "RGBA"),
    ],
)
def test_of_any_mode_is_taken(kind: str, mode: str) -> None:
    sent = encoded(kind, drawn().convert("L" if mode == "I;16" else mode).convert(mode), icc_profile=profile())
    assert opened(anew(sent, kind)).size == (40, 24)


def test_keeps_what_is_transparent() -> None:
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    assert opened(anew(encoded("image/png", clear), "image/png")).convert("RGBA").getpixel((1, 1)) == (0, 0, 0, 0)
    masked = encoded("image/png", Image.new("RGB", (8, 8), (9, 9, 9)), transparency=(9, 9, 9))
    assert opened(anew(masked, "image/png")).convert("RGBA").getpixel((1, 1))[3] == 0  # type: ignore[index]


def test_with_a_broken_profile_keeps_its_colours() -> None:
    new = opened(anew(encoded("image/png", icc_profile=SECRET), "image/png"))
    assert new.getpixel((30, 20)) == (200, 30, 30)
    assert "icc_profile" not in new.info


@pytest.mark.parametrize("kind", ["image/png", "image/webp"])
def test_that_moves_goes_on_moving(kind: str) -> None:
    frames = [drawn(colour=(shade, 0, 0)) for shade in (50, 150, 250)]
    sent = encoded(kind, frames[0], save_all=True, append_images=frames[1:], duration=[40, 80, 120], loop=0)
    new = opened(anew(sent, kind))
    assert new.n_frames == 3  # type: ignore[attr-defined]
    new.seek(2)
    assert new.convert("RGB").getpixel((30, 20)) == (250, 0, 0)


@each
def test_that_breaks_off_is_refused(kind: str, tmp_path: Path) -> None:
    whole = PLAIN[kind]
    for size in (20, len(whole) // 2, len(whole) - 3):
        with pytest.raises(Malformed, match="breaks off or is damaged"):
            by_program(tmp_path / "picture", whole[:size], kind)


@pytest.mark.parametrize("name", [b"IHDR", b"IDAT", b"IEND"])
def test_a_png_with_a_wrong_check_sum_is_refused(name: bytes, tmp_path: Path) -> None:
    data = bytearray(PNG)
    at = PNG.index(name)
    size = int.from_bytes(PNG[at - 4 : at], "big")
    data[at + 4 + size] ^= 1
    with pytest.raises(Malformed, match="breaks off or is damaged"):
        by_program(tmp_path / "picture", bytes(data), "image/png")


def _lossless(side: int) -> bytes:
    """The head of a VP8L picture with this width and height."""
    return b"\x2f" + struct.pack("<I", side - 1 | (side - 1) << 14)


def sized(kind: str, width: int, height: int) -> bytes:
    """A small file whose header claims this size."""
    data = bytearray(PLAIN[kind])
    if kind == "image/png":
        head = struct.pack(">II", width, height) + PNG[24:29]
        return PNG[:8] + chunk(b"IHDR", head) + PNG[33:]
    if kind == "image/jpeg":
        at = next(at for at in range(len(data)) if data[at] == 0xFF and data[at + 1] in (0xC0, 0xC2))
        data[at + 5 : at + 9] = struct.pack(">HH", height, width)
        return bytes(data)
    return b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8L" + struct.pack("<I", 18) + _lossless(16_384) + bytes(13)


@each
def test_with_too_many_pixels_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match=r"pixels; at most 50000000 are allowed. Send a smaller copy"):
        by_program(tmp_path / "picture", sized(kind, 60_000, 60_000), kind)


def test_all_frames_count(tmp_path: Path) -> None:
    frames = [drawn(100, 100, (shade, 0, 0)) for shade in range(0, 250, 50)]
    sent = encoded("image/png", frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(TooLarge, match="at most 40000"):
        by_program(tmp_path / "picture", sent, "image/png", pixels=40_000)


@pytest.mark.parametrize(
    ("does", "raises"),
    [
        ("import os; os.kill(os.getpid(), 9)", TooLarge),
        ("import os; os.kill(os.getpid(), 11)", Malformed),
        ("import os; os.kill(os.getpid(), 24)", TooLarge),
        ("import time; time.sleep(60)", TooLarge),
        ("import that_is_not_installed", RuntimeError),
        ("import os, sys; sys.exit(0 if not set(os.environ) - {'LC_CTYPE'} else 10)", None),
    ],
)
def test_a_program_that_fails_harms_nothing(
    does: str, raises: type[Exception] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apart, "PYTHON", (sys.executable, "-I", "-c", does))
    monkeypatch.setattr(apart, "SECONDS", 1)
    monkeypatch.setenv("HUIYING_SECRET", "secret")
    if raises is None:
        assert by_program(tmp_path / "picture", PNG, "image/png") == b""
        return
    with pytest.raises(raises):
        by_program(tmp_path / "picture", PNG, "image/png")


def test_the_codes_are_the_programs() -> None:
    for program, names in ((redraw, (*CODES[:3], "OUTSIDE")), (rewrite, CODES), (paginate, (*CODES, "OUTSIDE"))):
        assert [getattr(apart, name) for name in names] == [getattr(program, name) for name in names]
    assert tuple(redraw.FORMATS) == tuple(READ)
    assert set(TYPES) < set(READ)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16"])
def test_nothing_of_a_covered_area_is_left(mode: str, tmp_path: Path) -> None:
    sent = Image.new(mode, (40, 20), 51_200) if mode == "I;16" else Image.new("L", (40, 20), 255).convert(mode)
    new = Image.open(io.BytesIO(_covered(tmp_path, sent, Area(250_000, 500_000, 250_000, 250_000))))
    shown = new.convert("L")
    covered = {(left, top) for left in range(40) for top in range(20) if shown.getpixel((left, top)) == 0}
    assert covered == {(left, top) for left in range(10, 20) for top in range(10, 15)}


def test_a_pixel_that_an_area_touches_is_covered_whole(tmp_path: Path) -> None:
    new = Image.open(io.BytesIO(_covered(tmp_path, Image.new("L", (10, 10), 200), Area(150_001, 0, 100_000, 1))))
    assert [new.getpixel((left, 0)) for left in range(4)] == [200, 0, 0, 200]
    assert new.getpixel((1, 1)) == 200


def test_what_lies_below_transparent_pixels_does_not_come_out(tmp_path: Path) -> None:
    hidden = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    new = Image.open(io.BytesIO(_covered(tmp_path, hidden, Area(0, 0, 1, 1))))
    assert new.getpixel((5, 5)) == (255, 255, 255)


def _covered(folder: Path, picture: Image.Image, area: Area) -> bytes:
    path = folder / "picture"
    path.write_bytes(encoded("image/png", picture))
    with path.open("rb+") as file, redrawn(file, "image/png", PIXELS, [area]) as new:
        return new.read()
