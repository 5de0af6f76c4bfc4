"""One suite for every adapter of the event log. Embedded, aiokafka and Faust keep the same promises."""

import asyncio
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from structlog.testing import capture_logs

from services.kernel.delivery.log import (
    EXIT_LOST,
    TOGETHER,
    EventLog,
    LogGone,
    OffsetOutOfRange,
    Partition,
    Record,
    TopicsMissing,
    check_range,
    group,
    hand_on,
)
from services.kernel.delivery.log.embedded import EmbeddedLog
from services.kernel.settings import Settings
from tests.kit import substrate

PARTITIONS = 3
EVENTS, CONTENT = "ingest.report", "ingest.content"


async def embedded(path: Path) -> EventLog:
    """A log in a file."""
    return EmbeddedLog(path / "log.sqlite", PARTITIONS)


async def aiokafka(path: Path) -> EventLog:
    """A log on the broker, under its own prefix."""
    from services.kernel.delivery.log.kafka import KafkaLog

    return KafkaLog(_kafka_settings())


async def faust(path: Path) -> EventLog:
    """The same with Faust's streams."""
    from services.kernel.delivery.log.faust import FaustLog

    return FaustLog(_kafka_settings())


def _kafka_settings() -> Settings:
    return Settings(kafka=substrate.kafka(), prefix=f"t{uuid.uuid4().hex[:8]}", partitions=PARTITIONS)


@pytest.fixture(
    params=[embedded, pytest.param(aiokafka, marks=pytest.mark.kafka), pytest.param(faust, marks=pytest.mark.kafka)]
)
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventLog]:
    made: EventLog = await request.param(tmp_path)
    await made.start()
    await made.create_topics([EVENTS], [CONTENT])
    yield made
    await made.stop()


class Taker:
    """A consumer that keeps its offsets itself, like a database."""

    def __init__(self) -> None:
        self.next: dict[Partition, int] = {}
        self.taken: list[Record] = []
        self.fail: Exception | None = None

    async def offsets(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return {partition: self.next.get(partition, 0) for partition in partitions}

    async def handle(self, records: Sequence[Record]) -> None:
        if self.fail:
            raise self.fail
        for record in records:
            place = Partition(record.topic, record.partition)
            if record.offset >= self.next.get(place, 0):
                self.taken.append(record)
                self.next[place] = record.offset + 1


@asynccontextmanager
async def consuming(
    log: EventLog, taker: Taker, *topics: str, group: str = "triage"
) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(log.consume(group, topics, taker.offsets, taker.handle))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], Any], what: str, limit: float = 30) -> None:
    """Waits for a condition. If it never comes, the error names it."""
    end = asyncio.get_running_loop().time() + limit
    while not condition():
        if asyncio.get_running_loop().time() > end:
            pytest.fail(f"after {limit:.0f} s still not: {what}")
        await asyncio.sleep(0.02)


def records(first: int, count: int) -> list[tuple[bytes, bytes | None]]:
    return [(b"k%d" % n, b"v%d" % n) for n in range(first, first + count)]


async def test_reads_back_what_was_acknowledged_in_order(log: EventLog) -> None:
    zero, one = Partition(EVENTS, 0), Partition(EVENTS, 1)
    assert await log.append({zero: records(0, 700), one: records(0, 3)}) == {zero, one}
    await log.append({zero: records(700, 2)})
    assert (await log.ends([EVENTS]))[zero] == 702
    assert (await log.begins([EVENTS]))[zero] == 0
    got = [record async for batch in log.read(zero, 0, 702) for record in batch]
    assert [record.offset for record in got] == list(range(702))
    assert [record.value for record in got] == [b"v%d" % n for n in range(702)]
    part = [record async for batch in log.read(zero, 650, 660) for record in batch]
    assert [record.offset for record in part] == list(range(650, 660))


