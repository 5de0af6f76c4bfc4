"""What is read of statements: by decisions, by staff, and by the bulletin.

What the bulletin reads was published, and is never a drill.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kernel.serving import paging
from services.kernel.store.views import Row
from services.kernel.store.words import resolve, texts
from services.publish.decider import State
from services.publish.rights import Matter
from services.publish.views import METADATA, incident_facts, incidents, releases, statements


async def matter(connection: AsyncConnection, incident: str) -> Matter | None:
    """The incident as publish has seen it; None where it has not."""
    row = (await connection.execute(select(incidents).where(incidents.c.id == incident))).mappings().first()
    if row is None:
        return None
    facts = await connection.execute(select(incident_facts.c.key).where(incident_facts.c.incident_id == incident))
    known = {name: row[name] for name in ("id", "version", "unit", "assigned", "level", "rank", "merged_into", "drill")}
    return Matter(**known, facts=frozenset(facts.scalars()))


async def seen(stream: str, connection: AsyncConnection, state: State) -> Mapping[str, Any]:
    """What a decision on an existing statement needs, for `ctx.seen`."""
    refs = {"title": state.title, "text": state.draft}
    words = await texts(connection, METADATA, [words.ref for words in refs.values() if words])
    written = {name: words.get(ref.ref) if ref else None for name, ref in refs.items()}
    return {"stream": stream, "matter": await matter(connection, state.incident), **written}


class Page(NamedTuple):
    """Rows in order, and the cursor of the next page."""

    rows: list[Row]
    next: str | None


async def list_statements(
    connection: AsyncConnection,
    units: Iterable[str],
    *,
    incident: str | None = None,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Statements of these units or on their incidents, newest first, as the API shows them."""
    chosen = _visible(units)
    if incident is not None:
        chosen = chosen.where(statements.c.incident_id == incident)
    if state is not None:
        chosen = chosen.where(statements.c.state == state)
    rows, further = await _newest(connection, chosen, "drafted_at", limit, cursor)
    return Page(await _shown(connection, rows), further)


