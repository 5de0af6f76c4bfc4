"""What the bulletin reads: published statements, and never a drill on a public page."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.publish import usual_form
from services.kernel.core.units import Offices
from services.kernel.store import sql, word_index
from services.kernel.store.views import Row
from services.publish.commands import Preview, PreviewDraft
from services.publish.rows import Page, newest, numbers_of, releases_of
from services.publish.views import (
    DANGER,
    METADATA,
    SAID,
    incident_facts,
    incidents,
    releases,
    statement_facts,
    statements,
)

MOST = 1000
"""At most so many public texts are looked at for a word, the newest."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader looks for. Absent conditions narrow nothing."""

    units: Iterable[str] | None = None
    kind: str | None = None
    state: str | None = None
    published: tuple[str, str] | None = None
    """The instants from which and before which it was first published."""
    words: Sequence[str] = ()
    """Each stands in one of the statement's public texts, titles or reasons."""
    danger: bool = False
    """Only statements that rest on the fact `danger`."""


class Merge(NamedTuple):
    """Where a matter went on, and since when."""

    into: str
    at: str


async def public_page(
    connection: AsyncConnection, wanted: Wanted, *, limit: int, cursor: str | None = None
) -> tuple[Page, bool]:
    """The public statements that are wanted, the latest change first, and whether all texts with its words were seen.

    `said` holds each one's releases.
    """
    chosen, complete = _public(), True
    if wanted.units is not None:
        chosen = chosen.where(statements.c.unit.in_(sorted(wanted.units)))
    if wanted.kind is not None:
        chosen = chosen.where(statements.c.kind == wanted.kind)
    if wanted.state is not None:
        chosen = chosen.where(*_STATES[wanted.state])
    if wanted.published is not None:
        begin, end = wanted.published
        chosen = chosen.where(statements.c.published_at >= begin, statements.c.published_at < end)
    if wanted.danger:
        chosen = chosen.where(statements.c.danger.is_(True))
    for word in wanted.words:
        ids, all_of_them = await word_index.holding(connection, word, SAID, MOST)
        complete = complete and all_of_them
        chosen = chosen.where(statements.c.id.in_(select(sql.mapped(dict.fromkeys(ids, "")).c.key)))
    rows, further = await newest(connection, chosen, "updated_at", limit, cursor)
    return Page(await _public_rows(connection, rows), further), complete


_STATES: Mapping[str, tuple[ColumnElement[bool], ...]] = {
    "current": (statements.c.state == "published", statements.c.corrections == 0),
    "corrected": (statements.c.state == "published", statements.c.corrections > 0),
    "withdrawn": (statements.c.state == "withdrawn",),
}
STATES = tuple(_STATES)
"""Published and unchanged, corrected, withdrawn."""


async def line_on_danger(
    connection: AsyncConnection, incident: str, merges: Mapping[str, Merge], *, drill: bool
) -> list[Row]:
    """What was said of a danger in a matter and in those that were merged with it, in order: each release of the
    statements that rest on the fact `danger`, and `there`, whether it was established as there by then.

    With `drill`, that of exercises, which is not public.
    """
    family = {incident, *merges, *(merge.into for merge in merges.values())}
    established = and_(
        incident_facts.c.incident_id == releases.c.danger_in,
        incident_facts.c.key == DANGER,
        incident_facts.c.version == releases.c.danger_version,
    )
    of = statements.c
    chosen = select(of.id, of.unit, of.incident_id, releases.c.version, releases.c.kind, releases.c.at)
    chosen = chosen.add_columns(incident_facts.c.yes.label("there"))
    chosen = chosen.join(releases, releases.c.statement_id == of.id).outerjoin(incident_facts, established)
    chosen = chosen.where(of.incident_id.in_(sorted(family)), of.danger.is_(True), of.drill.is_(drill))
    ordered = chosen.order_by(releases.c.at, of.id, releases.c.version)
    return [dict(row) for row in (await connection.execute(ordered)).mappings()]


