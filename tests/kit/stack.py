"""The real system as processes, to be killed: embedded, or five services over Kafka and PostgreSQL.

Both worlds have the same verbs, so one crash test runs in both. Each world has its own ports, topics and databases.
"""

import contextlib
import os
import signal
import ssl
import subprocess
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx

from deploy.native import free_port
from tests.kit import access, programs, substrate
from tests.kit.programs import Program

SERVICES = ("triage", "ingest", "escalation", "publish", "audit")
SECRET = "the secret of the tests, long enough to be one"
LIMIT = 120.0
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CLI = "services.apps.cli"


def until(holds: Callable[[], Any], what: str | Callable[[], str], limit: float = LIMIT) -> Any:
    """Waits for a true answer and returns it. A network error counts as "not yet".

    `what` is awaited; a function is asked only when the time is over, so it tells what stood there then.
    """
    end, pause = time.monotonic() + limit, 0.02
    while True:
        try:
            if found := holds():
                return found
        except (httpx.TransportError, KeyError):
            pass
        if time.monotonic() > end:
            told = what if isinstance(what, str) else what()
            raise AssertionError(f"after {limit:.0f} s still not: {told}")
        time.sleep(pause)
        pause = min(pause * 1.2, 0.2)  # asking takes time from the awaited work


def here(url: str = "", **options: Any) -> httpx.Client:
    """A client of servers on this machine. Loading certificates would take longer than most requests."""
    return httpx.Client(base_url=url, verify=NO_CERTIFICATES, **{"timeout": 20, **options})


def get(url: str, **options: Any) -> httpx.Response:
    """One answer of a server on this machine."""
    with here() as client:
        return client.get(url, **options)


class Deployment(ABC):
    """A running system, however it was started: the API and the command line."""

    key = ""

    @abstractmethod
    def url(self, service: str) -> str:
        """The address of a service's API."""

    @abstractmethod
    def run(self, *arguments: str, limit: float = 120) -> subprocess.CompletedProcess[str]:
        """The command line."""

    @abstractmethod
    def logs(self) -> str:
        """The ends of all logs, for a failed test."""

    def token(self, *roles: str, unit: str = "county", person: str = "") -> str:
        return access.token(unit, *roles, person=person)

    def client(self, service: str, *roles: str, unit: str = "county", person: str = "", **headers: str) -> httpx.Client:
        """A staff member's client of one service."""
        bearer = {"Authorization": f"Bearer {self.token(*(roles or ('chief',)), unit=unit, person=person)}"}
        return here(self.url(service), headers={**bearer, **headers})

    def integration(self, **headers: str) -> httpx.Client:
        """An integration's client of ingest, over the county."""
        if not self.key:
            with self.client("ingest", "admin", unit="city") as admin:
                answer = until(
                    lambda: (
                        (r := admin.post("/ingest/v1/keys", json={"unit": "city", "scope": "ingest"})).is_success and r
                    ),
                    "ingest gives a key",
                )
            self.key = answer.json()["key"]
        return here(self.url("ingest"), headers={"Authorization": f"Bearer {self.key}", **headers})

    def post(self, text: str, unit: str = "town-east", **headers: str) -> httpx.Response:
        """One report."""
        with self.integration(**headers) as client:
            return client.post("/ingest/v1/reports", json=report(text, unit))

    def incident(self, report_id: str) -> dict[str, Any]:
        """The incident of a report. Waits until triage has it."""
        with self.client("triage", "duty_officer") as client:
            found = until(
                lambda: client.get("/triage/v1/incidents", params={"report_id": report_id}).json()["items"],
                f"triage has an incident of {report_id}",
            )
        return dict(found[0])

    def verb(
        self, incident: str, name: str, body: Mapping[str, Any], *roles: str, unit: str = "county"
    ) -> httpx.Response:
        """A staff verb on the newest version of an incident."""
        with self.client("triage", *roles, unit=unit) as client:
            version = client.get(f"/triage/v1/incidents/{incident}").json()["version"]
            return client.post(
                f"/triage/v1/incidents/{incident}/{name}", json=dict(body), headers={"If-Match": str(version)}
            )

    def events(self, **filters: str) -> list[dict[str, Any]]:
        """The entries of audit, all pages."""
        found: list[dict[str, Any]] = []
        with self.client("audit", "auditor", unit="city") as client:
            cursor = None
            while True:
                page = client.get(
                    "/audit/v1/events", params={**filters, "limit": 500, **({"cursor": cursor} if cursor else {})}
                )
                page.raise_for_status()
                found += page.json()["items"]
                cursor = page.json()["next"]
                if cursor is None:
                    return found

    def check(self) -> None:
        """Checks that `huiying check` finds nothing wrong."""
        done = self.run("check")
        assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{self.logs()}"


