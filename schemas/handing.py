"""Events of `incident` streams on matters that go to another deployment and come back from it."""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import Digest, Fact, PeerName, StreamId, Uuid, Words

Told = Literal["accepted", "refused", "answered", "returned"]
"""What a deployment says of a matter that was handed over to it."""
Heard = Literal["accepted", "refused", "answered", "returned", "undelivered"]
"""What the other deployment said; or it did not take the message in."""


class Handed(Fact):
    """Where a report came from: the event of the deployment `of` that handed the matter over, and its matter there."""

    of: PeerName
    sent: Uuid
    matter: StreamId


class HandedText(Fact):
    """A report whose text is handed over: the digests of its words, as `report.received` has them."""

    report: StreamId
    subject: Digest
    text: Digest


@event("incident.handed_over")
class IncidentHandedOver(Fact):
    """The matter was handed over to the deployment `to`, which decides whether it accepts.

    Until then it stays the business of this one. `subject` and `reason` are for the other deployment, and so are the
    words of `reports`.
    """

    to: PeerName
    subject: Words
    reason: Words
    reports: tuple[HandedText, ...] = ()


@event("incident.peer_told")
class IncidentPeerTold(Fact):
    """The deployment `to`, which handed the matter over, was told something.

    `about` is the event there that handed it over, `matter` the incident there.
    """

    to: PeerName
    about: Uuid
    matter: StreamId
    said: Told
    text: Words | None = None


@event("incident.peer_heard")
class IncidentPeerHeard(Fact):
    """The deployment to which the matter was handed over said something, or a message to another one was refused.

    `about` is the event that handed it over. Of a message to the deployment from which the matter came, it is the event
    that told it. `message` is the stream of the message with its proof and its words, or of the refusal.
    """

    of: PeerName
    about: Uuid
    said: Heard
    message: StreamId
    text: Words | None = None
