"""What publish knows: the incidents of triage, its own statements, and what of them is public.

Queries for the bulletin read only what was published, and never a drill.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.publish import (
    StatementApproved,
    StatementCorrected,
    StatementDrafted,
    StatementPublished,
    StatementRejected,
    StatementRevised,
    StatementSubmitted,
    StatementWithdrawn,
)
from schemas.triage import (
    IncidentAssigned,
    IncidentClassified,
    IncidentClosed,
    IncidentFactEstablished,
    IncidentFactRevised,
    IncidentGraded,
    IncidentMerged,
    IncidentOpened,
    IncidentRegraded,
    IncidentReopened,
    IncidentResolved,
    IncidentReturned,
    IncidentTransferred,
)
from services.kernel import offices, paging, tables
from services.kernel.columns import key
from services.kernel.views import Key, Row, View
from services.kernel.words import resolve, texts
from services.publish.decider import Matter, State

METADATA = tables.metadata()

incidents = Table(
    "incidents",
    METADATA,
    Column("id", key(), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("unit", key(), nullable=False),
    Column("assigned", key()),
    Column("level", key(100)),
    Column("rank", Integer),
    Column("answer_kind", key(16)),
    Column("state", key(16), nullable=False),
    Column("merged_into", key()),
    Column("drill", Boolean, nullable=False),
)
"""`state`: open, resolved, closed, merged. `version` is the last one seen, whatever it was about."""

incident_facts = Table(
    "incident_facts",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("key", key(100), primary_key=True),
    Column("version", Integer, nullable=False),
)
"""The facts that are established, with the incident's version that established or last revised them."""

