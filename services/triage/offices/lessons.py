"""Lessons of matters and exercises: numbered proposals to change a pack, which a later version answers. Pure.

They stand on the stream of the packs, so their numbers run on without a gap.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from schemas.fields import Figure, Typed
from schemas.offices import PolicyLessonDeclined, PolicyLessonRecorded, PolicyPackLoaded
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.triage.incident import Incident
from services.triage.offices.office_commands import DeclineLesson, RecordLesson


class Lesson(NamedTuple):
    """A lesson: the pack that it is about, and what became of it."""

    pack: str
    answered_by: str | None = None
    """The version that answers it, as `pack@version`."""
    declined: bool = False


Lessons = Mapping[int, Lesson]
"""Each by its number."""


class DeclineNumbered(DeclineLesson):
    """Decline a lesson."""

    lesson: Figure


def after(lessons: Lessons, data: PolicyLessonRecorded | PolicyLessonDeclined | PolicyPackLoaded) -> Lessons:
    """The lessons after an event."""
    match data:
        case PolicyLessonRecorded():
            return {**lessons, data.lesson: Lesson(data.pack)}
        case PolicyLessonDeclined() if data.lesson in lessons:
            return {**lessons, data.lesson: lessons[data.lesson]._replace(declined=True)}
        case PolicyPackLoaded():
            by = f"{data.pack}@{data.version}"
            return {**lessons, **{one: lessons[one]._replace(answered_by=by) for one in data.lessons if one in lessons}}
    return lessons


def recorded(lessons: Lessons, command: RecordLesson, ctx: Ctx) -> Decided:
    """The next lesson, of the matter `ctx.seen["matter"]`, about the pack by which that was handled."""
    matter: Incident = ctx.seen["matter"]
    if matter.phase == "merged":
        raise Rejected(
            f"{matter.id} was merged into {matter.merged_into}; record the lesson there",
            code="merged",
            incident=matter.id,
            into=matter.merged_into,
            act="record-lesson",
        )
    if matter.phase == "open":
        raise Rejected(
            f"{matter.id} is still being handled; record its lessons after that",
            code="still-open",
            incident=matter.id,
            act="record-lesson",
        )
    pack = ctx.offices.pack_of(matter.policy, matter.unit)
    fact = PolicyLessonRecorded(
        lesson=max(lessons, default=0) + 1,
        incident=matter.id,
        unit=matter.unit,
        pack=pack.model.id,
        version=str(pack.model.version),
        text=Typed(text=command.text),
        change=Typed(text=command.change),
    )
    return [Occurred(fact, policy=pack.ref)]


def declined(lessons: Lessons, command: DeclineNumbered) -> Decided:
    """The decision that a lesson changes no pack."""
    must_be_open(lessons, command.lesson)
    return [PolicyLessonDeclined(lesson=command.lesson, reason=Typed(text=command.reason))]


def must_be_answerable(lessons: Lessons, numbers: Iterable[int], pack: str) -> None:
    """Raises unless a version of the pack can answer these lessons."""
    for number in numbers:
        must_be_open(lessons, number)
        if (about := lessons[number].pack) != pack:
            raise Rejected(
                f"lesson {number} is about the pack {about}, not about {pack}; answer it with a version of that pack",
                code="lesson-of-another-pack",
                lesson=number,
                about=about,
                pack=pack,
            )


def must_be_open(lessons: Lessons, number: int) -> None:
    """Raises `Malformed` for an unknown lesson, and `Rejected` for one that was answered or declined."""
    if (known := lessons.get(number)) is None:
        raise Malformed(
            f"there is no lesson {number}; GET /lessons lists them",
            code="lesson-unknown",
            field="lessons",
            lesson=number,
        )
    if known.answered_by or known.declined:
        by = known.answered_by or "a refusal"
        raise Rejected(
            f"lesson {number} was settled by {by} already; record a new one, if something is still to change",
            code="lesson-settled",
            lesson=number,
            by=by,
        )


def must_be_none(numbers: Iterable[int], pack: str) -> None:
    """Raises `Rejected` if lessons are named for a version that is loaded already."""
    if list(numbers):
        raise Rejected(
            f"{pack} is loaded already and cannot answer further lessons; give the changed pack a new version",
            code="pack-loaded",
            pack=pack,
        )
