"""Numbers of incidents: unique and rising, whatever opens them, and accepted wherever an id is."""

import asyncio
import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from sqlalchemy import select

from schemas.envelope import Event
from schemas.numbers import Series, parts
from services.kernel.delivery import recovery
from services.kernel.delivery.log import Record
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import UnitOfWork
from services.kernel.settings import Settings
from services.kernel.store import numbers, sql
from services.kernel.store.database import Database
from services.kernel.store.numbers import Counters
from services.kernel.store.session import Session
from services.triage.app import SERVICE
from tests.kit.stores import rows
from tests.triage.conftest import Triage, made

WORKERS, EACH, AT_ONCE = 4, 40, 5
UNITS = ("town-east", "town-west", "county-roads")
Guard = Literal["both", "claims alone", "neither"]


async def opened(runtime: Runtime) -> list[Event]:
    """The openings, in the order in which they came into the store."""
    table = runtime.tables["events"]
    chosen = select(table.c.bytes).where(table.c.type == "huiying.incident.opened.v1").order_by(table.c.seq)
    async with runtime.database.read() as connection:
        return [Event.parse(bytes_) for bytes_ in (await connection.execute(chosen)).scalars()]


def counts(events: list[Event], unit: str) -> list[int]:
    """The counts of a unit's openings, in order."""
    found = [parts(event.data.number) for event in events]
    return [count for series, count in filter(None, found) if series.unit == unit]


async def open_at_once(triage: Triage) -> list[list[list[str]]]:
    """Workers take in batches of reports of several units at once; each batch has the units in another order.

    Returns the reports of each worker's batches, in order.
    """

    async def take(worker: int) -> list[list[str]]:
        work, done = UnitOfWork(triage.runtime), []
        for start in range(0, EACH, AT_ONCE):
            units = [UNITS[(worker + number) % len(UNITS)] for number in range(start, start + AT_ONCE)]
            reports = [triage.report(f"{worker} of {start + at}", unit=unit) for at, unit in enumerate(units)]
            await work.handle(
                [Record(one.topic, worker, start + at, b"key", one.bytes) for at, one in enumerate(reports)]
            )
            done.append([one.stream for one in reports])
        return done

    done = await asyncio.gather(*(take(worker) for worker in range(WORKERS)))
    assert await rows(triage.runtime, "dead_letters") == []
    return done


@pytest.mark.postgres
@pytest.mark.parametrize("guard", ["both", "claims alone", "neither"])
async def test_numbers_are_unique_and_rise_when_many_are_opened_at_once(
    triage_on_postgres: Triage, monkeypatch: pytest.MonkeyPatch, guard: Guard
) -> None:
    """Without the lock, the claims still keep numbers apart. Without both, numbers come twice."""
    if guard != "both":

        async def unlocked(connection: Any, queries: Any, hold: Any = None) -> Any:
            kept = None if hold and hold.space == "number" else hold
            return await fetch(connection, queries, kept)

        fetch = sql.fetch
        monkeypatch.setattr(numbers.sql, "fetch", unlocked)
    if guard == "neither":
        monkeypatch.setattr(Counters, "claims", lambda _: [])
    batches = await open_at_once(triage_on_postgres)
    events = await opened(triage_on_postgres.runtime)
    assert len(events) == WORKERS * EACH
    unique = len({event.data.number for event in events}) == len(events)
    assert unique is (guard != "neither")
    if guard == "both":
        for unit in UNITS:
            assert sorted(counts(events, unit)) == list(range(1, len(counts(events, unit)) + 1)), unit
            for worker in batches:
                of_batches = [counts([one for one in events if one.data.report in batch], unit) for batch in worker]
                assert all(max(a) < min(b) for a, b in itertools.pairwise(filter(None, of_batches))), unit


