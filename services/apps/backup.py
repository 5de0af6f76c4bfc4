"""Backups of a deployment. A restore must not undo erasures and revocations.

Embedded: every database file by SQLite's online backup, also while the server runs, then the event log, the
files, the secret and the keys of staff tokens. The log is copied after the stores. A store that is older than the log
catches up from it at the start, but an offset beyond the log would stop its consumer. Deployed: each service's database
through `pg_dump`. Kafka keeps the topics itself.

Before anybody opens a restored store, it gets the markers of all erasures: from every store at hand, from the backup,
and from the topics (`services.kernel.delivery.erasures`). After the loss of all stores, only the topics know of them.
The event log is rolled back only if it is missing or if somebody asks for it. So later events come back from it
(`services.kernel.delivery.recovery`). After a roll-back, later revocations are made again (`services.apps.access`).
"""

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from schemas.catalogue import SERVICES
from schemas.fields import instant
from services.kernel.access.keys import SECRET_FILE
from services.kernel.access.signing import KEY_SET_FILE, SIGNING_KEY_FILE
from services.kernel.delivery.recovery import RESTORED, SENDS_FROM
from services.kernel.files import private_file, private_folder

FORMAT = "huiying-backup-1"
MANIFEST = "manifest.json"
LOG = "log.sqlite"
CONSOLE = "console"
"""The accounts of staff. No event brings them back, so they go back only if they are missing or asked for."""
ENDED = "select id from account where ended"
FILES = {"evidence": "ingest", "attachments": "publish", "archives": "audit"}
"""Folders of files, and the service that keeps them."""
TOKEN_KEYS = (KEY_SET_FILE, SIGNING_KEY_FILE)
POSTGRES_PROGRAMS = "/usr/lib/postgresql"


