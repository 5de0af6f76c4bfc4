"""The lessons as rows: what was learned, the proposed change, and what became of it."""

from sqlalchemy import Column, Index, Integer, MetaData, Table

from schemas.envelope import Event
from schemas.offices import PolicyLessonDeclined, PolicyLessonRecorded, PolicyPackLoaded
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def table(metadata: MetaData) -> Table:
    """Adds the table `lessons` to triage's metadata."""
    return Table(
        "lessons",
        metadata,
        Column("lesson", Integer, primary_key=True, autoincrement=False),
        Column("incident_id", key(), nullable=False),
        Column("unit", key(), nullable=False),
        Column("pack", key(150), nullable=False),
        Column("version", key(150), nullable=False),
        Column("text", key(36), nullable=False),
        Column("change", key(36), nullable=False),
        Column("at", key(27), nullable=False),
        Column("actor", key(130), nullable=False),
        Column("answered_by", key(300)),
        Column("declined", key(36)),
        Column("settled_at", key(27)),
        Index(None, "answered_by"),
    )


def view(lessons: Table) -> View:
    """The view that fills the table: each lesson, and what became of it."""

    def keys(event: Event) -> list[Key]:
        match event.data:
            case PolicyLessonRecorded() | PolicyLessonDeclined() as data:
                return [(data.lesson,)]
            case PolicyPackLoaded() as data:
                return [(lesson,) for lesson in data.lessons]
        return []

    def apply(key: Key, row: Row | None, event: Event) -> Row | None:
        match event.data:
            case PolicyLessonRecorded() as data:
                plain = {name: getattr(data, name) for name in ("unit", "pack", "version")}
                words = {"text": data.text.ref, "change": data.change.ref}
                settled = dict.fromkeys(("answered_by", "declined", "settled_at"))
                told = {"at": event.recorded_text, "actor": event.actor}
                return {"lesson": key[0], "incident_id": data.incident, **plain, **words, **told, **settled}
            case PolicyLessonDeclined() as data if row:
                return {**row, "declined": data.reason.ref, "settled_at": event.recorded_text}
            case PolicyPackLoaded() as data if row:
                by = f"{data.pack}@{data.version}"
                return {**row, "answered_by": by, "settled_at": event.recorded_text}
        return row

    return View(lessons, keys, apply, ("policy",), one_stream=True)
