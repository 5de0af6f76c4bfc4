"""A backup as a folder: the files, each encrypted for the keys that were given, and a manifest with their digests.

A backup is there whole or not at all. Files pass through in pieces, so memory does not grow with them, and what is
encrypted never stands on the backup's disk in the clear.
"""

import hashlib
import hmac
import io
import json
import os
import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, Self

from pydantic import BaseModel, ValidationError

from schemas.catalogue import SERVICES
from schemas.fields import instant, parse_instant
from services.apps.backups import BackupError, sealing
from services.kernel.access.keys import SECRET_FILE, Keys
from services.kernel.access.signing import KEY_SET_FILE, SIGNING_KEY_FILE
from services.kernel.files import private_file

FORMAT = "huiying-backup-3"
MANIFEST = "manifest.json"
SEALED = ".age"
PART = 1 << 18
FOLDERS = ("evidence", "attachments", "archives")
STORES = {f"{name}.{end}" for name in (*SERVICES, "console") for end in ("sqlite", "dump")}
WHOLE = {*STORES, "log.sqlite", SECRET_FILE, KEY_SET_FILE, SIGNING_KEY_FILE}
_IN_A_FOLDER = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]*", re.ASCII)


def is_name(name: str) -> bool:
    """Whether a backup makes files of this name. Any other one may lead out of its folder."""
    folder, _, file = name.partition("/")
    return name in WHOLE or (folder in FOLDERS and _IN_A_FOLDER.fullmatch(file) is not None)


class Sink(Protocol):
    """What the content of a file is written to."""

    def write(self, part: bytes, /) -> Any: ...

    def flush(self) -> Any: ...


class Manifest(BaseModel):
    """What stands beside the files, in the clear."""

    format: str
    kind: str
    """`folder` or `postgresql`."""
    made_at: str
    files: dict[str, str]
    """Name on disk -> SHA-256."""
    keys: list[str] = []
    """The public keys for which the files are encrypted; empty if they are not."""
    told: dict[str, Any] = {}
    """What the system said of itself: `deployment`, `prefix`, `partitions`; `ends`, the ends of its topics as
    topic/partition -> offset; `lacks`, sentences on what the backup does not hold."""
    mac: str = ""
    """All else under a key of the deployment's secret, so that nobody else makes a backup of it. Files are encrypted
    for a public key, which anybody may have."""

    @property
    def made(self) -> datetime:
        return parse_instant(self.made_at)

    def mac_under(self, secret: bytes) -> str:
        """The code of everything else, under this secret."""
        said = json.dumps(self.model_dump(exclude={"mac"}), ensure_ascii=False, sort_keys=True)
        return Keys(secret.strip()).digest("backup", said)

    @property
    def lacks(self) -> list[str]:
        """Sentences on what the backup does not hold."""
        return list(self.told.get("lacks", ()))


