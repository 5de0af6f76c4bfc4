"""Backups of a deployment: each service's database by `pg_dump`, the folders of files of the services, the secret, and
the keys of staff tokens. Kafka keeps the topics itself; the backup says where they ended.

All dumps are of one moment. If a reader's were later than its owner's, it would know events that the owner lost, and
after a restore without the topics the owner would write others in their place.

A restore loads all databases first, each in a transaction of its own, and ends the transactions together when every one
of them has loaded. It passes dumps through: nothing stands on a disk in between.
"""

import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from schemas.catalogue import SERVICES
from schemas.fields import instant
from services.apps.backups import BackupError
from services.apps.backups.fitting import must_be_made_here, must_fit, told
from services.apps.backups.folder import CONSOLE, ENDED, FILES, TOKEN_KEYS, Restored, add_files, others, put_files
from services.apps.backups.held import Held, Making, Manifest
from services.kernel.access import signing
from services.kernel.access.keys import SECRET_FILE
from services.kernel.delivery.recovery import RESTORED, SENDS_FROM
from services.kernel.files import private_file
from services.kernel.settings import Settings
from services.kernel.store import lease

KIND = "postgresql"
PROGRAMS = "/usr/lib/postgresql"
END = "huiying-end"
"""What `psql` says behind each answer."""
PAUSE, TRIES = 5, 6
"""Seconds for which a backup waits for running transactions of writers, and how often it tries."""
GONE = 2.0
"""Seconds in which sessions that end are gone."""
EMPTIED = """
set local client_min_messages = warning;
do $$ declare found record; begin
  for found in
    select relname, case relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end as kind
    from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'S')
    order by relkind not in ('r', 'p')
  loop execute format('drop %s if exists public.%I cascade', found.kind, found.relname); end loop;
end $$"""
"""Drops all tables. `pg_restore --clean` leaves those that the dump lacks, such as a newer version's, whose migration
would then find them in its way."""


def back_up(
    settings: Settings,
    to: Path,
    keys: Sequence[str] = (),
    before: Held | None = None,
    said: Mapping[str, Any] | None = None,
    services: Sequence[str] = SERVICES,
) -> Manifest:
    """Copies what the command reaches. The manifest says what it does not reach."""
    template, lacks = settings.database, list[str]()
    dumped = (*services, CONSOLE) if _has_accounts(template) else tuple(services)
    with Making(to, KIND, keys, before) as making:
        with _of_one_moment(template, dumped) as snapshots:
            for service, snapshot in snapshots.items():
                _dump(making, template, service, snapshot)
        # A file is written before the event that names it. So all files that the dumps name exist by now.
        for folder, service in FILES.items():
            place = files_of(settings, service)
            if place is None:
                lacks.append(
                    f"the folder {folder} of {service}: copy it from where {service} runs, or name the data folders of "
                    "the services in HUIYING_SERVICE_DATA"
                )
            elif not place.is_dir():
                lacks.append(f"the folder {folder} of {service}: {place} is no folder here")
            else:
                add_files(making, folder, place / folder)
        making.add_bytes(SECRET_FILE, settings.secret.get_secret_value().strip().encode())
        for name, path in _token_keys(settings).items():
            try:
                making.add_bytes(name, path.read_bytes())
            except OSError as error:
                lacks.append(f"{name}: {path} cannot be read: {error.strerror}")
        secret = settings.secret.get_secret_value().encode()
        return making.finish(secret, **{**(said or {}), "lacks": [*(said or {}).get("lacks", ()), *lacks]})


def files_of(settings: Settings, service: str) -> Path | None:
    """The data folder of a service, as far as the command line knows it."""
    return Path(settings.service_data.format(service=service)) if settings.service_data else None


def _token_keys(settings: Settings) -> dict[str, Path]:
    return dict(zip(TOKEN_KEYS, (signing.key_set_file(settings), signing.signing_key_file(settings)), strict=True))


@contextmanager
def _of_one_moment(template: str, services: Sequence[str]) -> Iterator[dict[str, str]]:
    """Service -> a snapshot of its database. No service appends an event between the first one and the last one."""
    with ExitStack() as stack:
        begin = "begin isolation level repeatable read, read only; set idle_in_transaction_session_timeout = 0"
        reading = {service: stack.enter_context(_Transaction(place(template, service), begin)) for service in services}
        with _writers_paused(template, services):
            snapshots = {name: one.ask("select pg_export_snapshot()")[0] for name, one in reading.items()}
        yield snapshots


