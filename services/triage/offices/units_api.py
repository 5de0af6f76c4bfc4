"""The tree of units and its directories over HTTP: what stands, what was changed, and the changes themselves."""

import functools
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import UnitCode, instant
from schemas.offices import UnitPlaced, UnitPostPlaced
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.core.units import Offices, Unit
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, http
from services.kernel.serving.answers import Done
from services.kernel.serving.commands import Caller, with_seen
from services.kernel.serving.paging import Cursor, Limit, page, place_of
from services.kernel.store.session import Session
from services.kernel.store.words import resolve
from services.triage.offices import office_answers
from services.triage.offices.office_commands import (
    AssignPack,
    EndPost,
    EndUnit,
    LoadPacks,
    NameSite,
    PlacePost,
    PlaceUnit,
)
from services.triage.offices.units import SITE, TREE
from services.triage.rights import OF_OFFICES
from services.triage.seen import open_at
from services.triage.views import METADATA

_RIGHTS = tuple(OF_OFFICES[command] for command in (PlaceUnit, EndUnit, PlacePost, EndPost, AssignPack))
_OF_SITE = tuple(OF_OFFICES[command] for command in (NameSite, LoadPacks))


@functools.cache
def router() -> APIRouter:
    """The paths of units."""
    routes = http.router("/triage/v1", "triage")

    @routes.get("/units", **documents.answers(office_answers.Units))
    async def list_units(runtime: http.Serving, staff: http.Staff) -> Response:
        """The tree of units and their posts now, the units that have ended, and the version of the stream behind it."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
        offices = ctx.offices
        body = {
            "items": [_shown(unit, ctx) for unit in _in_order(offices.units.values(), offices)],
            "next": None,
            "former": [_place(unit) for unit in _in_order(offices.former.values(), offices)],
            "site_name": offices.site_name or runtime.settings.site_name,
            "may": [right.verb for right in _OF_SITE if right.holds(None, ctx)],
            "basis": offices.basis,
        }
        return http.json_response(body)

    @routes.get("/units/{unit}/changes", **documents.answers(office_answers.Changes))
    async def list_changes(
        runtime: http.Serving,
        unit: Annotated[UnitCode, Path(description="The unit, also one that has ended.")],
        staff: http.Staff,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """How a unit and its directory were changed, newest first: when, by which post, and why."""
        async with runtime.database.read() as connection:
            found = [event for event in await _placings(connection) if event.data.unit == unit]
            if not found:
                raise NotFound(f"there is no unit {unit}", what=unit)
            before = place_of(cursor, int)[0] if cursor is not None else None
            asked = [event for event in found if before is None or event.version < before]
            events, further = page(asked[: limit + 1], limit, lambda event: (event.version,))
            words = await resolve(connection, METADATA, [ref for event in events for ref in event.words.values()])
        return http.json_response({"items": [_changed(event, words) for event in events], "next": further})

    @routes.post("/units/place-unit", **documents.answers(Done))
    async def place_unit(runtime: http.Serving, body: PlaceUnit, caller: http.Command) -> Response:
        """Adds a unit, names it anew, or places it under another unit. Decisions of before keep the tree of then."""
        return await _decided(runtime, caller, body)

    @routes.post("/units/end-unit", **documents.answers(Done))
    async def end_unit(runtime: http.Serving, body: EndUnit, caller: http.Command) -> Response:
        """Ends a unit that has nothing to do in any matter, and no units below it.

        An office for exercises ends with all that is in it: no list and no count shows its exercises any more.
        """
        return await _decided(runtime, caller, body)

    @routes.post("/units/place-post", **documents.answers(Done))
    async def place_post(runtime: http.Serving, body: PlacePost, caller: http.Command) -> Response:
        """Adds a post to a unit's directory or changes it. A new head replaces the former one."""
        return await _decided(runtime, caller, body)

    @routes.post("/units/end-post", **documents.answers(Done))
    async def end_post(runtime: http.Serving, body: EndPost, caller: http.Command) -> Response:
        """Ends a post. Nobody signs in for it any more, and no body may have it as a member."""
        return await _decided(runtime, caller, body)

    @routes.post("/units/name-site", **documents.answers(Done))
    async def name_site(runtime: http.Serving, body: NameSite, caller: http.Command) -> Response:
        """Names the deployment's pages. The console and the public bulletin bear the name from then on."""
        return await _decided(runtime, caller, body, SITE)

    return routes


async def _decided(runtime: Runtime, caller: Caller, command: Command, stream: str = TREE) -> Response:
    async def act(session: Session, ctx: Ctx) -> commands.Answer:
        await session.load([stream])
        if isinstance(command, EndUnit):
            ctx = with_seen(ctx, {"open": await open_at(session.connection, command.unit)})
        return commands.answer(session, stream, commands.decide(session, stream, command, ctx, caller))

    return http.reply(await commands.transact(runtime, caller, act))


async def _placings(connection: AsyncConnection) -> list[Event]:
    """The events of the tree, newest first."""
    events = METADATA.tables["events"]
    chosen = select(events.c.bytes).where(events.c.stream_id == TREE).order_by(events.c.version.desc())
    return [Event.parse(raw) for raw in (await connection.execute(chosen)).scalars()]


def _in_order(units: Iterable[Unit], offices: Offices) -> list[Unit]:
    return sorted(units, key=lambda unit: (len(offices.above(unit.code)), unit.code))


def _place(unit: Unit) -> dict[str, Any]:
    return {"unit": unit.code, "kind": unit.kind, "name": unit.name, "parent": unit.parent, "drill": unit.drill}


def _shown(unit: Unit, ctx: Ctx) -> dict[str, Any]:
    posts = [
        {
            "post": f"{code}@{unit.code}",
            "title": post.title,
            "roles": sorted(post.roles),
            "head": post.head,
            "members": post.members,
            "duty_post": post.duty_post,
            "serves": post.serves,
        }
        for code, post in sorted(ctx.offices.posts.get(unit.code, {}).items())
    ]
    may = [right.verb for right in _RIGHTS if right.holds(unit.code, ctx)]
    return {**_place(unit), "policy": ctx.offices.assigned.get(unit.code), "posts": posts, "may": may}


def _changed(event: Event, words: Any) -> dict[str, Any]:
    data: UnitPlaced | UnitPostPlaced = event.data
    shown: dict[str, Any] = {"post": None, "parent": None, "head": False, "roles": (), "members": ()}
    if isinstance(data, UnitPostPlaced):
        shown |= {"post": data.code, "name": data.title, "head": data.head, "roles": data.roles}
        shown |= {"members": data.members}
    else:
        shown |= {"name": data.name, "parent": data.parent}
    return shown | {
        "at": instant(event.recorded),
        "by": event.actor,
        "since": instant(data.since),
        "until": instant(data.until) if data.until else None,
        "reason": words(event.words.get("reason")),
    }
