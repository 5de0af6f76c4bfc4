"""Shared by all tests: markers, the fixtures of the substrate, and the report of the servers that were used."""

import gc
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from unittest import mock

import pytest
import structlog
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from deploy import native
from schemas.envelope import Event
from services.console.access import passwords
from services.kernel.store import database
from tests.kit import substrate
from tests.kit.answers import held_against_documents
from tests.kit.compiled import compiled_once
from tests.kit.migrated import migrated_once
from tests.kit.parsed import Parsed
from tests.kit.requirements_report import REQUIREMENTS

# A property must not fail because the machine is busy.
settings.register_profile("random", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# One commit gives one result. `--hypothesis-profile random` looks for further cases.
settings.register_profile("huiying", settings.get_profile("random"), derandomize=True)
settings.load_profile("huiying")

MARKERS = (
    "requirement(id): the requirement of tests/requirements.txt that the test proves",
    "kafka: needs a Kafka broker; one is started when none is named",
    "postgres: needs a PostgreSQL server; one is started when none is named",
    "chromium: needs Chromium",
    "chaos: long runs with many kills; only by `make chaos`",
    "go: checks the log with Go's own library; only by `make test-go`",
    "containers: runs against a Docker engine; only by `make test-containers`",
)


LONGEST = ("tests/scenarios/", "tests/test_demo", "tests/delivery/", "tests/console/test_pages")
"""These must not begin last."""
WAITING = ("kafka", "chromium")
"""Files with these marks wait for other processes half of the time."""


CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""Nobody guesses the passwords of tests. Processes that are started have what a deployment has."""


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    # Before any module makes routes, since a process makes them only once.
    run = ExitStack()
    run.enter_context(held_against_documents())
    run.enter_context(compiled_once())
    run.enter_context(migrated_once())
    # Nobody takes this process' power away. Processes that are killed have what a deployment has.
    run.enter_context(mock.patch.object(database, "SYNCHRONOUS", "off"))
    run.enter_context(mock.patch.multiple(passwords, _hasher=CHEAP, _NOBODY=CHEAP.hash("nobody")))
    config.add_cleanup(run.close)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes and times may differ between processes, but all workers must give a test the same name."""
    return argname if isinstance(val, bytes | datetime) else None


def spread(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests in the order in which workers take their files, one after the other.

    Files that wait stand between files that compute, so that both are done at any time.
    """
    files: dict[str, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.nodeid.partition("::")[0], []).append(item)
    early = {name: at for at, start in enumerate(LONGEST) for name in files if name.startswith(start)}
    waiting = [name for name in files if any(item.get_closest_marker(mark) for item in files[name] for mark in WAITING)]
    waiting = sorted({*waiting, *early}, key=lambda name: (early.get(name, len(LONGEST)), name))
    order = [name for name in files if name not in waiting]
    # The last fifth computes only: its files are short.
    between = len(order) * 4 // 5 // max(len(waiting), 1)
    for at, name in enumerate(waiting):
        order.insert(at * (between + 1), name)
    return [item for name in order for item in files[name]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = spread(items)
    known = {line.split("\t")[0] for line in REQUIREMENTS.read_text().splitlines()}
    for item in items:
        for marker in item.iter_markers("requirement"):
            if not known.issuperset(marker.args):
                raise pytest.UsageError(f"{item.nodeid} names {marker.args}, not in {REQUIREMENTS.name}")


def pytest_collection_finish() -> None:
    # Some million objects now live as long as the process. The garbage collector need not look at them again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def pytest_sessionfinish(session: pytest.Session) -> None:
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["used"] = substrate.used


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of xdist has ended."""
    substrate.used += getattr(node, "workeroutput", {}).get("used", [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for sentence in substrate.used:
        terminalreporter.write_line(sentence)


@pytest.fixture(scope="session", autouse=True)
def _loggers_follow_their_configuration() -> Iterator[None]:
    """A logger that was used under one test's configuration follows that of the next."""
    configure = structlog.configure

    def uncached(**more: Any) -> None:
        configure(**{**more, "cache_logger_on_first_use": False})

    with mock.patch.object(structlog, "configure", uncached):
        yield


@pytest.fixture(autouse=True)
def _logs_of_their_own() -> Iterator[None]:
    """A command that ran in the test's process leaves no level behind."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _end_substrate() -> Iterator[None]:
    yield
    substrate.close()


@pytest.fixture(scope="session")
def kafka_address() -> substrate.KafkaAddress:
    """Bootstrap servers of the run's broker. Use your own topic prefix."""
    return substrate.kafka()


@pytest.fixture
def postgres_databases(request: pytest.FixtureRequest) -> Iterator[str]:
    """A URL template with `{service}` for databases with tables, which are dropped when the test ends.

    Tests in a service's folder get only that service's database, since each one takes time to make.
    """
    folder = request.path.parent.name
    template = substrate.new_databases(
        services=[folder] if folder in substrate.SERVICES else substrate.SERVICES, with_tables=True
    )
    yield template
    substrate.drop_databases(template)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium, for Playwright's `executable_path`."""
    return str(native.chromium())


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> Parsed:
    """Counts the reads."""
    counted, parse = Parsed(), Event.parse

    def counting(bytes_: bytes) -> Event:
        counted.count += 1
        return parse(bytes_)

    monkeypatch.setattr(Event, "parse", counting)
    return counted
