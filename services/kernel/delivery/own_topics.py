"""A service's own topics: up to where they were compared with its store, and whether somebody else writes to them.

Only the owner's relay should write. If the topics grow exactly by the records that it sent, they agree with the store.
"""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event, Undecodable
from services.kernel.delivery import offsets
from services.kernel.delivery.log import Partition, Record
from services.kernel.delivery.offsets import Progress
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import sql
from services.kernel.store.session import OWNER, partition_of


def of(service: str) -> tuple[str, ...]:
    """The topics of a service's own events and words."""
    return (*catalogue.event_topics(service), catalogue.content_topic(service))


async def look(runtime: Runtime) -> Progress:
    """Up to where the topics were verified, and where they end. Raises `LogGone`."""
    table = runtime.tables["consumer_offset"]
    return await offsets.look(runtime.database, table, OWNER, runtime.log, of(runtime.service.name))


async def known(runtime: Runtime) -> set[str]:
    """The topics, own and other, of which the store has a record. They existed before."""
    table, events = runtime.tables["consumer_offset"], runtime.tables["events"]
    async with runtime.database.read() as connection:
        found = set((await connection.execute(select(table.c.topic).where(table.c.next > 0))).scalars())
        for topic in catalogue.event_topics(runtime.service.name):
            of_kind = events.c.stream_id.startswith(f"{topic.rpartition('.')[2]}-", autoescape=True)
            if (await connection.execute(select(events.c.seq).where(of_kind).limit(1))).first():
                found.add(topic)
    return found


async def lacking(runtime: Runtime) -> set[str]:
    """The service's own event topics that were lost: they lack what was sent there first. Raises `LogGone`.

    Perhaps no other service has read them. After a loss a topic fills again at once, so it need not be empty. Then its
    first record is a later version, or another event than the store's first one.
    """
    table, lost = runtime.tables["events"], set[str]()
    chosen = select(table.c.bytes).order_by(table.c.seq).limit(1)
    for topic in catalogue.event_topics(runtime.service.name):
        begins, ends = await runtime.log.begins([topic]), await runtime.log.ends([topic])
        firsts = {part: await _first(runtime, part, begins[part], end) for part, end in ends.items()}
        later = [event.stream for event in firsts.values() if event is not None and event.version > 1]
        async with runtime.database.read() as connection:
            of_kind = table.c.stream_id.startswith(f"{topic.rpartition('.')[2]}-", autoescape=True)
            found = list((await connection.execute(chosen.where(of_kind))).scalars())
            begun = select(table.c.bytes).where(table.c.stream_id.in_(later), table.c.version == 1)
            found += (await connection.execute(begun)).scalars()
            sent = await _sent(runtime, connection, [Event.parse(bytes_) for bytes_ in found])
        for event in sent:
            part = Partition(topic, partition_of(event.partitionkey, runtime.settings.partitions))
            first = firsts[part]
            if (first is None or first.id != event.id) and not await _holds(runtime, part, begins[part], event.id):
                lost.add(topic)
    return lost


async def _sent(runtime: Runtime, connection: AsyncConnection, events: Sequence[Event]) -> list[Event]:
    """The events that do not wait in the outbox."""
    outbox = runtime.tables["outbox"]
    waiting = select(outbox.c.event_id).where(outbox.c.event_id.in_({event.id for event in events}))
    ids = set((await connection.execute(waiting)).scalars())
    return [event for event in events if event.id not in ids]


async def _first(runtime: Runtime, part: Partition, begin: int, end: int) -> Event | None:
    """The first event that a partition holds."""
    async for records in runtime.log.read(part, begin, min(end, begin + 1)):
        with suppress(Undecodable):
            return Event.parse(records[0].value)
    return None


async def _holds(runtime: Runtime, part: Partition, begin: int, event_id: str) -> bool:
    """Whether a partition holds an event anywhere. Events that were lost may have been sent again."""
    async for records in runtime.log.read(part, begin, (await runtime.log.ends([part.topic]))[part]):
        for record in records:
            with suppress(Undecodable):
                if Event.parse(record.value).id == event_id:
                    return True
    return False


def mark(last: Record) -> dict[str, Any]:
    """The row that says that a partition was verified up to this record."""
    place = {"consumer": OWNER, "topic": last.topic, "partition": last.partition}
    return {**place, "next": last.offset + 1, "last": offsets.last_of(last)}


class Growth:
    """Compares the growth of the topics with the records of this process's relay, from the verified place on."""

    def __init__(self, runtime: Runtime, verified: Progress) -> None:
        self._runtime = runtime
        self._ends = {part: offset.next for part, offset in verified.taken.items()}
        self._sent = Counter(runtime.sent)

    async def begin(self) -> bool:
        """Counts from now on. False while the relay is sending, since the ends of the topics cannot be told then."""
        if (seen := await self._quiet()) is None:
            return False
        self._ends, self._sent = seen
        return True

    async def is_ours(self) -> bool | None:
        """Whether the topics hold exactly what the relay wrote; None while it is sending.

        If so, they are noted as verified up to there. Raises `LogGone`.
        """
        if (seen := await self._quiet()) is None:
            return None
        ends, sent = seen
        if any(end != self._ends.get(part, 0) + sent[part] - self._sent[part] for part, end in ends.items()):
            return False
        if grown := {part: end for part, end in ends.items() if end != self._ends.get(part, 0)}:
            last = await self._runtime.log.before(grown)
            async with self._runtime.database.transaction() as connection:
                rows = [mark(record) for _, record in sorted(last.items())]
                await sql.upsert(connection, self._runtime.tables["consumer_offset"], rows)
        self._ends, self._sent = seen
        return True

    async def _quiet(self) -> tuple[dict[Partition, int], Counter[Partition]] | None:
        """The ends, and the records that were sent by then."""
        runtime, sent = self._runtime, Counter(self._runtime.sent)
        ends = dict(await runtime.log.ends(of(runtime.service.name)))
        return None if runtime.sending or sent != runtime.sent else (ends, sent)