async def _newest(
    connection: AsyncConnection, chosen: Select[Any], at: str, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    """A page of chosen statements, by the instant in column `at` from the newest on, and the next page's cursor."""
    place = (statements.c[at], statements.c.id)
    if cursor is not None:
        chosen = chosen.where(tuple_(*place) < paging.place_of(cursor, str, str))
    chosen = chosen.order_by(*(column.desc() for column in place)).limit(limit + 1)
    found = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    return paging.page(found, limit, lambda row: (row[at], row["id"]))


async def one_statement(connection: AsyncConnection, id_: str, units: Iterable[str]) -> Row | None:
    """A statement as the API shows it, with its releases in order."""
    row = (await connection.execute(_visible(units).where(statements.c.id == id_))).mappings().first()
    if row is None:
        return None
    (item,) = await _shown(connection, [dict(row)])
    said = await _releases(connection, [id_])
    return item | {
        "releases": [{name: release[name] for name in ("kind", "at", "title", "text", "reason")} for release in said]
    }


def _visible(units: Iterable[str]) -> Any:
    wanted = sorted(units)
    joined = statements.outerjoin(incidents, incidents.c.id == statements.c.incident_id)
    return (
        select(statements)
        .select_from(joined)
        .where(
            or_(statements.c.unit.in_(wanted), incidents.c.unit.in_(wanted), incidents.c.assigned.in_(wanted)),
        )
    )


async def _shown(connection: AsyncConnection, rows: Sequence[Row]) -> list[Row]:
    words = await resolve(
        connection,
        METADATA,
        [ref for row in rows for ref in (row["title_ref"], row["draft_ref"], row["rejection_ref"])],
    )
    return [
        {
            "id": row["id"],
            "version": row["revision"],
            "incident_id": row["incident_id"],
            "unit": row["unit"],
            "kind": row["kind"],
            "state": row["state"],
            "title": row["title"] or words(row["title_ref"]),
            "draft": words(row["draft_ref"]),
            "facts": row["facts"].split(),
            "level": row["level"],
            "steps": row["steps"].split(),
            "steps_done": row["steps_done"],
            "rejection": words(row["rejection_ref"]),
            "drafted_at": row["drafted_at"],
            "text": row["text"],
            "published_at": row["published_at"],
            "updated_at": row["updated_at"],
            "corrections": row["corrections"],
            "withdrawn_at": row["withdrawn_at"],
            "drill": row["drill"],
        }
        for row in rows
    ]


async def public_page(
    connection: AsyncConnection, *, limit: int, cursor: str | None = None, units: Iterable[str] | None = None
) -> Page:
    """What the public sees, of these units or of all, what was said last first; `said` holds each one's releases."""
    chosen = _public()
    if units is not None:
        chosen = chosen.where(statements.c.unit.in_(sorted(units)))
    rows, further = await _newest(connection, chosen, "updated_at", limit, cursor)
    return Page(await _public_rows(connection, rows), further)


async def speaking_units(connection: AsyncConnection) -> frozenset[str]:
    """The units that ever said something in public."""
    spoken = _public().subquery()
    return frozenset((await connection.execute(select(spoken.c.unit).distinct())).scalars())


async def public_statement(connection: AsyncConnection, id_: str) -> Row | None:
    """One published statement, with all that was said."""
    row = (await connection.execute(_public().where(statements.c.id == id_))).mappings().first()
    return None if row is None else (await _public_rows(connection, [dict(row)]))[0]


def _public() -> Any:
    names = ("id", "incident_id", "unit", "kind", "state", "title", "text", "published_at", "updated_at", "corrections")
    columns = [statements.c[name] for name in names]
    return select(*columns).where(statements.c.published_at.is_not(None), statements.c.drill.is_(False))


async def _public_rows(connection: AsyncConnection, rows: Sequence[Row]) -> list[Row]:
    said = await _releases(connection, [row["id"] for row in rows])
    lines = await _lines(connection, [row["incident_id"] for row in rows])
    names = await _names(connection, [row["unit"] for row in rows])
    return [
        row
        | {
            "said": [release for release in said if release["statement_id"] == row["id"]],
            "unit_name": _name_at(names.get(row["unit"], []), row["published_at"]) or row["unit"],
            **_neighbours(lines.get(row["incident_id"], []), row["id"]),
        }
        for row in rows
    ]


async def _releases(connection: AsyncConnection, ids: Sequence[str]) -> list[Row]:
    chosen = (
        select(releases).where(releases.c.statement_id.in_(ids)).order_by(releases.c.statement_id, releases.c.version)
    )
    return [dict(row) for row in (await connection.execute(chosen)).mappings()]


async def _lines(connection: AsyncConnection, wanted: Sequence[str]) -> dict[str, list[Row]]:
    """The published statements on each incident, in order of publication."""
    chosen = _public().where(statements.c.incident_id.in_(wanted)).order_by(statements.c.published_at, statements.c.id)
    lines: dict[str, list[Row]] = {}
    for row in (await connection.execute(chosen)).mappings():
        lines.setdefault(row["incident_id"], []).append(dict(row))
    return lines


def _neighbours(line: Sequence[Row], id_: str) -> Row:
    """The statement that this one updates, and the one that updates it: the matter's releases name each other."""
    ids = [row["id"] for row in line]
    at = ids.index(id_)
    return {"updates": line[at - 1] if at else None, "updated_by": line[at + 1] if at + 1 < len(line) else None}


async def _names(connection: AsyncConnection, codes: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    units = METADATA.tables["units"]
    chosen = select(units.c.unit, units.c.since, units.c.name).where(units.c.unit.in_(codes)).order_by(units.c.since)
    names: dict[str, list[tuple[str, str]]] = {}
    for row in await connection.execute(chosen):
        names.setdefault(row.unit, []).append((row.since, row.name))
    return names


def _name_at(names: Sequence[tuple[str, str]], at: str) -> str | None:
    """What the unit was called when it spoke; a later name does not rewrite who said it."""
    earlier = [name for since, name in names if since <= at]
    return earlier[-1] if earlier else names[0][1] if names else None
