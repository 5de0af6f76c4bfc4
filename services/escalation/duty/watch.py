"""Watches the desks: gaps before and when they begin, duties that nobody took up, ends of duties.

It is a part of the timer loop. A desk is looked at again when its roster or the offices changed, and when time alone
brings something. What it remembers is lost at a restart, and then all desks are looked at.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from schemas.fields import parse_instant
from services.escalation import seen
from services.escalation.commands import CountArrivals, ReviewRoster
from services.escalation.duty import roster, surges
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Unavailable
from services.kernel.core.units import Offices
from services.kernel.delivery.log import LogGone, OffsetOutOfRange
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands
from services.kernel.serving.commands import Answer, Caller
from services.kernel.store import failures
from services.kernel.store.session import Session

OFTEN = timedelta(minutes=1)
"""How often arrivals are compared."""
AGAIN = timedelta(seconds=30)
"""The time before a desk is looked at again that could not be looked at."""


class Looked(NamedTuple):
    """A desk as it was looked at, and when to look again."""

    version: int
    basis: tuple[str, ...]
    wakes: datetime


@dataclass(slots=True)
class Desks:
    """The desks that were looked at."""

    looked: dict[str, Looked] = field(default_factory=dict)
    counted: datetime | None = None
    """When arrivals were last compared."""


async def turn(runtime: Runtime, desks: Desks) -> None:
    """Looks at the desks for which it is time."""
    now = runtime.time_source.now()
    async with runtime.database.read() as connection:
        offices = await runtime.offices(connection)
        begun = await seen.desks(connection)
    due = [
        unit
        for unit in sorted({*begun, *offices.officers})
        if unit in offices.units and not _rests(desks.looked.get(unit), begun.get(unit, 0), offices.basis, now)
    ]
    if due:
        await _look_at(runtime, desks, due)
    if desks.counted is None or not desks.counted <= now < desks.counted + OFTEN:
        await _compare(runtime, offices, now)
        desks.counted = now


async def _compare(runtime: Runtime, offices: Offices, now: datetime) -> None:
    """Compares what came in lately with what is usual, where something came in lately."""
    rules = [pack.model.surge for pack in offices.packs.values() if pack.model.surge]
    if not rules:
        return
    lately = min(surges.begin(rule, now) for rule in rules)
    since = lately - max(min(rule.compared_over, surges.LONGEST) for rule in rules)
    async with runtime.database.read() as connection:
        rows = await seen.arrivals(connection, since, lately, min(rule.at_least for rule in rules))
    of = defaultdict[str, list[tuple[str, str, datetime, int]]](list)
    matters = defaultdict[str, dict[str, str]](dict)
    for row in sorted(rows, key=itemgetter("hour")):
        if row["by"] == "place":
            matters[row["unit"]][row["code"]] = row["incident_id"]
        of[row["unit"]].append((row["by"], row["code"], parse_instant(row["hour"]), row["reports"]))
    if not of:
        return

    async def count(units: Collection[str]) -> None:
        async def act(session: Session, ctx: Ctx) -> Answer:
            streams = {unit: surges.stream_of_unit(unit) for unit in units}
            await session.load(streams.values())
            for unit, stream in streams.items():
                if not session.streams[stream].held:
                    came = CountArrivals(unit=unit, arrivals=tuple(of[unit]), matters=matters[unit])
                    session.decide(stream, came, ctx)
            return Answer({})

        await commands.transact(runtime, Caller(), act)

    await _for_all(runtime, sorted(of), count)


def _rests(known: Looked | None, version: int, basis: tuple[str, ...], now: datetime) -> bool:
    return known is not None and (known.version, known.basis) == (version, basis) and now < known.wakes


async def _look_at(runtime: Runtime, desks: Desks, units: Collection[str]) -> None:
    failed = await _for_all(runtime, units, partial(_look, runtime, desks))
    if failed:
        now = runtime.time_source.now()
        async with runtime.database.read() as connection:
            offices, begun = await runtime.offices(connection), await seen.desks(connection)
        desks.looked |= {unit: Looked(begun.get(unit, 0), offices.basis, now + AGAIN) for unit in failed}


async def _for_all(
    runtime: Runtime, units: Collection[str], work: Callable[[Collection[str]], Awaitable[None]]
) -> list[str]:
    """Does the work for units in one transaction; if that fails, for each by itself. Returns those that fail.

    So a unit for which it fails holds up no other.
    """
    try:
        await work(units)
        return []
    except Exception as error:
        if is_elsewhere(error):
            raise
    failed = []
    for unit in units:
        try:
            await work([unit])
        except Exception as error:
            if is_elsewhere(error):
                raise
            failures.defect(error, service=runtime.service.name, desk=unit)
            failed.append(unit)
    return failed


def is_elsewhere(error: Exception) -> bool:
    """Whether the store or the log failed, which is no fault of a matter or a desk."""
    if isinstance(error, Unavailable):
        return error.code != "changed-by-many"
    return isinstance(error, LogGone | OffsetOutOfRange | DBAPIError | OSError)


async def _look(runtime: Runtime, desks: Desks, units: Collection[str]) -> None:
    found = dict[str, Looked]()

    async def act(session: Session, ctx: Ctx) -> Answer:
        found.clear()
        streams = {unit: roster.stream_of_unit(unit) for unit in units}
        await session.load(streams.values())
        for unit, stream in streams.items():
            if session.streams[stream].held:
                continue
            session.decide(stream, ReviewRoster(unit=unit), ctx)
            known = session.streams[stream]
            found[unit] = Looked(known.version, ctx.offices.basis, roster.wakes(known.state, unit, ctx))
        return Answer({})

    await commands.transact(runtime, Caller(), act)
    desks.looked.update(found)
