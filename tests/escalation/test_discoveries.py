"""Many reports of one matter, the newest first: each of them moves its limits to an earlier time."""

from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import delete

from schemas import triage
from schemas.envelope import Event
from schemas.escalation import ClockMilestoneReached, ClockStarted
from services.escalation.clock import clocks
from services.escalation.reactions import outdone
from services.kernel.core.ids import stream_of
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.store import streams
from tests.escalation.conftest import Desk
from tests.escalation.incident import at
from tests.escalation.test_heirs import attached
from tests.escalation.test_service import REPORT, grade, incident, opened
from tests.kit.parsed import Parsed

MANY = 400


def attach(desk: Desk, ago: float, hour: float = 1) -> Event:
    """A report that was discovered so many minutes before the matter was opened."""
    return desk.tell(incident(), attached(at(0) - timedelta(minutes=ago)), at(hour))


async def test_a_batch_of_them_says_once_what_moved_and_judges_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = opened(desk)
    await desk.consume()
    before, derived = len(await desk.events(stream_of("clock", id_))), 0
    derive = clocks.derive

    def counting(*given: object) -> tuple[clocks.Clock, ...]:
        nonlocal derived
        derived += 1
        return derive(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(clocks, "derive", counting)
    told = [attach(desk, minute / 10) for minute in range(1, MANY + 1)]
    await desk.consume()
    said = [event.data for event in (await desk.events(stream_of("clock", id_)))[before:]]
    (reached,) = [fact for fact in said if isinstance(fact, ClockMilestoneReached)]
    assert (reached.event, reached.happened_at) == (told[-1].id, at(0) - timedelta(minutes=MANY / 10))
    assert sorted(fact.clock for fact in said if isinstance(fact, ClockStarted)) == ["explanation", "transfer"]
    assert (len(said), derived) == (3, 1)


async def test_each_batch_costs_the_same(desk: Desk) -> None:
    """The stream grows by the batches and not by the reports."""
    id_, grown = opened(desk), []
    for batch in range(4):
        for minute in range(50):
            attach(desk, batch * 50 + minute, batch)
        await desk.consume()
        grown.append(len(await desk.events(stream_of("clock", id_))))
    assert [later - earlier for earlier, later in pairwise(grown)] == [3, 3, 3]


async def test_each_by_itself_costs_the_same(desk: Desk, parsed: Parsed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stream grows by each report. Only its end is read."""
    monkeypatch.setattr(streams, "LONG", 0)
    opened(desk)
    costs = []
    for minute in range(20):
        attach(desk, minute)
        parsed.since()
        await desk.consume()
        costs.append(parsed.since())
    assert costs[4] == costs[-1], costs


async def test_a_restored_consumer_that_meets_them_again_one_by_one_moves_no_limit(desk: Desk) -> None:
    id_ = opened(desk)
    for minute in range(1, 6):
        attach(desk, minute)
    await desk.consume()
    before = await desk.clocks(id_)
    async with desk.runtime.database.transaction() as connection:
        for name in ("consumer_offset", "stream_cursor"):
            await connection.execute(delete(desk.runtime.tables[name]))
    work = UnitOfWork(desk.runtime)
    for records in desk.topics.records.values():
        for record in records:
            await work.handle([record])
    assert await desk.clocks(id_) == before
    started = [
        event.data for event in await desk.events(stream_of("clock", id_)) if isinstance(event.data, ClockStarted)
    ]
    assert len(started) == 4, "two limits at the opening, and both once more for the batch"
    assert await desk.rows("dead_letters") == []


def test_a_discovery_is_outdone_by_an_earlier_one_unless_something_else_happened_between(desk: Desk) -> None:
    opened(desk)
    first, second, third = attach(desk, 1), attach(desk, 9), attach(desk, 5)
    grade(desk)
    graded = desk.streams[incident()]
    fourth = attach(desk, 20)
    fact = triage.IncidentAbsorbed(incident=incident("b"), reports=(REPORT,), discovered_at=at(0))
    absorbed, fifth, sixth = desk.tell(incident(), fact, at(2)), attach(desk, 30, 3), attach(desk, 30, 3)
    batch = [first, second, third, graded, fourth, absorbed, fifth, sixth]
    assert outdone(batch) == {first.id, third.id, sixth.id}
    assert outdone(batch[1:2]) == set()


def test_a_discovery_that_is_stamped_ahead_is_as_early_as_its_recording(desk: Desk) -> None:
    opened(desk)
    ahead, later = attach(desk, -70, 1), attach(desk, -65, 2)
    assert outdone([ahead, later]) == {later.id}
