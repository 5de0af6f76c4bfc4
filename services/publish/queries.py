"""What answers of publish read: statements for staff and for the bulletin.

The bulletin shows only published statements, and never a drill.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from sqlalchemy import Select, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from services.kernel.access.approving import nearest
from services.kernel.access.rights import may
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Problem, Unavailable
from services.kernel.core.standings import Moment, Reading
from services.kernel.rules.approval import Course
from services.kernel.serving import paging
from services.kernel.serving.approvals import gate, gates, shown
from services.kernel.store import standings
from services.kernel.store.views import Row, folded
from services.kernel.store.words import resolve
from services.publish.commands import Approve, Correct, Draft, Preview, Publish, Submit, Withdraw
from services.publish.history import history
from services.publish.rights import READ_STATEMENT, RIGHTS, Case, Statement, reading, unverified
from services.publish.seen import read_incident, read_incidents
from services.publish.views import METADATA, OF_ONE, incidents, releases, state_of, statements

NEXT: Mapping[str, Sequence[type[Command]]] = {
    "drafted": (Submit,),
    "submitted": (Approve,),
    "approved": (Publish,),
    "published": (Correct, Withdraw),
}
"""Phase -> the commands that lead on from there."""


class Page(NamedTuple):
    """Rows in order, and the cursor of the next page."""

    rows: list[Row]
    next: str | None


async def may_draft(connection: AsyncConnection, ctx: Ctx, incident: str) -> list[str]:
    """`draft` if the actor may begin a statement on the incident now; else nothing."""
    known = await read_incident(connection, incident)
    if known is None:
        return []
    with suppress(Unavailable):
        return may([RIGHTS[Draft]], Case.of(Statement(), known, incident, ctx), ctx)
    return []


async def list_statements(
    connection: AsyncConnection,
    ctx: Ctx,
    *,
    incident: str | None = None,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page:
    """Statements of units that the actor oversees, or on matters in which these units have a part, newest first.

    If a matter was merged and these units have no part any more, its statements appear as they were at the merger.
    """
    overseen, chosen = READ_STATEMENT.listed(ctx), select(statements)
    if overseen is not None:
        own = statements.c.unit.in_(sorted(overseen))
        chosen = chosen.where(or_(own, standings.concerns(METADATA, statements.c.incident_id, overseen)))
    if incident is not None:
        chosen = chosen.where(statements.c.incident_id == incident)
    if state is not None:
        chosen = chosen.where(statements.c.state == state)
    rows, further = await _newest(connection, chosen, "drafted_at", limit, cursor)
    known = await standings.read(connection, METADATA, [row["incident_id"] for row in rows])
    items = {row["id"]: row for row in await _with_rights(connection, ctx, rows)}
    for row in rows:
        reads = reading(state_of(row), known, row["incident_id"], ctx)
        if reads is None or reads.until is None:
            continue
        del items[row["id"]]
        then, _ = await _then(connection, row["id"], reads.until)
        if then and state in (None, then[0]["state"]):
            items[row["id"]] = await _as_it_stood(connection, then)
    return Page([items[row["id"]] for row in rows if row["id"] in items], further)


async def _newest(
    connection: AsyncConnection, chosen: Select[Any], at: str, limit: int, cursor: str | None
) -> tuple[list[Row], str | None]:
    """A page of chosen statements, newest first by the instant in column `at`, and the next page's cursor."""
    place = (statements.c[at], statements.c.id)
    if cursor is not None:
        chosen = chosen.where(tuple_(*place) < paging.place_of(cursor, str, str))
    chosen = chosen.order_by(*(column.desc() for column in place)).limit(limit + 1)
    found = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    return paging.page(found, limit, lambda row: (row[at], row["id"]))


async def one_statement(connection: AsyncConnection, ctx: Ctx, id_: str) -> Row | None:
    """A statement as the API shows it, with its releases in order; None if the actor may read nothing of it.

    A former unit reads it as it was when that unit's part ended.
    """
    row, reads = await _readable(connection, ctx, id_)
    if row is None or reads is None:
        return None
    if reads.until is None:
        (item,) = await _with_rights(connection, ctx, [row])
        item["may_not"] = await _refusals(connection, ctx, row)
        said = await _releases(connection, [id_])
    else:
        rows, said = await _then(connection, id_, reads.until)
        if not rows:
            return None
        item = await _as_it_stood(connection, rows)
    return item | {
        "releases": [{name: release[name] for name in ("kind", "at", "title", "text", "reason")} for release in said]
    }


