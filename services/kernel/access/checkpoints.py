"""What a service keeps of the log of all events, and which checkpoint it refuses. Pure; every service judges alike.

Audit alone could rewrite its log and sign it anew. The other services keep the newest checkpoint that they saw, and
take only one that is proven to begin with it.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from schemas.checkpoints import CHECKPOINTS, CheckpointKeyMade, CheckpointKeyRevoked, CheckpointSigned
from schemas.envelope import Event
from services.kernel.access.signatures import Unproven
from services.kernel.tlog import Refused, tree
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.note import ED25519, Note, Signature, Verifier

Keyed = Callable[..., str]
"""Gives the digest of a use and of texts under the deployment's secret."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The keys and the newest checkpoint."""

    origin: str | None = None
    """The name of the log. The first key brings it, and it never changes."""
    keys: Mapping[str, bool] = field(default_factory=dict)
    """The public keys of the log, hex, and whether each still counts."""
    size: int = 0
    root: bytes = tree.EMPTY

    def after(self, event: Event, keyed: Keyed) -> "Kept":
        """What is kept after an event of the stream. Raises `Unproven`."""
        match event.data:
            case CheckpointKeyMade() as data:
                _must_be_sealed(data, event, keyed)
                if data.use != "log":
                    return self
                if self.origin not in (None, data.origin):
                    raise Unproven(f"the log is {self.origin}, and the key {data.key} is of {data.origin}")
                return replace(self, origin=data.origin, keys={data.key: True, **self.keys})
            case CheckpointKeyRevoked() as data:
                _must_be_sealed(data, event, keyed)
                keys = {key: counts and key != data.key for key, counts in self.keys.items()}
                return replace(self, keys=keys)
            case CheckpointSigned() as data:
                return self._with(data)
        return self

    def _with(self, data: CheckpointSigned) -> "Kept":
        if data.origin != self.origin:
            raise Unproven(f"the checkpoint is of {data.origin}, and the log is {self.origin}")
        believed = {key for key, counts in self.keys.items() if counts}
        try:
            known = note_of(data).known(Verifier(data.origin, bytes.fromhex(key)) for key in sorted(believed))
        except Refused as refused:
            raise Unproven(f"the checkpoint of size {data.size} was not signed: {refused}") from None
        if not known:
            raise Unproven(f"no key of the log that counts signed the checkpoint of size {data.size}")
        if data.size < self.size:
            raise Unproven(f"the checkpoint has {data.size} events, and an earlier one had {self.size}: the log shrank")
        root = bytes.fromhex(data.root)
        if data.before != self.size:
            raise Unproven(f"the checkpoint of size {data.size} follows size {data.before}, but {self.size} was last")
        try:
            tree.must_be_consistent(data.before, data.size, [bytes.fromhex(one) for one in data.path], self.root, root)
        except Refused as refused:
            raise Unproven(f"the log was rewritten: {refused}") from None
        return replace(self, size=data.size, root=root)


def is_judged(event: Event) -> bool:
    """Whether an event is judged by what is kept."""
    return event.stream == CHECKPOINTS


def note_of(data: CheckpointSigned) -> Note:
    """The signed note of a checkpoint, as strangers read it."""
    text = Checkpoint(data.origin, data.size, bytes.fromhex(data.root)).text
    signatures = []
    for one in data.signatures:
        key = Verifier(data.origin, bytes.fromhex(one.key), ED25519)
        signatures.append(Signature(key.name, key.id, bytes.fromhex(one.value)))
    return Note(text, tuple(signatures))


def seal_of(data: CheckpointKeyMade | CheckpointKeyRevoked, at: str, keyed: Keyed) -> str:
    """The seal of an event that makes or ends a key at an instant."""
    what = ("made", data.use, data.origin) if isinstance(data, CheckpointKeyMade) else ("revoked",)
    return keyed("log-key-event", data.key, at, *what)


def _must_be_sealed(data: CheckpointKeyMade | CheckpointKeyRevoked, event: Event, keyed: Keyed) -> None:
    """A key is made and ended by who has the deployment's secret, not by everybody who writes to topics."""
    if not hmac.compare_digest(data.seal, seal_of(data, event.time_text, keyed)):
        raise Unproven(f"nobody with this deployment's secret said this of the key {data.key}")
