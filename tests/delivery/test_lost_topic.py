"""Topics are lost and made anew (C14) under running services. Every service tells of it, and one command repairs it."""

import shutil
from collections.abc import Iterator

import pytest

from services.kernel.delivery.log import EXIT_RANGE
from tests.delivery import sites
from tests.kit import stack, substrate
from tests.kit.stack import DeployedWorld, until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(360)]
TOPIC = "ingest.report"
READERS = ("triage", "publish", "audit")


def said(world: DeployedWorld, part: str) -> str:
    """The output of a process."""
    return (world.folder / f"{part}.log").read_text(errors="replace")


def unready(world: DeployedWorld, service: str) -> str:
    """The reasons of a service while it is not ready."""
    return str(
        until(
            lambda: (
                (answer := sites.readiness(world, service)).status_code == 503
                and "resend --lost" in answer.text
                and answer.json()["services"][service]
            ),
            f"{service} says that a topic was lost\n{world.logs()}",
        )
    )


def posted(world: DeployedWorld, text: str) -> list[str]:
    """Reports in every partition."""
    ids: list[str] = []
    while {sites.place(id_) for id_ in ids} < set(range(sites.PARTITIONS)):
        ids.append(world.post(f"{text} {len(ids)}").json()["report_id"])
    return ids


def test_c14_a_topic_that_is_lost_under_running_services_is_told_and_healed_by_one_command(
    deployed_world: DeployedWorld,
) -> None:
    world = deployed_world
    before = posted(world, "before the loss")
    for id_ in before:
        world.incident(id_)
    world.check()

    sites.on_kafka(world, lambda admin: admin.delete_topics([f"{world.prefix}.{TOPIC}"]))
    until(
        lambda: "topic.made_anew" in "".join(said(world, f"{name}.api") for name in stack.SERVICES), "it is made anew"
    )
    # The topic grows beyond the readers' offsets. By the numbers alone nothing would be wrong.
    lost = [*posted(world, "after the loss"), *posted(world, "and more"), *posted(world, "and more still")]
    for service in READERS:
        assert f"of {TOPIC}/" in unready(world, service)
        assert world.died(f"{service}.consumer", 60) == EXIT_RANGE, world.logs()
        world.start(f"{service}.consumer")
        assert world.died(f"{service}.consumer", 60) == EXIT_RANGE, "it refuses as long as nothing is done"
    assert world.run("check", "--wait", "1").returncode == 1

    done = world.run("resend", "--lost")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ingest: ")
    for service in READERS:
        world.start(f"{service}.consumer")
    for id_ in (*before, *lost, world.post("after the repair").json()["report_id"]):
        world.incident(id_)
    for service in stack.SERVICES:
        until(lambda service=service: sites.readiness(world, service).status_code == 200, f"{service} is ready")  # type: ignore[misc]
    world.check()
    assert "no topic is known to be lost" in world.run("resend", "--lost").stdout


@pytest.fixture
def diskless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DeployedWorld, substrate.native.Kafka]]:
    """A world with its own broker."""
    database = substrate.new_databases("disk")
    try:
        with (
            substrate.private_kafka() as broker,
            sites.supervised(tmp_path_factory.mktemp("disk"), database, broker.address) as world,
        ):
            yield world, broker
    finally:
        substrate.drop_databases(database)


def test_c14_a_broker_that_lost_its_disk_is_filled_again_by_one_command(
    diskless: tuple[DeployedWorld, substrate.native.Kafka],
) -> None:
    world, broker = diskless
    before = posted(world, "before the loss")
    incidents = [world.incident(id_)["id"] for id_ in before]
    with world.client("ingest", "admin") as client:
        erased = client.post(f"/ingest/v1/reports/{before[0]}/erase", json={"cause": "law", "reason": "by law"})
        assert erased.status_code == 200, erased.text
    world.check()

    broker.kill()
    for path in (broker.data / "log").iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    broker.start()
    for service in ("ingest", "triage", "escalation", "audit"):
        unready(world, service)
    taken = world.post("while all topics are empty")
    assert taken.status_code == 201

    done = world.run("resend", "--lost")
    assert done.returncode == 0, done.stderr
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} >= {"ingest", "triage", "escalation", "audit"}
    world.incident(taken.json()["report_id"])
    assert [world.incident(id_)["id"] for id_ in before] == incidents
    for service in stack.SERVICES:
        until(lambda service=service: sites.readiness(world, service).status_code == 200, f"{service} is ready")  # type: ignore[misc]
    world.check()
