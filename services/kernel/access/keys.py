"""Keys derived from the deployment's secret, one for each use.

No key reveals another key or the secret. The secret signs no token, so the digests stay the same when the token keys
change.
"""

import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.kernel.files import private_file, private_folder
from services.kernel.settings import Settings

SECRET_FILE = "secret"  # noqa: S105  a name
MIN_SECRET = 32
NONCE = 12
USES = frozenset(
    {
        "match",
        "place",
        "duplicate",
        "sent",
        "receipt",
        "receipt-of",
        "by",
        "caller",
        "request",
        "answer",
        "notice-address",
        "set-up",
        "form",
        "mail",
        "mail-reply",
        "imported",
        "second-factor",
        "known-browser",
        "sign-in",
        "provider",
        "provider-session",
        "statement-key",
        "channel-secret",
        "subscription-secret",
        "post-key",
        "post-key-event",
        "log-key",
        "log-key-event",
        "message-key",
        "backup",
    }
)
"""The uses of keys. A new use gets a new name. A name that changes its meaning breaks all earlier digests."""


def deployment_secret(settings: Settings) -> bytes:
    """The secret from which all keys are derived.

    Embedded, it is made once in the data folder, and only the owner can read it.
    """
    given = settings.secret.get_secret_value()
    if given:
        return _long_enough(given, "HUIYING_SECRET")
    if not settings.embedded:
        raise ValueError(f"set HUIYING_SECRET to at least {MIN_SECRET} random characters, the same for every service")
    path: Path = settings.data / SECRET_FILE
    if not path.exists():
        private_folder(settings.data)
        private_file(path).write_text(secrets.token_urlsafe(48))
    return _long_enough(path.read_text(), str(path))


def _long_enough(secret: str, place: str) -> bytes:
    secret = secret.strip()
    if len(secret) < MIN_SECRET:
        raise ValueError(f"{place} has {len(secret)} characters; it needs at least {MIN_SECRET}")
    return secret.encode()


class Keys:
    """The keys of a deployment. Each one is derived at its first use."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._keys: dict[str, bytes] = {}
        self._keyed: dict[str, hmac.HMAC] = {}
        """Use -> HMAC that has taken in the key. A copy of it is faster than one that starts with the key."""

    def digest(self, use: str, *parts: str) -> str:
        """HMAC-SHA-256 of texts under the key of this use, hex."""
        if use not in self._keyed:
            self._keyed[use] = hmac.new(self._key(use), digestmod="sha256")
        keyed = self._keyed[use].copy()
        keyed.update("\x00".join(parts).encode())
        return keyed.hexdigest()

    def seal(self, use: str, content: bytes, place: str) -> bytes:
        """The content, encrypted for `place`. It opens only there."""
        nonce = os.urandom(NONCE)
        return nonce + AESGCM(self._key(use)).encrypt(nonce, content, place.encode())

    def open(self, use: str, sealed: bytes, place: str) -> bytes:
        """The inverse of `seal`.

        Raises `ValueError` for content that was sealed for another place or under another secret.
        """
        try:
            return AESGCM(self._key(use)).decrypt(sealed[:NONCE], sealed[NONCE:], place.encode())
        except InvalidTag:
            raise ValueError("the stored content was sealed under another secret, or somebody altered it") from None

    def _key(self, use: str) -> bytes:
        if use not in self._keys:
            if use not in USES:
                raise ValueError(f"no key is for {use!r}; there are keys for {', '.join(sorted(USES))}")
            derive = HKDF(SHA256(), length=32, salt=None, info=f"huiying {use}".encode())
            self._keys[use] = derive.derive(self._secret)
        return self._keys[use]
