"""A separate program that draws the pages of a PDF: `paginate.py PAGES ONLY [BOX…] <document >new`.

It writes a PDF whose pages are pictures of the pages that were sent; of the page ONLY, from 1, it writes a JPEG alone.
A box is `page:x,y,width,height` in pixels of the drawn page, which has 150 to an inch, or fewer if it is very large.
Black is drawn over it. What no page shows does not pass: texts below something else, earlier versions, layers that are
switched off, scripts, embedded files, author and times. The program imports nothing of the project, knows no secret,
and ends with 0 or with one of the codes below. Its last line says how many pages there are, or what is wrong.
"""

import io
import math
import resource
import sys
from collections.abc import Sequence
from typing import IO, Any

from PIL import Image, ImageDraw
from pypdf import PdfWriter
from pypdf.generic import (
    DictionaryObject,
    EncodedStreamObject,
    NameObject,
    NumberObject,
    StreamObject,
)
from pypdfium2 import PdfDocument, PdfiumError

DAMAGED, TOO_LARGE, TOO_COSTLY, NOT_TAKEN, OUTSIDE = 10, 11, 12, 13, 14
LIMITS = {
    resource.RLIMIT_AS: 1_500_000_000,
    resource.RLIMIT_CPU: 90,
    resource.RLIMIT_FSIZE: 200_000_000,
    resource.RLIMIT_CORE: 0,
}
"""The most bytes of memory, seconds of a processor, and bytes of output."""
POINTS, INCH = 72, 150
"""Units of a page, and pixels of its picture, to an inch."""
PIXELS, SIDE = 8_000_000, 16_000
"""The most pixels of a page, and of one of its sides."""
QUALITY = 85
LOCKED = 4
"""PDFium's number for a document with a password."""


def main() -> None:
    """The program."""
    for limit, most in LIMITS.items():
        resource.setrlimit(limit, (most, most))
    try:
        sys.exit(paginate(sys.stdin.buffer, sys.stdout.buffer, int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
    except MemoryError:
        sys.exit(TOO_COSTLY)
    except Exception as error:  # noqa: BLE001  a reader of PDF raises whatever it likes
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(DAMAGED)


def paginate(source: IO[bytes], target: IO[bytes], pages: int, only: int = 0, boxes: Sequence[str] = ()) -> int:
    """Reads a file that can be rewound; `only` is 0 for all pages. Raises the errors of the reader."""
    source.seek(0)
    try:
        document = PdfDocument(source.read())
    except PdfiumError as error:
        if getattr(error, "err_code", None) != LOCKED:
            raise
        print("locked", file=sys.stderr)
        return NOT_TAKEN
    count = len(document)
    if count > pages:
        print(count, file=sys.stderr)
        return TOO_LARGE
    if count == 0:
        return DAMAGED
    document.init_forms()  # what was filled in is shown, too
    covered: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    for number, box in enumerate(boxes, 1):
        page, _, numbers = box.partition(":")
        covered.setdefault(int(page), []).append((number, tuple(map(int, numbers.split(",")))))
    if absent := sorted(number for page, several in covered.items() if page > count for number, _ in several):
        print("page", absent[0], count, file=sys.stderr)
        return OUTSIDE
    if only > count:
        print("page", 0, count, file=sys.stderr)
        return OUTSIDE
    print(count, file=sys.stderr)
    writer = PdfWriter()
    for at in [only] if only else range(1, count + 1):
        width, height = document[at - 1].get_size()
        picture = _drawn(document[at - 1], width, height)
        draw = ImageDraw.Draw(picture)
        for number, (x, y, w, h) in covered.get(at, ()):
            if not (0 <= x < x + w <= picture.width and 0 <= y < y + h <= picture.height):
                print("box", number, at, *picture.size, file=sys.stderr)
                return OUTSIDE
            draw.rectangle((x, y, x + w - 1, y + h - 1), fill=0)
        jpeg = io.BytesIO()
        picture.save(jpeg, "JPEG", quality=QUALITY)
        if only:
            target.write(jpeg.getvalue())
            return 0
        _add(writer, jpeg.getvalue(), picture, width, height)
    writer.metadata = None
    writer.write(target)
    return 0


def _drawn(page: Any, width: float, height: float) -> Image.Image:
    """The page as readers see it, in grey if it has no colours."""
    scale = min(INCH / POINTS, math.sqrt(PIXELS / (width * height)), SIDE / max(width, height))
    picture: Image.Image = page.render(scale=scale).to_pil().convert("RGB")
    bands = picture.split()
    return bands[0] if bands[0].tobytes() == bands[1].tobytes() == bands[2].tobytes() else picture


def _add(writer: PdfWriter, jpeg: bytes, picture: Image.Image, width: float, height: float) -> None:
    """A page that shows only this picture."""
    page = writer.add_blank_page(width, height)
    image = EncodedStreamObject()
    image._data = jpeg  # noqa: SLF001  encoded already
    image.update(
        {
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Image"),
            NameObject("/Width"): NumberObject(picture.width),
            NameObject("/Height"): NumberObject(picture.height),
            NameObject("/ColorSpace"): NameObject("/DeviceGray" if picture.mode == "L" else "/DeviceRGB"),
            NameObject("/BitsPerComponent"): NumberObject(8),
            NameObject("/Filter"): NameObject("/DCTDecode"),
        }
    )
    shown = StreamObject()
    shown._data = f"q {width:.4f} 0 0 {height:.4f} 0 0 cm /P Do Q".encode()  # noqa: SLF001
    named = DictionaryObject({NameObject("/P"): writer._add_object(image)})  # noqa: SLF001
    page[NameObject("/Resources")] = DictionaryObject({NameObject("/XObject"): named})
    page[NameObject("/Contents")] = writer._add_object(shown)  # noqa: SLF001


if __name__ == "__main__":
    main()
