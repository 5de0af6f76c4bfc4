"""The register of reports: those that came to an office, with the states of their replies. Of who wrote, nothing."""

import functools
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import Code, IncidentId, Instant, Number, ReportId, UnitCode, instant
from services.kernel.core.commands import example
from services.kernel.core.standings import Units
from services.kernel.serving import documents, http, paging
from services.kernel.serving.answers import Answered, Page
from services.kernel.serving.paging import At, Cursor, Limit, Narrow, must_be_known
from services.kernel.store.words import resolve
from services.triage.answers import State
from services.triage.rights import READ_MATTER
from services.triage.views import DESK, INCIDENT_NOTES, INCIDENT_REPORTS, INCIDENTS, METADATA, REPORTS

Reply = Literal["received", "waiting", "interim", "replied", "not_owed", "refused"]
"""Nobody has the report in hand yet; a reply is owed and there is none; there is one, and the matter goes on; there is
one, and the matter is handled; no reply is owed, as two posts decided; this report gets none, with the reason.
"""
ENDED = ("resolved", "closed", "dismissed")


class ReportRow(Answered):
    """A report, and the state of its reply."""

    report_id: ReportId
    """The report."""
    received_at: Instant
    """When it was recorded."""
    discovered_at: Instant
    """When the office learnt of it."""
    unit: UnitCode
    """The unit to which it came."""
    channel: Code
    """The channel."""
    category: Code | None
    """Its category."""
    subject: str | None
    """Its concern in short; null if the words were erased."""
    number: Number | None
    """The number of the matter to which it belongs now."""
    incident_id: IncidentId | None
    """That matter; null as long as there is none."""
    state: State | None
    """The state of that matter."""
    reply: Reply
    """The state of its reply."""
    answered_at: Instant | None
    """When it was answered last."""
    unhelpful: bool
    """Whether the asker said that the answer did not help, and nobody has decided on that."""


class ReportRegister(
    Page,
    json_schema_extra=example(
        items=[
            {
                "report_id": "report-01890a5d-a1b2-7c3d-8e4f-5061728394a5",
                "received_at": "2026-03-02T01:00:00.000000Z",
                "discovered_at": "2026-03-02T00:50:00.000000Z",
                "unit": "town-east",
                "channel": "hotline",
                "category": "roads.lighting",
                "subject": "卫生院门前路灯不亮",
                "number": "town-east-2026-00042",
                "incident_id": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
                "state": "assigned",
                "reply": "waiting",
                "answered_at": None,
                "unhelpful": False,
            }
        ],
        next=None,
    ),
):
    """Reports with the state of their replies, newest first."""

    items: tuple[ReportRow, ...]
    """The entries of this page."""


@functools.cache
def router() -> APIRouter:
    """The path of the register."""
    routes = http.router("/triage/v1", "triage")

    @routes.get("/reports", **documents.answers(ReportRegister))
    async def list_reports(
        runtime: http.Serving,
        staff: http.Staff,
        unit: Annotated[UnitCode | None, Query(description="Only reports to this unit and those below it.")] = None,
        channel: Annotated[Narrow, Query(description="Only reports of this channel.")] = None,
        reply: Annotated[Reply | None, Query(description="Only reports whose reply is in this state.")] = None,
        from_: Annotated[At | None, Query(alias="from", description="Only reports that came then or later.")] = None,
        to: Annotated[At | None, Query(description="Only reports that came by then.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """The register of reports: those that came to the caller's office and those below it, newest first.

        Each has the state of its reply. A report stays in the register of the office to which it came, wherever its
        matter goes.
        """
        paging.must_be_a_time("to", from_, to)
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            must_be_known("channel", channel, ctx.offices.lists.channels)
            units: Units = READ_MATTER.listed(ctx)
            if unit is not None:
                below = ctx.offices.below(unit)
                units = below if units is None else below & set(units)
            rows = (await connection.execute(_chosen(units, channel, reply, from_, to, cursor, limit))).mappings().all()
            rows, further = paging.page(rows, limit, lambda row: (row["received_at"], row["report_id"]))
            items = await _shown(connection, [dict(row) for row in rows])
        return http.json_response({"items": items, "next": further})

    return routes


def _chosen(
    units: Units,
    channel: str | None,
    reply: Reply | None,
    since: datetime | None,
    until: datetime | None,
    cursor: str | None,
    limit: int,
) -> Select[Any]:
    r, order = REPORTS.c, (REPORTS.c.received_at, REPORTS.c.report_id)
    wanted: list[ColumnElement[bool]] = []
    if units is not None:
        wanted.append(r.unit.in_(sorted(units)))
    if channel is not None:
        wanted.append(r.channel == channel)
    if since is not None:
        wanted.append(r.received_at >= instant(since))
    if until is not None:
        wanted.append(r.received_at <= instant(until))
    if cursor is not None:
        wanted.append(tuple_(*order) < paging.place_of(cursor, str, str))
    of, notes = INCIDENT_REPORTS.alias(), INCIDENT_NOTES.c
    # An answer to others, before the report came, is none to it, unless everybody could read it.
    heard = or_(notes.version > of.c.position, notes.statement.is_not(None))
    answered_at = (
        select(func.max(notes.recorded_at))
        .join(of, of.c.incident_id == notes.incident_id)
        .where(of.c.report_id == r.report_id, of.c.active, notes.track == "answer", heard)
        .scalar_subquery()
    )
    own, theirs = INCIDENT_REPORTS.alias(), INCIDENTS.alias()
    # A merger leaves the report in the former matter as well.
    present = (
        select(theirs.c.id)
        .join(own, own.c.incident_id == theirs.c.id)
        .where(own.c.report_id == r.report_id, own.c.active, theirs.c.merged_into.is_(None))
        .order_by(theirs.c.id)
        .limit(1)
        .scalar_subquery()
    )
    # The row has the decision as JSON: two posts decided that no reply is owed.
    not_owed = and_(
        INCIDENTS.c.answering.contains('"needs_reply":false'), INCIDENTS.c.answering.contains('"upheld":true')
    )
    state = case(
        (r.refused_at.is_not(None), "refused"),
        (INCIDENTS.c.id.is_(None), "received"),
        (and_(answered_at.is_not(None), INCIDENTS.c.state.in_(ENDED)), "replied"),
        (answered_at.is_not(None), "interim"),
        (not_owed, "not_owed"),
        else_="waiting",
    )
    if reply is not None:
        wanted.append(state == reply)
    columns = (r.report_id, r.received_at, r.discovered_at, r.unit, r.channel, r.category, r.subject)
    matter = (INCIDENTS.c.number, INCIDENTS.c.id.label("incident_id"), INCIDENTS.c.state, DESK.c.unhelped)
    joined = REPORTS.outerjoin(INCIDENTS, INCIDENTS.c.id == present)
    joined = joined.outerjoin(DESK, DESK.c.incident_id == INCIDENTS.c.id)
    chosen = select(*columns, *matter, state.label("reply"), answered_at.label("answered_at")).select_from(joined)
    return chosen.where(*wanted).order_by(*(one.desc() for one in order)).limit(limit + 1)


async def _shown(connection: AsyncConnection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    words = await resolve(connection, METADATA, [row["subject"] for row in rows])
    return [
        {
            **{
                name: row[name] for name in ("report_id", "received_at", "discovered_at", "unit", "channel", "category")
            },
            "subject": words(row["subject"]),
            **{name: row[name] for name in ("number", "incident_id", "state", "reply", "answered_at")},
            "unhelpful": row["report_id"] in (row["unhelped"] or "").split(),
        }
        for row in rows
    ]