async def test_the_year_is_that_of_the_unit_and_exercises_have_a_series_of_their_own(
    triage: Triage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In Beijing it is the new year already."""
    at = datetime(2026, 12, 31, 15, 59, tzinfo=UTC)
    monkeypatch.setattr(triage.runtime.time_source, "now", lambda: at)
    first, drill = await triage.open("first"), await triage.open("drill", drill=True)
    at = datetime(2026, 12, 31, 16, 0, tzinfo=UTC)
    later = await triage.open("later")
    found = [(await triage.get(f"incidents/{id_}", "city")).json()["number"] for id_ in (first, drill, later)]
    assert found == ["town-east-2026-00001", "town-east-2026-X00001", "town-east-2027-00001"]


async def test_a_split_off_incident_has_the_next_number(triage: Triage) -> None:
    a = await triage.open("a", match_key="m")
    await triage.take(b := triage.report("b", match_key="m"))
    answer = (await triage.ask(a, "split", {"reports": [b.stream]}, role="chief")).json()
    assert answer["number"].endswith("-00001"), "it is the answer of the incident that was split"
    assert (await triage.get(f"incidents/{answer['into']}")).json()["number"].endswith("-00002")


async def test_a_record_that_comes_back_keeps_its_number_and_the_next_one_is_higher(
    triage: Triage, tmp_path: Path
) -> None:
    """Events that the topic holds and the restored store lacks bring their numbers along."""
    for name in "abc":
        await triage.open(name)
    table = triage.runtime.tables["events"]
    async with triage.runtime.database.read() as connection:
        kept = [Event.parse(bytes_) for bytes_ in (await connection.execute(select(table.c.bytes))).scalars()]
    back = [event for event in kept if event.kind == "incident"]
    async with made(Database(tmp_path / "restored.db"), Settings(data=tmp_path)) as restored:
        async with restored.database.transaction() as connection:
            session = Session(SERVICE, restored.settings, connection, restored.time_source.now())
            await recovery.take_back(session, back)
            await session.flush()
        again = Triage(restored, triage.client)
        assert await rows(restored, "numbers") == await rows(triage.runtime, "numbers")
        await UnitOfWork(restored).handle([_record(again.report("d"))])
        assert counts(await opened(restored), "town-east") == [1, 2, 3, 4]


def _record(event: Event) -> Record:
    return Record(event.topic, 0, 0, b"key", event.bytes)


async def test_a_number_is_accepted_wherever_an_id_is(triage: Triage) -> None:
    a, b = await triage.open("a"), await triage.open("b")
    number = (await triage.get(f"incidents/{a}")).json()["number"]
    other = (await triage.get(f"incidents/{b}")).json()["number"]
    read = (await triage.get(f"incidents/{number}")).json()
    assert list(read)[:2] == ["number", "id"] and read["id"] == a
    answer = await triage.ask(number, "grade", {"level": "general", "reason": "一处路灯"}, role="duty_officer")
    assert answer.status_code == 200 and list(answer.json().items())[:2] == [("number", number), ("id", a)]
    answer = await triage.ask(other, "merge", {"into": number, "reason": "同一处"}, role="chief")
    assert answer.status_code == 200, answer.text
    assert (await triage.get(f"incidents/{other}")).json()["merged_into"] == a


@pytest.mark.parametrize("named", ["town-east-2026-99999", "town-east-2026-S00001", "town-east-26-1", "town-east"])
async def test_a_number_that_nobody_has_is_told(triage: Triage, named: str) -> None:
    a = await triage.open("a")
    assert (await triage.get(f"incidents/{named}")).status_code == 404
    answer = await triage.ask(a, "merge", {"into": named, "reason": "同一处"}, role="chief")
    assert answer.status_code == 422
    assert answer.json()["field"] == "into" or answer.json()["errors"], answer.text


def test_a_number_is_read_as_it_is_written() -> None:
    series = Series("unit-2026", 2026, "SX")
    assert series.number(7) == "unit-2026-2026-SX00007"
    assert parts(series.number(123456)) == (series, 123456)
    assert parts("incident-01890a5d-ac96-774b-1234-123456789012") is None


async def test_the_sentence_of_a_refusal_names_matters_by_their_numbers(triage: Triage) -> None:
    """The members keep the ids, for programs."""
    one, into = await triage.open("one"), await triage.open("into")
    names = {id_: (await triage.get(f"incidents/{id_}")).json()["number"] for id_ in (one, into)}
    merged = await triage.ask(one, "merge", {"into": into}, role="chief")
    assert merged.json()["number"] == names[one]
    for language in ("en", "zh"):
        headers = triage.token("chief") | {"If-Match": "1", "Accept-Language": language}
        body = {"into": into, "reason": "r"}
        answer = await triage.client.post(f"/triage/v1/incidents/{one}/merge", headers=headers, json=body)
        refused = answer.json()
        assert (answer.status_code, refused["incident"], refused["into"]) == (409, one, into)
        assert names[into] in refused["detail"], refused["detail"]
        assert not numbers.NAMED.search(refused["detail"])
    stale = await triage.ask(into, "transfer", {"unit": "town-west", "reason": "r"}, role="chief", version=7)
    assert stale.json()["detail"].startswith(names[into])