class BackupError(Exception):
    """A backup that cannot be made or used. The sentence says why."""


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(to: Path, kind: str) -> list[str]:
    names = sorted(str(path.relative_to(to)) for path in to.rglob("*") if path.is_file())
    files = {name: _file_digest(to / name) for name in names}
    manifest = {"format": FORMAT, "kind": kind, "made_at": instant(datetime.now(UTC)), "files": files}
    private_file(to / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
    return names


def _read_manifest(source: Path, kind: str) -> None:
    """Raises `BackupError` unless the folder holds a whole and unaltered backup of this kind."""
    try:
        manifest = json.loads((source / MANIFEST).read_text())
    except (OSError, ValueError):
        raise BackupError(f"{source} holds no backup: its {MANIFEST} cannot be read") from None
    if manifest.get("format") != FORMAT or manifest.get("kind") != kind:
        raise BackupError(f"{source} is no {kind} backup of this version")
    for name, digest in manifest["files"].items():
        path = source / name
        if not path.is_file() or _file_digest(path) != digest:
            raise BackupError(f"{path} is missing or differs from the backup; nothing was restored")


def _new_folder(to: Path) -> Path:
    """The folder in which the backup is made, beside its final place: a backup is there whole or not at all."""
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise BackupError(f"{to} is not empty; name a new folder for each backup")
    partial = to.with_name(to.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True, mode=0o700)
    return partial


def _finish(partial: Path, to: Path, kind: str) -> list[str]:
    names = _write_manifest(partial, kind)
    if to.exists():
        to.rmdir()
    partial.rename(to)
    return names


# embedded


def back_up_folder(data: Path, to: Path) -> list[str]:
    """Copies a data folder, also while a server works in it. Returns the names of the copied files."""
    stores = [f"{service}.sqlite" for service in SERVICES]
    if not any((data / name).exists() for name in stores):
        raise BackupError(f"{data} holds no data of an embedded system")
    partial = _new_folder(to)
    for name in (*stores, f"{CONSOLE}.sqlite", LOG):
        if (data / name).exists():
            _copy_database(data / name, partial / name)
    # A file is written before the event that names it. So all files that the stores name exist by now.
    for folder in FILES:
        if (data / folder).is_dir():
            _copy_files(data / folder, partial / folder)
    for name in (SECRET_FILE, *TOKEN_KEYS):
        if (data / name).exists():
            shutil.copyfile(data / name, private_file(partial / name))
    return _finish(partial, to, "folder")


def restore_folder(
    data: Path, source: Path, services: Sequence[str] = SERVICES, *, log: bool = False, erased: Collection[str] = ()
) -> list[str]:
    """Puts the stores of these services back into a folder whose lock the caller holds. Returns the restored names.

    `erased` are the references of words that were erased according to the topics.

    The event log is put back if it is missing, or with `log`, which needs all services. Raises `BackupError` before
    anything is changed.
    """
    _read_manifest(source, "folder")
    if missing := [f"{name}.sqlite" for name in services if not (source / f"{name}.sqlite").exists()]:
        raise BackupError(f"{source} holds no {', '.join(missing)}")
    accounts = data / f"{CONSOLE}.sqlite"
    with_accounts = CONSOLE in services or (not accounts.exists() and (source / accounts.name).exists())
    services = [service for service in services if service != CONSOLE]
    names = [f"{service}.sqlite" for service in services]
    whole = set(services) == set(SERVICES)
    log = log or not (data / LOG).exists()
    if log and not whole:
        raise BackupError("restore the event log only with all services: their offsets would lie beyond its end")
    _restore_secret(data, source, whole=whole)
    _restore_token_keys(data, source)
    stores = [folder / f"{service}.sqlite" for folder in (data, source) for service in SERVICES]
    everywhere = sorted({*erased, *(ref for store in stores for ref in _erased(store) or ())})
    for name in names:
        _put_back(source / name, data / name, [*_forget_words(everywhere), _restored()])
    done = list(names)
    if with_accounts:
        _put_back(source / accounts.name, accounts, _forget_sessions(_read(accounts, ENDED) or ()))
        done.append(accounts.name)
    if log and (source / LOG).exists():
        _put_back(source / LOG, data / LOG, _forget_records(everywhere))
        done.append(LOG)
    for folder, service in FILES.items():
        if (source / folder).is_dir() and service in services:
            # When the service starts, it deletes the files that were erased meanwhile.
            _copy_files(source / folder, data / folder)
            done.append(folder)
    return done


def _restore_secret(data: Path, source: Path, *, whole: bool) -> None:
    ours, theirs = data / SECRET_FILE, source / SECRET_FILE
    if not theirs.exists() or (ours.exists() and ours.read_bytes() == theirs.read_bytes()):
        return
    if ours.exists() and not whole:
        raise BackupError("the backup was made under another secret; restore all services, or none")
    ours.unlink(missing_ok=True)
    private_file(ours).write_bytes(theirs.read_bytes())


def _restore_token_keys(data: Path, source: Path) -> None:
    """Only if there are none: a key that was dropped after the backup must not come back."""
    if not any((data / name).exists() for name in TOKEN_KEYS):
        for name in TOKEN_KEYS:
            if (source / name).exists():
                shutil.copyfile(source / name, private_file(data / name))


def _copy_files(source: Path, to: Path) -> None:
    """Copies whole files. A file that is deleted meanwhile was erased."""
    private_folder(to)
    for path in sorted(source.iterdir()):
        if path.suffix != ".part":
            with contextlib.suppress(FileNotFoundError):
                content = path.open("rb")
                with content, private_file(to / path.name).open("wb") as file:
                    shutil.copyfileobj(content, file)


def _copy_database(source: Path, to: Path) -> None:
    """A consistent copy of one file. The writer goes on meanwhile."""
    place = f"{source.resolve().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(place, uri=True, timeout=30)) as reading,
        closing(sqlite3.connect(private_file(to))) as writing,
    ):
        reading.backup(writing)
        writing.execute("pragma journal_mode = delete")


def _put_back(source: Path, to: Path, corrections: Sequence[tuple[str, Iterable[tuple[object, ...]]]]) -> None:
    """Replaces a database by a corrected copy. The uncorrected copy never stands in its place."""
    partial = to.with_name(to.name + ".restoring")
    partial.unlink(missing_ok=True)
    shutil.copyfile(source, private_file(partial))
    try:
        with closing(sqlite3.connect(partial)) as database, database:
            database.execute("pragma secure_delete = on")
            for statement, rows in corrections:
                database.executemany(statement, rows)
        if _erased(to) is None:
            for gone in (to, *(to.with_name(to.name + end) for end in ("-wal", "-shm"))):
                gone.unlink(missing_ok=True)
        private_file(to)
        with closing(sqlite3.connect(partial)) as reading, closing(sqlite3.connect(to, timeout=5)) as writing:
            reading.backup(writing)
    finally:
        partial.unlink(missing_ok=True)