async def merges_of(connection: AsyncConnection, incident: str) -> dict[str, Merge]:
    """The mergers of a matter and of all that it was merged with: each matter that went on in another one."""
    of, found = incidents.c, dict[str, Merge]()
    chosen = select(of.id, of.merged_into, of.merged_at).where(of.merged_into.is_not(None))
    further = {incident}
    while further:
        near = or_(of.id.in_(sorted(further)), of.merged_into.in_(sorted(further)))
        rows = [row for row in await connection.execute(chosen.where(near)) if row.id not in found]
        found |= {row.id: Merge(row.merged_into, row.merged_at) for row in rows}
        further = {id_ for row in rows for id_ in (row.id, row.merged_into)}
    return found


async def speaking_units(connection: AsyncConnection, offices: Offices) -> frozenset[str]:
    """The units that ever spoke in public."""
    asked = sql.mapped(dict.fromkeys(offices.ever, ""))
    spoke = exists(_public().where(statements.c.unit == asked.c.key).correlate(asked))
    return frozenset((await connection.execute(select(asked.c.key).where(spoke))).scalars())


async def publications(connection: AsyncConnection) -> tuple[str, str] | None:
    """The instants of the first and the last publication; None if there was none."""
    at = statements.c.published_at
    public = select(at).where(at.is_not(None), statements.c.drill.is_(False)).limit(1)
    first = (await connection.execute(public.order_by(at))).scalar()
    last = (await connection.execute(public.order_by(at.desc()))).scalar()
    return (first, last) if first and last else None


async def public_statement(connection: AsyncConnection, id_: str) -> Row | None:
    """One published statement, with all its releases."""
    row = (await connection.execute(_public().where(statements.c.id == id_))).mappings().first()
    return None if row is None else (await _public_rows(connection, [dict(row)]))[0]


async def exercise(connection: AsyncConnection, id_: str) -> Row | None:
    """One statement that was published in an exercise, with all its releases. It is not public."""
    row = (await connection.execute(_published(drill=True).where(statements.c.id == id_))).mappings().first()
    return None if row is None else (await _public_rows(connection, [dict(row)], drill=True))[0]


async def public_statements(connection: AsyncConnection, ids: Sequence[str]) -> list[Row]:
    """These published statements, in this order, with all their releases."""
    rows = (await connection.execute(_public().where(statements.c.id.in_(ids)))).mappings()
    found = {row["id"]: row for row in await _public_rows(connection, [dict(row) for row in rows])}
    return [found[id_] for id_ in ids if id_ in found]


async def public_releases(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, list[Row]]:
    """The releases of these published statements, in order; nothing of others."""
    chosen = _public().with_only_columns(statements.c.id).where(statements.c.id.in_(ids))
    public = set((await connection.execute(chosen)).scalars())
    said: dict[str, list[Row]] = {id_: [] for id_ in ids if id_ in public}
    for release in await releases_of(connection, list(said)):
        said[release["statement_id"]].append(release)
    return said


def _public() -> Any:
    return _published(drill=False)


def _published(*, drill: bool) -> Any:
    names = (
        "number",
        "id",
        "incident_id",
        "unit",
        "kind",
        "form",
        "state",
        "title",
        "text",
        "published_at",
        "updated_at",
        "corrections",
        "danger",
        "next_at",
    )
    columns = [statements.c[name] for name in names]
    return select(*columns).where(statements.c.published_at.is_not(None), statements.c.drill.is_(drill))


async def _public_rows(connection: AsyncConnection, rows: Sequence[Row], *, drill: bool = False) -> list[Row]:
    said = await releases_of(connection, [row["id"] for row in rows])
    about = [row["incident_id"] for row in rows if row["incident_id"]]
    lines = await _lines(connection, about, drill=drill)
    names = await _names(connection, [row["unit"] for row in rows])
    numbers = await numbers_of(connection, rows)
    beside = {row["id"]: _neighbours(lines.get(row["incident_id"], [row]), row["id"]) for row in rows}
    retold = await _retold(connection, [id_ for id_, found in beside.items() if found["updated_by"]], drill=drill)
    return [
        row
        | {
            "incident_number": numbers.get(row["incident_id"]),
            "said": [release for release in said if release["statement_id"] == row["id"]],
            "unit_name": _name_at(names.get(row["unit"], []), row["published_at"]) or row["unit"],
            **beside[row["id"]],
            "retold": retold.get(row["id"]),
        }
        for row in rows
    ]


