"""The answers on reviews, for the API's documents."""

from typing import Literal

from schemas.fields import Code, Figure, IncidentId, Instant, Number, Post, StreamId, UnitCode, Uuid
from schemas.review import LessonKind, ReviewCause, ReviewConclusion
from schemas.titles import Language
from services.audit.answers import INCIDENT, STATED, Stated
from services.audit.review.rights import LessonState
from services.kernel.core.commands import example
from services.kernel.serving.answers import Answered, Page

REVIEW = "review-01890a5d-ac96-574b-bcce-b302099a8057"
_LESSON = {
    "lesson": 1,
    "kind": "service",
    "unit": "town-east",
    "post": "handler@town-east",
    "text": "路面巡查改为每周一次",
    "due": "2026-04-30T10:00:00.000000Z",
    "numbered": None,
    "answered_by": None,
    "state": "open",
    "assigned_at": "2026-03-25T08:00:00.000000Z",
    "assigned_by": "chief@town-east",
    "followed_up": [{"at": "2026-04-02T08:00:00.000000Z", "by": "handler@town-east", "text": "已排定巡查表"}],
    "ended_at": None,
    "ended_by": None,
    "ended_text": None,
    "overdue": False,
}
_REVIEW = {
    "id": REVIEW,
    "revision_shown": 3,
    "incident_id": INCIDENT,
    "number": "town-east-2026-00042",
    "unit": "town-east",
    "drill": False,
    "state": "adopted",
    "edition": 2,
    "adopted": 2,
    "text": "# 事情经过\n\n3 月 2 日上午……\n",
    "text_language": "zh",
    "words": "01890a5d-c3d4-7e5f-8a6b-7c8d9e0f1a2b",
    "has_english": False,
    "editions": [
        {
            "edition": 2,
            "draft": False,
            "cause": None,
            "at": "2026-03-21T08:00:00.000000Z",
            "by": "duty_officer@town-east",
            "log_size": 96,
            "adopted_at": "2026-03-22T08:00:00.000000Z",
            "adopted_by": "chief@town-east",
        }
    ],
    "parts": [
        {
            "title": "更正与变更",
            "charts": [],
            "table": {"head": ["时间", "事项", "岗位"], "rows": [["2026-03-02 10:00", "改级：重大", "东镇值班员"]]},
            "nothing": None,
        }
    ],
    "evaluations": [],
    "lessons": [_LESSON],
    "sent": [
        {
            "report": "01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e",
            "edition": 2,
            "unit": "town-east",
            "to": "principal_leader@town-east",
            "at": "2026-03-22T09:00:00.000000Z",
            "by": "duty_officer@town-east",
            "receipt": {"at": "2026-03-22T10:00:00.000000Z", "by": "chief@town-east", "accepted": True},
        }
    ],
    "owed": None,
}


class Edition(Answered):
    """A text of the review: a draft that was computed, or one that the office wrote."""

    edition: Figure
    """Its number."""
    draft: bool
    """Whether it was computed."""
    cause: ReviewCause | None
    """Why a draft was made; null for a text of the office."""
    at: Instant
    """When."""
    by: str | None
    """The post that wrote it; null for a draft."""
    log_size: Figure
    """Its tables and charts show so many events of the log."""
    adopted_at: Instant | None
    """When it was adopted."""
    adopted_by: str | None
    """By which post."""


class Picture(Answered):
    """A chart."""

    title: str
    """Its title."""
    description: str
    """What it shows, in words."""
    svg: str
    """The chart as SVG."""


class TableShown(Answered):
    """A table."""

    head: tuple[str, ...]
    """The titles of its columns."""
    rows: tuple[tuple[str, ...], ...]
    """Its rows, each with as many cells. Lines of a cell are separated by a line feed."""


class PartShown(Answered):
    """A part of what the record shows."""

    title: str
    """Its title."""
    charts: tuple[Picture, ...]
    """Its charts."""
    table: TableShown | None
    """Its table."""
    nothing: str | None
    """What is said if the record has nothing of it."""


class Evaluation(Answered):
    """An evaluation by the leading group with departments, and experts where needed."""

    evaluation: Figure
    """Its number."""
    members: tuple[Post, ...]
    """The posts and bodies that were called together."""
    units: tuple[UnitCode, ...]
    """The departments."""
    experts: str | None
    """Experts, by function or institution."""
    at: Instant
    """When they meet."""
    convened_at: Instant
    """When they were called together."""
    convened_by: str
    """By which post."""
    conclusion: ReviewConclusion | None
    """The conclusion; null before."""
    judgement: str | None
    """The judgement."""
    took_part: tuple[Post, ...]
    """The posts and bodies that took part."""
    evaluated_at: Instant | None
    """When it was written down."""
    evaluated_by: str | None
    """By which post."""


