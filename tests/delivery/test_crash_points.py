"""A crash (kill -9) at each point between a request and its effects, on both substrates.

The rule is always the same: an answered request is durable, and a repeated one has one effect. After the restart,
everything reaches audit once and in order.
"""

import uuid
from collections.abc import Callable

import httpx
import pytest

from tests.kit.stack import DeployedWorld, EmbeddedWorld, World, report, until

World_ = EmbeddedWorld | DeployedWorld
pytestmark = pytest.mark.timeout(240)


def crash(world: World_, part: str, failpoint: str, act: Callable[[], object]) -> None:
    """Restarts a part with a failpoint, acts, and waits until the part is dead."""
    world.integration().close()  # else the crash would come while the key is made
    world.armed(part, failpoint)
    act()
    assert world.died(part) == -9


def lost_answer(world: World_, text: str, key: str) -> None:
    """A report whose answer never comes, since the server dies."""
    with world.integration(**{"Idempotency-Key": key}) as client, pytest.raises(httpx.TransportError):
        client.post("/ingest/v1/reports", json=report(text))


def received(world: World, report_id: str) -> list[dict[str, object]]:
    """The entries of audit on a report, once there are any."""
    return until(
        lambda: [event for event in world.events(type="huiying.report.received.v1") if event["subject"] == report_id],
        f"{report_id} reached audit",
    )


def one_effect(world: World_, report_id: str) -> None:
    """Checks that the report is in audit once, with one incident, and that the whole record is sound."""
    assert len(received(world, report_id)) == 1
    incident = world.incident(report_id)
    opened = until(
        lambda: [e for e in world.events(type="huiying.incident.opened.v1") if e["subject"] == incident["id"]],
        "the incident reached audit",
    )
    assert len(opened) == 1
    assert opened[0]["data"]["report"] == report_id


def test_c1_before_the_commit_nothing_is_kept_and_the_retry_is_taken(world: World_) -> None:
    part, key, text = world.part("ingest", "api"), uuid.uuid4().hex, f"c1 {uuid.uuid4()}"
    crash(world, part, "command.before_commit", lambda: lost_answer(world, text, key))
    world.start(part)
    world.ready(part)
    answer = world.post(text, **{"Idempotency-Key": key})
    assert answer.status_code == 201
    one_effect(world, answer.json()["report_id"])


def test_c2_after_the_commit_the_retry_gets_the_first_answer(world: World_) -> None:
    part, key, text = world.part("ingest", "api"), uuid.uuid4().hex, f"c2 {uuid.uuid4()}"
    before = len(world.events(type="huiying.report.received.v1"))
    crash(world, part, "command.committed", lambda: lost_answer(world, text, key))
    world.start(part)
    world.ready(part)
    first = world.post(text, **{"Idempotency-Key": key})
    again = world.post(text, **{"Idempotency-Key": key})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    one_effect(world, first.json()["report_id"])
    assert len(world.events(type="huiying.report.received.v1")) == before + 1


@pytest.mark.parametrize(
    ("point", "copies"), [pytest.param("relay.before_send", 1, id="c3"), pytest.param("relay.acked", 2, id="c4")]
)
def test_c3_c4_the_relay_dies_around_the_log(world: World_, point: str, copies: int) -> None:
    """Before sending: it is sent later. After the acknowledgement: it is sent twice, with one effect."""
    part, text = world.part("ingest", "api"), f"{point} {uuid.uuid4()}"
    taken: list[str] = []

    def post() -> None:
        try:
            taken.append(world.post(text).json()["report_id"])
        except httpx.TransportError:
            # The relay may end the whole process before the answer is written. The commit stands.
            return

    crash(world, part, point, post)
    world.start(part)
    world.ready(part)
    if taken:
        one_effect(world, taken[0])
    else:
        until(
            lambda: [
                event
                for event in world.events(type="huiying.report.received.v1")
                if event["data"]["unit"] == "town-east" and event["recordedtime"]
            ],
            "the report reached audit",
        )
    world.check()


COMMIT = pytest.mark.parametrize(
    "point", [pytest.param("work.before_commit", id="c6"), pytest.param("work.committed", id="c7")]
)


