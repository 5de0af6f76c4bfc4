"""The keys of staff tokens. A private key signs where tokens are issued; services believe several public keys at once.

No service can make a token. The public key of a former signing key stays while its tokens are in use.

A key's `kid` is its thumbprint (RFC 7638) in hex. In base64 it could begin with a dash and look like a command-line
option.
"""

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm

from schemas.claims import to_sign
from services.kernel.settings import Settings

ALGORITHM = "EdDSA"
FRESH = 1.0
"""A file of keys is not looked at again for this many seconds."""
SIGNING_KEY_FILE, KEY_SET_FILE = "signing-key.pem", "token-keys.json"
logger = structlog.get_logger()


class SigningKey:
    """The private key. Only the issuing side holds it: the command line, or the pages for staff."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.kid = _thumbprint(private.public_key())

    @classmethod
    def new(cls) -> "SigningKey":
        """A random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, path: Path) -> "SigningKey":
        """The key in a PEM file. Raises `ValueError` if the file has none."""
        try:
            private = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except FileNotFoundError:
            raise ValueError(f"{path} is missing; issue tokens where the signing key is") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise ValueError(f"{path} holds no Ed25519 key")  # noqa: TRY004  a value of the wrong kind
        return cls(private)

    def write(self, path: Path) -> None:
        """Writes the key to a PEM file that only its owner can read."""
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        text = self._private.private_bytes(encoding, form, serialization.NoEncryption())
        _replace(path, text, 0o600)

    @property
    def public(self) -> dict[str, Any]:
        """The public key as a JSON Web Key."""
        return jwk_of(self.public_hex)

    @classmethod
    def of(cls, raw: bytes) -> "SigningKey":
        """The key of these 32 bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(raw))

    @property
    def raw(self) -> bytes:
        """The 32 bytes of the private key. Whoever stores them seals them."""
        return self._private.private_bytes_raw()

    @property
    def public_hex(self) -> str:
        """The 32 bytes of the public key."""
        return self._private.public_key().public_bytes_raw().hex()

    def sign(self, claims: dict[str, Any]) -> str:
        """The claims as a JSON Web Token."""
        return jwt.encode(claims, self._private, ALGORITHM, headers={"kid": self.kid})

    def sign_detached(self, content: Mapping[str, Any]) -> str:
        """The signature of a post over this content, hex; see `schemas.claims`."""
        return self._private.sign(to_sign(self.kid, content)).hex()

    def sign_bytes(self, content: bytes, kind: str) -> str:
        """A JSON Web Signature over exactly these bytes (RFC 7515, compact). `kind` is its `typ`."""
        return jwt.api_jws.encode(content, self._private, ALGORITHM, headers={"kid": self.kid, "typ": kind})


class PublicKeys:
    """The public keys that verify tokens: a JSON Web Key Set, given as text or as a file that may change."""

    def __init__(self, source: str | Path) -> None:
        self._path = source if isinstance(source, Path) else None
        self._keys = {} if isinstance(source, Path) else _parsed(source, "HUIYING_TOKEN_KEYS")
        self._seen: tuple[int, int] | None = None
        self._until = 0.0
        self._look()

    def find(self, kid: str) -> Ed25519PublicKey | None:
        """The key with this id, if it is believed."""
        self._look()
        return self._keys.get(kid)

    def _look(self) -> None:
        if self._path is None or time.monotonic() < self._until:
            return
        self._until = time.monotonic() + FRESH
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_ino)
            if seen != self._seen:
                self._keys, self._seen = _parsed(self._path.read_text(), str(self._path)), seen
        except (OSError, ValueError) as error:
            if not self._keys:
                raise ValueError(f"the public keys of staff tokens cannot be read: {error}") from None
            logger.warning("token_keys.unreadable", path=str(self._path), error=str(error))


def believed(text: str, place: str) -> dict[str, Ed25519PublicKey]:
    """Key id -> key, of a JSON Web Key Set whose ids are the keys' thumbprints. Raises `ValueError` with the place."""
    found = _parsed(text, place)
    for kid, key in found.items():
        if kid != _thumbprint(key):
            raise ValueError(f"{place} holds a key whose id {kid[:64]!r} is not its thumbprint")
    return found


def jwk_of(public_hex: str) -> dict[str, Any]:
    """The JSON Web Key of a public key's 32 bytes."""
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))
    return {**_jwk(public), "kid": _thumbprint(public), "use": "sig", "alg": ALGORITHM}