@contextmanager
def _writers_paused(template: str, services: Sequence[str]) -> Iterator[None]:
    lock = (
        f"set lock_timeout = '{PAUSE}s'; do $$ begin if to_regclass('events') is not null then "
        "lock table events in share mode; end if; end $$"
    )
    with ExitStack() as stack:
        for left in reversed(range(TRIES)):
            with ExitStack() as locks:
                try:
                    for service in services:
                        locks.enter_context(_Transaction(place(template, service))).ask(lock)
                except BackupError as error:
                    if not left:
                        raise BackupError(
                            f"no moment was found at which no service writes: {error}. Try again when no long "
                            "transaction runs, such as a replay or a migration"
                        ) from None
                    continue
                stack.push(locks.pop_all())
                break
        yield


def _dump(making: Making, template: str, service: str, snapshot: str) -> None:
    arguments = ("pg_dump", "--format=custom", "--no-owner", f"--snapshot={snapshot}")
    with _started(*arguments, at=place(template, service)) as (dumping, why):
        assert dumping.stdout
        making.add(f"{service}.dump", dumping.stdout)
        if dumping.wait():
            raise BackupError(f"pg_dump failed: {why()}")


def restore(
    settings: Settings,
    source: Path,
    services: Sequence[str] = SERVICES,
    erased: Collection[str] = (),
    identity: Path | None = None,
    over: str | None = None,
) -> Restored:
    """Puts databases back together with the markers of erased words: all of them or none.

    `erased` are the references of words that were erased according to the topics, and `over` is the deployment's name
    if its data may be replaced by that of another one. The services must be stopped. Raises
    `BackupError`; then the databases at hand stay unchanged.
    """
    held, template = Held.open(source, KIND, identity, others(services)), settings.database
    names = [f"{service}.dump" for service in services]
    if missing := [name for name in names if name not in held]:
        raise BackupError(f"{source} holds no {', '.join(missing)}")
    must_have_secret(settings, held)
    must_be_made_here(held, settings.secret.get_secret_value().encode())
    if any(_is_there(template, service, "events") for service in SERVICES):
        must_fit(held, told(settings), over=over)
    own = [service for service in services if service != CONSOLE]
    everywhere = {*erased, *erased_in(template, own)}
    ended = _ended(template) if CONSOLE in services else ()
    with ExitStack() as stack:
        loading = {service: stack.enter_context(_Transaction(place(template, service))) for service in services}
        for service, transaction in loading.items():
            transaction.hold(service)
        for service, transaction in loading.items():
            transaction.load(held, f"{service}.dump")
        # The backup of one service may know of erasures that came after the backup of another one.
        for service in own:
            everywhere.update(loading[service].ask("select ref from public.erased"))
        forgotten = _corrected(loading, everywhere, ended)
    keys = _token_keys(settings)
    # Only if there are none: a key that was dropped after the backup must not come back.
    for name, path in keys.items() if not any(path.exists() for path in keys.values()) else ():
        if name in held:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            private_file(path).write_bytes(held.content(name))
    for folder, service in FILES.items():
        at = files_of(settings, service)
        if service in services and at is not None and at.is_dir() and put_files(held, folder, at / folder):
            # When the service starts, it deletes the files that were erased meanwhile.
            names.append(folder)
    return Restored(names, forgotten)


def mark_restored(settings: Settings, services: Sequence[str], erased: Collection[str]) -> Restored:
    """Makes databases that somebody else put back, such as to a point in time, what a restore of ours would have left.

    They forget what was erased meanwhile, take later events back from their topics, and nobody is signed in.
    """
    template = settings.database
    own = [service for service in services if service != CONSOLE]
    everywhere = {*erased, *erased_in(template, own)}
    with ExitStack() as stack:
        loading = {service: stack.enter_context(_Transaction(place(template, service))) for service in services}
        for service, transaction in loading.items():
            transaction.hold(service)
        return Restored(list(services), _corrected(loading, everywhere, ()))


def _corrected(loading: "Mapping[str, _Transaction]", erased: Collection[str], ended: Collection[str]) -> int:
    """Corrects all databases, and ends their transactions when all of them could be corrected.

    Returns how many texts went.
    """
    forgotten: set[str] = set()
    for service, transaction in loading.items():
        if service == CONSOLE:
            transaction.ask(_end_accounts(ended))
        else:
            transaction.ask(_mark_erased(erased) + _restored())
            forgotten.update(
                transaction.ask(
                    "delete from public.contents where ref in (select ref from public.erased) returning ref"
                )
            )
    for transaction in loading.values():
        transaction.ask("commit")
    return len(forgotten)


