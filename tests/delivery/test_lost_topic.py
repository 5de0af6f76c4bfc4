"""A topic is lost and made anew (C14): consumers refuse to jump, say what to do, and that heals it."""

import pytest

from services.kernel.delivery.log import EXIT_RANGE
from tests.delivery import sites
from tests.kit.stack import DeployedWorld, until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(360)]
TOPIC = "ingest.report"
READERS = ("triage", "audit")


def said(world: DeployedWorld, part: str) -> str:
    """What a process wrote."""
    return (world.folder / f"{part}.log").read_text(errors="replace")


def test_c14_consumers_refuse_a_topic_that_was_made_anew_and_say_how_to_heal_it(deployed_world: DeployedWorld) -> None:
    world = deployed_world
    before: list[str] = []
    while {sites.place(id_) for id_ in before} < set(range(sites.PARTITIONS)):  # every partition has something to lose
        before.append(world.post(f"before the loss {len(before)}").json()["report_id"])
    for id_ in before:
        world.incident(id_)
    world.check()

    # Ten seconds is the longest that Faust and aiokafka may take to see it; nobody may go on silently.
    sites.on_kafka(world, lambda admin: admin.delete_topics([f"{world.prefix}.{TOPIC}"]))
    until(lambda: not sites.on_kafka(world, lambda admin: _has(admin, f"{world.prefix}.{TOPIC}")), "the topic is gone")
    world.restart("ingest.api")
    lost = world.post("after the loss").json()["report_id"]
    for service in READERS:
        part = f"{service}.consumer"
        world.end(part)
        world.start(part)
        assert world.died(part, 60) == EXIT_RANGE, world.logs()
        assert "huiying resend --all" in said(world, part)
        assert f"huiying resend SERVICE --rewind {TOPIC}" in said(world, part)
        world.start(part)
        assert world.died(part, 60) == EXIT_RANGE, "it refuses as long as nothing is done"

    assert world.run("resend", "ingest", "--all").returncode == 0
    for service in READERS:
        assert world.run("resend", service, "--rewind", TOPIC).returncode == 0
        world.start(f"{service}.consumer")
    for id_ in (*before, lost, world.post("after the repair").json()["report_id"]):
        world.incident(id_)
    world.check()


async def _has(admin: object, topic: str) -> bool:
    return topic in await admin.list_topics()  # type: ignore[attr-defined]
