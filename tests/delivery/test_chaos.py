"""Everything goes wrong, nothing is lost, and nobody is needed: kills, brokers, databases, networks, clocks.

Two processes of each part, as a deployment has them. Whatever ends is started again, as systemd and compose do it.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy import native
from deploy.native import LOOPBACK, Postgres, free_port
from tests.delivery.load import Load
from tests.kit import stack, substrate
from tests.kit.cluster import REPLICAS, Brokers, brokers
from tests.kit.stack import CLI, SERVICES, DeployedWorld, until
from tests.kit.toxics import toxiproxy

pytestmark = [pytest.mark.chaos, pytest.mark.kafka, pytest.mark.postgres, pytest.mark.timeout(7200)]
KILLS = int(os.environ.get("HUIYING_CHAOS_KILLS", "1000"))
SEED = int(os.environ.get("HUIYING_CHAOS_SEED", "1"))
SERVERS = ("broker1", "broker2", "broker3", "postgres")
OF_SERVERS = 0.08
"""How often a kill takes a server instead of a process."""
GONE = 30.0
"""Seconds for which something is frozen or lost: longer than each session, lease and send."""


class Twice(DeployedWorld):
    """Two processes of each part of each service."""

    parts = tuple(f"{service}.{part}{n}" for service in SERVICES for part in ("api", "consumer") for n in ("", "2"))

    def __init__(self, folder: Path, database: str, kafka: str, **environment: str) -> None:
        super().__init__(folder, database, kafka, **environment)
        self.seconds = {service: free_port() for service in SERVICES}
        self._over = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._one_at_a_time = threading.Lock()
        self.elsewhere: dict[str, dict[str, str]] = {}
        """Part -> what its environment needs so that it runs as on a machine with another clock."""

    def own(self, part: str) -> dict[str, str]:
        service, _, kind = part.partition(".")
        ports = self.seconds if kind == "api2" else self.ports
        return {"HUIYING_PORT": str(ports[service])} if kind.startswith("api") else {}

    def start(self, part: str, **environment: str) -> Any:
        if part not in self.elsewhere:
            return super().start(part, **environment)
        # A fork of a running server would not load the library.
        whole = {**self.environment, **self.own(part), **self.elsewhere[part], **environment}
        with (self.folder / f"{part}.log").open("ab") as log:
            command = [sys.executable, "-m", CLI, *self.command(part)]
            process: Any = subprocess.Popen(command, env=whole, stdout=log, stderr=log)
        self.processes[part] = process
        return process

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
def twice(folder: Path, server: Postgres, kafka: str, port: int = 0) -> Iterator[Twice]:
    """The world, kept alive. It reaches the database at `port`."""
    database = substrate.new_databases("chaos", server.url).replace(f":{server.port}/", f":{port or server.port}/")
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


def _through(folder: Path, spoil: Callable[[Twice, Brokers, Postgres], None]) -> str:
    """The record is sound after `spoil`, which ran while clients worked."""
    with (
        substrate.private_postgres() as server,
        brokers(folder / "brokers") as cluster,
        twice(folder / "world", server, cluster.address) as world,
    ):
        load = Load(world, SEED, clients=2, officers=1, pause=0.1)
        with load.on():
            _must_go_on(load)
            spoil(world, cluster, server)
            _must_go_on(load)
        return _proven(world, load)


def test_one_broker_is_lost_with_its_disk_and_one_freezes(tmp_path: Path) -> None:
    """One of three is less than the topics want. Reports are taken meanwhile, and sent later."""

    def spoil(world: Twice, cluster: Brokers, _: Postgres) -> None:
        lost, frozen, last = cluster.all
        lost.kill()
        frozen.pause()
        try:
            time.sleep(GONE)
            assert world.post("while one broker of three is left").status_code in {201, 503}
        finally:
            frozen.resume()
        time.sleep(GONE / 3)
        for path in (lost.data / "log").iterdir():
            if path.is_dir() and not path.name.startswith("__cluster_metadata"):
                shutil.rmtree(path)
        lost.start()
        time.sleep(GONE)
        # The brokers that had the records before are gone one after the other; the empty one has them again.
        for one in (frozen, last):
            one.kill()
            time.sleep(GONE / 3)
            one.start()

    print(_through(tmp_path, spoil))


def test_each_leader_freezes_and_wakes_up_as_somebody_else_leads(tmp_path: Path) -> None:
    def spoil(world: Twice, _: Brokers, __: Postgres) -> None:
        for service in SERVICES:
            places = [f"{service}.api", f"{service}.api2"]
            both = [*zip(places, world.urls(service), strict=True)]
            leads = until(
                lambda both=both: next((part for part, url in both if _is_ready(url)), None), f"one leads {service}", 60
            )
            frozen = world.processes[leads]
            frozen.send_signal(signal.SIGSTOP)
            try:
                until(lambda s=service: any(map(_is_ready, world.urls(s))), f"{service} has another leader", 60)
                time.sleep(GONE / 6)
            finally:
                if frozen.poll() is None:
                    frozen.send_signal(signal.SIGCONT)

    print(_through(tmp_path, spoil))


def test_connections_that_are_slow_narrow_torn_and_silent(tmp_path: Path) -> None:
    """Each process reaches brokers and databases through a proxy that spoils connections, of one server at a time."""
    chance, ports, names = random.Random(SEED), [free_port() for _ in range(4)], SERVERS
    addresses = [f"{LOOPBACK}:{port}" for port in ports]
    spoiled: Counter[str] = Counter()
    with (
        substrate.private_postgres() as server,
        brokers(tmp_path / "brokers", addresses[:REPLICAS]) as cluster,
        toxiproxy(tmp_path) as proxies,
    ):
        upstreams = [one.address for one in cluster.all] + [f"{LOOPBACK}:{server.port}"]
        for name, upstream, port in zip(names, upstreams, ports, strict=True):
            proxies.proxy(name, upstream, port)
        with twice(tmp_path / "world", server, cluster.address, port=ports[-1]) as world:
            load = Load(world, SEED, clients=2, officers=1, pause=0.1)
            with load.on():
                _must_go_on(load)
                for _ in range(KILLS // 20):
                    name = chance.choice(names)
                    with proxies.any(name, chance):
                        time.sleep(chance.uniform(1, 12))
                    spoiled[name] += 1
                    time.sleep(chance.uniform(0, 3))
                _must_go_on(load)
            print(f"\n{dict(spoiled)}; {_proven(world, load)}")


@pytest.mark.parametrize("off", ["-2h", "+2h"])
def test_a_machine_whose_clock_is_wrong_takes_nothing_and_the_other_one_does(tmp_path: Path, off: str) -> None:
    """It leads nobody. When its clock is right again it takes work, and no event has the wrong time."""
    environment = {"LD_PRELOAD": str(native.libfaketime()), "FAKETIME": off, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    times = list[datetime]()

    def spoil(world: Twice, _: Brokers, __: Postgres) -> None:
        wrong = [part for part in world.parts if part.endswith("2")]
        for part in wrong:
            world.elsewhere[part] = environment
            world.kill_and_leave(part)
        time.sleep(GONE)
        for part in {*world.parts} - {*wrong}:
            world.kill_and_leave(part)
        time.sleep(GONE)
        assert not any(_is_ready(world.urls(service)[1]) for service in SERVICES)
        for part in wrong:
            del world.elsewhere[part]
            world.kill_and_leave(part)
        times.extend(datetime.fromisoformat(event["recordedtime"]) for event in world.events())

    print(_through(tmp_path, spoil))
    assert times
    assert max(abs(datetime.now(UTC) - time_) for time_ in times) < timedelta(minutes=30)