def must_have_secret(settings: Settings, held: Held) -> None:
    """Raises `BackupError` if the deployment has another secret than the backup: nothing sealed would open."""
    if SECRET_FILE in held and held.content(SECRET_FILE) != settings.secret.get_secret_value().strip().encode():
        raise BackupError(
            "the backup was made under another HUIYING_SECRET; `huiying backup secret` prints it. Set it, and restore "
            "again. Nothing was restored"
        )


def has_accounts(settings: Settings) -> bool:
    """Whether there is a database of the console. A deployment may do without it. Raises `BackupError`."""
    return _has_accounts(settings.database)


def _has_accounts(template: str) -> bool:
    return _is_there(template, CONSOLE, "account")


def _is_there(template: str, service: str, table: str) -> bool:
    """Whether a service's database has a table. Raises `BackupError` if nobody can tell: silence is no answer."""
    at = place(template, service)
    try:
        return asked(f"select to_regclass('{table}') is not null", at) == ["t"]
    except BackupError:
        # The sentence of a missing database is in the language of the server. Its list of databases is not.
        beside = place(template, next(name for name in SERVICES if name != service))
        if (at.get("PGHOST"), at.get("PGPORT")) != (beside.get("PGHOST"), beside.get("PGPORT")):
            raise
        if at["PGDATABASE"] in asked("select datname from pg_database", beside):
            raise
        return False


def _ended(template: str) -> list[str]:
    return asked(ENDED, place(template, CONSOLE)) if _has_accounts(template) else []


def _end_accounts(ended: Collection[str]) -> str:
    stay = ", ".join(f"'{uuid.UUID(id_)}'" for id_ in ended)
    ends = f"update public.account set ended = true where id in ({stay});\n" if stay else ""
    return f"{ends}delete from public.session"


def erased_in(template: str, needed: Sequence[str]) -> set[str]:
    """The markers of all services' databases. Databases that are not `needed` may be out of reach."""
    refs: set[str] = set()
    for service in SERVICES:
        at = place(template, service)
        try:
            if _is_there(template, service, "erased"):
                refs.update(asked("select ref from erased", at))
        except BackupError:
            if service in needed:
                raise
    return refs


def _mark_erased(refs: Collection[str]) -> str:
    values = ", ".join(f"('{uuid.UUID(ref)}')" for ref in sorted(refs))
    return f"insert into public.erased (ref) values {values} on conflict do nothing;\n" if refs else ""


def _restored() -> str:
    now = instant(datetime.now(UTC))
    row = f"('{RESTORED}', '{now}'), ('{SENDS_FROM}', '{now}')"
    return (
        f"insert into public.deployment (name, value) values {row} "
        "on conflict (name) do update set value = excluded.value"
    )


# PostgreSQL's programs


