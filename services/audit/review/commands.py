"""Commands on reviews. What the loop sends has no row of rights; people send the others."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.fields import Figure, Post, StreamId, UnitCode, WrittenInstant
from schemas.findings import Behind
from schemas.review import LessonKind, ReviewCause, ReviewConclusion
from services.kernel.core.commands import Command, example

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
Experts = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Posts = Annotated[tuple[Post, ...], Field(min_length=1, max_length=50)]


class DraftReview(Command):
    """A matter is over or steady, and the record is complete up to then."""

    incident: StreamId
    unit: UnitCode
    cause: ReviewCause
    of: Behind
    round: Figure
    log_size: Figure


class EditReview(Command, json_schema_extra=example(text="# 事情经过\n\n3 月 2 日上午……", english=None)):
    """Write the text of the review anew, as a whole."""

    text: Text
    """The whole text. A line that begins with `# ` is a heading, one that begins with `- ` an entry of a list."""
    english: Text | None = None
    """The same in English. Without it, the English report has the Chinese text."""


class AdoptReview(Command, json_schema_extra=example(edition=2)):
    """Adopt the newest text of the review."""

    edition: Figure
    """The edition that is adopted, which must be the newest."""


class ConveneEvaluation(
    Command,
    json_schema_extra=example(
        members=["leading_group@county"],
        units=["county-water"],
        experts="省水利科学研究院",
        at="2026-03-25T15:00:00+08:00",
    ),
):
    """Call together who evaluates the handling."""

    members: Posts
    """Posts and bodies, such as `leading_group@county`."""
    units: Annotated[tuple[UnitCode, ...], Field(max_length=50)] = ()
    """The departments that take part."""
    experts: Experts | None = None
    """Experts by function or institution, never by name."""
    at: WrittenInstant
    """When they meet."""


class RecordEvaluation(
    Command,
    json_schema_extra=example(
        evaluation=1, conclusion="partly_effective", judgement="处置及时，首次说明偏迟。", took_part=["chief@county"]
    ),
):
    """Write down what an evaluation came to."""

    evaluation: Figure
    """Its number."""
    conclusion: ReviewConclusion
    """What it says of the handling."""
    judgement: Note
    """The judgement."""
    took_part: Posts
    """The posts and bodies that took part."""


class AssignLesson(
    Command,
    json_schema_extra=example(
        kind="service",
        unit="town-east",
        post="handler@town-east",
        text="路面巡查改为每周一次",
        due="2026-04-30T18:00:00+08:00",
    ),
):
    """Turn a lesson into a change, with an owner and a date."""

    kind: LessonKind
    """What it changes. A change of the pack names its numbered proposal."""
    unit: UnitCode
    """The unit that owns it."""
    post: Post
    """The post of this unit that owns it."""
    text: Note
    """What is to change."""
    due: WrittenInstant
    """By when."""
    numbered: Figure | None = None
    """The number of the proposal to change the pack, as `POST /triage/v1/lessons` gave it."""


class OfLesson(Command):
    """A command on one lesson."""

    lesson: Figure
    """Its number in the review."""


class FollowUpLesson(OfLesson, json_schema_extra=example(lesson=1, text="已排定巡查表")):
    """Write down how far a change is."""

    text: Note
    """How far it is."""


class FinishLesson(OfLesson, json_schema_extra=example(lesson=1, text="巡查自 4 月 20 日起每周一次")):
    """The change was made. A change of the pack is settled by the version that answers its proposal."""

    text: Note
    """What is different now."""


class DropLesson(OfLesson, json_schema_extra=example(lesson=1, reason="道路已移交县道养护中心")):
    """The change is not made."""

    reason: Note
    """Why not."""
