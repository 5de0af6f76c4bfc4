"""Backups of an embedded system: its data folder.

Every database file by SQLite's online backup, also while the server runs, then the event log, the files, the secret and
the keys of staff tokens. The log is copied after the stores. A store that is older than the log catches up from it at
the start, but an offset beyond the log would stop its consumer.

The event log is rolled back only if it is missing or if somebody asks for it. Later revocations then stand in a file
before anything takes its place, and the next process makes them again before it serves (`services.apps.embedded`).
Copies of databases stand in the data folder meanwhile, and go with the process; what a killed one left, the next one
clears.
"""

import fcntl
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from schemas.catalogue import SERVICES
from schemas.fields import instant
from services.apps.backups import BackupError
from services.apps.backups.fitting import must_be_made_here, must_fit
from services.apps.backups.held import Held, Making, Manifest, is_name
from services.kernel.access.keys import SECRET_FILE
from services.kernel.access.signing import KEY_SET_FILE, SIGNING_KEY_FILE
from services.kernel.delivery.recovery import RESTORED, SENDS_FROM
from services.kernel.files import private_file, private_folder

KIND = "folder"
LOG = "log.sqlite"
CONSOLE = "console"
"""The accounts of staff. No event brings them back, so they go back only if they are missing or asked for."""
ENDED = "select id from account where ended"
FILES = {"evidence": "ingest", "attachments": "publish", "archives": "audit"}
"""Folders of files, and the service that keeps them."""
REVOKED = "revoked.json"
"""What was revoked before a restore, until the next process has made it again."""
TOKEN_KEYS = (KEY_SET_FILE, SIGNING_KEY_FILE)
SCRATCH = "backup-"
"""The beginning of the name of a folder in which a backup or a restore works."""


class Restored(NamedTuple):
    """What was put back."""

    names: list[str]
    forgotten: int = 0
    """The texts that the backup held and that were erased since."""


def back_up(
    data: Path,
    to: Path,
    keys: Sequence[str] = (),
    before: Held | None = None,
    told: Mapping[str, Any] | None = None,
    secret: bytes | None = None,
) -> Manifest:
    """Copies a data folder, also while a server works in it. It is encrypted for `keys`, if there are some.

    `secret` is the deployment's, if it is not in the folder.
    """
    stores = [f"{service}.sqlite" for service in SERVICES]
    if not any((data / name).exists() for name in stores):
        raise BackupError(f"{data} holds no data of an embedded system")
    with Making(to, KIND, keys, before) as making, _scratch(data) as scratch:
        for name in (*stores, f"{CONSOLE}.sqlite", LOG):
            if (data / name).exists():
                _copy_database(data / name, scratch / name)
                with (scratch / name).open("rb") as content:
                    making.add(name, content)
                (scratch / name).unlink()
        # A file is written before the event that names it. So all files that the stores name exist by now.
        for folder in FILES:
            add_files(making, folder, data / folder)
        for name in (SECRET_FILE, *TOKEN_KEYS):
            if (data / name).exists():
                making.add_bytes(name, (data / name).read_bytes())
        return making.finish(secret or _secret_in(data), **told or {})


def _secret_in(data: Path) -> bytes | None:
    return (data / SECRET_FILE).read_bytes() if (data / SECRET_FILE).exists() else None


def add_files(making: Making, folder: str, place: Path) -> None:
    """Takes the whole files of a folder into a backup. They never change under their names."""
    if place.is_dir():
        for path in sorted(place.iterdir()):
            if path.suffix != ".part" and path.is_file() and is_name(name := f"{folder}/{path.name}"):
                making.add_unchanging(name, path)


