"""Matters over HTTP: their list as they were at any time, and the same list as a file."""

import functools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import Code, Number, Typed, UnitCode
from schemas.operation import OperationSearched
from schemas.titles import Language
from services.audit.basis import OnAxes, Paged, must_stand_in_events, stated, text_of, types_of
from services.audit.matters import listing, table
from services.audit.matters.answers import Matters
from services.audit.matters.listing import ClockState, State, Wanted
from services.audit.naming import names_of, offices_at
from services.audit.queries import Axes
from services.audit.rights import READ_MATTER
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed
from services.kernel.core.standings import Units
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, http, sheets
from services.kernel.serving.commands import Answer, Caller
from services.kernel.serving.paging import At, Narrow, must_be_a_time
from services.kernel.serving.problems import language_of, spoken
from services.kernel.serving.streams import Streamed
from services.kernel.store import word_index
from services.kernel.store.session import Session

KINDS = {"csv": sheets.KIND, "ndjson": "application/x-ndjson"}
BATCH = 500


async def _asked(
    number: Annotated[Number | None, Query(description="The matter's number.")] = None,
    unit: Annotated[
        UnitCode | None, Query(description="Only matters for which this unit, or one below it, was accountable.")
    ] = None,
    post: Annotated[Narrow, Query(description="Only matters with an act of this post, `code@unit`.")] = None,
    type: Annotated[
        Narrow, Query(description="Only matters with an event of this type, the full or short one.")
    ] = None,
    level: Annotated[Code | None, Query(description="Only matters of this level.")] = None,
    category: Annotated[Code | None, Query(description="Only matters of this category.")] = None,
    state: Annotated[State | None, Query(description="Only matters in this state.")] = None,
    clock: Annotated[Code | None, Query(description="Only matters with a limit of this name.")] = None,
    clock_state: Annotated[
        ClockState | None, Query(description="Only matters with a limit, or the named one, in this state.")
    ] = None,
    from_: Annotated[At | None, Query(alias="from", description="Only matters opened then or later.")] = None,
    to: Annotated[At | None, Query(description="Only matters opened by then.")] = None,
    drill: Annotated[bool | None, Query(description="Only exercises, or only real matters; by default both.")] = None,
    words: Annotated[
        str | None, Query(min_length=2, max_length=200, description="Words in what was reported or done, all of them.")
    ] = None,
    purpose: Annotated[
        str | None, Query(min_length=1, max_length=1000, description="What for, if words are searched.")
    ] = None,
) -> tuple[Wanted, str | None, str | None, str | None]:
    """The filters, and what must be checked against the record: type, unit and purpose."""
    must_be_a_time("to", from_, to)
    if words and not (purpose or "").strip():
        raise Malformed(
            "purpose: say what the search is for, since it reads words", code="purpose-needed", field="purpose"
        )
    for word in (words or "").split():
        if not word_index.pairs_of(word):
            raise Malformed(
                f"words: {word[:20]!r} is too short; write at least two characters of each word",
                code="word-too-short",
                field="words",
                given=word[:20],
            )
    wanted = Wanted(
        number=number,
        post=post,
        level=level,
        category=category,
        state=state,
        clock=clock,
        clock_state=clock_state,
        from_=text_of(from_),
        to=text_of(to),
        words=words,
        drill=drill,
    )
    return wanted, type, unit, purpose


Asked = Annotated[tuple[Wanted, str | None, str | None, str | None], Depends(_asked)]
Lang = Annotated[Language | None, Query(description="The language of words. By default that of `Accept-Language`.")]
Format = Annotated[Literal["csv", "ndjson"], Query(alias="format", description="A table, or a line of JSON a matter.")]


