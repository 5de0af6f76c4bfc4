"""The brokers freeze, or are gone for a while.

Reports are taken while the outbox has room, and all of it is sent later.
"""

import asyncio
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.native import Kafka
from services.kernel.delivery.log import LogGone, Partition
from services.kernel.delivery.log.kafka import KafkaLog
from services.kernel.settings import Settings
from tests.delivery import sites
from tests.delivery.sites import SupervisedWorld
from tests.kit import stack, substrate
from tests.kit.stack import report, until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(360)]
OUTAGE = 30.0
"""Seconds for which the brokers are down: ten times a session and a send, six times the longest pause between two
tries."""
LIMIT = 700
"""Outbox rows: more than the single reports of the outage, less than a batch on top."""


@pytest.fixture(scope="module")
def broker() -> Iterator[Kafka]:
    with substrate.private_kafka() as made:
        yield made


@pytest.fixture(scope="module")
def world(broker: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupervisedWorld]:
    database = substrate.new_databases("brokers")
    environment = {"HUIYING_SEND_SECONDS": "3", "HUIYING_OUTBOX_LIMIT": str(LIMIT)}
    try:
        with sites.supervised(tmp_path_factory.mktemp("brokers"), database, broker.address, **environment) as made:
            yield made
    finally:
        substrate.drop_databases(database)


def waiting(world: SupervisedWorld) -> int:
    """How many rows wait in ingest's outbox."""
    with sites.database(world, "ingest") as connection:
        found = connection.execute("select count(*) from outbox").fetchone()
    return int(found[0]) if found else 0


def test_c5_what_the_brokers_wrote_without_an_answer_is_sent_again_and_has_one_effect(
    world: SupervisedWorld, broker: Kafka
) -> None:
    """Frozen brokers take the batch from the connection, and answer only after the relay has given up."""
    world.incident(world.post("a live producer").json()["report_id"])
    until(lambda: waiting(world) == 0, "the relay has nothing to do")
    broker.pause()
    try:
        id_ = world.post("written without an answer").json()["report_id"]
        until(lambda: "did not acknowledge" in (world.folder / "ingest.log").read_text(), "the relay gave up", 20)
        assert waiting(world) > 0
    finally:
        broker.resume()
    until(lambda: waiting(world) == 0, "the outbox drains")
    world.incident(id_)
    copies = [value for value in sites.read(world, "ingest.report") if value and id_.encode() in value]
    assert len(copies) >= 2, "the first batch was written though nobody heard of it"
    assert len(set(copies)) == 1
    world.check()
    received = [event for event in world.events(type="huiying.report.received.v1") if event["subject"] == id_]
    assert len(received) == 1


def batch(world: SupervisedWorld, count: int) -> list[dict[str, Any]]:
    """Posts a batch and returns its lines."""
    lines = "\n".join(json.dumps(report(f"line {n}")) for n in range(count))
    with world.integration() as client:
        answer = client.post(
            "/ingest/v1/reports/batch", content=lines.encode(), headers={"Content-Type": "application/x-ndjson"}
        )
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_c13_intake_goes_on_without_brokers_until_the_outbox_is_full_and_all_of_it_drains(
    world: SupervisedWorld, broker: Kafka
) -> None:
    taken = []
    broker.kill()
    began = time.monotonic()
    while time.monotonic() - began < OUTAGE:
        answer = world.post(f"without brokers {len(taken)}")
        assert answer.status_code == 201, answer.text
        taken.append(answer.json()["report_id"])
        time.sleep(1)  # a report a second, during the whole outage
    while waiting(world) <= LIMIT:
        lines = batch(world, 100)
        taken += [line["report_id"] for line in lines if line["status"] == 201]
        assert {line["status"] for line in lines} <= {201, 503}
    refused = until(lambda: (r := world.post("one too many")).status_code == 503 and r, "a full outbox refuses", 10)
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.headers["content-type"] == "application/problem+json"
    assert "events wait for the event log" in refused.json()["detail"]
    readiness = world.readiness("ingest")
    assert readiness.status_code == 503
    broker.start()
    id_ = until(lambda: (r := world.post("taken again")).status_code == 201 and r.json()["report_id"], "intake resumes")
    until(lambda: waiting(world) == 0, "the outbox drains")
    for one in (*taken[:3], *taken[-3:], id_):
        world.incident(one)
    world.check()
    received = [event["subject"] for event in world.events(type="huiying.report.received.v1")]
    assert len(received) == len(set(received))
    assert set(received) >= {*taken, id_}


