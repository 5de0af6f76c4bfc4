"""Nothing that happens elsewhere makes the office speak: a statement begins with a person."""

from collections.abc import Iterable
from typing import Any

from schemas.envelope import Event
from services.kernel.core.reactions import Reaction


def react(event: Event, known: Any) -> Iterable[Reaction]:
    """No command; events of triage are only observed by the views."""
    return ()
