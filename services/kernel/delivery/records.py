"""What records contain: events, words, or unreadable bytes. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas import catalogue
from schemas.envelope import Event, Undecodable
from services.kernel.delivery.log import Record

MAX_REF = 36
UNWRITTEN = (
    "version {} of {} is not written as services write events: it has white space, a doubled name, another spelling of "
    "a text or number, or is nested too deep. If its service holds this event, it sends it again as it was written"
)


def is_content(topic: str) -> bool:
    """Whether a topic carries words."""
    return topic.endswith(".content")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The contents of records."""

    events: list[tuple[Event, Record]] = field(default_factory=list)
    words: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: list[tuple[Record, str]] = field(default_factory=list)
    """Unreadable records, and why."""
    strays: list[tuple[Record, str]] = field(default_factory=list)
    """Records on a topic that is not their event's own, and why they do not count."""


def decode(records: Sequence[Record]) -> Decoded:
    """Reads records of any topics."""
    words, broken = content_rows(record for record in records if is_content(record.topic))
    found = Decoded([], words, broken)
    for record in records:
        if not is_content(record.topic):
            try:
                event = Event.parse(record.value)
            except Undecodable as error:
                found.broken.append((record, str(error)))
                continue
            if why := _strays(event, record.topic):
                found.strays.append((record, why))
            else:
                found.events.append((event, record))
    return found


def _strays(event: Event, topic: str) -> str | None:
    """Why an event does not count on a topic. Only its owner may write to its own topic, so no other one proves it."""
    if event.topic != topic:
        return f"an event of {event.topic} stands on {topic}: whoever wrote it there may not write for its owner"
    kind = event.type.removeprefix(catalogue.PREFIX).partition(".")[0]
    if event.type.startswith(catalogue.PREFIX) and kind != event.kind:
        return f"an event of the type {event.type} stands on the stream {event.stream}, which has none of this kind"
    return None


def content_row(value: bytes) -> dict[str, Any]:
    """The row of `contents` in a record of a content topic. Raises `Undecodable`."""
    try:
        content = orjson.loads(value)
        ref, salt, words = content["ref"], bytes.fromhex(content["salt"]), content["words"]
    except (ValueError, KeyError, TypeError) as error:
        raise Undecodable(f"no content record: {error!r}") from None
    if not isinstance(ref, str) or not isinstance(words, str) or len(ref) > MAX_REF or "\x00" in ref + words:
        raise Undecodable("no content record: ref or words are no text that a store can hold")
    return {"ref": ref, "salt": salt, "words": words}


def content_rows(records: Iterable[Record]) -> tuple[dict[str, dict[str, Any]], list[tuple[Record, str]]]:
    """The rows of content records by reference, the last of each, and the unreadable ones with the reason.

    Tombstones are neither: an event tells of the erasure.
    """
    rows: dict[str, dict[str, Any]] = {}
    broken = []
    for record in records:
        if record.value is None:
            continue
        try:
            row = content_row(record.value)
        except Undecodable as error:
            broken.append((record, str(error)))
        else:
            rows[row["ref"]] = row
    return rows, broken
