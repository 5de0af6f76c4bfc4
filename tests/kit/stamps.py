"""On what each decided event rests, as `stamps.txt` has it: the pack, the tree of units, other streams, another unit.

Tests of deciders compare facts; this compares the rest. `HUIYING_STAMPS=write pytest ...` adds what is new to the file,
and whoever reviews a change sees it there.
"""

import functools
import os
from pathlib import Path
from typing import Any

from services.kernel.core.decider import Ctx, Occurred

FILE = Path(__file__).with_name("stamps.txt")
SEPARATOR = " | "


@functools.cache
def known() -> set[str]:
    """The lines of the file: stream, command, event, and on what it rests."""
    return set(FILE.read_text().splitlines())


def stamp(kind: str, command: Any, item: Any, ctx: Ctx) -> str:
    """The line of a decided event."""
    rests = []
    if isinstance(item, Occurred):
        tree = set(ctx.offices.basis)
        rests = [
            *(["pack"] if item.policy in ctx.offices.packs else ["other pack"] if item.policy else []),
            *(["units"] if tree and tree <= set(item.basis) else []),
            *(["streams"] if set(item.basis) - tree else []),
            *(["own unit"] if item.unit and item.unit == ctx.actor.unit else ["other unit"] if item.unit else []),
            *(["time"] if item.time and item.time != ctx.now else []),
        ]
    data = item.data if isinstance(item, Occurred) else item
    return SEPARATOR.join((kind, type(command).__name__, type(data).__name__, ", ".join(rests) or "nothing"))


def must_be_known(kind: str, command: Any, item: Any, ctx: Ctx) -> None:
    """Checks that an event of this command was seen to rest on this before."""
    line = stamp(kind, command, item, ctx)
    if line in known():
        return
    assert os.environ.get("HUIYING_STAMPS") == "write", f"{FILE.name} does not know {line!r}"
    known().add(line)
    FILE.write_text("".join(f"{one}\n" for one in sorted(known())))
