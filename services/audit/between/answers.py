"""The answer on messages between deployments, for the API's documents."""

from typing import Any, Literal

from schemas.fields import Code, Instant, PeerName, StreamId, Uuid
from schemas.messages import MessageReceipt, Said
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered

_ITEM: dict[str, Any] = {
    "peer": "city",
    "sent_by": "here",
    "said": "handed",
    "event": "01890a5d-a1b2-7c3d-8e4f-5061728394a5",
    "at": "2026-03-02T01:00:00.000000Z",
    "state": "taken",
    "taken_at": "2026-03-02T01:00:02.000000Z",
    "cause": None,
    "record": "message-5b1f0f6e-1d0a-5d8c-9a55-2d1f2b1f0c11",
    "receipt": {
        "by": "city",
        "to": "county",
        "sent": "01890a5d-a1b2-7c3d-8e4f-5061728394a5",
        "digest": "9f2c" * 16,
        "record": "message-5b1f0f6e-1d0a-5d8c-9a55-2d1f2b1f0c11",
        "at": "2026-03-02T01:00:02.000000Z",
    },
    "signature": "9f2c" * 32,
    "content": None,
    "proof": None,
}


class BetweenMessage(Answered):
    """A message to or from another deployment."""

    peer: PeerName
    """The other deployment."""
    sent_by: Literal["here", "there"]
    """Who sent it."""
    said: Said
    """What it says."""
    event: Uuid
    """The sender's event that it carries."""
    at: Instant
    """When the sender recorded the event."""
    state: Literal["waiting", "taken", "refused"]
    """Whether the receiver has it: it waits to be taken, was taken in, or was refused for good."""
    taken_at: Instant | None
    """When the receiver took it in."""
    cause: Code | None
    """The code of the problem for which it was refused, or why the last try failed."""
    record: StreamId | None
    """The stream on the receiver's record."""
    receipt: MessageReceipt | None
    """What the other deployment signed, of a message from here."""
    signature: str | None
    """Its signature, hex."""
    content: str | None
    """The event as it came, of a message from there. Written to a file, `huiying verify event` checks it."""
    proof: str | None
    """The proof that the log there holds it (tlog-proof)."""


class BetweenMessages(Answered, json_schema_extra=example(items=[_ITEM])):
    """The messages on a matter, in the order in which they were recorded here."""

    items: tuple[BetweenMessage, ...]
    """The messages."""
