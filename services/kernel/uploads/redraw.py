"""A separate program that decodes a picture and encodes only its pixels: `redraw.py TYPE PIXELS [AREA…] <picture >new`.

An area is `left,top,width,height` of the upright picture, in millionths, or in pixels with `px` behind it. Black is
drawn over it.

Only pixels pass, upright and in the colours of sRGB. The program runs apart from the service, since codecs read
whatever was sent. A defect in a codec, or a picture that takes all memory, ends only this program. It imports nothing
of the project, knows no secret, and ends with 0 or with one of the codes below.
"""

import contextlib
import io
import resource
import sys
import warnings
import zlib
from collections.abc import Sequence
from typing import IO, Any

from PIL import Image, ImageCms, ImageDraw, ImageFile, ImageOps, ImageSequence, JpegImagePlugin

FORMATS = {
    "image/jpeg": ("JPEG", "MPO"),
    "image/png": ("PNG",),
    "image/webp": ("WEBP",),
    "image/heic": ("JPEG", "HEIF", "AVIF"),
}
"""The formats that each type is read as. The first one is also written: browsers show JPEG, and not all show HEIC."""
DAMAGED, TOO_LARGE, TOO_COSTLY, OUTSIDE = 10, 11, 12, 14
ORIENTATION, QUARTERS = 0x0112, (5, 6, 7, 8)
"""The entry of EXIF that says how a picture is turned, and its values for a quarter turn."""
WHOLE = 1_000_000
"""The width and the height of a picture in the units of an area."""

LIMITS = {
    resource.RLIMIT_AS: 1_000_000_000,
    resource.RLIMIT_CPU: 60,
    resource.RLIMIT_FSIZE: 200_000_000,
    resource.RLIMIT_CORE: 0,
}
"""The most bytes of memory, seconds of a processor, and bytes of output."""


