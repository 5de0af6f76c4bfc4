"""The rules of a review's stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

from schemas import review as r
from schemas.envelope import Event
from schemas.fields import Fact, Typed
from services.audit.review.commands import (
    AdoptReview,
    AssignLesson,
    ConveneEvaluation,
    DraftReview,
    DropLesson,
    EditReview,
    FinishLesson,
    FollowUpLesson,
    OfLesson,
    RecordEvaluation,
)
from services.audit.review.rights import RIGHTS, LessonState, Reviewed
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.problems import Malformed, Rejected


class Draft(NamedTuple):
    """The text of a draft in both languages, and the size on which it rests."""

    text: str
    english: str
    log_size: int


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson, and what became of it."""

    data: r.ReviewLessonAssigned
    state: LessonState = "open"


@dataclass(frozen=True, slots=True)
class State:
    """A review so far; without `unit`, there is none yet."""

    unit: str | None = None
    incident: str = ""
    round: int = 0
    drafted: frozenset[str] = frozenset()
    """The events of the matter for which there is a draft already."""
    edition: int = 0
    """The number of the newest text."""
    is_draft: bool = True
    written_in: int | None = None
    """The latest round of the matter in which the office wrote or adopted a text."""
    adopted: int | None = None
    evaluations: Mapping[int, bool] = field(default_factory=lambda: MappingProxyType({}))
    """Number -> whether it came to a conclusion."""
    lessons: Mapping[int, Lesson] = field(default_factory=lambda: MappingProxyType({}))


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    match event.data:
        case r.ReviewDrafted() as data:
            return replace(
                state,
                unit=data.unit,
                incident=data.incident,
                round=data.round,
                drafted=state.drafted | {data.of.event},
                edition=data.edition,
                is_draft=True,
            )
        case r.ReviewEdited() as data:
            return replace(state, edition=data.edition, is_draft=False, written_in=state.round)
        case r.ReviewAdopted() as data:
            return replace(state, adopted=data.edition, written_in=state.round)
        case r.ReviewEvaluationConvened() as data:
            return replace(state, evaluations={**state.evaluations, data.evaluation: False})
        case r.ReviewEvaluated() as data:
            return replace(state, evaluations={**state.evaluations, data.evaluation: True})
        case r.ReviewLessonAssigned() as data:
            return replace(state, lessons={**state.lessons, data.lesson: Lesson(data)})
        case r.ReviewLessonDone(lesson=number):
            return replace(state, lessons=_ended(state.lessons, number, "done"))
        case r.ReviewLessonDropped(lesson=number):
            return replace(state, lessons=_ended(state.lessons, number, "dropped"))
    return state


def _ended(lessons: Mapping[int, Lesson], number: int, how: LessonState) -> Mapping[int, Lesson]:
    return {**lessons, number: replace(lessons[number], state=how)}


def reviewed(state: State, lesson: int | None = None, settled: Mapping[int, LessonState] | None = None) -> Reviewed:
    """What the table of rights looks at. `settled` says what became of numbered proposals to change the pack."""
    states = {number: state_of(one, settled or {}) for number, one in state.lessons.items()}
    found = state.lessons.get(lesson or 0)
    return Reviewed(
        state.unit or "",
        state.edition,
        state.adopted,
        len(state.evaluations),
        sum(not ended for ended in state.evaluations.values()),
        found.data.unit if found else None,
        states[lesson or 0] if found else None,
        bool(found and found.data.numbered is not None),
        found.data.due if found else None,
        sum(one == "open" for one in states.values()),
    )


def state_of(lesson: Lesson, settled: Mapping[int, LessonState]) -> LessonState:
    """What became of a lesson. One that changes the pack follows its numbered proposal."""
    if lesson.data.numbered is None:
        return lesson.state
    return settled.get(lesson.data.numbered, "open")


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command. The loop needs none."""
    if right := RIGHTS.get(type(command)):
        right.require(_subject(state, command, ctx), ctx)


def _subject(state: State, command: Command, ctx: Ctx) -> Reviewed:
    lesson = command.lesson if isinstance(command, OfLesson) else None
    return reviewed(state, lesson, ctx.seen.get("settled"))


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The events of a command. What the loop sends is never refused; what is so already gives none.

    For staff, `ctx.seen` holds `stream`, the review's; `log_size`; `draft`, the newest `Draft` as it was read;
    `proposals`, number -> the incident of each numbered proposal to change a pack; and `settled`, what became of these.
    """
    authorize(state, command, ctx)
    if right := RIGHTS.get(type(command)):
        right.refuse(_subject(state, command, ctx), ctx)
    match command:
        case DraftReview():
            return _drafted(state, command)
        case EditReview():
            return [_edition(state, command.text, command.english, ctx.seen["log_size"], ctx)]
        case AdoptReview():
            return _adopted(state, command, ctx)
        case ConveneEvaluation():
            return _convened(state, command, ctx)
        case RecordEvaluation():
            return _evaluated(state, command, ctx)
        case AssignLesson():
            return _assigned(state, command, ctx)
        case OfLesson():
            return [_of_lesson(state, command)]
    raise TypeError(f"a review knows no {type(command).__name__}")


