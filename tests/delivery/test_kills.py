"""Random kills under load, drawn by a printed seed: no answered report is lost, doubled or out of order.

Clients write down their answers. Afterwards every answered report is in audit once, and every unknown one has one
effect after its retry. `huiying check` finds the record sound.
"""

import random
import signal
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.kit import stack, substrate
from tests.kit.stack import DeployedWorld, EmbeddedWorld, World, report, until

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


@dataclass
class History:
    """One client's answers: ids of answered reports, and keys without an answer."""

    answered: list[str] = field(default_factory=list)
    unknown: list[tuple[str, str]] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def post_until(world: World, history: History, done: threading.Event, pause: float) -> None:
    """Posts reports one after the other, each under its own key."""
    with world.integration() as client:
        while not done.is_set():
            key, text = uuid.uuid4().hex, f"under load {uuid.uuid4()}"
            try:
                answer = client.post("/ingest/v1/reports", json=report(text), headers={"Idempotency-Key": key})
            except httpx.ConnectError:
                history.refused["no connection"] += 1
            except httpx.TransportError:
                history.unknown.append((key, text))
            else:
                if answer.status_code == 201:
                    history.answered.append(answer.json()["report_id"])
                else:
                    history.refused[str(answer.status_code)] += 1
            time.sleep(pause)


def retried(world: World, key: str, text: str) -> str:
    """The report's id, once its request is answered 201."""
    answer = world.post(text, **{"Idempotency-Key": key})
    return str(answer.json()["report_id"]) if answer.status_code == 201 else ""


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
    chance = random.Random(seed)
    world.integration().close()
    histories, done = [History() for _ in range(clients)], threading.Event()
    threads = [threading.Thread(target=post_until, args=(world, history, done, pause)) for history in histories]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    try:
        killed = kill_at_random(world, parts, kills, chance)
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    for part in world.parts:
        if world.processes[part].poll() is not None:
            world.start(part)
    for part in world.parts:
        world.ready(part)
    answered = [report_id for history in histories for report_id in history.answered]
    for history in histories:
        for key, text in history.unknown:
            answered.append(until(partial(retried, world, key, text), "a lost answer comes on retry"))
    wanted = set(answered)

    def all_there() -> bool:
        # Two topics: audit may have the incident of a report before the report.
        received = {event["subject"] for event in world.events(type="huiying.report.received.v1")}
        opened = {event["data"]["report"] for event in world.events(type="huiying.incident.opened.v1")}
        return wanted <= received & opened

    until(all_there, f"all {len(wanted)} reports and their incidents are in audit (seed {seed})\n{world.logs()}", 120)
    got = Counter(event["subject"] for event in world.events(type="huiying.report.received.v1"))
    opened = Counter(event["data"]["report"] for event in world.events(type="huiying.incident.opened.v1"))
    lost = [report_id for report_id in wanted if got[report_id] == 0]
    doubled = [report_id for report_id in got if got[report_id] > 1 or opened[report_id] != 1]
    unknown = sum(len(history.unknown) for history in histories)
    refused = sum((history.refused for history in histories), Counter())
    print(
        f"\nseed {seed}: {kills} kills over {len(killed)} processes in {time.monotonic() - began:.0f} s, "
        f"{len(answered)} reports ({unknown} with a lost answer, refused {dict(refused)}), "
        f"lost {len(lost)}, doubled {len(doubled)}, strangers {len(set(got) - wanted)}"
    )
    assert (lost, doubled) == ([], []), f"seed {seed}"
    assert len(answered) == len(wanted)
    world.check()


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