class LessonNote(Answered):
    """How far a change was."""

    at: Instant
    """When somebody looked."""
    by: str
    """The post."""
    text: str | None
    """How far it was."""


class LessonShown(Answered):
    """A lesson: a change with an owner and a date, and what became of it."""

    lesson: Figure
    """Its number in the review."""
    kind: LessonKind
    """What it changes."""
    unit: UnitCode
    """The unit that owns it."""
    post: Post
    """The post that owns it."""
    text: str | None
    """What is to change."""
    due: Instant
    """By when."""
    numbered: Figure | None
    """The number of the proposal to change the pack."""
    answered_by: str | None
    """The version of the pack that answers that proposal, as `pack@version`."""
    state: LessonState
    """Whether it is open, done or dropped. A change of the pack follows its numbered proposal."""
    assigned_at: Instant
    """When it was assigned."""
    assigned_by: str
    """By which post."""
    followed_up: tuple[LessonNote, ...]
    """How far it was, each time somebody looked."""
    ended_at: Instant | None
    """When it was done or dropped by hand."""
    ended_by: str | None
    """By which post."""
    ended_text: str | None
    """What is different now, or why the change is not made."""
    overdue: bool
    """Whether it is open and its date has passed, at `known_at` or now."""


class ReceiptShown(Answered):
    """What the addressee did with a written report."""

    at: Instant
    """When."""
    by: str
    """The post."""
    accepted: bool
    """Whether it was confirmed, or sent back."""


class Sent(Answered):
    """A written report with this review."""

    report: Uuid
    """Its id, which a receipt names."""
    edition: Figure | None
    """The text that was sent."""
    unit: UnitCode
    """The unit that reported."""
    to: Post
    """The addressee and its unit."""
    at: Instant
    """When."""
    by: str
    """The post that sent it."""
    receipt: ReceiptShown | None
    """The receipt; null before."""


class Owed(Answered):
    """The written report that the pack asks for."""

    due: Instant
    """By when."""
    state: Literal["met", "met_late", "missed", "annulled", "cancelled", "running"]
    """How far it is."""
    rule: Code
    """The place in the pack."""


class ReviewShown(
    Stated,
    json_schema_extra=example(**STATED, **_REVIEW, version=3, revision=3, may=["edit-review", "assign-lesson"]),
):
    """The review of a matter."""

    id: StreamId
    """The review."""
    incident_id: IncidentId
    """The matter."""
    number: Number | None
    """The matter's number."""
    unit: UnitCode
    """The accountable unit, which writes it."""
    drill: bool
    """Whether the matter is an exercise."""
    state: Literal["drafted", "edited", "adopted"]
    """Whether the newest text is a draft, was written by the office, or was adopted."""
    edition: Figure
    """The text that is shown."""
    adopted: Figure | None
    """The text that was adopted last."""
    text: str | None
    """The text; null while its words have not come."""
    text_language: Language
    """Its language."""
    words: Uuid | None
    """The reference of its words; null for a draft."""
    has_english: bool
    """Whether this text is there in English."""
    editions: tuple[Edition, ...]
    """All texts, in order."""
    parts: tuple[PartShown, ...]
    """What the record shows: tables and charts of the first `log_size` events of this text."""
    evaluations: tuple[Evaluation, ...]
    """The evaluations."""
    lessons: tuple[LessonShown, ...]
    """The lessons."""
    sent: tuple[Sent, ...]
    """The written reports with this review."""
    owed: Owed | None
    """The written report that the pack asks for; null if it asks for none."""
    version: int
    """The same number as `revision`."""
    revision: int
    """How many decisions of staff the review has now. The next command names it in `If-Match`."""
    revision_shown: int
    """How many of these stand in this answer: fewer on earlier axes, and for a moment after a decision."""
    may: tuple[str, ...]
    """The verbs that the caller may ask for now."""


_ITEM = {**_LESSON, "incident_id": INCIDENT, "number": "town-east-2026-00042"}


class LessonItem(LessonShown):
    """A lesson, with the matter that taught it."""

    incident_id: IncidentId
    """The matter."""
    number: Number | None
    """The matter's number."""


class Lessons(Stated, Page, json_schema_extra=example(**STATED, items=[_ITEM], next=None)):
    """Lessons, in the order in which they were assigned."""

    items: tuple[LessonItem, ...]
    """The entries of this page."""
