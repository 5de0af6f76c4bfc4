"""Events of `checkpoint` streams: what audit signed of its log, and, as a witness, of the logs of others.

They stand on a topic of their own, outside the order of all events: a checkpoint must not make the log grow that it
signs. Keys and checkpoints stand on one stream, so that every reader knows a key before its first signature.
"""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import Digest, Fact, Figure, LogName, SignatureHex, Words

CHECKPOINTS = "checkpoint-2c9b6d0e-51f7-5a8e-8f0d-6a3b9c1e7d42"
"""The one stream of the deployment's own log and keys. A witness has one more for each log that it knows."""


@event("checkpoint.key_made")
class CheckpointKeyMade(Fact):
    """The log got a key that signs its checkpoints, or the deployment one with which it cosigns those of other logs.

    `key` is its public half. `origin` names the log, or the witness. `seal` is a digest of all
    this and of the time, under the deployment's secret. Without it nobody believes the key.
    """

    use: Literal["log", "witness"]
    origin: LogName
    key: Digest
    seal: Digest


@event("checkpoint.key_revoked")
class CheckpointKeyRevoked(Fact):
    """A key of the log or of the witness counts for nothing any more. `seal` is as in `checkpoint.key_made`."""

    key: Digest
    reason: Words
    seal: Digest


class LogSignature(Fact):
    """A key's signature over the text of a checkpoint."""

    key: Digest
    value: SignatureHex


@event("checkpoint.signed")
class CheckpointSigned(Fact):
    """The root of the log at a size was signed. `path` proves that it begins with the `before` events signed last."""

    origin: LogName
    size: Figure
    root: Digest
    before: Figure
    path: tuple[Digest, ...]
    signatures: tuple[LogSignature, ...]


@event("checkpoint.log_known")
class CheckpointLogKnown(Fact):
    """This deployment is a witness for the log with this origin, by these public keys, or is none if there are none."""

    origin: LogName
    keys: tuple[Digest, ...]


@event("checkpoint.cosigned")
class CheckpointCosigned(Fact):
    """As a witness, this deployment cosigned a checkpoint of another log. It never cosigns one that does not follow."""

    origin: LogName
    size: Figure
    root: Digest
