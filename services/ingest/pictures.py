"""Pictures as they show themselves and nothing else: decoded and encoded anew by a program of its own (`redraw`).

So everything else is gone, wherever it stood: position, device, owner, time, comments, small copies, profiles, chunks
that nobody knows, films behind the picture's end.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from services.kernel.core.problems import Malformed, TooLarge

TYPES = ("image/jpeg", "image/png", "image/webp")
DAMAGED, TOO_MANY_PIXELS, TOO_COSTLY = 10, 11, 12
"""How `redraw.py` ends."""
SECONDS = 180
"""For which one is waited for."""
THREADS = ThreadPoolExecutor(2, "pictures")
"""Programs that run at the same time, and no more: each may take a gigabyte."""

_PROGRAM = (sys.executable, "-I", str(Path(__file__).with_name("redraw.py")))


@contextlib.contextmanager
def redrawn(file: IO[bytes], media_type: str, pixels: int) -> Iterator[IO[bytes]]:
    """The picture anew, to be read from the start. Blocks: to be called in one of `THREADS`.

    Raises `Malformed` where it breaks off or is damaged, `TooLarge` where it has more than `pixels` pixels or takes too
    much time or memory.
    """
    with tempfile.TemporaryFile() as new:
        file.flush()
        code, says = _run(file, new, media_type, pixels)
        if code == TOO_MANY_PIXELS:
            raise TooLarge(
                f"the picture has {says} pixels, and at most {pixels} are taken; send a smaller copy",
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


def _run(file: IO[bytes], new: IO[bytes], media_type: str, pixels: int) -> tuple[int, str]:
    """How the program ended, and what it said. It gets nothing of the service's environment."""
    command = (*_PROGRAM, media_type, str(pixels))
    try:
        ended = subprocess.run(  # noqa: S603  our own program; of the request it gets a type of ours
            command, stdin=file, stdout=new, stderr=subprocess.PIPE, env={}, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return TOO_COSTLY, ""
    killed = ended.returncode in (-9, -24, -25)  # SIGKILL, SIGXCPU, SIGXFSZ: a limit was reached
    return TOO_COSTLY if killed else ended.returncode, ended.stderr.decode(errors="replace").strip()
