"""The one loop that keeps the time: it finds limits that have passed and lets the decider judge them.

Nobody is accused by a race. For each partition the loop reads where its topics end, after the time in question, and
judges only what was due by then, once escalation has consumed up to there. It holds nothing that a restart would
lose, and a limit that passed during downtime is found like any other.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant
from services.escalation import queries
from services.escalation.commands import DetectBreaches, RecordMilestones
from services.escalation.decider import OF_THE_MATTER
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import stream_of
from services.kernel.core.problems import Problem
from services.kernel.delivery.log import LogGone, OffsetOutOfRange, Partition
from services.kernel.delivery.offsets import Offset, look
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands
from services.kernel.serving.commands import Answer, Caller
from services.kernel.store.session import Session, partition_of

TOPICS = ("triage.incident", "publish.statement")
"""Where a fact may still be on its way that says a limit was kept."""
PAGE = 200
REST = 0.2
LONGEST_REST = 1.0
PATIENCE = timedelta(hours=1)
"""How long a parked stream is waited for."""
log = structlog.get_logger()


@dataclass(slots=True)
class Horizons:
    """Up to which instant each partition's facts are known to have been taken in.

    A horizon that is being waited for stays until it is reached, so that a consumer that is always a little behind
    delays a judgement and does not prevent it.
    """

    waiting: dict[int, tuple[datetime, Mapping[str, int]]] = field(default_factory=dict)
    reached: dict[int, datetime] = field(default_factory=dict)

    async def advance(self, runtime: Runtime) -> None:
        """Looks how far the consumer is. Raises `LogGone`, and `OffsetOutOfRange` where a topic was lost.

        Then nothing new is known, and nothing is judged.
        """
        now = runtime.clock.now()
        offsets, name = runtime.tables["consumer_offset"], runtime.service.name
        found = await look(runtime.database, offsets, name, runtime.log, TOPICS)
        found.must_be_known()
        for number in range(runtime.settings.partitions):
            wanted: Mapping[str, int] = {topic: found.ends.get(Partition(topic, number), 0) for topic in TOPICS}
            self.waiting.setdefault(number, (now, wanted))
        for number, (at, needed) in list(self.waiting.items()):
            taken = {topic: found.taken.get(Partition(topic, number), Offset(0)).next for topic in TOPICS}
            if all(taken[topic] >= end for topic, end in needed.items()):
                self.reached[number] = at
                del self.waiting[number]


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled."""
    horizons = Horizons()
    while True:
        runtime.changed.clear()
        try:
            await turn(runtime, horizons)
        except (Problem, LogGone, OffsetOutOfRange, DBAPIError, OSError) as error:
            log.warning("timers.wait", service=runtime.service.name, error=str(error)[:300])
        await asyncio.sleep(REST)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_REST - REST):
                await runtime.changed.wait()


async def settle(runtime: Runtime, limit: float = 30.0) -> None:
    """Returns when all that is due by now was judged, but for what waits for a parked stream.

    Waits up to `limit` seconds for the consumer to take in what the log holds, then raises `TimeoutError`.
    """
    now, horizons = runtime.clock.now(), Horizons()
    async with asyncio.timeout(limit):
        await horizons.advance(runtime)
        while len(horizons.reached) < runtime.settings.partitions or min(horizons.reached.values()) < now:
            await asyncio.sleep(0.02)
            await horizons.advance(runtime)
    await _judge_all(runtime, horizons, now)


async def turn(runtime: Runtime, horizons: Horizons) -> None:
    """One round: nothing but a look at the clocks where nothing is due."""
    now = runtime.clock.now()
    async with runtime.database.read() as connection:
        due = await queries.due_incidents(connection, now, runtime.packs.values(), "", 1)
        due = due or dict.fromkeys(await queries.without_pack(connection, 1), "")
    if due:
        await horizons.advance(runtime)
        await _judge_all(runtime, horizons, now)


async def _judge_all(runtime: Runtime, horizons: Horizons, now: datetime) -> None:
    async with runtime.database.read() as connection:
        due = dict.fromkeys(await queries.without_pack(connection, PAGE), "")
    await _judge(runtime, horizons, due, now)
    after = ""
    while True:
        async with runtime.database.read() as connection:
            due = await queries.due_incidents(connection, now, runtime.packs.values(), after, PAGE)
        if not due:
            return
        await _judge(runtime, horizons, due, now)
        after = max(due)


async def _judge(runtime: Runtime, horizons: Horizons, due: Mapping[str, str], now: datetime) -> None:
    """Judges a page of incidents in one transaction, each up to the horizon of its partitions."""
    async with runtime.database.read() as connection:
        absorbed = await queries.absorbed_into(connection, due)
        concerned = {incident: (incident, *absorbed.get(incident, ())) for incident in due}
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
        cases.append((incident, family[1:], DetectBreaches(until=until, incomplete=since is not None)))

    async def act(session: Session, ctx: Ctx) -> Answer:
        streams = (stream_of("clock", one) for incident, others, _ in cases for one in (incident, *others))
        await session.load(streams)
        for incident, others, command in cases:
            _judge_one(session, ctx, incident, others, command)
        return Answer({})

    if cases:
        await commands.transact(runtime, Caller(), act)


def _none_first(at: datetime | None) -> str:
    return instant(at) if at else ""


def _judge_one(session: Session, ctx: Ctx, incident: str, others: Sequence[str], command: DetectBreaches) -> None:
    """What was done under an incident that was merged into this one counts here, before anything is judged."""
    stream = stream_of("clock", incident)
    if session.streams[stream].version == 0:
        return
    done = tuple(
        reached
        for other in others
        for reached in session.streams[stream_of("clock", other)].state.milestones
        if reached.milestone not in OF_THE_MATTER
    )
    session.decide(stream, RecordMilestones(milestones=done), ctx)
    session.decide(stream, command, ctx)


async def _stuck_since(runtime: Runtime, connection: AsyncConnection, incidents: Iterable[str]) -> dict[str, str]:
    """Incident -> since when a stream of it stands parked, or a record of it lies in quarantine."""
    parked, aside = runtime.tables["parked"], runtime.tables["quarantine"]
    wanted, found = sorted(incidents), dict[str, str]()
    for table, more in ((parked, ()), (aside, (aside.c.state == "open",))):
        chosen = select(table.c.correlation, table.c.stream_id, table.c.since).where(
            table.c.consumer == runtime.service.name,
            or_(table.c.correlation.in_(wanted), table.c.stream_id.in_(wanted)),
            *more,
        )
        for row in await connection.execute(chosen):
            for incident in {row.correlation, row.stream_id} & set(wanted):
                found[incident] = min(row.since, found.get(incident, row.since))
    return found
