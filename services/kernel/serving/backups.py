"""The newest backup, as its folder says it."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from schemas.fields import parse_instant


class Newest(NamedTuple):
    """The last backup that was made and read again."""

    made: datetime
    lacks: int
    """How many parts it lacks, which were out of reach."""
    encrypted: bool


def newest(folder: Path) -> Newest | None:
    """What `last.json` says. None if it says nothing, or a time that is still to come, or of a backup that is gone."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads((folder / "last.json").read_bytes())
        made = parse_instant(told["made_at"])
        if made <= datetime.now(UTC) and (folder / told["folder"] / "manifest.json").is_file():
            return Newest(made, len(told["lacks"]), bool(told["encrypted"]))
    return None
