"""The unit of work takes in records of other services. The code is the same on every transport.

Up to `BATCH` records, consecutive ones of each partition, become one transaction. It checks cursors, decides reactions
in memory, writes everything at once, and moves the offset by compare-and-swap. `intake` decides on each event.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event, Undecodable
from schemas.fields import Erasure
from services.kernel import metrics
from services.kernel.core.decider import Actor, Moved
from services.kernel.core.ids import DerivedIds
from services.kernel.core.problems import Unavailable
from services.kernel.core.reactions import Reaction
from services.kernel.delivery import offsets as kept
from services.kernel.delivery import operations
from services.kernel.delivery.intake import Intake, Poison, Streams
from services.kernel.delivery.log import OffsetOutOfRange, Partition, Record
from services.kernel.delivery.offsets import Progress
from services.kernel.delivery.records import Decoded, decode, is_content
from services.kernel.delivery.runtime import NOWHERE, Runtime
from services.kernel.failpoints import failpoint
from services.kernel.logging import Lasting, brief
from services.kernel.store import failures, offices, sql
from services.kernel.store.session import Conflict, Held, Session
from services.kernel.store.sql import Hold, Move, Query

BATCH = 500
RETRY_LIMIT = 5.0
PURE = (TypeError, ValueError, ArithmeticError, LookupError, AttributeError)
NOTIFY = "outbox"
"""The PostgreSQL channel on which a consumer tells the relay that rows wait."""
logger = structlog.get_logger()


Offsets = Mapping[Partition, int]


class LostPartition(Exception):
    """Somebody else moved the offset. This process must start again from the database."""


class SkippedOffset(Exception):
    """The transport passed a record beyond the database's offset. It must start again from there."""


class NotAlone(Exception):
    """A parked erasure would be taken in beside other workers. Try again without them."""


def is_defect(error: BaseException) -> bool:
    """Whether code or rows are wrong, so that every other try would fail too. If not, the infrastructure failed."""
    return failures.is_defect(error) if isinstance(error, DBAPIError) else isinstance(error, PURE)


def hold(*, alone: bool) -> Hold:
    """The lock of every intake.

    All share it, except erasures, keys, packs and repairs, which otherwise would not see the others' rows.
    """
    return Hold("intake", ["all"], shared=not alone)


