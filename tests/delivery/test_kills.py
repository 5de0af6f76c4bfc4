"""Random kills under load, drawn by a printed seed: no answered report is lost, doubled or out of order.

Afterwards every answered report is in audit once, and every unknown one has one effect after its retry. `huiying check`
finds the record sound.
"""

import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.delivery.load import Load
from tests.kit import stack, substrate
from tests.kit.stack import DeployedWorld, EmbeddedWorld, World

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


def kill_at_random(world: World, parts: tuple[str, ...], kills: int, chance: random.Random) -> Counter[str]:
    """Kills parts and starts them again, some of them while others are down."""
    killed: Counter[str] = Counter()
    for _ in range(kills):
        part = chance.choice(parts)
        world.kill(part, chance.choice(SIGNALS))
        killed[part] += 1
        time.sleep(chance.uniform(0, 0.5))
        world.start(part)
        time.sleep(chance.uniform(0.1, 1.0))
    return killed


def survive(world: World, parts: tuple[str, ...], kills: int, seed: int, clients: int = 2, pause: float = 0.05) -> None:
    """The whole test; prints its figures."""
    load, began = Load(world, seed, clients=clients, pause=pause), time.monotonic()
    with load.on():
        killed = kill_at_random(world, parts, kills, random.Random(seed))
    for part in world.parts:
        if world.processes[part].poll() is not None:
            world.start(part)
    for part in world.parts:
        world.ready(part)
    told = load.proven()
    print(f"\n{kills} kills over {len(killed)} processes in {time.monotonic() - began:.0f} s; {told}")


@pytest.mark.timeout(300)
def test_embedded_survives_kills(embedded_world: EmbeddedWorld) -> None:
    survive(embedded_world, ("up",), kills=5, seed=11)


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.timeout(400)
def test_five_services_survive_kills(deployed_world: DeployedWorld) -> None:
    survive(deployed_world, deployed_world.parts, kills=20, seed=7)


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.timeout(400)
def test_plain_aiokafka_consumers_survive_kills(tmp_path: Path) -> None:
    """The same without Faust: `HUIYING_CONSUMER=aiokafka`."""
    database = substrate.new_databases("kills")
    try:
        with stack.deployed(tmp_path, database, HUIYING_CONSUMER="aiokafka") as world:
            consumers = tuple(part for part in world.parts if part.endswith("consumer"))
            survive(world, consumers, kills=6, seed=3)
    finally:
        substrate.drop_databases(database)


@pytest.mark.chaos
@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.timeout(3000)
def test_two_hundred_kills_over_three_workers(tmp_path: Path) -> None:
    """Three consumers each of triage, escalation and publish, so that every kill also causes a rebalance."""
    database = substrate.new_databases("chaos")
    try:
        with stack.deployed(tmp_path, database) as world:
            more = tuple(f"{service}.consumer{n}" for service in ("triage", "escalation", "publish") for n in (2, 3))
            for part in more:
                world.start(part)
            survive(world, (*world.parts, *more), kills=200, seed=2026, clients=3, pause=0.02)
    finally:
        substrate.drop_databases(database)
