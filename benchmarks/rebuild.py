"""Building audit's tables anew from Kafka beside the present ones, against the taking in that made these.

`HUIYING_BENCH_EVENTS` says how many events. Memory is the process' own, at the end against that at a tenth.
"""

import os
import time
import uuid
from collections import defaultdict
from itertools import islice
from pathlib import Path

from benchmarks import rig
from benchmarks.histories import Histories
from benchmarks.measure import Figure
from schemas import catalogue
from services.audit import rebuilding
from services.audit.app import SERVICE
from services.audit.projection import AuditWork, learn
from services.kernel.delivery.log import Partition
from services.kernel.delivery.relay import Relay

EVENTS = int(os.environ.get("HUIYING_BENCH_EVENTS", "200_000"))
TOGETHER = 20_000


async def measure(runs: int) -> list[Figure]:
    """Events a second, and megabytes."""
    async with rig.runtime(SERVICE, f"rebuild-{uuid.uuid4().hex[:8]}") as made:
        topics = [topic for service in catalogue.SERVICES for topic in catalogue.event_topics(service)]
        await made.log.create_topics(topics, [catalogue.content_topic(name) for name in catalogue.SERVICES])
        histories = Histories(made.settings.partitions)
        records = histories.more(EVENTS // histories.each)
        ends: dict[Partition, int] = defaultdict(int)
        while batch := list(islice(records, TOGETHER)):
            parts: dict[Partition, list[tuple[bytes, bytes | None]]] = defaultdict(list)
            for record in batch:
                parts[Partition(record.topic, record.partition)].append((record.key or b"", record.value))
            while parts:
                sent = {part: waiting[:1000] for part, waiting in parts.items()}
                await made.log.append(sent)
                parts = {part: rest for part, waiting in parts.items() if (rest := waiting[1000:])}  # type: ignore[assignment]
            for record in batch:
                ends[Partition(record.topic, record.partition)] += 1
        await learn(made)
        work, count, began = AuditWork(made), 0, time.perf_counter()
        async for found in made.log.read_together({part: (0, end) for part, end in ends.items()}):
            await work.handle(found)
            count += len(found)
        taken = count / (time.perf_counter() - began)
        await Relay(made).drain()
        memory: list[float] = []

        def tell(done: int, of: int) -> None:
            if not memory and done >= of // 10:
                memory.append(_resident())

        built = await rebuilding.rebuild(made, tell)
        last = _resident()
    rate = built.events / built.seconds
    name = f"rebuild of {built.events:,} events"
    return [
        Figure(name, "events/s", rate, 0.8, taken, rate / taken, "taking in the same from Kafka"),
        Figure(f"{name}, memory", "MB", last, 0.8, memory[0], memory[0] / last, "at a tenth of the events"),
    ]


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
