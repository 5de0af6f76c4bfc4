"""Files in a folder, each under a random reference that reveals nothing of its content.

A file is complete or does not exist: it is written under another name, made durable, then renamed. Only the owner of
the folder reads it. A file that no event names does no harm.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Blob(NamedTuple):
    """A file that is durable."""

    file: str
    size: int
    sha256: str


class Writing:
    """A file on its way in. End it with `keep` or `drop`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.file = folder, secrets.token_hex(24)
        self._beside = folder / f"{self.file}.part"
        self._out = os.fdopen(os.open(self._beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, part: bytes) -> None:
        self._out.write(part)
        self._hash.update(part)
        self.size += len(part)

    def keep(self) -> Blob:
        """Makes the file durable under its reference."""
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        self._beside.rename(self._folder / self.file)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return Blob(self.file, self.size, self._hash.hexdigest())

    def drop(self) -> None:
        """Deletes the file."""
        self._out.close()
        self._beside.unlink(missing_ok=True)


class Blobs:
    """The folder, made at its first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self) -> Writing:
        """A new file under a new reference."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Writing(self._folder)

    def path(self, file: str) -> Path:
        """The path of a file, whether it exists or not."""
        return self._folder / file

    def names(self) -> frozenset[str]:
        """The references of the existing files."""
        with contextlib.suppress(FileNotFoundError):
            return frozenset(path.name for path in self._folder.iterdir() if path.suffix != ".part")
        return frozenset()

    def unfinished(self, since: float) -> frozenset[str]:
        """The names of files that were begun before `since`, in seconds of Unix time, and were never finished."""
        found = set()
        with contextlib.suppress(FileNotFoundError):
            for path in self._folder.glob("*.part"):
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < since:
                        found.add(path.name)
        return frozenset(found)

    def delete(self, files: Iterable[str]) -> None:
        """Deletes files. A missing file is no error."""
        for file in files:
            self.path(file).unlink(missing_ok=True)
