"""Somebody widened topics. No service starts on them, and the deployment moves to topics with a new prefix."""

import uuid
from pathlib import Path

import pytest
from aiokafka.admin import NewPartitions

from schemas import catalogue
from tests.delivery import sites
from tests.kit import stack, substrate
from tests.kit.stack import until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(400)]
WIDER = sites.PARTITIONS * 2


def test_a_deployment_whose_topics_were_widened_is_refused_and_moves_to_a_new_prefix(tmp_path: Path) -> None:
    database = substrate.new_databases("widened")
    try:
        with sites.supervised(tmp_path, database, substrate.kafka()) as world:
            reports = [world.post(f"before the move {number}").json()["report_id"] for number in range(8)]
            incidents = [world.incident(id_)["id"] for id_ in reports]
            world.check()
            held = {event["id"] for event in world.events()}
            world.stop()

            topics = {f"{world.prefix}.{topic}": NewPartitions(WIDER) for topic in catalogue.all_topics()}
            sites.on_kafka(world, lambda admin: admin.create_partitions(topics))
            refused = {"": "Do not change it to 8", str(WIDER): "set it back to 4"}
            for number, sentence in refused.items():
                settings = {"HUIYING_PARTITIONS": number} if number else {}
                world.start("ingest", **settings)

                def told(sentence: str = sentence) -> bool:
                    log = (tmp_path / "ingest.log").read_text()
                    return (
                        "huiying: " in log
                        and sentence in log
                        and "huiying resend --lost" in log
                        and "Traceback" not in log
                    )

                until(told, f"ingest says what to do\n{world.logs()}")
                world.end("ingest")

            world.prefix = f"t{uuid.uuid4().hex[:8]}"
            world.environment |= {"HUIYING_PREFIX": world.prefix, "HUIYING_PARTITIONS": str(WIDER)}
            for part in world.parts:
                world.start(part)
            for service in ("triage", "audit"):
                until(lambda service=service: "resend --lost" in sites.readiness(world, service).text, "it says so")  # type: ignore[misc]
            done = world.run("resend", "--lost")
            assert done.returncode == 0, done.stderr
            assert {line.partition(":")[0] for line in done.stdout.splitlines()} == set(stack.SERVICES)
            for part in world.parts:
                world.ready(part)
            world.check()
            assert [world.incident(id_)["id"] for id_ in reports] == incidents
            after = [event["id"] for event in world.events()]
            assert len(after) == len(set(after)) and held <= set(after)
            world.incident(world.post("after the move").json()["report_id"])
            world.check()
    finally:
        substrate.drop_databases(database)
