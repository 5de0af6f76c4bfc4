"""What is read of files of statements."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.store.views import Row
from services.kernel.store.words import resolve
from services.publish.attaching.views import NAME
from services.publish.views import METADATA, releases, statements

TABLE = METADATA.tables[NAME]
OF = ("file", "media_type", "size", "sha256", "persons", "pages", "public")


async def files_of(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[Row]]:
    """Statement -> its files in the order in which they came, as the API shows them."""
    rows = [
        dict(row) for row in (await connection.execute(select(TABLE).where(TABLE.c.statement_id.in_(ids)))).mappings()
    ]
    of = releases.c
    chosen = select(of.statement_id, of.attachments).where(of.statement_id.in_({row["statement_id"] for row in rows}))
    said = (await connection.execute(chosen.order_by(of.statement_id, of.version))).mappings()
    return await as_shown(connection, rows, [dict(row) for row in said])


async def as_shown(connection: AsyncConnection, rows: Sequence[Row], said: Sequence[Row]) -> dict[str, list[Row]]:
    """The same from rows of files, and of the releases of their statements in order."""
    rows = sorted((row for row in rows if not row["detached"]), key=lambda row: int(row["version"]))
    words = await resolve(connection, METADATA, [row["title_ref"] for row in rows])
    shown = {
        row["statement_id"]: {one["file"] for one in told(row["attachments"])} for row in said if row["attachments"]
    }
    found: dict[str, list[Row]] = {}
    for row in rows:
        named = {name: row[name] for name in OF}
        is_shown = row["file"] in shown.get(row["statement_id"], ())
        one = named | {"title": words(row["title_ref"]), "shown": is_shown}
        found.setdefault(row["statement_id"], []).append(one)
    return found


def told(attachments: str | None) -> list[Row]:
    """The files of a release, from its row."""
    return list(json.loads(attachments)) if attachments else []


async def file_of(connection: AsyncConnection, statement: str, file: str) -> Row | None:
    """The row of a file; None if the statement has none of this name, or its title was erased."""
    chosen = _not_erased(select(TABLE)).where(TABLE.c.file == file, TABLE.c.statement_id == statement)
    chosen = chosen.where(TABLE.c.detached.is_(False))
    row = (await connection.execute(chosen)).mappings().first()
    return dict(row) if row else None


async def public_file(connection: AsyncConnection, file: str) -> Row | None:
    """The row of a file that is or was in public; None for others, for those of exercises, and for erased ones."""
    chosen = _not_erased(select(TABLE, statements.c.number)).join(statements, statements.c.id == TABLE.c.statement_id)
    chosen = chosen.where(TABLE.c.file == file, TABLE.c.public.is_(True), statements.c.drill.is_(False))
    row = (await connection.execute(chosen)).mappings().first()
    return dict(row) if row else None


def _not_erased(chosen: Select[Any]) -> Select[Any]:
    """Without files whose titles were erased: a sweep deletes their bytes later, and a backup may bring them back."""
    return chosen.where(TABLE.c.title_ref.not_in(select(METADATA.tables["erased"].c.ref)))


async def to_delete(connection: AsyncConnection) -> frozenset[str]:
    """The references of bytes that nothing needs: of removed files, of pictures before persons were covered, and of
    files whose titles were erased.
    """
    erased, of = METADATA.tables["erased"], TABLE.c
    gone = of.title_ref.in_(select(erased.c.ref))
    chosen = select(of.stored, of.former, of.detached, gone.label("erased"))
    chosen = chosen.where(or_(of.detached, of.former != "", gone))
    found: set[str] = set()
    for row in await connection.execute(chosen):
        found.update(row.former.split())
        if row.detached or row.erased:
            found.add(row.stored)
    return frozenset(found)


async def kept(connection: AsyncConnection) -> frozenset[str]:
    """The references of all other bytes."""
    return frozenset((await connection.execute(select(TABLE.c.stored))).scalars()) - await to_delete(connection)