class _Transaction:
    """One transaction in a process of `psql`. Without the word `commit` nothing of it stays."""

    def __init__(self, at: Mapping[str, str], begin: str = "begin") -> None:
        self._at, self._begin, self._stack = at, begin, ExitStack()

    def __enter__(self) -> Self:
        arguments = ("psql", "-XAtq", "-v", "ON_ERROR_STOP=1")
        self._psql, self._why = self._stack.enter_context(_started(*arguments, at=self._at, asks=True))
        self.say(f"{self._begin};\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def say(self, script: str) -> None:
        """Gives statements to it. Raises `BackupError` if it has ended."""
        assert self._psql.stdin
        try:
            self._psql.stdin.write(script.encode())
            self._psql.stdin.flush()
        except BrokenPipeError:
            self._psql.wait()
            raise BackupError(f"psql failed: {self._why()}") from None

    def ask(self, statement: str) -> list[str]:
        """The lines of an answer, when everything before it was done. Raises `BackupError`."""
        assert self._psql.stdout
        self.say(f"{statement};\n\\echo {END}\n")
        lines: list[str] = []
        for line in self._psql.stdout:
            if (told := line.decode().strip()) == END:
                return lines
            lines.append(told)
        self._psql.wait()
        raise BackupError(f"psql failed: {self._why()}")

    def hold(self, service: str) -> None:
        """Lets no process of the service lead or read until the end. Raises `BackupError` if one runs."""
        self.ask(f"set local lock_timeout = '{PAUSE}s'")
        if service == CONSOLE:
            runs = self._is_used()
        elif runs := self.ask("select to_regclass('public.lease') is not null") == ["t"]:
            # Nobody takes or renews the lease while this lock stands. What starts meanwhile waits for the new store.
            self.ask("lock table public.lease in access exclusive mode")
            runs = self.ask(lease.LEADS) != ["0"]
        if runs:
            raise BackupError(f"{service} is running; stop the services before a restore. Nothing was restored")

    def _is_used(self) -> bool:
        """Whether somebody else is connected. The console keeps no lease. A session that ends may take a moment."""
        others = "datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
        until = time.monotonic() + GONE
        while used := self.ask(f"select count(*) from pg_stat_activity where {others}") != ["0"]:
            if time.monotonic() > until:
                break
            # The list stays the same within a transaction unless it is asked for anew.
            self.ask("select pg_stat_clear_snapshot(), pg_sleep(0.1)")
        return used

    def load(self, held: Held, name: str) -> None:
        """Loads a dump in place of all that is there, also of what the dump does not have. Raises `BackupError`."""
        self.ask(EMPTIED)
        self.say("\\o /dev/null\n")
        arguments = ("pg_restore", "--clean", "--if-exists", "--no-owner", "--file=-")
        with _started(*arguments, at=self._at, asks=True, to=self._psql.stdin) as (restoring, why):
            assert restoring.stdin
            with suppress(BrokenPipeError):
                # It stops reading where it, or `psql` behind it, has failed. The ends of both say why.
                held.copy(name, restoring.stdin)
            with suppress(BrokenPipeError):
                restoring.stdin.close()
            code = restoring.wait()
            if code and self._psql.poll() is None:
                raise BackupError(f"pg_restore failed: {why()}")
        self.say("\\o\n")
        self.ask("select 1")


@contextmanager
def _started(
    name: str, *arguments: str, at: Mapping[str, str], asks: bool = False, to: Any = subprocess.PIPE
) -> Iterator[Any]:
    """One of PostgreSQL's programs while it runs, and how to learn why it failed. It is ended with the block."""
    environment = {**os.environ, **at, "PGCLIENTENCODING": "UTF8"}
    stdin = subprocess.PIPE if asks else subprocess.DEVNULL
    with tempfile.TemporaryFile() as errors:

        def why() -> str:
            errors.seek(0)
            said = [line for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
            return said[0] if said else f"code {process.returncode}"

        process = subprocess.Popen([_path(name), *arguments], stdin=stdin, stdout=to, stderr=errors, env=environment)  # noqa: S603
        try:
            yield process, why
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(BrokenPipeError):
                        pipe.close()


def asked(statement: str, at: Mapping[str, str]) -> list[str]:
    """The lines of an answer. Raises `BackupError`."""
    with _started("psql", "-XAtqc", statement, at=at) as (psql, why):
        lines = psql.stdout.read().decode().split()
        if psql.wait():
            raise BackupError(f"psql failed: {why()}")
        return list(lines)


def place(template: str, service: str) -> dict[str, str]:
    """A service's database for the environment of PostgreSQL's programs. So no password stands in a process list.

    Raises `BackupError` for a parameter that has no place there: without it, they might connect to another server, or
    to one that nobody verified.
    """
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.pq import Conninfo

    names = {known.keyword.decode(): known.envvar.decode() for known in Conninfo.get_defaults() if known.envvar}
    parts = conninfo_to_dict(template.format(service=service).replace("postgresql+psycopg:", "postgresql:"))
    given = {key: str(value) for key, value in parts.items() if value is not None}
    if unknown := sorted(given.keys() - names.keys()):
        raise BackupError(
            f"HUIYING_DATABASE has {', '.join(unknown)}, which no variable of PostgreSQL's programs can say; leave it "
            "out where backups are made and restored"
        )
    return {names[key]: value for key, value in given.items()}


def _path(name: str) -> str:
    """Debian keeps each version in its own folder; the newest is used."""
    found = max(Path(PROGRAMS).glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]), default=None)
    path = found or shutil.which(name)
    if path is None:
        raise BackupError(f"{name} was not found; install PostgreSQL's client programs")
    return str(path)
