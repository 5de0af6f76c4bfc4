"""The loop that reads CloudEvents from a topic of another system. It runs in the leader.

The offsets move in the transaction that takes the reports in, so a kill leaves both or neither. What is read twice is a
repeated report all the same, by the event's source and id. So whatever happened to a topic, it is read from where it
now begins. A message that is no report is set aside with an event, which names its place and not its content.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import digest
from schemas.operation import OperationMessageSetAside, OperationTopicLost
from services.ingest import intake, queries
from services.ingest.cloudevents import codec
from services.ingest.intake import Prepared
from services.ingest.keys import SCOPE, Keys, owner
from services.ingest.views import READ_TOPICS
from services.kernel.core.decider import SYSTEM, Actor, Ctx
from services.kernel.core.problems import Problem, TooLarge, Unavailable
from services.kernel.delivery import operations
from services.kernel.delivery.log import LogGone, OffsetOutOfRange
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.logging import Lasting, brief
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store import failures
from services.kernel.store.lease import Superseded
from services.kernel.store.session import Session
from services.kernel.store.sql import Write

if TYPE_CHECKING:
    from services.kernel.delivery.log.foreign import ForeignTopic, Message, Span

ALARM = "cloudevents"
REST, PATIENCE = 2.0, 1.0
"""Seconds before another try, and the longest wait for records."""
LOOK = 5.0
"""Seconds between two looks whether the topic is still the one that was read."""
logger = structlog.get_logger()


class NoSpeaker(Exception):
    """Nobody may speak by the key of the settings."""


class Place(NamedTuple):
    """The last record that was read of a partition, and the digest of its bytes."""

    offset: int
    digest: str


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled. Without a topic in the settings it ends at once.

    What it told operators goes with it: the next leader looks anew.
    """
    if not runtime.settings.cloudevents_topic:
        return
    try:
        await _keep_reading(runtime, runtime.settings.cloudevents_topic)
    finally:
        runtime.alarms.pop(ALARM, None)


async def _keep_reading(runtime: Runtime, name: str) -> None:
    from services.kernel.delivery.log.foreign import ForeignTopic

    waits = Lasting("cloudevents.wait", service=runtime.service.name, topic=name)
    while True:
        topic = ForeignTopic(runtime.settings, name)
        try:
            await topic.start()
            while True:
                await read(runtime, topic, waits)
        except Superseded:
            raise
        except (Unavailable, NoSpeaker, LogGone, OffsetOutOfRange, DBAPIError, OSError) as error:
            runtime.alarms[ALARM] = f"no CloudEvents are read from {topic.name}: {str(error) or brief(error)}"
            waits.told(brief(error))
        finally:
            await topic.stop()
        await asyncio.sleep(REST)


async def read(runtime: Runtime, topic: "ForeignTopic", waits: Lasting) -> None:
    """Compares the topic with what was read of it, then takes records in until the next look is due."""
    reader = Reader(runtime, topic)
    await reader.begin()
    until = asyncio.get_running_loop().time() + LOOK
    while asyncio.get_running_loop().time() < until:
        if messages := await topic.take(intake.MAX_GROUP, PATIENCE):
            await reader.store(messages)
        runtime.alarms.pop(ALARM, None)
        waits.over()


