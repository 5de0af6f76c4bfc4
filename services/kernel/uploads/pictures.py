"""Pictures are decoded and encoded anew by a separate program (`redraw`), so only what they show remains.

Everything else is gone, wherever it stood: position, device, owner, time, comments, thumbnails, profiles, unknown
chunks, films after the picture's end.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from services.kernel.core.problems import Malformed, TooLarge
from services.kernel.uploads import apart, contents

TYPES = ("image/jpeg", "image/png", "image/webp")
"""The types that are kept as they are."""
READ = {kind: kind for kind in TYPES} | {contents.HEIF: "image/jpeg"}
"""The types that can be read, each with the type that is kept of it."""


class Area(NamedTuple):
    """A part of an upright picture, in millionths of its width and height, from its upper left corner."""

    left: int
    top: int
    width: int
    height: int

    def __str__(self) -> str:
        return ",".join(map(str, self))


class Box(NamedTuple):
    """A part of an upright picture, in pixels from its upper left corner."""

    x: int
    y: int
    w: int
    h: int

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.w},{self.h}px"


@contextlib.contextmanager
def redrawn(file: IO[bytes], media_type: str, pixels: int, areas: Iterable[Area | Box] = ()) -> Iterator[IO[bytes]]:
    """The redrawn picture, to be read from the start, with black over each area. It blocks: use `apart.THREADS`.

    Raises `Malformed` if the picture breaks off or is damaged, or if an area goes beyond it. Raises `TooLarge` if it
    has more than `pixels` pixels or takes too much time or memory.
    """
    with tempfile.TemporaryFile() as new:
        code, says = apart.run("redraw.py", (media_type, str(pixels), *map(str, areas)), file, new)
        if code == apart.OUTSIDE:
            number, width, height = map(int, says.split())
            raise outside(number, width, height)
        if code == apart.TOO_LARGE:
            raise TooLarge(
                f"the picture has {says} pixels; at most {pixels} are allowed. Send a smaller copy",
                code="picture-too-large",
                limit=pixels,
            )
        if code == apart.TOO_COSTLY:
            raise TooLarge(
                "the picture takes too much time or memory; send a smaller copy", code="picture-too-large", limit=pixels
            )
        if code:
            kind = media_type.rpartition("/")[2].upper()
            raise Malformed(
                f"the {kind} picture breaks off or is damaged; send it again, whole", code="picture-damaged", kind=kind
            )
        new.seek(0)
        yield new


def outside(number: int, width: int, height: int, where: str = "the picture") -> Malformed:
    """A box, counted from 1, that goes beyond a picture or a page of this size."""
    return Malformed(
        f"box {number} goes beyond {where}, which is {width} x {height} pixels when it stands upright; "
        "end it at its edge",
        code="redaction-outside",
        field=f"redactions.{number - 1}",
        number=number,
        width=width,
        height=height,
    )
