"""Encryption of backups in the age format (age-encryption.org/v1), through pyrage. Stock `age` opens the files, too.

The machine that backs up has public keys alone. Content passes through in pieces of 64 KiB, each authenticated, and the
end as well: a cut file is found.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import pyrage

from services.apps.backups import BackupError
from services.kernel.files import private_file

Recipient = pyrage.x25519.Recipient
Identity = pyrage.x25519.Identity


class Sealed(BackupError):
    """A key or an encrypted file that cannot be used. The sentence says why."""


def recipients(keys: Sequence[str]) -> list[Any]:
    """Public keys, as `age1…`. Raises `Sealed`."""
    found = []
    for key in keys:
        try:
            found.append(Recipient.from_str(key))
        except pyrage.RecipientError:
            raise Sealed(
                f"{key!r} is no public key of age; it begins with age1, as `huiying backup key` says it"
            ) from None
    return found


def identities(path: Path) -> list[Any]:
    """The private keys in a file, as `age-keygen` and `keep_identity` write it. Raises `Sealed`."""
    try:
        lines = path.read_text().split()
        found = [Identity.from_str(line) for line in lines if line.startswith("AGE-SECRET-KEY-")]
    except (OSError, UnicodeDecodeError, pyrage.IdentityError):
        found = []
    if not found:
        raise Sealed(f"{path} holds no private key of age; it begins with AGE-SECRET-KEY-")
    return found


def new_identity() -> tuple[str, str]:
    """A new public key, and the text of a file with its private key, as `age-keygen` writes it."""
    identity = Identity.generate()
    public, made = str(identity.to_public()), datetime.now(UTC).isoformat(timespec="seconds")
    return public, f"# created: {made}\n# public key: {public}\n{identity}\n"


def keep_identity(path: Path) -> str:
    """Writes a new private key to a new file. Returns its public key. Raises `Sealed`."""
    if path.exists():
        raise Sealed(f"{path} is there already; a private key is never written over")
    public, text = new_identity()
    private_file(path).write_text(text)
    return public


def keys_of(written: str) -> list[str]:
    """The public keys of a setting, separated by commas or spaces."""
    return list(dict.fromkeys(filter(None, re.split(r"[,\s]+", written))))


def seal(content: BinaryIO, to: Any, keys: Sequence[Any]) -> None:
    """Encrypts. Raises `OSError`."""
    pyrage.encrypt_io(content, to, list(keys))


def open_(content: BinaryIO, to: Any, keys: Sequence[Any]) -> None:
    """Decrypts. Raises `Sealed` if it is not the key's, or was cut or altered. Some content may be written before."""
    writing = _Writing(to)
    try:
        pyrage.decrypt_io(content, writing, list(keys))
    except (pyrage.DecryptError, OSError) as error:
        if writing.failed:
            raise writing.failed from None
        if "No matching keys" in str(error):
            raise Sealed("it was encrypted for another key") from None
        raise Sealed("it was cut or altered, and cannot be decrypted") from None


class _Writing:
    """Keeps why a write failed: the codec tells it as its own failure."""

    def __init__(self, to: Any) -> None:
        self._to = to
        self.failed: OSError | None = None

    def write(self, part: bytes) -> int:
        try:
            self._to.write(part)
        except OSError as error:
            self.failed = error
            raise
        return len(part)

    def flush(self) -> None:
        self._to.flush()
