"""Runs a program of this room apart from the service, which is safe from what a codec does with what was sent."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

DAMAGED, TOO_LARGE, TOO_COSTLY, NOT_TAKEN, OUTSIDE = 10, 11, 12, 13, 14
"""The exit codes of the programs."""
SECONDS = 180
"""A file may take this many seconds."""
THREADS = ThreadPoolExecutor(2, "apart")
"""At most this many programs run at the same time. Each may take a gigabyte."""
PYTHON = (sys.executable, "-I")


def run(
    program: str, arguments: Iterable[str], file: IO[bytes], new: IO[bytes], beside: Sequence[int] = ()
) -> tuple[int, str]:
    """0 or one of the codes, and what `program` says. It reads `file`, writes `new` and may write `beside`.

    It blocks: call it in one of `THREADS`. It gets nothing of the service's environment. Raises `RuntimeError` if the
    program has a defect.
    """
    file.flush()
    command = (*PYTHON, str(Path(__file__).with_name(program)), *arguments)
    try:
        ended = subprocess.run(  # noqa: S603  our own program; of the request it gets values that we checked
            command,
            stdin=file,
            stdout=new,
            stderr=subprocess.PIPE,
            env={},
            timeout=SECONDS,
            check=False,
            pass_fds=beside,
        )
    except subprocess.TimeoutExpired:
        return TOO_COSTLY, ""
    code, says = ended.returncode, ended.stderr.decode(errors="replace").strip()
    if code in (-9, -24, -25):  # SIGKILL, SIGXCPU, SIGXFSZ: a limit was reached
        return TOO_COSTLY, says
    if code > 0 and code not in (DAMAGED, TOO_LARGE, TOO_COSTLY, NOT_TAKEN, OUTSIDE):
        raise RuntimeError(f"{program} ended with {code}: {says}")
    return (DAMAGED if code < 0 else code), says