class Reader:
    """Stores what comes from a topic, from one look at it to the next."""

    def __init__(self, runtime: Runtime, topic: "ForeignTopic") -> None:
        self._runtime, self._topic = runtime, topic
        self._places: Mapping[int, Place] = {}

    async def begin(self) -> None:
        """Goes to where the database stands. Records if the topic is another one or lacks what comes next."""
        async with self._runtime.database.read() as connection:
            self._places = await _places(connection, self._topic.name)
        spans = await self._topic.spans()
        same = await self._compared(spans)
        begins, lost = dict[int, int](), list[OperationTopicLost]()
        for number, span in spans.items():
            place = self._places.get(number)
            begins[number] = span.first if place is None else max(span.first, place.offset + 1)
            if place is not None and (number not in same or span.first > place.offset + 1):
                begins[number] = span.first
                lost.append(
                    OperationTopicLost(
                        topic=self._topic.name,
                        partition=number,
                        next=place.offset + 1,
                        first=span.first,
                        end=span.end,
                        cause="expired" if span.first > place.offset + 1 else "another",
                    )
                )
        if lost:
            await self._tell(lost)
        self._topic.begin(begins)

    async def _compared(self, spans: "Mapping[int, Span]") -> set[int]:
        """The partitions that still hold the last record that was read, or may have let it go in order."""
        known = {
            number: place
            for number, place in self._places.items()
            if number in spans and place.offset < spans[number].end
        }
        same = {number for number, place in known.items() if place.offset < spans[number].first}
        asked = set(known) - same
        if asked:
            self._topic.begin({number: known[number].offset for number in asked})
        until = asyncio.get_running_loop().time() + 10 * PATIENCE
        while asked and asyncio.get_running_loop().time() < until:
            for message in await self._topic.take(intake.MAX_GROUP, PATIENCE):
                if message.partition in asked:
                    asked -= {message.partition}
                    if Place(message.offset, _digest(message)) == known[message.partition]:
                        same.add(message.partition)
            asked -= {number for number in asked if await self._topic.has_passed(number, known[number].offset)}
        if asked:
            raise LogGone(f"the brokers do not send what {self._topic.name} holds")
        return same

    async def _tell(self, lost: Sequence[OperationTopicLost]) -> None:
        """Records the loss, and that the topic is read from where it begins. A repeated report is taken in once."""

        async def act(session: Session, ctx: Ctx) -> Answer:
            await operations.record(session, ctx, *lost)
            rows = [_row(self._topic.name, one.partition, Place(one.first - 1, "")) for one in lost]
            session.also.append(Write(READ_TOPICS, rows, replaces=True))
            return Answer({})

        await transact(self._runtime, Caller(), act)
        for one in lost:
            logger.critical("cloudevents.topic_lost", **one.model_dump())
        async with self._runtime.database.read() as connection:
            self._places = await _places(connection, self._topic.name)

    async def store(self, messages: "Sequence[Message]") -> None:
        """Takes records in, in one transaction; if that fails for a defect, each by itself."""
        try:
            await self._store(messages)
        except Exception as error:
            if _is_elsewhere(error):
                raise
            for message in messages:
                try:
                    await self._store([message])
                except Exception as single:
                    if _is_elsewhere(single):
                        raise
                    place = f"{self._topic.name}/{message.partition}@{message.offset}"
                    failures.defect(single, service=self._runtime.service.name, record=place)
                    await self._store([message], cause="defect")

    async def _store(self, messages: "Sequence[Message]", cause: str | None = None) -> None:
        name, before = self._topic.name, self._places
        after = {**before, **{one.partition: Place(one.offset, _digest(one)) for one in messages}}
        key = self._runtime.settings.cloudevents_key
        actor: Actor | None = None

        async def act(session: Session, ctx: Ctx) -> Answer:
            nonlocal actor
            actor = await _speaker(session.connection, key)
            if await _places(session.connection, name) != before:
                raise LogGone(f"another process reads {name}, too")
            read = [(one, cause or self._prepared(one, actor)) for one in messages]
            ready = [(found, replace(ctx, actor=actor)) for _, found in read if isinstance(found, Prepared)]
            outcomes = iter(await intake.receive(session, ready))
            aside: dict[tuple[int, str], list[int]] = {}
            codes: list[str] = []
            for one, found in read:
                outcome = next(outcomes) if isinstance(found, Prepared) else found
                if isinstance(outcome, Unavailable):
                    raise outcome
                if not isinstance(outcome, Answer):
                    why = outcome.code if isinstance(outcome, Problem) else outcome
                    aside.setdefault((one.partition, why), []).append(one.offset)
                    codes.append(why)
            if aside:
                facts = [
                    OperationMessageSetAside(
                        topic=name,
                        partition=partition,
                        offset=offsets[0],
                        last=offsets[-1],
                        count=len(offsets),
                        cause=why,
                        key=key,
                        unit=actor.unit or "",
                    )
                    for (partition, why), offsets in aside.items()
                ]
                await operations.record(session, replace(ctx, actor=SYSTEM), *facts)
            rows = [_row(name, number, after[number]) for number in sorted({one.partition for one in messages})]
            session.also.append(Write(READ_TOPICS, rows, replaces=True))
            return Answer({"aside": codes})

        answer = await transact(self._runtime, Caller(), act)
        failpoint("cloudevents.stored")
        self._places = after
        if answer.body["aside"] and actor is not None:
            self._runtime.part(Keys).refused(actor, *answer.body["aside"])
            logger.warning("cloudevents.set_aside", topic=name, messages=len(answer.body["aside"]))
        await self._runtime.part(Keys).note(key)

    def _prepared(self, message: "Message", actor: Actor) -> Prepared | Problem:
        try:
            limit = self._runtime.settings.report_limit
            if len(message.value or b"") > limit:
                raise TooLarge(f"the message has more than {limit} bytes", limit=limit)
            return intake.prepare(codec.of_message(message.headers, message.value or b"").report, actor, self._runtime)
        except Problem as problem:
            return problem


async def _speaker(connection: AsyncConnection, key: str) -> Actor:
    """The integration whose key the settings name. Raises `NoSpeaker`."""
    row = await queries.key(connection, key)
    if row is None or row.revoked_at is not None or row.scope != SCOPE:
        raise NoSpeaker(
            f"HUIYING_CLOUDEVENTS_KEY names {key}, which is unknown or was revoked. Messages stay on the topic. Make a "
            "key, name its id in the settings, and restart"
        )
    return owner(row)


async def _places(connection: AsyncConnection, topic: str) -> Mapping[int, Place]:
    chosen = select(READ_TOPICS).where(READ_TOPICS.c.topic == topic)
    return {row.partition: Place(row.offset, row.digest) for row in await connection.execute(chosen)}


def _row(topic: str, partition: int, place: Place) -> dict[str, object]:
    return {"topic": topic, "partition": partition, **place._asdict()}


def _digest(message: "Message") -> str:
    return digest(repr((message.headers, message.value)).encode())


def _is_elsewhere(error: Exception) -> bool:
    """Whether the store or the brokers failed, which is no fault of a record."""
    known = (Unavailable, NoSpeaker, LogGone, OffsetOutOfRange, OSError)
    return isinstance(error, known) or (isinstance(error, DBAPIError) and not failures.is_defect(error))
