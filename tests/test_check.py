"""The check itself: it finds nothing on a clean system, and finds and names each planted fault."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, insert, select

from schemas.envelope import Event
from services.audit.app import SERVICE as AUDIT
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import derived
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log import Partition
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import unit_of_work
from services.kernel.proof import check, result
from services.kernel.serving import commands, process
from services.kernel.serving.commands import Answer, Caller
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.kernel.store.session import Session
from tests.kit import small

REPORTS = [f"report-{derived('check', str(number))}" for number in range(6)]
ERASED = REPORTS[5]


class System:
    """Two small services and the real audit on one log, moved step by step."""

    def __init__(self, folder: Path, audit: str | None = None) -> None:
        settings = Settings(data=folder, partitions=2)
        self.folder, self.log = folder, EmbeddedLog(folder / "log.sqlite", 2)
        self.runtimes = {
            service.name: Runtime(service, settings, Database(place), TimeSource(), self.log, b"secret" * 6)
            for service in (small.ingest(), small.triage(), AUDIT)
            for place in [audit if audit and service is AUDIT else folder / f"{service.name}.sqlite"]
        }

    async def report(self, stream: str) -> None:
        """A report comes in."""
        await commands.execute(self.runtimes["ingest"], Caller(), stream, small.Receive(f"words of {stream}"), new=True)

    async def erase(self, stream: str) -> None:
        """Its words are erased."""

        async def act(session: Session, ctx: Ctx) -> Answer:
            events = session.service.metadata.tables["events"]
            bytes_ = (
                await session.connection.execute(select(events.c.bytes).where(events.c.stream_id == stream))
            ).scalar()
            refs = tuple(Event.parse(bytes_).words.values())
            await session.load([stream])
            session.decide(stream, refs, ctx)
            await session.erase(refs, announce=True)
            return Answer({})

        await commands.transact(self.runtimes["ingest"], Caller(), act)

    async def settle(self) -> None:
        """Relays and takes in until nothing moves."""
        works = {name: unit_of_work(made) for name, made in self.runtimes.items()}
        moved = True
        while moved:
            moved = False
            for made in self.runtimes.values():
                moved |= bool(await Relay(made).drain())
            for name, made in self.runtimes.items():
                ends = await self.log.ends((*made.service.topics, *made.service.content_topics))
                for partition, start in (await works[name].offsets(list(ends))).items():
                    async for records in self.log.read(partition, start, ends[partition]):
                        await works[name].handle(records)
                        moved = True

    async def check(self, wait: float = 0.1) -> result.CheckResult:
        """The result of `huiying check`."""
        stores = {name: check.Store.of(made) for name, made in self.runtimes.items()}
        return await check.check(stores, self.log, wait)


@asynccontextmanager
async def system(folder: Path, *, new: bool = False, audit: str | None = None) -> AsyncIterator[System]:
    """A system on the files of a folder. `audit` is the address of audit's database if that is on PostgreSQL."""
    made = System(folder, audit)
    await made.log.start()
    try:
        if new:
            for one in made.runtimes.values():
                await process.prepare(one)
        yield made
    finally:
        for one in made.runtimes.values():
            await one.database.close()
        await made.log.stop()


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a system that has worked a little and has come to rest."""
    folder = tmp_path_factory.mktemp("history")

    async def live() -> None:
        async with system(folder, new=True) as made:
            for stream in REPORTS:
                await made.report(stream)
            await made.settle()
            await made.erase(ERASED)
            await made.settle()

    asyncio.run(live())
    return folder


@pytest.fixture
def folder(history: Path, tmp_path: Path) -> Path:
    """A copy of the history, to damage."""
    shutil.copytree(history, tmp_path / "copy")
    return tmp_path / "copy"


def plant(folder: Path, name: str, statements: str) -> None:
    """Damages a database without any service."""
    connection = sqlite3.connect(folder / f"{name}.sqlite")
    connection.create_function("change", 3, lambda value, old, new: value.replace(old.encode(), new.encode()))
    connection.create_function("break", 1, _break)
    connection.create_function("flip", 2, _flip)
    for statement in statements.split(";"):
        assert connection.execute(statement).rowcount != 0, f"the fault was not planted: {statement}"
    connection.commit()
    connection.close()


def _flip(value: bytes, at: int) -> bytes:
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def _break(value: bytes) -> bytes:
    event = orjson.loads(value)
    return orjson.dumps({**event, "previousdigest": event["previousdigest"][::-1]})


def read(folder: Path, name: str, sql: str, *values: Any) -> list[Any]:
    """Rows, read without any service."""
    connection = sqlite3.connect(folder / f"{name}.sqlite")
    rows = connection.execute(sql, values).fetchall()
    connection.close()
    return rows


def incident_of(report: str, folder: Path) -> str:
    """The incident that was opened from a report."""
    ((bytes_,),) = read(folder, "ingest", "select bytes from events where stream_id = ? and version = 1", report)
    return f"incident-{derived('small', Event.parse(bytes_).id)}"


async def faults(folder: Path) -> list[str]:
    """The check's findings on the files alone: no service runs, and none recovers."""
    log = EmbeddedLog(folder / "log.sqlite", 2)
    await log.start()
    stores = {
        service.name: check.Store(
            Database(folder / f"{service.name}.sqlite"), service.metadata.tables, service.topics, service.timeline
        )
        for service in (small.ingest(), small.triage(), AUDIT)
    }
    try:
        return (await check.check(stores, log, 0.1)).faults
    finally:
        for store in stores.values():
            await store.database.close()
        await log.stop()


