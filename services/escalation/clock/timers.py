"""The one timer loop: it finds limits that have passed and lets the decider judge them.

Nobody is accused because of a race. For each partition, the loop reads where its topics end, after the time in
question. When escalation has consumed up to there, the loop judges what was due by then. It keeps nothing that a
restart would lose, and finds limits that passed during downtime like any other. Its cost depends only on the due
limits.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant
from services.escalation import seen
from services.escalation.clock.heirs import Link
from services.escalation.commands import DetectBreaches, TakeOver
from services.escalation.duty import watch
from services.escalation.seen import Wake
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import stream_of
from services.kernel.core.problems import Problem
from services.kernel.core.units import Offices, SetValue, SpecialPeriod
from services.kernel.delivery import operations
from services.kernel.delivery.log import LogGone, OffsetOutOfRange, Partition
from services.kernel.delivery.offsets import Offset, look
from services.kernel.delivery.runtime import Runtime
from services.kernel.logging import Lasting, brief
from services.kernel.serving import commands
from services.kernel.serving.commands import Answer, Caller
from services.kernel.store import failures
from services.kernel.store.session import Session, partition_of

TOPICS = ("triage.incident", "publish.statement", "publish.press")
"""Topics on which a fact may still be on its way that a limit was kept."""
PAGE = 200
REST = 0.2
LONGEST_REST = 1.0
PATIENCE = timedelta(hours=1)
"""The longest wait for a parked stream."""
LEFT_ALONE = 30.0
"""Seconds before an incident is judged again, if nothing could be decided or the judgement failed."""
FIRST = Wake("", "")
Look = Callable[[AsyncConnection, str, int], Awaitable[list[str]]]


@dataclass(slots=True)
class Horizons:
    """For each partition, the instant up to which all its facts are known to have been taken in.

    An awaited horizon stays until it is reached. So a consumer that is always a little behind delays a judgement and
    does not prevent it.
    """

    waiting: dict[int, tuple[datetime, Mapping[str, int]]] = field(default_factory=dict)
    reached: dict[int, datetime] = field(default_factory=dict)

    async def advance(self, runtime: Runtime) -> None:
        """Looks how far the consumer is. Raises `LogGone`, and `OffsetOutOfRange` after the loss of a topic.

        Then nothing new is known, and nothing is judged.
        """
        now = runtime.time_source.now()
        offsets, name = runtime.tables["consumer_offset"], runtime.service.name
        found = await look(runtime.database, offsets, name, runtime.log, TOPICS)
        found.must_be_known()
        for number in range(runtime.settings.partitions):
            wanted: Mapping[str, int] = {topic: found.ends.get(Partition(topic, number), 0) for topic in TOPICS}
            _, before = self.waiting.get(number, (now, wanted))
            if number not in self.waiting or any(before[topic] > wanted[topic] for topic in TOPICS):
                # A topic that was lost and written again may never reach the end that it had.
                self.waiting[number] = (now, wanted)
        for number, (at, needed) in list(self.waiting.items()):
            taken = {topic: found.taken.get(Partition(topic, number), Offset(0)).next for topic in TOPICS}
            if all(taken[topic] >= end for topic, end in needed.items()):
                self.reached[number] = at
                del self.waiting[number]


@dataclass(slots=True)
class Pace:
    """Incidents that rest for a while, and the last look at matters whose clocks may have become other ones.

    The process forgets both at its end. So a new version of the calendar is applied to all clocks at the start.

    So an incident that cannot be judged keeps neither the loop busy nor others from being judged.
    """

    resting: dict[str, float] = field(default_factory=dict)
    """Incident -> the loop's time until which it rests."""
    basis: tuple[str, ...] | None = None
    """The offices with which matters without a pack, and clocks that count working days, were tried."""
    values: tuple[SetValue, ...] = ()
    """The values of packs with which matters were tried."""
    periods: tuple[SpecialPeriod, ...] = ()
    """The special periods with which matters were tried."""
    tried: float = 0.0
    desks: watch.Desks = field(default_factory=watch.Desks)

    def rest(self, incident: str) -> None:
        """Lets an incident rest."""
        self.resting[incident] = asyncio.get_running_loop().time() + LEFT_ALONE

    def awake(self, wakes: Iterable[Wake]) -> dict[str, str]:
        """Incident -> when it woke, for those that do not rest."""
        now, found = asyncio.get_running_loop().time(), dict[str, str]()
        for at, incident in wakes:
            if self.resting.get(incident, 0.0) <= now:
                self.resting.pop(incident, None)
                found.setdefault(incident, at)
        return found

    def is_time(self, basis: tuple[str, ...]) -> bool:
        """Whether to look at matters without a pack: when the offices have changed, and now and then."""
        return basis != self.basis or asyncio.get_running_loop().time() - self.tried > LEFT_ALONE

    def looked(self, offices: Offices) -> None:
        """Notes that all of them were tried with these offices."""
        self.basis, self.values, self.periods = offices.basis, offices.values, offices.periods
        self.tried = asyncio.get_running_loop().time()


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled."""
    horizons, pace, waits = Horizons(), Pace(), Lasting("timers.wait", service=runtime.service.name)
    while True:
        runtime.changed.clear()
        try:
            await turn(runtime, horizons, pace)
            waits.over()
        except (Problem, LogGone, OffsetOutOfRange, DBAPIError, OSError) as error:
            waits.told(brief(error))
        await asyncio.sleep(REST)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_REST - REST):
                await runtime.changed.wait()


async def settle(runtime: Runtime, limit: float = 30.0) -> None:
    """Returns when everything due by now was judged, except incidents that wait for a parked stream.

    Waits up to `limit` seconds for the consumer to take in everything on the log, then raises `TimeoutError`.
    """
    now, horizons = runtime.time_source.now(), Horizons()
    async with asyncio.timeout(limit):
        await horizons.advance(runtime)
        while len(horizons.reached) < runtime.settings.partitions or min(horizons.reached.values()) < now:
            await asyncio.sleep(0.02)
            await horizons.advance(runtime)
    async with runtime.database.read() as connection:
        offices = await runtime.offices(connection)
    looks = [seen.without_pack, seen.counting_work, *([_under(offices)] if offices.values or offices.periods else [])]
    await _judge_all(runtime, horizons, Pace(), now, looks)
    await watch.turn(runtime, watch.Desks())


async def turn(runtime: Runtime, horizons: Horizons, pace: Pace) -> None:
    """One round. If nothing is due, it only looks at the first clock."""
    now = runtime.time_source.now()
    async with runtime.database.read() as connection:
        offices = await runtime.offices(connection)
        packless, anew = pace.is_time(offices.basis), offices.basis != pace.basis
        looks: list[Look] = [*([seen.without_pack] * packless), *([seen.counting_work] * anew)]
        if (offices.values, offices.periods) != (pace.values, pace.periods):
            looks.append(_under(offices))
        waiting = [listed for listed in looks if await listed(connection, "", 1)]
        due = await seen.waking(connection, now, FIRST, 1)
    if waiting or due:
        await horizons.advance(runtime)
        await _judge_all(runtime, horizons, pace, now, waiting)
    if looks and (not waiting or len(horizons.reached) == runtime.settings.partitions):
        pace.looked(offices)
    await watch.turn(runtime, pace.desks)


def _under(offices: Offices) -> Look:
    """The matters whose packs have values that a unit set, or depend on special periods."""
    valued = {one.pack for one in offices.values}
    special = (
        {pack.model.id for pack in offices.packs.values() if pack.model.sees_periods} if offices.periods else set()
    )
    return partial(seen.under_packs, packs=valued | special)


async def _judge_all(
    runtime: Runtime, horizons: Horizons, pace: Pace, now: datetime, looks: Sequence[Look] = ()
) -> None:
    for listed in looks:
        last = ""
        while True:
            async with runtime.database.read() as connection:
                waiting = await listed(connection, last, PAGE)
            if not waiting:
                break
            await _judge(runtime, horizons, pace, dict.fromkeys(waiting, ""), now)
            last = waiting[-1]
    after = FIRST
    while True:
        async with runtime.database.read() as connection:
            woken = await seen.waking(connection, now, after, PAGE)
        if not woken:
            return
        await _judge(runtime, horizons, pace, pace.awake(woken), now)
        after = woken[-1]


class Case(NamedTuple):
    """An incident to be judged."""

    incident: str
    links: tuple[Link, ...]
    """The other incidents that count here, the farthest first."""
    command: DetectBreaches
    woke: bool
    """Whether something was due. Otherwise it was only looked at, and goes on waiting for its own time."""


async def _judge(runtime: Runtime, horizons: Horizons, pace: Pace, due: Mapping[str, str], now: datetime) -> None:
    """Judges a page of incidents in one transaction, each up to the horizon of its partitions.

    If that fails, each is judged by itself. So an incident that cannot be judged holds up no other.
    """
    cases = await _cases(runtime, horizons, due, now)
    if not cases:
        return
    try:
        await _decide(runtime, pace, cases)
    except Exception as error:
        if watch.is_elsewhere(error):
            raise
        for case in cases:
            await _judge_alone(runtime, pace, case)


async def _judge_alone(runtime: Runtime, pace: Pace, case: Case) -> None:
    try:
        await _decide(runtime, pace, [case])
    except Exception as error:
        if watch.is_elsewhere(error):
            raise
        failures.defect(error, service=runtime.service.name, incident=case.incident)
        pace.rest(case.incident)


async def _decide(runtime: Runtime, pace: Pace, cases: Sequence[Case]) -> None:
    unchanged: list[str] = []

    async def act(session: Session, ctx: Ctx) -> Answer:
        unchanged.clear()
        await session.load(stream_of("clock", one) for case in cases for one in _family(case.incident, case.links))
        unchanged.extend(case.incident for case in cases if not _judge_one(session, ctx, case) and case.woke)
        return Answer({})

    await commands.transact(runtime, Caller(), act)
    for incident in unchanged:
        pace.rest(incident)


async def _cases(runtime: Runtime, horizons: Horizons, due: Mapping[str, str], now: datetime) -> list[Case]:
    """The incidents that can be judged now: all earlier facts are known, or the wait for them is over."""
    async with runtime.database.read() as connection:
        links = await seen.links_to(connection, due)
        concerned = {incident: _family(incident, links.get(incident, ())) for incident in due}
        stuck = await _stuck_since(runtime, connection, {one for all_ in concerned.values() for one in all_})
    cases = []
    for incident, family in concerned.items():
        partitions = {partition_of(one, runtime.settings.partitions) for one in family}
        until = min((horizons.reached.get(number) for number in partitions), key=_none_first)
        since = min((stuck[one] for one in family if one in stuck), default=None)
        if until is None or due[incident] >= instant(until):
            continue
        if since is not None and since > instant(now - PATIENCE):
            continue
        judged = DetectBreaches(until=until, incomplete=since is not None)
        cases.append(Case(incident, tuple(links.get(incident, ())), judged, woke=bool(due[incident])))
    return cases


def _family(incident: str, links: Iterable[Link]) -> set[str]:
    return {incident, *(link.source for link in links), *(link.heir for link in links)}


def _none_first(at: datetime | None) -> str:
    return instant(at) if at else ""


def _judge_one(session: Session, ctx: Ctx, case: Case) -> bool:
    """Whether the judgement made events. Work under other incidents is counted first, by every way."""
    done = []
    for link in case.links:
        source, heir = stream_of("clock", link.source), stream_of("clock", link.heir)
        if _can_be_judged(session, heir):
            command = TakeOver(source=source, via=link.source, split_at=link.split_at)
            done += session.decide(heir, command, commands.with_seen(ctx, {source: session.streams[source].state}))
    stream = stream_of("clock", case.incident)
    return _can_be_judged(session, stream) and bool([*done, *session.decide(stream, case.command, ctx)])


def _can_be_judged(session: Session, stream: str) -> bool:
    return session.streams[stream].version > 0 and not session.streams[stream].held


async def _stuck_since(runtime: Runtime, connection: AsyncConnection, incidents: Iterable[str]) -> dict[str, str]:
    """Incident -> since when one of its streams is parked, or one of its records is a dead letter."""
    parked, aside = runtime.tables["parked"], runtime.tables["dead_letters"]
    wanted, found = sorted(incidents), dict[str, str]()
    consumer = runtime.service.name
    lacking = operations.lacking(runtime.tables, consumer)
    for table, mine in ((parked, parked.c.consumer == consumer), (aside, lacking)):
        chosen = select(table.c.correlation, table.c.stream_id, table.c.since).where(
            mine, or_(table.c.correlation.in_(wanted), table.c.stream_id.in_(wanted))
        )
        for row in await connection.execute(chosen):
            for incident in {row.correlation, row.stream_id} & set(wanted):
                found[incident] = min(row.since, found.get(incident, row.since))
    return found
