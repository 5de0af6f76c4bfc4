"""The process that works in a data folder: only one at a time, known by a lock."""

import fcntl
from pathlib import Path
from typing import IO

from services.kernel.files import private_file, private_folder

OURS = frozenset(
    {
        *("lock", "secret", "signing-key.pem", "token-keys.json", "evidence", "attachments", "faust"),
        *("probe.json", "probe.json.lock"),
    }
)
"""A data folder with anything in it has one of these, or a database."""


class Foreign(Exception):
    """This is no folder for data of Huiying."""


def must_be_ours(data: Path) -> None:
    """Raises `Foreign` for a file, and for a folder with files of something else: their rights would be changed."""
    if data.exists() and not data.is_dir():
        raise Foreign(f"{data} is a file; name a folder with --data or HUIYING_DATA")
    there = {path.name for path in data.iterdir()} if data.exists() else set()
    if there and there.isdisjoint(OURS) and not any(name.endswith(".sqlite") for name in there):
        raise Foreign(
            f"{data} holds files of something else, such as {min(there)}; "
            "name an empty folder or one of Huiying with --data or HUIYING_DATA"
        )


class InUse(Exception):
    """Another process owns the data folder."""


class FolderLock:
    """The right to write in a data folder, held until the process ends or `release`."""

    def __init__(self, data: Path) -> None:
        self._path, self._address = data / "lock", data / "address"
        self._file: IO[str] | None = None

    def take(self) -> None:
        """Raises `InUse`, with the owner's address if that is known."""
        private_folder(self._path.parent)
        private_file(self._path)
        file = self._path.open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise InUse(
                f"another process works in {self._path.parent}"
                + (f" and answers at {address}" if (address := self.address()) else "")
            ) from error
        self._file = file
        self._address.unlink(missing_ok=True)

    def say(self, address: str) -> None:
        """Leaves the server's address where the command line finds it."""
        private_file(self._address)
        self._address.write_text(address)

    def address(self) -> str | None:
        """The address of the owner, if it serves."""
        try:
            return self._address.read_text().strip() or None
        except FileNotFoundError:
            return None

    def release(self) -> None:
        """Lets the folder go."""
        if self._file is not None:
            self._address.unlink(missing_ok=True)
            self._file.close()
            self._file = None


def folder_owner(data: Path) -> str | None:
    """Who works in the folder: an address, an empty text if none is known, or None if nobody does."""
    lock = FolderLock(data)
    try:
        lock.take()
    except InUse:
        return lock.address() or ""
    lock.release()
    return None
