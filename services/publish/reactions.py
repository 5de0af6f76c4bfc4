"""Publish has no reactions: only a person begins a statement."""

from collections.abc import Iterable
from typing import Any

from schemas.envelope import Event
from services.kernel.core.reactions import Reaction


def react(event: Event, known: Any) -> Iterable[Reaction]:
    """No command. Only the views take in events of triage."""
    return ()
