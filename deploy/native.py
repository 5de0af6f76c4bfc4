"""Apache Kafka, PostgreSQL, Keycloak and Dovecot as plain processes of this machine, without containers.

    python deploy/native.py kafka|postgres|keycloak|stack [--data DIR]
    python deploy/native.py tools       installs all needed programs, and starts nothing

Missing programs (Java, Maven, PostgreSQL, Dovecot) are installed from Debian's packages. Maven puts Kafka's jars and
Keycloak into a cache folder. A server dies with the process that started it, however that process ends. This file uses
only the standard library, so that it runs before anything is installed.
"""

import argparse
import base64
import contextlib
import fcntl
import functools
import grp
import hashlib
import itertools
import os
import pwd
import random
import re
import secrets
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Self

HERE = Path(__file__).resolve().parent
LOOPBACK = "127.0.0.1"
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""For a server that lives for minutes beside its users. Java's optimizing compiler would take a seventh of a core."""
OPENED = ("java.util", "java.util.concurrent", "java.security", "java.lang")
"""Packages of Java that Keycloak reaches into."""
SERVICES = {"ingest": 8401, "triage": 8402, "escalation": 8403, "publish": 8404, "audit": 8405}
CONSOLE = 8400
TOXIPROXY = "v2.5.0"
"""It asks for Go 1.17 or later; Debian 12 has 1.19."""

# The kernel ends a child when the thread that made it ends. So one thread, which lives as long as the process, makes
# all children.
_spawner = ThreadPoolExecutor(1, thread_name_prefix="native")


class NativeError(RuntimeError):
    """A server could not be installed or did not start. The message says why and what to do."""


