"""Pictures are decoded and encoded anew by a separate program (`redraw`), so only what they show remains.

Everything else is gone, wherever it stood: position, device, owner, time, comments, thumbnails, profiles, unknown
chunks, films after the picture's end.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, NamedTuple

from services.kernel.core.problems import Malformed, TooLarge

TYPES = ("image/jpeg", "image/png", "image/webp")
DAMAGED, TOO_MANY_PIXELS, TOO_COSTLY = 10, 11, 12
"""The exit codes of `redraw.py`."""
SECONDS = 180
"""A picture may take this many seconds."""
THREADS = ThreadPoolExecutor(2, "pictures")
"""At most this many programs run at the same time. Each may take a gigabyte."""


class Area(NamedTuple):
    """A part of an upright picture, in millionths of its width and height, from its upper left corner."""

    left: int
    top: int
    width: int
    height: int


_PROGRAM = (sys.executable, "-I", str(Path(__file__).with_name("redraw.py")))


@contextlib.contextmanager
def redrawn(file: IO[bytes], media_type: str, pixels: int, areas: Iterable[Area] = ()) -> Iterator[IO[bytes]]:
    """The redrawn picture, to be read from the start, with one colour over each area. It blocks: use `THREADS`.

    Raises `Malformed` if the picture breaks off or is damaged. Raises `TooLarge` if it has more than `pixels` pixels or
    takes too much time or memory.
    """
    with tempfile.TemporaryFile() as new:
        file.flush()
        code, says = _run(file, new, media_type, pixels, areas)
        if code == TOO_MANY_PIXELS:
            raise TooLarge(
                f"the picture has {says} pixels; at most {pixels} are allowed. Send a smaller copy",
                code="picture-too-large",
                limit=pixels,
            )
        if code == TOO_COSTLY:
            raise TooLarge(
                "the picture takes too much time or memory; send a smaller copy", code="picture-too-large", limit=pixels
            )
        if code > 0 and code != DAMAGED:
            raise RuntimeError(f"the program that draws pictures ended with {code}: {says}")
        if code:
            kind = media_type.rpartition("/")[2].upper()
            raise Malformed(
                f"the {kind} picture breaks off or is damaged; send it again, whole", code="picture-damaged", kind=kind
            )
        new.seek(0)
        yield new


def _run(file: IO[bytes], new: IO[bytes], media_type: str, pixels: int, areas: Iterable[Area]) -> tuple[int, str]:
    """The program's exit code and output. It gets nothing of the service's environment."""
    command = (*_PROGRAM, media_type, str(pixels), *(",".join(map(str, area)) for area in areas))
    try:
        ended = subprocess.run(  # noqa: S603  our own program; of the request it gets a type of ours
            command, stdin=file, stdout=new, stderr=subprocess.PIPE, env={}, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return TOO_COSTLY, ""
    killed = ended.returncode in (-9, -24, -25)  # SIGKILL, SIGXCPU, SIGXFSZ: a limit was reached
    return TOO_COSTLY if killed else ended.returncode, ended.stderr.decode(errors="replace").strip()
