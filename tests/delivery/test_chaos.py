"""Processes, brokers and the database are killed by chance. Nothing is lost, and nobody is needed.

Two processes of each part, as a deployment has them. Whatever ends is started again, as systemd and compose do it.
"""

import contextlib
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy import native
from deploy.native import Postgres, free_port
from tests.delivery.load import Load
from tests.kit import stack, substrate
from tests.kit.cluster import REPLICAS, Brokers, brokers
from tests.kit.stack import SERVICES, DeployedWorld, until

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(7200)]
KILLS = int(os.environ.get("HUIYING_CHAOS_KILLS", "1000"))
SEED = int(os.environ.get("HUIYING_CHAOS_SEED", "1"))
SERVERS = ("broker1", "broker2", "broker3", "postgres")
OF_SERVERS = 0.08
"""How often a kill takes a server instead of a process."""


class Twice(DeployedWorld):
    """Two processes of each part of each service."""

    parts = tuple(f"{service}.{part}{n}" for service in SERVICES for part in ("api", "consumer") for n in ("", "2"))

    def __init__(self, folder: Path, database: str, kafka: str, **environment: str) -> None:
        super().__init__(folder, database, kafka, **environment)
        self.seconds = {service: free_port() for service in SERVICES}
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._one_at_a_time = threading.Lock()

    def own(self, part: str) -> dict[str, str]:
        service, _, kind = part.partition(".")
        ports = self.seconds if kind == "api2" else self.ports
        return {"HUIYING_PORT": str(ports[service])} if kind.startswith("api") else {}

    def urls(self, service: str) -> list[str]:
        return [f"http://127.0.0.1:{ports[service]}" for ports in (self.ports, self.seconds)]

    def url(self, service: str) -> str:
        """The process that takes commands, as a proxy in front finds it. If none says so, the first one."""
        return next(filter(_is_ready, self.urls(service)), self.urls(service)[0])

    def ready(self, part: str) -> None:
        service, _, kind = part.partition(".")
        if kind.startswith("api"):
            until(lambda: any(map(_is_ready, self.urls(service))), lambda: f"{service} is ready\n{self.logs()}", 300)

    def kill_and_leave(self, part: str) -> None:
        """Kills a process. The keeper starts it again."""
        with self._one_at_a_time:
            if self.processes[part].poll() is None:
                self.kill(part)

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Meanwhile each process that ended is started again."""
        self._keeper.start()
        try:
            yield
        finally:
            self._over.set()
            self._keeper.join()

    def _keep(self) -> None:
        while not self._over.wait(0.2):
            for part in self.parts:
                with self._one_at_a_time:
                    if self.processes[part].poll() is not None:
                        self.start(part)


def _is_ready(url: str) -> bool:
    try:
        return stack.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


@contextlib.contextmanager
def twice(folder: Path, server: Postgres, kafka: str) -> Iterator[Twice]:
    """The world, kept alive."""
    database = substrate.new_databases("chaos", server.url)
    folder.mkdir(parents=True, exist_ok=True)
    shared = {"HUIYING_REPLICATION": str(REPLICAS), "HUIYING_SEND_SECONDS": "5", "HUIYING_LEASE_SECONDS": "5"}
    with stack.started(Twice(folder, database, kafka, **shared)) as world, world.kept():
        yield world


class Servers:
    """The brokers and the database, one of which may be down at a time."""

    def __init__(self, cluster: Brokers, server: Postgres) -> None:
        self._all: dict[str, native.Server] = dict(zip(SERVERS, [*cluster.all, server], strict=True))
        self._starting: threading.Thread | None = None

    def kill(self, name: str, chance: random.Random) -> None:
        """Kills one, and starts it again a little later, while other kills go on."""
        self.wait()
        server, pause = self._all[name], chance.uniform(0, 5)
        server.kill()

        def start() -> None:
            time.sleep(pause)
            server.start()

        self._starting = threading.Thread(target=start)
        self._starting.start()

    def wait(self) -> None:
        """Until all of them run."""
        if self._starting is not None:
            self._starting.join()


def test_a_thousand_kills_of_processes_brokers_and_databases(tmp_path: Path) -> None:
    chance, killed, began = random.Random(SEED), Counter[str](), time.monotonic()
    with (
        substrate.private_postgres() as server,
        brokers(tmp_path / "brokers") as cluster,
        twice(tmp_path / "world", server, cluster.address) as world,
    ):
        load, servers = Load(world, SEED, clients=2, officers=1, pause=0.1), Servers(cluster, server)
        with load.on():
            for number in range(KILLS):
                if chance.random() < OF_SERVERS:
                    name = chance.choice(SERVERS)
                    servers.kill(name, chance)
                else:
                    name = chance.choice(world.parts)
                    world.kill_and_leave(name)
                killed[name] += 1
                time.sleep(chance.uniform(0.2, 1.8))
                if number % 50 == 49:
                    print(f"{number + 1} kills, {load.answered} acts, {time.monotonic() - began:.0f} s", flush=True)
            servers.wait()
            _must_go_on(load)
        told = _proven(world, load)
    seconds = time.monotonic() - began
    print(f"\n{killed.total()} kills over {len(killed)} targets in {seconds:.0f} s ({dict(killed)}); {told}")


def _must_go_on(load: Load) -> None:
    """Work is taken again by itself, with nobody's help."""
    before = load.answered
    until(lambda: load.answered > before + 20, "work goes on by itself", 300)


def _proven(world: Twice, load: Load) -> str:
    for part in world.parts:
        world.ready(part)
    return load.proven(300)