@functools.cache
def router() -> APIRouter:
    """The paths of matters."""
    routes = http.router("/audit/v1", "audit")

    @routes.get("/incidents", **documents.answers(Matters))
    async def list_matters(
        runtime: http.Serving,
        staff: http.Staff,
        at: Paged,
        asked: Asked,
    ) -> Response:
        """Matters as they were, the newest first, for units that had a part in them then. Exercises are marked.

        `as_of` says what had happened by then, `known_at` what had been recorded by then, and who had a part. A cursor
        keeps its `log_size`; send the rest with it again. A search for words is an event, with its purpose; texts that
        come or are erased change what it finds. Those of an office for exercises that has ended stand here no more.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            axes = await at.axes(connection)
            wanted = await checked(connection, ctx, asked, axes)
            units = READ_MATTER.listed(ctx)
            items, next_, complete = await listing.page(connection, wanted, axes, units, at.place, at.limit)
            basis = await stated(connection, axes)
        await _record(runtime, Caller(actor=staff), asked, len(items))
        return http.json_response({**basis, "complete": complete, "items": items, "next": at.next(next_, axes)})

    shown = {
        KINDS["csv"]: documents.text("number,incident_id,…"),
        KINDS["ndjson"]: documents.text('{"number": "town-east-2026-00042", …}'),
    }

    @routes.get("/incidents/export", **documents.answers_content("The list, whole.", shown))
    async def export_matters(
        runtime: http.Serving,
        request: Request,
        staff: http.Staff,
        at: OnAxes,
        asked: Asked,
        format_: Format = "csv",
        lang: Lang = None,
    ) -> Response:
        """The whole list as a file, with the same filters. Each line carries the basis on which it rests.

        The table has the words of codes in `lang`, or the best language of `Accept-Language`, and the time of the
        reader's unit with its zone beside UTC. Lines of JSON have codes and UTC alone.
        """
        language = language_of(request)
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            axes = await at.axes(connection)
            wanted = await checked(connection, ctx, asked, axes)
            basis = await stated(connection, axes)
            names = await names_of(runtime, connection, axes.size, language)
        units = READ_MATTER.listed(ctx)
        zone = ctx.offices.zone_of(ctx.actor.unit or "")
        # What is given out is counted beforehand, as the record of a search comes before what it shows.
        found = sum([len(items) async for items in _pages(runtime, wanted, axes, units)]) if wanted.words else 0
        await _record(runtime, Caller(actor=staff), asked, found)
        pages = _pages(runtime, wanted, axes, units)
        if format_ == "csv":
            lines = _lines(pages, table.head(basis), lambda item: table.row(item, basis, names, zone))
        else:
            lines = _lines(pages, b"", lambda item: orjson.dumps({**item, **basis}) + b"\n")
        headers = {"Content-Disposition": f'attachment; filename="matters.{format_}"', **spoken(language)}
        return Streamed(lines, media_type=KINDS[format_], headers=headers)

    return routes


async def checked(
    connection: AsyncConnection, ctx: Ctx, asked: tuple[Wanted, str | None, str | None, str | None], axes: Axes
) -> Wanted:
    """The filters with all units that were below the named one on these axes, and all versions of the named type.

    Raises `Malformed` for a code that no list or pack has, and that does not stand in the record.
    """
    wanted, type_, unit, _ = asked
    await must_stand_in_events(connection, ctx.offices, type=type_, unit=unit, post=wanted.post)
    await listing.must_stand(connection, ctx.offices, wanted.level, wanted.category, wanted.clock)
    units = None if unit is None else (await offices_at(connection, axes, ctx.offices)).below(unit) | {unit}
    return replace(wanted, units=units, types=types_of(type_))


async def _record(
    runtime: Runtime, caller: Caller, asked: tuple[Wanted, str | None, str | None, str | None], found: int
) -> None:
    """Records a search for words, before anything is shown."""
    wanted, _, _, purpose = asked
    if not wanted.words:
        return
    fact = OperationSearched(purpose=Typed(text=purpose or ""), words=Typed(text=wanted.words), found=found)

    async def act(session: Session, ctx: Ctx) -> Answer:
        await operations.record(session, ctx, fact)
        return Answer({})

    await commands.transact(runtime, caller, act)


async def _pages(runtime: Runtime, wanted: Wanted, axes: Axes, units: Units) -> AsyncIterator[list[dict[str, Any]]]:
    """The list in parts. Each part is read by itself, so the memory is that of one, however long the list is."""
    before: int | None = None
    while True:
        async with runtime.database.read() as connection:
            items, before, _ = await listing.page(connection, wanted, axes, units, before, BATCH)
        yield items
        if before is None:
            return


async def _lines(
    pages: AsyncIterator[list[dict[str, Any]]], head: bytes, line: Callable[[dict[str, Any]], bytes]
) -> AsyncIterator[bytes]:
    """The file, a part of the list at a time."""
    yield head
    async for items in pages:
        yield b"".join([line(item) for item in items])
