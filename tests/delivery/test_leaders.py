"""Two processes want to lead a service. One that freezes is replaced, and its remaining work has no effect."""

import asyncio
import contextlib
import signal
import time
import uuid
from pathlib import Path

import httpx
import pytest

from services.kernel.delivery.log import Record
from tests.delivery import sites
from tests.kit import stack
from tests.kit.stack import DeployedWorld, free_port, until

pytestmark = [pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(240)]
SECONDS = "2"
TAKEN_OVER = 30.0


def is_frozen(world: DeployedWorld, part: str) -> bool:
    return Path(f"/proc/{world.processes[part].pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def words(world: DeployedWorld) -> list[Record]:
    """The content of ingest's content topic, partition by partition."""

    async def read() -> list[Record]:
        found: list[Record] = []
        async with sites.by_hand(world, "ingest") as ingest:
            for partition, end in (await ingest.log.ends(["ingest.content"])).items():
                async for records in ingest.log.read(partition, 0, end):
                    found += records
        return found

    return asyncio.run(read())


def test_a_leader_that_freezes_with_words_in_hand_is_replaced_and_writes_them_no_more(
    deployed_world: DeployedWorld,
) -> None:
    """It freezes just before it sends them.

    The next leader sends them and their tombstone; then the first one wakes up.
    """
    world, armed = deployed_world, deployed_world.folder / "freezes"
    lease = {"HUIYING_LEASE_SECONDS": SECONDS, "HUIYING_LOG_LEVEL": "info"}
    freezes = {"HUIYING_FAILPOINT": "relay.before_send", "HUIYING_FAILPOINT_SIGNAL": "STOP"}
    before = [world.post(f"before {uuid.uuid4()}").json()["report_id"] for _ in range(3)]
    world.restart("ingest.api", **lease, **freezes, HUIYING_FAILPOINT_WHEN=str(armed))
    ports = {"ingest.api": world.ports["ingest"], "ingest.api2": free_port()}
    world.start("ingest.api2", **lease, HUIYING_PORT=str(ports["ingest.api2"]))

    def decides(part: str) -> bool:
        return stack.get(f"http://127.0.0.1:{ports[part]}/readyz", timeout=5).status_code == 200

    until(lambda: not decides("ingest.api2"), "the second process answers, and does not lead")
    key, text = uuid.uuid4().hex, f"frozen {uuid.uuid4()}"
    armed.touch()
    # It may freeze before it has answered; the report is kept.
    with world.integration(**{"Idempotency-Key": key}) as client, contextlib.suppress(httpx.TransportError):
        client.post("/ingest/v1/reports", json=stack.report(text), timeout=3)
    until(lambda: is_frozen(world, "ingest.api"), "the leader is frozen")
    began = time.monotonic()
    until(lambda: decides("ingest.api2"), f"the second process leads\n{world.logs()}", TAKEN_OVER)
    print(f"\ntaken over after {time.monotonic() - began:.1f} s")
    world.ports["ingest"] = ports["ingest.api2"]

    frozen = world.post(text, **{"Idempotency-Key": key}).json()["report_id"]
    with world.client("ingest", "admin") as admin:
        erasure = {"cause": "law", "reason": "ordered"}
        erased = admin.post(f"/ingest/v1/reports/{frozen}/erase", json=erasure, headers={"If-Match": "1"})
    assert erased.status_code == 200, erased.text
    (event,) = until(lambda: world.events(type="huiying.report.erased.v1"), "audit has the erasure")
    refs = [ref.encode() for ref in event["data"]["refs"]]
    until(lambda: set(refs) <= {r.key for r in words(world) if r.value is None}, "the tombstones are on the topic")
    after = [world.post(f"after {uuid.uuid4()}").json()["report_id"] for _ in range(3)]

    world.processes["ingest.api"].send_signal(signal.SIGCONT)
    first = world.folder / "ingest.api.log"
    until(lambda: "leader.ends" in first.read_text(), f"the first process knows that it leads no more\n{world.logs()}")
    assert not decides("ingest.api") and decides("ingest.api2")
    world.kill("ingest.api2", signal.SIGTERM)
    until(lambda: decides("ingest.api"), f"the first process leads again\n{world.logs()}", TAKEN_OVER)
    world.ports["ingest"] = ports["ingest.api"]
    last = world.post(f"last {uuid.uuid4()}").json()["report_id"]

    wanted = [*before, frozen, *after, last]
    until(
        lambda: {e["subject"] for e in world.events(type="huiying.report.received.v1")} >= set(wanted),
        f"audit has every report\n{world.logs()}",
    )
    received = [event["subject"] for event in world.events(type="huiying.report.received.v1")]
    assert sorted(received) == sorted(wanted)
    world.check()
    last_of = {record.key: record.value for record in words(world)}
    assert {last_of[ref] for ref in refs} == {None}
    said = first.read_text()
    assert said.count("leader.begins") == said.count("leader.ends") + 1
    assert said.count("leader.ends") == 1
