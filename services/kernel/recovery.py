"""Before it serves, an owner reads its own topics and takes back what its store lacks: a backup was restored.

Without this, an owner with an older store would write a second history from the backup's point on. An event that the
store holds with other bytes than the topic stops the owner: that is for a person to look at.
"""

from collections.abc import Mapping, Sequence

import orjson
import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event, Undecodable, digest
from schemas.ingest import ReportErased
from schemas.operation import OperationRecovered
from services.kernel import database, operations
from services.kernel.log import Partition, Record
from services.kernel.runtime import Runtime
from services.kernel.store import Conflict, Session

OWNER = "owner"
"""The consumer name under which the verified offsets of a service's own topics are kept."""
log = structlog.get_logger()


class Diverged(Exception):
    """The store and the topic hold different bytes for one event: the owner must not serve."""


async def recover(runtime: Runtime) -> int:
    """Takes back missing events and words; returns how many events. Raises `Diverged`, or `LogGone`."""
    name = runtime.service.name
    operation, words = f"{name}.operation", catalogue.content_topic(name)
    others = [topic for topic in catalogue.event_topics(name) if topic != operation]
    ends = await runtime.log.ends((operation, *others, words))
    count = 0
    # The operation streams first and whole: what is taken back is noted on them.
    taken: list[Event] = []
    for partition in (found for found in ends if found.topic == operation):
        async for records in runtime.log.read(partition, await _start(runtime, partition, ends), ends[partition]):
            taken += await _take_back_events(runtime, partition, records, note=False)
    if taken:
        await _note_taken(runtime, operation, taken)
    for partition in (found for found in ends if found.topic in others):
        async for records in runtime.log.read(partition, await _start(runtime, partition, ends), ends[partition]):
            count += len(await _take_back_events(runtime, partition, records, note=True))
    for partition in (found for found in ends if found.topic == words):
        async for records in runtime.log.read(partition, await _start(runtime, partition, ends), ends[partition]):
            await _take_back_words(runtime, partition, records)
    return count + len(taken)


async def _start(runtime: Runtime, partition: Partition, ends: Mapping[Partition, int]) -> int:
    """Where the partition was verified up to; its beginning where it ends before that, since it was made anew."""
    start, end = await _verified(runtime, partition), ends[partition]
    if start > end:
        log.warning("topic.shorter", topic=partition.topic, partition=partition.number, verified=start, end=end)
        return 0
    return start


async def _verified(runtime: Runtime, partition: Partition) -> int:
    table = runtime.tables["consumer_offset"]
    async with runtime.database.read() as connection:
        chosen = select(table.c.next).where(
            table.c.consumer == OWNER, table.c.topic == partition.topic, table.c.partition == partition.number
        )
        return (await connection.execute(chosen)).scalar() or 0


async def _verify(runtime: Runtime, connection: AsyncConnection, partition: Partition, next_: int) -> None:
    row = {"consumer": OWNER, "topic": partition.topic, "partition": partition.number, "next": next_}
    await database.upsert(connection, runtime.tables["consumer_offset"], [row])


async def _take_back_events(
    runtime: Runtime, partition: Partition, records: Sequence[Record], *, note: bool
) -> list[Event]:
    table = runtime.tables["events"]
    found: dict[str, Event] = {}
    for record in records:
        try:
            event = Event.parse(record.value)
        except Undecodable as error:
            log.warning("topic.foreign_record", topic=record.topic, offset=record.offset, error=str(error))
            continue
        if event.service == runtime.service.name:
            known = found.setdefault(event.id, event)
            if known.bytes != event.bytes:
                log.warning("topic.altered_duplicate", topic=record.topic, offset=record.offset, event=event.id)
    async with runtime.database.transaction() as connection:
        stored = await connection.execute(
            select(table.c.event_id, table.c.bytes).where(table.c.event_id.in_(list(found)))
        )
        held = {row.event_id: row.bytes for row in stored}
        for id_, bytes_ in held.items():
            if digest(bytes_) != found[id_].digest:
                raise Diverged(
                    f"event {id_} has other bytes in {runtime.service.name}'s store than on {partition.topic}. Compare "
                    "the two before you start the service: either the store or the topic was altered"
                )
        missing = [event for id_, event in found.items() if id_ not in held]
        if missing:
            await _restore(runtime, connection, partition.topic, missing, note=note)
        await _verify(runtime, connection, partition, records[-1].offset + 1)
    return missing


async def _restore(
    runtime: Runtime, connection: AsyncConnection, topic: str, missing: list[Event], *, note: bool
) -> None:
    session = Session(runtime.service, runtime.settings, connection, runtime.clock.now())
    session.restore(missing)
    for event in missing:
        if isinstance(event.data, ReportErased):
            await session.erase(event.data.refs, announce=False)
    if note:
        await _note(runtime, session, topic, missing)
    try:
        await session.flush()
    except Conflict as error:
        raise Diverged(
            f"{runtime.service.name}'s store and {topic} hold different events under one version of a stream: the "
            "service went on after a restore without taking back its topic. Restore a store from before that"
        ) from error
    log.warning("store.recovered", service=runtime.service.name, topic=topic, events=len(missing))


async def _note_taken(runtime: Runtime, topic: str, taken: Sequence[Event]) -> None:
    async with runtime.database.transaction() as connection:
        session = Session(runtime.service, runtime.settings, connection, runtime.clock.now())
        await _note(runtime, session, topic, taken)
        await session.flush()


async def _note(runtime: Runtime, session: Session, topic: str, taken: Sequence[Event]) -> None:
    ctx = await runtime.context(session.connection)
    fact = OperationRecovered(topic=topic, events=len(taken), first=taken[0].digest, at=ctx.now)
    await operations.record(session, ctx, fact)


async def _take_back_words(runtime: Runtime, partition: Partition, records: Sequence[Record]) -> None:
    contents, erased = runtime.tables["contents"], runtime.tables["erased"]
    rows = {}
    for record in records:
        if record.value is not None:
            words = orjson.loads(record.value)
            rows[words["ref"]] = {**words, "salt": bytes.fromhex(words["salt"])}
    async with runtime.database.transaction() as connection:
        gone = set((await connection.execute(select(erased.c.ref).where(erased.c.ref.in_(list(rows))))).scalars())
        await database.add_missing(connection, contents, [rows[ref] for ref in sorted(rows) if ref not in gone])
        await _verify(runtime, connection, partition, records[-1].offset + 1)