def restore(
    data: Path,
    source: Path,
    services: Sequence[str] = SERVICES,
    *,
    log: bool = False,
    erased: Collection[str] = (),
    identity: Path | None = None,
    ours: Mapping[str, Any] | None = None,
    over: str | None = None,
    secret: bytes | None = None,
) -> Restored:
    """Puts the stores of these services back into a folder whose lock the caller holds.

    `erased` are the references of words that were erased according to the topics. `ours` is what the deployment of the
    folder says of itself, and `over` its name if its data may be replaced by that of another one. `secret` is the
    deployment's, if it is not in the folder.

    The event log is put back if it is missing, or with `log`, which needs all services. Raises `BackupError` before
    anything is changed.
    """
    held = Held.open(source, KIND, identity, others(services))
    if missing := [f"{name}.sqlite" for name in services if f"{name}.sqlite" not in held]:
        raise BackupError(f"{source} holds no {', '.join(missing)}")
    accounts, fits = data / f"{CONSOLE}.sqlite", True
    if any(data.glob("*.sqlite")):
        fits = must_fit(held, ours or {}, secret or _secret_in(data), over if set(services) >= set(SERVICES) else None)
    must_be_made_here(held, secret or (_secret_in(data) if fits else None))
    with_accounts = CONSOLE in services or (not (fits and accounts.exists()) and accounts.name in held)
    services = [service for service in services if service != CONSOLE]
    names = [f"{service}.sqlite" for service in services]
    whole = set(services) == set(SERVICES)
    log = log or not fits or not (data / LOG).exists()
    if log and not whole:
        raise BackupError("restore the event log only with all services: their offsets would lie beyond its end")
    private_folder(data)
    with _scratch(data) as scratch:
        stores = [f"{service}.sqlite" for service in SERVICES if f"{service}.sqlite" in held]
        chosen = [*stores, *([accounts.name] if with_accounts else ()), *([LOG] if log and LOG in held else ())]
        for name in chosen:
            with private_file(scratch / name).open("wb") as file:
                held.copy(name, file)
        known = [_erased(folder / name) or () for folder in (data, scratch) for name in stores]
        everywhere = sorted({*erased, *chain.from_iterable(known)})
        corrections = {name: [*_forget_words(everywhere), _restored()] for name in names}
        if with_accounts:
            corrections[accounts.name] = _forget_sessions(_read(accounts, ENDED) or ())
        if LOG in chosen:
            corrections[LOG] = _forget_records(everywhere)
        # All copies are corrected before the first one takes its place.
        forgotten = set().union(*(_correct(scratch / name, statements) for name, statements in corrections.items()))
        if LOG in chosen:
            _keep_revoked(data)
        for name in corrections:
            _put_in_place(scratch / name, data / name)
    _restore_secret(data, held)
    _restore_token_keys(data, held)
    done = list(corrections)
    for folder, service in FILES.items():
        if service in services and put_files(held, folder, data / folder):
            # When the service starts, it deletes the files that were erased meanwhile.
            done.append(folder)
    return Restored(done, len(forgotten))


def others(services: Collection[str]) -> list[str]:
    """The folders of files of all other services."""
    return [folder for folder, service in FILES.items() if service not in services]


def put_files(held: Held, folder: str, place: Path, only: Collection[str] | None = None) -> int:
    """Puts the files of a folder back that are not there, or only these. Returns how many of them the backup has."""
    names = [name for name in held.names(folder) if only is None or name.partition("/")[2] in only]
    if names:
        private_folder(place)
    for name in names:
        path = place / name.partition("/")[2]
        if not path.exists():
            partial = private_file(path.with_name(f"{path.name}.part"))
            with partial.open("wb") as file:
                held.copy(name, file)
                file.flush()
                os.fsync(file.fileno())
            partial.rename(path)
    return len(names)