def test_a_service_that_starts_without_brokers_answers_reads_and_takes_commands_when_they_are_back(
    world: SupervisedWorld, broker: Kafka
) -> None:
    id_ = world.post("before the start").json()["report_id"]
    world.incident(id_)
    broker.kill()
    world.kill("ingest", signal.SIGTERM)
    world.start("ingest")
    until(lambda: stack.get(f"{world.url('ingest')}/healthz", timeout=5).status_code == 200, "the port is open", 30)
    answer = until(lambda: (r := world.readiness("ingest")).status_code == 503 and r, "it says that it is not ready")
    assert "first compares its record with the event log" in answer.json()["services"]["ingest"]
    with world.client("ingest", "chief") as client:
        assert client.get(f"/ingest/v1/reports/{id_}").json()["id"] == id_
    refused = world.post("too early")
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert "first compares its record with the event log" in refused.json()["detail"]
    broker.start()
    taken = until(
        lambda: (r := world.post("in time")).status_code == 201 and r.json()["report_id"], "commands are taken"
    )
    world.incident(taken)
    world.check()


async def test_a_producer_that_was_given_up_sends_nothing_later(broker: Kafka) -> None:
    """By itself the relay would try for ever. Words that were erased meanwhile would then follow their tombstone."""
    place = Partition("ingest.content", 0)
    log = KafkaLog(Settings(kafka=broker.address, prefix=f"t{uuid.uuid4().hex[:8]}", partitions=1, send_seconds=2))
    await log.create_topics([], [place.topic])
    await log.append({place: [(b"ref", b"words")]})
    broker.kill()
    with pytest.raises(LogGone):
        await log.append({place: [(b"ref", b"other words")]})
    assert not [task for task in asyncio.all_tasks() if "Sender" in repr(task.get_coro())]
    broker.start()
    async with asyncio.timeout(60):
        while True:
            try:
                await log.append({place: [(b"ref", None)]})
                break
            except LogGone:
                continue
    # A busy broker may take a tombstone whose answer came too late, so there may be two of them.
    end = (await log.ends([place.topic]))[place]
    kept = [record.value async for batch in log.read(place, 0, end) for record in batch]
    assert kept[0] == b"words" and {*kept[1:]} == {None}, kept
    await log.stop()


SENDER = """
import asyncio, sys
from services.kernel import logging
from services.kernel.delivery.log import LogGone, Partition
from services.kernel.delivery.log.kafka import KafkaLog
from services.kernel.settings import Settings
async def main():
    settings = Settings(kafka=sys.argv[1], prefix=sys.argv[2], partitions=4)
    logging.configure(settings)
    log = KafkaLog(settings)
    await log.create_topics(["ingest.report"], [])
    async def send():
        while True:
            await log.append({Partition("ingest.report", number): [(b"k", b"v" * 500_000)] for number in range(4)})
            print("sent", flush=True)
    async def look():
        while True:
            try:
                await log.ends(["ingest.report"])
            except LogGone:
                pass
            await asyncio.sleep(2)
    await asyncio.gather(send(), look())
asyncio.run(main())
"""


@pytest.mark.parametrize("ends", ["stop", "kill"])
async def test_a_broker_that_goes_with_sends_in_flight_costs_neither_a_core_nor_a_long_log(
    ends: str, tmp_path: Path
) -> None:
    """A broker that ends in order tells its clients first that nobody leads its partitions: they look for a leader."""
    said, seconds = tmp_path / "log", 5.0
    with substrate.private_kafka() as broker, said.open("w") as errors:
        prefix = f"t{uuid.uuid4().hex[:8]}"
        sender = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SENDER, broker.address, prefix), stdout=asyncio.subprocess.PIPE, stderr=errors
        )
        try:
            assert sender.stdout is not None
            for _ in range(20):
                assert await asyncio.wait_for(sender.stdout.readline(), 60) == b"sent\n"
            (broker.stop if ends == "stop" else broker.kill)()
            await asyncio.sleep(1)
            before, written = used(sender.pid), said.stat().st_size
            await asyncio.sleep(seconds)
            assert sender.returncode is None, said.read_text()
            assert used(sender.pid) - before < 0.1 * seconds
            assert said.stat().st_size - written < 4_000
            assert said.stat().st_size < 64_000
            assert "aiokafka" in said.read_text(), "it is told once"
        finally:
            sender.kill()
            await sender.wait()


def used(pid: int) -> float:
    """Seconds of processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
