"""The image and the compose file, used as an office would: built, started, worked with, taken down."""

import json
import os
import random
import re
import secrets
import string
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy import release
from deploy.native import free_port
from services.kernel.core.ids import stream_of
from tests.console.browser import Browser
from tests.kit import stack
from tests.kit.stack import SERVICES, Deployment, until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(600)]

COMPOSE = Path(__file__).parents[2] / "deploy" / "compose.yaml"
GRACE = 10
"""Seconds from Docker's SIGTERM to its SIGKILL."""


class ComposeWorld(Deployment):
    """The compose file with its own project, image, secrets and ports."""

    def __init__(self, folder: Path) -> None:
        self.project = f"huiying-{uuid.uuid4().hex[:8]}"
        self.image = f"{self.project}-image"
        self.ports = {service: free_port() for service in (*SERVICES, "console")}
        self.settings = folder / "env"
        given = {
            "HUIYING_IMAGE": self.image,
            "HUIYING_SECRET": secrets.token_hex(32),
            "POSTGRES_PASSWORD": secrets.token_hex(16),
            **{f"HUIYING_{service.upper()}_PORT": str(port) for service, port in self.ports.items()},
        }
        self.settings.write_text("".join(f"{name}={value}\n" for name, value in given.items()))
        self.tokens: dict[tuple[str, ...], str] = {}

    def up(self) -> None:
        """Builds the image and returns once all containers are healthy."""
        self.compose("build", SERVICES[0])
        self.compose("up", "--detach", "--wait", "--wait-timeout", "240")

    def down(self) -> None:
        """Removes everything except the cache of layers."""
        self.compose("down", "--volumes", "--timeout", str(GRACE))
        docker("image", "rm", self.image)

    def compose(self, *arguments: str) -> str:
        """Standard output of `docker compose`."""
        return docker(
            "compose", f"--project-name={self.project}", f"--file={COMPOSE}", f"--env-file={self.settings}", *arguments
        )

    def state(self, service: str) -> dict[str, Any]:
        """Docker's data on a service's container."""
        container = self.compose("ps", "--all", "--quiet", service).strip()
        return dict(json.loads(docker("inspect", container))[0]["State"])

    def logs(self) -> str:
        return self.compose("logs", "--no-color", "--tail=40")

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def run(self, *arguments: str, limit: float = 120) -> subprocess.CompletedProcess[str]:
        """`huiying` inside a container. Commands that need the signing key run where the key is."""
        command: tuple[str, ...] = ("docker", "exec", f"{self.project}-ingest-1", "huiying", *arguments)
        if arguments[0] in ("users", "keys"):
            project = (f"--project-name={self.project}", f"--file={COMPOSE}", f"--env-file={self.settings}")
            command = ("docker", "compose", *project, "run", "--rm", "--no-TTY", "--no-deps", "cli", *arguments)
        return subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)

    def told(self, *arguments: str) -> str:
        """The one line that a command of `huiying` prints."""
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def token(self, *roles: str, unit: str = "county", person: str = "") -> str:
        who = ("--unit", unit, "--person", person or f"{roles[0]}@{unit}", *(f"--role={role}" for role in roles))
        if who not in self.tokens:
            self.tokens[who] = self.told("users", "token", *who)
        return self.tokens[who]

    def integration(self, **headers: str) -> httpx.Client:
        self.key = self.key or self.told("keys", "create", "--unit", "city", "--scope", "ingest")
        return stack.here(self.url("ingest"), headers={"Authorization": f"Bearer {self.key}", **headers})

    def decide(self, role: str, path: str, version: int, **body: str) -> int:
        """A verb on a statement; returns its new version."""
        with self.client("publish", role) as client:
            answer = client.post(f"/publish/v1/statements/{path}", json=body, headers={"If-Match": str(version)})
        assert answer.is_success, answer.text
        return int(answer.json()["version"])


def docker(*arguments: str) -> str:
    """Standard output of a command that must succeed."""
    # Secrets come only from the test's own file.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("HUIYING_", "POSTGRES_"))}
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, env=clean, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeWorld]:
    """One deployment for all tests here. If it does not start, its logs are shown."""
    world = ComposeWorld(tmp_path_factory.mktemp("compose"))
    try:
        try:
            world.up()
        except AssertionError as problem:
            raise AssertionError(f"{problem}\n{world.logs()}") from None
        yield world
    finally:
        world.down()


@pytest.fixture
def world(running: ComposeWorld, request: pytest.FixtureRequest) -> Iterator[ComposeWorld]:
    """The deployment. If a test fails, its logs are in the report."""
    failed = request.session.testsfailed
    yield running
    if request.session.testsfailed > failed:
        print(running.logs())


def recorded(world: Deployment, report_id: str) -> list[str]:
    """Types of the events on a report and of its incident's opening. Waits until audit has both."""

    def types() -> list[str]:
        opened = world.events(type="huiying.incident.opened.v1")
        mine = [*world.events(subject=report_id), *(event for event in opened if event["data"]["report"] == report_id)]
        return sorted(event["type"] for event in mine)

    return list(until(lambda: (found := types())[1:] and found, f"audit has {report_id} and its incident"))


def test_all_five_are_ready(world: ComposeWorld) -> None:
    for service in SERVICES:
        assert stack.get(f"{world.url(service)}/readyz", timeout=10).status_code == 200, service


