"""One event with its proof."""

from typing import NamedTuple

from schemas.envelope import Event
from services.kernel.sealed.strict import event_of
from services.kernel.sealed.trust import Trust
from services.kernel.tlog import Refused
from services.kernel.tlog.checkpoint import Checkpoint
from services.kernel.tlog.leaf import leaf_of
from services.kernel.tlog.proof import Proof
from services.kernel.tlog.tree import must_be_included


class Proven(NamedTuple):
    """An event at its position in a log that somebody believed signed."""

    event: Event
    position: int
    checkpoint: Checkpoint


def proven(event: bytes, proof: bytes, trust: Trust, where: str = "the event") -> Proven:
    """Checks an event's bytes by the bytes of a tlog-proof. Raises `Refused`."""
    found = event_of(event, where)
    told = Proof.parse(proof)
    if told.extra is not None:
        raise Refused(f"{where}: the proof carries something that nobody signed")
    checkpoint = trust.open(told.checkpoint, f"{where}: its checkpoint")
    try:
        must_be_included(told.position, checkpoint.size, leaf_of(found).hash, told.path, checkpoint.root)
    except Refused as refused:
        raise Refused(f"{where}: position {told.position} does not hold this event: {refused}") from None
    return Proven(found, told.position, checkpoint)
