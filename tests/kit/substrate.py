"""The Kafka broker and the PostgreSQL server that tests and benchmarks run against, made on first use.

The environment may name them (KAFKA_BOOTSTRAP_SERVERS, DATABASE_URL). Else they start as plain processes of this
machine, else as containers. HUIYING_TEST_SUBSTRATE=containers allows only containers. One of each serves a whole run,
so give your topics their own prefix, and take databases from `new_databases`. `close()` ends the servers that this
module started.
"""

import asyncio
import contextlib
import functools
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, NewType

import psycopg

from deploy import native
from tests.kit.tls import certified

SERVICES = tuple(native.SERVICES)
KAFKA_IMAGE = "apache/kafka:4.3.0"
POSTGRES_IMAGE = "postgres:17"
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}
"""The shared server writes without waiting for the disk. It is never killed itself, and a `kill -9` of its clients
takes nothing from it. A test that ends its server takes `private_postgres`, which waits as a deployment does."""

SESSIONS = {"group.min.session.timeout.ms": "1000"}
"""Our brokers give up a killed consumer's partitions sooner than by default, since every kill waits for it."""

KafkaAddress = NewType("KafkaAddress", str)
"""Bootstrap servers: host:port, comma-separated."""

used: list[str] = []
"""One sentence for each server in use, for the report of the run."""

_running = contextlib.ExitStack()


class NoSubstrateError(RuntimeError):
    """The needed server is not in the environment, on this machine or in a container engine."""


@functools.cache
def kafka() -> KafkaAddress:
    """A broker shared by the whole run. To stop or kill a broker, take `private_kafka`."""
    return KafkaAddress(_first("Kafka", "KAFKA_BOOTSTRAP_SERVERS", _native_kafka, _container_kafka))


def session_seconds() -> int:
    """For HUIYING_SESSION_SECONDS: a broker of the environment may have Kafka's own limit."""
    return 6 if os.environ.get("KAFKA_BOOTSTRAP_SERVERS") else 3


@functools.cache
def postgres() -> str:
    """The URL (`postgresql://…`) of a server shared by the whole run, on which databases may be created."""
    return _first("PostgreSQL", "DATABASE_URL", _native_postgres, _container_postgres)


class MailServer(NamedTuple):
    """An IMAP server over TLS. Any user has a mailbox, with the same password."""

    dovecot: native.Dovecot
    authority: Path
    password: str


@functools.cache
def mail_server() -> MailServer:
    """A server shared by the whole run. Take a user of your own."""
    folder = _running.enter_context(_folder())
    authority, password = certified(folder), "secret-of-tests"
    started = native.start_dovecot(folder / "dovecot", folder / "broker.pem", password)
    _running.callback(started.stop)
    return MailServer(started, authority, password)


@contextlib.contextmanager
def private_kafka(**config: str) -> Iterator[native.Kafka]:
    """A broker for one test, to stop, kill, pause and start again. Write `_` for the dots in names of settings."""
    with _folder() as folder:
        server = native.start_kafka(folder, config=SESSIONS | {k.replace("_", "."): v for k, v in config.items()})
        try:
            yield server
        finally:
            # In order, many topics take half a minute to close; nobody reads them again.
            server.kill()


@contextlib.contextmanager
def private_postgres(**config: str) -> Iterator[native.Postgres]:
    """A server for one test, to stop, kill and start again; for databases on it, `new_databases(server=server.url)`."""
    with _folder() as folder, native.start_postgres(folder, config=config) as server:
        yield server


def new_databases(
    prefix: str = "test", server: str | None = None, services: Sequence[str] = SERVICES, *, with_tables: bool = False
) -> str:
    """Creates a database for each service and returns `postgresql+psycopg://…/<name>_{service}`.

    It is empty, or has the tables of this version, for tests that do not study the first start.
    """
    base = server or postgres()
    name = f"{prefix}_{uuid.uuid4().hex[:10]}"
    origins = {service: _with_tables(service) if with_tables else "template1" for service in services}
    with psycopg.connect(base, autocommit=True) as connection:
        for service, origin in origins.items():
            connection.execute(f'CREATE DATABASE "{name}_{service}" TEMPLATE "{origin}"')
    return re.sub(r"^\w+:(//[^/]*/)[^?]*", rf"postgresql+psycopg:\1{name}_{{service}}", base)