class Revoked(NamedTuple):
    """Ids of revoked keys of integrations, staff tokens, and keys that signed statements."""

    keys: frozenset[str]
    tokens: frozenset[str]
    statement_keys: frozenset[str]
    post_keys: frozenset[str]
    log_keys: frozenset[str]


def revoked(data: Path) -> Revoked:
    """The revocations in the stores of a folder, as far as they are readable."""
    keys = _read(data / "ingest.sqlite", "select id from api_keys where revoked_at is not null") or ()
    tokens = [_read(data / f"{service}.sqlite", "select token from revoked_tokens") or () for service in SERVICES]
    ended, of_posts = (
        frozenset(_read(data / "publish.sqlite", f"select kid from {table} where revoked_at is not null") or ())
        for table in ("statement_keys", "post_keys")
    )
    of_log = frozenset(_read(data / "audit.sqlite", "select key from log_keys where revoked_at is not null") or ())
    return Revoked(frozenset(keys), frozenset(chain.from_iterable(tokens)), ended, of_posts, of_log)


def _erased(path: Path) -> list[str] | None:
    """The permanent markers of a store; None if it does not exist or is not readable any more."""
    return _read(path, "select ref from erased")


def _read(path: Path, statement: str) -> list[str] | None:
    """One column of a store; None if the store does not exist or is not readable any more."""
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            return [value for (value,) in database.execute(statement)]
    except sqlite3.DatabaseError:
        return None


def _forget_words(refs: Sequence[str]) -> list[tuple[str, list[tuple[object, ...]]]]:
    rows: list[tuple[object, ...]] = [(ref,) for ref in refs]
    return [
        ("insert or ignore into erased (ref) values (?)", rows),
        ("delete from contents where ref = ?", rows),
    ]


def _forget_sessions(ended: Iterable[str]) -> list[tuple[str, list[tuple[object, ...]]]]:
    """Nobody is signed in after a restore, and accounts that were ended meanwhile stay ended."""
    gone: list[tuple[object, ...]] = [(id_,) for id_ in ended]
    return [("update account set ended = true where id = ?", gone), ("delete from session where ?", [(True,)])]


def _restored() -> tuple[str, list[tuple[object, ...]]]:
    """Lets the service take later events back. Without this note, events beyond the store are an alarm."""
    statement = "insert or replace into deployment (name, value) values (?, ?)"
    now = instant(datetime.now(UTC))
    return statement, [(RESTORED, now), (SENDS_FROM, now)]


def _forget_records(refs: Sequence[str]) -> list[tuple[str, list[tuple[object, ...]]]]:
    """The log keeps the record as a tombstone, so no offset moves."""
    rows: list[tuple[object, ...]] = [(ref.encode(),) for ref in refs]
    return [("update records set value = null where key = ? and topic like '%.content'", rows)]


# PostgreSQL


def back_up_databases(template: str, to: Path, services: Sequence[str] = SERVICES) -> list[str]:
    """Dumps each service's database. `template` is `HUIYING_DATABASE`. Kafka keeps the topics itself."""
    partial = _new_folder(to)
    for service in (*services, CONSOLE) if _has_accounts(template) else services:
        target = private_file(partial / f"{service}.dump")
        _program("pg_dump", "--format=custom", "--no-owner", f"--file={target}", at=_place(template, service))
    return _finish(partial, to, "postgresql")


