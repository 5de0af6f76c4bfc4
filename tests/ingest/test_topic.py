"""CloudEvents from a topic of another system, on a real broker: the SDK of CloudEvents writes them, and processes are
killed on the way.
"""

import asyncio
import itertools
import multiprocessing
import os
import signal
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event

from schemas.operation import OperationMessageSetAside
from services.ingest.cloudevents import topic as reading
from services.kernel import failpoints
from tests.ingest.conftest import Ingest, running
from tests.ingest.test_cloudevents import CONTENT, of_sdk
from tests.kit import substrate

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(120)]
PARTITIONS = 2
POINTS = ("command.before_commit:1", "cloudevents.stored:1", "command.before_commit:2", "cloudevents.stored:2")


def raw(value: bytes | None, **headers: str) -> KafkaMessage:
    return KafkaMessage({name.replace("_type", "-type"): text.encode() for name, text in headers.items()}, None, value)


def letters(name: str, count: int) -> list[KafkaMessage]:
    """Events of the SDK in both forms, and each a second time in the other one."""
    events = [of_sdk(id=f"{name}-{number}") for number in range(count)]
    return [form(event) for event in events for form in (to_structured_event, to_binary_event)]


async def send(topic: str, messages: Sequence[KafkaMessage], partition: int | None = None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=substrate.kafka())
    await producer.start()
    try:
        for number, one in enumerate(messages):
            place = number // 2 % PARTITIONS if partition is None else partition
            await producer.send(topic, one.value, one.key, place, headers=list(one.headers.items()))
        await producer.flush()
    finally:
        await producer.stop()


async def administer(act: Callable[[AIOKafkaAdminClient], Any]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=substrate.kafka())
    await admin.start()
    try:
        await act(admin)
    finally:
        await admin.close()


async def make(topic: str) -> None:
    await administer(lambda admin: admin.create_topics([NewTopic(topic, PARTITIONS, 1)]))


def name() -> str:
    """A topic of another system; it has no prefix of ours."""
    return f"mayor-board.{uuid.uuid4().hex[:8]}"


async def named(ingest: Ingest, topic: str) -> str:
    """Lets ingest read the topic for a fresh key; returns the key's id."""
    await ingest.key("town-east", "mayor-board")
    (key,) = [row["id"] for row in await ingest.rows("api_keys")]
    reads(ingest, topic, key)
    return str(key)


def reads(ingest: Ingest, topic: str, key: str) -> None:
    more = {"kafka": substrate.kafka(), "cloudevents_topic": topic, "cloudevents_key": key}
    ingest.runtime.settings = ingest.runtime.settings.model_copy(update=more)


@asynccontextmanager
async def loop(ingest: Ingest) -> AsyncIterator[None]:
    task = asyncio.create_task(reading.run(ingest.runtime))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(ask: Callable[[], Any], what: object) -> None:
    async with asyncio.timeout(20):
        while await ask() != what:
            await asyncio.sleep(0.05)


async def ids(ingest: Ingest) -> list[str]:
    """The external ids of all reports, each as often as it was taken in."""
    received = await ingest.events("report.received")
    words = {row["ref"]: row["words"] for row in await ingest.rows("contents")}
    return sorted(words[event.words["external_id"]] for event in received)


async def aside(ingest: Ingest) -> list[OperationMessageSetAside]:
    return [one.data for one in await ingest.events("message_set_aside")]


@pytest.mark.requirement("ING-01")
async def test_takes_both_forms_once_sets_others_aside_by_their_place_and_goes_on(ingest: Ingest) -> None:
    topic = name()
    await make(topic)
    key = await named(ingest, topic)
    secret = "13912345678 张三"
    bad = [
        raw(b"no json " + secret.encode(), content_type="application/cloudevents+json"),
        KafkaMessage({}, b"key", None),
        raw(b"{}"),
        raw(b"[]", content_type="application/cloudevents-batch+json"),
        to_structured_event(of_sdk({**CONTENT, "reporter": secret})),
        to_binary_event(of_sdk(type="other.v1")),
        to_binary_event(of_sdk({**CONTENT, "unit": "town-west"})),
        raw(b"x" * 300_001, content_type="application/cloudevents+json"),
        KafkaMessage({"ce_id": b"\xff", "ce_type": b"\xfe"}, None, b"\x00"),
    ]
    await send(topic, [*letters("one", 3), *bad], partition=0)
    await send(topic, letters("two", 2), partition=1)
    async with loop(ingest):
        await until(lambda: ids(ingest), ["one-0", "one-1", "one-2", "two-0", "two-1"])
        await until(lambda: _count(ingest), len(bad))
    kinds = ["unsupported-media-type"] * 3
    other = ["author-not-taken", "not-in-list", "no-right", "too-large", "not-utf-8"]
    causes = ["not-json", *kinds, *other]
    told = await aside(ingest)
    places = sorted((one.offset, one.last, one.cause) for one in told)
    wanted = [(6 + number, cause) for number, cause in enumerate(causes)]
    assert {one.partition for one in told} == {0} and len(told) < len(bad), "one event of what is alike"
    assert all(any(at in range(a, b + 1) and why == cause for a, b, why in places) for at, cause in wanted)
    assert {event.data.key for event in await ingest.events("message_set_aside")} == {key}
    stored = b"".join(event.bytes for event in await ingest.events())
    assert secret.encode() not in stored and b"1391234" not in stored
    assert (await ingest.rows("key_uses"))[0]["id"] == key


