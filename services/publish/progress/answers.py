"""The answer of the public status, for the API's documents."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.fields import Instant, Number, UnitCode
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered
from services.publish.progress.finding import Kind, Standing, State

LONGEST = 200
"""Characters of what somebody types. A number has at most ninety."""


class AskStatus(BaseModel, json_schema_extra=example(code="town-east-2026-00042")):
    """Asks where a matter stands."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    code: str = Field(max_length=LONGEST)
    """The number of a matter, or the code of a receipt."""


class UnitTold(Answered):
    """A unit by its public name."""

    code: UnitCode
    """Its code."""
    name: str
    """Its name."""


class LimitTold(Answered):
    """A limit for the public."""

    kind: Kind
    """What is owed: a first answer, an answer, or the outcome."""
    due: Instant
    """By when."""
    standing: Standing
    """Whether it runs, stands still, was met, was met late, or passed."""
    met_at: Instant | None
    """When it was met."""


class AnswerTold(Answered):
    """An answer that was given."""

    at: Instant
    """When."""
    how: Literal["bulletin", "public", "direct", "posted"]
    """On the bulletin, in public elsewhere, to the asker alone, or posted where the report asked.

    The last one is told only by the receipt of that report, and not once its words were erased.
    """
    number: Number | None
    """The statement's number, of one on the bulletin."""
    title: str | None
    """The statement's title, of one on the bulletin."""
    url: str | None
    """The statement's page, of one on the bulletin."""
    withdrawn: bool
    """Whether the office withdrew the statement."""
    place: str | None
    """Where it was posted, as the office wrote it, of one that was posted where the report asked."""


_EXAMPLE = {
    "by": "number",
    "state": "answered",
    "received_at": "2026-03-02T01:00:00.000000Z",
    "unit": {"code": "town-east", "name": "东镇"},
    "handled_by": {"code": "county-roads", "name": "县交通运输局"},
    "number": "town-east-2026-00042",
    "went_on_from": None,
    "erased": False,
    "limits": [
        {
            "kind": "first_answer",
            "due": "2026-03-02T04:00:00.000000Z",
            "standing": "met",
            "met_at": "2026-03-02T03:10:00.000000Z",
        }
    ],
    "answers": [
        {
            "at": "2026-03-02T03:10:00.000000Z",
            "how": "bulletin",
            "number": "town-east-2026-S00007",
            "title": "卫生院门前路灯已修复",
            "url": "https://example.gov/bulletin/statements/statement-01890a5d-1829-53a4-8fb0-2b3c4d5e6f70",
            "withdrawn": False,
            "place": None,
        }
    ],
}


class PublicStatus(Answered, json_schema_extra=example(**_EXAMPLE)):
    """Where a matter stands.

    It has no words of anybody but the titles of published statements, and the places where the office posted them.
    """

    by: Literal["number", "receipt"]
    """What was asked with."""
    state: State
    """Received, being verified, being handled, answered, closed; or the report gets no answer."""
    received_at: Instant
    """When the report was received; by a number, when the matter was opened."""
    unit: UnitTold
    """The accountable unit."""
    handled_by: UnitTold | None
    """The unit that handles the matter, if that is another one."""
    number: Number | None
    """The matter's number."""
    went_on_from: Number | None
    """The number that was asked for, if that matter went on in this one."""
    erased: bool
    """Whether the words of the report were erased."""
    limits: tuple[LimitTold, ...]
    """The limits for the public, the earliest first."""
    answers: tuple[AnswerTold, ...]
    """What was answered, in order."""