def main() -> None:
    """The program."""
    for limit, most in LIMITS.items():
        resource.setrlimit(limit, (most, most))
    Image.MAX_IMAGE_PIXELS = None  # our own limit
    warnings.simplefilter("ignore")
    try:
        sys.exit(redraw(sys.stdin.buffer, sys.stdout.buffer, sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
    except MemoryError:
        sys.exit(TOO_COSTLY)
    except Exception as error:  # noqa: BLE001  codecs raise whatever they like
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(TOO_COSTLY if "encod" in str(error) else DAMAGED)


def redraw(source: IO[bytes], target: IO[bytes], media_type: str, pixels: int, areas: Sequence[str] = ()) -> int:
    """Reads a file that can be rewound. Raises the errors of the codecs."""
    formats = FORMATS[media_type]
    if "HEIF" in formats:
        import pi_heif  # type: ignore[import-untyped]  # no other type needs it

        pi_heif.register_heif_opener()
    source.seek(0)
    if media_type == "image/png":
        _check_sums(source)  # decoding does not check all of them
        source.seek(0)
    if media_type == "image/webp" and (size := _webp_size(source))[0] * size[1] > pixels:
        return _too_many(*size)  # opening takes memory for the whole picture
    with Image.open(source, formats=formats) as picture:
        frames = 1 if formats[0] == "JPEG" else getattr(picture, "n_frames", 1)
        if picture.width * picture.height * frames > pixels:
            return _too_many(picture.width, picture.height)
        options = _options(picture, source, media_type)
        boxes = [_box(area, *_upright(picture)) for area in areas]
        if None in boxes:
            print(boxes.index(None) + 1, *_upright(picture), file=sys.stderr)
            return OUTSIDE
        if frames > 1:
            durations, shown = [], []
            for frame in ImageSequence.Iterator(picture):
                durations.append(frame.info.get("duration", 0))
                shown.append(_masked(_shown(frame.copy()), boxes))
            loop = picture.info.get("loop", 0)
            options |= {"save_all": True, "append_images": shown[1:], "duration": durations, "loop": loop}
        else:
            shown = [_masked(_shown(picture), boxes)]
        shown[0].save(target, formats[0], **options)
    return 0


def _too_many(width: int, height: int) -> int:
    print(f"{width} x {height}", file=sys.stderr)
    return TOO_LARGE


def _webp_size(source: IO[bytes]) -> tuple[int, int]:
    head = source.read(30)
    source.seek(0)
    number = int.from_bytes
    match head[12:16]:
        case b"VP8X":
            return 1 + number(head[24:27], "little"), 1 + number(head[27:30], "little")
        case b"VP8L":
            sides = number(head[21:25], "little")
            return 1 + (sides & 0x3FFF), 1 + (sides >> 14 & 0x3FFF)
        case _:
            return number(head[26:28], "little") & 0x3FFF, number(head[28:30], "little") & 0x3FFF


def _check_sums(source: IO[bytes]) -> None:
    """Reads the chunks of a PNG to its end. Raises `ValueError`."""
    source.seek(8)
    name = b""
    while name != b"IEND":
        size, name = int.from_bytes(source.read(4), "big"), source.read(4)
        total = zlib.crc32(name)
        while size > 0 and (part := source.read(min(size, 65_536))):
            total, size = zlib.crc32(part, total), size - len(part)
        if size or source.read(4) != total.to_bytes(4, "big"):
            raise ValueError(f"the chunk {name!r} breaks off, or its check sum is wrong")


def _options(picture: ImageFile.ImageFile, source: IO[bytes], media_type: str) -> dict[str, Any]:
    """The options of the encoding: those of the original, as far as they are known."""
    if media_type == "image/png":
        return {"compress_level": 3}
    if media_type == "image/webp":
        at = source.tell()
        source.seek(0)
        lossless = b"VP8L" in source.read(4096)
        source.seek(at)
        return {"lossless": True, "quality": 20} if lossless else {"quality": 90, "method": 2}
    if media_type == "image/heic":
        return {"quality": 90}
    options: dict[str, Any] = {"progressive": bool(picture.info.get("progressive"))}
    if isinstance(picture, JpegImagePlugin.JpegImageFile) and picture.mode in ("L", "RGB"):
        options["qtables"] = picture.quantization
        options["subsampling"] = JpegImagePlugin.get_sampling(picture)
    return options


def _shown(picture: Image.Image) -> Image.Image:
    """The picture itself, changed: only what it shows is left of it."""
    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    if profile := picture.info.get("icc_profile"):
        picture = _in_srgb(picture, profile)
    if picture.mode == "CMYK":
        picture = picture.convert("RGB")
    picture.info = {key: value for key, value in picture.info.items() if key == "transparency"}
    return picture


def _upright(picture: Image.Image) -> tuple[int, int]:
    """Width and height as somebody sees it."""
    turned = picture.getexif().get(ORIENTATION) in QUARTERS
    return (picture.height, picture.width) if turned else picture.size


def _box(area: str, width: int, height: int) -> tuple[int, int, int, int] | None:
    """The first and the last pixel that an area touches, or None if it goes beyond the picture."""
    numbers = [int(number) for number in area.removesuffix("px").split(",")]
    left, top, right, bottom = *numbers[:2], numbers[0] + numbers[2], numbers[1] + numbers[3]
    if not area.endswith("px"):
        left, right = left * width // WHOLE, -(-right * width // WHOLE)
        top, bottom = top * height // WHOLE, -(-bottom * height // WHOLE)
    return (left, top, right - 1, bottom - 1) if 0 <= left < right <= width and 0 <= top < bottom <= height else None


def _masked(picture: Image.Image, boxes: Sequence[Any]) -> Image.Image:
    """The picture with black over the boxes. A pixel that one touches is covered whole."""
    if not boxes:
        return picture
    picture = _opaque(picture)
    draw = ImageDraw.Draw(picture)
    for box in boxes:
        draw.rectangle(box, fill=0)
    return picture


def _opaque(picture: Image.Image) -> Image.Image:
    """The picture as it looks on white, in a mode that has black."""
    if picture.mode.startswith(("I", "F")):
        picture = picture.convert("F").point(lambda value: value / 256).convert("L")
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    picture = picture.convert("L" if picture.mode in ("1", "L") else "RGB")
    picture.info = {}
    return picture


def _in_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """With an unusable profile, the colours stay unchanged."""
    if picture.mode in ("P", "PA", "LA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGB" if picture.mode == "CMYK" else None
        return ImageCms.profileToProfile(picture, given, ImageCms.createProfile("sRGB"), outputMode=mode) or picture
    return picture


if __name__ == "__main__":
    main()