async def _count(ingest: Ingest) -> int:
    return sum(one.count for one in await aside(ingest))


async def test_a_topic_that_is_missing_or_another_one_is_told_and_read_from_its_beginning(ingest: Ingest) -> None:
    topic = name()
    await named(ingest, topic)

    async def alarm() -> bool:
        return "hold no topic" in ingest.runtime.alarms.get(reading.ALARM, "")

    async with loop(ingest):
        await until(alarm, True)
        await make(topic)
        await send(topic, letters("before", 2))
        await until(lambda: ids(ingest), ["before-0", "before-1"])
        assert not ingest.runtime.alarms
    await administer(lambda admin: admin.delete_topics([topic]))
    await asyncio.sleep(0.5)
    await make(topic)
    # As many records as before: by the numbers alone nothing would be wrong.
    await send(topic, letters("after", 2))
    async with loop(ingest):
        await until(lambda: ids(ingest), ["after-0", "after-1", "before-0", "before-1"])
    told = [event.data for event in await ingest.events("topic_lost")]
    assert {(one.partition, one.cause, one.next, one.first, one.end) for one in told} == {
        (number, "another", 2, 0, 2) for number in range(PARTITIONS)
    }


async def test_nobody_speaks_by_a_revoked_key_and_nothing_is_lost_meanwhile(ingest: Ingest) -> None:
    topic = name()
    await make(topic)
    key = await named(ingest, topic)
    await send(topic, letters("kept", 1))
    revoke = await ingest.client.post(f"/ingest/v1/keys/{key}/revoke", headers=ingest.staff("admin", unit="city"))
    assert revoke.status_code == 200

    async def alarm() -> bool:
        return key in ingest.runtime.alarms.get(reading.ALARM, "")

    async with loop(ingest):
        await until(alarm, True)
    assert not await ids(ingest) and not ingest.runtime.alarms, "whoever no longer leads tells nothing of the topic"
    await ingest.key("town-east", "mayor-board")
    reads(ingest, topic, next(row["id"] for row in await ingest.rows("api_keys") if row["revoked_at"] is None))
    async with loop(ingest):
        await until(lambda: ids(ingest), ["kept-0"])


def life(folder: Path, topic: str, key: str, point: str, wanted: Iterable[str]) -> int | None:
    """A process that reads the topic until its failpoint, or until it has what is wanted. Returns how it ended."""

    def lives() -> None:
        os.environ |= {"HUIYING_FAILPOINT": point}
        failpoints._chosen.cache_clear()
        failpoints._passes = itertools.count(1)
        asyncio.run(works(folder, topic, key, sorted(wanted)))

    process = multiprocessing.get_context("fork").Process(target=lives)
    process.start()
    process.join(60)
    return process.exitcode


async def works(folder: Path, topic: str, key: str, wanted: list[str]) -> None:
    async with running(folder, folder / "ingest.sqlite", again=True) as ingest:
        reads(ingest, topic, key)
        async with loop(ingest):
            await until(lambda: ids(ingest), wanted)


def test_kills_between_the_reports_and_the_offsets_take_nothing_twice_and_lose_nothing(tmp_path: Path) -> None:
    topic, sent = name(), set[str]()

    async def begin() -> str:
        await make(topic)
        async with running(tmp_path, tmp_path / "ingest.sqlite") as ingest:
            return await named(ingest, topic)

    key = asyncio.run(begin())
    for number, point in enumerate(POINTS):
        asyncio.run(send(topic, letters(f"life{number}", 30)))
        sent |= {f"life{number}-{one}" for one in range(30)}
        if point.endswith(":2"):
            asyncio.run(send(topic, [*letters(f"more{number}", 150), raw(b"?")]))
            sent |= {f"more{number}-{one}" for one in range(150)}
        assert life(tmp_path, topic, key, point, {"never"}) == -signal.SIGKILL, point
    assert life(tmp_path, topic, key, "", sent) == 0

    async def end() -> Mapping[int, int]:
        async with running(tmp_path, tmp_path / "ingest.sqlite", again=True) as ingest:
            assert await ids(ingest) == sorted(sent)
            assert len({one.offset for one in await aside(ingest)}) == await _count(ingest) == 2
            return {row["partition"]: row["offset"] + 1 for row in await ingest.rows("read_topics")}

    assert sum(asyncio.run(end()).values()) == 4 * 60 + 2 * 301