async def _readable(connection: AsyncConnection, ctx: Ctx, id_: str) -> tuple[Row | None, Reading | None]:
    """A statement's row, and how much of it the actor may read; None for nothing."""
    row = (await connection.execute(select(statements).where(statements.c.id == id_))).mappings().first()
    if row is None:
        return None, None
    known = await standings.read(connection, METADATA, [row["incident_id"]])
    return dict(row), reading(state_of(dict(row)), known, row["incident_id"], ctx)


async def history_of(connection: AsyncConnection, ctx: Ctx, id_: str) -> list[Row] | None:
    """What was done on a statement in order, as far as the actor may read it; None if that is nothing."""
    row, reads = await _readable(connection, ctx, id_)
    if row is None or reads is None:
        return None
    return await history(connection, id_, reads.until.at if reads.until else None) or None


async def _refusals(connection: AsyncConnection, ctx: Ctx, row: Row) -> list[Problem]:
    """Why the actor may not take the next step on a statement; empty if nothing stands against it."""
    known, found = await read_incidents(connection, [row["incident_id"]]), []
    for command in NEXT.get(row["state"], ()):
        try:
            case = Case.of(state_of(row), known[row["incident_id"]], row["id"], ctx)
            RIGHTS[command].require(case, ctx)
            RIGHTS[command].refuse(case, ctx)
        except Problem as problem:
            problem.members["act"] = RIGHTS[command].verb
            found.append(problem)
    return found


async def _as_it_stood(connection: AsyncConnection, rows: Sequence[Row]) -> Row:
    """A statement from its row of `_then`, for a reader who can send no commands on it any more."""
    (item,) = await _shown(connection, rows)
    return item


async def _then(connection: AsyncConnection, id_: str, until: Moment) -> tuple[list[Row], list[Row]]:
    """The statement's row and its releases as they stood when an event of the incident was recorded."""
    table = METADATA.tables["events"]
    chosen = select(table.c.bytes).where(table.c.stream_id == id_, table.c.recordedtime <= until.at)
    ordered = (await connection.execute(chosen.order_by(table.c.version))).scalars()
    events = [Event.parse(bytes_) for bytes_ in ordered]
    rows, said = (folded(view, events) for view in OF_ONE)
    return rows, said


async def _with_rights(connection: AsyncConnection, ctx: Ctx, rows: Sequence[Row]) -> list[Row]:
    """Statements as the API shows them, each with who is due and the actor's `may`; nobody if no pack is at hand."""
    known = await read_incidents(connection, [row["incident_id"] for row in rows])
    items = await _shown(connection, rows)
    for row, item in zip(rows, items, strict=True):
        incident = known[row["incident_id"]]
        with suppress(Unavailable):
            case = Case.of(state_of(row), incident, row["id"], ctx)
            item["may"] = may(RIGHTS.values(), case, ctx)
            item.update(shown(case.statement.course, case.pack))
            item["due"] = nearest(case.due.who, case.statement.unit, ctx.offices) if case.due else []
            item["gates"] = _gates(case, item["facts"], ctx)
    return items


def _gates(case: Case, facts: Sequence[str], ctx: Ctx) -> list[Row]:
    """The checks before the approval of a statement, as they stand for the actor."""
    said, pack, is_facts = case.statement, case.pack.model, case.statement.kind == "facts"
    waits = pack.verification is not None and "facts" in pack.verification.before
    is_asked = said.phase in ("submitted", "approved")
    return gates(
        said.marks,
        facts=gate(is_facts or bool(facts), not facts or set(facts) - case.incident.facts),
        verification=gate(is_facts and waits, is_facts and unverified(case, ctx)),
        chain=gate(is_asked, is_asked and case.outgrown),
        separation=gate(case.separates, case.by in said.writers | said.approvers),
    )


