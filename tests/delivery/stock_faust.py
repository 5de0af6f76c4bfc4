"""A Faust consumer over one table, to be killed: the kernel's application as it is, or with `STOCK=1` without the
methods that it replaces, so that Faust itself decides where to go on.

    STOCK=1 TABLE_DATABASE=postgresql://… HUIYING_KAFKA=… HUIYING_PREFIX=… python -m tests.delivery.stock_faust
"""

import asyncio
import os
from collections.abc import Mapping, Sequence

import faust
import psycopg
from faust.transport.drivers import aiokafka as driver

from services.kernel.delivery.log import Partition, Record
from services.kernel.delivery.log import faust as kernel
from services.kernel.settings import Settings

DATABASE, STOCK = os.environ.get("TABLE_DATABASE", ""), os.environ.get("STOCK") == "1"
TOPIC = "ingest.report"
GATE = 7
"""The advisory lock that every handler waits for inside its transaction. Its holder catches handlers there."""
PATIENCE = 15
"""Seconds that a stop may take. Then the process ends in any case."""
TABLES = """
create table if not exists effect (id bigserial, part int, off bigint);
create table if not exists next_offset (part int primary key, next bigint not null);
"""


async def offsets(partitions: Sequence[Partition]) -> Mapping[Partition, int]:
    """The offset at which each partition goes on, from the table."""
    async with await psycopg.AsyncConnection.connect(DATABASE) as connection:
        found = dict(await (await connection.execute("select part, next from next_offset")).fetchall())
    return {partition: found.get(partition.number, 0) for partition in partitions}


async def handle(records: Sequence[Record]) -> None:
    """One effect for each record, and the offsets by compare-and-swap. Stock Faust has only the effects."""
    parts: dict[int, list[int]] = {}
    for record in records:
        parts.setdefault(record.partition, []).append(record.offset)
    async with await psycopg.AsyncConnection.connect(DATABASE) as connection:
        starts = dict.fromkeys(parts, 0)
        if not STOCK:
            for part in sorted(parts):
                await connection.execute("insert into next_offset values (%s, 0) on conflict do nothing", [part])
            starts = dict(await (await connection.execute("select part, next from next_offset")).fetchall())
        todo = {part: [offset for offset in parts[part] if offset >= starts[part]] for part in sorted(parts)}
        for part, offsets_ in todo.items():
            for offset in offsets_:
                await connection.execute("insert into effect (part, off) values (%s, %s)", [part, offset])
        await connection.execute("select pg_advisory_xact_lock_shared(%s)", [GATE])
        for part, offsets_ in () if STOCK else todo.items():
            swap = "update next_offset set next = %s where part = %s and next = %s"
            if offsets_ and (
                offsets_[0] != starts[part]
                or (await connection.execute(swap, [offsets_[-1] + 1, part, starts[part]])).rowcount != 1
            ):
                raise RuntimeError("a skipped offset, or a lost swap: start again from the table")


def take_as_documented(app: faust.App, settings: Settings) -> None:
    """An agent as in Faust's guide: an event is acknowledged when the loop asks for the next one, or ends."""

    @app.agent(app.topic(settings.topic(TOPIC), key_serializer="raw", value_serializer="raw"), concurrency=1)
    async def take(stream: faust.Stream[bytes]) -> None:
        async for event in stream.events():
            message = event.message
            await handle([Record(TOPIC, message.partition, message.offset, message.key, message.value)])


async def main() -> None:
    """Runs until SIGTERM, then stops as Faust does."""
    settings = Settings()
    app = kernel.application("stock", settings, offsets)
    if STOCK:
        app.transport = driver.Transport(app.conf.broker_consumer, app)
        take_as_documented(app, settings)
    else:
        kernel.take(app, settings, [TOPIC], handle)
    worker = faust.Worker(app, loop=asyncio.get_running_loop(), loglevel="WARNING", redirect_stdouts=False)
    worker.override_logging = False
    # Returns when SIGTERM has begun the stop. Faust then stops as usual.
    await worker.start()
    if worker._signal_stop_future is not None:
        await asyncio.wait([worker._signal_stop_future], timeout=PATIENCE)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
