"""The loop that drafts reviews. It runs in audit's leader, behind the loop that judges the record.

What was judged is complete up to there, so a draft rests on all that was recorded before its matter ended. The position
moves in the transaction that writes the drafts, so a kill leaves both or neither.
"""

import asyncio
import contextlib

from sqlalchemy.exc import DBAPIError

from schemas import triage as t
from services.audit import queries
from services.audit.findings import seen as judged
from services.audit.findings.matter import Placed
from services.audit.review import seen
from services.audit.review.commands import DraftReview
from services.audit.review.streams import review_of
from services.audit.views import JUDGED
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Problem, Unavailable
from services.kernel.delivery.runtime import Runtime
from services.kernel.logging import Lasting, brief
from services.kernel.serving import commands
from services.kernel.serving.commands import Answer, Caller
from services.kernel.store import failures
from services.kernel.store.session import Session
from services.kernel.store.sql import Write

PAGE = 50
"""So many ends of matters one turn looks at."""
REST, LONGEST_REST = 0.5, 2.0


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled."""
    waits = Lasting("reviews.wait", service=runtime.service.name)
    while True:
        runtime.changed.clear()
        try:
            more = await turn(runtime)
            waits.over()
        except (Problem, DBAPIError, OSError) as error:
            waits.told(brief(error))
            more = False
        await asyncio.sleep(0 if more else REST)
        if not more:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LONGEST_REST - REST):
                    await runtime.changed.wait()


async def turn(runtime: Runtime) -> bool:
    """One round: whether there is more to draft at once."""
    async with runtime.database.read() as connection:
        begin, end = await seen.position(connection), await judged.position(connection)
        size, given = await queries.head(connection)
        if begin >= end or size != given:
            return False
        found = await seen.ended(connection, begin, end, PAGE)
        waiting = await _first_waiting(runtime, found, size)
    if waiting is not None:
        # Its findings come back from audit's own topic in a moment.
        found, end = [one for one in found if one.position < waiting], waiting
    elif len(found) == PAGE:
        end = found[-1].position + 1
    if end > begin:
        await _draft(runtime, found, size, end)
    return len(found) == PAGE


async def _first_waiting(runtime: Runtime, found: list[Placed], size: int) -> int | None:
    async with runtime.database.read() as connection:
        for one in found:
            if await seen.findings_on_their_way(connection, one.event.stream, size):
                return one.position
    return None


async def _draft(runtime: Runtime, found: list[Placed], size: int, end: int) -> None:
    """Drafts a page in one transaction. If that fails, each by itself, so that none holds up another."""
    try:
        await draft(runtime, found, size, end)
    except Exception as error:
        if _is_elsewhere(error):
            raise
        for one in found:
            try:
                await draft(runtime, [one], size)
            except Exception as single:
                if _is_elsewhere(single):
                    raise
                failures.defect(single, service=runtime.service.name, record=one.event.stream)
        await draft(runtime, [], size, end)


def _is_elsewhere(error: Exception) -> bool:
    """Whether the store failed, which is no fault of a matter."""
    return isinstance(error, Unavailable | DBAPIError | OSError)


async def draft(runtime: Runtime, found: list[Placed], size: int, end: int | None = None) -> None:
    """Drafts the reviews of matters that these events ended, from the first `size` positions.

    `end` is the position up to which everything is drafted then.
    """

    async def act(session: Session, ctx: Ctx) -> Answer:
        await session.load({review_of(one.event.stream) for one in found})
        for one in found:
            stream = review_of(one.event.stream)
            if session.streams[stream].held:
                continue
            own = await seen.own(session.connection, one.event.stream, one.position + 1, ctx.offices)
            command = DraftReview(
                incident=one.event.stream,
                unit=own.unit,
                cause="over" if isinstance(one.data, t.IncidentClosed) else "steady",
                of=one.behind,
                round=own.round,
                log_size=size,
            )
            session.streams[stream].drill = session.streams[stream].drill or one.event.drill
            session.decide(stream, command, ctx)
        if end is not None:
            session.also.append(Write(JUDGED, [{"id": seen.OWN, "position": end}], replaces=True))
        return Answer({})

    await commands.transact(runtime, Caller(), act)


async def settle(runtime: Runtime) -> None:
    """Returns when everything that was judged was drafted, or waits for findings to come back."""
    while await turn(runtime):
        pass
