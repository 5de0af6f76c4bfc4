"""The files of statements: a table as a fold of publish's own events. Pure."""

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Table, Text

from schemas.envelope import Event
from schemas.publish import (
    StatementCorrected,
    StatementFileAttached,
    StatementFileCovered,
    StatementFileDetached,
    StatementNoticePublished,
    StatementPublished,
)
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

NAME = "statement_files"


def table(metadata: MetaData) -> None:
    """Adds the table.

    `stored` is the reference of the bytes, `former` those of pictures before persons were covered. `public` is whether
    the file is or was in public, `detached` whether it was taken away before.
    """
    Table(
        NAME,
        metadata,
        Column("file", key(128), primary_key=True),
        Column("statement_id", key(), nullable=False),
        Column("version", Integer, nullable=False),
        Column("media_type", key(100), nullable=False),
        Column("size", Integer, nullable=False),
        Column("sha256", key(64), nullable=False),
        Column("title_ref", key(36), nullable=False),
        Column("persons", key(16)),
        Column("pages", Integer),
        Column("stored", key(128), nullable=False),
        Column("former", Text, nullable=False),
        Column("public", Boolean, nullable=False),
        Column("detached", Boolean, nullable=False),
        Index(None, "statement_id", "version"),
        Index(None, "sha256"),
    )


def _keys(event: Event) -> list[Key]:
    match event.data:
        case StatementFileAttached() | StatementFileCovered() | StatementFileDetached() as data:
            return [(data.file,)]
        case StatementPublished() | StatementNoticePublished() | StatementCorrected() as data:
            return [(one.file,) for one in data.attachments or ()]
        case _:
            return []


def _file(_: Key, row: Row | None, event: Event) -> Row | None:
    data = event.data
    if isinstance(data, StatementFileAttached):
        return {
            "file": data.file,
            "statement_id": event.stream,
            "version": event.version,
            "media_type": data.media_type,
            "size": data.size,
            "sha256": data.sha256,
            "title_ref": data.title.ref,
            "persons": data.persons,
            "pages": data.pages,
            "stored": data.file,
            "former": "",
            "public": False,
            "detached": False,
        }
    if row is None:
        return None
    match data:
        case StatementFileCovered():
            former = f"{row['former']} {row['stored']}".strip()
            changed = {"stored": data.stored, "size": data.size, "sha256": data.sha256, "former": former}
            return row | changed | {"persons": "covered"}
        case StatementFileDetached():
            return row | {"detached": True}
        case _:
            return row | {"public": True}


def view(metadata: MetaData) -> View:
    return View(metadata.tables[NAME], _keys, _file, ("statement",), one_stream=True)
