"""What may be told of reports to who asks by Open311.

A report's id is as long and as random as a receipt, and only its sender gets it: who has it is told of that report. A
sender's key lists the sender's own reports. Without a key, only those reports of integrations are listed on whose
matter something was published: nobody finds out by a list that somebody complained of them. What officers entered is
in no list.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.titles import Language
from services.ingest.open311.codec import MOST, Many, Wanted, second, service_name
from services.ingest.views import BELONGINGS, INTEGRATION, METADATA
from services.kernel.core.units import Offices
from services.kernel.store import standings
from services.kernel.store.views import Row

FILED, ENDINGS, LIMITS, SPOKEN, SAID = (
    METADATA.tables[name] for name in ("filed", "endings", "limits", "spoken", "said")
)
OWED = frozenset({"explained", "replied", "status_published", "facts_published", "published", "solved", "resolved"})
"""The acts that a limit for the public waits for. Any other limit is the office's own."""
_CLOSED = or_(FILED.c.state == "refused", ENDINGS.c.closed_at.is_not(None))


class Saying(NamedTuple):
    """What a statement said at a time."""

    event: str
    incident_id: str
    at: str
    title: str | None
    text: str


async def requests(
    connection: AsyncConnection,
    offices: Offices,
    wanted: Wanted,
    language: Language,
    *,
    unit: str | None = None,
    sender: str | None = None,
) -> Many:
    """The reports of a list, the newest first, at most `MOST`. `unit` and the units below it received them."""
    filed = FILED.c
    chosen = _joined(*FILED.c, BELONGINGS.c.incident_id, ENDINGS.c.closed_at, ENDINGS.c.at.label("ended_at"))
    if wanted.ids is not None:
        chosen = chosen.where(filed.report_id.in_(wanted.ids))
    else:
        chosen = _visible(chosen, offices, unit, sender)
        chosen = chosen.where(filed.received_at >= wanted.since, filed.received_at <= wanted.until)
        if wanted.services is not None:
            chosen = chosen.where(filed.category.in_(wanted.services))
        if len(wanted.statuses) == 1:
            closed = "closed" in wanted.statuses
            chosen = chosen.where(_CLOSED if closed else ~_CLOSED)
    chosen = chosen.order_by(filed.received_at.desc(), filed.report_id).limit(MOST)
    rows = _newest([dict(row) for row in (await connection.execute(chosen)).mappings()])
    return Many("request", await _told(connection, offices, rows, language))


async def updates(
    connection: AsyncConnection,
    offices: Offices,
    since: str,
    until: str,
    *,
    unit: str | None = None,
    sender: str | None = None,
) -> Many:
    """What was said in public on the matters of these reports between two instants, the oldest first."""
    said = SAID.c
    chosen = _joined(*FILED.c, said.event, said.at.label("said_at"), said.title, said.text, ENDINGS.c.closed_at)
    chosen = chosen.join(SPOKEN, SPOKEN.c.incident_id == BELONGINGS.c.incident_id)
    chosen = chosen.join(SAID, said.statement_id == SPOKEN.c.statement_id)
    chosen = _visible(chosen, offices, unit, sender).where(said.at >= since, said.at <= until)
    chosen = chosen.order_by(said.at, said.event, FILED.c.report_id).limit(MOST)
    rows = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    return Many(
        "request_update",
        [
            {
                "update_id": row["event"],
                "service_request_id": row["report_id"],
                "status": _status(row),
                "updated_datetime": second(row["said_at"]),
                "description": _words(row["title"], row["text"]),
                "media_url": None,
            }
            for row in rows
        ],
    )


def _joined(*columns: Any) -> Select[Any]:
    """Reports with the matters to which they belong now, and how those ended."""
    now = and_(BELONGINGS.c.report_id == FILED.c.report_id, BELONGINGS.c.left_at.is_(None))
    ended = ENDINGS.c.incident_id == BELONGINGS.c.incident_id
    return select(*columns).select_from(FILED.outerjoin(BELONGINGS, now).outerjoin(ENDINGS, ended))


