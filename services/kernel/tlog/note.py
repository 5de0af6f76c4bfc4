"""Signed notes (c2sp.org/signed-note): a text and the lines of its signatures.

A key is known by its name and a number made from name, kind and public half. Two kinds are known: Ed25519 over the
text, and the cosignature of a witness, which is Ed25519 over the text and a time (c2sp.org/tlog-cosignature).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.kernel.tlog import Refused

ED25519, COSIGNATURE = 1, 4
"""The kinds of keys."""
MAX_BYTES = 1_000_000
MAX_SIGNATURES = 100
"""A note that is larger or has more of them is not read."""
MOST_SECONDS = 253_402_214_400
"""The last day of the year 9999, in seconds since 1970: no clock shows a later moment in every zone."""
_DASH = "— "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SEPARATOR = "\n\n"


class Signature(NamedTuple):
    """A line of a note."""

    name: str
    id: bytes
    """The four bytes of the key's number."""
    value: bytes

    @property
    def line(self) -> str:
        """The line, with its end."""
        return f"{_DASH}{self.name} {encoded(self.id + self.value)}\n"

    @property
    def at(self) -> int:
        """When a witness says that it signed: seconds since 1970. Only a cosignature says it."""
        return int.from_bytes(self.value[:8])


@dataclass(frozen=True)
class Verifier:
    """The public half of a key."""

    name: str
    public: bytes
    """32 bytes."""
    kind: int = ED25519
    id: bytes = field(init=False)

    def __post_init__(self) -> None:
        must_be_a_name(self.name)
        if self.kind not in (ED25519, COSIGNATURE) or len(self.public) != 32:
            raise Refused(f"{self.name} is no Ed25519 key, of a log or of a witness")
        object.__setattr__(self, "id", _id(self.name, self.kind, self.public))

    @classmethod
    def parse(cls, text: str) -> "Verifier":
        """The key that is written as `name+number+key`. Raises `Refused`."""
        name, _, rest = text.partition("+")
        number, _, key = rest.partition("+")
        raw = decoded(key)
        found = cls(name, raw[1:], raw[0] if raw else 0)
        if found.id.hex() != number:
            raise Refused(f"the number of the key {text[:200]!r} is not that of its name and content")
        return found

    @property
    def vkey(self) -> str:
        """The key as one line."""
        return f"{self.name}+{self.id.hex()}+{encoded(bytes([self.kind]) + self.public)}"

    def holds(self, text: str, signature: bytes) -> bool:
        """Whether this key made the signature over a text."""
        signed, value = text.encode(), signature
        if self.kind == COSIGNATURE:
            if len(signature) < 8 or signature[0] > 0x7F:
                return False
            signed, value = _cosigned(text, int.from_bytes(signature[:8])), signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(value, signed)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """The private half of a key."""

    def __init__(self, name: str, private: Ed25519PrivateKey, kind: int = ED25519) -> None:
        self._private = private
        self.verifier = Verifier(name, private.public_key().public_bytes_raw(), kind)

    def sign(self, text: str, at: int | None = None) -> Signature:
        """The signature over a text. A witness says when: `at` are seconds since 1970."""
        must_be_a_text(text)
        if self.verifier.kind == ED25519:
            value = self._private.sign(text.encode())
        else:
            assert at is not None, "a witness says when it signed"
            value = at.to_bytes(8) + self._private.sign(_cosigned(text, at))
        return Signature(self.verifier.name, self.verifier.id, value)


@dataclass(frozen=True)
class Note:
    """A note whose form is right. What its signatures are worth is told by `known`."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, raw: bytes) -> "Note":
        """The note in these bytes, which have one form only. Raises `Refused`."""
        if len(raw) > MAX_BYTES:
            raise Refused("the note is too large")
        try:
            whole = raw.decode()
        except UnicodeDecodeError:
            raise Refused("the note is no UTF-8") from None
        if _CONTROL.search(whole):
            raise Refused("the note has a control character, maybe an end of line from Windows")
        text, gap, below = whole.rpartition(_SEPARATOR)
        if not gap or not below.endswith("\n"):
            raise Refused("the note has no signatures, or its last line has no end")
        text += "\n"
        must_be_a_text(text)
        lines = below[:-1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise Refused("the note has too many signatures")
        return cls(text, tuple(map(_signature, lines)))

    @property
    def written(self) -> bytes:
        """The bytes of the note."""
        return (self.text + "\n" + "".join(one.line for one in self.signatures)).encode()

    def known(self, verifiers: Iterable[Verifier]) -> dict[Verifier, Signature]:
        """Which of these keys signed. Signatures of other keys count for nothing.

        Raises `Refused` if a signature under the name and number of one of these keys does not hold, or stands twice.
        """
        found: dict[Verifier, Signature] = {}
        by_id: dict[tuple[str, bytes], Verifier] = {}
        for verifier in verifiers:
            if by_id.setdefault((verifier.name, verifier.id), verifier) != verifier:
                raise Refused(f"two keys have the name {verifier.name} and the same number")
        for one in self.signatures:
            by = by_id.get((one.name, one.id))
            if by is None:
                continue
            if by in found:
                raise Refused(f"{one.name} signed twice")
            if not by.holds(self.text, one.value):
                raise Refused(f"the signature of {one.name} does not hold")
            if by.kind == COSIGNATURE and one.at > MOST_SECONDS:
                raise Refused(f"{one.name} says that it signed {one.at} seconds after 1970, which no clock shows")
            found[by] = one
        return found

    def signed_by(self, *more: Signature) -> "Note":
        """The note with further signatures. One of the same key takes the place of the former one."""
        new = {(one.name, one.id) for one in more}
        kept = (one for one in self.signatures if (one.name, one.id) not in new)
        return Note(self.text, (*kept, *more))


def signed(text: str, signers: Sequence[Signer]) -> Note:
    """A text that these keys of logs signed."""
    return Note(text, tuple(signer.sign(text) for signer in signers))


def lines(raw: bytes) -> tuple[Signature, ...]:
    """Lines of signatures alone, as a witness answers them. Raises `Refused`."""
    found = Note.parse(b"x\n\n" + raw)
    if found.text != "x\n":
        raise Refused("there is more than lines of signatures")
    return found.signatures


def must_be_a_name(name: str) -> None:
    """Raises `Refused` unless a key may have this name."""
    if not name or "+" in name or any(char.isspace() for char in name) or _CONTROL.search(name):
        raise Refused(f"{name[:80]!r} is no name of a key: it is empty, or has a space or a plus")


def must_be_a_text(text: str) -> None:
    """Raises `Refused` unless a note may have this text."""
    if len(text) < 2 or not text.endswith("\n") or _CONTROL.search(text):
        raise Refused("the text of a note is not empty, ends with its line, and has no control character")


def encoded(raw: bytes) -> str:
    """Base64."""
    return base64.b64encode(raw).decode()


def decoded(text: str) -> bytes:
    """What is written in base64, in its only form. Raises `Refused`."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("something is not written in base64") from None
    if encoded(raw) != text:
        raise Refused("something is not written in the only form of base64")
    return raw


def _signature(line: str) -> Signature:
    name, space, value = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise Refused(f"this is no line of a signature: {line[:80]!r}")
    must_be_a_name(name)
    raw = decoded(value)
    if len(raw) < 5:
        raise Refused(f"the signature of {name} is too short")
    return Signature(name, raw[:4], raw[4:])


def _id(name: str, kind: int, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:4]


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()
