"""What can be read of clocks: tables as folds of events, and the queries over them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Column, ColumnElement, Index, Integer, Table, and_, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import escalation as e
from schemas import triage
from schemas.envelope import Event
from schemas.fields import instant
from services.escalation.decider import EXPLAINS
from services.escalation.roster import stream_of_unit
from services.kernel import offices, paging, tables
from services.kernel.columns import key
from services.kernel.ids import stream_of
from services.kernel.policy import LoadedPack
from services.kernel.views import Key, Row, View
from services.kernel.words import resolve

METADATA = tables.metadata()

CLOCKS = Table(
    "clocks",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("clock", key(100), primary_key=True),
    Column("unit", key(), nullable=False),
    Column("since", key(27), nullable=False),
    Column("due", key(27), nullable=False),
    Column("first_answer", Boolean, nullable=False),
    Column("state", key(16), nullable=False),
    Column("met_at", key(27)),
    Column("late", Boolean, nullable=False),
    Column("cancelled", key(32)),
    Column("cancelled_at", key(27)),
    Column("breached_at", key(27)),
    Column("annulled", key(32)),
    Column("rung", key(16), nullable=False),
    Column("policy", key(200)),
    Column("watched", Boolean, nullable=False),
    Index(None, "watched", "due"),
    Index(None, "unit", "due"),
    Index(None, "state", "due"),
)
"""One row a clock. `state`: running, met, breached, annulled, cancelled; `breached_at` is the due instant of a breach
that stands, also where it was met late; `rung` the last one of the ladder; `watched` while time alone can change it."""

MATTERS = Table(
    "matters",
    METADATA,
    Column("incident_id", key(), primary_key=True),
    Column("unit", key()),
    Column("assigned", key()),
    Column("level", key(100)),
    Column("merged_into", key()),
    Column("explained_at", key(27)),
    Column("policy", key(200)),
    Column("revision", Integer, nullable=False),
    Index(None, "merged_into"),
)
"""One row an incident, from triage's events and the clock stream's; `revision` counts what staff decided here."""

REPORTS = Table(
    "upward_reports",
    METADATA,
    Column("report", key(36), primary_key=True),
    Column("incident_id", key(), nullable=False),
    Column("unit", key(), nullable=False),
    Column("to", key(), nullable=False),
    Column("level", key(100)),
    Column("unverified", Boolean, nullable=False),
    Column("text_ref", key(36)),
    Column("at", key(27), nullable=False),
    Column("state", key(16), nullable=False),
    Column("answered_at", key(27)),
    Column("receipts", Integer, nullable=False),
    Index(None, "incident_id"),
)
"""One row a report upward. `state`: sent, received, refused, as last answered; `receipts` counts confirmations."""

ROSTER = Table(
    "roster",
    METADATA,
    Column("unit", key(), primary_key=True),
    Column("post", key(100), primary_key=True),
    Column("since", key(27), primary_key=True),
    Column("until", key(27), nullable=False),
)
"""One row a duty that is planned."""

ROSTERS = Table(
    "rosters",
    METADATA,
    Column("stream_id", key(), primary_key=True),
    Column("revision", Integer, nullable=False),
)
"""The version of each roster."""


# folds


def _incident(event: Event) -> str:
    return stream_of("incident", event.stream)


def _clock_keys(event: Event) -> list[Key]:
    name = getattr(event.data, "clock", None) if event.kind == "clock" else None
    return [(_incident(event), name)] if name else []


def _clock_row(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case e.ClockStarted() as data:
            before = row or {"breached_at": None, "annulled": None, "rung": ""}
            row = {
                **before,
                "incident_id": key[0],
                "clock": key[1],
                "unit": data.unit,
                "since": instant(data.since),
                "due": instant(data.due),
                "first_answer": data.first_answer,
                "met_at": None,
                "late": False,
                "cancelled": None,
                "cancelled_at": None,
                "policy": event.policy,
            }
        case _ if row is None:
            return None
        case e.ClockMet() as data:
            row = {**row, "met_at": instant(data.met_at), "late": data.late}
        case e.ClockCancelled() as data:
            row = {**row, "cancelled": data.cause, "cancelled_at": event.time_text}
        case e.ClockBreached() as data:
            row = {**row, "breached_at": event.time_text, "annulled": None}
        case e.ClockBreachAnnulled() as data:
            row = {**row, "breached_at": None, "annulled": data.cause}
        case e.ClockExtended() as data:
            row = {**row, "due": instant(data.due)}
        case e.ClockReminderSent() as data:
            row = {**row, "rung": data.rung}
    return {**row, "state": _state(row), "watched": _watched(row)}


def _state(row: Row) -> str:
    if row["met_at"]:
        return "met"
    if row["breached_at"]:
        return "breached"
    if row["cancelled"]:
        return "cancelled"
    return "annulled" if row["annulled"] == "reviewed" else "running"


def _watched(row: Row) -> bool:
    """Whether a breach or a rung of the ladder can still follow from time alone."""
    if row["annulled"] == "reviewed":
        return False
    ended = row["met_at"] or row["cancelled_at"]
    if row["breached_at"]:
        return ended is None
    return ended is None or ended > row["due"]


def _matter_keys(event: Event) -> list[Key]:
    if event.kind == "incident":
        absorbed = [(event.data.incident,)] if isinstance(event.data, triage.IncidentAbsorbed) else []
        return [(event.stream,), *absorbed]
    return [(_incident(event),)] if event.kind == "clock" else []


def _matter(key: Key, row: Row | None, event: Event) -> Row:
    row = row or {**dict.fromkeys(MATTERS.columns.keys()), "incident_id": key[0], "revision": 0}
    if event.kind == "clock" and event.actor != "system":
        row = {**row, "revision": row["revision"] + 1}
    if event.kind == "clock" and event.policy:
        row = {**row, "policy": event.policy}
    match event.data:
        case triage.IncidentOpened() | triage.IncidentTransferred() as data:
            row = {**row, "unit": data.unit}
        case triage.IncidentAssigned() as data:
            row = {**row, "assigned": data.unit}
        case triage.IncidentReturned():
            row = {**row, "assigned": None}
        case triage.IncidentGraded() | triage.IncidentRegraded() as data:
            row = {**row, "level": data.level}
        case triage.IncidentMerged() as data:
            row = {**row, "merged_into": data.into}
        case triage.IncidentAbsorbed() if key[0] != event.stream:
            row = {**row, "merged_into": event.stream}
        case e.ClockMilestoneReached(milestone=milestone) as data if milestone in EXPLAINS:
            row = {**row, "explained_at": max(row["explained_at"] or "", instant(data.recorded_at))}
    return row


def _report_keys(event: Event) -> list[Key]:
    match event.data:
        case e.ClockReportedUpward() | e.ClockReceiptGiven() | e.ClockReceiptRefused() as data:
            return [(data.report,)]
    return []


def _report_row(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case e.ClockReportedUpward() as data:
            return {
                "report": data.report,
                "incident_id": _incident(event),
                "unit": data.unit,
                "to": data.to,
                "level": data.level,
                "unverified": data.unverified,
                "text_ref": data.text.ref if data.text else None,
                "at": event.time_text,
                "state": "sent",
                "answered_at": None,
                "receipts": 0,
            }
        case e.ClockReceiptGiven() if row:
            return {**row, "state": "received", "answered_at": event.time_text, "receipts": row["receipts"] + 1}
        case e.ClockReceiptRefused() if row:
            return {**row, "state": "refused", "answered_at": event.time_text}
    return row


def _duty_keys(event: Event) -> list[Key]:
    match event.data:
        case e.RosterDutyPlanned() as data:
            return [(data.unit, data.post, instant(data.since))]
    return []


def _duty_row(key: Key, row: Row | None, event: Event) -> Row:
    return {"unit": key[0], "post": key[1], "since": key[2], "until": instant(event.data.until)}


def _roster_keys(event: Event) -> list[Key]:
    return [(event.stream,)] if event.kind == "roster" else []


def _roster_row(key: Key, row: Row | None, event: Event) -> Row:
    before = row["revision"] if row else 0
    return {"stream_id": key[0], "revision": before + (event.actor != "system")}


VIEWS = (
    *offices.views(METADATA),
    View(CLOCKS, _clock_keys, _clock_row, one_stream=True),
    View(MATTERS, _matter_keys, _matter),
    View(REPORTS, _report_keys, _report_row, one_stream=True),
    View(ROSTER, _duty_keys, _duty_row, one_stream=True),
    View(ROSTERS, _roster_keys, _roster_row, one_stream=True),
)


# queries for the timers


async def due_incidents(
    connection: AsyncConnection, now: datetime, packs: Iterable[LoadedPack], after: str, limit: int
) -> dict[str, str]:
    """Incident -> earliest due instant, where a limit or a rung of the ladder has passed by `now`; in order of id.

    A rung that is left out because the office explained itself is not waited for.
    """
    breach = and_(CLOCKS.c.breached_at.is_(None), CLOCKS.c.due < instant(now))
    rungs = [due for pack in packs for due in _rungs_due(pack, now)]
    chosen = (
        select(CLOCKS.c.incident_id, func.min(CLOCKS.c.due))
        .select_from(CLOCKS.outerjoin(MATTERS, MATTERS.c.incident_id == CLOCKS.c.incident_id))
        .where(CLOCKS.c.watched, CLOCKS.c.incident_id > after, or_(breach, *rungs))
        .group_by(CLOCKS.c.incident_id)
        .order_by(CLOCKS.c.incident_id)
        .limit(limit)
    )
    return {row[0]: row[1] for row in await connection.execute(chosen)}


def _rungs_due(pack: LoadedPack, now: datetime) -> Iterable[ColumnElement[bool]]:
    passed = [""]
    for rung in pack.model.escalation.ladder:
        due = [
            CLOCKS.c.policy == pack.ref,
            CLOCKS.c.breached_at.is_not(None),
            CLOCKS.c.rung.in_(tuple(passed)),
            CLOCKS.c.due < instant(now - rung.after),
        ]
        if rung.spares_explained:
            due.append(or_(MATTERS.c.explained_at.is_(None), MATTERS.c.explained_at < CLOCKS.c.since))
        yield and_(*due)
        passed.append(rung.rung)


async def without_pack(connection: AsyncConnection, limit: int) -> list[str]:
    """Incidents whose clocks could not be derived yet, because their pack had not arrived."""
    chosen = (
        select(MATTERS.c.incident_id)
        .where(MATTERS.c.policy.is_(None), MATTERS.c.unit.is_not(None))
        .order_by(MATTERS.c.incident_id)
        .limit(limit)
    )
    return list((await connection.execute(chosen)).scalars())


async def absorbed_into(connection: AsyncConnection, incidents: Iterable[str]) -> dict[str, list[str]]:
    """Incident -> those that were merged into it, also by way of others; only incidents that absorbed any."""
    root = {incident: incident for incident in incidents}
    found: dict[str, list[str]] = {}
    ask = list(root)
    while ask:
        chosen = select(MATTERS.c.incident_id, MATTERS.c.merged_into).where(MATTERS.c.merged_into.in_(ask))
        ask = []
        for incident, into in await connection.execute(chosen):
            found.setdefault(root[into], []).append(incident)
            if incident not in root:
                root[incident] = root[into]
                ask.append(incident)
    return found


# queries for the API


def _row(found: Mapping[Any, Any]) -> Row:
    """A row with plain names: SQLAlchemy's quoted ones are no strings to orjson."""
    return {str(name): value for name, value in found.items()}


