"""The entry of an event in the log. Its hash is the leaf.

The bytes of the event stand beside the log and are checked by their digest. An entry holds ids, digests and a time, no
word that anybody typed. The same event has the same entry, wherever and however often it came.
"""

from typing import Any, NamedTuple

import orjson

from schemas.envelope import Event
from services.kernel.tlog import Refused
from services.kernel.tlog.tree import leaf_hash

VERSION = 1
MAX_BYTES = 65_535
"""An entry has at most so many bytes, since bundles of tlog-tiles hold their number in sixteen bits."""


class Leaf(NamedTuple):
    """What an entry says, in the order of its JSON (RFC 8785: names sorted, no white space)."""

    event_id: str
    producer: str
    """The `source` of the event."""
    recorded_at: str
    """The `recordedtime` of the event."""
    stream_id: str
    topic: str
    value_sha256: str
    version: int

    @property
    def entry(self) -> bytes:
        """The bytes that are hashed."""
        return orjson.dumps(
            {
                "event_id": self.event_id,
                "producer": self.producer,
                "recorded_at": self.recorded_at,
                "stream_id": self.stream_id,
                "topic": self.topic,
                "v": VERSION,
                "value_sha256": self.value_sha256,
                "version": self.version,
            }
        )

    @property
    def hash(self) -> bytes:
        """The leaf's hash."""
        return leaf_hash(self.entry)


def leaf_of(event: Event) -> Leaf:
    """The leaf of an event."""
    return Leaf(
        event_id=event.id,
        producer=str(event.attributes["source"]),
        recorded_at=event.recorded_text,
        stream_id=event.stream,
        topic=event.topic,
        value_sha256=event.digest,
        version=event.version,
    )


def parse(entry: bytes) -> Leaf:
    """The leaf of an entry. Raises `Refused` unless these are exactly the bytes that the leaf has."""
    try:
        told: Any = orjson.loads(entry)
        version = told.pop("v")
        leaf = Leaf(**told)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Refused("this is no entry of the log") from None
    if version != VERSION:
        raise Refused("the entry is of a version that this program does not know")
    if not all(isinstance(text, str) for text in leaf[:-1]) or type(leaf.version) is not int or leaf.entry != entry:
        raise Refused("the entry is not in its only form")
    return leaf
