"""Search among matters, by the index of words and by the columns of the incidents.

All words must stand in one matter: in a subject, a text or a place of its reports, or of its registration, masked as
they are kept. The index names at most `MOST` of these texts for a word, newest first, so a search is bounded in time
and memory.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, Select, select, tuple_, union
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed
from services.kernel.serving import paging
from services.kernel.store import numbers, sql, standings, word_index
from services.triage.alike import linked
from services.triage.queries import subjects
from services.triage.rights import READ_MATTER
from services.triage.views import INCIDENT_REPORTS, INCIDENTS, METADATA, REPORTS, SAID

MOST = 1000
"""At most so many texts are looked at for a word."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for. Absent conditions narrow nothing."""

    words: str | None = None
    place: str | None = None
    number: str | None = None
    unit: str | None = None
    category: str | None = None
    state: str | None = None
    opened_from: str | None = None
    opened_to: str | None = None


class Results(NamedTuple):
    """A page of matters, the cursor of the next one, and whether all texts with the words were looked at."""

    items: list[dict[str, Any]]
    further: str | None
    complete: bool


async def find(connection: AsyncConnection, ctx: Ctx, wanted: Wanted, cursor: str | None, limit: int) -> Results:
    """Matters in which a unit that the actor oversees has a part, newest first."""
    table, complete = INCIDENTS, True
    overseen = READ_MATTER.listed(ctx)
    chosen = select(table).where(standings.concerns(METADATA, table.c.id, overseen), table.c.merged_into.is_(None))
    for field, said, looked in (
        ("words", wanted.words, ("subject", "text", "place")),
        ("place", wanted.place, ("place",)),
    ):
        for word in (said or "").split():
            refs, all_of_them = await _texts_with(connection, field, looked, word)
            complete = complete and all_of_them
            # One parameter for each word, however many texts have it.
            holding = select(sql.mapped(dict.fromkeys(refs, "")).c.key)
            # What a post registered before anybody reported it stands with the matter itself. Each column by itself
            # has an index; for several with `or` between them every report would be read.
            chosen = chosen.where(table.c.id.in_(union(*(_saying(column, holding) for column in _columns(looked)))))
    if wanted.number is not None:
        chosen = chosen.where(table.c.id == await _numbered(connection, wanted.number))
    for name in ("unit", "category", "state"):
        if (value := getattr(wanted, name)) is not None:
            chosen = chosen.where(table.c[name] == value)
    if wanted.opened_from is not None:
        chosen = chosen.where(table.c.opened_at >= wanted.opened_from)
    if wanted.opened_to is not None:
        chosen = chosen.where(table.c.opened_at < wanted.opened_to)
    if cursor is not None:
        chosen = chosen.where(tuple_(table.c.opened_at, table.c.id) < paging.place_of(cursor, str, str))
    chosen = chosen.order_by(table.c.opened_at.desc(), table.c.id.desc()).limit(limit + 1)
    found = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    rows, further = paging.page(found, limit, lambda row: (row["opened_at"], row["id"]))
    named = await subjects(connection, [row["id"] for row in rows])
    plain = ("number", "state", "unit", "assigned", "level", "category", "opened_at")
    items = [
        {"incident_id": row["id"], **{name: row[name] for name in plain}, "subject": named.get(row["id"])}
        for row in rows
    ]
    return Results(items, further, complete)


async def _numbered(connection: AsyncConnection, number: str) -> str | None:
    """The incident of this number, or the one in which it goes on. People keep the number that they were told."""
    holder = (await numbers.streams_of(connection, METADATA, [number])).get(number)
    return holder and linked.head(await standings.read(connection, METADATA, [holder]), holder)


async def categories(connection: AsyncConnection, ctx: Ctx, asked: str | None) -> Collection[str]:
    """The categories of the deployment's list; also the asked one, if a matter of the record has it."""
    listed = ctx.offices.lists.categories
    if asked is None or asked in listed:
        return listed
    held = await connection.execute(select(INCIDENTS.c.id).where(INCIDENTS.c.category == asked).limit(1))
    return listed if held.first() is None else {asked}


async def _texts_with(
    connection: AsyncConnection, field: str, looked: Collection[str], word: str
) -> tuple[list[str], bool]:
    """References of the newest texts that hold the word, and whether these are all."""
    if not word_index.pairs_of(word):
        raise Malformed(
            f"{field}: {word[:20]!r} is too short; write at least two characters of each word",
            code="word-too-short",
            field=field,
            given=word[:20],
        )
    return await word_index.holding(connection, word, _columns(looked), MOST)


def _columns(looked: Collection[str]) -> word_index.Columns:
    return tuple(column for name in looked for column in SAID[name])


def _saying(column: Column[Any], holding: Select[Any]) -> Select[Any]:
    """The matters of whose reports, or which themselves, a column has one of these texts."""
    if column.table is INCIDENTS:
        return select(INCIDENTS.c.id).where(column.in_(holding))
    of = INCIDENT_REPORTS
    chosen = select(of.c.incident_id).join(REPORTS, REPORTS.c.report_id == of.c.report_id)
    return chosen.where(of.c.active, column.in_(holding))
