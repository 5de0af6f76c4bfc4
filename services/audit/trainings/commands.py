"""Commands on trainings."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.fields import Day, Post, StreamId, UnitCode
from services.kernel.core.commands import Command, example

Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]


class RecordTraining(
    Command,
    json_schema_extra=example(
        unit="county",
        kind="lecture",
        title="突发事件信息发布讲座",
        on="2026-03-01",
        minutes=120,
        posts=["spokesperson@county"],
    ),
):
    """Record that posts were trained. No person is named."""

    unit: UnitCode
    """The unit whose posts were trained, or those below it."""
    kind: Literal["course", "lecture", "drill"]
    """What it was."""
    title: Said
    """What it was about."""
    on: Day | None = None
    """The day, today or before. Of a drill of the record, the day on which it ended counts; then leave it out."""
    minutes: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """How long it took. Of a drill of the record, its own length counts; then leave it out."""
    posts: Annotated[tuple[Post, ...], Field(min_length=1, max_length=500)]
    """The posts that took part."""
    given_by: UnitCode | None = None
    """The unit that gave it, if it is one of the deployment."""
    drill: StreamId | None = None
    """The drill, if it was one of the record. It has one training of each unit."""


class WithdrawTraining(Command, json_schema_extra=example(reason="日期登记错误")):
    """Take a wrong entry back."""

    reason: Said
    """What was wrong."""
