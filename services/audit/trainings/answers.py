"""The answers on trainings, for the API's documents."""

from schemas.drills import TrainingKind
from schemas.fields import Day, Instant, Post, StreamId, UnitCode
from services.audit.answers import STATED, Stated
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

TRAINING = "training-01890a5d-ac96-774b-bcce-b302099a8057"
_ITEM = {
    "id": TRAINING,
    "unit": "county",
    "kind": "lecture",
    "title": "突发事件信息发布讲座",
    "on": "2026-03-01",
    "minutes": 120,
    "posts": ["spokesperson@county"],
    "given_by": None,
    "drill": None,
    "recorded_at": "2026-03-02T01:00:00.000000Z",
    "recorded_by": "admin@county",
    "withdrawn": False,
    "reason": None,
    "version": 1,
}
_STATED = {**STATED, "log_size": 9, "complete_until": "2026-03-02T01:00:00.000000Z"}


class TrainingItem(Answered):
    """A training."""

    id: StreamId
    """The training."""
    unit: UnitCode
    """The unit."""
    kind: TrainingKind
    """What it was."""
    title: str | None
    """What it was about."""
    on: Day
    """The day."""
    minutes: int
    """How long it took."""
    posts: tuple[Post, ...]
    """The posts that took part."""
    given_by: UnitCode | None
    """The unit that gave it."""
    drill: StreamId | None
    """The drill, if it was one of the record."""
    recorded_at: Instant
    """When it was recorded."""
    recorded_by: str
    """The post that recorded it."""
    withdrawn: bool
    """Whether the entry was wrong and counts no more."""
    reason: str | None
    """What was wrong."""
    version: int
    """How many decisions of staff it has on these axes. The next command names it in `If-Match`."""


class Trainings(Page, Stated, json_schema_extra=example(**_STATED, items=[_ITEM], next=None)):
    """A page of trainings."""

    items: tuple[TrainingItem, ...]
    """The last recorded first."""


class TrainedPost(Answered):
    """How a post was trained."""

    post: Post
    """The post."""
    times: int
    """How often in the year."""
    minutes: int
    """How long in the year."""
    last_on: Day | None
    """When last, in whichever year; None if never."""


_POST = {"post": "spokesperson@county", "times": 1, "minutes": 120, "last_on": "2026-03-01"}


class TrainedPosts(Stated, json_schema_extra=example(**_STATED, unit="county", year=2026, items=[_POST])):
    """The posts of a unit. No rule of an office says how often is enough, so nothing here is overdue."""

    unit: UnitCode
    """The unit."""
    year: int
    """The year that is counted."""
    items: tuple[TrainedPost, ...]
    """The unit's present posts, and those that were trained before; by code."""