async def test_goes_on_after_an_append_that_was_cancelled(tmp_path: Path) -> None:
    """It may have been written all the same. Nothing is written over, and nobody waits for it."""
    log, zero = await embedded(tmp_path), Partition(EVENTS, 0)
    await log.start()
    for number in range(20):
        first = (await log.ends([EVENTS]))[zero]
        appending = asyncio.create_task(log.append({zero: records(first, 600)}))
        await asyncio.sleep(number / 1000)
        appending.cancel()
        await asyncio.gather(appending, return_exceptions=True)
        await log.append({zero: [(b"k", b"the next")]})
    end = (await log.ends([EVENTS]))[zero]
    got = [record async for batch in log.read(zero, 0, end) for record in batch]
    assert [record.offset for record in got] == list(range(end))
    assert [record.value for record in got].count(b"the next") == 20
    await log.stop()


async def test_tells_the_record_before_an_offset(log: EventLog) -> None:
    """This holds for topics of any length, and for the compacted one, which may have lost the record."""
    zero, one, content = Partition(EVENTS, 0), Partition(EVENTS, 1), Partition(CONTENT, 0)
    await log.append({zero: records(0, 700), one: records(0, 3), content: records(0, 2)})
    found = await log.before({zero: 700, one: 2, content: 1})
    assert {part: (record.offset, record.value) for part, record in found.items()} == {
        zero: (699, b"v699"),
        one: (1, b"v1"),
        content: (0, b"v0"),
    }
    if isinstance(log, EmbeddedLog):
        await log.append({content: [(b"k0", None)]})
        assert await log.before({content: 1}) == {}
    assert await log.before({}) == {}


@pytest.mark.kafka
async def test_a_topic_that_is_gone_is_said_to_be_missing(tmp_path: Path) -> None:
    log: Any = await aiokafka(tmp_path)
    await log.create_topics([EVENTS], [])
    assert (await log.ends([EVENTS]))[Partition(EVENTS, 0)] == 0
    with pytest.raises(TopicsMissing, match=CONTENT):
        await log.ends([EVENTS, CONTENT])
    admin = AIOKafkaAdminClient(bootstrap_servers=log._settings.kafka)
    await admin.start()
    await admin.delete_topics([log.name(EVENTS)])
    await admin.close()

    async def missing() -> bool:
        try:
            await log.ends([EVENTS])
        except TopicsMissing:
            return True
        except LogGone:
            pass
        return False

    async with asyncio.timeout(30):
        while not await missing():
            await asyncio.sleep(0.1)
    assert await log.create_topics([EVENTS], []) == [EVENTS]
    async with asyncio.timeout(30):
        while await missing():
            await asyncio.sleep(0.1)
    await log.stop()


@pytest.mark.kafka
async def test_says_why_the_brokers_make_no_topic_and_who_made_it() -> None:
    from services.kernel.delivery.log.kafka import KafkaLog

    settings = _kafka_settings()
    log, other = KafkaLog(settings.model_copy(update={"replication": 99})), KafkaLog(settings)
    with pytest.raises(LogGone, match=rf"do not make the topic {settings.prefix}.{EVENTS}: .*99"):
        await log.create_topics([EVENTS], [])
    made = await asyncio.gather(*(KafkaLog(settings).create_topics([EVENTS], [CONTENT]) for _ in range(4)))
    assert sorted(topic for of_one in made for topic in of_one) == [CONTENT, EVENTS], "each was made once"
    assert await other.create_topics([EVENTS], [CONTENT]) == []


async def test_hands_on_from_the_offset_of_the_database(log: EventLog) -> None:
    zero = Partition(EVENTS, 0)
    await log.append({zero: records(0, 10)})
    taker = Taker()
    taker.next[zero] = 4
    async with consuming(log, taker, EVENTS):
        await until(lambda: taker.next[zero] == 10, "the records after the offset came")
        await log.append({zero: records(10, 5), Partition(EVENTS, 2): records(0, 5)})
        await until(lambda: len(taker.taken) == 16, "later records came")
    assert [record.offset for record in taker.taken if record.partition == 0] == list(range(4, 15))
    assert [record.value for record in taker.taken if record.partition == 2] == [b"v%d" % n for n in range(5)]


