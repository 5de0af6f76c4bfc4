"""Helpers of several delivery tests besides the worlds: supervised services, topics, one service taken by hand."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.apps import serve
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import unit_of_work
from services.kernel.settings import Settings
from services.kernel.store.session import partition_of
from tests.kit import stack, substrate
from tests.kit.stack import SERVICES, DeployedWorld, World, until

T = TypeVar("T")
PARTITIONS = 4


class SupervisedWorld(DeployedWorld):
    """Five services as `huiying serve X` runs them: a process that ends is started again, as in a deployment."""

    parts = SERVICES

    def command(self, part: str) -> list[str]:
        return ["serve", part]

    def own(self, part: str) -> dict[str, str]:
        return {"HUIYING_PORT": str(self.ports[part])}

    def ready(self, part: str) -> None:
        until(lambda: self.readiness(part).status_code == 200, f"{part} is ready\n{self.logs()}")

    def readiness(self, service: str) -> httpx.Response:
        """The answer of `/readyz`."""
        return readiness(self, service)

    def stop(self) -> None:
        for supervisor in self.processes.values():
            if supervisor.poll() is None:
                supervisor.terminate()
        for supervisor in self.processes.values():
            supervisor.wait(40)


@contextlib.contextmanager
def supervised(folder: Path, database: str, kafka: str, **environment: str) -> Iterator[SupervisedWorld]:
    """A running supervised world."""
    folder.mkdir(parents=True, exist_ok=True)
    with stack.started(SupervisedWorld(folder, database, kafka, **environment)) as world:
        yield world


def readiness(world: World, service: str) -> httpx.Response:
    """The answer of a service's `/readyz`."""
    return stack.get(f"{world.url(service)}/readyz", timeout=5)


def database(world: World, service: str) -> psycopg.Connection[tuple[Any, ...]]:
    """The test's own connection to a service's database, with autocommit."""
    return psycopg.connect(substrate.plain_url(world.environment["HUIYING_DATABASE"], service), autocommit=True)


def settings(world: World) -> Settings:
    """The settings of a world's processes."""
    prefix = "HUIYING_"
    named = {name.removeprefix(prefix).lower(): v for name, v in world.environment.items() if name.startswith(prefix)}
    return Settings(**named)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def by_hand(world: World, service: str) -> Any:
    """A service of a deployed world in this process. Its consumer does not run; `take` consumes instead."""
    made = serve.runtime(service, settings(world).model_copy(update={"consumer": "aiokafka"}))
    try:
        yield made
    finally:
        await made.log.stop()
        await made.database.close()


async def take(runtime: Runtime, *topics: str) -> None:
    """Takes in the records of these topics, one topic after the other, by the service's own unit of work."""
    work = unit_of_work(runtime)
    for topic in topics:
        ends = await runtime.log.ends([topic])
        begins = await work.offsets(list(ends))
        for partition, end in ends.items():
            async for records in runtime.log.read(partition, begins[partition], end):
                await work.handle(records)


# topics


def on_kafka(world: World, work: Callable[[AIOKafkaAdminClient], Awaitable[T]]) -> T:
    """Runs something with an administrator of the world's brokers."""

    async def run() -> T:
        admin = AIOKafkaAdminClient(bootstrap_servers=world.environment["HUIYING_KAFKA"])
        await admin.start()
        try:
            return await work(admin)
        finally:
            await admin.close()

    return asyncio.run(run())


def write(world: DeployedWorld, topic: str, records: Mapping[int, list[bytes | None]]) -> None:
    """Writes values straight to a topic, by partition. No service of ours would write them."""

    async def run() -> None:
        producer = AIOKafkaProducer(bootstrap_servers=world.environment["HUIYING_KAFKA"], acks="all")
        await producer.start()
        try:
            for partition, values in records.items():
                for value in values:
                    await producer.send_and_wait(f"{world.prefix}.{topic}", value, key=b"foreign", partition=partition)
        finally:
            await producer.stop()

    asyncio.run(run())


def read(world: DeployedWorld, topic: str) -> list[bytes | None]:
    """Every value of a topic, partition by partition."""

    async def run() -> list[bytes | None]:
        consumer = AIOKafkaConsumer(bootstrap_servers=world.environment["HUIYING_KAFKA"], group_id=None)
        await consumer.start()
        found: list[bytes | None] = []
        try:
            places = [TopicPartition(f"{world.prefix}.{topic}", number) for number in range(PARTITIONS)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            for place in places:
                consumer.seek(place, 0)
            while any([await consumer.position(place) < ends[place] for place in places]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [record.value for record in records]
        finally:
            await consumer.stop()
        return found

    return asyncio.run(run())


def place(stream: str) -> int:
    """The partition of a stream whose key is the stream itself."""
    return partition_of(stream, PARTITIONS)
