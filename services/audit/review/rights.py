"""The rights over reviews: the accountable unit writes, its leader or leading group adopts, owners see to lessons."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from services.audit.review.commands import (
    AdoptReview,
    AssignLesson,
    ConveneEvaluation,
    DropLesson,
    EditReview,
    FinishLesson,
    FollowUpLesson,
    RecordEvaluation,
)
from services.kernel.access.approving import acting_posts, nearest
from services.kernel.access.rights import Read, Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected

ADOPTING = ("principal_leader", "leading_group")
"""The posts and bodies that adopt a review, in the accountable unit or the nearest one above that has them."""
OWNING = ("chief", "approver", "handler", "duty_officer")
READ_REVIEW = Read("read-review")
"""Reviews of matters in which a unit of the reader has a part now, and lessons of the reader's units."""
LessonState = Literal["open", "done", "dropped"]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A review on which somebody acts. `lesson` is the one that the command names."""

    unit: str
    edition: int = 0
    adopted: int | None = None
    evaluations: int = 0
    open_evaluations: int = 0
    owner: str | None = None
    """The unit that owns the lesson."""
    state: LessonState | None = None
    of_pack: bool = False
    due: datetime | None = None
    open_lessons: int = 0


def _own(reviewed: Reviewed, ctx: Ctx) -> tuple[str, ...]:
    return (reviewed.unit,)


def _owner(reviewed: Reviewed, ctx: Ctx) -> tuple[str, ...]:
    return (reviewed.owner or reviewed.unit, reviewed.unit)


def adopters(unit: str, ctx: Ctx) -> tuple[str, ...]:
    """The posts that may adopt the review of a unit: those that answer for the leader, and members of the group."""
    return tuple(dict.fromkeys(_adopters(unit, ctx)))


def _adopters(unit: str, ctx: Ctx) -> Iterator[str]:
    for code in ADOPTING:
        for name in nearest((code,), unit, ctx.offices):
            entry = ctx.offices.posts[name.partition("@")[2]][name.partition("@")[0]]
            yield from entry.members or (name,)


def _adopts(reviewed: Reviewed, ctx: Ctx) -> bool:
    return not set(adopters(reviewed.unit, ctx)).isdisjoint(acting_posts(ctx))


def _named(reviewed: Reviewed, ctx: Ctx) -> tuple[str, ...]:
    return adopters(reviewed.unit, ctx)


def _heads(reviewed: Reviewed, ctx: Ctx) -> tuple[str, ...]:
    """Where no directory names a leader or a leading group, the chief adopts."""
    return () if adopters(reviewed.unit, ctx) else ("chief",)


def _can_be_adopted(reviewed: Reviewed, ctx: Ctx, verb: str) -> Rejected | None:
    if reviewed.adopted == reviewed.edition:
        return Rejected("the newest text of this review was adopted already", code="review-adopted")
    return None


def _can_be_evaluated(reviewed: Reviewed, ctx: Ctx, verb: str) -> Rejected | None:
    if not reviewed.open_evaluations:
        return Rejected("nobody was called together to evaluate this matter; do that first", code="not-convened")
    return None


def _is_open(reviewed: Reviewed, ctx: Ctx, verb: str) -> Rejected | None:
    if reviewed.state is None:
        return None if reviewed.open_lessons else Rejected("no lesson of this review is open", code="lesson-none-open")
    if reviewed.state != "open":
        return Rejected(f"this lesson was {reviewed.state} already", code="lesson-ended", state=reviewed.state)
    return None


def _is_open_by_hand(reviewed: Reviewed, ctx: Ctx, verb: str) -> Rejected | None:
    if refusal := _is_open(reviewed, ctx, verb):
        return refusal
    if reviewed.of_pack:
        return Rejected(
            "this lesson changes the pack; the version that answers its numbered proposal settles it, or the refusal "
            "of that proposal",
            code="lesson-of-pack",
        )
    return None


RIGHTS: Mapping[type[Command], Right[Any]] = {
    EditReview: Right("edit-review", ("duty_officer", "handler", "approver", "chief"), _own),
    AdoptReview: Right("adopt-review", _heads, _own, _can_be_adopted, _adopts, _named),
    ConveneEvaluation: Right("convene-evaluation", ("chief", "approver"), _own),
    RecordEvaluation: Right("record-evaluation", ("chief", "approver", "duty_officer"), _own, _can_be_evaluated),
    AssignLesson: Right("assign-lesson", ("chief", "approver"), _own),
    FollowUpLesson: Right("follow-up-lesson", OWNING, _owner, _is_open),
    FinishLesson: Right("finish-lesson", OWNING, _owner, _is_open_by_hand),
    DropLesson: Right("drop-lesson", ("chief", "approver"), _own, _is_open_by_hand),
}
