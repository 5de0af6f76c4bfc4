"""What decisions of ingest, and rights of its readers, look at besides the stream: rows of its own views."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from services.ingest.rights import Belonging
from services.ingest.views import BELONGINGS, METADATA
from services.kernel.core.decider import Actor
from services.kernel.core.standings import Moment
from services.kernel.store import standings


async def belongings(connection: AsyncConnection, report: str) -> list[Belonging]:
    """The incidents of a report, present and past, according to triage's events so far."""
    found = (await connection.execute(select(BELONGINGS).where(BELONGINGS.c.report_id == report))).mappings().all()
    known = await standings.read(connection, METADATA, [row["incident_id"] for row in found])
    return [
        Belonging(
            known[row["incident_id"]],
            row["joined_at"],
            Moment(row["left_version"], row["left_at"]) if row["left_at"] else None,
        )
        for row in found
        if row["incident_id"] in known
    ]


async def for_report(report: str, connection: AsyncConnection, state: Any) -> Mapping[str, Any]:
    """The standing of the report's present incident, for a decision on the report.

    Between two incidents it is that of the former one: a merger or a split is told by both, and one may come late.
    """
    found = await belongings(connection, report)
    present = max(found, key=lambda of: (of.until is None, of.standing.merged is None, of.since), default=None)
    return {"standing": present.standing if present else None}


async def works_on(connection: AsyncConnection, received: Event, actor: Actor) -> bool:
    """Whether the actor's unit works on the matter of a report, or received a report that has none yet."""
    seen = await for_report(received.stream, connection, None)
    standing = seen["standing"]
    return actor.unit in standing.units if standing else actor.unit == received.unit
