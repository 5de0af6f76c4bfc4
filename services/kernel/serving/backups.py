"""How old the newest backup is, as its folder says it."""

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from schemas.fields import parse_instant


def newest(folder: Path) -> datetime | None:
    """When the newest whole backup was made: `last.json` says it, else the `manifest.json` of each backup below.

    None if there is none, or if none can be read.
    """
    made = []
    with suppress(OSError):
        for told in (folder / "last.json", *folder.glob("*/manifest.json")):
            with suppress(OSError, ValueError, KeyError, TypeError):
                made.append(parse_instant(json.loads(told.read_bytes())["made_at"]))
    return max(made, default=None)
