"""Escalation's HTTP API: clocks, reports upward with their receipts, and the duty roster.

`may` holds the commands that the caller may send now: on a matter, on each clock and on each report.
"""

import functools
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from schemas.fields import IncidentRef, UnitCode
from services.escalation import answers, queries, seen
from services.escalation.commands import (
    AcceptLead,
    AnnulBreach,
    AskLead,
    ConfirmDecision,
    Decide,
    DecideDeferral,
    DecideExtension,
    GiveNotice,
    InformOffice,
    Pause,
    Receipt,
    ReportBack,
    ReportUpward,
    RequestDeferral,
    RequestExtension,
    Resume,
    SetLimit,
    TakeLead,
    TellAsker,
    WritePart,
)
from services.escalation.duty import roster_api
from services.escalation.notify import addressing, outgoing_api
from services.escalation.rights import READ_MATTER, READ_ROSTER
from services.kernel.core.commands import Command
from services.kernel.core.ids import stream_of
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, erasure, http, operating, records
from services.kernel.serving.answers import Done
from services.kernel.serving.paging import At, Cursor, Limit, must_be_known

Id = Annotated[str, Depends(http.stream_id("incident"))]


@functools.cache
def router() -> APIRouter:
    """The service's paths."""
    api = http.router("/escalation/v1", "escalation")
    erasure.add_route(api, "escalation")
    operating.add_routes(api, "escalation")
    addressing.add_routes(api)
    outgoing_api.add_routes(api)
    roster_api.add_routes(api)

    async def command(runtime: Runtime, caller: commands.Caller, incident: str, body: Command) -> Response:
        """`If-Match` is optional here. If it is sent, it must name the newest version."""
        see = partial(seen.for_clock, incident)
        return http.reply(await commands.execute(runtime, caller, stream_of("clock", incident), body, see=see))

    @api.get("/clocks", **documents.answers(answers.Clocks))
    async def list_clocks(
        runtime: http.Serving,
        staff: http.Staff,
        incident: Annotated[IncidentRef | None, Query(description="Only clocks of this incident.")] = None,
        unit: Annotated[
            UnitCode | None, Query(description="Only clocks with which this unit, or one below it, is charged.")
        ] = None,
        state: Annotated[
            Literal["running", "met", "breached", "annulled", "cancelled"] | None,
            Query(description="Only clocks in this state."),
        ] = None,
        due_before: Annotated[At | None, Query(description="Only clocks that are due before this instant.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Clocks with which the caller's unit is charged, or of matters in which it has a part, by due instant.

        Units below the caller's unit count like it. `unit` filters for clocks with which that unit, or one below it, is
        charged.
        """
        incident = incident and await records.named(runtime, "incident", incident, "incident")
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            units = None if unit is None else ctx.offices.below(unit)
            filters: dict[str, Any] = {"incident": incident, "units": units, "state": state, "due_before": due_before}
            items, next_ = await queries.clocks(connection, ctx, **filters, cursor=cursor, limit=limit)
        return http.json_response({"items": items, "next": next_})

    @api.get("/reports-owed", **documents.answers(answers.ReportsOwed))
    async def list_reports_owed(
        runtime: http.Serving,
        staff: http.Staff,
        unit: Annotated[
            UnitCode | None, Query(description="Only what this unit, or one below it, owes; else the caller's unit.")
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """The reports that a unit, or one below it, owes now on open matters, also those without a limit."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.units)
            at = unit or staff.unit or ""
            READ_MATTER.require(at, ctx)
            items, next_ = await queries.reports_owed(connection, ctx, ctx.offices.below(at), cursor, limit)
        return http.json_response({"items": items, "next": next_})

    @api.get("/reports-to-confirm", **documents.answers(answers.ReportsToConfirm))
    async def list_reports_to_confirm(
        runtime: http.Serving, staff: http.Staff, limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        """The reports and notices sideways that wait for a receipt of the caller's unit, or of one below it."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            READ_MATTER.require(staff.unit or "", ctx)
            units = ctx.offices.below(staff.unit or "")
            items, next_, count = await queries.reports_to_confirm(connection, ctx, units, cursor, limit)
        return http.json_response({"items": items, "count": count, "next": next_})

    @api.get("/incidents/{id}", **documents.answers(answers.Limits))
    async def read_limits(runtime: http.Serving, id: Id, staff: http.Staff) -> Response:
        """An incident's clocks and reports upward, with the version for `If-Match`.

        An office whose part has ended reads the state at that time.
        """
        async with runtime.database.read() as connection:
            row = await queries.read_incident(connection, id)
            if row is None or row["unit"] is None:
                raise NotFound(f"escalation knows no incident {id}", what=id)
            ctx = await runtime.context(connection, staff)
            found = await queries.incident(connection, ctx, id)
        if found is None:
            raise READ_MATTER.refused(row["unit"], ctx)
        return http.json_response(found, version=found["version"])

    @api.post("/incidents/{id}/report-upward", **documents.answers(Done))
    async def report_upward(runtime: http.Serving, id: Id, body: ReportUpward, caller: http.Command) -> Response:
        """Report the matter to a post or body, step by step and to several.

        It is marked unverified if no fact is established. Only the receipt of the addressee fulfils the duty.
        """
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/inform-office", **documents.answers(Done))
    async def inform_office(runtime: http.Serving, id: Id, body: InformOffice, caller: http.Command) -> Response:
        """Tell another office of the matter. It reads what it is told, and confirms it by a receipt."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/receipt", **documents.answers(Done))
    async def give_receipt(runtime: http.Serving, id: Id, body: Receipt, caller: http.Command) -> Response:
        """Confirm a report, or send it back with a reason. Only its addressee can."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/ask-lead", **documents.answers(Done))
    async def ask_lead(runtime: http.Serving, id: Id, body: AskLead, caller: http.Command) -> Response:
        """Ask the unit above that the pack names to lead."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/accept-lead", **documents.answers(Done))
    async def accept_lead(runtime: http.Serving, id: Id, body: AcceptLead, caller: http.Command) -> Response:
        """Accept the lead that was asked for. The accountable unit stays accountable."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/take-lead", **documents.answers(Done))
    async def take_lead(runtime: http.Serving, id: Id, body: TakeLead, caller: http.Command) -> Response:
        """Take the lead as a unit above, where the pack says so. The accountable unit stays accountable."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/decide", **documents.answers(Done))
    async def record_decision(runtime: http.Serving, id: Id, body: Decide, caller: http.Command) -> Response:
        """Record whether to report upward, or whether to meet, with the reason and all who took part.

        If several posts take part, nothing is decided until each of them has confirmed it.
        """
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/confirm-decision", **documents.answers(Done))
    async def confirm_decision(runtime: http.Serving, id: Id, body: ConfirmDecision, caller: http.Command) -> Response:
        """Confirm a decision that several posts take together, as one of them."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/give-notice", **documents.answers(Done))
    async def give_notice(runtime: http.Serving, id: Id, body: GiveNotice, caller: http.Command) -> Response:
        """Give the accountable unit a notice to correct something, with a limit for its report back."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/write-part", **documents.answers(Done))
    async def write_part(runtime: http.Serving, id: Id, body: WritePart, caller: http.Command) -> Response:
        """Write a part of the answer to a notice: check, measures, next steps, as the pack says."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/report-back", **documents.answers(Done))
    async def report_back(runtime: http.Serving, id: Id, body: ReportBack, caller: http.Command) -> Response:
        """Report back to the unit that gave a notice. It is refused while a part of the answer is missing."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/set-limit", **documents.answers(Done))
    async def set_limit(runtime: http.Serving, id: Id, body: SetLimit, caller: http.Command) -> Response:
        """Set a limit of this matter, where the pack leaves it to a person."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/request-extension", **documents.answers(Done))
    async def request_extension(
        runtime: http.Serving, id: Id, body: RequestExtension, caller: http.Command
    ) -> Response:
        """Ask for more time before a limit passes, if the pack allows it."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/decide-extension", **documents.answers(Done))
    async def decide_extension(runtime: http.Serving, id: Id, body: DecideExtension, caller: http.Command) -> Response:
        """Grant or refuse more time. The post or body that the pack names decides, and never who asked."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/pause", **documents.answers(Done))
    async def pause_limit(runtime: http.Serving, id: Id, body: Pause, caller: http.Command) -> Response:
        """Let a limit stand still, for a reason that the pack names. Its first end stays on record."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/resume", **documents.answers(Done))
    async def resume_limit(runtime: http.Serving, id: Id, body: Resume, caller: http.Command) -> Response:
        """Let a limit that stands still run again."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/tell-asker", **documents.answers(Done))
    async def tell_asker(runtime: http.Serving, id: Id, body: TellAsker, caller: http.Command) -> Response:
        """Record that the asker was told of an extension. The asker also reads it with the receipt of the report."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/request-deferral", **documents.answers(Done))
    async def request_deferral(runtime: http.Serving, id: Id, body: RequestDeferral, caller: http.Command) -> Response:
        """Ask to defer what cannot be solved yet, with a plan and a date of review."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/decide-deferral", **documents.answers(Done))
    async def decide_deferral(runtime: http.Serving, id: Id, body: DecideDeferral, caller: http.Command) -> Response:
        """Grant or refuse a deferral. The post or body that the pack names decides, and never who asked."""
        return await command(runtime, caller, id, body)

    @api.post("/incidents/{id}/annul", **documents.answers(Done))
    async def annul_breach(runtime: http.Serving, id: Id, body: AnnulBreach, caller: http.Command) -> Response:
        """An auditor finds that a breach does not stand. Breach and finding both stay on record."""
        return await command(runtime, caller, id, body)

    @api.get("/surges", **documents.answers(answers.Surges))
    async def list_surges(
        runtime: http.Serving,
        staff: http.Staff,
        unit: Annotated[UnitCode, Query(description="Only warnings of this unit and those below it.")],
    ) -> Response:
        """The last early warning of each matter and category: far more reports than usual."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            ctx.offices.unit(unit)
            READ_ROSTER.require(unit, ctx)
            items = await queries.surges(connection, ctx.offices.below(unit))
        return http.json_response({"items": items, "next": None})

    return api
