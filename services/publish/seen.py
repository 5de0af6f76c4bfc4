"""What decisions of publish read besides their stream: rows of its own views."""

import functools
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.publish import UsedFact
from services.kernel.rules.conditions import Figures
from services.kernel.store import reach, standings
from services.kernel.store.views import Row
from services.kernel.store.words import texts
from services.publish.delivering.rights import Channel
from services.publish.press import speaking
from services.publish.press.speakers import NOBODY, Speaking
from services.publish.rights import Incident
from services.publish.state import State
from services.publish.views import (
    METADATA,
    incident_facts,
    incidents,
    statement_facts,
    statements,
    verification_of,
)
from services.publish.writing.binding import Established
from services.publish.writing.one_text import Said


async def read_incident(connection: AsyncConnection, incident: str) -> Incident | None:
    """The incident as publish has seen it; None if it has not."""
    return (await read_incidents(connection, [incident])).get(incident)


async def read_incidents(connection: AsyncConnection, wanted: Iterable[str]) -> dict[str, Incident]:
    """Incident -> the incident as publish has seen it; unknown ones are absent.

    Merged incidents bring their facts along.
    """
    ids = sorted(set(wanted))
    heirs = await _heirs(connection, ids)
    established = await _established(connection, heirs)
    known = await standings.read(connection, METADATA, ids)
    wide = select(incidents).where(incidents.c.id.in_(sorted({*ids, *known})))
    rows = {row["id"]: dict(row) for row in (await connection.execute(wide)).mappings()}
    figures = await reach.read(connection, METADATA, rows)
    fixed = await speaking.read(connection, METADATA, rows)
    plain = ("id", "version", "unit", "assigned", "category", "channel", "answer_kind", "merged_into", "drill")
    names = (*plain, "state", "has_material")
    return {
        row["id"]: Incident(
            **{name: row[name] for name in names},
            **_judged(row, rows, figures),
            speaking=_speaking(_line(row, rows), fixed),
            facts=frozenset(one.key for one in established.get(row["id"], ())),
            established=established.get(row["id"], ()),
            helping=known[row["id"]].helping,
        )
        for row in (rows[id_] for id_ in ids if id_ in rows)
    }


def _line(row: Row, rows: Mapping[str, Row]) -> list[Row]:
    """The incident, and those where it goes on after mergers, in order."""
    line = {row["id"]: row}
    while (further := rows.get(row["merged_into"] or "")) is not None and further["id"] not in line:
        line[further["id"]] = row = further
    return list(line.values())


def _speaking(line: Iterable[Row], fixed: Mapping[str, Speaking]) -> Speaking:
    """The posts that were fixed where the matter goes on, or else before. They end with the matter."""
    found = NOBODY
    for one in line:
        if one["id"] in fixed and one["state"] not in ("closed", "dismissed"):
            found = fixed[one["id"]]
    return found


def _judged(row: Row, rows: Mapping[str, Row], figures: Mapping[str, Figures]) -> Row:
    """The highest level, the flags, the harm, the figures and the doubt of an incident and of those where it goes on.

    Ranks are compared within one pack: that of the matter where it goes on.
    """
    line = _line(row, rows)
    row = line[-1]
    pack = (row["policy"] or "").partition("@")[0]
    same = [one for one in line if (one["policy"] or "").partition("@")[0] == pack]
    highest = max(same, key=lambda one: one["rank"] or 0)
    return {
        "policy": highest["policy"],
        "level": highest["level"],
        "rank": highest["rank"],
        "verification": verification_of(row),
        "doubtful": any(one["doubtful"] for one in line),
        "flags": frozenset(flag for one in line for flag in one["flags"].split()),
        "figures": functools.reduce(Figures.highest, (_figures(one, figures) for one in line)),
        "harm": max((one["harm"] for one in line if one["harm"] is not None), default=None),
    }


def _figures(row: Row, figures: Mapping[str, Figures]) -> Figures:
    return figures.get(row["id"], Figures()).model_copy(update={"reports": row["reports"]})


async def _established(
    connection: AsyncConnection, heirs: Mapping[str, set[str]]
) -> dict[str, tuple[Established, ...]]:
    """The values of facts that hold now, for each heir; its own come last."""
    values = await past_values(connection, heirs)
    newest = {(one.incident, one.key): one for one in values}
    found: dict[str, list[Established]] = {}
    for one in newest.values():
        for heir in heirs[one.incident]:
            found.setdefault(heir, []).append(one)
    return {heir: tuple(sorted(those, key=lambda one: one.incident == heir)) for heir, those in found.items()}


