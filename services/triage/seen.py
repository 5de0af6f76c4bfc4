"""What decisions of triage read besides their stream: rows of its own views."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Table, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import REACH, WordsRef, parse_instant
from schemas.ingest import ReportReachMeasured, ReportReceived, ReportRefused
from schemas.triage import FactValue
from services.kernel.rules.conditions import Figures
from services.kernel.rules.grading import Counted, Fact, Flagged, Harmed
from services.kernel.store import sql
from services.kernel.store.views import Row
from services.kernel.store.words import digests_of, resolve
from services.triage.alike.matching import Lead, Matching, places
from services.triage.state import State
from services.triage.views import (
    DESK,
    EVIDENCE,
    INCIDENT_FACTS,
    INCIDENT_REPORTS,
    INCIDENTS,
    MATCH_KEYS,
    MEASUREMENTS,
    METADATA,
    REPORTS,
)
from services.triage.worklist import desk


async def naming(connection: AsyncConnection, column: str, ids: Sequence[str]) -> list[Row]:
    """The incidents that name one of `ids` in this column, in order of their opening."""
    if not ids:
        return []
    return await rows_of(connection, INCIDENTS, INCIDENTS.c[column].in_(ids), INCIDENTS.c.opened_at)


async def open_at(connection: AsyncConnection, unit: str) -> list[str]:
    """The numbers of the matters in which a unit has something to do, the earliest first.

    It answers for the matter or handles it, and the matter is not over. Or it still verifies, helps or corrects.
    """
    table = INCIDENTS
    answers = and_(
        or_(table.c.unit == unit, table.c.assigned == unit), table.c.state.in_(("open", "assigned", "accepted"))
    )
    asked = (desk.names(DESK.c[column], unit) for column in desk.SEVERAL.values())
    chosen = select(func.coalesce(table.c.number, table.c.id)).outerjoin(DESK, DESK.c.incident_id == table.c.id)
    ordered = chosen.where(or_(answers, *asked)).order_by(table.c.opened_at, table.c.id)
    return list((await connection.execute(ordered)).scalars())


async def absorbed_by(connection: AsyncConnection, absorbed: Iterable[Row]) -> list[Row]:
    """These incidents and all that were merged into them, also by way of others."""
    found: dict[str, Row] = {}
    further = list(absorbed)
    while further := [one for one in further if one["id"] not in found]:
        found |= {one["id"]: one for one in further}
        further = await naming(connection, "merged_into", [one["id"] for one in further])
    return list(found.values())


async def rows_of(
    connection: AsyncConnection, table: Table, wanted: ColumnElement[bool], *first: ColumnElement[Any]
) -> list[Row]:
    """Rows in order of `first`, then of the primary key."""
    found = await connection.execute(select(table).where(wanted).order_by(*first, *table.primary_key.columns))
    return [dict(row) for row in found.mappings()]


async def measurements(connection: AsyncConnection, id_: str) -> list[Row]:
    """The measurements of an incident's reports, oldest first."""
    return await measured(connection, and_(INCIDENT_REPORTS.c.incident_id == id_, INCIDENT_REPORTS.c.active))


async def measured(connection: AsyncConnection, wanted: ColumnElement[bool]) -> list[Row]:
    """The measurements of the reports whose rows of `INCIDENT_REPORTS` are `wanted`, oldest first."""
    of, table = INCIDENT_REPORTS, MEASUREMENTS
    chosen = select(table).join(of, of.c.report_id == table.c.report_id).where(wanted)
    ordered = chosen.order_by(table.c.at, table.c.report_id, table.c.version)
    return [dict(row) for row in (await connection.execute(ordered)).mappings()]


def counts_in(measured: Iterable[Row]) -> list[Counted]:
    """The counts of `measurements`."""
    return [
        Counted(
            min(parse_instant(row["at"]), parse_instant(row["recorded_at"])),
            row["report_id"],
            Figures(**{name: row[name] for name in REACH}),
            f"{row['report_id']}@{row['version']}",
        )
        for row in measured
    ]


