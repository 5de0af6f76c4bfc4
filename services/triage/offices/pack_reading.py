"""Packs for those who read, write and try them: each rule beside its clause, the faults of a text, and what rules look
at of the matters on record.
"""

import asyncio
import functools
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy import ColumnElement, TextClause, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.fields import REACH, IncidentRef, instant
from schemas.offices import PolicyPackAssigned, PolicyPackLoaded
from schemas.pack.values import sourced
from schemas.said import Said, said_in
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.core.units import LoadedPack
from services.kernel.delivery.runtime import Runtime
from services.kernel.rules import grading
from services.kernel.rules.conditions import Figures
from services.kernel.rules.documents import DocumentError, Fault
from services.kernel.rules.packs import parse_pack, unanswered
from services.kernel.serving import documents, http, paging, records
from services.kernel.serving.paging import At, Cursor
from services.kernel.serving.problems import language_of, spoken
from services.kernel.store.tables import READ
from services.triage import state
from services.triage.offices import pack_answers
from services.triage.offices.office_commands import CheckPack, LoadPacks
from services.triage.offices.packs import POLICIES
from services.triage.rights import OF_OFFICES
from services.triage.views import INCIDENTS

MATTERS = 100
"""Matters of a page."""


@functools.cache
def router() -> APIRouter:
    """The paths of packs that change nothing."""
    routes = http.router("/triage/v1", "triage")

    @routes.post("/packs/check", **documents.answers(pack_answers.CheckedPack))
    async def check_pack(request: Request, runtime: http.Serving, staff: http.Staff, command: CheckPack) -> Response:
        """Says what is wrong with a pack's text, by line and column, for whoever may load packs. Nothing is recorded.

        `remarks` are no faults: posts and bodies that the pack names and no directory has, so nobody could act.
        """
        async with runtime.database.read() as connection:
            ctx = await _trying(runtime, connection, staff)
        try:
            pack = await asyncio.to_thread(parse_pack, command.text)
        except DocumentError as error:
            found = {**_NOTHING, "faults": error.faults}
        else:
            found = _checked(pack, ctx)
        language = language_of(request)
        faults = [fault._asdict() | {"message": said_in(fault.message, language)} for fault in found["faults"]]
        remarks = [said_in(remark, language) for remark in found["remarks"]]
        return http.json_response(found | {"faults": faults, "remarks": remarks}, headers=spoken(language))

    @routes.get("/packs/matters", **documents.answers(pack_answers.MattersOfRules))
    async def list_matters_of_rules(
        runtime: http.Serving,
        staff: http.Staff,
        since: Annotated[At | None, Query(description="Only matters that were opened since.")] = None,
        incident: Annotated[IncidentRef | None, Query(description="Only this matter.")] = None,
        cursor: Cursor = None,
    ) -> Response:
        """What rules look at of the matters on record, oldest first, for whoever may load packs. No words are in it.

        An exercise is told only if `incident` names it. `escalation` tries a pack on them.
        """
        async with runtime.database.read() as connection:
            await _trying(runtime, connection, staff)
        named = incident and await records.named(runtime, "incident", incident, "incident")
        async with runtime.database.read() as connection:
            found, further = await _matters(connection, since, named, cursor)
        items = await asyncio.to_thread(lambda: [_matter(*one) for one in found])
        return http.json_response({"items": items, "next": further})

    @routes.get("/packs/{pack}", **documents.answers(pack_answers.WholePack))
    async def read_pack(
        runtime: http.Serving,
        staff: http.Staff,
        pack: Annotated[str, Path(description="The pack as `id@version`.", max_length=60)],
    ) -> Response:
        """A pack: every rule with its value and its source, the text as it was written, and who worked by it when."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            found = next((one for one in offices.packs.values() if one.name == pack), None)
            if found is None:
                raise NotFound(f"there is no pack {pack}", what=pack)
            events = await _of_pack(connection, found)
        return http.json_response(await asyncio.to_thread(_whole, found, events))

    return routes


_NOTHING: Mapping[str, Any] = {
    "policy": None,
    "pack": None,
    "version": None,
    "title": None,
    "loaded": False,
    "faults": [],
    "remarks": [],
}


async def _trying(runtime: Runtime, connection: AsyncConnection, staff: Any) -> Ctx:
    """The context of somebody who may load packs. Raises `Forbidden`."""
    ctx = await runtime.context(connection, staff)
    OF_OFFICES[LoadPacks].require(ctx.offices.root, ctx)
    return ctx


def _checked(pack: LoadedPack, ctx: Ctx) -> dict[str, Any]:
    entries = [entry for posts in ctx.offices.posts.values() for entry in posts.values()]
    faults = []
    known = next((one for one in ctx.offices.packs.values() if one.name == pack.name), None)
    if known is not None and known.digest != pack.digest:
        changed = Said(
            f"{pack.name} was loaded with other content before; raise the version",
            f"{pack.name} 已经载入过，内容和这里不同；请换一个更大的版本号",
        )
        faults = [Fault(_line_of(pack.text), "version", changed)]
    return {
        "policy": pack.ref,
        "pack": pack.model.id,
        "version": str(pack.model.version),
        "title": pack.model.title,
        "loaded": known is not None and not faults,
        "faults": faults,
        "remarks": list(unanswered(pack.model, entries)),
    }


def _line_of(text: str) -> int:
    """The line that gives the version."""
    lines = text.splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith("version:")), 1)


def _whole(pack: LoadedPack, recorded: Sequence[bytes]) -> dict[str, Any]:
    model, events = pack.model, [Event.parse(one) for one in recorded]
    loaded = next(
        (event for event in events if isinstance(event.data, PolicyPackLoaded) and event.data.digest == pack.digest),
        None,
    )
    assigned = [event.data for event in events if isinstance(event.data, PolicyPackAssigned)]
    return {
        "policy": pack.ref,
        "pack": model.id,
        "version": str(model.version),
        "title": model.title,
        "effective_from": model.effective_from.isoformat(),
        "timezone": str(model.timezone),
        "loaded_at": instant(loaded.recorded) if loaded else None,
        "written": loaded.data.written if loaded else None,
        "documents": [{"document": code, "title": title} for code, title in model.documents.items()],
        "rules": [
            {
                "place": one.place,
                "title": one.title,
                "value": one.value,
                "source": one.source.model_dump(mode="json"),
            }
            for one in sourced(model)
        ],
        "assigned": [{"unit": one.unit, "since": instant(one.since)} for one in assigned if one.policy == pack.ref],
    }


async def _of_pack(connection: AsyncConnection, pack: LoadedPack) -> list[bytes]:
    """The loading of a pack, and all assignments. Events of other packs are large, and are not read."""
    packs, rows = INCIDENTS.metadata.tables["packs"].c, INCIDENTS.metadata.tables["events"].c
    loaded = select(packs.version).where(packs.policy == pack.ref).scalar_subquery()
    assigning = rows.type.in_(upcast.types_of(PolicyPackAssigned))
    return await _events(connection, POLICIES, or_(rows.version == loaded, assigning))


async def _events(connection: AsyncConnection, stream: str, wanted: ColumnElement[bool] | TextClause) -> list[bytes]:
    rows = INCIDENTS.metadata.tables["events"].c
    chosen = select(rows.bytes).where(rows.stream_id == stream, wanted).order_by(rows.version)
    return [bytes(found) for found in await connection.scalars(chosen)]


async def _matters(
    connection: AsyncConnection, since: datetime | None, incident: str | None, cursor: str | None
) -> tuple[list[tuple[str, str | None, int, list[bytes]]], str | None]:
    """A page of matters, each with its opening, number, reports and events, and the cursor of the next one.

    Of thousands of reports that joined a matter, the number is enough.
    """
    order = (INCIDENTS.c.opened_at, INCIDENTS.c.id)
    chosen = select(*order, INCIDENTS.c.number, INCIDENTS.c.reports).order_by(*order).limit(MATTERS + 1)
    if incident is None:
        chosen = chosen.where(INCIDENTS.c.drill.is_(False))
    if since is not None:
        chosen = chosen.where(INCIDENTS.c.opened_at >= instant(since))
    if incident is not None:
        chosen = chosen.where(INCIDENTS.c.id == incident)
    if cursor is not None:
        chosen = chosen.where(tuple_(*order) > paging.place_of(cursor, str, str))
    rows, further = paging.page((await connection.execute(chosen)).all(), MATTERS, lambda row: (row[0], row[1]))
    return [(at, number, count, await _events(connection, id_, READ)) for at, id_, number, count in rows], further


def _matter(opened_at: str, number: str | None, reports: int, recorded: Sequence[bytes]) -> dict[str, Any]:
    events = [Event.parse(one) for one in recorded]
    known = functools.reduce(state.evolve, events, state.initial_state())
    return {
        "incident": events[0].stream,
        "number": number,
        "unit": known.unit,
        "opened_at": opened_at,
        "category": known.category,
        "channel": known.channel,
        "answer_kind": known.answer_kind,
        "doubtful": known.doubtful,
        "reports": reports,
        "gravity": [_fact(one) for one in _telling(known.gravity)],
    }


def _telling(facts: Sequence[grading.Fact]) -> Iterator[grading.Fact]:
    """The facts without counts of which no figure is higher than in all before. They change nothing."""
    highest = Figures()
    for one in sorted(facts, key=attrgetter("at")):
        if isinstance(one, grading.Counted):
            if (higher := highest.highest(one.figures)) == highest:
                continue
            highest = higher
        yield one


def _fact(one: grading.Fact) -> dict[str, Any]:
    blank = dict.fromkeys(("clicks", "comments", "shares", "mainstream_sites", "flag", "harm"))
    made: dict[str, Any] = {"at": instant(one.at), "report": "", **blank, "present": True}
    match one:
        case grading.Counted():
            made |= {"report": one.report} | {name: getattr(one.figures, name) for name in REACH}
        case grading.Flagged():
            made |= {"flag": one.flag, "present": one.present}
        case grading.Harmed():
            made |= {"harm": one.harm}
    return made
