"""Pictures are decoded and encoded anew by a separate program (`redraw`), so only what they show remains.

Everything else is gone, wherever it stood: position, device, owner, time, comments, thumbnails, profiles, unknown
chunks, films after the picture's end.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, NamedTuple

from services.kernel.core.problems import Malformed, TooLarge
from services.kernel.uploads import apart

TYPES = ("image/jpeg", "image/png", "image/webp")


class Area(NamedTuple):
    """A part of an upright picture, in millionths of its width and height, from its upper left corner."""

    left: int
    top: int
    width: int
    height: int


@contextlib.contextmanager
def redrawn(file: IO[bytes], media_type: str, pixels: int, areas: Iterable[Area] = ()) -> Iterator[IO[bytes]]:
    """The redrawn picture, to be read from the start, with one colour over each area. It blocks: use `apart.THREADS`.

    Raises `Malformed` if the picture breaks off or is damaged. Raises `TooLarge` if it has more than `pixels` pixels or
    takes too much time or memory.
    """
    with tempfile.TemporaryFile() as new:
        drawn = (",".join(map(str, area)) for area in areas)
        code, says = apart.run("redraw.py", (media_type, str(pixels), *drawn), file, new)
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
