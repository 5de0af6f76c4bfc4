"""Kills (kill -9) of the publisher while it sends to a webhook, on both substrates."""

import pytest

from tests.kit.channel_kills import through_kills
from tests.kit.stack import DeployedWorld, EmbeddedWorld

pytestmark = pytest.mark.timeout(240)


@pytest.mark.requirement("PUB-10")
def test_through_kills_a_webhook_gets_each_release_and_knows_a_repetition_by_its_id(
    world: EmbeddedWorld | DeployedWorld,
) -> None:
    through_kills(world, 2)
    world.check()


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_fifty_kills(world: EmbeddedWorld | DeployedWorld) -> None:
    print(through_kills(world, 50))
    world.check()
