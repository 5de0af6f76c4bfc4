"""The loop that judges the record. It runs in audit's leader.

Nobody is accused because of a race: it notes an instant and where the topics end then. When audit has taken in
everything up to there, all that was recorded before that instant is known, and only that is judged. The position up to
which was judged moves in the transaction that writes the findings. So a kill leaves both or neither.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError

from services.audit import queries
from services.audit.findings import seen
from services.audit.findings.commands import EndHearing, LapseFinding, RaiseFinding
from services.audit.findings.matter import Record
from services.audit.findings.rules import judge, made
from services.audit.views import JUDGED
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Problem, Unavailable
from services.kernel.delivery.log import LogGone, OffsetOutOfRange, Partition
from services.kernel.delivery.offsets import Offset, look
from services.kernel.delivery.runtime import Runtime
from services.kernel.logging import Lasting, brief
from services.kernel.serving import commands
from services.kernel.serving.commands import Answer, Caller
from services.kernel.store import failures
from services.kernel.store.session import Session
from services.kernel.store.sql import Write

PAGE = 500
"""So many positions one turn looks at."""
HEARINGS = 100
REST, LONGEST_REST = 0.5, 2.0


class Known(NamedTuple):
    """All that was recorded before `until` stands in the first `size` positions."""

    until: datetime
    size: int


@dataclass(slots=True)
class Horizon:
    """The instant and the ends of the topics that audit is to reach. It stays until then."""

    waiting: tuple[datetime, Mapping[Partition, int]] | None = None

    async def reach(self, runtime: Runtime) -> Known | None:
        """What is known now; None if audit is not there yet. Raises `LogGone` and `OffsetOutOfRange`."""
        service, now = runtime.service, runtime.time_source.now()
        found = await look(
            runtime.database, runtime.tables["consumer_offset"], service.name, runtime.log, service.topics
        )
        found.must_be_known()
        if self.waiting is None or any(end > found.ends.get(part, 0) for part, end in self.waiting[1].items()):
            # A topic that was lost and written again may never reach the end that it had.
            self.waiting = (now, found.ends)
        until, ends = self.waiting
        if any(found.taken.get(part, Offset(0)).next < end for part, end in ends.items()):
            return None
        self.waiting = None
        async with runtime.database.read() as connection:
            size, given = await queries.head(connection)
        return Known(until, size) if size == given else None


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled."""
    horizon, waits = Horizon(), Lasting("findings.wait", service=runtime.service.name)
    while True:
        runtime.changed.clear()
        try:
            more = await turn(runtime, horizon)
            waits.over()
        except (Problem, LogGone, OffsetOutOfRange, DBAPIError, OSError) as error:
            waits.told(brief(error))
            more = False
        await asyncio.sleep(0 if more else REST)
        if not more:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_REST - REST):
                    await runtime.changed.wait()


async def turn(runtime: Runtime, horizon: Horizon) -> bool:
    """One round: whether there is more to judge at once. With nothing new, it only looks at the size of the record."""
    async with runtime.database.read() as connection:
        size, _ = await queries.head(connection)
        begin = await seen.position(connection)
        due = await seen.unheard(connection, runtime.time_source.now(), 1)
    if size == begin and not due:
        return False
    known = await horizon.reach(runtime)
    if known is None:
        return False
    await _end_hearings(runtime, known)
    async with runtime.database.read() as connection:
        reached = await seen.reached(connection, begin, known.size, known.until)
        end = min(reached, begin + PAGE)
        records = await seen.changed(connection, begin, end)
    if end > begin:
        await _judge(runtime, known, records, end)
    return end < reached


async def _judge(runtime: Runtime, known: Known, records: Sequence[str], end: int) -> None:
    """Judges a page in one transaction. If that fails, each record by itself, so that none holds up another."""
    try:
        await _decide(runtime, known, records, end)
    except Exception as error:
        if _is_elsewhere(error):
            raise
        for one in records:
            try:
                await _decide(runtime, known, [one])
            except Exception as single:
                if _is_elsewhere(single):
                    raise
                failures.defect(single, service=runtime.service.name, record=one)
        await _decide(runtime, known, [], end)


def _is_elsewhere(error: Exception) -> bool:
    """Whether the store or the log failed, which is no fault of a record."""
    return isinstance(error, Unavailable | LogGone | OffsetOutOfRange | DBAPIError | OSError)


async def _decide(runtime: Runtime, known: Known, records: Sequence[str], end: int | None = None) -> None:
    async def act(session: Session, ctx: Ctx) -> Answer:
        connection = session.connection
        waits = await seen.stuck(connection, runtime.tables, runtime.service.name, list(records))
        for id_ in records:
            if id_ not in waits:
                record = await seen.record(connection, id_, known.size, known.until, ctx.offices)
                await _settle(session, ctx, record, known.size)
        if end is not None:
            session.also.append(Write(JUDGED, [{"id": seen.OWN, "position": end}], replaces=True))
        return Answer({})

    await commands.transact(runtime, Caller(), act)


async def _settle(session: Session, ctx: Ctx, record: Record, size: int) -> None:
    """Raises what the record shows now, and lets lapse what it shows no more."""
    found = judge(record)
    before = [row["finding_id"] for row in await seen.known(session.connection, record.id) if not row["by_hand"]]
    await session.load({*found, *before})
    for stream in sorted({*found, *before}):
        if session.streams[stream].held:
            continue
        if one := found.get(stream):
            is_drill = record.drill or ctx.offices.drills(one.unit)
            session.streams[stream].drill = session.streams[stream].drill or is_drill
            session.decide(stream, RaiseFinding(made=made(record, one, size), policy=one.policy), ctx)
        else:
            session.decide(stream, _lapse(record, session.streams[stream].state.made), ctx)


def _lapse(record: Record, made_: object) -> LapseFinding:
    behind = {one.event for one in getattr(made_, "events", ())}
    annulled = next((one for breach, one in sorted(record.annulled.items()) if breach in behind), None)
    return LapseFinding(cause="annulled" if annulled else "not_so", event=annulled and annulled.behind)


async def _end_hearings(runtime: Runtime, known: Known) -> None:
    """Ends the hearings of which the limit passed. What the office wrote before is in this very store."""
    async with runtime.database.read() as connection:
        due = await seen.unheard(connection, known.until, HEARINGS)
    if not due:
        return

    async def act(session: Session, ctx: Ctx) -> Answer:
        await session.load(due)
        for stream in due:
            if not session.streams[stream].held:
                session.decide(stream, EndHearing(until=known.until), ctx)
        return Answer({})

    await commands.transact(runtime, Caller(), act)


async def settle(runtime: Runtime, limit: float = 30.0) -> None:
    """Returns when everything that stands on the topics now was judged. Raises `TimeoutError`."""
    horizon = Horizon()
    async with asyncio.timeout(limit):
        while True:
            known = await horizon.reach(runtime)
            if known is not None:
                break
            await asyncio.sleep(0.02)
    while await turn(runtime, horizon):
        pass
