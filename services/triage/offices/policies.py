"""The policy packs over HTTP: what is loaded, and who works by what."""

import asyncio
import functools
import json
from typing import Any

from fastapi import APIRouter, Response

from schemas.fields import instant
from schemas.pack.answering import NoReply
from schemas.pack.assigning import ReturnReason
from schemas.pack.values import open_places
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.delivery.runtime import Runtime
from services.kernel.rules.documents import DocumentError
from services.kernel.rules.grading import proposes
from services.kernel.rules.packs import parse_pack
from services.kernel.serving import commands, documents, http
from services.kernel.serving.answers import Done
from services.kernel.serving.commands import Answer, Caller
from services.kernel.store.session import Session
from services.triage.offices import office_answers, setup
from services.triage.offices.office_commands import AssignPack, ClosePeriod, LoadPack, LoadPacks, OpenPeriod, SetValue
from services.triage.offices.packs import POLICIES
from services.triage.rights import OF_OFFICES


@functools.cache
def router() -> APIRouter:
    """The paths of packs."""
    routes = http.router("/triage/v1", "triage")

    @routes.get("/packs", **documents.answers(office_answers.Packs))
    async def list_packs(runtime: http.Serving, staff: http.Staff) -> Response:
        """The packs of this service: their levels, flags and kinds of answer, and the units that work by them now."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
        items = [shown(pack, offices) for _, pack in sorted(offices.packs.items())]
        return http.json_response({"items": items, "next": None})

    @routes.post("/packs", **documents.answers(Done))
    async def load_pack(runtime: http.Serving, caller: http.Command, command: LoadPack) -> Response:
        """Brings a policy pack into the record. A changed pack needs a new version.

        Nothing is loaded if the text has a fault; `faults` names each with its line and column. No unit works by the
        pack before it is assigned. A pack that is loaded already changes nothing. `lessons` names the recorded lessons
        that the new version answers.
        """
        try:
            pack = await asyncio.to_thread(parse_pack, command.text)
        except DocumentError as error:
            faults = [fault._asdict() for fault in error.faults]
            raise Malformed(str(error), code="pack-unusable", field="text", faults=faults) from None
        return await _decided(
            runtime, caller, LoadPacks(packs=(setup.in_record(pack, tuple(dict.fromkeys(command.lessons))),))
        )

    @routes.post("/packs/assign", **documents.answers(Done))
    async def assign_pack(runtime: http.Serving, caller: http.Command, command: AssignPack) -> Response:
        """Lets a unit, and the units below it without a pack of their own, work by a pack.

        The unit above decides so; at the root, the root itself. Matters that were opened before keep their pack.
        """
        return await _decided(runtime, caller, command)

    @routes.get("/lists", **documents.answers(office_answers.CodeLists))
    async def list_codes(runtime: http.Serving, staff: http.Staff) -> Response:
        """The lists of the deployment: categories, channels, facts, other deployments. Other codes are refused."""
        lists = runtime.lists
        answer = {
            "categories": [one.model_dump() for one in lists.categories.values()],
            "channels": [one.model_dump() for one in lists.channels.values()],
            "peers": [one.model_dump(include={"name", "title", "title_en", "hands"}) for one in lists.peers.values()],
            "facts": [fact.model_dump(mode="json") for fact in lists.facts.values()],
        }
        return http.json_response(answer)

    @routes.get("/packs/values", **documents.answers(office_answers.SetValues))
    async def list_values(runtime: http.Serving, staff: http.Staff) -> Response:
        """The values that units set where a pack leaves them open, and that have begun."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
        items = [
            {
                "unit": one.unit,
                "pack": one.pack,
                "place": one.place,
                "value": json.loads(one.value),
                "since": instant(one.since),
            }
            for one in offices.values
        ]
        return http.json_response({"items": items, "next": None})

    @routes.post("/packs/set-value", **documents.answers(Done))
    async def set_value(runtime: http.Serving, caller: http.Command, command: SetValue) -> Response:
        """Sets a value that a pack leaves open, for a unit and the units below it. Nothing runs by it before."""
        return await _decided(runtime, caller, command)

    @routes.get("/periods", **documents.answers(office_answers.Periods))
    async def list_periods(runtime: http.Serving, staff: http.Staff) -> Response:
        """The special periods of all units, with those that are over and those to come."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
        items = [
            {
                "unit": one.unit,
                "period": one.code,
                "since": instant(one.since),
                "until": instant(one.until) if one.until else None,
                "now": one.covers(ctx.now),
                "may": ["close-period"]
                if (one.until is None or one.until > ctx.now) and OF_OFFICES[ClosePeriod].holds(one.unit, ctx)
                else [],
            }
            for one in ctx.offices.periods
        ]
        may = ["open-period"] if OF_OFFICES[OpenPeriod].holds(staff.unit or ctx.offices.root, ctx) else []
        return http.json_response({"items": items, "next": None, "may": may})

    @routes.post("/periods/open", **documents.answers(Done))
    async def open_period(runtime: http.Serving, caller: http.Command, command: OpenPeriod) -> Response:
        """Opens a special period for a unit and the units below it. It begins now at the earliest."""
        return await _decided(runtime, caller, command)

    @routes.post("/periods/close", **documents.answers(Done))
    async def close_period(runtime: http.Serving, caller: http.Command, command: ClosePeriod) -> Response:
        """Ends a special period, now at the earliest. An end to come can be moved."""
        return await _decided(runtime, caller, command)

    return routes


def shown(pack: LoadedPack, offices: Offices) -> dict[str, Any]:
    """The pack for readers, with the units that work by it now."""
    model = pack.model
    return {
        "policy": pack.ref,
        "pack": model.id,
        "version": model.version,
        "title": model.title,
        "effective_from": model.effective_from.isoformat(),
        "timezone": str(model.timezone),
        "documents": [{"document": code, "title": title} for code, title in model.documents.items()],
        "periods": [{"period": period.code, "title": period.title_zh} for period in model.periods],
        "facts": [fact.model_dump(mode="json", exclude={"source"}, exclude_none=True) for fact in model.facts],
        "levels": [{"level": level.code, "rank": level.rank, "title": level.title_zh} for level in model.levels],
        "proposes": proposes(pack),
        "clocks": [{"clock": name, "title": timed.title_zh} for name, timed in model.timed.items()],
        "flags": [{"flag": flag.code, "title": flag.title_zh} for flag in model.flags],
        "harm_scale": [{"harm": step.value, "title": step.title_zh} for step in model.harm_scale],
        "answer_kinds": [
            {
                "answer_kind": answer.kind,
                "title": answer.title_zh,
                "office_does": answer.office_does_zh,
                "levels": answer.levels,
            }
            for answer in model.answers
        ],
        "no_reply_grounds": [{"ground": one.code, "title": one.title_zh} for one in _no_reply_reasons(pack)],
        "return_grounds": [{"ground": one.code, "title": one.title_zh} for one in _return_reasons(pack)],
        "open": list(open_places(model)),
        "units": sorted(unit for unit, of in offices.assigned.items() if of == pack.ref),
    }


def _no_reply_reasons(pack: LoadedPack) -> tuple[NoReply, ...]:
    rule = pack.model.answering.screening
    return rule.reasons if rule else ()


def _return_reasons(pack: LoadedPack) -> tuple[ReturnReason, ...]:
    rule = pack.model.assigning
    return rule.returning.reasons if rule and rule.returning else ()


async def _decided(runtime: Runtime, caller: Caller, command: Command) -> Response:
    async def act(session: Session, ctx: Ctx) -> Answer:
        await session.load([POLICIES])
        events = commands.decide(session, POLICIES, command, ctx, caller)
        return commands.answer(session, POLICIES, events)

    return http.reply(await commands.transact(runtime, caller, act))
