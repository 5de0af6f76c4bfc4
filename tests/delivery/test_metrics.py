"""What a service counts, as `huiying serve X` runs it: one address tells of its two processes."""

import os
import re
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.delivery import sites
from tests.kit import substrate
from tests.kit.stack import until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(240)]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[sites.SupervisedWorld]:
    template = substrate.new_databases("metrics")
    with sites.supervised(tmp_path / "deployment", template, substrate.kafka()) as made, made.integration():
        yield made
    substrate.drop_databases(template)


def taken(world: sites.SupervisedWorld, service: str) -> float:
    text = httpx.get(f"{world.url(service)}/metrics", timeout=10).text
    found = re.search(rf'^huiying_events_taken_total\{{service="{service}"\}} (\S+)$', text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _command(pid: str) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def test_the_api_tells_what_the_consumer_took_also_after_it_was_killed(world: sites.SupervisedWorld) -> None:
    world.incident(world.post(f"first {uuid.uuid4()}").json()["report_id"])
    before = until(lambda: taken(world, "triage"), f"triage's API tells what its consumer took\n{world.logs()}")
    (consumer,) = (int(pid) for pid in _children(world.processes["triage"].pid) if b"consumer" in _command(pid))
    os.kill(consumer, signal.SIGKILL)
    world.incident(world.post(f"second {uuid.uuid4()}").json()["report_id"])
    until(lambda: taken(world, "triage") > before, f"the next consumer counts on\n{world.logs()}")
