"""The purpose of the replaced methods of Faust's consumer: without them the same program loses or doubles records.

These runs show that C8 and C9 of the crash tests can fail.
"""

import asyncio
import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from services.kernel.delivery.log import Partition
from services.kernel.delivery.log.kafka import KafkaLog
from services.kernel.settings import Settings
from tests.delivery.stock_faust import GATE, TABLES, TOPIC
from tests.kit import substrate
from tests.kit.programs import Program
from tests.kit.stack import until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(240)]
COUNT = 60
GUARDED = pytest.mark.parametrize("guarded", [True, False], ids=["database's offset", "stock"])


class Consumer:
    """One program with its own topic and table."""

    def __init__(self, folder: Path, database: str, settings: Settings, *, guarded: bool) -> None:
        self.url, self.settings, self.log = database, settings, folder / "faust.log"
        self.environment = {
            **os.environ,
            "STOCK": "0" if guarded else "1",
            "TABLE_DATABASE": database,
            "HUIYING_KAFKA": settings.kafka,
            "HUIYING_PREFIX": settings.prefix,
        }
        self.process: Program | None = None

    def start(self) -> None:
        self.process = Program("tests.delivery.stock_faust", env=self.environment, stdout=self.log, stderr=self.log)

    def end(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(60)

    def effects(self) -> tuple[int, int]:
        """How many records had an effect, and how many effects are superfluous."""
        with psycopg.connect(self.url) as connection:
            row = connection.execute("select count(distinct (part, off)), count(*) from effect").fetchone() or (0, 0)
        return row[0], row[1] - row[0]

    def come_to_rest(self) -> tuple[int, int]:
        """Writes one more record to each partition and waits for it.

        Then no earlier record will have an effect any more.
        """
        asyncio.run(self.write(1))
        with psycopg.connect(self.url, autocommit=True) as connection:
            until(
                lambda: (
                    connection.execute("select count(distinct part) from effect where off = %s", [COUNT]).fetchone()
                    == (self.settings.partitions,)
                ),
                lambda: f"the last records were had\n{self.said()}",
                180,
            )
        return self.effects()

    def said(self) -> str:
        """The end of what the program wrote; nothing before it has begun to write."""
        return self.log.read_text()[-2000:] if self.log.exists() else ""

    async def write(self, count: int, *, create: bool = False) -> None:
        log = KafkaLog(self.settings)
        if create:
            await log.create_topics([TOPIC], [])
        values = [(b"key", b"value")] * count
        await log.append({Partition(TOPIC, number): values for number in range(self.settings.partitions)})
        await log.stop()

    async def commit_to_the_group(self, offset: int) -> None:
        """The group's offset in Kafka is ahead of the records that had an effect."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka, group_id=f"{self.settings.prefix}.stock", enable_auto_commit=False
        )
        await consumer.start()
        places = [TopicPartition(f"{self.settings.prefix}.{TOPIC}", n) for n in range(self.settings.partitions)]
        consumer.assign(places)
        await consumer.commit(dict.fromkeys(places, offset))
        await consumer.stop()


@pytest.fixture
def consumer(request: pytest.FixtureRequest, tmp_path: Path, guarded: bool) -> Iterator[Consumer]:
    template = substrate.new_databases("stock", services=("ingest",))
    settings = Settings(kafka=substrate.kafka(), prefix=f"t{uuid.uuid4().hex[:8]}", partitions=4)
    made = Consumer(tmp_path, substrate.plain_url(template, "ingest"), settings, guarded=guarded)
    with psycopg.connect(made.url) as connection:
        connection.execute(TABLES)
    asyncio.run(made.write(COUNT, create=True))
    yield made
    if made.process is not None and made.process.poll() is None:
        made.end(signal.SIGKILL)
    substrate.drop_databases(template)


@GUARDED
def test_c8_told_to_stop_in_the_middle_of_a_transaction(consumer: Consumer, guarded: bool) -> None:
    """SIGTERM catches the handler inside its transaction. Stock Faust acknowledges the event that it cancels."""
    with psycopg.connect(consumer.url) as holder:
        holder.execute("select pg_advisory_xact_lock(%s)", [GATE])
        consumer.start()
        with psycopg.connect(consumer.url, autocommit=True) as seeing:
            waits = (
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
                "and query like '%lock_shared%' and datname = current_database()"
            )
            until(lambda: (seeing.execute(waits).fetchone() or (0,))[0] > 0, "a handler waits inside its transaction")
        consumer.end(signal.SIGTERM)
    consumer.start()
    had, doubled = consumer.come_to_rest()
    lost = (COUNT + 1) * consumer.settings.partitions - had
    print(f"lost {lost}, doubled {doubled}")
    assert (lost + doubled == 0) is guarded


@GUARDED
def test_c9_an_offset_of_the_group_ahead_of_the_database(consumer: Consumer, guarded: bool) -> None:
    """Stock Faust goes on after records that never had an effect."""
    asyncio.run(consumer.commit_to_the_group(COUNT // 2))
    consumer.start()
    had, doubled = consumer.come_to_rest()
    lost = (COUNT + 1) * consumer.settings.partitions - had
    assert doubled == 0
    assert lost == (0 if guarded else COUNT // 2 * consumer.settings.partitions)