async def matter(connection: AsyncConnection, incident: str) -> Row | None:
    """The incident's row, or None."""
    found = (await connection.execute(select(MATTERS).where(MATTERS.c.incident_id == incident))).mappings().first()
    return _row(found) if found else None


async def clocks(
    connection: AsyncConnection,
    units: Iterable[str],
    *,
    incident: str | None = None,
    state: str | None = None,
    due_before: datetime | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> tuple[list[Row], str | None]:
    """Clocks of these units in order of due instant, and where the next page starts."""
    order = (CLOCKS.c.due, CLOCKS.c.incident_id, CLOCKS.c.clock)
    chosen = (
        select(
            *(CLOCKS.c[name] for name in SHOWN),
            MATTERS.c.level,
            MATTERS.c.assigned,
        )
        .select_from(CLOCKS.outerjoin(MATTERS, MATTERS.c.incident_id == CLOCKS.c.incident_id))
        .where(CLOCKS.c.unit.in_(sorted(units)))
        .order_by(*order)
        .limit(limit + 1)
    )
    if incident is not None:
        chosen = chosen.where(CLOCKS.c.incident_id == incident)
    if state is not None:
        chosen = chosen.where(CLOCKS.c.state == state)
    if due_before is not None:
        chosen = chosen.where(CLOCKS.c.due < instant(due_before))
    if cursor is not None:
        chosen = chosen.where(tuple_(*order) > paging.place_of(cursor, str, str, str))
    rows = [_row(row) for row in (await connection.execute(chosen)).mappings()]
    return paging.page(rows, limit, lambda row: [row[column.name] for column in order])


SHOWN = tuple(column.name for column in CLOCKS.columns if column.name not in ("policy", "watched"))


async def reports(connection: AsyncConnection, incident: str) -> list[Row]:
    """The matter's reports upward, oldest first, with their words: null while they have not arrived."""
    chosen = select(REPORTS).where(REPORTS.c.incident_id == incident).order_by(REPORTS.c.at, REPORTS.c.report)
    rows = [_row(row) for row in (await connection.execute(chosen)).mappings()]
    words = await resolve(connection, METADATA, [row["text_ref"] for row in rows])
    return [
        {**{name: value for name, value in row.items() if name != "text_ref"}, "text": words(row["text_ref"])}
        for row in rows
    ]


async def roster(connection: AsyncConnection, unit: str) -> tuple[list[Row], int]:
    """The duties planned for a unit, in order of time, and the roster's version."""
    chosen = select(ROSTER.c.post, ROSTER.c.since, ROSTER.c.until).where(ROSTER.c.unit == unit)
    rows = await connection.execute(chosen.order_by(ROSTER.c.since, ROSTER.c.post))
    revision = select(ROSTERS.c.revision).where(ROSTERS.c.stream_id == stream_of_unit(unit))
    return [_row(row) for row in rows.mappings()], (await connection.execute(revision)).scalar() or 0