class Server:
    """One server process on a data folder. It may be stopped, killed and started again on the same data and port."""

    name: str

    def __init__(self, data: Path, port: int) -> None:
        self.data = data
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise NativeError(f"{self.name} is not running")
        return self._process.pid

    @property
    def log(self) -> Path:
        return self.data / f"{self.name}.log"

    def start(self) -> None:
        """Returns once a client gets an answer."""
        if self._process is not None:
            return
        with self.log.open("ab") as log:
            self._process = self._spawn(log)
        try:
            until(self._answers, f"{self.name} does not answer", functools.partial(_lives, self._process))
        except NativeError as problem:
            self.kill()
            last = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
            raise NativeError(f"{problem}; the end of {self.log}:\n{last}") from None

    def stop(self) -> None:
        """Asks the server to end in order, and waits for it."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown, and an orderly one of Kafka
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """Ends the server at once, like a power cut."""
        if self._process is None:
            return
        children = _children(self._process.pid)
        self._process.kill()
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError


class Kafka(Server):
    """One node in KRaft mode, broker and controller at once. Nodes of one cluster share its id."""

    name = "kafka"

    def __init__(
        self, data: Path, port: int, config: Mapping[str, str], users: Mapping[str, str], cluster: str = ""
    ) -> None:
        super().__init__(data, port)
        self.address = f"{LOOPBACK}:{port}"
        self._jars = kafka_jars()
        self._config = data / "server.properties"
        controller = free_port()
        settings = {
            "listeners": f"BROKER://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller}",
            "advertised.listeners": f"BROKER://{LOOPBACK}:{port}",
            "controller.quorum.voters": f"1@{LOOPBACK}:{controller}",
            "log.dirs": str(data / "log"),
            **config,
        }
        data.mkdir(parents=True, exist_ok=True)
        self._config.write_text(
            (HERE / "kafka" / "server.properties").read_text() + "".join(f"{k}={v}\n" for k, v in settings.items())
        )
        if not (data / "log" / "meta.properties").exists():
            # An id that begins with a dash would look like an option.
            cluster = cluster or "H" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
            names = [f"--add-scram=SCRAM-SHA-512=[name={name},password={word}]" for name, word in users.items()]
            self.tool("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._config), *names)

    def tool(self, name: str, *arguments: str) -> str:
        """Runs a tool of Kafka by the name of its class, and returns what it prints."""
        return _run(self.java(name, *arguments))

    def java(self, name: str, *arguments: str) -> list[str]:
        """The command of a tool of Kafka."""
        return self._java("-Xmx128m", *JVM, name, *arguments)

    def pause(self) -> None:
        """Freezes the broker: connections stay open, and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _java(self, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={HERE / 'kafka' / 'log4j2.properties'}"
        return [_executable("java"), logging, "-cp", f"{self._jars}/*", *arguments]

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return spawn(self._java("-Xms256m", "-Xmx512m", *JVM, "kafka.Kafka", str(self._config)), log=log)

    def _answers(self) -> bool:
        return kafka_answers(self.port)


class Postgres(Server):
    """One PostgreSQL cluster with durable settings. Its superuser is `huiying`, with its own password."""

    name = "postgres"

    def __init__(self, data: Path, port: int, config: Mapping[str, str]) -> None:
        super().__init__(data, port)
        self._bin = postgres_programs()
        self._options = [
            f"-c{name}={value}"
            for name, value in {
                "listen_addresses": LOOPBACK,
                "port": str(port),
                "unix_socket_directories": "",
                "max_connections": "300",
                **config,
            }.items()
        ]
        # PostgreSQL refuses to run as root. Debian's package makes this account for it.
        self._user = "postgres" if os.geteuid() == 0 else None
        data.mkdir(parents=True, exist_ok=True)
        if self._user:
            shutil.chown(data, self._user, self._user)
        password = data / "password"
        cluster = data / "cluster"
        if not (cluster / "PG_VERSION").exists():
            password.write_text(secrets.token_urlsafe(18))
            password.chmod(0o600)
            if self._user:
                shutil.chown(password, self._user, self._user)
            _run(
                [
                    str(self._bin / "initdb"),
                    f"--pgdata={cluster}",
                    "--username=huiying",
                    f"--pwfile={password}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C.UTF-8",
                ],
                user=self._user,
            )
        self._cluster = cluster
        self._password = password.read_text().strip()
        self.url = self.database_url("postgres")

    def database_url(self, database: str) -> str:
        return f"postgresql://huiying:{self._password}@{LOOPBACK}:{self.port}/{database}"

    def sql(self, statement: str) -> str:
        """Runs one statement through psql and returns what it prints, without headings."""
        return _run([str(self._bin / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url]).strip()

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return spawn([str(self._bin / "postgres"), "-D", str(self._cluster), *self._options], log=log, user=self._user)

    def _answers(self) -> bool:
        probe = [str(self._bin / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port)]
        return subprocess.run(probe, check=False).returncode == 0


class Keycloak(Server):
    """One node over plain HTTP, with the realm of deploy/keycloak/realm.json in a database of its own (H2)."""

    name = "keycloak"

    def __init__(self, data: Path, port: int) -> None:
        super().__init__(data, port)
        self.issuer = f"http://{LOOPBACK}:{port}/realms/county"
        self._home, self._realm = keycloak_home(), keycloak_realm()
        data.mkdir(parents=True, exist_ok=True)
        if not (data / "data").exists():
            _share(self._home, data)
            shutil.copytree(self._realm / "data", data / "data")

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        listens = [f"--http-host={LOOPBACK}", f"--http-port={self.port}", "--http-enabled=true"]
        options = ["--optimized", "--cache=local", "--hostname-strict=false", *listens]
        archive = f"-XX:SharedArchiveFile={self._realm / 'classes.jsa'}"
        return spawn(_keycloak(self._home, self.data, archive, "start", *options), log=log)

    def _answers(self) -> bool:
        return _answers(self.issuer)


class Dovecot(Server):
    """An IMAP server over TLS, with mailboxes in `data`. Every user has the same password. Not run by root."""

    name = "dovecot"

    def __init__(self, data: Path, port: int, certificate: Path, password: str) -> None:
        super().__init__(data, port)
        self._program = dovecot_program()
        # The tests may run as root. Debian's package makes this account for the server.
        self._user = "dovecot" if os.geteuid() == 0 else None
        account = self._user or pwd.getpwuid(os.geteuid()).pw_name
        group = grp.getgrgid(pwd.getpwnam(account).pw_gid).gr_name
        self._config = data / "dovecot.conf"
        (data / "run").mkdir(parents=True, exist_ok=True)
        shutil.copy(certificate, data / "certificate.pem")
        self._config.write_text(
            (HERE / "dovecot.conf")
            .read_text()
            .format(data=data, port=port, account=account, group=group, password=password, loopback=LOOPBACK)
        )
        if self._user:
            for path in (data, *data.rglob("*")):
                shutil.chown(path, self._user, self._user)

    def _spawn(self, log: IO[bytes]) -> subprocess.Popen[bytes]:
        return spawn([self._program, "-F", "-c", str(self._config)], log=log, user=self._user)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.port), 1):
            return True
        return False


