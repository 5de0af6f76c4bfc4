"""What is read of clocks: by the timers what is due, by the API what staff may see."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant
from services.escalation.roster import stream_of_unit
from services.escalation.views import CLOCKS, MATTERS, METADATA, REPORTS, ROSTER, ROSTERS
from services.kernel.core.units import LoadedPack
from services.kernel.serving import paging
from services.kernel.store.views import Row
from services.kernel.store.words import resolve

SHOWN = tuple(column.name for column in CLOCKS.columns if column.name not in ("policy", "watched"))


# for the timers


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
    """For each rung of the pack's ladder, and each that may have been sent last, that its time has come."""
    sent: list[tuple[str, timedelta]] = [("", timedelta())]
    for rung in pack.model.escalation.ladder:
        for last, after in sent:
            due = [
                CLOCKS.c.policy == pack.ref,
                CLOCKS.c.breached_at.is_not(None),
                CLOCKS.c.rung == last,
                CLOCKS.c.detected_at < instant(now - rung.after),
            ]
            if last:
                due.append(CLOCKS.c.rung_at < instant(now - (rung.after - after)))
            if rung.spares_explained:
                due.append(or_(MATTERS.c.explained_at.is_(None), MATTERS.c.explained_at < CLOCKS.c.since))
            yield and_(*due)
        sent.append((rung.rung, rung.after))


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


# for the API


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
