"""What a log sends to a witness, and how a witness decides (c2sp.org/tlog-witness, c2sp.org/tlog-cosignature)."""

from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

from services.kernel.tlog import Refused
from services.kernel.tlog.checkpoint import Checkpoint, Opened, number, opened
from services.kernel.tlog.note import COSIGNATURE, Note, Verifier
from services.kernel.tlog.proof import hash_lines, hashes, parted
from services.kernel.tlog.tree import EMPTY, must_be_consistent


class Request(NamedTuple):
    """The body of `add-checkpoint`. It is also the form in which this system writes a proof of consistency."""

    old: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    """The signed note of the new checkpoint, to the byte."""

    @property
    def written(self) -> bytes:
        """The body."""
        return f"old {self.old}\n{hash_lines(self.path)}\n".encode() + self.checkpoint

    @classmethod
    def parse(cls, raw: bytes) -> "Request":
        """The request in a body, which has one form only. Raises `Refused`."""
        above, checkpoint = parted(raw)
        first = above.pop(0)
        if not first.startswith("old "):
            raise Refused("the first line names no old size")
        return cls(number(first.removeprefix("old ")), hashes(above), checkpoint)

    def must_follow(self, root: bytes, origin: str, keys: Iterable[Verifier]) -> Opened:
        """Raises `Refused` unless a believed key signed a tree that begins with the tree of `old` and `root`."""
        found = opened(self.checkpoint, origin, keys)
        must_be_consistent(self.old, found.checkpoint.size, self.path, root, found.checkpoint.root)
        return found


class Held(NamedTuple):
    """The newest checkpoint of a log that a witness cosigned."""

    size: int = 0
    root: bytes = EMPTY


class Declined(Refused):
    """A witness does not cosign. `status` is that of the answer; 409 answers the size that it holds."""

    def __init__(self, status: int, sentence: str, size: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.size = status, size


class Asked(NamedTuple):
    """A request of which the witness knows the log."""

    request: Request
    checkpoint: Checkpoint
    note: Note


def origin_of(raw: bytes) -> str:
    """Of which log a body speaks, whoever sent it. Raises `Declined` with 400."""
    try:
        return Checkpoint.parse(Note.parse(Request.parse(raw).checkpoint).text).origin
    except Refused as refused:
        raise Declined(400, str(refused)) from None


def asked(raw: bytes, keys: Iterable[Verifier] | None) -> Asked:
    """The request of a log, whose keys are these; None if the witness does not know the log. Raises `Declined`."""
    origin = origin_of(raw)
    if keys is None:
        raise Declined(404, f"this witness does not know the log {origin}")
    request = Request.parse(raw)
    try:
        found = opened(request.checkpoint, origin, keys)
    except Refused as refused:
        raise Declined(403, str(refused)) from None
    if request.old > found.checkpoint.size:
        raise Declined(400, "the old size is above the new one")
    return Asked(request, found.checkpoint, found.note)


def must_follow(this: Asked, held: Held) -> Held:
    """What the witness holds once it has cosigned. Raises `Declined`. The witness stores it before it answers."""
    request, checkpoint = this.request, this.checkpoint
    if request.old != held.size:
        raise Declined(409, f"this witness holds size {held.size}", held.size)
    if request.old == checkpoint.size and checkpoint.root != held.root:
        raise Declined(409, f"this witness holds another root of size {held.size}", held.size)
    try:
        must_be_consistent(request.old, checkpoint.size, request.path, held.root, checkpoint.root)
    except Refused as refused:
        raise Declined(422, str(refused)) from None
    return Held(checkpoint.size, checkpoint.root)


def configured_in(text: str) -> list[tuple[str, Verifier]]:
    """Addresses and keys of the witnesses in a setting: `address key`, separated by semicolons.

    Raises `ValueError` with what is wrong and what to write.
    """
    found = []
    for one in filter(None, map(str.strip, text.split(";"))):
        address, _, vkey = one.partition(" ")
        try:
            key = Verifier.parse(vkey.strip())
        except Refused as refused:
            raise ValueError(_write(one, f"behind the address stands no key ({refused})")) from None
        if key.kind != COSIGNATURE:
            raise ValueError(_write(one, f"{key.name} is the key of a log and not of a witness"))
        if not _is_address(address):
            raise ValueError(_write(one, "it begins with no web address"))
        found.append((address.rstrip("/"), key))
    return found


def _write(one: str, why: str) -> str:
    return (
        f"HUIYING_WITNESSES, {one[:200]!r}: {why}. Write for each witness the web address below which it takes "
        "add-checkpoint (https://witness.example/witness), a space, and its key (name+number+key)"
    )


def _is_address(address: str) -> bool:
    """Whether a body can be sent below it: http or https, a host, maybe a port and a path, and nothing else."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    further = (parts.query, parts.fragment, parts.username, parts.password)
    is_whole = parts.scheme in ("http", "https") and bool(host) and port != 0 and not any(further)
    return is_whole and address.isascii() and address.isprintable() and not set(address) & set("?#\\")
