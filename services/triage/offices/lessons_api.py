"""Lessons over HTTP: recorded on what has ended, listed by number, answered by a version of the pack, or declined."""

import functools
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import Code, IncidentId, Instant, UnitCode
from services.kernel.core.commands import Command, example
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.serving import commands, documents, http, paging, records
from services.kernel.serving.answers import DONE, Answered, Done, Page
from services.kernel.serving.commands import Answer, with_seen
from services.kernel.serving.paging import Cursor, Limit, must_be_known
from services.kernel.store.session import Session
from services.kernel.store.words import resolve
from services.triage.offices.lessons import DeclineNumbered
from services.triage.offices.office_commands import DeclineLesson, RecordLesson
from services.triage.offices.packs import POLICIES
from services.triage.rights import READ_MATTER
from services.triage.views import LESSONS, METADATA

State = Literal["open", "answered", "declined"]
_LESSON: dict[str, Any] = {
    "lesson": 4,
    "incident": "incident-01890a5d-ac96-774b-bcce-b302099a8057",
    "unit": "town-east",
    "pack": "county-default",
    "version": "2",
    "text": "夜间无人值守，路灯故障两日后才派修",
    "change": "重大事项的接办时限由4小时改为2小时",
    "at": "2026-03-02T02:00:00.000000Z",
    "by": "chief@town-east",
    "state": "answered",
    "answered_by": "county-default@3",
    "reason": None,
    "settled_at": "2026-04-01T01:00:00.000000Z",
}


class LessonOf(Answered):
    """What a matter or an exercise taught, and what became of it."""

    lesson: int
    """Its number."""
    incident: IncidentId
    """The matter or the exercise."""
    unit: UnitCode
    """The unit that was accountable for it."""
    pack: Code
    """The pack by which it was handled."""
    version: Code
    """The version of that pack."""
    text: str | None
    """What was learned."""
    change: str | None
    """The change of the pack that was proposed."""
    at: Instant
    """When it was recorded."""
    by: str
    """The post that recorded it."""
    state: State
    """Whether a version of the pack answers it, or it was declined."""
    answered_by: Code | None
    """The version that answers it."""
    reason: str | None
    """Why it was declined."""
    settled_at: Instant | None
    """When it was answered or declined."""


class LessonDone(Done, json_schema_extra=example(**DONE, lesson=4)):
    """The result of recording a lesson."""

    lesson: int
    """Its number."""


class LessonPage(Page, json_schema_extra=example(items=[_LESSON], next=None)):
    """Lessons, newest first."""

    items: tuple[LessonOf, ...]
    """The entries of this page."""


@functools.cache
def router() -> APIRouter:
    """The paths of lessons."""
    routes = http.router("/triage/v1", "triage")

    @routes.get("/lessons", **documents.answers(LessonPage))
    async def list_lessons(
        runtime: http.Serving,
        staff: http.Staff,
        pack: Annotated[Code | None, Query(description="Only lessons about this pack.")] = None,
        state: Annotated[State | None, Query(description="Only lessons in this state.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """The lessons of all units, newest first. Whoever works by a pack may read what was learned with it."""
        wanted = [LESSONS.c.pack == pack] if pack else []
        wanted += [_IN[state]] if state else []
        wanted += [LESSONS.c.lesson < paging.place_of(cursor, int)[0]] if cursor else []
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            READ_MATTER.require(staff.unit or "", ctx)
            must_be_known("pack", pack, {known.model.id for known in ctx.offices.packs.values()})
            found = await shown(connection, *wanted, limit=limit + 1)
        items, further = paging.page(found, limit, lambda row: (row["lesson"],))
        return http.json_response({"items": items, "next": further})

    @routes.post("/lessons", **documents.answers(LessonDone, 201))
    async def record_lesson(runtime: http.Serving, caller: http.Command, body: RecordLesson) -> Response:
        """Records what a matter or an exercise taught, as a numbered proposal to change its pack.

        Its handling has ended. A version of the pack that is loaded later names the lessons that it answers.
        """
        command = await records.by_ids(runtime, body)

        async def act(session: Session, ctx: Ctx) -> Answer:
            await session.load([POLICIES, command.incident])
            matter = session.streams[command.incident]
            if matter.version == 0:
                raise NotFound(f"there is no {command.incident}", what=command.incident)
            knowing = with_seen(ctx, {"matter": matter.state})
            events = commands.decide(session, POLICIES, command, knowing, caller)
            done = commands.answer(session, POLICIES, events, 201)
            return replace(done, body={**done.body, "lesson": events[0].data.lesson})

        return http.reply(await commands.transact(runtime, caller, act))

    @routes.post("/lessons/{lesson}/decline", **documents.answers(Done))
    async def decline_lesson(
        runtime: http.Serving,
        lesson: Annotated[paging.Number, Path(description="The lesson's number.")],
        caller: http.Command,
        body: DeclineLesson,
    ) -> Response:
        """Decides that a lesson changes no pack, and says why."""
        command: Command = DeclineNumbered(lesson=lesson, reason=body.reason)

        async def act(session: Session, ctx: Ctx) -> Answer:
            await session.load([POLICIES])
            return commands.answer(session, POLICIES, commands.decide(session, POLICIES, command, ctx, caller))

        return http.reply(await commands.transact(runtime, caller, act))

    return routes


_IN: dict[State, ColumnElement[bool]] = {
    "open": LESSONS.c.settled_at.is_(None),
    "answered": LESSONS.c.answered_by.is_not(None),
    "declined": LESSONS.c.declined.is_not(None),
}


async def shown(connection: AsyncConnection, *wanted: ColumnElement[bool], limit: int) -> list[dict[str, Any]]:
    """Lessons with their words, newest first."""
    chosen = select(LESSONS).where(*wanted).order_by(LESSONS.c.lesson.desc()).limit(limit)
    rows = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    words = await resolve(connection, METADATA, [row[name] for row in rows for name in ("text", "change", "declined")])
    return [
        {
            "lesson": row["lesson"],
            "incident": row["incident_id"],
            **{name: row[name] for name in ("unit", "pack", "version")},
            "text": words(row["text"]),
            "change": words(row["change"]),
            "at": row["at"],
            "by": row["actor"],
            "state": "answered" if row["answered_by"] else "declined" if row["declined"] else "open",
            "answered_by": row["answered_by"],
            "reason": words(row["declined"]),
            "settled_at": row["settled_at"],
        }
        for row in rows
    ]