def start_dovecot(data_dir: str | Path, certificate: Path, password: str, port: int | None = None) -> Dovecot:
    """A server on `.port`, with a key and its certificate from one PEM file."""
    server = Dovecot(Path(data_dir).resolve(), port or free_port(), certificate, password)
    server.start()
    return server


def start_kafka(
    data_dir: str | Path,
    port: int | None = None,
    config: Mapping[str, str] | None = None,
    users: Mapping[str, str] | None = None,
) -> Kafka:
    """A broker at `.address`. `config` adds or replaces lines of server.properties; `users` have SCRAM passwords."""
    server = Kafka(Path(data_dir).resolve(), port or free_port(), config or {}, users or {})
    server.start()
    return server


def start_postgres(data_dir: str | Path, port: int | None = None, config: Mapping[str, str] | None = None) -> Postgres:
    """A server at `.url`. `config` names settings of postgresql.conf."""
    server = Postgres(Path(data_dir).resolve(), port or free_port(), config or {})
    server.start()
    return server


def start_keycloak(data_dir: str | Path, port: int | None = None) -> Keycloak:
    """A provider of OpenID Connect at `.issuer`. Who may sign in there is written in deploy/keycloak/realm.json."""
    server = Keycloak(Path(data_dir).resolve(), port or free_port())
    server.start()
    return server


def kafka_answers(port: int) -> bool:
    """Asks for the cluster's metadata. With an open port, the controller may still not let the broker serve."""
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)  # Metadata v1, correlation id, no client id, no topics
    try:
        with socket.create_connection((LOOPBACK, port), 1) as peer, peer.makefile("rb") as answer:
            peer.settimeout(2)
            peer.sendall(struct.pack(">i", len(request)) + request)
            head = answer.read(12)
    except OSError:
        return False
    return len(head) == 12 and bool(struct.unpack(">iii", head)[2])  # size, correlation id, number of brokers


def until(holds: Callable[[], bool], otherwise: str, lives: Callable[[], bool] = lambda: True) -> None:
    """Waits up to a minute for `holds`, as long as `lives` is true."""
    deadline = time.monotonic() + 60
    while not holds():
        if not lives() or time.monotonic() > deadline:
            raise NativeError(otherwise)
        time.sleep(0.05)


def free_port() -> int:
    """A port that this process has not given before, and that no other process which asks here gives meanwhile.

    It is below those that the system assigns, so that no outgoing connection takes it while a server is down.
    """
    return next(port for port in _ports() if _is_free(port))


@functools.cache
def _ports() -> Iterator[int]:
    """A block of ports, in turn: a server may start long after it asked, and again on the same port.

    The block is locked as long as this process lives. A process that finds no free block shares one.
    """
    blocks = [range(first, first + 500) for first in range(20000, 32000, 500)]
    random.shuffle(blocks)
    for block in blocks:
        path = Path(tempfile.gettempdir()) / f"huiying-ports-{os.getuid()}-{block.start}"
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return itertools.cycle(block)
        os.close(lock)
    return itertools.cycle(blocks[0])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return True
    return False