class _Counted:
    """A file that is written, with its digest."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.sha256 = file, hashlib.sha256()

    def write(self, part: bytes, /) -> int:
        self.sha256.update(part)
        return self._file.write(part)

    def flush(self) -> None:
        self._file.flush()


class Nothing:
    """Takes everything and keeps nothing."""

    def write(self, part: bytes, /) -> int:
        return len(part)

    def flush(self) -> None:
        pass


@dataclass
class Making:
    """A backup that is made beside its final place."""

    to: Path
    kind: str
    keys: Sequence[str] = ()
    before: "Held | None" = None
    """An earlier backup. What never changes is linked from it."""
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.to.exists() and (not self.to.is_dir() or any(self.to.iterdir())):
            raise BackupError(f"{self.to} is not empty; name a new folder for each backup")
        self._recipients = sealing.recipients(self.keys)
        self._partial = self.to.with_name(self.to.name + ".partial")
        shutil.rmtree(self._partial, ignore_errors=True)
        self._partial.mkdir(parents=True, mode=0o700)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed:
            shutil.rmtree(self._partial, ignore_errors=True)

    def add(self, name: str, content: BinaryIO) -> None:
        """Takes a file in. `name` may have one folder in it."""
        written, path = self._place(name)
        with path.open("wb") as file:
            counted = _Counted(file)
            if self._recipients:
                sealing.seal(content, counted, self._recipients)
            else:
                shutil.copyfileobj(content, counted, PART)
            file.flush()
            os.fsync(file.fileno())
        self.files[written] = counted.sha256.hexdigest()

    def add_unchanging(self, name: str, path: Path) -> None:
        """Takes a file in that never changes under its name. It is linked from the earlier backup if it is there whole.

        A file that is deleted meanwhile was erased.
        """
        written, place = self._place(name)
        before = self.before
        if before and list(before.manifest.keys) == list(self.keys) and before.is_whole(written):
            place.unlink()
            with suppress(OSError):
                os.link(before.folder / written, place)
                self.files[written] = before.manifest.files[written]
                return
            private_file(place)
        try:
            content = path.open("rb")
        except FileNotFoundError:
            place.unlink()
            return
        with content:
            self.add(name, content)

    def add_bytes(self, name: str, content: bytes) -> None:
        """Takes a small file in."""
        self.add(name, io.BytesIO(content))

    def finish(self, secret: bytes | None, **told: Any) -> Manifest:
        """Reads the backup again, and puts it in its place. Raises `BackupError` if it is not whole."""
        manifest = Manifest(
            format=FORMAT,
            kind=self.kind,
            made_at=instant(datetime.now(UTC)),
            files=dict(sorted(self.files.items())),
            keys=list(self.keys),
            told=told,
        )
        if secret is not None:
            manifest = manifest.model_copy(update={"mac": manifest.mac_under(secret)})
        with private_file(self._partial / MANIFEST).open("w") as file:
            file.write(json.dumps(manifest.model_dump(), ensure_ascii=False, indent=1) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if altered := Held.at(self._partial).altered():
            raise BackupError(
                f"{altered} could not be read as it was written; look at the disk. There is no new backup"
            )
        if self.to.exists():
            self.to.rmdir()
        self._partial.rename(self.to)
        return manifest

    def _place(self, name: str) -> tuple[str, Path]:
        written = name + SEALED if self._recipients else name
        path = self._partial / written
        path.parent.mkdir(exist_ok=True, mode=0o700)
        return written, private_file(path)


class Held:
    """A backup that is read. Nothing is given out before the whole backup was found unaltered."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder, self.manifest = folder, manifest
        self._whole = manifest.model_copy(deep=True)
        self._identities: Sequence[sealing.Identity] = ()

    @classmethod
    def at(cls, folder: Path) -> "Held":
        """The backup in a folder, by its manifest alone. Raises `BackupError`."""
        try:
            manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        except (OSError, ValidationError):
            raise BackupError(f"{folder} holds no backup: its {MANIFEST} cannot be read") from None
        if manifest.format != FORMAT:
            raise BackupError(f"{folder} is no backup of this version")
        end = SEALED if manifest.keys else ""
        for name in manifest.files:
            if not (name.endswith(end) and is_name(name.removesuffix(end))):
                raise BackupError(f"{folder} names a file {name!r}, which no backup has; somebody altered it")
        return cls(folder, manifest)

    @classmethod
    def open(cls, folder: Path, kind: str, identity: Path | None = None, without: Collection[str] = ()) -> "Held":
        """A backup of this kind whose every file is unaltered and can be read, but for folders that nobody needs.

        Raises `BackupError`.
        """
        held = cls.at(folder)
        manifest = held.manifest
        if manifest.kind != kind:
            raise BackupError(f"{folder} is no {kind} backup of this version")
        for left in without:
            for name in [name for name in manifest.files if name.startswith(f"{left}/")]:
                del manifest.files[name]
        held.must_be_whole()
        if manifest.keys and identity is None:
            raise BackupError(f"{folder} is encrypted; name the file of its private key with --key-file")
        held.unlock(identity)
        return held

    def is_made_under(self, secret: bytes) -> bool:
        """Whether a deployment with this secret made it, and nobody altered its manifest."""
        return hmac.compare_digest(self._whole.mac_under(secret), self._whole.mac)

    def must_be_whole(self) -> None:
        """Raises `BackupError` if a file is missing or altered. It needs no private key."""
        if altered := self.altered():
            raise BackupError(f"{altered} is missing or differs from the backup; nothing was restored")

    def altered(self) -> Path | None:
        """The first file that is missing or altered."""
        return next((self.folder / name for name in self.manifest.files if not self.is_whole(name)), None)

    def is_whole(self, name: str) -> bool:
        """Whether the file on disk is the one of the manifest."""
        try:
            with (self.folder / name).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.manifest.files.get(name)
        except OSError:
            return False

    def unlock(self, identity: Path | None) -> None:
        """Reads the whole backup with the private key. Raises `BackupError` if it cannot be read."""
        if self.manifest.keys and identity is not None:
            self._identities = sealing.identities(identity)
            for name in self.names():
                self.copy(name, Nothing())

    def names(self, folder: str = "") -> list[str]:
        """The names of the files, as they were added; or of those in one folder."""
        end = SEALED if self.manifest.keys else ""
        found = [name.removesuffix(end) for name in self.manifest.files]
        return [name for name in found if name.startswith(f"{folder}/")] if folder else found

    def __contains__(self, name: str) -> bool:
        return (name + SEALED if self.manifest.keys else name) in self.manifest.files

    def copy(self, name: str, to: Sink) -> None:
        """Writes the content of a file. Raises `BackupError` if it cannot be read."""
        written = name + SEALED if self.manifest.keys else name
        try:
            with (self.folder / written).open("rb") as file:
                if self.manifest.keys:
                    sealing.open_(file, to, self._identities)
                else:
                    shutil.copyfileobj(file, to, PART)
        except sealing.Sealed as error:
            raise BackupError(f"{self.folder / written}: {error}; nothing was restored") from None

    def content(self, name: str) -> bytes:
        """The content of a small file."""
        to = io.BytesIO()
        self.copy(name, to)
        return to.getvalue()

    @property
    def told(self) -> Mapping[str, Any]:
        """What the system said of itself."""
        return self.manifest.told
