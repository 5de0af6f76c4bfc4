"""What a probe tells."""

from typing import Annotated

from pydantic import Field

from schemas.fields import Figure, StatementId, WrittenInstant
from schemas.outages import Site, Symptom, Trouble
from services.kernel.core.commands import Command, example

MOST = 100
"""The most outages in one telling."""


class Seen(Command):
    """One outage as a probe saw it."""

    site: Site
    """What was probed."""
    trouble: Trouble
    """Whether it was not reached, or altered."""
    symptom: Symptom
    """How it showed at first."""
    status: Figure | None = None
    """The HTTP status of the answer; null without one."""
    statement: StatementId | None = None
    """The statement that was altered."""
    since: WrittenInstant
    """When the probe saw it first."""
    until: WrittenInstant | None = None
    """When the probe saw the address as it should be again; null while it does not."""


class Tell(
    Command,
    json_schema_extra=example(
        at="2026-03-02T09:03:00+08:00",
        seen=[
            {
                "site": "bulletin",
                "trouble": "unreachable",
                "symptom": "no_answer",
                "since": "2026-03-02T09:00:00+08:00",
            }
        ],
        well=["intake"],
        every=60,
    ),
):
    """What a probe saw since it told last. A repetition changes nothing.

    An outage that goes on may be left out. It ends when it is told with `until`, or when its site is `well` and its
    statement among the `whole`.
    """

    at: WrittenInstant
    """What the probe's clock shows now."""
    seen: Annotated[tuple[Seen, ...], Field(max_length=MOST)] = ()
    """Outages that go on, or that are over and were not told yet."""
    well: tuple[Site, ...] = ()
    """What the probe sees as it should be."""
    whole: Annotated[tuple[StatementId, ...], Field(max_length=MOST)] = ()
    """Statements that the probe sees as they were signed."""
    every: Annotated[int, Field(ge=1, le=86_400)] = 60
    """After how many seconds the probe tells again, as a rule. After three times as many it counts as silent."""


class Observe(Command):
    """What one probe says of one outage, for its stream."""

    seen: Seen
    at: WrittenInstant