async def test_a_clean_system_has_no_fault_however_often_it_is_asked(folder: Path) -> None:
    async with system(folder) as made:
        first, second = await made.check(), await made.check()
    assert first.ok, first.faults
    assert first == second
    assert first.counts["events.ingest"] == 7
    assert first.counts["events.triage"] == 6
    assert first.counts["audited"] == first.counts["positions"] == 13
    assert first.counts["words"] == 12
    assert first.counts["erased"] == 2


async def test_a_system_at_work_is_not_accused(folder: Path) -> None:
    async with system(folder) as made:
        stop = asyncio.Event()

        async def work() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                await made.report(f"report-{derived('more', str(number))}")
                await made.settle()

        working = asyncio.create_task(work())
        reports = [await made.check(wait=20) for _ in range(3)]
        stop.set()
        await working
    assert [report.faults for report in reports] == [[], [], []]
    assert reports[0].counts["events"] < reports[2].counts["events"]


PLANTED: dict[str, tuple[str, str, str]] = {
    "an event is gone from audit": (
        "audit",
        "delete from timeline where stream_id = '{incident}'",
        "triage: {incident} version 1 is not in audit",
    ),
    "a position is gone from audit": (
        "audit",
        "delete from timeline where position = 3",
        "audit: position 3 is missing",
    ),
    "a byte is altered in audit": (
        "audit",
        "update timeline set bytes = change(bytes, 'board', 'beard') where stream_id = '{report}'",
        "ingest: {report} version 1 has other bytes in audit",
    ),
    "columns are altered in audit": (
        "audit",
        "update timeline set recordedtime = '2020-01-01T00:00:00.000000Z' where stream_id = '{report}'",
        "ingest: {report} version 1 is in audit at position",
    ),
    "an event is doubled in audit": (
        "audit",
        """drop index ix_timeline_event; drop index ix_timeline_stream;
        create temp table twin as select * from timeline where stream_id = '{report}';
        update twin set position = (select max(position) + 1 from timeline);
        insert into timeline select * from twin""",
        "ingest: {report} version 1 is in audit 2 times",
    ),
    "an event is in audit that nobody wrote": (
        "audit",
        """create temp table twin as select * from timeline where stream_id = '{report}';
        update twin set position = (select max(position) + 1 from timeline), event_id = 'x', stream_id = 'y';
        insert into timeline select * from twin""",
        "holds y version 1 of ingest, which no store has",
    ),
    "versions are swapped in audit": (
        "audit",
        "drop index ix_timeline_stream; update timeline set version = 3 - version where stream_id = '{erased}'",
        "ingest: {erased} version 1 is in audit at position",
    ),
    "positions of a stream are swapped in audit": (
        "audit",
        """create temp table two as select position from timeline where stream_id = '{erased}';
        update timeline set position = -position where position in two;
        update timeline set position = (select sum(position) from two) + position where position < 0""",
        "audit: {erased} version 2 stands at position",
    ),
    "two streams have changed places in audit": (
        "audit",
        """update timeline set position = -1 where position = 0;
        update timeline set position = 0 where position = 1;
        update timeline set position = 1 where position = -1""",
        "audit: position 0 holds",
    ),
    "a leaf of the log is altered": (
        "audit",
        "update tree set hashes = flip(hashes, 32 * 3) where level = 0 and number = 0",
        "audit: the log's hash at level 0 from position 3 on is not that of the events in the timeline",
    ),
    "a row of the log is gone": (
        "audit",
        "delete from tree where level = 0 and number = 0",
        "audit: the log's hash at level 0 from position 0 on is missing",
    ),
    "the end of the log is cut off": (
        "audit",
        "update tree set hashes = substr(hashes, 1, 32 * 5) where level = 0 and number = 0",
        "audit: the log's hash at level 0 from position 5 on is not that of the events in the timeline",
    ),
    "the log has a leaf more": (
        "audit",
        "update tree set hashes = cast(hashes || zeroblob(32) as blob) where level = 0",
        "leaves, but the timeline ends at",
    ),
    "an event is altered in audit, and its digest with it": (
        "audit",
        "update timeline set bytes = change(bytes, 'board', 'beard') where stream_id = '{report}'",
        "audit: the log's hash at level 0 from position",
    ),
    "an event is not on its topic": (
        "log",
        "delete from records where topic = 'triage.incident' and key = cast('{incident}' as blob)",
        "triage: {incident} is on triage.incident in order up to version 0; the store has 1",
    ),
    "an earlier event is not on its topic": (
        "log",
        """delete from records where topic = 'ingest.report' and value =
        (select value from records where key = cast('{erased}' as blob) order by offset limit 1)""",
        "ingest: {erased} is on ingest.report in order up to version 0; the store has 2",
    ),
    "a topic holds other bytes": (
        "log",
        "update records set value = change(value, 'board', 'beard') where key = cast('{report}' as blob)",
        "holds {report} version 1 with other bytes than the store",
    ),
    "a topic holds a foreign event": (
        "log",
        """insert into records select topic, partition, 900, key, change(value, '"id":"0', '"id":"f')
        from records where key = cast('{report}' as blob)""",
        "holds {report} version 1, which the store lacks",
    ),
    "a topic holds rubbish": (
        "log",
        "update records set value = cast('rubbish' as blob) where key = cast('{report}' as blob)",
        "is no event: the bytes are not JSON",
    ),
    "a stream has a hole": (
        "ingest",
        "delete from events where stream_id = '{erased}' and version = 1",
        "ingest: {erased} has version 2 after 0: versions are missing",
    ),
    "a chain is broken": (
        "ingest",
        "update events set bytes = break(bytes) where stream_id = '{erased}' and version = 2",
        "ingest: {erased} version 2 does not name the digest of version 1",
    ),
    "a predecessor was rewritten": (
        "ingest",
        "update events set bytes = change(bytes, 'board', 'beard') where stream_id = '{erased}' and version = 1",
        "ingest: {erased} version 2 does not name the digest of version 1",
    ),
    "a stored event is no event": (
        "ingest",
        "update events set bytes = cast('rubbish' as blob) where stream_id = '{report}'",
        "ingest: {report} version 1 is no event",
    ),
    "stored columns differ from the bytes": (
        "ingest",
        "update events set type = 'huiying.report.refused.v1' where stream_id = '{report}'",
        "ingest: the columns of {report} version 1 differ from its bytes",
    ),
    "an event that is read is said to be counted": (
        "triage",
        "update events set counted = 1 where stream_id = '{incident}' and version = 1",
        "triage: the columns of {incident} version 1 differ from its bytes",
    ),
    "words are missing": (
        "ingest",
        "delete from contents where words = 'words of {report}'",
        "ingest: the words text of {report} version 1 are missing",
    ),
    "words are altered": (
        "ingest",
        "update contents set words = 'other words' where words = 'words of {report}'",
        "ingest: the words text of {report} version 1 are not the words that the event names",
    ),
    "erased words are there": (
        "triage",
        "insert into contents select ref, x'00', 'words' from erased limit 1",
        "were erased and are still there",
    ),
    "the outbox is stuck": (
        "ingest",
        """insert into outbox (event_id, topic, partition, key, since)
        select event_id, 'ingest.report', 0, 'k', recordedtime from events limit 1""",
        "ingest: 1 records still wait in the outbox after 0.1 s",
    ),
    "a consumer lags": (
        "triage",
        "update consumer_offset set next = next - 1 where topic = 'ingest.report' and next > 0",
        "triage: ingest.report/",
    ),
    "a record is a dead letter": (
        "triage",
        """insert into dead_letters (id, consumer, topic, partition, offset, reason, error, since, state)
        values ('q', 'triage', 'ingest.report', 0, 0, 'undecodable', 'not JSON', '', 'open')""",
        "triage: ingest.report/0@0 is a dead letter as q: undecodable, not JSON",
    ),
    "a stream is parked": (
        "triage",
        "update stream_cursor set blocked = 'gap' where stream_id = '{report}'",
        "triage: {report} is parked behind version 1: gap",
    ),
    "an offset was moved past what was not taken": (
        "triage",
        "delete from stream_cursor where stream_id = '{report}'",
        "triage never took {report} version 1 from ingest.report, partition ",
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
async def test_a_planted_fault_is_found(fault: str, folder: Path) -> None:
    name, statements, sentence = PLANTED[fault]
    names = {"report": REPORTS[0], "incident": incident_of(REPORTS[0], folder), "erased": ERASED}
    plant(folder, name, statements.format(**names))
    found = await faults(folder)
    assert [text for text in found if sentence.format(**names) in text], found


async def test_a_record_that_a_person_discarded_is_no_fault(folder: Path) -> None:
    async with system(folder) as made:
        await made.log.append({Partition("ingest.report", 0): [(b"key", b"rubbish")]})
        await made.settle()
        assert not (await made.check()).ok
    plant(folder, "triage", "update dead_letters set state = 'discarded'")
    plant(folder, "audit", "update dead_letters set state = 'discarded'")
    assert await faults(folder) == []


async def test_many_faults_are_counted_and_the_first_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result, "MAX_FAULTS", 3)
    plant(folder, "audit", "delete from timeline")
    async with system(folder) as made:
        report = await made.check()
    assert len(report.faults) == 3
    assert report.untold == 11


async def test_an_offset_that_was_moved_past_reports_is_told_in_one_sentence_and_healed_by_what_it_says(
    folder: Path,
) -> None:
    async with system(folder) as made:
        for number in range(20):
            await made.report(f"report-{derived('passed', str(number))}")
        await Relay(made.runtimes["ingest"]).drain()
        before = await rewound(made, to_end=True)
        await made.settle()
        found = await made.check()
        passed = {place: end - before.get(place, 0) for place, end in (await made.log.ends(["ingest.report"])).items()}
        assert [cause.sentence() for cause in found.causes.values()] == [
            f"triage never took events from ingest.report, partition {place.number}: its offset was moved past them, "
            f"{count} faults; the first: {next(text for text in found.faults if f'partition {place.number}' in text)}. "
            "Do: `huiying resend triage --rewind ingest.report` lets it take the missing events"
            for place, count in passed.items()
        ]
        assert len(found.faults) == 20
        await rewound(made, to_end=False)
        found = await made.check()
        assert {sentence.split(":")[0] for sentence in found.faults} == {"triage"}, "it lags, which is another fault"
        assert [cause.do for cause in found.causes.values()] == ["see that its consumer runs"]
        await made.settle()
        assert (await made.check()).faults == []


async def rewound(made: System, *, to_end: bool) -> dict[Partition, int]:
    """Moves triage's offsets to an end of ingest's topic by hand. Returns where they were."""
    runtime, log = made.runtimes["triage"], made.log
    table, places = runtime.tables["consumer_offset"], await (log.ends if to_end else log.begins)(["ingest.report"])
    async with runtime.database.transaction() as connection:
        mine = table.c.consumer == "triage"
        found = (await connection.execute(select(table).where(mine))).all()
        await connection.execute(delete(table).where(mine))
        rows = [
            {"consumer": "triage", "topic": place.topic, "partition": place.number, "next": next_}
            for place, next_ in places.items()
        ]
        await connection.execute(insert(table).values(rows))
    return {Partition(row.topic, row.partition): row.next for row in found}


async def test_what_a_reader_discarded_is_no_fault_and_what_it_has_not_come_to_is_none(folder: Path) -> None:
    stream = REPORTS[0]
    plant(folder, "triage", f"delete from stream_cursor where stream_id = '{stream}'")
    assert len(await faults(folder)) == 1
    plant(
        folder,
        "triage",
        f"""insert into dead_letters (id, consumer, topic, partition, offset, reason, error, since, state, stream_id,
        version) values ('q', 'triage', 'ingest.report', 0, 0, 'fork', 'why', '', 'discarded', '{stream}', 1)""",
    )
    assert await faults(folder) == []


async def test_what_comes_in_meanwhile_is_no_fault(
    tmp_path: Path, history: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This also holds if the check took longer than it waits. Then it waits again for events on their way."""
    shutil.copytree(history, tmp_path, dirs_exist_ok=True)
    check_topic = check._check_topic
    async with system(tmp_path) as made:

        async def soon() -> None:
            await asyncio.sleep(0.3)
            await made.settle()

        async def later(*parts: Any) -> None:
            if parts[2] != "ingest.report":
                await check_topic(*parts)
                return
            await asyncio.sleep(0.6)
            await made.report(f"report-{derived('meanwhile', 'one more')}")
            await asyncio.gather(check_topic(*parts), soon())

        monkeypatch.setattr(check, "_check_topic", later)
        found = await made.check(wait=0.5)
    assert found.faults == []