def _visible(chosen: Select[Any], offices: Offices, unit: str | None, sender: str | None) -> Select[Any]:
    # The root takes in also what units received that are no more.
    if unit is not None and offices.units[unit].parent is not None:
        chosen = chosen.where(FILED.c.unit.in_(sorted(offices.below(unit))))
    if sender is not None:
        return chosen.where(FILED.c.sender == sender)
    spoken = SPOKEN.alias()
    public = exists().where(spoken.c.incident_id == BELONGINGS.c.incident_id).correlate(BELONGINGS)
    return chosen.where(FILED.c.sender.startswith(INTEGRATION), public)


def _newest(rows: list[Row]) -> list[Row]:
    """One row for each report. Between a merger and what the other matter says of it, a report may be in two."""
    return list({row["report_id"]: row for row in reversed(rows)}.values())[::-1]


async def _told(
    connection: AsyncConnection, offices: Offices, rows: Sequence[Row], language: Language
) -> list[dict[str, Any]]:
    incidents = sorted({row["incident_id"] for row in rows if row["incident_id"]})
    known = await standings.read(connection, METADATA, incidents)
    said = {one.incident_id: one for one in await _sayings(connection, incidents)}
    due = await _due(connection, offices, incidents)
    found = []
    for row in rows:
        incident = row["incident_id"]
        standing, last = known.get(incident), said.get(incident)
        unit = (standing.assigned or standing.accountable if standing else None) or row["unit"]
        times = [row["changed_at"], row["ended_at"], last.at if last else None]
        closed = _status(row) == "closed"
        updated = row["closed_at"] if closed and row["closed_at"] else max(at for at in times if at)
        found.append(
            {
                "service_request_id": row["report_id"],
                "status": "closed" if closed else "open",
                "status_notes": _words(last.title, last.text) if last else None,
                "service_name": service_name(offices.lists, row["category"], language),
                "service_code": row["category"],
                "description": None,
                "agency_responsible": offices.ever[unit].name if unit in offices.ever else unit,
                "service_notice": None,
                "requested_datetime": second(row["received_at"]),
                "updated_datetime": second(updated),
                "expected_datetime": second(due[incident]) if incident in due else None,
                **dict.fromkeys(("address", "address_id", "zipcode", "lat", "long", "media_url")),
            }
        )
    return found


def _status(row: Row) -> str:
    return "closed" if row["state"] == "refused" or row["closed_at"] else "open"


def _words(title: str | None, text: str) -> str:
    return f"{title}\n{text}" if title else text


async def _sayings(connection: AsyncConnection, incidents: Sequence[str]) -> list[Saying]:
    """What was said on these matters, in order."""
    if not incidents:
        return []
    said = SAID.c
    chosen = select(said.event, SPOKEN.c.incident_id, said.at, said.title, said.text)
    chosen = chosen.join(SPOKEN, SPOKEN.c.statement_id == said.statement_id)
    chosen = chosen.where(SPOKEN.c.incident_id.in_(incidents)).order_by(said.at, said.event)
    return [Saying(*row) for row in await connection.execute(chosen)]


async def _due(connection: AsyncConnection, offices: Offices, incidents: Sequence[str]) -> dict[str, str]:
    """Matter -> the next limit for the public that is owed; once nothing is owed, the last one."""
    if not incidents:
        return {}
    found: dict[str, tuple[bool, str]] = {}
    chosen = select(LIMITS).where(LIMITS.c.incident_id.in_(incidents)).order_by(LIMITS.c.due)
    for row in (await connection.execute(chosen)).mappings():
        if not _is_public(row, offices):
            continue
        known = found.get(row["incident_id"])
        if known is None or known[0]:
            found[row["incident_id"]] = (row["done"], row["due"])
    return {incident: due for incident, (_, due) in found.items()}


def _is_public(row: Any, offices: Offices) -> bool:
    pack, name = offices.packs.get(row["policy"] or ""), row["clock"].partition("#")[0]
    return pack is not None and any(spec.name == name and OWED & frozenset(spec.to) for spec in pack.model.clocks)
