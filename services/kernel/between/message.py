"""A message between deployments: one CloudEvent that carries an event of the sender, its words, and its proof. Pure.

The form is strict: what is read and written again gives the same bytes. Whom a message is for stands in its event,
which the sender's log holds, so nobody can give it another address.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import NamedTuple, NoReturn

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas import catalogue
from schemas.envelope import Event, Undecodable, UnknownType
from schemas.fields import Fact, SaltHex
from schemas.lists import Peer
from services.kernel.between import signed
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.tlog import Refused
from services.kernel.tlog.leaf import leaf_of
from services.kernel.tlog.note import Verifier
from services.kernel.tlog.proof import Proof

TYPE = "huiying.message.v1"
KIND = "application/cloudevents+json"
LIMIT = 8_000_000
"""The most bytes of a message: so many have the longest texts of twenty reports."""
PATH = "/ingest/v1/messages"
"""Where a deployment takes messages, below its address."""
MAX_WORDS, MAX_TEXT = 60, 100_000


class Word(Fact):
    """Words with the salt of their digest. The event has the digest."""

    salt: SaltHex
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 over salt and words, as events have it."""
        return hashlib.sha256(bytes.fromhex(self.salt) + self.text.encode()).hexdigest()


class Message(NamedTuple):
    """What a message carries."""

    event: Event
    proof: bytes
    words: tuple[Word, ...]

    @property
    def id(self) -> str:
        """The id of the message. It is the same in each try."""
        return f"msg_{derived('between', self.event.id)}"

    @property
    def body(self) -> bytes:
        """The CloudEvent in the structured form, canonical."""
        told = {
            "specversion": "1.0",
            "id": self.event.id,
            "source": self.event.attributes["source"],
            "type": TYPE,
            "subject": self.event.stream,
            "time": self.event.time_text,
            "datacontenttype": "application/json",
            "data": {
                "event": base64.b64encode(self.event.bytes).decode(),
                "proof": base64.b64encode(self.proof).decode(),
                "words": [one.model_dump() for one in self.words],
            },
        }
        return orjson.dumps(told, option=orjson.OPT_SORT_KEYS)

    def text(self, digest: str) -> str | None:
        """The words of this digest; None if they were erased before the message went out."""
        return next((one.text for one in self.words if one.digest == digest), None)


_WORDS: TypeAdapter[tuple[Word, ...]] = TypeAdapter(tuple[Word, ...])


def parse(body: bytes) -> Message:
    """The message in these bytes. Raises `Malformed`."""
    try:
        data = orjson.loads(body)["data"]
        raw = base64.b64decode(data["event"], validate=True)
        found = Message(
            Event.parse(raw), base64.b64decode(data["proof"], validate=True), _WORDS.validate_python(data["words"])
        )
        found.event.data  # noqa: B018, it is read here
    except (KeyError, TypeError, ValueError, binascii.Error, ValidationError, Undecodable, UnknownType):
        _unreadable("its body is no message")
    if found.event.type not in catalogue.BETWEEN or not found.event.is_canonical:
        _unreadable("it carries no event that goes between deployments")
    if found.event.drill:
        _unreadable("it is of an exercise, which stays in its deployment")
    if len(found.words) > MAX_WORDS or any(len(one.text) > MAX_TEXT for one in found.words):
        _unreadable("it has too many words")
    if any("\0" in one.text or not one.text.strip() for one in found.words):
        _unreadable("some of its words are empty, or are no text")
    if found.body != body:
        _unreadable("it is not in its only form")
    return found


def sender(event: Event) -> str:
    """The deployment that wrote an event."""
    return str(event.attributes["source"]).split("/")[2]


def verified(body: bytes, headers: Mapping[str, str], peers: Mapping[str, Peer], own: str) -> tuple[Message, Peer]:
    """The message and who sent it. Raises `Malformed`, or `Rejected` for what proves nothing or is not for `own`."""
    found = parse(body)
    peer = peers.get(sender(found.event))
    if peer is None:
        raise Rejected(
            "the message is of a deployment that this one does not know; its operator must list yours first",
            code="peer-unknown",
        )
    id_, seconds = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if found.id != id_ or not signed.signer(id_, seconds, headers.get("webhook-signature", ""), body, peer.keys):
        _unproven(f"no known key of {peer.name} signed the message", peer)
    try:
        keys = [Verifier.parse(one) for one in peer.log]
        Proof.parse(found.proof).must_prove(leaf_of(found.event).entry, keys[0].name, keys)
    except Refused as refused:
        _unproven(f"the log of {peer.name} does not prove the event: {refused}", peer)
    if found.event.data.to != own:
        raise Rejected(
            f"the message is for {found.event.data.to}, and this is {own}; send it there",
            code="message-misaddressed",
            to=found.event.data.to,
            own=own,
        )
    if strange := [one for one in found.words if one.digest not in _digests(found.event)]:
        _unproven(f"{len(strange)} of its words are not those of its event", peer)
    return found, peer


def _digests(event: Event) -> set[str]:
    """The digests of all words that an event refers to."""
    data = event.attributes["data"]
    own = [value.get("digest") for value in data.values() if isinstance(value, dict)]
    handed = [report.get(name) for report in data.get("reports", ()) for name in ("subject", "text")]
    return {one for one in (*own, *handed) if one}


def _unreadable(why: str) -> NoReturn:
    raise Malformed(
        f"the message cannot be read: {why}; send it as docs/between.md describes",
        code="message-unreadable",
        field="body",
    )


def _unproven(why: str, peer: Peer) -> NoReturn:
    raise Rejected(
        f"{why}; compare its entry in the list of deployments with what `huiying peer` prints there",
        code="message-unproven",
        peer=peer.name,
    )
