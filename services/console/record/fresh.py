"""What audit holds, right after something was done: the record takes a moment to hold it."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from services.console.access.staff import Staff
from services.console.calls import Refused

SOON, STEP = 3.0, 0.1
"""So many seconds a page waits for the record, and how often it asks."""


async def fresh(
    me: Staff, path: str, is_shown: Callable[[Mapping[str, Any]], bool], *, waits: bool, **asked: str
) -> Mapping[str, Any]:
    """The answer at a path. If it `waits`, it asks until the answer `is_shown` whole, as long as there may be one soon.

    Raises `Refused`.
    """
    last = time.monotonic() + (SOON if waits else 0)
    while True:
        answer = await me.calls.send("GET", path, params=asked)
        if (answer.ok and is_shown(answer.body)) or time.monotonic() >= last:
            break
        await asyncio.sleep(STEP)
    if not answer.ok:
        raise Refused(answer)
    return answer.body  # type: ignore[no-any-return]
