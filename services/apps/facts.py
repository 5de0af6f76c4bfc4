"""The facts of a matter from a file."""

import sys
from pathlib import Path

from services.escalation.trying import facts
from services.escalation.trying.facts import MAX_BYTES, Facts


def read(path: Path) -> Facts:
    """The facts of a JSON file; `-` is the standard input. Raises `Unfit` with all faults, or `OSError`."""
    if path == Path("-"):
        return facts.loads(sys.stdin.buffer.read(MAX_BYTES + 1), "-")
    with path.open("rb") as file:
        return facts.loads(file.read(MAX_BYTES + 1), str(path))
