"""The start of a service with a million events in store and topics. It must not depend on the length of the past."""

import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import httpx
import psycopg
from aiokafka import AIOKafkaProducer

from benchmarks import rig
from benchmarks.intake import fill
from benchmarks.measure import Figure, percentile
from deploy.native import free_port
from schemas.envelope import Event, seal
from services.ingest.app import SERVICE
from services.kernel.core.ids import derived
from services.kernel.delivery.relay import Relay
from services.kernel.delivery.runtime import Runtime
from services.kernel.store.session import partition_of
from tests.kit import access

EVENTS = 1_000_000
CHUNK = 20_000


async def measure(runs: int) -> list[Figure]:
    """Seconds from the command to the first ready answer: once after everything is new, then as usual."""
    prefix = f"restart-{uuid.uuid4().hex[:8]}"
    async with rig.runtime(SERVICE, prefix, prepared=True) as made:
        await rig.place_units(made)
        await fill(made, 1)
        await Relay(made).drain()
        await _grow(made)
        with tempfile.TemporaryDirectory() as folder:
            first = _start(made, Path(folder))
            again = [_start(made, Path(folder)) for _ in range(runs)]
    name = f"start of ingest on {EVENTS:,} events"
    return [
        Figure(f"{name}, none of them verified yet", "s", first, 300),
        Figure(name, "s", percentile(again, 0.5), 3, runs=runs),
    ]


async def _grow(made: Runtime) -> None:
    """Copies of one report under other ids, in the store and on the topic, as if they had been taken in and relayed."""
    with psycopg.connect(rig.plain(made)) as connection:
        row = connection.execute("select bytes from events where stream_id like 'report-%' limit 1").fetchone()
    assert row is not None
    one = Event.parse(row[0])
    producer = AIOKafkaProducer(bootstrap_servers=made.settings.kafka, acks="all", max_request_size=4_000_000)
    await producer.start()
    try:
        for start in range(0, EVENTS, CHUNK):
            events = [_copy(made, one, number) for number in range(start, start + CHUNK)]
            with psycopg.connect(rig.plain(made)) as connection, connection.cursor() as cursor:
                columns = "stream_id, version, event_id, type, recordedtime, bytes"
                with cursor.copy(f"copy events ({columns}) from stdin") as into:
                    for event in events:
                        into.write_row(
                            (event.stream, event.version, event.id, event.type, event.recorded_text, event.bytes)
                        )
            for event in events:
                partition = partition_of(event.partitionkey, made.settings.partitions)
                key = event.partitionkey.encode()
                await producer.send(made.settings.topic(event.topic), event.bytes, key, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


def _copy(made: Runtime, one: Event, number: int) -> Event:
    stream = f"report-{derived('restart', str(number))}"
    return seal(
        one.data,
        id=derived("restart-event", str(number)),
        source=made.settings.source("ingest"),
        stream=stream,
        version=1,
        previous=None,
        time=one.time,
        recorded=one.recorded,
        partitionkey=stream,
        actor=one.actor,
        unit=one.unit,
    )


def _start(made: Runtime, folder: Path) -> float:
    port = free_port()
    environment = {
        **os.environ,
        "HUIYING_DATABASE": made.settings.database,
        "HUIYING_KAFKA": made.settings.kafka,
        "HUIYING_PREFIX": made.settings.prefix,
        "HUIYING_SECRET": rig.SECRET.decode(),
        "HUIYING_TOKEN_KEYS": access.KEY_SET,
        "HUIYING_DATA": str(folder),
        "HUIYING_PORT": str(port),
        "HUIYING_LOG_LEVEL": "warning",
    }
    began = time.perf_counter()
    command = [sys.executable, "-m", "services.apps.cli", "serve", "ingest", "--part", "api"]
    with subprocess.Popen(command, env=environment) as process:
        try:
            while True:
                assert process.poll() is None, "the service ended"
                try:
                    # The service takes commands when it knows the units and recovery has ended.
                    if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200:
                        return time.perf_counter() - began
                except httpx.TransportError:
                    pass
                assert time.perf_counter() - began < 600, "not ready after ten minutes"
                time.sleep(0.02)
        finally:
            process.terminate()
