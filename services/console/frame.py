"""Who is on duty now, until when, and who comes next: a line in the frame of every page.

It is asked for once in some seconds for each post that looks at pages, with the rights of that post. It never holds a
page up for long.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from schemas.fields import instant
from services.console.access.staff import Staff
from services.console.calls import Down, Refused
from services.console.rosters import week
from services.console.site import PAUSE, Site

LASTS = 10.0
"""Seconds for which the line may be old."""
PATIENCE = 1.5
"""Seconds for which a page waits for it."""
AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class OnDuty:
    """The line. `present` are duties that are taken up, and `following` the next one."""

    present: tuple[Mapping[str, Any], ...] = ()
    following: Mapping[str, Any] | None = None
    is_desk: bool = False
    """Whether the unit has a desk at all."""
    is_down: bool = False


async def on_duty(site: Site, me: Staff) -> OnDuty:
    """Who is on duty in the unit of the post that acts."""
    known, now = site.on_duty.get(me.post), time.monotonic()
    if known is None or known[1] < now:
        made = await _asked(site, me)
        site.on_duty[me.post] = known = made, time.monotonic() + (PAUSE if made.is_down else LASTS)
    found: OnDuty = known[0]
    return found


def forget(site: Site, unit: str) -> None:
    """Something was done at a desk: the next page asks anew."""
    for post in [one for one in site.on_duty if one.partition("@")[2] == unit]:
        del site.on_duty[post]


async def _asked(site: Site, me: Staff) -> OnDuty:
    now = site.now()
    span = {"since": instant(now), "until": instant(now + AHEAD)}
    try:
        async with asyncio.timeout(PATIENCE):
            found = await me.calls.get("/escalation/v1/roster", unit=me.unit, **span)
    except (Down, TimeoutError):
        return OnDuty(is_down=True)
    except Refused:
        return OnDuty()
    present = tuple(one for one in found["duties"] if one["by"] in found["on_duty"] and not one["handed_over"])
    is_desk = bool(found["revision"] or found["officer"] or found["uncovered"])
    return OnDuty(present, week.next_duty(found, now), is_desk)
