"""Leadership: a stalled leader is replaced, and its later work has no effect. Each guard on and off."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from schemas import catalogue
from services.kernel.core.problems import Unavailable
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery import runtime as delivery
from services.kernel.delivery.log import LogGone, Partition, Record
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.delivery.log.kafka import KafkaLog
from services.kernel.delivery.relay import Batch, Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import process
from services.kernel.serving.commands import Caller, execute
from services.kernel.settings import Settings
from services.kernel.store import lease
from services.kernel.store.database import Database
from services.kernel.store.lease import Superseded
from services.kernel.store.session import Session
from tests.kernel.test_relay import receive
from tests.kit import small, substrate
from tests.kit.stores import SECRET, rows, runtime, stored

pytestmark = pytest.mark.postgres
SECONDS = 1.0


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Runtime, Runtime]]:
    """Two processes of one service, as far as its database can tell."""
    template = substrate.new_databases("lease", services=("ingest",))
    log = EmbeddedLog(tmp_path / "log.sqlite", 4)
    await log.start()
    settings = Settings(data=tmp_path, lease_seconds=SECONDS)
    made = [
        Runtime(small.ingest(), settings, Database(template.format(service="ingest"), 1), TimeSource(), log, SECRET)
        for _ in range(2)
    ]
    await process._make_first_tables(made[0])
    try:
        yield made[0], made[1]
    finally:
        for one in made:
            await one.database.close()
        await log.stop()
        substrate.drop_databases(template)


@asynccontextmanager
async def leads(made: Runtime, limit: float = 30) -> AsyncIterator[process.Lead]:
    """Leads without renewing, like a stalled process. Waits for the lead at most `limit` seconds."""
    leading = process.leadership(made)
    async with asyncio.timeout(limit):
        held = await leading.__aenter__()
    try:
        yield held
    finally:
        await leading.__aexit__(None, None, None)


async def keeps_the_lead(first: Runtime, second: Runtime) -> None:
    """Another process gets no lead while this one renews its own."""
    async with leads(first) as held:
        keeping = asyncio.create_task(held.keep())
        with pytest.raises(TimeoutError):
            async with leads(second, limit=3 * SECONDS):
                raise AssertionError("two lead")
        keeping.cancel()


async def test_a_leader_that_renews_keeps_the_lead_and_one_that_ends_leaves_it_at_once(
    two: tuple[Runtime, Runtime],
) -> None:
    first, second = two
    await keeps_the_lead(first, second)
    async with leads(second, limit=5):
        assert await rows(second, "lease", "term") == [(2,)]


async def test_a_leader_whose_clock_goes_wrong_leaves_the_lead_to_another_machine(
    two: tuple[Runtime, Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two
    monkeypatch.setattr(delivery, "CHECKED", 0.0)
    off = 0.0

    async def skew() -> float:
        return off

    monkeypatch.setattr(first, "skew", skew)
    async with leads(first) as held:
        keeping = asyncio.create_task(held.keep())
        assert not (await asyncio.wait([keeping], timeout=SECONDS))[0]
        off = 7200.0
        with pytest.raises(Unavailable, match="7200 s off the database's"):
            async with asyncio.timeout(10):
                await keeping
    with pytest.raises(Unavailable, match="7200 s off the database's"):
        await process.prepare(first)
    async with leads(second, limit=5):
        pass


async def test_a_database_that_does_not_tell_the_time_costs_nobody_the_lead(
    two: tuple[Runtime, Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two

    async def skew() -> float:
        await asyncio.sleep(3600)
        return 0.0

    monkeypatch.setattr(first, "skew", skew)
    await keeps_the_lead(first, second)


async def test_embedded_the_one_process_leads_at_once_and_keeps_no_lease(tmp_path: Path) -> None:
    async with runtime(small.ingest(), tmp_path, "sqlite") as made, leads(made) as held:
        await held.recovered()
        await receive(made)
        assert await rows(made, "lease") == []
        assert made.database.fence is None


async def test_a_stalled_leader_is_replaced_and_writes_nothing_more(two: tuple[Runtime, Runtime]) -> None:
    former, latter = two
    async with leads(former) as held:
        stream = await receive(former)
        async with leads(latter):
            with pytest.raises(Superseded):
                await execute(former, Caller(), stream, ())
            with pytest.raises(Exception, match=r"leads now|terminat|closed"):
                await held._renew()
            assert (await execute(latter, Caller(), stream, ())).events[0].version == 2
        assert len(await stored(latter)) == 2


@pytest.mark.parametrize("fenced", [True, False])
async def test_a_stalled_relay_removes_nothing_that_the_new_one_has_to_send(
    two: tuple[Runtime, Runtime], fenced: bool
) -> None:
    """With the fence off, the former leader goes on with the outbox of the new leader's term."""
    former, latter = two
    async with leads(former):
        await receive(former)
        relay = Relay(former)
        batch = await relay._next(Batch(), Batch())
        waiting = len(await rows(former, "outbox", "seq"))
        async with leads(latter):
            if not fenced:
                former.database.fence = None
                await relay._next(batch, Batch())
                assert await rows(latter, "outbox", "seq") == []
                return
            with pytest.raises(Superseded):
                await relay._next(batch, Batch())
            assert len(await rows(latter, "outbox", "seq")) == waiting