async def test_the_first_account_reaches_all_five_services_in_the_console(world: ComposeWorld) -> None:
    address = world.url("console")
    (code,) = re.findall(r"set-up code ((?:[0-9a-f]{4}-?){4})", world.compose("logs", "--no-color", "console"))
    browser = Browser(address)
    async with browser.client:
        typed = {"login": "root", "name": "王敏", "post": "admin@city", "code": code}
        phrase = "a phrase for these tests"
        page = await browser.send(await browser.open("/"), "/first-run", **typed, password=phrase, again=phrase)
        assert page.path == "/console/setup/site"
        assert (await browser.open("/health")).said.count("✓") == len(SERVICES)


def test_a_report_becomes_a_public_answer(world: ComposeWorld) -> None:
    taken = world.post("污水流入河道")
    assert taken.status_code == 201, taken.text
    report_id = taken.json()["report_id"]
    assert recorded(world, report_id) == ["huiying.incident.opened.v1", "huiying.report.received.v1"]
    incident = world.incident(report_id)["id"]
    # Without digits: a free number in a statement is bound to no fact.
    text = f"我们正在核实（{''.join(random.choices(string.ascii_lowercase, k=20))}）"
    with world.client("publish", "handler") as client:
        body = {"incident_id": incident, "kind": "status", "title": "污水流入河道的处置", "text": text}
        drafted = until(
            lambda: (answer := client.post("/publish/v1/statements", json=body)).is_success and answer.json(),
            "publish knows the incident",
        )
    statement, version = drafted["id"], drafted["version"]
    version = world.decide("handler", f"{statement}/submit", version)
    version = world.decide("approver", f"{statement}/approve", version, reason="属实")
    world.decide("spokesperson", f"{statement}/publish", version)
    until(lambda: text in stack.get(f"{world.url('publish')}/bulletin/").text, "the statement is on the bulletin")
    world.check()


def test_a_stopped_service_ends_orderly_and_goes_on_where_it_was(world: ComposeWorld) -> None:
    began = time.monotonic()
    world.compose("stop", "--timeout", str(GRACE), "triage")
    took = time.monotonic() - began
    assert world.state("triage")["ExitCode"] == 0, f"killed after {took:.1f} s"
    taken = world.post("路灯不亮")
    assert taken.status_code == 201, taken.text
    world.compose("start", "triage")
    recorded(world, taken.json()["report_id"])
    world.check()


def test_a_consumer_that_dies_is_started_again(world: ComposeWorld) -> None:
    """`huiying serve` keeps its two processes alive, in the same container."""
    before = world.state("escalation")["StartedAt"]
    kill = "import os, signal; [os.kill(int(p), signal.SIGKILL) for p in os.listdir('/proc') if p.isdigit() and "
    kill += "open(f'/proc/{p}/comm').read().startswith('consumer')]"
    world.compose("exec", "-T", "escalation", "python", "-c", kill)
    taken = world.post("积水")
    incident = world.incident(taken.json()["report_id"])["id"]
    until(lambda: world.events(subject=stream_of("clock", incident)), "the incident's clock is in audit")
    assert world.state("escalation")["StartedAt"] == before
    world.check()


def test_a_copy_of_all_stores_is_made_in_a_container(world: ComposeWorld) -> None:
    copy = f"/var/lib/huiying/{uuid.uuid4()}"
    world.told("backup", "--to", copy)
    held = world.compose("exec", "-T", "ingest", "ls", copy).split()
    assert {f"{service}.dump" for service in SERVICES} <= set(held)


def test_the_image_runs_without_rights_of_its_own(world: ComposeWorld) -> None:
    config = json.loads(docker("image", "inspect", world.image))[0]["Config"]
    assert (config["User"], bool(config["Healthcheck"]["Test"])) == ("huiying", True)
    assert world.compose("exec", "-T", "audit", "id", "-u").strip() != "0"
    # Nothing outside the data folder can be changed, the program included.
    writable = "import services, os, sys; sys.exit(os.access(services.__path__[0], os.W_OK))"
    world.compose("exec", "-T", "audit", "python", "-c", writable)


def test_the_bill_of_materials_names_every_package_of_debian_in_the_image(world: ComposeWorld, tmp_path: Path) -> None:
    release.image_materials(world.image, to := tmp_path / "image.cdx.json", "1800000000")
    said = json.loads(to.read_bytes())
    query = ("--entrypoint", "dpkg-query", world.image, "--show", "--showformat", "${Package} ${Version}\\n")
    there = set(docker("run", "--rm", *query).split("\n")) - {""}
    listed = {f"{one['name']} {one['version']}" for one in said["components"] if "pkg:deb/" in one.get("purl", "")}
    assert said["bomFormat"] == "CycloneDX" and there <= listed and len(there) > 50


def test_the_image_sets_reports_on_paper_and_has_the_glyphs_for_it(world: ComposeWorld) -> None:
    program = (
        "from services.audit.review import printing; from services.audit.review.document import Document, blocks; "
        "report = Document('zh', '总结', '', (), '正文', blocks('东镇供水'), 'zh', '记录', (), ()); "
        "print(*(len(printing.FORMS[form][1](report)) for form in ('pdf', 'docx')))"
    )
    pdf, docx = world.compose("exec", "-T", "audit", "python", "-c", program).split()[-2:]
    assert int(pdf) > 5_000, "the glyphs are in it"
    assert int(docx) > 5_000