statements = Table(
    "statements",
    METADATA,
    Column("id", key(), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("incident_id", key(), nullable=False),
    Column("unit", key(), nullable=False),
    Column("kind", key(16), nullable=False),
    Column("state", key(16), nullable=False),
    Column("draft_ref", key(36), nullable=False),
    Column("facts", Text, nullable=False),
    Column("level", key(100)),
    Column("steps", Text, nullable=False),
    Column("steps_done", Integer, nullable=False),
    Column("rejection_ref", key(36)),
    Column("drafted_at", key(27), nullable=False),
    Column("text", Text),
    Column("published_at", key(27)),
    Column("updated_at", key(27)),
    Column("corrections", Integer, nullable=False),
    Column("withdrawn_at", key(27)),
    Column("drill", Boolean, nullable=False),
    Index(None, "incident_id"),
    Index(None, "updated_at", "id"),
)
"""`facts` and `steps` are codes with a space between them. `text` is the published one that holds now."""

releases = Table(
    "releases",
    METADATA,
    Column("statement_id", key(), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", key(16), nullable=False),
    Column("at", key(27), nullable=False),
    Column("text", Text),
    Column("reason", Text),
)
"""What was said in public, in order: publication, correction, withdrawal. A withdrawal has no text of its own."""


def _incident_keys(event: Event) -> list[Key]:
    return [(event.stream,)] if event.kind == "incident" else []


def _incident(_: Key, row: Row | None, event: Event) -> Row | None:
    data = event.data
    if isinstance(data, IncidentOpened):
        return {
            "id": event.stream,
            "version": event.version,
            "unit": data.unit,
            "assigned": None,
            "level": None,
            "rank": None,
            "answer_kind": None,
            "state": "open",
            "merged_into": None,
            "drill": event.drill,
        }
    return None if row is None else row | {"version": event.version} | _change(data)


def _change(data: Any) -> Row:
    match data:
        case IncidentGraded() | IncidentRegraded():
            return {"level": data.level, "rank": data.rank}
        case IncidentClassified():
            return {"answer_kind": data.answer_kind}
        case IncidentAssigned():
            return {"assigned": data.unit}
        case IncidentReturned():
            return {"assigned": None}
        case IncidentTransferred():
            return {"unit": data.unit}
        case IncidentResolved():
            return {"state": "resolved"}
        case IncidentReopened():
            return {"state": "open"}
        case IncidentClosed():
            return {"state": "closed"}
        case IncidentMerged():
            return {"state": "merged", "merged_into": data.into}
        case _:
            return {}


def _fact_keys(event: Event) -> list[Key]:
    if event.kind == "incident" and isinstance(event.data, IncidentFactEstablished | IncidentFactRevised):
        return [(event.stream, event.data.key)]
    return []


def _fact(key: Key, _: Row | None, event: Event) -> Row | None:
    return {"incident_id": key[0], "key": key[1], "version": event.version}


def _statement_keys(event: Event) -> list[Key]:
    return [(event.stream,)] if event.kind == "statement" else []


def _statement(_: Key, row: Row | None, event: Event) -> Row | None:
    data = event.data
    if isinstance(data, StatementDrafted):
        return {
            "id": event.stream,
            "version": event.version,
            "revision": _staff(event),
            "incident_id": data.incident,
            "unit": data.unit,
            "kind": data.kind,
            "state": "drafted",
            "draft_ref": data.draft.ref,
            "facts": " ".join(data.facts),
            "level": None,
            "steps": "",
            "steps_done": 0,
            "rejection_ref": None,
            "drafted_at": event.time_text,
            "text": None,
            "published_at": None,
            "updated_at": None,
            "corrections": 0,
            "withdrawn_at": None,
            "drill": event.drill,
        }
    if row is None:
        return None
    counted = {"version": event.version, "revision": row["revision"] + _staff(event)}
    return row | counted | _progress(row, event)


def _staff(event: Event) -> int:
    return int(event.actor != "system")


def _progress(row: Row, event: Event) -> Row:
    back = {"state": "drafted", "level": None, "steps": "", "steps_done": 0}
    match event.data:
        case StatementRevised() as data:
            facts = row["facts"] if data.facts is None else " ".join(data.facts)
            return back | {"draft_ref": data.draft.ref, "facts": facts}
        case StatementSubmitted() as data:
            steps = " ".join(data.steps)
            return {"state": "submitted", "level": data.level, "steps": steps, "steps_done": 0, "rejection_ref": None}
        case StatementApproved() as data:
            return {"state": "approved" if data.last else row["state"], "steps_done": row["steps_done"] + 1}
        case StatementRejected() as data:
            return back | {"rejection_ref": data.reason.ref}
        case StatementPublished() as data:
            at = event.time_text
            return {"state": "published", "unit": data.unit, "text": data.text, "published_at": at, "updated_at": at}
        case StatementCorrected() as data:
            return {"text": data.text, "updated_at": event.time_text, "corrections": row["corrections"] + 1}
        case StatementWithdrawn():
            return {"state": "withdrawn", "updated_at": event.time_text, "withdrawn_at": event.time_text}
        case _:
            return {}


def _release_keys(event: Event) -> list[Key]:
    if event.kind == "statement" and isinstance(
        event.data, StatementPublished | StatementCorrected | StatementWithdrawn
    ):
        return [(event.stream, event.version)]
    return []


def _release(key: Key, _: Row | None, event: Event) -> Row | None:
    row = {"statement_id": key[0], "version": key[1], "at": event.time_text}
    match event.data:
        case StatementPublished() as data:
            return row | {"kind": "publication", "text": data.text, "reason": None}
        case StatementCorrected() as data:
            return row | {"kind": "correction", "text": data.text, "reason": data.reason}
        case StatementWithdrawn() as data:
            return row | {"kind": "withdrawal", "text": None, "reason": data.reason}
        case _:
            return None


VIEWS = (
    *offices.views(METADATA),
    View(incidents, _incident_keys, _incident, one_stream=True),
    View(incident_facts, _fact_keys, _fact, one_stream=True),
    View(statements, _statement_keys, _statement, one_stream=True),
    View(releases, _release_keys, _release, one_stream=True),
)


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
    text = None
    if state.draft is not None:
        text = (await texts(connection, METADATA, [state.draft.ref])).get(state.draft.ref)
    return {"stream": stream, "matter": await matter(connection, state.incident), "text": text}


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
    if cursor is not None:
        chosen = chosen.where(tuple_(statements.c.drafted_at, statements.c.id) < paging.place_of(cursor, str, str))
    chosen = chosen.order_by(statements.c.drafted_at.desc(), statements.c.id.desc()).limit(limit + 1)
    found = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    rows, further = paging.page(found, limit, lambda row: (row["drafted_at"], row["id"]))
    return Page(await _shown(connection, rows), further)


async def one_statement(connection: AsyncConnection, id_: str, units: Iterable[str]) -> Row | None:
    """A statement as the API shows it, with its releases in order."""
    row = (await connection.execute(_visible(units).where(statements.c.id == id_))).mappings().first()
    if row is None:
        return None
    (item,) = await _shown(connection, [dict(row)])
    said = await _releases(connection, [id_])
    return item | {"releases": [{name: release[name] for name in ("kind", "at", "text", "reason")} for release in said]}


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
        connection, METADATA, [ref for row in rows for ref in (row["draft_ref"], row["rejection_ref"])]
    )
    return [
        {
            "id": row["id"],
            "version": row["revision"],
            "incident_id": row["incident_id"],
            "unit": row["unit"],
            "kind": row["kind"],
            "state": row["state"],
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


async def public_page(connection: AsyncConnection, *, limit: int, cursor: str | None = None) -> Page:
    """What the public sees, what was said last first; `said` holds each statement's releases in order."""
    chosen = _public()
    if cursor is not None:
        chosen = chosen.where(tuple_(statements.c.updated_at, statements.c.id) < paging.place_of(cursor, str, str))
    chosen = chosen.order_by(statements.c.updated_at.desc(), statements.c.id.desc()).limit(limit + 1)
    found = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    rows, further = paging.page(found, limit, lambda row: (row["updated_at"], row["id"]))
    return Page(await _public_rows(connection, rows), further)


async def public_statement(connection: AsyncConnection, id_: str) -> Row | None:
    """One published statement, with all that was said."""
    row = (await connection.execute(_public().where(statements.c.id == id_))).mappings().first()
    return None if row is None else (await _public_rows(connection, [dict(row)]))[0]


def _public() -> Any:
    names = ("id", "incident_id", "unit", "kind", "state", "text", "published_at", "updated_at", "corrections")
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