def judged_in(rows: Iterable[Row]) -> list[Fact]:
    """The flags and the harm of `INCIDENT_JUDGEMENTS`, in order."""
    facts: list[Fact] = []
    for row in sorted(rows, key=itemgetter("version")):
        at = parse_instant(row["at"])
        if row["kind"] == "flag":
            facts.append(Flagged(at, row["code"], bool(row["value"])))
        elif row["kind"] == "harm":
            facts.append(Harmed(at, row["value"]))
    return facts


async def belonging(connection: AsyncConnection, incident: str, reports: Sequence[str] | None = None) -> list[str]:
    """The reports of an incident, or those of `reports` that belong to it, in order of joining.

    A command reads them after its incident. If they change in between, the command collides and begins anew.
    """
    of = INCIDENT_REPORTS
    chosen = select(of.c.report_id).where(of.c.incident_id == incident, of.c.active)
    if reports is not None:
        chosen = chosen.where(of.c.report_id.in_(reports))
    return list((await connection.execute(chosen.order_by(of.c.position, of.c.report_id))).scalars())


class Known(NamedTuple):
    """When an incident was first known, by any of its reports, and whether one of these was entered late.

    Nobody has reported it yet if `discovered_at` is None.
    """

    discovered_at: datetime | None
    entered_late: bool


async def known(connection: AsyncConnection, incidents: Iterable[str]) -> dict[str, Known]:
    """What is known so of each of these incidents. See `belonging` for when it is read."""
    columns = (INCIDENTS.c.id, INCIDENTS.c.discovered_at, INCIDENTS.c.entered_late, INCIDENTS.c.reports)
    rows = await connection.execute(select(*columns).where(INCIDENTS.c.id.in_(sorted(incidents))))
    return {row.id: Known(parse_instant(row.discovered_at) if row.reports else None, row.entered_late) for row in rows}


async def for_reopening(connection: AsyncConnection, state: State, report: str) -> Mapping[str, Any]:
    """When the office learned of a report of this matter, or of one that was opened after it had ended."""
    of, incidents = INCIDENT_REPORTS, INCIDENTS
    chosen = (
        select(REPORTS.c.discovered_at)
        .join(of, of.c.report_id == REPORTS.c.report_id)
        .join(incidents, incidents.c.id == of.c.incident_id)
        .where(REPORTS.c.report_id == report, of.c.active)
        .where((incidents.c.id == state.id) | (incidents.c.relates_to == state.id))
    )
    found = (await connection.execute(chosen)).scalar()
    return {"recurrence": parse_instant(found) if found else None}


async def received(connection: AsyncConnection, ids: Sequence[str]) -> list[Row]:
    """`report_id, unit, discovered_at, entered_late, match_key` of reports from ingest, in order of discovery."""
    names = ("report_id", "unit", "discovered_at", "entered_late", "match_key")
    chosen = select(*(REPORTS.c[name] for name in names))
    ordered = chosen.where(REPORTS.c.report_id.in_(ids)).order_by(REPORTS.c.discovered_at, REPORTS.c.report_id)
    return [dict(row) for row in (await connection.execute(ordered)).mappings()]


async def for_fact(connection: AsyncConnection, state: State) -> Mapping[str, Any]:
    """The facts for establishing a fact: facts of merged incidents, the texts of the facts so far, and the files.

    If several merged incidents have the same key, the fact that was established last counts.
    """
    before = await absorbed_by(connection, await naming(connection, "merged_into", [state.id]))
    merged = INCIDENT_FACTS.c.incident_id.in_([one["id"] for one in before])
    rows = await rows_of(connection, INCIDENT_FACTS, merged, INCIDENT_FACTS.c.established_at) if before else []
    absorbed = {row["key"]: _fact_of(row) for row in rows}
    refs = [fact.words.ref for fact in (*absorbed.values(), *state.facts.values()) if fact.words]
    words = await resolve(connection, METADATA, refs)
    of = INCIDENT_REPORTS
    chosen = (
        select(EVIDENCE.c.file)
        .join(of, of.c.report_id == EVIDENCE.c.report_id)
        .where(of.c.incident_id == state.id, of.c.active)
    )
    files = frozenset((await connection.execute(chosen)).scalars())
    return {"absorbed": absorbed, "words": {ref: words(ref) for ref in refs}, "files": files}


