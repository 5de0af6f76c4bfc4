"""A deployment is killed between the record of a message and its receipt. The next try gets the receipt, once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from services.kernel.between.message import KIND, PATH, Message
from services.kernel.settings import ROOT, Settings
from tests.kernel.between import test_message as written
from tests.kit.logs import Log
from tests.kit.stack import EmbeddedWorld, until

OWN = str(Settings.model_fields["deployment"].default)
"""The name that the tokens of the tests are for."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[EmbeddedWorld]:
    policies = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", policies)
    peer = written.PEER.model_dump(mode="json") | {"takes": "county"}
    (policies / "peers.yaml").write_text(yaml.safe_dump({"peers": [peer]}, allow_unicode=True))
    found = EmbeddedWorld(tmp_path, HUIYING_POLICIES=str(policies))
    found.start("up", HUIYING_FAILPOINT="message.received")
    found.ready("up")
    yield found
    found.stop()


def sent(world: EmbeddedWorld) -> httpx.Response:
    event = written.event(to=OWN)
    message = Message(event, Log([event]).proof(0), written.WORDS)
    headers = written.signed(message) | {"Content-Type": KIND}
    return httpx.post(world.url("ingest") + PATH, content=message.body, headers=headers, timeout=60)


@pytest.mark.timeout(300)
def test_a_message_of_a_killed_deployment_is_taken_in_once(world: EmbeddedWorld) -> None:
    with pytest.raises(httpx.TransportError):
        sent(world)
    assert world.died("up", 60) == -9
    world.start("up")
    world.ready("up")
    first, again = sent(world), sent(world)
    assert first.status_code == 200, first.text
    assert first.json() == again.json()
    with world.client("triage", "chief", unit="county") as client:

        def matters() -> list[str]:
            items = client.get("/triage/v1/incidents", params={"limit": 500}).json()["items"]
            return [one["id"] for one in items if one["handing"]]

        until(matters, "the matter has come")
        assert len(matters()) == 1
    world.check()