@functools.cache
def _with_tables(service: str) -> str:
    """The name of a database of this run, with a service's tables, to be copied."""
    template = new_databases("tables", services=(service,))
    _upgrade(template.format(service=service), service)
    return psycopg.conninfo.conninfo_to_dict(plain_url(template, service))["dbname"]


def _upgrade(url: str, name: str) -> None:
    """Makes a service's tables by its revisions. The caller may be in a running loop."""
    # Whoever wants a server alone imports no service.
    from services.apps import embedded
    from services.kernel.store import migrations
    from services.kernel.store.database import Database

    async def upgrade() -> None:
        database = Database(url)
        try:
            await migrations.upgrade(database, next(one for one in embedded.SERVICES if one.name == name))
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, upgrade()).result()


def plain_url(template: str, service: str) -> str:
    """The same database in psycopg's form."""
    return template.format(service=service).replace("postgresql+psycopg:", "postgresql:", 1)


def drop_databases(template: str, services: Sequence[str] = SERVICES) -> None:
    """Drops the databases that `new_databases` made, even if somebody is connected."""
    administration = re.sub(r"(//[^/]*/)[^?]*", r"\1postgres", plain_url(template, ""))
    with psycopg.connect(administration, autocommit=True) as connection:
        for service in services:
            name = psycopg.conninfo.conninfo_to_dict(plain_url(template, service))["dbname"]
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def close() -> None:
    """Ends every server that this module started. The next use starts new ones."""
    _running.close()
    for made in (kafka, postgres, _with_tables):
        made.cache_clear()
    mail_server.cache_clear()


def _first(name: str, variable: str, on_this_machine: Callable[[], str], in_a_container: Callable[[], str]) -> str:
    containers_only = os.environ.get("HUIYING_TEST_SUBSTRATE") == "containers"
    given = os.environ.get(variable)
    if given and not containers_only:
        used.append(f"{name}: {variable}")
        return given
    tries = {"a process of this machine": on_this_machine, "a container": in_a_container}
    if containers_only:
        del tries["a process of this machine"]
    problems = []
    for what, start in tries.items():
        try:
            address = start()
        except Exception as problem:  # noqa: BLE001  whatever stands in the way, the next way is tried
            problems.append(f"{what}: {problem}")
        else:
            used.append(f"{name}: {what}, {address.rpartition('@')[2]}")
            return address
    raise NoSubstrateError(f"{name} could not be had. Set {variable}, or mend one of these. " + "; ".join(problems))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Like a temporary folder, but open to PostgreSQL's account."""
    folder = Path(tempfile.mkdtemp(prefix="huiying-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _native_kafka() -> str:
    return _running.enter_context(private_kafka()).address


def _native_postgres() -> str:
    return _running.enter_context(native.start_postgres(_running.enter_context(_folder()), config=NOT_DURABLE)).url


def _container_kafka() -> str:
    from testcontainers.core.container import DockerContainer

    port = native.free_port()  # a broker tells clients its address, so the mapped port must be known in advance
    container = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, port)
    settings = {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "LISTENERS": "BROKER://:9092,CONTROLLER://:9093",
        "ADVERTISED_LISTENERS": f"BROKER://localhost:{port}",
        "INTER_BROKER_LISTENER_NAME": "BROKER",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "LISTENER_SECURITY_PROTOCOL_MAP": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "AUTO_CREATE_TOPICS_ENABLE": "false",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    }
    settings |= {name.replace(".", "_").upper(): value for name, value in SESSIONS.items()}
    for name, value in settings.items():
        container = container.with_env(f"KAFKA_{name}", value)
    _running.enter_context(container)
    native.until(functools.partial(native.kafka_answers, port), "the Kafka container does not answer")
    return f"{native.LOOPBACK}:{port}"


def _container_postgres() -> str:
    from testcontainers.community.postgres import PostgresContainer

    container = PostgresContainer(POSTGRES_IMAGE, driver=None).with_command(
        " ".join(f"-c {name}={value}" for name, value in {"max_connections": "300", **NOT_DURABLE}.items())
    )
    return str(_running.enter_context(container).get_connection_url())