async def for_handing_over(connection: AsyncConnection, state: State, reports: Sequence[str]) -> Mapping[str, Any]:
    """The digests of the words of those of these reports that belong to the incident and whose words are there."""
    there = await belonging(connection, state.id, reports)
    rows = await rows_of(connection, REPORTS, REPORTS.c.report_id.in_(there))
    digests = await digests_of(connection, METADATA, [row[name] for row in rows for name in ("subject", "text")])
    found = {row["report_id"]: (digests.get(row["subject"]), digests.get(row["text"])) for row in rows}
    return {"texts": {report: pair for report, pair in found.items() if all(pair)}}


def _fact_of(row: Row) -> FactValue:
    """A fact as in its event, without the digest of its words."""
    plain = {name: row[name] for name in ("key", "kind", "number", "code", "yes")}
    words = WordsRef(ref=row["words"], digest="0" * 64) if row["words"] else None
    return FactValue(**plain, words=words, at=parse_instant(row["at"]) if row["at"] else None)


def _leads() -> Select[Any]:
    """The links from the `wanted` match keys to incidents, as `Lead`s."""
    match_keys, incidents = MATCH_KEYS, INCIDENTS
    start = select(match_keys.c.match_key, match_keys.c.since, match_keys.c.split, match_keys.c.incident_id)
    goes_on = start.where(sql.is_one_of(match_keys.c.match_key, "wanted")).cte("goes_on", recursive=True)
    merged = select(goes_on.c.match_key, goes_on.c.since, goes_on.c.split, incidents.c.merged_into).join(
        incidents, incidents.c.id == goes_on.c.incident_id
    )
    goes_on = goes_on.union_all(merged.where(incidents.c.merged_into.is_not(None)))
    there = (incidents.c.id, incidents.c.opened_at, incidents.c.state, incidents.c.drill)
    return (
        select(goes_on.c.match_key, goes_on.c.since, goes_on.c.split, *there)
        .join(incidents, incidents.c.id == goes_on.c.incident_id)
        .where(incidents.c.merged_into.is_(None))
    )


LEADS = _leads()
BELONGS = (
    select(INCIDENT_REPORTS.c.report_id, INCIDENT_REPORTS.c.incident_id)
    .where(sql.is_one_of(INCIDENT_REPORTS.c.report_id, "reports"))
    .order_by(INCIDENT_REPORTS.c.active)
)


async def know(connection: AsyncConnection, events: Sequence[Event]) -> Matching:
    """The incidents of the reports that came in, were refused or counted something, and of their match keys.

    It locks those match keys until the transaction ends. Reports of one matter come in several partitions, and two
    transactions at once would each open an incident.
    """
    told = (ReportReceived, ReportRefused, ReportReachMeasured)
    asked = {event.stream for event in events if isinstance(event.data, told)}
    if not asked:
        return Matching()
    received = [event.data for event in events if isinstance(event.data, ReportReceived)]
    wanted = {data.match_key for data in received if data.match_key}
    belongs = sql.Query(BELONGS, {"reports": sorted(asked)})
    leads = sql.Query(LEADS, {"wanted": sorted(wanted)})
    belonging, found = await sql.fetch(connection, [belongs, leads], sql.Hold("match_key", wanted))
    return Matching(dict(belonging), places(Lead(*row) for row in found))