async def as_public(connection: AsyncConnection, shown: Row, typed: Preview, now: str) -> Row:
    """A statement of the API as a row of the bulletin, as if what is typed were published now."""
    said: list[Row] = [
        release | {"attachments": None if (held := release["attachments"]) is None else json.dumps(held)}
        for release in shown["releases"]
    ]
    title, text = typed.title or shown["resolved_title"] or "", typed.text or shown["resolved_text"] or ""
    if not said:
        files = json.dumps([one | {"file": ""} for one in shown.get("files", ())])
        said.append(
            {"kind": "publication", "at": now, "title": title, "text": text, "reason": None, "attachments": files}
        )
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
    about = [row["incident_id"]] if row["incident_id"] else []
    line = (await _lines(connection, about)).get(row["incident_id"], [])
    if row["id"] not in [other["id"] for other in line]:
        line.append(row)
    names = await _names(connection, [row["unit"]])
    unit = _name_at(names.get(row["unit"], []), row["published_at"]) or row["unit"]
    return row | {"said": said, "unit_name": unit, **_neighbours(line, row["id"]), "retold": None}


async def unbegun(connection: AsyncConnection, typed: PreviewDraft, now: str, own: str) -> Row:
    """What is typed as a row of the bulletin, as if it were begun and published now. The incident is known.

    A notice is about none; by default the unit `own` speaks in it.
    """
    chosen = select(incidents.c.unit, incidents.c.number).where(incidents.c.id == typed.incident_id)
    about = (await connection.execute(chosen)).first()
    shown: Row = {
        "id": "",
        "number": None,
        "incident_id": typed.incident_id,
        "incident_number": about.number if about else None,
        "unit": typed.unit or (about.unit if about else own),
        "kind": typed.kind,
        "form": typed.form or (usual_form(typed.kind) if typed.kind else None),
        "resolved_title": typed.title,
        "resolved_text": typed.text,
        "next_at": None,
        "releases": [],
    }
    return await as_public(connection, shown, Preview(), now)


async def _lines(connection: AsyncConnection, wanted: Sequence[str], *, drill: bool = False) -> dict[str, list[Row]]:
    """The published statements on each incident, in order of publication."""
    chosen = _published(drill=drill).where(statements.c.incident_id.in_(wanted))
    chosen = chosen.order_by(statements.c.published_at, statements.c.id)
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


async def _retold(connection: AsyncConnection, ids: Sequence[str], *, drill: bool = False) -> dict[str, Row]:
    """Statement -> the last later one of its matter that tells one of its facts anew, after a revision of the fact."""
    used, of = statement_facts.alias(), statements.alias()
    chosen = (
        _published(drill=drill)
        .add_columns(used.c.statement_id)
        .join(statement_facts, statement_facts.c.statement_id == statements.c.id)
        .join(used, and_(used.c.key == statement_facts.c.key, used.c.incident_id == statement_facts.c.incident_id))
        .join(of, and_(of.c.id == used.c.statement_id, of.c.incident_id == statements.c.incident_id))
        .where(
            used.c.statement_id.in_(ids),
            statements.c.state == "published",
            statement_facts.c.version > used.c.version,
            statements.c.published_at > of.c.published_at,
        )
        .order_by(statements.c.published_at, statements.c.id)
    )
    found = (await connection.execute(chosen)).mappings() if ids else ()
    return {row["statement_id"]: dict(row) for row in found}


async def _names(connection: AsyncConnection, codes: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    units = METADATA.tables["units"]
    chosen = select(units.c.unit, units.c.since, units.c.name).where(units.c.unit.in_(codes)).order_by(units.c.since)
    names: dict[str, list[tuple[str, str]]] = {}
    for row in await connection.execute(chosen):
        names.setdefault(row.unit, []).append((row.since, row.name))
    return names


async def name_of(connection: AsyncConnection, unit: str, at: str) -> str:
    """The unit's name at an instant."""
    return _name_at((await _names(connection, [unit])).get(unit, []), at) or unit


def _name_at(names: Sequence[tuple[str, str]], at: str) -> str | None:
    """The unit's name when it spoke. A later name does not rewrite history."""
    earlier = [name for since, name in names if since <= at]
    return earlier[-1] if earlier else names[0][1] if names else None
