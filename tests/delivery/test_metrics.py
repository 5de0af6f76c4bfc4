"""A consumer's process serves its metrics on its own port."""

import re
import uuid

import httpx
import pytest

from tests.kit import stack
from tests.kit.stack import DeployedWorld, free_port, until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(240)]


def test_a_consumer_tells_what_it_took_and_goes_on_where_the_port_is_taken(deployed_world: DeployedWorld) -> None:
    world, port = deployed_world, free_port()
    world.end("triage.consumer")
    world.start("triage.consumer", HUIYING_METRICS_PORT=str(port))

    def taken() -> float:
        try:
            text = stack.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        except httpx.TransportError:
            return 0.0
        found = re.search(r'^huiying_events_taken_total\{service="triage"\} (\S+)$', text, re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    world.incident(world.post(f"first {uuid.uuid4()}").json()["report_id"])
    until(taken, f"triage's consumer tells what it took\n{world.logs()}")
    world.end("publish.consumer")
    world.start("publish.consumer", HUIYING_METRICS_PORT=str(port))
    until(lambda: "metrics.nowhere" in world.logs(), "publish's consumer says that it tells nothing")
    world.check()
