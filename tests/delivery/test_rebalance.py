"""Consumers of one group come, freeze and wake up (C10). A zombie that goes on at its old place has no effect."""

import random
import signal
import threading
import uuid
from collections.abc import Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.delivery import sites
from tests.kit.stack import DeployedWorld, until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(360)]
WORKERS = ("triage.consumer", "triage.consumer2", "triage.consumer3")


@pytest.fixture
def world(deployed_world: DeployedWorld) -> Iterator[DeployedWorld]:
    """Three consumers of triage's group."""
    for worker in WORKERS[1:]:
        deployed_world.start(worker)
    yield deployed_world
    for worker in WORKERS[1:]:
        if deployed_world.processes[worker].poll() is None:
            deployed_world.kill(worker)


def freeze(world: DeployedWorld, part: str) -> None:
    world.processes[part].send_signal(signal.SIGSTOP)


def wake(world: DeployedWorld, part: str) -> None:
    world.processes[part].send_signal(signal.SIGCONT)


def revive(world: DeployedWorld) -> list[str]:
    """Starts ended workers again, as their supervisor would. Returns their names."""
    ended = [worker for worker in WORKERS if world.processes[worker].poll() is not None]
    for worker in ended:
        world.start(worker)
    return ended


def joined(world: DeployedWorld) -> None:
    """Waits until every worker is a member of the group. A worker that freezes while it joins holds the others up."""

    async def members(admin: AIOKafkaAdminClient) -> int:
        (answer,) = await admin.describe_consumer_groups([f"{world.prefix}.triage"])
        (group,) = answer.groups
        return len(group[5]) if group[2] == "Stable" else 0

    until(lambda: sites.on_kafka(world, members) == len(WORKERS), f"all are in the group\n{world.logs()}", 180)


def one_effect_each(world: DeployedWorld, reports: list[str]) -> None:
    """Every report was taken into exactly one incident, by one event."""
    with sites.database(world, "triage") as connection:
        until(
            lambda: _taken(connection) >= set(reports) or (revive(world) and False),
            f"triage took every report\n{world.logs()}",
            180,
        )
        twice = connection.execute(
            "select report_id, count(*) from incident_reports group by report_id having count(*) > 1"
        ).fetchall()
    assert twice == []
    world.check()
    opened = world.events(type="huiying.incident.opened.v1")
    attached = world.events(type="huiying.incident.report_attached.v1")
    took = [event["data"]["report"] for event in (*opened, *attached)]
    assert sorted(took) == sorted(set(took))
    assert set(took) >= set(reports)


def _taken(connection: object) -> set[str]:
    found = connection.execute("select report_id from incident_reports").fetchall()  # type: ignore[attr-defined]
    return {report_id for (report_id,) in found}


def test_c10_a_zombie_that_wakes_in_the_middle_of_a_batch_has_no_effect(world: DeployedWorld) -> None:
    """Each worker is caught inside its transaction, and frozen until the group has given its partitions away."""
    first = world.post(f"first {uuid.uuid4()}").json()["report_id"]
    world.incident(first)
    with sites.database(world, "triage") as holder, sites.database(world, "triage") as seeing:
        with holder.transaction():
            holder.execute("select * from consumer_offset for update")
            reports = [world.post(f"zombie {uuid.uuid4()}").json()["report_id"] for _ in range(12)]
            blocked = until(
                lambda: seeing.execute(
                    "select pid from pg_stat_activity where wait_event_type = 'Lock' "
                    "and datname = current_database() and query like 'update \"consumer_offset\"%'"
                ).fetchall(),
                "a worker is inside its transaction",
            )
            for worker in WORKERS[:2]:
                freeze(world, worker)
            # The database gives up a client that does not answer. Its locks go, and nobody has its records.
            for (pid,) in blocked:
                seeing.execute("select pg_terminate_backend(%s)", [pid])
        more = [world.post(f"survivor {uuid.uuid4()}").json()["report_id"] for _ in range(8)]
        until(
            lambda: _taken(seeing) >= {first, *reports, *more} or (revive_living(world) and False),
            f"the third worker took over\n{world.logs()}",
            120,
        )
    for worker in WORKERS[:2]:
        wake(world, worker)
    late = [world.post(f"late {uuid.uuid4()}").json()["report_id"] for _ in range(8)]
    one_effect_each(world, [first, *reports, *more, *late])


def revive_living(world: DeployedWorld) -> bool:
    """The third worker may have lost its offset too. The frozen ones stay frozen."""
    if world.processes[WORKERS[2]].poll() is not None:
        world.start(WORKERS[2])
    return True


def test_c10_workers_that_freeze_and_wake_in_turn_lose_and_double_nothing(world: DeployedWorld) -> None:
    """Each freeze is longer than a session, under load."""
    seed = 20261121
    draw = random.Random(seed)
    reports: list[str] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            reports.append(world.post(f"load {uuid.uuid4()}").json()["report_id"])
            stop.wait(0.1)

    loader = threading.Thread(target=load)
    world.integration().close()
    loader.start()
    try:
        for _ in range(2):
            frozen = draw.choice(WORKERS)
            revive(world)
            joined(world)
            before = len(reports)
            freeze(world, frozen)
            with sites.database(world, "triage") as connection:
                # Only the others can take these, since the group has removed the frozen worker. One of them may have
                # lost its own place while the group settled: then it has ended, and its supervisor starts it again.
                until(
                    lambda before=before, connection=connection: (
                        (len(reports) > before + 20 and _taken(connection) >= set(reports[before : before + 20]))  # type: ignore[misc]
                        or (revive(world) and False)
                    ),
                    lambda frozen=frozen: f"seed {seed}: the others take over from {frozen}\n{world.logs()}",  # type: ignore[misc]
                    180,
                )
            wake(world, frozen)
    finally:
        stop.set()
        loader.join(30)
    revive(world)
    one_effect_each(world, reports)