async def test_a_consumer_that_starts_again_repeats_nothing_and_skips_nothing(log: EventLog) -> None:
    places = [Partition(EVENTS, n) for n in range(PARTITIONS)]
    taker = Taker()
    for round_ in range(3):
        await log.append({place: records(round_ * 40, 40) for place in places})
        async with consuming(log, taker, EVENTS):
            await until(
                lambda wanted=(round_ + 1) * 40: all(taker.next.get(place) == wanted for place in places), "all came"
            )
    for place in places:
        offsets = [record.offset for record in taker.taken if record.partition == place.number]
        assert offsets == list(range(120))


async def test_tombstones_and_empty_keys_arrive_as_they_are(log: EventLog) -> None:
    place = Partition(CONTENT, 1)
    await log.append({place: [(b"a", b"words")]})
    await log.append({place: [(b"a", None), (b"b", b"others")]})
    taker = Taker()
    async with consuming(log, taker, CONTENT):
        await until(lambda: taker.next.get(place) == 3, "the content topic was read to its end")
    assert [(record.key, record.value) for record in taker.taken][-2:] == [(b"a", None), (b"b", b"others")]


async def test_two_topics_are_read_side_by_side(log: EventLog) -> None:
    taker = Taker()
    async with consuming(log, taker, EVENTS, CONTENT):
        await log.append({Partition(EVENTS, 0): records(0, 1), Partition(CONTENT, 0): records(0, 1)})
        await until(lambda: len(taker.taken) == 2, "both topics were read")
    assert {record.topic for record in taker.taken} == {EVENTS, CONTENT}


async def test_topics_are_made_once(log: EventLog) -> None:
    await log.append({Partition(EVENTS, 0): records(0, 1)})
    await log.create_topics([EVENTS], [CONTENT])
    assert (await log.ends([EVENTS]))[Partition(EVENTS, 0)] == 1


async def test_a_failing_handler_ends_the_consumer(log: EventLog) -> None:
    await log.append({Partition(EVENTS, 0): records(0, 1)})
    if type(log).__name__ == "FaustLog":
        assert await _exit_of_faust(log, "raise RuntimeError('the offset was lost')", 0) == 3
        return
    taker = Taker()
    taker.fail = RuntimeError("the offset was lost")
    async with consuming(log, taker, EVENTS) as task:
        await until(task.done, "the consumer ended")
        with pytest.raises(RuntimeError, match="the offset was lost"):
            task.result()


@pytest.mark.parametrize("held", [3, 0], ids=["some", "none"])
async def test_an_offset_that_the_topic_does_not_hold_stops_the_consumer(log: EventLog, held: int) -> None:
    place = Partition(EVENTS, 0)
    if held:
        await log.append({place: records(0, held)})
    with pytest.raises(OffsetOutOfRange, match="huiying resend --lost"):
        check_range(place, 9, 0, held)
    if type(log).__name__ == "FaustLog":
        assert await _exit_of_faust(log, "return", 9) == 5
        return
    taker = Taker()
    taker.next[place] = 9
    async with consuming(log, taker, EVENTS) as task:
        await until(task.done, "the consumer ended")
        with pytest.raises(OffsetOutOfRange, match="huiying resend --lost"):
            task.result()
    assert taker.taken == []


@pytest.mark.kafka
@pytest.mark.parametrize("fenced", [True, False])
async def test_a_writer_that_was_stalled_puts_no_words_behind_their_tombstone(fenced: bool) -> None:
    """Two leaders at once.

    The former one was stalled with words that it had read. Without an owner, the words come back.
    """
    from services.kernel.delivery.log.kafka import KafkaLog

    settings, place, event = _kafka_settings(), Partition(CONTENT, 0), Partition(EVENTS, 0)
    former, latter = (KafkaLog(settings, "ingest" if fenced else "") for _ in range(2))
    try:
        await former.create_topics([EVENTS], [CONTENT])
        stalled = await former.writer()
        await former.append({place: [(b"ref", b"words")], event: records(0, 1)}, stalled)
        await latter.append({place: [(b"ref", None)], event: records(0, 1)}, await latter.writer())
        if fenced:
            with pytest.raises(LogGone):
                await former.append({place: [(b"ref", b"words")]}, stalled)
            with pytest.raises(LogGone, match="is gone"):
                await former.append({place: [(b"ref", b"words")]}, stalled)
        else:
            await former.append({place: [(b"ref", b"words")]}, stalled)
        values = [record.value async for batch in former.read(place, 0, 3 - fenced) for record in batch]
        assert values == [b"words", None] if fenced else values[-1] == b"words"
        # Only sent records take an offset, since there are no transactions.
        assert (await former.ends([EVENTS]))[event] == 2
        await former.append({event: records(1, 1)}, await former.writer())
        assert (await former.ends([EVENTS]))[event] == 3
    finally:
        await former.stop()
        await latter.stop()


