"""The parts of answers, for the API's documents.

Answers are sent as the views give them; these models do not shape them. The tests compare every answer with them.
"""

from pydantic import BaseModel, ConfigDict

from schemas.fields import Number, StreamId, Uuid
from services.kernel.core.commands import example


class Answered(BaseModel):
    """The body of an answer, or a part of one. It has these fields and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Appended(Answered):
    """An event that a command appended."""

    id: Uuid
    """The event's id."""
    type: str
    """Its type with the version of its schema, such as `huiying.incident.graded.v1`."""
    version: int
    """Its place in its stream, from 1 on."""


DONE = {
    "number": "town-east-2026-00042",
    "id": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
    "version": 3,
    "revision": 3,
    "events": [{"id": "01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e", "type": "huiying.incident.graded.v1", "version": 5}],
}


class Done(Answered, json_schema_extra=example(**DONE)):
    """The result of a command. `events` is empty if everything was done already."""

    number: Number | None
    """The record's number, if it has one."""
    id: StreamId
    """The record on which the command was decided."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions of staff the record has now. The next command names it in `If-Match`."""
    events: tuple[Appended, ...]
    """The new events, in order."""


class Page(Answered):
    """A part of a list, with its `items`."""

    next: str | None
    """The `cursor` of the next page; null on the last page."""
