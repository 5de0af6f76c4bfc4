"""Audit's projection from Kafka. Its floor is the slower of two: reading the records, and COPY of audit's rows."""

import asyncio
import time
import uuid
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks import rig
from benchmarks.intake import fill
from benchmarks.measure import Figure, pairs
from schemas import catalogue
from services.audit.app import SERVICE
from services.audit.projection import AuditWork, learn
from services.ingest.app import SERVICE as INGEST
from services.kernel.delivery.log import Handle, Record
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime

EVENTS = 20_000


async def measure(runs: int) -> list[Figure]:
    """Events a second."""
    prefix = f"audit-{uuid.uuid4().hex[:8]}"
    async with rig.runtime(INGEST, prefix) as ingest:
        topics = [topic for service in catalogue.SERVICES for topic in catalogue.event_topics(service)]
        await ingest.log.create_topics(topics, [catalogue.content_topic(name) for name in catalogue.SERVICES])
        await fill(ingest, EVENTS)
        await Relay(ingest).drain()
    async with rig.runtime(SERVICE, prefix) as made, rig.runtime(SERVICE, prefix) as bare:

        async def ours() -> float:
            rig.empty(made)
            await learn(made)
            rig.settle([made])
            return EVENTS / await consume(made, AuditWork(made).handle)

        await ours()
        rows = rig.stored(made)

        async def floor() -> float:
            read = await _read(made)
            rig.settle([bare])
            copied = rig.copy(bare, rows)
            return EVENTS / max(copied, read)

        what = "the slower of raw consume and COPY"
        return [await pairs("audit projection", ours, floor, goal=0.5, floor_is=what, unit="events/s", runs=runs)]


async def consume(made: Runtime, handle: Handle) -> float:
    """Seconds from the first record to the last one that is taken in."""
    taken = 0
    first = last = 0.0
    done = asyncio.Event()

    async def counted(records: Sequence[Record]) -> None:
        nonlocal taken, first, last
        first = first or time.perf_counter()
        await handle(records)
        taken += len(records)
        last = time.perf_counter()
        if taken >= EVENTS:
            done.set()

    work = AuditWork(made)
    consuming = asyncio.create_task(
        made.log.consume(f"bench-{uuid.uuid4().hex[:8]}", ["ingest.report"], work.offsets, counted)
    )
    finished = asyncio.create_task(done.wait())
    await asyncio.wait([consuming, finished], return_when=asyncio.FIRST_COMPLETED)
    if consuming.done():
        consuming.result()
    consuming.cancel()
    await asyncio.gather(consuming, return_exceptions=True)
    return last - first


async def _read(made: Runtime) -> float:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=made.settings.kafka, enable_auto_commit=False, max_partition_fetch_bytes=4_000_000
    )
    await consumer.start()
    try:
        places = [TopicPartition(made.settings.topic("ingest.report"), n) for n in range(made.settings.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        began, taken = time.perf_counter(), 0
        while taken < EVENTS:
            found = await consumer.getmany(timeout_ms=500, max_records=2000)
            taken += sum(map(len, found.values()))
        return time.perf_counter() - began
    finally:
        await consumer.stop()