def public_keys(settings: Settings) -> PublicKeys:
    """The keys that verify this deployment's tokens. Raises `ValueError` if none are named."""
    given = settings.token_keys.strip()
    if given.startswith("{"):
        return PublicKeys(given)
    path = key_set_file(settings)
    if not path.exists() and not given and not settings.embedded:
        raise ValueError(
            "set HUIYING_TOKEN_KEYS to the public keys of staff tokens, as `huiying users rotate` says them"
        )
    return PublicKeys(path)


def key_set_file(settings: Settings) -> Path:
    """The path of the public keys, whether the file exists or not."""
    given = settings.token_keys.strip()
    return Path(given) if given and not given.startswith("{") else settings.data / KEY_SET_FILE


def signing_key_file(settings: Settings) -> Path:
    """The path of the signing key, whether the file exists or not."""
    return settings.signing_key or settings.data / SIGNING_KEY_FILE


def make_keys(settings: Settings) -> None:
    """Embedded: makes the pair if there is none."""
    if not settings.token_keys and not key_set_file(settings).exists():
        rotate(settings)


def rotate(settings: Settings) -> str:
    """Makes a new signing key and believes it beside the former ones. Returns the key set for services elsewhere.

    Tokens of the former key stay valid until they expire.
    """
    path, key = key_set_file(settings), SigningKey.new()
    held = _held(path)
    for file in (path, signing_key_file(settings)):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # The key is believed before it signs, so that no token is refused in between.
    said = _write_set(path, [*held.values(), key.public])
    key.write(signing_key_file(settings))
    return said


def drop(settings: Settings, kid: str) -> str:
    """Stops believing a key: all its tokens end at once. Returns the key set. Raises `ValueError`."""
    path = key_set_file(settings)
    held = _held(path)
    if kid not in held:
        raise ValueError(f"{path} holds no key {kid}; it holds {', '.join(held) or 'none'}")
    if len(held) == 1:
        raise ValueError("this is the only key; run `huiying users rotate` first")
    if (signing := signing_key_file(settings)).exists() and SigningKey.read(signing).kid == kid:
        raise ValueError(f"{signing} signs by this key; run `huiying users rotate` first")
    return _write_set(path, [key for other, key in held.items() if other != kid])


def _held(path: Path) -> dict[str, dict[str, Any]]:
    if not path.exists():
        return {}
    _parsed(path.read_text(), str(path))
    return {str(key["kid"]): key for key in json.loads(path.read_text())["keys"]}


def _write_set(path: Path, keys: list[dict[str, Any]]) -> str:
    said = json.dumps({"keys": keys})
    _replace(path, said.encode(), 0o644)
    return said


def _replace(path: Path, content: bytes, mode: int) -> None:
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_bytes(content)
    # Also where the process's own mask is stricter: services of other users read the public keys.
    fresh.chmod(mode)
    fresh.replace(path)


def _parsed(text: str, place: str) -> dict[str, Ed25519PublicKey]:
    """Key id -> key. Raises `ValueError` with the place of the fault."""
    try:
        keys: list[dict[str, Any]] = [dict(key) for key in json.loads(text)["keys"]]
        kids = [str(key["kid"]) for key in keys]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{place} is no JSON Web Key Set: {error}") from None
    if not keys:
        raise ValueError(f"{place} holds no key")
    return {kid: _public(key, place) for kid, key in zip(kids, keys, strict=True)}


def _public(key: dict[str, Any], place: str) -> Ed25519PublicKey:
    if "d" in key:
        raise ValueError(f"{place} holds a private key; services get public keys alone")
    try:
        read = OKPAlgorithm.from_jwk(key)
    except jwt.InvalidKeyError as error:
        raise ValueError(f"{place} holds a key that cannot be read: {error}") from None
    if not isinstance(read, Ed25519PublicKey):
        raise ValueError(f"{place} holds a key that is not Ed25519")  # noqa: TRY004  a value of the wrong kind
    return read


def _jwk(public: Ed25519PublicKey) -> dict[str, str]:
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return {"crv": "Ed25519", "kty": "OKP", "x": base64.urlsafe_b64encode(raw).rstrip(b"=").decode()}


def _thumbprint(public: Ed25519PublicKey) -> str:
    canonical = json.dumps(_jwk(public), separators=(",", ":"), sort_keys=True).encode()
    return hashlib.sha256(canonical).hexdigest()
