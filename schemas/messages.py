"""Events of `message` and `delivery` streams: what came from other deployments, and what they took in.

A stream has one message. Its id follows from the event that the message carries, so none is taken in twice.
"""

from typing import Literal

from pydantic import ConfigDict

from schemas.catalogue import event
from schemas.fields import Code, Digest, Fact, Figure, Instant, PeerName, Proven, SignatureHex, StreamId, Uuid, Words

Said = Literal["handed", "accepted", "refused", "answered", "returned"]
"""What a message says: a matter is handed over, or what became of one that was."""


@event("message.received")
class MessageReceived(Fact):
    """A message of another deployment was taken in. Its signature and its proof held.

    `event` is the event there, `proof` that the log there holds it. Both are kept as they came, so anybody can check
    them later. `incident` is the matter here. Of a message that hands a matter over, `report` holds the words; of
    another one, `about` is the event here that handed it over.
    """

    of: PeerName
    said: Said
    sent: Uuid
    matter: StreamId
    event: Proven
    proof: Proven
    incident: StreamId
    report: StreamId | None = None
    about: Uuid | None = None
    text: Words | None = None


class MessageReceipt(Fact):
    """What the receiver of a message signs: it has the message `sent`, whose event has this digest, on its record."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    by: PeerName
    """The deployment that has it."""
    to: PeerName
    """The deployment that sent it."""
    sent: Uuid
    """The sender's event that it carried."""
    digest: Digest
    """SHA-256 of that event."""
    record: StreamId
    """The stream on the receiver's record."""
    at: Instant
    """When it was recorded there."""


@event("delivery.taken")
class DeliveryTaken(Fact):
    """Another deployment took a message in and signed a receipt. `key` is its public key."""

    incident: StreamId
    to: PeerName
    receipt: MessageReceipt
    key: Digest
    signature: SignatureHex


@event("delivery.refused")
class DeliveryRefused(Fact):
    """Another deployment refused a message for good. It is not sent again. `cause` is the code of its problem."""

    incident: StreamId
    to: PeerName
    sent: Uuid
    status: Figure
    cause: Code
