"""The relay: nothing is lost or out of order after any crash, and a row that becomes visible late is still sent."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select

from schemas.envelope import Event
from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery.log import LogGone, Partition
from services.kernel.delivery.relay import Batch, Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Caller, execute
from services.kernel.store.session import Session
from tests.kit import small
from tests.kit.stores import rows, runtime, stored


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def ingest(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Runtime]:
    async with runtime(small.ingest(), tmp_path, request.param) as made:
        yield made


async def receive(made: Runtime, text: str = "text") -> str:
    answer = await execute(made, Caller(), f"report-{uuid7()}", small.Receive(text), new=True)
    return str(answer.body["id"])


async def erase(made: Runtime, stream: str, *refs: str) -> None:
    await execute(made, Caller(), stream, refs)


async def on_topic(made: Runtime, topic: str = "ingest.report") -> list[Event]:
    """Everything on a topic, partition by partition."""
    found = []
    for partition, end in (await made.log.ends([topic])).items():
        async for records in made.log.read(partition, 0, end):
            found += [Event.parse(record.value) for record in records]
    return found


def first_occurrences_in_order(events: Sequence[Event]) -> bool:
    """Whether each version of a stream stands on its topic after the versions below it."""
    seen: dict[str, int] = {}
    for event in events:
        if event.version > seen.get(event.stream, 0) + 1:
            return False
        seen[event.stream] = max(event.version, seen.get(event.stream, 0))
    return True


async def test_everything_committed_is_sent_and_then_gone_from_the_outbox(ingest: Runtime) -> None:
    for number in range(30):
        await receive(ingest, f"text {number}")
    relay = Relay(ingest)
    await relay.drain()
    assert sorted(event.bytes for event in await on_topic(ingest)) == sorted(e.bytes for e in await stored(ingest))
    assert await rows(ingest, "outbox") == [] and await relay.is_empty()


async def test_an_acknowledged_batch_that_was_not_marked_is_sent_again(
    ingest: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    await receive(ingest)
    relay = Relay(ingest)
    append = ingest.log.append

    async def acknowledge_and_crash(batches: Mapping[Partition, Any], writer: int) -> set[Partition]:
        await append(batches, writer)
        raise LogGone("the answer was lost")

    monkeypatch.setattr(ingest.log, "append", acknowledge_and_crash)
    with pytest.raises(LogGone):
        await relay.drain()
    monkeypatch.undo()
    await relay.drain()
    sent = await on_topic(ingest)
    assert len(sent) == 2 and sent[0].bytes == sent[1].bytes


async def test_two_relays_keep_the_order_of_first_occurrence(ingest: Runtime) -> None:
    streams = [await receive(ingest) for _ in range(5)]
    for _ in range(12):
        for stream in streams:
            await erase(ingest, stream)
    await asyncio.gather(*(Relay(ingest).drain() for _ in range(3)))
    sent = await on_topic(ingest)
    assert {event.id for event in sent} == {event.id for event in await stored(ingest)}
    assert first_occurrences_in_order(sent)


async def test_words_travel_and_leave_a_tombstone_when_erased(ingest: Runtime) -> None:
    stream = await receive(ingest, "some words")
    refs = list((await stored(ingest))[0].words.values())
    async with ingest.database.transaction() as connection:
        session = Session(ingest.service, ingest.settings, connection, ingest.time_source.now())
        await session.erase(refs, announce=True)
    await Relay(ingest).drain()
    values = []
    for partition, end in (await ingest.log.ends(["ingest.content"])).items():
        async for records in ingest.log.read(partition, 0, end):
            values += [record.value for record in records]
    assert values and all(value is None for value in values), "words erased before they were sent never leave the store"
    assert stream


async def test_more_than_a_round_and_more_than_a_batch_are_sent_in_order(ingest: Runtime, monkeypatch: Any) -> None:
    monkeypatch.setattr("services.kernel.delivery.relay.ROWS", 7)
    monkeypatch.setattr("services.kernel.delivery.relay.BATCH_BYTES", 2500)
    streams = [await receive(ingest) for _ in range(3)]
    for _ in range(9):
        for stream in streams:
            await erase(ingest, stream)
    await Relay(ingest).drain()
    sent = await on_topic(ingest)
    assert len(sent) == 30 and first_occurrences_in_order(sent)


class RelayAboveTheLast(Relay):
    """What the relay must not do: remember the highest sent number and look only above it."""

    last = 0

    async def _next(self, sent: Batch, on_its_way: Batch) -> Batch:
        self._waiting = self.waiting()
        return await super()._next(sent, on_its_way)

    async def _send(self, batch: Batch) -> None:
        await super()._send(batch)
        self.last = max((self.last, *batch.rows))

    def lowest(self) -> Select[Any]:
        return super().lowest().where(self.tables["outbox"].c.seq > self.last)


@pytest.mark.postgres
@pytest.mark.parametrize(("kind", "sent"), [(Relay, 2), (RelayAboveTheLast, 1)])
async def test_a_lower_number_that_commits_later_is_sent(tmp_path: Path, kind: type[Relay], sent: int) -> None:
    """With the guard off, the late row is never sent. So this test can fail."""
    async with runtime(small.ingest(), tmp_path, "postgres") as made:
        relay = kind(made)
        slow = asyncio.Event()
        begun = asyncio.Event()

        async def late() -> None:
            async with made.database.transaction() as connection:
                session = Session(made.service, made.settings, connection, made.time_source.now())
                ctx = await made.context(connection)
                stream = f"report-{uuid7()}"
                session.begin(stream)
                session.decide(stream, small.Receive("late"), ctx)
                await session.flush()
                begun.set()
                await slow.wait()

        task = asyncio.create_task(late())
        await begun.wait()
        await receive(made, "early")
        await relay.drain()
        slow.set()
        await task
        await relay.drain()
        assert len(await on_topic(made)) == sent
