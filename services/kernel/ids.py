"""Identifiers: random ones in order of time for what people do, derived ones for what a reaction creates."""

import os
import time
import uuid
from collections import defaultdict
from typing import Protocol

NAMESPACE = uuid.UUID("6f2c1e0a-6d0b-5b1e-9a52-0e7d0f6a1c55")


def uuid7() -> str:
    """A UUIDv7 (RFC 9562): milliseconds, then random bits; sorts roughly by time of creation."""
    stamp = (time.time_ns() // 1_000_000) & ((1 << 48) - 1)
    random = int.from_bytes(os.urandom(10), "big")
    value = stamp << 80 | 0x7 << 76 | (random >> 68) << 64 | 0b10 << 62 | random & ((1 << 62) - 1)
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def derived(*parts: str) -> str:
    """The same UUIDv5 for the same parts, so that a repeated reaction creates the same thing."""
    return str(uuid.uuid5(NAMESPACE, "|".join(parts)))


def stream_of(kind: str, id: str) -> str:
    """The stream of `kind` that shares the uuid of another stream: the clock of an incident."""
    return f"{kind}-{id.partition('-')[2]}"


class Ids(Protocol):
    """Where a decider takes new identifiers from."""

    def new(self, kind: str) -> str:
        """A new id `<kind>-<uuid>`; `kind` may be empty for a bare uuid."""
        ...


class RandomIds:
    """For commands of people and integrations."""

    def new(self, kind: str) -> str:
        return f"{kind}-{uuid7()}" if kind else uuid7()


class DerivedIds:
    """For reactions: UUIDv5 of (service, causing event, what, index)."""

    def __init__(self, service: str, cause: str) -> None:
        self._service, self._cause = service, cause
        self._next: dict[str, int] = defaultdict(int)

    def new(self, kind: str) -> str:
        index = self._next[kind]
        self._next[kind] += 1
        id_ = derived(self._service, self._cause, kind, str(index))
        return f"{kind}-{id_}" if kind else id_
