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


def newest(folder: Path, deployment: str) -> Newest | None:
    """What `last.json` says of a deployment. None if nothing, a time still to come, or a backup that is gone."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads((folder / "last.json").read_bytes())[deployment]
        made = parse_instant(told["made_at"])
        if made <= datetime.now(UTC) and (folder / told["folder"] / "manifest.json").is_file():
            return Newest(made, len(told["lacks"]), bool(told["encrypted"]))
    return None