def restore_databases(
    template: str, source: Path, services: Sequence[str] = SERVICES, erased: Collection[str] = ()
) -> list[str]:
    """Puts databases back, each in one transaction together with the markers of erased words.

    `erased` are the references of words that were erased according to the topics. The services must be stopped. Raises
    `BackupError`; then the database at hand stays unchanged.
    """
    _read_manifest(source, "postgresql")
    names = [f"{service}.dump" for service in services]
    if missing := [name for name in names if not (source / name).exists()]:
        raise BackupError(f"{source} holds no {', '.join(missing)}")
    if CONSOLE in services:
        _restore_accounts(template, source / f"{CONSOLE}.dump")
        services = [service for service in services if service != CONSOLE]
    everywhere = {*erased, *_erased_in_databases(template, services)}
    for service, name in zip(services, (f"{service}.dump" for service in services), strict=True):
        at = _place(template, service)
        script = _program("pg_restore", "--clean", "--if-exists", "--no-owner", "--file=-", str(source / name), at=at)
        _run_sql(script + _forget_sql(everywhere) + _restored_sql(), at)
    # The backup of one service may know of erasures that came after the backup of another one.
    if later := _erased_in_databases(template, services) - everywhere:
        for service in services:
            _run_sql(_forget_sql(later), _place(template, service))
    return names


def _has_accounts(template: str) -> bool:
    """Whether there is a database of the console. A deployment may do without it."""
    try:
        at = _place(template, CONSOLE)
        return _program("psql", "-XAtqc", "select to_regclass('account') is not null", at=at).strip() == "t"
    except BackupError:
        return False


def _restore_accounts(template: str, dump: Path) -> None:
    at = _place(template, CONSOLE)
    ended = _program("psql", "-XAtqc", ENDED, at=at).split() if _has_accounts(template) else ()
    script = _program("pg_restore", "--clean", "--if-exists", "--no-owner", "--file=-", str(dump), at=at)
    stay = ", ".join(f"'{uuid.UUID(id_)}'" for id_ in ended)
    ends = f"\nupdate public.account set ended = true where id in ({stay});\n" if stay else ""
    _run_sql(f"{script}{ends}\ndelete from public.session;\n", at)


def _erased_in_databases(template: str, needed: Sequence[str]) -> set[str]:
    """The markers of all services' databases. Databases that are not `needed` may be out of reach."""
    refs: set[str] = set()
    for service in SERVICES:
        at = _place(template, service)
        try:
            if _program("psql", "-XAtqc", "select to_regclass('erased') is not null", at=at).strip() == "t":
                refs.update(_program("psql", "-XAtqc", "select ref from erased", at=at).split())
        except BackupError:
            if service in needed:
                raise
    return refs


def _run_sql(script: str, at: Mapping[str, str]) -> None:
    """All or nothing."""
    _program("psql", "-Xq", "--single-transaction", "-v", "ON_ERROR_STOP=1", at=at, given=script)


def _forget_sql(refs: Collection[str]) -> str:
    if not refs:
        return ""
    values = ", ".join(f"('{uuid.UUID(ref)}')" for ref in sorted(refs))
    return (
        f"\ninsert into public.erased (ref) values {values} on conflict do nothing;\n"
        "delete from public.contents where ref in (select ref from public.erased);\n"
    )


def _restored_sql() -> str:
    now = instant(datetime.now(UTC))
    row = f"('{RESTORED}', '{now}'), ('{SENDS_FROM}', '{now}')"
    return (
        f"\ninsert into public.deployment (name, value) values {row} "
        "on conflict (name) do update set value = excluded.value;\n"
    )


def _place(template: str, service: str) -> dict[str, str]:
    """A service's database for the environment of PostgreSQL's programs. So no password stands in a process list."""
    from psycopg.conninfo import conninfo_to_dict

    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    parts = conninfo_to_dict(template.format(service=service).replace("postgresql+psycopg:", "postgresql:"))
    return {names[key]: str(value) for key, value in parts.items() if key in names and value is not None}


def _program(name: str, *arguments: str, at: Mapping[str, str], given: str | None = None) -> str:
    """Runs one of PostgreSQL's programs. Debian keeps each version in its own folder; the newest is used."""
    found = max(Path(POSTGRES_PROGRAMS).glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]), default=None)
    path = found or shutil.which(name)
    if path is None:
        raise BackupError(f"{name} was not found; install PostgreSQL's client programs")
    command, environment = [str(path), *arguments], {**os.environ, **at, "PGCLIENTENCODING": "UTF8"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, input=given, env=environment)  # noqa: S603
    if done.returncode:
        said = [line for line in done.stderr.strip().splitlines() if line] or [f"code {done.returncode}"]
        raise BackupError(f"{name} failed: {said[0]}")
    return done.stdout