def _drafted(state: State, command: DraftReview) -> Decided:
    """A draft for each end of a matter, until the office has written its own text in that round."""
    if command.of.event in state.drafted or (state.written_in is not None and state.written_in >= command.round):
        return []
    fact = r.ReviewDrafted(
        incident=command.incident,
        unit=command.unit,
        cause=command.cause,
        of=command.of,
        round=command.round,
        edition=state.edition + 1,
        log_size=command.log_size,
    )
    return [Occurred(fact, unit=command.unit)]


def _edition(state: State, text: str, english: str | None, size: int, ctx: Ctx) -> r.ReviewEdited:
    return r.ReviewEdited(
        edition=state.edition + 1,
        text=Typed(text=text),
        english=Typed(text=english) if english else None,
        log_size=size,
        by=ctx.by(ctx.seen["stream"]),
    )


def _adopted(state: State, command: AdoptReview, ctx: Ctx) -> Decided:
    """The adopted text stands in the record. A draft that nobody changed becomes one with the adoption."""
    draft: Draft | None = ctx.seen["draft"]
    if command.edition != state.edition or (state.is_draft and draft is None):
        raise Rejected(
            f"edition {command.edition} is not the newest text, which is {state.edition}; read it again",
            code="edition-old",
            edition=state.edition,
        )
    size, by = ctx.seen["log_size"], ctx.by(ctx.seen["stream"])
    if not state.is_draft:
        return [r.ReviewAdopted(edition=state.edition, log_size=size, by=by)]
    assert draft is not None, "without it, nothing is adopted"
    written = _edition(state, draft.text, draft.english, draft.log_size, ctx)
    return [written, r.ReviewAdopted(edition=written.edition, log_size=size, by=by)]


def _convened(state: State, command: ConveneEvaluation, ctx: Ctx) -> Decided:
    for post in command.members:
        ctx.offices.post(post, "members")
    for unit in command.units:
        ctx.offices.unit(unit, "units")
    experts = Typed(text=command.experts) if command.experts else None
    return [
        r.ReviewEvaluationConvened(
            evaluation=max(state.evaluations, default=0) + 1,
            members=tuple(dict.fromkeys(command.members)),
            units=tuple(dict.fromkeys(command.units)),
            experts=experts,
            at=command.at,
        )
    ]


def _evaluated(state: State, command: RecordEvaluation, ctx: Ctx) -> Decided:
    ended = state.evaluations.get(command.evaluation)
    if ended is None:
        raise Malformed(
            f"evaluation: this review has no evaluation {command.evaluation}",
            code="evaluation-unknown",
            field="evaluation",
            known=sorted(state.evaluations),
        )
    if ended:
        raise Rejected(f"evaluation {command.evaluation} has its conclusion already", code="evaluated")
    for post in command.took_part:
        ctx.offices.post(post, "took_part")
    return [
        r.ReviewEvaluated(
            evaluation=command.evaluation,
            conclusion=command.conclusion,
            judgement=Typed(text=command.judgement),
            took_part=tuple(dict.fromkeys(command.took_part)),
        )
    ]


def _assigned(state: State, command: AssignLesson, ctx: Ctx) -> Decided:
    ctx.offices.unit(command.unit)
    ctx.offices.post(command.post)
    if command.post.partition("@")[2] != command.unit:
        raise Malformed(
            f"post: {command.post} is no post of {command.unit}; the owner is a post of the unit that owns the lesson",
            code="post-elsewhere",
            field="post",
            post=command.post,
            unit=command.unit,
        )
    if command.due <= ctx.now:
        raise Malformed(
            f"due: {command.due:%Y-%m-%d %H:%M} has passed; name a date to come", code="due-passed", field="due"
        )
    _must_be_numbered(state, command, ctx)
    return [
        r.ReviewLessonAssigned(
            lesson=max(state.lessons, default=0) + 1,
            kind=command.kind,
            unit=command.unit,
            post=command.post,
            text=Typed(text=command.text),
            due=command.due,
            numbered=command.numbered,
        )
    ]


def _must_be_numbered(state: State, command: AssignLesson, ctx: Ctx) -> None:
    """Raises `Malformed` unless a change of the pack, and nothing else, names a proposal that this matter made."""
    if (command.kind == "pack") != (command.numbered is not None):
        raise Malformed(
            "numbered: a change of the pack names its numbered proposal, which the matter's lessons give "
            "(POST /triage/v1/lessons); no other change has one",
            code="lesson-number-needed",
            field="numbered",
        )
    known = sorted(number for number, of in ctx.seen["proposals"].items() if of == state.incident)
    if command.numbered is not None and command.numbered not in known:
        raise Malformed(
            f"numbered: this matter made no proposal {command.numbered}; known are "
            f"{', '.join(map(str, known)) or 'none'}",
            code="lesson-unknown",
            field="numbered",
            lesson=command.numbered,
        )


def _of_lesson(state: State, command: OfLesson) -> Fact:
    if command.lesson not in state.lessons:
        raise Malformed(
            f"lesson: this review has no lesson {command.lesson}",
            code="lesson-unknown",
            field="lesson",
            lesson=command.lesson,
        )
    match command:
        case FollowUpLesson():
            return r.ReviewLessonFollowedUp(lesson=command.lesson, text=Typed(text=command.text))
        case FinishLesson():
            return r.ReviewLessonDone(lesson=command.lesson, text=Typed(text=command.text))
        case DropLesson():
            return r.ReviewLessonDropped(lesson=command.lesson, reason=Typed(text=command.reason))
    raise TypeError(f"a lesson knows no {type(command).__name__}")


DECIDER = Decider("review", State, evolve, decide, authorize)
