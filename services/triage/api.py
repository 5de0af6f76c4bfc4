"""Triage over HTTP: incidents, what staff may ask of them, units and packs.

An incident's `version` (also its `ETag`) counts the decisions of staff. A command names it in `If-Match`. Words that
have not arrived yet are null, erased ones "[erased]". An office sees the matters in which it or a unit below it has a
part. `may` holds the commands that the caller may send now.
"""

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from schemas.fields import IncidentId, ReportId, UnitCode, Uuid, WrittenInstant, instant
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, erasure, http, operating, readings, records
from services.kernel.serving.answers import Done
from services.kernel.serving.paging import Cursor, Limit, Narrow, must_be_a_time, must_be_known
from services.kernel.store import standings
from services.kernel.store.session import Session
from services.triage import answers, queries, seen
from services.triage.alike import linking
from services.triage.commands import Accept, AcceptHelp, EstablishFact, HandToPeer, Link, Merge, Reopen, Split
from services.triage.facts.fact_sheet import fact_sheet
from services.triage.offices import office_answers
from services.triage.offices.delegations import DELEGATIONS
from services.triage.offices.office_commands import (
    Delegate,
    EndDelegation,
    NameOfficer,
    RecordAccess,
    RevokeToken,
    SetDays,
)
from services.triage.offices.units import ACCESS, DAYS, OFFICERS, TOKENS
from services.triage.queries import Filters
from services.triage.rights import VERBS
from services.triage.views import METADATA
from services.triage.worklist import statistics

_SEES: Mapping[type[Command], commands.See] = {EstablishFact: seen.for_fact}
"""The facts that a decision needs besides its incident."""

Id = Annotated[IncidentId, Depends(http.stream_id("incident"))]


