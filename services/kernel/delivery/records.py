"""What records contain: events, words, or unreadable bytes. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.envelope import Event, Undecodable
from services.kernel.delivery.log import Record

MAX_REF = 36


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


def decode(records: Sequence[Record]) -> Decoded:
    """Reads records of any topics."""
    words, broken = content_rows(record for record in records if is_content(record.topic))
    found = Decoded([], words, broken)
    for record in records:
        if not is_content(record.topic):
            try:
                found.events.append((Event.parse(record.value), record))
            except Undecodable as error:
                found.broken.append((record, str(error)))
    return found


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