@COMMIT
def test_c6_c7_embedded_the_process_dies_around_a_consumer_s_commit(embedded_world: EmbeddedWorld, point: str) -> None:
    """One process takes everything in, so the counts reach the commits of different services."""
    for count in (1, 3, 5):
        dies_around_its_commit(embedded_world, "up", f"{point}:{count}")


@pytest.mark.kafka
@pytest.mark.postgres
@COMMIT
@pytest.mark.parametrize("service", ["triage", "audit"])
def test_c6_c7_a_consumer_dies_around_its_commit(deployed_world: DeployedWorld, point: str, service: str) -> None:
    """One of each kind: Faust's streams with the usual unit of work, and aiokafka with audit's own."""
    dies_around_its_commit(deployed_world, f"{service}.consumer", f"{point}:2")


def dies_around_its_commit(world: World_, part: str, point: str) -> None:
    text = f"{point} {part} {uuid.uuid4()}"
    world.armed(part, point)
    taken: list[str] = []

    def post() -> bool:
        try:
            answer = world.post(text + str(len(taken)))
            taken.append(answer.json()["report_id"])
        except httpx.TransportError:
            pass
        return world.processes[part].poll() is not None

    until(post, f"{part} died at {point}")
    assert world.died(part) == -9
    world.start(part)
    world.ready(part)
    for report_id in taken:
        one_effect(world, report_id)
    world.check()


@pytest.mark.kafka
@pytest.mark.postgres
def test_c8_a_consumer_that_is_told_to_stop_in_the_middle_of_a_transaction_loses_nothing(
    deployed_world: DeployedWorld,
) -> None:
    """The row of the offset is held, so that SIGTERM catches the handler inside its transaction."""
    import signal

    import psycopg

    world = deployed_world
    url = world.environment["HUIYING_DATABASE"].format(service="triage").replace("+psycopg", "")
    first = world.post(f"c8 first {uuid.uuid4()}").json()["report_id"]
    world.incident(first)
    taken = []
    with psycopg.connect(url) as holder:
        holder.execute("select * from consumer_offset for update")
        taken += [world.post(f"c8 {n} {uuid.uuid4()}").json()["report_id"] for n in range(8)]
        with psycopg.connect(url, autocommit=True) as seeing:
            until(
                lambda: seeing.execute(
                    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' "
                    "and query like 'update \"consumer_offset\"%'"
                ).fetchone()[0],
                "the consumer waits inside its transaction",
            )
        world.processes["triage.consumer"].send_signal(signal.SIGTERM)
        world.died("triage.consumer")
    world.start("triage.consumer")
    for report_id in taken:
        one_effect(world, report_id)
    world.check()


@pytest.mark.kafka
@pytest.mark.postgres
def test_c9_an_offset_committed_to_the_group_is_never_used(deployed_world: DeployedWorld) -> None:
    """The group's offset is far beyond the database's. The consumer must not skip."""
    import asyncio

    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.errors import CommitFailedError

    world = deployed_world
    world.kill("triage.consumer")
    taken = [world.post(f"c9 {n} {uuid.uuid4()}").json()["report_id"] for n in range(6)]
    for report_id in taken:
        received(world, report_id)

    async def commit_to_the_end() -> None:
        group = f"{world.prefix}.triage"
        consumer = AIOKafkaConsumer(
            bootstrap_servers=world.environment["HUIYING_KAFKA"], group_id=group, enable_auto_commit=False
        )
        await consumer.start()
        places = [TopicPartition(f"{world.prefix}.ingest.report", n) for n in range(4)]
        consumer.assign(places)
        try:
            async with asyncio.timeout(40):
                while True:
                    try:
                        await consumer.commit(dict(await consumer.end_offsets(places)))
                        return
                    except CommitFailedError:
                        # The killed consumer is a member until its session ends.
                        await asyncio.sleep(0.5)
        finally:
            await consumer.stop()

    asyncio.run(commit_to_the_end())
    world.start("triage.consumer")
    for report_id in taken:
        one_effect(world, report_id)
    world.check()