@functools.cache
def router() -> APIRouter:
    """The paths of triage."""
    routes = http.router("/triage/v1", "triage")
    erasure.add_route(routes, "triage")
    operating.add_routes(routes, "triage")

    @routes.get("/incidents", **documents.answers(answers.Incidents))
    async def list_incidents(
        runtime: http.Serving,
        staff: http.Staff,
        unit: Annotated[
            UnitCode | None, Query(description="Only incidents for which this unit is accountable.")
        ] = None,
        assigned: Annotated[
            UnitCode | None, Query(description="Only incidents that are assigned to this unit.")
        ] = None,
        level: Annotated[Narrow, Query(description="Only incidents of this level.")] = None,
        state: Annotated[answers.State | None, Query(description="Only incidents in this state.")] = None,
        report_id: Annotated[
            ReportId | None, Query(description="Only the incident to which this report belongs now.")
        ] = None,
        entered_late: Annotated[
            bool | None,
            Query(description="Only incidents with, or without, a discovery that was old when it was entered."),
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Incidents in which the caller's office, or one below it, has a part, newest first.

        Two filters are for auditors. `state=dismissed` lists incidents that ended because every report was refused an
        answer, each with the latest reason. `entered_late=true` lists incidents with a discovery that was old when it
        was entered.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            for name, code in (("unit", unit), ("assigned", assigned)):
                must_be_known(name, code, ctx.offices.ever)
            must_be_known("level", level, {of.code for pack in ctx.offices.packs.values() for of in pack.model.levels})
            filters = Filters(unit, assigned, level, state, report_id, entered_late)
            items, further = await queries.incidents(connection, ctx, filters, cursor, limit)
        return http.json_response({"items": items, "next": further})

    @routes.get("/incidents/{id}", **documents.answers(answers.WholeIncident))
    async def read_incident(
        runtime: http.Serving, id: Id, staff: http.Staff, purpose: readings.Purpose = None
    ) -> Response:
        """One incident with facts, up to 500 reports, handling, notes, and the proposal for the figures.

        An office whose part has ended reads the state at that time. Reading the words of its reports is an event. Staff
        whose unit does not work on the matter name a `purpose`; without it, `text`, `url` and `request` of the reports
        are null and `withheld` is true.
        """
        async with runtime.database.read() as connection:
            found = await queries.incident(connection, await runtime.context(connection, staff), id)
            works = staff.unit in (await standings.read(connection, METADATA, [id]))[id].units if found else False
        if found is None:
            raise NotFound(f"there is no {id} that concerns {staff.unit}", what=id)
        if found["reports"] and not await readings.read(runtime, staff, id, purpose, works=works):
            reports = [readings.withheld(report, "text", "url", "request") for report in found["reports"]]
            found = {**found, "reports": reports}
        return http.json_response(found, version=found["version"])

    @routes.get("/incidents/{id}/facts", **documents.answers(answers.FactSheet))
    async def read_facts(runtime: http.Serving, id: Id, staff: http.Staff) -> Response:
        """The fact sheet: each fact with all its values, their sources, and the statements that rest on each value."""
        async with runtime.database.read() as connection:
            found = await fact_sheet(connection, await runtime.context(connection, staff), id)
        if found is None:
            raise NotFound(f"there is no {id} that concerns {staff.unit}", what=id)
        return http.json_response({"items": found, "next": None})

    for verb, model in VERBS.items():
        routes.add_api_route(
            f"/incidents/{{id}}/{verb}",
            _endpoint(model),
            methods=["POST"],
            name=verb if "-" in verb else f"{verb} incident",
            description=inspect.cleandoc(model.__doc__ or ""),
            **documents.answers(answers.SplitDone if model is Split else Done),
        )

    @routes.get("/statistics/handovers", **documents.answers(answers.Handovers))
    async def count_handovers(
        runtime: http.Serving,
        staff: http.Staff,
        since: Annotated[WrittenInstant | None, Query(description="From this instant on.")] = None,
        until: Annotated[WrittenInstant | None, Query(description="Before this instant.")] = None,
        drill: Annotated[bool, Query(description="Count exercises, and not real matters.")] = False,
    ) -> Response:
        """How often units of the caller's office and below got matters, were designated, and gave them back.

        Returns are counted for each reason, and among them those after the limit for returning.
        """
        must_be_a_time("until", since, until)
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            begin, end = (instant(at) if at else None for at in (since, until))
            items = await statistics.handovers(connection, ctx, begin, end, drill)
        return http.json_response({"items": items, "next": None})

    @routes.post("/tokens/{token}/revoke", **documents.answers(Done))
    async def revoke_token(
        runtime: http.Serving, token: Annotated[Uuid, Path(description="The token's id.")], caller: http.Command
    ) -> Response:
        """Ends a staff token before its time, by its id.

        Every service follows within a second after it learns of it.
        """

        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            await session.load([TOKENS])
            return commands.answer(
                session, TOKENS, commands.decide(session, TOKENS, RevokeToken(token=token), ctx, caller)
            )

        return http.reply(await commands.transact(runtime, caller, act))

    @routes.get("/days", **documents.answers(office_answers.Days))
    async def list_days(
        runtime: http.Serving, staff: http.Staff, unit: Annotated[UnitCode, Query(description="Whose days.")]
    ) -> Response:
        """The days on which a unit works otherwise than the country, its own and those of units above.

        Of several entries for a day, the first one counts.
        """
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
        offices.unit(unit)
        items = [
            {
                "unit": of,
                "since": span.since.isoformat(),
                "until": span.until.isoformat(),
                "days": span.days,
                "windows": None
                if span.windows is None
                else [{"since": f"{one.from_:%H:%M}", "to": f"{one.to:%H:%M}"} for one in span.windows],
            }
            for of in offices.above(unit)
            if of in offices.days
            for span in offices.days[of].spans
        ]
        return http.json_response({"items": items, "next": None, "basis": offices.basis})

    @routes.post("/days", **documents.answers(Done))
    async def set_days(runtime: http.Serving, body: SetDays, caller: http.Command) -> Response:
        """Sets local holidays, make-up days or other working hours of a unit. All limits in working time follow."""

        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            await session.load([DAYS])
            return commands.answer(session, DAYS, commands.decide(session, DAYS, body, ctx, caller))

        return http.reply(await commands.transact(runtime, caller, act))

    @routes.post("/units/name-officer", **documents.answers(Done))
    async def name_officer(runtime: http.Serving, body: NameOfficer, caller: http.Command) -> Response:
        """Names the one information officer of a unit. With the first one, its desk begins."""

        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            await session.load([OFFICERS])
            return commands.answer(session, OFFICERS, commands.decide(session, OFFICERS, body, ctx, caller))

        return http.reply(await commands.transact(runtime, caller, act))

    @routes.post("/units/record-access", **documents.answers(Done))
    async def record_access(runtime: http.Serving, body: RecordAccess, caller: http.Command) -> Response:
        """Records that an account of staff was opened, recovered or ended, or got other posts.

        The console sends it before it does so. The record names posts, and no person.
        """

        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            await session.load([ACCESS])
            return commands.answer(session, ACCESS, commands.decide(session, ACCESS, body, ctx, caller))

        return http.reply(await commands.transact(runtime, caller, act))

    @routes.get("/delegations", **documents.answers(office_answers.Delegations))
    async def list_delegations(runtime: http.Serving, staff: http.Staff) -> Response:
        """The delegations that hold now or begin later, of posts of the caller's unit, units above it and below it."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
        offices, own = ctx.offices, staff.unit or ""
        near = offices.below(own).union(offices.above(own))
        items = [
            {
                "delegation": one.id,
                "from": one.post,
                "to": one.to,
                "since": instant(one.since),
                "until": instant(one.until),
            }
            for one in offices.delegations
            if one.post.partition("@")[2] in near and one.until > ctx.now
        ]
        return http.json_response({"items": items, "next": None, "basis": offices.basis})

    async def delegate(runtime: Runtime, caller: commands.Caller, command: Command, status: int = 200) -> Response:
        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            await session.load([DELEGATIONS])
            events = commands.decide(session, DELEGATIONS, command, ctx, caller)
            return commands.answer(session, DELEGATIONS, events, status)

        return http.reply(await commands.transact(runtime, caller, act))

    @routes.post("/delegations", **documents.answers(Done, 201))
    async def give_delegation(runtime: http.Serving, body: Delegate, caller: http.Command) -> Response:
        """Lets another post approve for a post until a time. Its holder or a chief over its unit may do so."""
        return await delegate(runtime, caller, body, 201)

    @routes.post("/delegations/{delegation}/end", **documents.answers(Done))
    async def end_delegation(
        runtime: http.Serving,
        delegation: Annotated[Uuid, Path(description="The delegation's id.")],
        caller: http.Command,
    ) -> Response:
        """Ends a delegation before its time. If it has ended, nothing changes."""
        return await delegate(runtime, caller, EndDelegation(delegation=delegation))

    return routes


def _endpoint(model: type[Command]) -> Callable[..., Coroutine[Any, Any, Response]]:
    """The handler of one command. Its body is the model."""

    async def ask(runtime: http.Serving, id: Id, caller: http.Command, command: Any) -> Response:
        command = await records.by_ids(runtime, command)
        match command:
            case Merge():
                answer = await linking.merge(runtime, caller, id, command)
            case Link():
                answer = await linking.link(runtime, caller, id, command)
            case Split():
                answer = await linking.split(runtime, caller, id, command)
            case HandToPeer(reports=reports):
                known = functools.partial(seen.for_handing_over, reports=reports)
                answer = await commands.execute(runtime, caller, id, command, staff=True, see=known)
            case Reopen(report=str() as report):
                known = functools.partial(seen.for_reopening, report=report)
                answer = await commands.execute(runtime, caller, id, command, staff=True, see=known)
            case _:
                see = _SEES.get(model)
                answer = await commands.execute(runtime, caller, id, command, staff=True, see=see)
        return http.reply(answer)

    ask.__annotations__["command"] = Annotated[model, Body()]
    if model in (Accept, AcceptHelp):
        ask.__defaults__ = (model(),)
    return ask
