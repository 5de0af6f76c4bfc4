"""The table of lessons, folded from the events of reviews: where each stands, and whose it is."""

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table

from schemas import review as r
from schemas.envelope import Event
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def table(metadata: MetaData) -> Table:
    """Adds the table to audit's metadata."""
    return Table(
        "lessons",
        metadata,
        Column("review_id", key(), primary_key=True),
        Column("lesson", Integer, primary_key=True, autoincrement=False),
        Column("event_id", key(36), nullable=False),
        Column("incident_id", key(), nullable=False),
        Column("unit", key(), nullable=False),
        Column("drill", Boolean, nullable=False),
        Index("ix_lessons_event", "event_id", unique=True),
        Index("ix_lessons_unit", "unit"),
    )


def _keys(event: Event) -> list[Key]:
    return [(event.stream, event.data.lesson)] if isinstance(event.data, r.ReviewLessonAssigned) else []


def _row(key: Key, row: Row | None, event: Event) -> Row | None:
    data: r.ReviewLessonAssigned = event.data
    return {
        "review_id": key[0],
        "lesson": key[1],
        "event_id": event.id,
        "incident_id": event.correlation,
        "unit": data.unit,
        "drill": event.drill,
    }


def view(lessons: Table) -> View:
    """The view of the table of lessons."""
    return View(lessons, _keys, _row, ("review",), one_stream=True)