def _restore_secret(data: Path, held: Held) -> None:
    """A replaced one stays beside the new one: whoever replaced the wrong deployment needs it."""
    ours, theirs = data / SECRET_FILE, held.content(SECRET_FILE) if SECRET_FILE in held else None
    if theirs is not None and not (ours.exists() and ours.read_bytes() == theirs):
        if ours.exists():
            ours.rename(data / f"{SECRET_FILE}.{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
        private_file(ours).write_bytes(theirs)


def _restore_token_keys(data: Path, held: Held) -> None:
    """Only if there are none: a key that was dropped after the backup must not come back."""
    if not any((data / name).exists() for name in TOKEN_KEYS):
        for name in TOKEN_KEYS:
            if name in held:
                private_file(data / name).write_bytes(held.content(name))


@contextmanager
def _scratch(data: Path) -> Iterator[Path]:
    """A folder for copies beside what they are copies of. Clears what killed processes left."""
    for left in data.glob(f"{SCRATCH}*"):
        if (lock := _locked(left)) is not None:
            shutil.rmtree(left, ignore_errors=True)
            os.close(lock)
    with tempfile.TemporaryDirectory(prefix=SCRATCH, dir=data) as made:
        lock = _locked(Path(made))
        try:
            yield Path(made)
        finally:
            if lock is not None:
                os.close(lock)


def _locked(folder: Path) -> int | None:
    """The folder, open and locked; None if somebody else works in it."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def _copy_database(source: Path, to: Path) -> None:
    """A consistent copy of one file. The writer goes on meanwhile."""
    place = f"{source.resolve().as_uri()}?mode=ro"
    with (
        closing(sqlite3.connect(place, uri=True, timeout=30)) as reading,
        closing(sqlite3.connect(private_file(to))) as writing,
    ):
        reading.backup(writing)
        writing.execute("pragma journal_mode = delete")


def _correct(copy: Path, corrections: Sequence[tuple[str, Iterable[tuple[object, ...]]]]) -> set[str]:
    """Returns what the statements return: the references of texts that went."""
    with closing(sqlite3.connect(copy)) as database:
        database.execute("pragma secure_delete = on")
        with database:
            of_rows = (database.execute(statement, row) for statement, rows in corrections for row in rows)
            went = {ref for returned in of_rows for (ref,) in returned}
        # SQLite leaves a copy behind when it moves a row to another page.
        database.execute("vacuum")
        return went


def _put_in_place(copy: Path, to: Path) -> None:
    """Replaces a database by a corrected copy. The uncorrected copy never stands in its place."""
    if _erased(to) is None:
        for gone in (to, *(to.with_name(to.name + end) for end in ("-wal", "-shm"))):
            gone.unlink(missing_ok=True)
    private_file(to)
    with closing(sqlite3.connect(copy)) as reading, closing(sqlite3.connect(to, timeout=5)) as writing:
        reading.backup(writing)


def events(data: Path) -> dict[str, int | None]:
    """Service -> the number of events in its store; None if there is none that can be read."""
    found = {name: _read(data / f"{name}.sqlite", "select cast(count(*) as text) from events") for name in SERVICES}
    return {name: int(counts[0]) if counts else None for name, counts in found.items()}


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


def to_revoke(data: Path) -> Revoked | None:
    """What was revoked before a restore and waits to be revoked again. Raises `BackupError` if it cannot be read."""
    path = data / REVOKED
    if not path.exists():
        return None
    try:
        return Revoked(**{name: frozenset(ids) for name, ids in json.loads(path.read_bytes()).items()})
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BackupError(
            f"{path} cannot be read: {error}; it names the keys and tokens that were revoked before a restore. Revoke "
            "them by hand, then delete the file"
        ) from None


def _keep_revoked(data: Path) -> None:
    """An earlier restore may have ended before its revocations were made again."""
    known = [revoked(data), *filter(None, [to_revoke(data)])]
    found = {name: sorted(frozenset().union(*(getattr(one, name) for one in known))) for name in Revoked._fields}
    if not any(found.values()):
        return
    partial = private_file(data / f"{REVOKED}.part")
    with partial.open("w") as file:
        json.dump(found, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(data / REVOKED)


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
        ("delete from contents where ref = ? returning ref", rows),
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