async def _shown(connection: AsyncConnection, rows: Sequence[Row]) -> list[Row]:
    words = await resolve(
        connection,
        METADATA,
        [ref for row in rows for ref in (row["title_ref"], row["draft_ref"], row["rejection_ref"])],
    )
    numbers = await _numbers(connection, rows)
    return [
        {
            "number": row["number"],
            "id": row["id"],
            "version": row["revision"],
            "revision": row["revision"],
            "incident_number": numbers.get(row["incident_id"]),
            "incident_id": row["incident_id"],
            "unit": row["unit"],
            "kind": row["kind"],
            "state": row["state"],
            "title": row["title"] or words(row["title_ref"]),
            "draft": words(row["draft_ref"]),
            "facts": row["facts"].split(),
            "secret": "secret" in row["marks"],
            "major_information": "major_information" in row["marks"],
            "level": row["level"],
            **shown(Course.model_validate_json(row["course"])),
            "due": [],
            "gates": [],
            "may": [],
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
    """The public statements of these units, or of all, the latest change first. `said` holds each one's releases."""
    chosen = _public()
    if units is not None:
        chosen = chosen.where(statements.c.unit.in_(sorted(units)))
    rows, further = await _newest(connection, chosen, "updated_at", limit, cursor)
    return Page(await _public_rows(connection, rows), further)


async def speaking_units(connection: AsyncConnection) -> frozenset[str]:
    """The units that ever spoke in public."""
    spoken = _public().subquery()
    return frozenset((await connection.execute(select(spoken.c.unit).distinct())).scalars())


async def public_statement(connection: AsyncConnection, id_: str) -> Row | None:
    """One published statement, with all its releases."""
    row = (await connection.execute(_public().where(statements.c.id == id_))).mappings().first()
    return None if row is None else (await _public_rows(connection, [dict(row)]))[0]


def _public() -> Any:
    names = (
        "number",
        "id",
        "incident_id",
        "unit",
        "kind",
        "state",
        "title",
        "text",
        "published_at",
        "updated_at",
        "corrections",
    )
    columns = [statements.c[name] for name in names]
    return select(*columns).where(statements.c.published_at.is_not(None), statements.c.drill.is_(False))


async def _public_rows(connection: AsyncConnection, rows: Sequence[Row]) -> list[Row]:
    said = await _releases(connection, [row["id"] for row in rows])
    lines = await _lines(connection, [row["incident_id"] for row in rows])
    names = await _names(connection, [row["unit"] for row in rows])
    numbers = await _numbers(connection, rows)
    return [
        row
        | {
            "incident_number": numbers.get(row["incident_id"]),
            "said": [release for release in said if release["statement_id"] == row["id"]],
            "unit_name": _name_at(names.get(row["unit"], []), row["published_at"]) or row["unit"],
            **_neighbours(lines.get(row["incident_id"], []), row["id"]),
        }
        for row in rows
    ]


async def as_public(connection: AsyncConnection, shown: Row, typed: Preview, now: str) -> Row:
    """A statement of the API as a row of the bulletin, as if what is typed were published now."""
    said: list[Row] = [dict(release) for release in shown["releases"]]
    title, text = typed.title or shown["title"] or "", typed.text or shown["text"] or shown["draft"] or ""
    if not said:
        said.append({"kind": "publication", "at": now, "title": title, "text": text, "reason": None})
    elif typed.text:
        said.append({"kind": "correction", "at": now, "title": title, "text": text, "reason": typed.reason or ""})
    elif typed.reason:
        said.append({"kind": "withdrawal", "at": now, "title": None, "text": None, "reason": typed.reason})
    row = shown | {
        "title": title,
        "text": text,
        "published_at": said[0]["at"],
        "updated_at": said[-1]["at"],
        "corrections": sum(release["kind"] == "correction" for release in said),
    }
    line = (await _lines(connection, [row["incident_id"]])).get(row["incident_id"], [])
    if row["id"] not in [other["id"] for other in line]:
        line.append(row)
    names = await _names(connection, [row["unit"]])
    unit = _name_at(names.get(row["unit"], []), row["published_at"]) or row["unit"]
    return row | {"said": said, "unit_name": unit, **_neighbours(line, row["id"])}


async def _numbers(connection: AsyncConnection, rows: Sequence[Row]) -> dict[str, str]:
    """The incidents of statements -> their numbers."""
    wanted = incidents.c.id.in_(sorted({row["incident_id"] for row in rows}))
    found = await connection.execute(select(incidents.c.id, incidents.c.number).where(wanted))
    return {row.id: row.number for row in found}


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
    """The statement that this one updates, and the one that updates it.

    The releases of a matter refer to each other.
    """
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
    """The unit's name when it spoke. A later name does not rewrite history."""
    earlier = [name for since, name in names if since <= at]
    return earlier[-1] if earlier else names[0][1] if names else None
