"""Identifiers, and the derived ids of things that a reaction creates. `uuid7` makes the random ones."""

import uuid
from collections import defaultdict
from functools import lru_cache
from typing import Protocol

NAMESPACE = uuid.UUID("6f2c1e0a-6d0b-5b1e-9a52-0e7d0f6a1c55")


@lru_cache(8192)
def derived(*parts: str) -> str:
    """The same parts give the same UUIDv5, so a repeated reaction creates the same thing.

    A transaction asks twice for each: what it will touch, then what it does.
    """
    return str(uuid.uuid5(NAMESPACE, "|".join(parts)))


def stream_of(kind: str, id: str) -> str:
    """The stream of `kind` with the same UUID as another stream, such as the clock of an incident."""
    return f"{kind}-{id.partition('-')[2]}"


def incident_opened_by(report: str) -> str:
    """The incident that the first event of a report, with this id, opens if it joins none."""
    return f"incident-{derived('triage', report, 'incident')}"


class Ids(Protocol):
    """The source of a decider's new identifiers."""

    def new(self, kind: str) -> str:
        """A new id `<kind>-<uuid>`. An empty `kind` gives a bare UUID."""
        ...


class DerivedIds:
    """For reactions: UUIDv5 of service, causing event, name and index."""

    def __init__(self, service: str, cause: str) -> None:
        self._service, self._cause = service, cause
        self._next: dict[str, int] = defaultdict(int)

    def new(self, kind: str) -> str:
        index = self._next[kind]
        self._next[kind] += 1
        id_ = derived(self._service, self._cause, kind, str(index))
        return f"{kind}-{id_}" if kind else id_