async def _state_of_group(log: Any) -> str:
    admin = AIOKafkaAdminClient(bootstrap_servers=log._settings.kafka)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([f"{log._settings.prefix}.triage"])
        return str(answer.groups[0][2])
    finally:
        await admin.close()


@pytest.mark.kafka
@pytest.mark.parametrize("adapter", [aiokafka, faust])
@pytest.mark.parametrize("guard", [True, False], ids=["waits", "waits_not"])
async def test_partitions_change_hands_when_what_is_under_way_has_ended(
    adapter: Any, guard: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member that joins gets no partition in the middle of another member's batch. With the guard off, it does."""
    if not guard:
        for module in ("kafka", "faust"):
            monkeypatch.setattr(f"services.kernel.delivery.log.{module}.ended", AsyncMock())
    first = await adapter(tmp_path)
    await first.create_topics([EVENTS], [])
    place = Partition(EVENTS, 0)
    await first.append({place: records(0, 10)})
    taker, begun, go_on, finished = Taker(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    asked: list[Sequence[Partition]] = []

    async def slow(batch: Sequence[Record]) -> None:
        begun.set()
        await go_on.wait()
        await taker.handle(batch)
        finished.set()

    async def offsets(partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        asked.append(partitions)
        return await taker.offsets(partitions)

    second = type(first)(first._settings)
    tasks = [asyncio.create_task(first.consume("triage", [EVENTS], taker.offsets, slow))]
    try:
        async with asyncio.timeout(60):
            await begun.wait()
        tasks.append(asyncio.create_task(second.consume("triage", [EVENTS], offsets, taker.handle)))
        if guard:
            # The broker holds the group until the first member joins again. That member first ends its batch.
            async with asyncio.timeout(60):
                while await _state_of_group(first) != "PreparingRebalance":
                    await asyncio.sleep(0.05)
            assert not asked
            go_on.set()
        await until(lambda: any(asked), "the second member was given its partitions")
        assert finished.is_set() == guard
        go_on.set()
        await until(lambda: taker.next.get(place) == 10, "the records were taken")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await first.stop()
        await second.stop()


@asynccontextmanager
async def _held(kind: Any, tmp_path: Path, taker: Taker) -> AsyncIterator[Any]:
    """A group of one of our consumers, with ten records taken in. The consumer ends at the end."""
    first = await kind(tmp_path)
    await first.create_topics([EVENTS], [])
    await first.append({Partition(EVENTS, 0): records(0, 10)})
    holding = asyncio.create_task(first.consume("triage", [EVENTS], taker.offsets, taker.handle))
    await until(lambda: taker.next.get(Partition(EVENTS, 0)) == 10, "the first one takes the records")
    try:
        yield first
    finally:
        holding.cancel()
        await asyncio.gather(holding, return_exceptions=True)
        await first.stop()


@pytest.mark.kafka
@pytest.mark.parametrize("kinds", [(aiokafka, faust), (faust, aiokafka)], ids=["faust comes", "aiokafka comes"])
async def test_a_consumer_of_another_kind_says_what_to_do_and_waits_until_the_group_is_free(
    kinds: Any, tmp_path: Path
) -> None:
    place, taker = Partition(EVENTS, 0), Taker()
    with capture_logs() as lines:

        def told() -> list[str]:
            return [line["error"] for line in lines if line["event"] == "consumer.waits"]

        async with _held(kinds[0], tmp_path, taker) as first:
            second = type(await kinds[1](tmp_path))(first._settings)
            coming = asyncio.create_task(second.consume("triage", [EVENTS], taker.offsets, taker.handle))
            await until(told, "the second one says why it waits")
            await first.append({place: records(10, 10)})
            await until(lambda: taker.next.get(place) == 20, "the first one goes on")
        await second.append({place: records(20, 10)})
        await until(lambda: taker.next.get(place) == 30, "the second one takes over")
    (sentence,) = told()
    assert "Set HUIYING_CONSUMER alike for all processes" in sentence
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)
    await second.stop()


@pytest.mark.kafka
async def test_a_consumer_that_joined_at_the_same_time_as_one_of_another_kind_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consumer saw a free group, but the brokers refuse it. It must start again and then wait."""
    async with _held(aiokafka, tmp_path, Taker()) as first:
        unseeing = "from services.kernel.delivery.log import group\ngroup.WATCH_SECONDS = 0.5\n"
        unseeing += "async def now(self): pass\ngroup.Group.may_join = now\n"
        assert await _exit_of_faust(first, "pass", 0, unseeing) == EXIT_LOST
    taker = Taker()
    async with _held(faust, tmp_path, taker) as first:
        second = (await aiokafka(tmp_path)).__class__(first._settings)
        monkeypatch.setattr(group.Group, "may_join", AsyncMock())
        with pytest.raises(LogGone, match="Set HUIYING_CONSUMER alike for all processes"):
            await asyncio.wait_for(second.consume("triage", [EVENTS], taker.offsets, taker.handle), 30)
        await second.stop()


async def _exit_of_faust(log: Any, handling: str, next_: int, before: str = "") -> int:
    """With Faust the whole process ends, since a failed agent would acknowledge the event."""
    settings = log._settings
    code = f"""
import asyncio
from services.kernel.delivery.log.faust import FaustLog
from services.kernel.settings import Settings
async def offsets(partitions): return {{p: {next_} if p.number == 0 else 0 for p in partitions}}
async def handle(records): {handling}
{before}
log = FaustLog(Settings(kafka={settings.kafka!r}, prefix={settings.prefix!r}, partitions={settings.partitions}))
asyncio.run(log.consume("triage", ["{EVENTS}"], offsets, handle))
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=asyncio.subprocess.DEVNULL)
    return await asyncio.wait_for(process.wait(), 40)


async def test_many_records_of_several_partitions_are_one_batch() -> None:
    """A transaction for each partition would cost more than its records, and wait for the others' rows."""
    parts = [[Record(EVENTS, number, at, b"k", b"v") for at in range(TOGETHER)] for number in range(3)]
    batches: list[Sequence[Record]] = []

    async def handle(records: Sequence[Record]) -> None:
        batches.append(records)

    await hand_on(handle, parts)
    assert batches == [[record for part in parts for record in part]]


def recorded(*seconds: int) -> list[tuple[bytes, bytes | None]]:
    """Records that were recorded at these seconds."""
    return [(b"k", b'{"recordedtime":"2026-01-05T00:%02d:%02d.000000Z"}' % divmod(second, 60)) for second in seconds]


async def test_reads_several_partitions_by_the_time_of_recording(log: EventLog) -> None:
    zero, one, two = (Partition(EVENTS, number) for number in range(3))
    await log.append({zero: recorded(*range(0, 1200, 2)), one: recorded(*range(1, 1200, 2))})
    await log.append({two: [(b"k", b"names no time"), *recorded(5, 3)]})
    spans = {zero: (10, 600), one: (0, 500), two: (0, 3)}
    got = [record async for batch in log.read_together(spans) for record in batch]
    for partition, (start, end) in spans.items():
        own = [record.offset for record in got if (record.topic, record.partition) == partition]
        assert own == list(range(start, end))
    times = [record.value for record in got if record.partition != 2]
    assert times == sorted(times, key=lambda value: value or b"")
    assert [record async for batch in log.read_together({zero: (600, 600)}) for record in batch] == []