class UnitOfWork(Streams):
    """Takes in records for one service. Several tasks may call `handle`, each for its own partitions."""

    def __init__(self, runtime: Runtime) -> None:
        super().__init__(runtime)
        self.service = runtime.service
        self.notify = not runtime.database.is_sqlite
        offset = self.tables["consumer_offset"]
        self._taken = select(offset.c.topic, offset.c.partition, offset.c.next).where(
            offset.c.consumer == self.consumer
        )
        self._reached: dict[Partition, int] = {}
        """The offsets that this process reached, by which it notices a rewind."""
        self._waits = Lasting("work.waits", consumer=self.consumer)
        self.replaying = False
        """True while views are rebuilt: events are projected, and nothing is decided."""

    batch = BATCH
    """Records in one transaction."""

    async def offsets(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """The offset at which each partition goes on; 0 if no record was taken in yet.

        Raises `OffsetOutOfRange` if an offset is not on its topic any more, and `LogGone`.
        """
        async with self.runtime.database.read() as connection:
            known = await kept.taken(connection, self.tables["consumer_offset"], self.consumer)
        mine = {partition: known[partition] for partition in partitions if partition in known}
        if mine:
            ends = await self.runtime.log.ends(list({partition.topic for partition in mine}))
            if found := await kept.compare(self.runtime.log, mine, ends):
                raise OffsetOutOfRange(min(found.items())[1])
        return {partition: known[partition].next if partition in known else 0 for partition in partitions}

    async def look(self, *, fast: bool = False) -> Progress:
        """The position of the service on all its topics; see `offsets.look`. Raises `LogGone`."""
        topics = (*self.service.topics, *self.service.content_topics)
        table = self.tables["consumer_offset"]
        return await kept.look(self.runtime.database, table, self.consumer, self.runtime.log, topics, fast=fast)

    async def taken(self, connection: AsyncConnection) -> dict[Partition, int]:
        """The offset of each partition of which a record was taken in."""
        (found,) = await sql.fetch(connection, [Query(self._taken, {})])
        return {Partition(topic, number): next_ for topic, number, next_ in found}

    async def handle(self, records: Sequence[Record]) -> None:
        """Returns when the records are durable. If infrastructure fails, it waits; a defect is set aside.

        Raises `LostPartition` or `SkippedOffset`. Then the process must end.
        """
        for start in range(0, len(records), self.batch):
            part = records[start : start + self.batch]
            try:
                await self._until_durable(part)
            except (Poison, DBAPIError, *PURE) as defect:
                logger.warning("work.one_by_one", consumer=self.consumer, error=brief(defect))
                await self._one_by_one(part)

    async def _one_by_one(self, records: Sequence[Record]) -> None:
        """Finds the record on which a pure function, or its rows, fail, and sets it aside."""
        for record in records:
            try:
                await self._until_durable([record])
            except Poison as poison:
                await self._until_durable([record], poison)
            except (DBAPIError, *PURE) as error:
                await self._until_durable([record], self._poison_of(record, error))

    @staticmethod
    def _poison_of(record: Record, error: Exception) -> Poison:
        try:
            return Poison(record, Event.parse(record.value), "poison", repr(error))
        except Undecodable as undecodable:
            return Poison(record, None, "undecodable", str(undecodable))

    async def _until_durable(self, records: Sequence[Record], poison: Poison | None = None) -> None:
        wait, alone = 0.01, False
        while True:
            try:
                # What an event causes would have the wrong time for ever, and limits would begin then.
                await self.runtime.clock_must_be_right()
                await self._once(records, poison, alone=alone)
                self._waits.over()
                return
            except NotAlone:
                alone = True
                continue
            except Conflict as error:
                if wait >= 1:
                    self._waits.told(brief(error))
                await asyncio.sleep(wait)
            except (DBAPIError, OSError, Held, Unavailable) as error:
                if is_defect(error):
                    raise
                self._waits.told(brief(error))
                await asyncio.sleep(wait)
            wait = min(wait * 2, RETRY_LIMIT)

    async def _once(self, records: Sequence[Record], poison: Poison | None, *, alone: bool) -> None:
        # The failing event may be a parked one that this record let in.
        waited = poison is not None and poison.event is not None and poison.record.value != records[0].value
        if poison is None or waited:
            found = decode(records)
        else:
            found = Decoded([(poison.event, poison.record)] if poison.event else [])
        alone = alone or any(self._is_alone(event) for event, _ in found.events)
        async with self.runtime.database.transaction() as connection:
            starts, intake, gone = await self._known(connection, records, found, alone=alone)
            if not alone and any(
                self._is_alone(event) for parked in intake.waiting.values() for event in parked.values()
            ):
                raise NotAlone
            todo, lasts = self._unseen(records, starts)
            if not todo:
                return
            session = Session(self.service, self.runtime.settings, connection, self.runtime.time_source.now())
            if poison is None or waited:
                if poison is not None and poison.event is not None:
                    await self.stand(connection, intake, poison.event.stream)
                    intake.waiting.get(poison.event.stream, {}).pop(poison.event.version, None)
                    intake.moved.append(poison.event)
                found = found if len(todo) == len(records) else decode(todo)
                for record, error in found.broken:
                    self.set_aside(intake, record, None, "undecodable", error)
                for record, error in found.strays:
                    self.set_aside(intake, record, None, "forged", error)
                words = [found.words[ref] for ref in sorted(found.words) if ref not in gone]
                await sql.add_missing(connection, self.tables["contents"], words)
                for event, record in found.events:
                    await self.judge(session, intake, event, record)
            if poison is not None:
                self.set_aside(intake, poison.record, poison.event, poison.reason, poison.error)
            await self.conclude(session, intake)
            await session.flush(tell=NOTIFY if self.notify else None)
            await self._advance(connection, starts, lasts)
            failpoint("work.before_commit")
        failpoint("work.committed")
        self._reached.update({partition: last.offset + 1 for partition, last in lasts.items()})
        self._after(session, intake, len(todo))

    async def _known(
        self, connection: AsyncConnection, records: Sequence[Record], found: Decoded, *, alone: bool
    ) -> tuple[Offsets, Intake, set[str]]:
        """The positions of partitions and streams, and the erased words."""
        offset = self.tables["consumer_offset"]
        places = [(self.consumer, *place) for place in sorted({Partition(one.topic, one.partition) for one in records})]
        streams = sorted({event.stream for event, _ in found.events})
        refs = sorted(found.words)
        reached, cursors, gone = await sql.rows_of(
            connection,
            [
                (offset, places),
                (self.tables["stream_cursor"], [(self.consumer, stream) for stream in streams]),
                (self.tables["erased"], [(ref,) for ref in refs]),
            ],
            hold(alone=alone),
        )
        if len(reached) < len(places):
            new = [{"consumer": c, "topic": topic, "partition": number, "next": 0} for c, topic, number in places]
            await sql.add_missing(connection, offset, new)
            (reached,) = await sql.rows_of(connection, [(offset, places)])
        starts = {Partition(row["topic"], row["partition"]): row["next"] for row in reached}
        return starts, await self.standing(connection, cursors), {row["ref"] for row in gone}

    def _may_prove(self, event: Event) -> bool:
        return bool(self.service.signatures) and event.type in offices.PROVING

    def _is_alone(self, event: Event) -> bool:
        """Whether the intake of an event must see the rows of all others: words to erase, streams that wait for it."""
        return catalogue.is_erasure(event.type) or self._may_prove(event)

    def _unseen(self, records: Sequence[Record], starts: Offsets) -> tuple[list[Record], dict[Partition, Record]]:
        """The records that were not taken in yet, and the last record of each partition."""
        todo: list[Record] = []
        lasts: dict[Partition, Record] = {}
        for partition, start in starts.items():
            if start < self._reached.get(partition, 0):
                raise SkippedOffset(f"{partition.topic}/{partition.number} was set back to {start}")
        for record in records:
            partition = Partition(record.topic, record.partition)
            expected = lasts[partition].offset + 1 if partition in lasts else starts[partition]
            if record.offset < expected:
                continue
            if record.offset > expected and not is_content(record.topic):
                raise SkippedOffset(f"{partition.topic}/{partition.number}: got {record.offset}, expected {expected}")
            todo.append(record)
            lasts[partition] = record
        return todo, lasts

    def _after(self, session: Session, intake: Intake, taken: int) -> None:
        name = self.service.name
        takes = NOWHERE
        if self.runtime.traces is not None and not self.replaying:
            takes = self.runtime.traces.took(intake.accepted, session.appended, session.began)
        self.runtime.appended(session.appended, session.began, takes)
        self.runtime.changed.set()
        self.runtime.noted(event for event, _ in intake.accepted)
        if any(offices.changes(event) for event, _ in intake.accepted):
            self.runtime.offices_changed()
        metrics.TAKEN.labels(name).inc(taken)
        if intake.duplicates:
            metrics.DUPLICATES.labels(name).inc(intake.duplicates)
        operations.alarm(name, intake.aside)
        first: dict[str, Event] = {}
        for event in intake.waits:
            first.setdefault(event.stream, event)
            metrics.PARKED.labels(name, intake.cursors[event.stream].blocked or "").inc()
        for stream, event in first.items():
            reason = intake.cursors[stream].blocked
            told = logger.info if reason == "awaited" else logger.error
            told("stream.parked", consumer=name, stream=stream, version=event.version, reason=reason)

    # offsets

    async def _advance(self, connection: AsyncConnection, starts: Offsets, lasts: Mapping[Partition, Record]) -> None:
        moves = [
            Move((self.consumer, *partition), starts[partition], last.offset + 1, kept.last_of(last))
            for partition, last in sorted(lasts.items())
        ]
        if await sql.swap(connection, self.tables["consumer_offset"], "next", "last", moves) < len(moves):
            raise LostPartition(f"somebody else moved the offset of one of {', '.join(map(str, sorted(lasts)))}")

    # the results of events

    async def conclude(self, session: Session, intake: Intake) -> None:
        """Applies the accepted events and writes the dead letters. The session writes the rest."""
        await self.admit(session, intake)
        await self.apply(session, [event for event, _ in intake.accepted], intake)
        await self.set_down(session, intake)

    async def apply(self, session: Session, events: Sequence[Event], intake: Intake) -> None:
        """The service's use of accepted events: views observe them, reactions decide."""
        session.observed.extend(events)
        for event in events:
            if isinstance(event.data, Erasure):
                await session.erase(event.data.refs, announce=False)
        if not events or self.replaying:
            return
        known = await self.service.know(session.connection, events)
        reactions = {event.id: self._react(intake, event, known) for event in events}
        foreseen = [reaction for of_event in reactions.values() for reaction in of_event]
        if not foreseen:
            return
        await session.load(stream for reaction in foreseen for stream in (reaction.stream, *reaction.beside))
        usual = await self.runtime.context(session.connection)
        opening = [of.numbered for of in foreseen if of.numbered and session.streams[of.stream].version == 0]
        await session.hold_numbers(opening, usual)
        asked = events if known.learns else [event for event in events if reactions[event.id]]
        for event in await self._not_reacted_to(session, asked):
            ids = DerivedIds(self.service.name, event.id)
            ctx = replace(usual, actor=Actor("system", event.unit), cause=event.id, ids=ids)
            for reaction in self._react(intake, event, known) if known.learns else reactions[event.id]:
                for done in await self._decide(session, intake, event, reaction, ctx):
                    known.note(done)

    async def _not_reacted_to(self, session: Session, events: Sequence[Event]) -> list[Event]:
        """The events whose result is not in the store yet.

        A restored consumer meets events again with later knowledge. The same event would now lead to another stream.
        """
        first = {event.id: DerivedIds(self.service.name, event.id).new("") for event in events}
        held = await session.holding(first.values())
        return [event for event in events if first[event.id] not in held]

    def _react(self, intake: Intake, event: Event, known: Any) -> list[Reaction]:
        try:
            return list(self.service.react(event, known))
        except Exception as error:
            raise Poison(self._record(intake, event), event, "poison", repr(error)) from error

    async def _decide(
        self, session: Session, intake: Intake, event: Event, reaction: Reaction, ctx: Any
    ) -> list[Event]:
        stream, command, beside, numbered = reaction
        for _ in range(16):
            await session.load([stream, *beside])
            if beside:
                ctx = replace(ctx, seen={other: session.streams[other].state for other in beside})
            if session.streams[stream].version == 0:
                session.streams[stream].drill = event.drill
                if numbered:
                    await session.hold_numbers([numbered], ctx)
            try:
                return session.decide(stream, command, ctx)
            except Moved as moved:
                stream, command = moved.to, moved.command or command
            except Held as held:
                raise Poison(self._record(intake, event), event, "held", held.detail) from held
            except Exception as error:
                raise Poison(self._record(intake, event), event, "poison", repr(error)) from error
        raise Poison(self._record(intake, event), event, "poison", f"{reaction.stream} moved in a ring")

    @staticmethod
    def _record(intake: Intake, event: Event) -> Record:
        return next(record for accepted, record in intake.accepted if accepted is event)


def unit_of_work(runtime: Runtime) -> UnitOfWork:
    """The service's own way to take events in, or the usual one."""
    work: UnitOfWork = (runtime.service.work or UnitOfWork)(runtime)
    return work
