"""How old the newest backup is, as its folder says it."""

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from schemas.fields import parse_instant


def newest(folder: Path) -> datetime | None:
    """When the newest whole backup below a folder was made. A backup is a folder with a `manifest.json`.

    None if there is none, or if none can be read.
    """
    made = []
    with suppress(OSError):
        for manifest in folder.glob("*/manifest.json"):
            with suppress(OSError, ValueError, KeyError, TypeError):
                made.append(parse_instant(json.loads(manifest.read_bytes())["made_at"]))
    return max(made, default=None)
