"""Rows of statements, as answers for staff and pages of the bulletin both read them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.serving import paging
from services.kernel.store.views import Row
from services.publish.views import incidents, releases, statements


class Page(NamedTuple):
    """Rows in order, and the cursor of the next page."""

    rows: list[Row]
    next: str | None


async def newest(
    connection: AsyncConnection, chosen: Select[Any], at: str, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    """A page of chosen statements, newest first by the instant in column `at`, and the next page's cursor."""
    place = (statements.c[at], statements.c.id)
    if cursor is not None:
        chosen = chosen.where(tuple_(*place) < paging.place_of(cursor, str, str))
    chosen = chosen.order_by(*(column.desc() for column in place)).limit(limit + 1)
    found = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    return paging.page(found, limit, lambda row: (row[at], row["id"]))


async def numbers_of(connection: AsyncConnection, rows: Sequence[Row]) -> dict[str, str]:
    """The incidents of statements -> their numbers."""
    wanted = incidents.c.id.in_(sorted({row["incident_id"] for row in rows if row["incident_id"]}))
    found = await connection.execute(select(incidents.c.id, incidents.c.number).where(wanted))
    return {row.id: row.number for row in found}


async def releases_of(connection: AsyncConnection, ids: Sequence[str]) -> list[Row]:
    """The public texts of statements, in order."""
    chosen = (
        select(releases).where(releases.c.statement_id.in_(ids)).order_by(releases.c.statement_id, releases.c.version)
    )
    return [dict(row) for row in (await connection.execute(chosen)).mappings()]