def spawn(
    command: Sequence[str],
    *,
    log: IO[bytes] | None = None,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
    farewell: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Starts a process in its own session, since Ctrl-C is ours to handle.

    When we end, the kernel sends it `farewell`.
    """
    lifeline = shutil.which("setpriv")
    if lifeline:
        account = [f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        command = [lifeline, f"--pdeathsig={farewell.name.removeprefix('SIG')}", *account, "--", *command]
        user = None
    return _spawner.submit(
        subprocess.Popen,
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT if log else None,
        user=user,
        group=user,
        env=env,
        cwd="/",
        start_new_session=True,
    ).result()


def kafka_jars() -> Path:
    """The folder of the jars that deploy/kafka/pom.xml names. It is filled at first use."""
    pom = HERE / "kafka" / "pom.xml"
    _java_or_install()
    return _made(f"kafka-{_named(pom, 'kafka.version')}", functools.partial(_copy_by_maven, pom))


def keycloak_home() -> Path:
    """The folder of the Keycloak that deploy/keycloak/pom.xml names, built for its database. Made at first use."""
    pom = HERE / "keycloak" / "pom.xml"
    _java_or_install()

    def make(folder: Path) -> None:
        _copy_by_maven(pom, folder)
        (archive,) = folder.glob("*.zip")
        found, wanted = hashlib.sha256(archive.read_bytes()).hexdigest(), _named(pom, "keycloak.sha256")
        if found != wanted:
            raise NativeError(f"{archive.name} has SHA-256 {found}, and {pom} wants {wanted}")
        zipfile.ZipFile(archive).extractall(folder)
        archive.unlink()
        (unpacked,) = folder.iterdir()
        for part in unpacked.iterdir():
            part.rename(folder / part.name)
        unpacked.rmdir()
        _run(_keycloak(folder, folder, "-Xshare:auto", "build", "--db=dev-file"))

    return _made(f"keycloak-{_named(pom, 'keycloak.version')}", make)


def keycloak_realm() -> Path:
    """A folder with a database that holds the realm, and with the classes that a start loads. Made at first use.

    A copy of it starts in a third of the time that empty tables need.
    """
    home, realm = keycloak_home(), HERE / "keycloak" / "realm.json"

    def make(folder: Path) -> None:
        _share(home, folder)
        archive = f"-XX:ArchiveClassesAtExit={folder / 'classes.jsa'}"
        _run(_keycloak(home, folder, archive, "import", "--optimized", f"--file={realm}"))

    return _made(f"{home.name}-realm-{hashlib.sha256(realm.read_bytes()).hexdigest()[:12]}", make)


def _keycloak(home: Path, data: Path, archive: str, *command: str) -> list[str]:
    """The command of bin/kc.sh, which would put a shell between us and the server."""
    runner = "io.quarkus.bootstrap"
    return [
        _executable("java"),
        "-Xms64m",
        "-Xmx512m",
        *JVM,
        archive,
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
        "-Dfile.encoding=UTF-8",
        f"-Djava.util.concurrent.ForkJoinPool.common.threadFactory={runner}.forkjoin.QuarkusForkJoinWorkerThreadFactory",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        "-Dpicocli.disable.closures=true",
        f"-Dkc.home.dir={data}",
        "-cp",
        str(home / "lib" / "quarkus-run.jar"),
        f"{runner}.runner.QuarkusEntryPoint",
        *command,
    ]


def _share(home: Path, data: Path) -> None:
    """Links the parts of a Keycloak's home into a data folder, so that nothing is written into the home."""
    for part in ("lib", "conf", "providers", "themes"):
        (data / part).symlink_to(home / part)


def _made(name: str, make: Callable[[Path], object]) -> Path:
    """A folder in the cache. If it is not there, `make` fills it, once at a time on this machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "huiying"
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "lock"):
        if not (cache / name).exists():
            partial = cache / "partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(cache / name)
    return cache / name


def _named(pom: Path, name: str) -> str:
    found = re.search(rf"<{re.escape(name)}>(.+)</{re.escape(name)}>", pom.read_text())
    if found is None:
        raise NativeError(f"{pom} names no {name}")
    return found[1]


def _copy_by_maven(pom: Path, folder: Path) -> None:
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    _run([_executable("mvn", "maven"), "-q", "-B", "-f", str(pom), *goal])


def postgres_programs() -> Path:
    """The folder of initdb and postgres, which Debian keeps out of PATH."""
    for attempt in range(2):
        versions = Path("/usr/lib/postgresql").glob("*/bin/initdb")
        newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
        program = newest or shutil.which("initdb")
        if program:
            return Path(program).parent
        if attempt == 0:
            _install("postgresql")
    raise NativeError("PostgreSQL was installed, but its initdb was not found")


def dovecot_program() -> str:
    """Dovecot, which Debian keeps out of PATH for users."""
    found = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None or not Path("/usr/lib/dovecot/imap").exists():
        _install("dovecot-imapd")
        found = shutil.which("dovecot", path="/usr/sbin:/sbin")
    if found is None:
        raise NativeError("Dovecot was installed, but its program was not found")
    return found


def pgbackrest() -> str:
    """PgBackRest."""
    if shutil.which("pgbackrest") is None:
        _install("pgbackrest")
    if (found := shutil.which("pgbackrest")) is None:
        raise NativeError("pgBackRest was installed, but its program was not found")
    return found


def chromium() -> Path:
    """A Chromium for the tests of pages. The one without windows draws the same pages in two thirds of the time."""
    shell, *whole = "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"
    if found := next(filter(None, map(shutil.which, (shell, *whole))), None):
        return Path(found)
    try:
        return Path(_executable(shell, shell))
    except NativeError:
        return Path(_executable("chromium", "chromium"))


def promtool() -> Path:
    """Prometheus' checker of rules, out of Debian's package: nothing is installed, and no server starts."""
    found = shutil.which("promtool")
    return Path(found) if found else _made("promtool", _unpack_promtool) / "promtool"


def _unpack_promtool(folder: Path) -> None:
    def download() -> bool:
        command = ["apt-get", "-qq", "download", "prometheus"]
        return subprocess.run(command, check=False, cwd=folder, capture_output=True).returncode == 0

    if not download():
        _install()  # only learns what packages there are
        if not download():
            raise NativeError("promtool was not found, and apt-get gives no package prometheus; put promtool into PATH")
    (package,) = folder.glob("*.deb")
    _run(["dpkg-deb", "--extract", str(package), str(folder / "all")])
    (folder / "all" / "usr" / "bin" / "promtool").rename(folder / "promtool")
    shutil.rmtree(folder / "all")
    package.unlink()


def toxiproxy() -> Path:
    """A proxy that spoils connections on demand, built by Go from its sources: Debian has no package of it."""

    def build(folder: Path) -> None:
        module = f"github.com/Shopify/toxiproxy/v2/cmd/server@{TOXIPROXY}"
        _run([_executable("go", "golang"), "install", module], env={**os.environ, "GOBIN": str(folder)})

    return _made(f"toxiproxy-{TOXIPROXY}", build) / "server"


def libfaketime() -> Path:
    """The library that gives one process another time."""
    for attempt in range(2):
        if found := next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None):
            return found
        if attempt == 0:
            _install("faketime")
    raise NativeError("faketime was installed, but its library was not found")


def tools() -> None:
    """Tries all. What is missing is reported here, and again by the test that needs it."""
    for tool in (kafka_jars, postgres_programs, keycloak_realm, chromium, dovecot_program, promtool):
        try:
            tool()
        except NativeError as problem:
            print(problem, file=sys.stderr)


def _java_or_install() -> None:
    java = shutil.which("java")
    if java:
        told = subprocess.run([java, "-version"], check=True, capture_output=True, text=True).stderr
        version = re.search(r'version "(\d+)', told)
        if version and int(version[1]) >= 17:
            return
    _install("default-jre-headless")


def _executable(program: str, package: str | None = None) -> str:
    found = shutil.which(program)
    if found is None and package:
        _install(package)
        found = shutil.which(program)
    if found is None:
        raise NativeError(f"{program} was not found")
    return found


def _install(*packages: str) -> None:
    if subprocess.run([str(HERE / "apt.sh"), *packages], check=False).returncode:
        raise NativeError(f"{', '.join(packages)} could not be installed")


def _run(command: Sequence[str], user: str | None = None, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        user=user,
        group=user,
        cwd="/",
        env=env,
    )
    if done.returncode:
        raise NativeError(f"{Path(command[0]).name} failed: {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stack(data: Path) -> None:
    """The five services and the console, over a native Kafka and PostgreSQL, until Ctrl-C or SIGTERM."""
    huiying = HERE.parent / ".venv" / "bin" / "huiying"
    ports = {**SERVICES, "console": CONSOLE}
    for name, port in ports.items():
        if not _is_free(port):
            raise NativeError(f"port {port}, which {name} needs, is taken; end what listens there")
    with contextlib.ExitStack() as running:
        postgres = start_postgres(data / "postgres")
        running.callback(postgres.stop)
        kafka = start_kafka(data / "kafka")
        running.callback(kafka.stop)
        existing = postgres.sql("SELECT datname FROM pg_database").splitlines()
        for service in ports:
            if f"huiying_{service}" not in existing:
                postgres.sql(f"CREATE DATABASE huiying_{service}")
        secret = data / "secret"
        if not secret.exists():
            secret.touch(0o600)
            secret.write_text(secrets.token_urlsafe(32))
        keys = data / "token-keys.json"
        databases = postgres.database_url("huiying_{service}").replace("postgresql:", "postgresql+psycopg:")
        settings = {
            "HUIYING_KAFKA": kafka.address,
            "HUIYING_DATABASE": databases,
            "HUIYING_SECRET": secret.read_text(),
            "HUIYING_DATA": str(data),
            "HUIYING_TOKEN_KEYS": str(keys),
            "HUIYING_PUBLIC_URL": f"http://{LOOPBACK}:{SERVICES['publish']}",
        }
        environment = data / "environment"
        environment.touch(0o600)
        environment.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))
        env = {**os.environ, **settings}
        if not keys.exists():
            _run([str(huiying), "users", "rotate"], env=env)
        services = {
            # At the request to end, a service ends the processes that it started.
            name: spawn([str(huiying), "serve", name], env=env, farewell=signal.SIGTERM)
            for name in SERVICES
        }
        # The console has no public address of its own: it takes the one at which it listens.
        of_console = {name: value for name, value in env.items() if name != "HUIYING_PUBLIC_URL"}
        services["console"] = spawn([str(huiying), "serve", "console"], env=of_console, farewell=signal.SIGTERM)
        running.callback(_end_all, services.values())
        for name, port in ports.items():
            lives = functools.partial(_lives, services[name])
            until(functools.partial(_answers, f"http://{LOOPBACK}:{port}/readyz"), f"{name} is not ready", lives)
        print(f"console     http://{LOOPBACK}:{CONSOLE}/console/")
        for name, port in SERVICES.items():
            print(f"{name:<11} http://{LOOPBACK}:{port}")
        print(f"bulletin    {settings['HUIYING_PUBLIC_URL']}/bulletin/")
        print(f"For the command line elsewhere: set -a; . {shlex.quote(str(environment))}; set +a")
        print("Ctrl-C ends all", flush=True)
        while all(map(_lives, services.values())):
            time.sleep(0.5)
        ended = next(name for name, process in services.items() if not _lives(process))
        raise NativeError(f"{ended} ended by itself")


def _lives(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=1) as answer:
        return bool(answer.status == 200)
    return False


def _end_all(processes: Collection[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def main() -> int:
    parser = argparse.ArgumentParser(description="Kafka, PostgreSQL and Keycloak without containers")
    parser.add_argument("what", choices=["kafka", "postgres", "keycloak", "stack", "tools"])
    # Not under the home folder: PostgreSQL's account cannot read the home folder of root.
    parser.add_argument("--data", type=Path, default=f"/var/tmp/huiying-{os.geteuid()}")
    chosen = parser.parse_args()
    chosen.data = chosen.data.resolve()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if chosen.what == "tools":
            tools()
        elif chosen.what == "stack":
            stack(chosen.data)
        elif chosen.what == "kafka":
            with start_kafka(chosen.data / "kafka") as server:
                print(server.address, flush=True)
                signal.pause()
        elif chosen.what == "keycloak":
            with start_keycloak(chosen.data / "keycloak") as server:
                print(server.issuer, flush=True)
                signal.pause()
        else:
            with start_postgres(chosen.data / "postgres") as server:
                print(server.url, flush=True)
                signal.pause()
    except KeyboardInterrupt:
        return 0
    except NativeError as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
