"""A log of a few events, with its key and two witnesses, and everything that its server would hand out."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from schemas.envelope import Event
from services.kernel.sealed.trust import Trust
from services.kernel.tlog import note, tree
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.leaf import leaf_of
from services.kernel.tlog.note import COSIGNATURE, Signer
from services.kernel.tlog.proof import Proof
from services.kernel.tlog.witness import Request

ORIGIN = "log.example/county"


def signer(name: str, number: int, kind: int = note.ED25519) -> Signer:
    """A key that is the same in every run."""
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32), kind)


KEY = signer(ORIGIN, 1)
WITNESSES = (signer("witness.example/city", 2, COSIGNATURE), signer("witness.example/province", 3, COSIGNATURE))


@dataclass(frozen=True)
class Log:
    """Events in the log's order."""

    events: Sequence[Event]
    key: Signer = KEY
    witnesses: Sequence[Signer] = ()

    def trust(self, *seen: bytes, needed: int = 0) -> Trust:
        """What a caller believes of this log."""
        found = Trust((KEY.verifier,), tuple(one.verifier for one in WITNESSES), needed)
        for one in seen:
            found.see(one)
        return found

    @property
    def leaves(self) -> list[bytes]:
        return [leaf_of(event).hash for event in self.events]

    def root(self, size: int | None = None) -> bytes:
        return tree.root_over(self.leaves[:size])

    def checkpoint(self, size: int | None = None) -> bytes:
        """The signed note of the first `size` events, by default of all."""
        size = len(self.events) if size is None else size
        text = Checkpoint(self.key.verifier.name, size, self.root(size)).text
        made = [self.key.sign(text), *(one.sign(text, 1_800_000_000) for one in self.witnesses)]
        return note.Note(text, tuple(made)).written

    def path(self, position: int, size: int | None = None) -> tuple[bytes, ...]:
        """The hashes that prove the event at a position."""
        size = len(self.events) if size is None else size
        spans = tree.inclusion(position, size)
        return tuple(tree.root_over(self.leaves[span.start : span.end]) for span in spans)

    def proof(self, position: int, size: int | None = None) -> bytes:
        """The file that proves the event at a position."""
        return Proof(position, self.path(position, size), self.checkpoint(size)).written

    def consistency(self, old: int, size: int | None = None) -> bytes:
        """The proof that the log of `size` events begins with that of `old` events."""
        size = len(self.events) if size is None else size
        spans = tree.consistency(old, size)
        path = tuple(tree.root_over(self.leaves[span.start : span.end]) for span in spans)
        return Request(old, path, self.checkpoint(size)).written