async def past_values(connection: AsyncConnection, wanted: Iterable[str]) -> list[Established]:
    """Every value that facts of these incidents had, in order of their versions."""
    chosen = select(incident_facts).where(incident_facts.c.incident_id.in_(sorted(wanted)))
    ordered = chosen.order_by(incident_facts.c.incident_id, incident_facts.c.version)
    rows = [dict(row) for row in (await connection.execute(ordered)).mappings()]
    words = await texts(connection, METADATA, [row["words"] for row in rows])
    return [
        Established(
            key=row["key"],
            incident=row["incident_id"],
            version=row["version"],
            kind=row["kind"],
            number=None if row["number"] is None else Decimal(repr(row["number"])),
            at=row["at"],
            code=row["code"],
            yes=row["yes"],
            words=words.get(row["words"]),
        )
        for row in rows
    ]


async def read_said(connection: AsyncConnection, wanted: Iterable[str]) -> dict[str, tuple[Said, ...]]:
    """Incident -> what the office says in public on it and on those merged into it, in order."""
    heirs = await _heirs(connection, wanted)
    of, found = statements.c, dict[str, list[Said]]()
    chosen = select(of.id, of.incident_id, of.number, of.title, of.text)
    chosen = chosen.where(of.incident_id.in_(sorted(heirs)), of.state == "published").order_by(of.updated_at, of.id)
    for row in await connection.execute(chosen):
        for heir in heirs[row.incident_id]:
            found.setdefault(heir, []).append(Said(row.id, row.number, f"{row.title}\n{row.text}"))
    return {heir: tuple(said) for heir, said in found.items()}


async def _heirs(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, set[str]]:
    """These incidents, and all that were merged into them -> those of `ids` in which their facts count."""
    heirs: dict[str, set[str]] = {id_: {id_} for id_ in ids}
    further = set(heirs)
    while further:
        chosen = select(incidents.c.id, incidents.c.merged_into).where(incidents.c.merged_into.in_(sorted(further)))
        further = set()
        for id_, into in await connection.execute(chosen):
            known = heirs.setdefault(id_, set())
            if not heirs[into] <= known:
                known |= heirs[into]
                further.add(id_)
    return heirs


async def about(connection: AsyncConnection, stream: str, state: State) -> Incident | None:
    """The incident of a statement; for a notice, that of no matter. A notice of an exercise stays one."""
    if state.incident:
        return await read_incident(connection, state.incident)
    drill = await connection.execute(select(statements.c.drill).where(statements.c.id == stream))
    return Incident.none(state.unit, drill=bool(drill.scalar()))


async def abouts(connection: AsyncConnection, rows: Iterable[Row]) -> dict[str, Incident]:
    """Statement -> the same, for rows of statements."""
    rows = list(rows)
    known = await read_incidents(connection, {row["incident_id"] for row in rows} - {None})
    return {
        row["id"]: known[row["incident_id"]] if row["incident_id"] else Incident.none(row["unit"], drill=row["drill"])
        for row in rows
    }


async def read_channels(connection: AsyncConnection, unit: str) -> dict[str, Channel]:
    """The channels of a unit, also those that ended."""
    of = METADATA.tables["channels"].c
    found = await connection.execute(select(of.id, of.state, of.unit, of.kind).where(of.unit == unit))
    return {row.id: Channel(row.state, row.unit, row.kind) for row in found}


async def for_statement(stream: str, connection: AsyncConnection, state: State) -> Mapping[str, Any]:
    """The content of `ctx.seen` for a decision on an existing statement."""
    refs = {
        "title": state.title,
        "text": state.draft,
        "agreed_title": state.agreed_title,
        "agreed_text": state.agreed_text,
        "waived": state.waived,
    }
    asked = [words.ref for words in refs.values() if words]
    words = await texts(connection, METADATA, [*asked, *(one.title.ref for one in state.files.all)])
    written = {name: words.get(ref.ref) if ref else None for name, ref in refs.items()}
    return {
        "stream": stream,
        "incident": await about(connection, stream, state),
        "earlier": (await read_said(connection, [state.incident])).get(state.incident, ()),
        "channels": await read_channels(connection, state.unit),
        "past": await past_values(connection, {one.incident for one in state.used}),
        "rests_on": await _rests_on(connection, stream),
        "file_titles": {one.title.ref: words.get(one.title.ref) for one in state.files.all},
        **written,
    }


async def _rests_on(connection: AsyncConnection, stream: str) -> frozenset[UsedFact]:
    of = statement_facts.c
    chosen = select(of.key, of.incident_id, of.version).where(of.statement_id == stream)
    rows = await connection.execute(chosen)
    return frozenset(UsedFact(key=key, incident=id_, version=version) for key, id_, version in rows)
