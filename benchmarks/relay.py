"""The relay from the outbox to Kafka's acknowledgement, compared with bare aiokafka and the same records in memory."""

import time
import uuid

import orjson
import psycopg
from aiokafka import AIOKafkaProducer

from benchmarks import rig
from benchmarks.intake import fill
from benchmarks.measure import Figure, pairs
from schemas import catalogue
from services.ingest.app import SERVICE
from services.kernel.delivery.relay import Relay
from services.kernel.serving import process

REPORTS = 5000


async def measure(runs: int) -> list[Figure]:
    """Records a second. An event and its words are four records."""
    async with rig.runtime(SERVICE, f"relay-{uuid.uuid4().hex[:8]}") as made, process.leadership(made):
        await made.log.create_topics(catalogue.event_topics("ingest"), [catalogue.content_topic("ingest")])
        await fill(made, REPORTS)
        relay = Relay(made)
        with psycopg.connect(rig.plain(made), autocommit=True) as connection:
            connection.execute("create table kept as select * from outbox order by seq")
        records = await _records(relay)

        async def ours() -> float:
            with psycopg.connect(rig.plain(made), autocommit=True) as connection:
                connection.execute("truncate outbox")
                connection.execute("insert into outbox select * from kept order by seq")
                connection.execute("analyze outbox")
            rig.settle([made])
            began = time.perf_counter()
            sent = await relay.drain()
            seconds = time.perf_counter() - began
            assert sent == len(records), f"{sent} of {len(records)}"
            return sent / seconds

        async def floor() -> float:
            producer = AIOKafkaProducer(
                bootstrap_servers=made.settings.kafka,
                acks="all",
                enable_idempotence=True,
                max_batch_size=900_000,
                max_request_size=4_000_000,
            )
            await producer.start()
            names = {topic: made.settings.topic(topic) for topic in {record[0] for record in records}}
            try:
                began = time.perf_counter()
                batches = {}
                for topic, partition, key, value in records:
                    place = topic, partition
                    batch = batches.get(place) or batches.setdefault(place, producer.create_batch())
                    if batch.append(key=key, value=value, timestamp=None) is None:
                        await producer.send_batch(batch, names[topic], partition=partition)
                        batches[place] = producer.create_batch()
                        batches[place].append(key=key, value=value, timestamp=None)
                for (topic, partition), batch in batches.items():
                    await producer.send_batch(batch, names[topic], partition=partition)
                await producer.flush()
                return len(records) / (time.perf_counter() - began)
            finally:
                await producer.stop()

        return [await pairs("relay", ours, floor, goal=0.5, floor_is="aiokafka", unit="records/s", runs=runs)]


async def _records(relay: Relay) -> list[tuple[str, int, bytes, bytes | None]]:
    """The records that the relay would send, read once."""
    statement = """
        select o.topic, o.partition, o.key, e.bytes, c.ref, c.salt, c.words from kept o
        left join events e on e.event_id = o.event_id left join contents c on c.ref = o.ref order by o.seq
    """
    found = []
    with psycopg.connect(rig.plain(relay.runtime)) as connection:
        for topic, partition, key, value, ref, salt, words in connection.execute(statement):
            content = value or orjson.dumps({"ref": ref, "salt": salt.hex(), "words": words})
            found.append((topic, partition, key.encode(), content))
    return found