class World(Deployment):
    """Processes by name, on this machine: to be killed, armed, started again."""

    parts: tuple[str, ...] = ()

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.clock = folder / "clock"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HUIYING_")},
            "HUIYING_DATA": str(folder / "data"),
            "HUIYING_SECRET": SECRET,
            "HUIYING_TOKEN_KEYS": access.KEY_SET,
            "HUIYING_SIGNING_KEY": str(folder / "signing-key.pem"),
            "HUIYING_CLOCK": str(self.clock),
            "HUIYING_LOG_LEVEL": "warning",
            **environment,
        }
        access.SIGNING.write(folder / "signing-key.pem")
        self.processes: dict[str, Program] = {}

    def start(self, part: str, **environment: str) -> Program:
        """Starts a part; `environment` may set a failpoint for it: `HUIYING_FAILPOINT="relay.acked"`."""
        log, whole = self.folder / f"{part}.log", {**self.environment, **self.own(part), **environment}
        process = Program(CLI, *self.command(part), env=whole, stdout=log, stderr=log)
        self.processes[part] = process
        return process

    @abstractmethod
    def command(self, part: str) -> list[str]:
        """The arguments of `huiying` for a part."""

    def own(self, part: str) -> dict[str, str]:
        return {}

    def kill(self, part: str, number: int = signal.SIGKILL) -> int:
        """Sends a signal and waits for the end."""
        process = self.processes[part]
        process.send_signal(number)
        return process.wait(30)

    def end(self, part: str) -> None:
        """Ends a part in order, for tests that do not study its end: a killed consumer's group waits for it."""
        if self.processes[part].poll() is None:
            self.kill(part, signal.SIGTERM)

    def died(self, part: str, limit: float = 30) -> int:
        """Waits until a part has ended by itself, for example at its failpoint. Returns its code."""
        return self.processes[part].wait(limit)

    def armed(self, part: str, failpoint: str) -> None:
        """Restarts a part. It dies at its next pass of a failpoint (`name` or `name:count`)."""
        when = self.folder / f"{part}.armed"
        when.unlink(missing_ok=True)
        self.restart(part, HUIYING_FAILPOINT=failpoint, HUIYING_FAILPOINT_WHEN=str(when))
        when.touch()

    def restart(self, part: str, **environment: str) -> None:
        """Ends a part in order if it runs, and starts it."""
        self.end(part)
        self.start(part, **environment)
        self.ready(part)

    @abstractmethod
    def ready(self, part: str) -> None:
        """Waits until a part can do its work."""

    def stop(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
        for process in self.processes.values():
            process.wait(30)

    def logs(self) -> str:
        texts = []
        for path in sorted(self.folder.glob("*.log")):
            tail = path.read_text(errors="replace")[-1500:]
            texts.append(f"--- {path.name}\n{tail}")
        return "\n".join(texts)

    def move_clock(self, seconds: float) -> None:
        """Moves the time that deciders see, in every process."""
        fresh = self.clock.with_suffix(".new")
        fresh.write_text(str(float(self.clock.read_text() if self.clock.exists() else 0) + seconds))
        fresh.replace(self.clock)

    def run(self, *arguments: str, limit: float = 120) -> subprocess.CompletedProcess[str]:
        return programs.run(CLI, *arguments, env=self.environment, timeout=limit)


def report(text: str, unit: str = "town-east") -> dict[str, Any]:
    """A report's body."""
    return {
        "unit": unit,
        "channel": "board",
        "subject": text[-60:],
        "text": text,
        "discovered_at": "2026-01-05T09:00:00+08:00",
    }


class EmbeddedWorld(World):
    """One process over SQLite files."""

    parts = ("up",)

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port = free_port()
        super().__init__(folder, environment)

    def command(self, part: str) -> list[str]:
        return ["up", "--port", str(self.port)]

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self, part: str) -> None:
        until(self._answers, f"the server is ready\n{self.logs()}")

    def _answers(self) -> bool:
        assert self.processes["up"].poll() is None, f"the server ended\n{self.logs()}"
        return get(f"{self.url('')}/readyz", timeout=5).status_code == 200

    def part(self, service: str, part: str) -> str:
        """The process for this work."""
        return "up"


class DeployedWorld(World):
    """Five services, two processes each, over Kafka and PostgreSQL."""

    def __init__(self, folder: Path, database: str, kafka: str, **environment: str) -> None:
        self.ports = {service: free_port() for service in SERVICES}
        self.prefix = f"t{uuid.uuid4().hex[:8]}"
        super().__init__(
            folder,
            {
                "HUIYING_DATABASE": database,
                "HUIYING_KAFKA": kafka,
                "HUIYING_PREFIX": self.prefix,
                "HUIYING_SESSION_SECONDS": str(substrate.session_seconds()),
                **environment,
            },
        )

    parts = tuple(f"{service}.{part}" for service in SERVICES for part in ("api", "consumer"))

    def command(self, part: str) -> list[str]:
        service, _, kind = part.partition(".")
        return ["serve", service, "--part", kind.rstrip("0123456789")]

    def own(self, part: str) -> dict[str, str]:
        service, _, kind = part.partition(".")
        return {"HUIYING_PORT": str(self.ports[service])} if kind == "api" else {}

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def ready(self, part: str) -> None:
        service, _, kind = part.partition(".")
        if kind == "api":
            until(
                lambda: get(f"{self.url(service)}/readyz", timeout=5).status_code == 200,
                f"{part} is ready\n{self.logs()}",
            )

    def part(self, service: str, part: str) -> str:
        """The process for this work."""
        return f"{service}.{part}"


W = TypeVar("W", bound=World)


@contextlib.contextmanager
def started(world: W) -> Iterator[W]:
    """A world with all its parts ready."""
    try:
        for part in world.parts:
            world.start(part)
        for part in world.parts:
            world.ready(part)
        yield world
    finally:
        world.stop()


@contextlib.contextmanager
def embedded(folder: Path, **environment: str) -> Iterator[EmbeddedWorld]:
    """A running embedded world."""
    folder.mkdir(parents=True, exist_ok=True)
    with started(EmbeddedWorld(folder, **environment)) as world:
        yield world


@contextlib.contextmanager
def deployed(folder: Path, database: str, kafka: str = "", **environment: str) -> Iterator[DeployedWorld]:
    """A running deployed world."""
    folder.mkdir(parents=True, exist_ok=True)
    with started(DeployedWorld(folder, database, kafka or substrate.kafka(), **environment)) as world:
        yield world
