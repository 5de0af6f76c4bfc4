"""Triage on Faust's streams with its unit of work, compared with bare Faust and an empty handler.

Each run is its own process, since a Faust worker owns its process:

    python -m benchmarks.streams ours|bare        prints records a second; database, brokers and prefix as settings
"""

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import rig
from benchmarks.intake import fill
from benchmarks.measure import Figure, pairs
from schemas import catalogue
from services.ingest.app import SERVICE as INGEST
from services.kernel.core.time_source import TimeSource
from services.kernel.delivery.log import Record
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import unit_of_work
from services.kernel.serving import process
from services.kernel.settings import Settings
from services.kernel.store.database import Database
from services.triage.app import SERVICE
from tests.kit import substrate

EVENTS = 5000
TOPIC = "ingest.report"


async def measure(runs: int) -> list[Figure]:
    """Reports a second. Each opens an incident."""
    prefix = f"streams-{uuid.uuid4().hex[:8]}"
    async with rig.runtime(INGEST, prefix) as ingest:
        topics = [topic for service in catalogue.SERVICES for topic in catalogue.event_topics(service)]
        contents = [catalogue.content_topic(service) for service in catalogue.SERVICES]
        await ingest.log.create_topics(topics, contents)
        await fill(ingest, EVENTS)
        await Relay(ingest).drain()
    async with rig.runtime(SERVICE, prefix, prepared=True) as made:

        async def ours() -> float:
            rig.empty(made)
            rig.settle([made])
            return await _run("ours", made)

        async def floor() -> float:
            return await _run("bare", made)

        what = "bare Faust, no-op"
        return [await pairs("Faust streams", ours, floor, goal=0.5, floor_is=what, unit="reports/s", runs=runs)]


async def _run(which: str, made: Runtime) -> float:
    environment = {
        **os.environ,
        "HUIYING_DATABASE": made.database.location,
        "HUIYING_KAFKA": substrate.kafka(),
        "HUIYING_PREFIX": made.settings.prefix,
    }
    command = [sys.executable, "-m", "benchmarks.streams", which]
    child = await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.PIPE)
    output, _ = await child.communicate()
    assert child.returncode == 0, f"{which} ended with {child.returncode}"
    return float(output.split()[-1])


class _Count:
    """When everything was taken, ends the process and prints the rate."""

    def __init__(self) -> None:
        self.taken, self.began = 0, 0.0

    def begin(self) -> None:
        """Called at the first record."""
        self.began = self.began or time.perf_counter()

    def add(self, number: int) -> None:
        """Called after the handler."""
        self.taken += number
        if self.taken >= EVENTS:
            print(EVENTS / (time.perf_counter() - self.began), flush=True)
            os._exit(0)


async def ours(settings: Settings) -> None:
    """Consumes like `huiying serve triage`, but only from this topic."""
    from services.kernel.delivery.log.faust import FaustLog
    from services.triage.stream import application

    log = FaustLog(settings, application)
    made = Runtime(SERVICE, settings, Database(settings.database), TimeSource(), log, rig.SECRET)
    work, count = unit_of_work(made), _Count()

    async def handle(records: Sequence[Record]) -> None:
        count.begin()
        await work.handle(records)
        count.add(len(records))

    await log.consume(f"bench-{uuid.uuid4().hex[:8]}", [TOPIC], work.offsets, handle)


async def bare(settings: Settings) -> None:
    """Faust as in its documentation."""
    import faust

    app = faust.App(
        f"bench-{uuid.uuid4().hex[:8]}",
        broker=f"kafka://{settings.kafka}",
        store="memory://",
        topic_partitions=settings.partitions,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        datadir=f"/tmp/bench-faust-{os.getpid()}",  # noqa: S108
        consumer_auto_offset_reset="earliest",
        loop=asyncio.get_running_loop(),
    )
    count = _Count()

    async def nothing(stream: Any) -> None:
        async for _ in stream:
            count.begin()
            count.add(1)

    app.agent(app.topic(settings.topic(TOPIC), value_serializer="raw", value_type=bytes))(nothing)
    worker = faust.Worker(app, loop=asyncio.get_running_loop(), loglevel="WARNING", redirect_stdouts=False)
    worker.override_logging = False
    await worker.start()
    await worker.wait_until_stopped()


def main() -> None:
    """The command line."""
    settings = Settings(data=Path("/nonexistent"), outbox_limit=10**9)
    process.collect_less()
    asyncio.run({"ours": ours, "bare": bare}[sys.argv[1]](settings))


if __name__ == "__main__":
    main()