async def opened(made: Runtime, go_on: asyncio.Event) -> asyncio.Task[None]:
    """A transaction of this process that stays open until it may go on."""
    begun = asyncio.Event()

    async def stalled() -> None:
        async with made.database.transaction():
            begun.set()
            await go_on.wait()

    task = asyncio.create_task(stalled())
    await begun.wait()
    return task


@pytest.mark.parametrize("ended", [True, False])
async def test_what_a_stalled_leader_has_open_does_not_hold_the_next_one_up(
    two: tuple[Runtime, Runtime], monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """The leader was stalled in a transaction. The lease can change hands only if its sessions are ended."""
    former, latter = two
    if not ended:
        monkeypatch.setattr(lease, "_END_SESSIONS", lease.text("select :holder"))
    go_on = asyncio.Event()
    async with leads(former):
        task = await opened(former, go_on)
        if ended:
            async with leads(latter):
                assert (await rows(latter, "lease", "term")) == [(2,)]
        else:
            with pytest.raises(DBAPIError, match="lock timeout"):
                async with leads(latter):
                    raise AssertionError("the lease changed hands under a transaction")
        go_on.set()
        results: list[Any] = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(results[0], Exception) is ended


async def test_who_would_like_to_lead_holds_up_nobody(two: tuple[Runtime, Runtime]) -> None:
    """A transaction of the leader is open and another one begins, while a second process asks for the lease."""
    first, second = two
    go_on = asyncio.Event()
    async with leads(first) as held:
        keeping = asyncio.create_task(held.keep())
        task = await opened(first, go_on)
        async with second.database.session() as session:
            assert await lease.take(second.database, session, SECONDS) is None
            await receive(first)
        go_on.set()
        await task
        keeping.cancel()


async def test_a_process_says_once_that_it_leads_and_once_that_it_does_no_longer(
    two: tuple[Runtime, Runtime],
) -> None:
    former, latter = two

    def term() -> float | None:
        return REGISTRY.get_sample_value("huiying_leader_term", {"service": "ingest"})

    with capture_logs() as said:
        async with leads(former) as held:
            await held.recovered()
            assert term() == 1
            async with leads(latter):
                with pytest.raises((Superseded, DBAPIError)):
                    await held.keep()
    assert term() == 0
    told = [line["event"] for line in said]
    assert [told.count(name) for name in ("leader.begins", "lease.has_run_out", "leader.ends")] == [1, 1, 1]


@pytest.mark.kafka
@pytest.mark.parametrize("fenced", [True, False])
async def test_a_relay_that_was_stalled_puts_no_words_behind_their_tombstone(
    two: tuple[Runtime, Runtime], fenced: bool
) -> None:
    """The former leader wakes up with words that were erased meanwhile.

    With the fence of the topics off, they come back.
    """
    former, latter = two
    kafka = Settings(kafka=substrate.kafka(), prefix=f"t{uuid.uuid4().hex[:8]}")
    for made in two:
        made.log = KafkaLog(kafka, "ingest" if fenced else "")
    try:
        await former.log.create_topics(catalogue.event_topics("ingest"), [catalogue.content_topic("ingest")])
        async with leads(former):
            stream = await receive(former, "some words")
            refs = list((await stored(former))[0].words.values())
            stalled = Relay(former)
            batch = await stalled._next(Batch(), Batch())
            async with leads(latter):
                async with latter.database.transaction() as connection:
                    session = Session(latter.service, latter.settings, connection, latter.time_source.now())
                    await session.erase(refs, announce=True)
                await Relay(latter).drain()
                try:
                    await stalled._send(batch)
                except LogGone:
                    assert fenced
                values = [record.value for record in await on_content_topic(latter)]
                assert values.count(None) == len(values) if fenced else b"some words" in (values[-1] or b"")
        assert stream
    finally:
        for made in two:
            await made.log.stop()


@pytest.mark.kafka
async def test_a_process_that_leads_again_keeps_out_who_led_meanwhile(two: tuple[Runtime, Runtime]) -> None:
    """Its producer is older than the other leader's, since a relay takes a new one with each term."""
    kafka, place = Settings(kafka=substrate.kafka(), prefix=f"t{uuid.uuid4().hex[:8]}"), Partition("ingest.content", 0)
    first, second = two
    for made in two:
        made.log = KafkaLog(kafka, "ingest")
    try:
        await first.log.create_topics(catalogue.event_topics("ingest"), [catalogue.content_topic("ingest")])
        await first.log.writer()
        stalled = await second.log.writer()
        relay = asyncio.create_task(Relay(first).run())
        await receive(first)
        while not await Relay(first).is_empty():
            await asyncio.sleep(0.02)
        relay.cancel()
        await first.log.append({place: [(b"ref", None)]}, await first.log.writer())
        with pytest.raises(LogGone):
            await second.log.append({place: [(b"ref", b"words")]}, stalled)
    finally:
        for made in two:
            await made.log.stop()


async def on_content_topic(made: Runtime) -> list[Record]:
    found: list[Record] = []
    for partition, end in (await made.log.ends(["ingest.content"])).items():
        async for records in made.log.read(partition, 0, end):
            found += records
    return found


async def test_a_consumer_waits_for_the_recovery_of_the_one_that_leads_now(two: tuple[Runtime, Runtime]) -> None:
    first, second = two
    async with leads(first) as held:
        assert not await process.has_recovered(second)
        await held.recovered()
        assert await process.has_recovered(second)
        async with leads(second):
            assert not await process.has_recovered(first)
