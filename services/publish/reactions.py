"""The one reaction of publish: where triage opens a clarification, its draft is begun. A person writes it."""

from collections.abc import Iterable
from typing import Any

from schemas.envelope import Event
from schemas.triage import IncidentClarificationOpened
from services.kernel.core.ids import derived
from services.kernel.core.reactions import Reaction
from services.publish.commands import Prepare


def react(event: Event, known: Any) -> Iterable[Reaction]:
    """The commands that the event causes."""
    match event.data:
        case IncidentClarificationOpened() as opened:
            prepare = Prepare(incident=event.stream, unit=opened.unit, basis=f"{event.stream}@{event.version}")
            statement = f"statement-{derived('publish', event.id, 'statement')}"
            return [Reaction(statement, prepare, numbered=opened.unit)]
    return ()
