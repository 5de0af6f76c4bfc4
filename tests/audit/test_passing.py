"""What goes to another deployment, and when: the choice of the next message, its words, and answers that are no end."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert

from schemas.envelope import Event
from schemas.fields import instant
from schemas.problems import PREFIX
from services.audit.between import passing
from services.audit.views import METADATA, TIMELINE
from services.kernel.access.keys import Keys
from services.kernel.between.message import Message
from services.kernel.between.post import Said
from services.kernel.core.ids import derived
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from tests.kernel.between import test_message as written
from tests.kit.spec import NOW
from tests.kit.stores import make_tables


@pytest_asyncio.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    found = Database(tmp_path / "audit.sqlite")
    await make_tables(found, METADATA)
    yield found
    await found.close()


def handed(name: str, **more: Any) -> Event:
    return written.event(**{"id": derived(name), "stream": f"incident-{derived(name)}", **more})


async def recorded(database: Database, *events: Event) -> None:
    rows = [
        {
            "position": place,
            "event_id": event.id,
            "digest": event.digest,
            "type": event.type,
            "stream_id": event.stream,
            "version": event.version,
            "time": instant(event.time),
            "recordedtime": instant(event.recorded),
            "actor": "chief@county",
            "topic": "triage.incident",
            "bytes": event.bytes,
        }
        for place, event in enumerate(events)
    ]
    async with database.transaction() as connection:
        await connection.execute(insert(TIMELINE), rows)


async def following(database: Database, size: int) -> list[int]:
    """The places of what goes to the city, one after the other."""
    places, begin = list[int](), 0
    async with database.read() as connection:
        while (found := await passing._next(connection, "city", begin, size)) is not None:
            places.append(found.position)
            begin = found.position + 1
    return places


async def test_what_ended_goes_no_more_even_if_the_place_comes_from_a_backup(database: Database) -> None:
    events = [handed("1"), handed("2", to="other"), handed("3"), handed("4")]
    await recorded(database, *events)
    assert await following(database, len(events)) == [0, 2, 3]
    own = {"stream_id": passing.delivery_of(events[2].id), "version": 1, "type": "huiying.delivery.refused.v1"}
    async with database.transaction() as connection:
        table = METADATA.tables["events"]
        more = {"event_id": derived("told"), "bytes": b"", "recordedtime": instant(NOW)}
        await connection.execute(insert(table).values({**own, **more}))
    assert await following(database, len(events)) == [0, 3]


async def test_an_exercise_goes_nowhere(database: Database) -> None:
    await recorded(database, handed("1", drill=True), handed("2"))
    assert await following(database, 2) == [1]


async def test_a_message_waits_for_the_reports_whose_words_it_carries(database: Database) -> None:
    """Otherwise they would arrive as erased, and a repetition would not mend that."""
    event = handed("1")
    await recorded(database, event)
    async with database.read() as connection:
        with pytest.raises(passing.NotReady, match="1 reports have not come"):
            await passing._words(connection, event)


@pytest.mark.parametrize(("unknown", "ends"), [(1, False), (passing.ENOUGH - 1, False), (passing.ENOUGH, True)])
async def test_a_record_that_knows_nothing_of_it_is_asked_for_half_a_day(
    unknown: int, ends: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def post(*_: Any) -> Said:
        return Said(404, {"type": f"{PREFIX}{passing.UNKNOWN}"})

    monkeypatch.setattr(passing, "post", post)
    runtime: Any = type("Runtime", (), {})()
    runtime.keys, runtime.settings = Keys(b"s" * 40), Settings(data=tmp_path)
    runtime.time_source = type("Now", (), {"now": staticmethod(lambda: NOW)})
    event = handed("1")
    message = Message(event, written.MESSAGE.proof, ())
    error, fact = await passing._tried(runtime, written.PEER, message, unknown)
    assert (error, fact is not None) == (None if ends else passing.UNKNOWN, ends)


@pytest.mark.parametrize(("before", "tries"), [(None, 1), ("unreachable", 1), ("status_503", 1), (passing.UNKNOWN, 8)])
def test_only_such_answers_in_a_row_count(before: str | None, tries: int) -> None:
    row: Any = None if before is None else type("Row", (), {"error": before, "tries": 7})
    assert passing.times_unknown(row) == tries


async def test_operators_are_told_of_words_that_do_not_come_until_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    here = False

    async def one(*_: Any) -> bool:
        if here:
            return False
        raise passing.NotReady("1 reports have not come")

    monkeypatch.setattr(passing, "_one", one)
    monkeypatch.setattr(passing, "UNREADY", 0.0)
    monkeypatch.setattr(passing.looping, "LONGEST_REST", 0.01)
    runtime: Any = type("Runtime", (), {"alarms": {}})()
    known = passing.Known()
    for _ in range(2):
        await passing._work(runtime, written.PEER, known.waiting("county-one"))
    (alarm,) = runtime.alarms.values()
    assert "1 reports have not come" in alarm and "lag" in alarm
    here = True
    await passing._work(runtime, written.PEER, known.waiting("county-one"))
    assert not runtime.alarms and known.waiting("county-one").seconds == 0
