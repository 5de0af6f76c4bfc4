"""Identifiers, and those derived for what a reaction creates. Random ones are made in `uuid7`."""

import uuid
from collections import defaultdict
from typing import Protocol

NAMESPACE = uuid.UUID("6f2c1e0a-6d0b-5b1e-9a52-0e7d0f6a1c55")


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
