"""What is read of triage: lists of incidents, one incident with its words, and what decisions look at."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import parse_instant
from schemas.ingest import ReportReceived
from services.kernel.rules.conditions import Figures
from services.kernel.serving import paging
from services.kernel.store import sql
from services.kernel.store.views import Row
from services.kernel.store.words import resolve
from services.triage.decider import Reach, State
from services.triage.matching import Lead, Matters, places
from services.triage.views import (
    INCIDENT_FACTS,
    INCIDENT_NOTES,
    INCIDENT_REPORTS,
    INCIDENT_UNITS,
    INCIDENTS,
    MATTERS,
    MEASUREMENTS,
    METADATA,
    REACH,
    REPORTS,
)

SHOWN_REPORTS = 500
"""At most as many reports stand in one incident's answer."""


@dataclass(frozen=True, slots=True)
class Filters:
    """What a list of incidents is narrowed to."""

    unit: str | None = None
    assigned: str | None = None
    level: str | None = None
    state: str | None = None
    report_id: str | None = None


async def incidents(
    connection: AsyncConnection,
    units: frozenset[str],
    filters: Filters,
    cursor: str | None,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """Incidents that concern one of `units`, newest first, and the cursor of the next page.

    By report, the incident that the report belongs to now.
    """
    table = INCIDENTS
    chosen = select(table).where(_concerns(units))
    for name in ("unit", "assigned", "level", "state"):
        if (value := getattr(filters, name)) is not None:
            chosen = chosen.where(table.c[name] == value)
    if filters.report_id is not None:
        chosen = chosen.join(INCIDENT_REPORTS, INCIDENT_REPORTS.c.incident_id == table.c.id).where(
            INCIDENT_REPORTS.c.report_id == filters.report_id,
            INCIDENT_REPORTS.c.active,
            table.c.merged_into.is_(None),
        )
    if cursor is not None:
        chosen = chosen.where(tuple_(table.c.opened_at, table.c.id) < paging.place_of(cursor, str, str))
    chosen = chosen.order_by(table.c.opened_at.desc(), table.c.id.desc()).limit(limit + 1)
    found = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    rows, further = paging.page(found, limit, lambda row: (row["opened_at"], row["id"]))
    subjects = await _subjects(connection, [row["id"] for row in rows])
    return [_shown(row, subjects.get(row["id"])) for row in rows], further


def _concerns(units: frozenset[str]) -> ColumnElement[bool]:
    concerned = select(INCIDENT_UNITS.c.incident_id).where(INCIDENT_UNITS.c.unit.in_(sorted(units)))
    return INCIDENTS.c.id.in_(concerned)


async def _subjects(connection: AsyncConnection, ids: Sequence[str]) -> dict[str, str | None]:
    """Incident -> subject of the first report that belongs to it."""
    of = INCIDENT_REPORTS
    first = (
        select(of.c.incident_id, func.min(of.c.position).label("position"))
        .where(of.c.incident_id.in_(ids), of.c.active)
        .group_by(of.c.incident_id)
        .subquery()
    )
    found = await connection.execute(
        select(of.c.incident_id, REPORTS.c.subject)
        .join(first, (first.c.incident_id == of.c.incident_id) & (first.c.position == of.c.position))
        .join(REPORTS, REPORTS.c.report_id == of.c.report_id)
        .where(of.c.active)
        .order_by(of.c.report_id.desc())
    )
    refs = {row.incident_id: row.subject for row in found}
    words = await resolve(connection, METADATA, refs.values())
    return {id_: words(ref) for id_, ref in refs.items()}


_TIMES = (
    "discovered_at",
    "opened_at",
    "updated_at",
    "graded_at",
    "assigned_at",
    "accepted_at",
    "resolved_at",
    "closed_at",
)


def _shown(row: Mapping[str, Any], subject: str | None) -> dict[str, Any]:
    plain = ("id", "state", "unit", "assigned", "lead", "level", "rank", "policy", "answer_kind", "category", *_TIMES)
    return {
        **{name: row[name] for name in plain},
        "subject": subject,
        "handled": {"problem": row["handled_problem"], "answer": row["handled_answer"]},
        "merged_into": row["merged_into"],
        "relates_to": row["relates_to"],
        "report_count": row["reports"],
        "drill": row["drill"],
        "version": row["revision"],
    }


async def incident(
    connection: AsyncConnection, id_: str, units: frozenset[str], measured: Sequence[Row]
) -> dict[str, Any] | None:
    """An incident with all that belongs to it and its words; None where there is none that concerns `units`.

    `measured` are its `measurements`.
    """
    found = await connection.execute(select(INCIDENTS).where(INCIDENTS.c.id == id_, _concerns(units)))
    row = found.mappings().first()
    if row is None:
        return None
    facts = await _rows(connection, INCIDENT_FACTS, id_, INCIDENT_FACTS.c.key)
    notes = await _rows(connection, INCIDENT_NOTES, id_, INCIDENT_NOTES.c.version)
    reports = await _reports(connection, id_)
    absorbed = await connection.execute(
        select(INCIDENTS.c.id).where(INCIDENTS.c.merged_into == id_).order_by(INCIDENTS.c.opened_at, INCIDENTS.c.id)
    )
    related = await connection.execute(
        select(INCIDENTS.c.id).where(INCIDENTS.c.relates_to == id_).order_by(INCIDENTS.c.opened_at, INCIDENTS.c.id)
    )
    named = ("subject", "text", "url", "place", "request")
    words = await resolve(
        connection,
        METADATA,
        [
            *(report[name] for report in reports for name in named),
            *(fact[name] for fact in facts for name in ("words", "source")),
            *(note["words"] for note in notes),
        ],
    )
    written = [_shown_note(note, words) for note in notes]
    return {
        **_shown(dict(row), words(reports[0]["subject"]) if reports else None),
        "absorbed": list(absorbed.scalars()),
        "related": list(related.scalars()),
        "facts": [_shown_fact(fact, words) for fact in facts],
        "reports": [
            {
                "id": report["report_id"],
                **{name: report[name] for name in ("unit", "channel", "category", "discovered_at", "received_at")},
                **{name: words(report[name]) for name in named},
                "reach": _newest([row for row in measured if row["report_id"] == report["report_id"]]),
            }
            for report in reports
        ],
        "handling": [note for note in written if note["track"]],
        "notes": [note for note in written if not note["track"]],
    }


def _newest(measured: Iterable[Row]) -> dict[str, Any]:
    newest = dict.fromkeys((*REACH, "measured_at"))
    for row in measured:
        newest |= {name: row[name] for name in REACH if row[name] is not None}
        newest["measured_at"] = row["at"]
    return newest


def _shown_note(note: Row, words: Callable[[str | None], str | None]) -> dict[str, Any]:
    plain = ("version", "type", "recorded_at", "actor", "unit", "track", "statement")
    return {**{name: note[name] for name in plain}, "text": words(note["words"])}


def _shown_fact(fact: Row, words: Callable[[str | None], str | None]) -> dict[str, Any]:
    values = {
        "text": words(fact["words"]),
        "number": fact["number"],
        "time": fact["at"],
        "code": fact["code"],
        "yes_no": fact["yes"],
    }
    plain = ("key", "kind", "established_at", "revised_at")
    return {**{name: fact[name] for name in plain}, "value": values[fact["kind"]], "source": words(fact["source"])}


async def _rows(connection: AsyncConnection, table: Table, id_: str, order: Any) -> list[Row]:
    found = await connection.execute(select(table).where(table.c.incident_id == id_).order_by(order))
    return [dict(row) for row in found.mappings()]


async def _reports(connection: AsyncConnection, id_: str) -> list[Row]:
    of = INCIDENT_REPORTS
    found = await connection.execute(
        select(REPORTS)
        .join(of, of.c.report_id == REPORTS.c.report_id)
        .where(of.c.incident_id == id_, of.c.active)
        .order_by(of.c.position, of.c.report_id)
        .limit(SHOWN_REPORTS)
    )
    return [dict(row) for row in found.mappings()]


async def measurements(connection: AsyncConnection, id_: str) -> list[Row]:
    """What was measured of the reports that belong to an incident, oldest first."""
    of, table = INCIDENT_REPORTS, MEASUREMENTS
    found = await connection.execute(
        select(table)
        .join(of, of.c.report_id == table.c.report_id)
        .where(of.c.incident_id == id_, of.c.active)
        .order_by(table.c.at, table.c.report_id, table.c.version)
    )
    return [dict(row) for row in found.mappings()]


def spread(measured: Iterable[Row]) -> tuple[Reach, ...]:
    """How far a matter had spread after each of its `measurements`.

    Of each figure the largest of those that its reports gave last: they all measure one matter, so nothing is added up.
    """
    given: dict[str, dict[str, tuple[int, str]]] = {name: {} for name in REACH}
    reaches = []
    for row in measured:
        for name in REACH:
            if row[name] is not None:
                given[name][row["report_id"]] = row[name], f"{row['report_id']}@{row['version']}"
        largest = {name: max(of.values()) for name, of in given.items() if of}
        figures = Figures(**{name: value for name, (value, _) in largest.items()})
        basis = tuple(sorted({report for _, report in largest.values()}))
        reaches.append(Reach(parse_instant(row["at"]), figures, basis))
    return tuple(reaches)


async def received(connection: AsyncConnection, ids: Sequence[str]) -> list[Row]:
    """`report_id, unit, discovered_at, matter` of reports as ingest told them, in order of discovery."""
    chosen = select(*(REPORTS.c[name] for name in ("report_id", "unit", "discovered_at", "matter")))
    ordered = chosen.where(REPORTS.c.report_id.in_(ids)).order_by(REPORTS.c.discovered_at, REPORTS.c.report_id)
    return [dict(row) for row in (await connection.execute(ordered)).mappings()]


async def seen_for_grade(connection: AsyncConnection, state: State) -> Mapping[str, Any]:
    """What grading looks at: how the matter has spread."""
    return {"reach": spread(await measurements(connection, state.id))}


async def seen_for_fact(connection: AsyncConnection, state: State) -> Mapping[str, Any]:
    """What establishing a fact looks at: the texts of the facts so far."""
    refs = [fact.words.ref for fact in state.facts.values() if fact.words]
    words = await resolve(connection, METADATA, refs)
    return {"words": {ref: words(ref) for ref in refs}}


def _leads() -> Select[Any]:
    """The ways from the `wanted` matters to where they go on, as `Lead` has them."""
    matters, incidents = MATTERS, INCIDENTS
    start = select(matters.c.matter, matters.c.since, matters.c.split, matters.c.incident_id)
    goes_on = start.where(sql.is_one_of(matters.c.matter, "wanted")).cte("goes_on", recursive=True)
    merged = select(goes_on.c.matter, goes_on.c.since, goes_on.c.split, incidents.c.merged_into).join(
        incidents, incidents.c.id == goes_on.c.incident_id
    )
    goes_on = goes_on.union_all(merged.where(incidents.c.merged_into.is_not(None)))
    there = (incidents.c.id, incidents.c.opened_at, incidents.c.state, incidents.c.drill)
    return (
        select(goes_on.c.matter, goes_on.c.since, goes_on.c.split, *there)
        .join(incidents, incidents.c.id == goes_on.c.incident_id)
        .where(incidents.c.merged_into.is_(None))
    )


LEADS = _leads()
BELONGS = (
    select(INCIDENT_REPORTS.c.report_id, INCIDENT_REPORTS.c.incident_id)
    .where(sql.is_one_of(INCIDENT_REPORTS.c.report_id, "reports"))
    .order_by(INCIDENT_REPORTS.c.active)
)


async def know(connection: AsyncConnection, events: Sequence[Event]) -> Matters:
    """Where the reports that came in belong already, and where their matters go on.

    Holds those matters until the transaction ends: reports of one matter come in several partitions, and two
    transactions at once would open an incident each.
    """
    received = {
        event.stream: event.data.matter
        for event in events
        if event.kind == "report" and isinstance(event.data, ReportReceived)
    }
    if not received:
        return Matters()
    wanted = set(received.values())
    belongs = sql.Query(BELONGS, {"reports": sorted(received)})
    leads = sql.Query(LEADS, {"wanted": sorted(wanted)})
    belonging, found = await sql.fetch(connection, [belongs, leads], sql.Hold("matter", wanted))
    return Matters(dict(belonging), places(Lead(*row) for row in found))
