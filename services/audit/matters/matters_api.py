"""Matters over HTTP: their list as they were at any time, and the same list as a file."""

import csv
import functools
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import Code, Number, Typed, UnitCode
from schemas.operation import OperationSearched
from services.audit.basis import (
    AsOf,
    KnownAt,
    Size,
    must_agree,
    must_stand_in_events,
    size_of,
    stated,
    text_of,
    types_of,
)
from services.audit.matters import listing
from services.audit.matters.answers import Matters
from services.audit.matters.listing import Wanted
from services.audit.queries import Axes
from services.audit.rights import READ_MATTER
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed
from services.kernel.core.standings import Units
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, http, paging, sheets
from services.kernel.serving.commands import Answer, Caller
from services.kernel.serving.paging import At, Cursor, Limit, Narrow, must_be_a_time, must_be_known
from services.kernel.store import word_index
from services.kernel.store.session import Session

State = Literal["open", "assigned", "accepted", "resolved", "closed", "dismissed", "merged"]
ClockState = Literal["running", "met", "cancelled", "breached"]
COLUMNS = (
    "number",
    "incident_id",
    "unit",
    "assigned",
    "state",
    "level",
    "category",
    "answer_kind",
    "opened_at",
    "recorded_at",
    "position",
)
"""The columns of a table. After them come the limits, and the basis, which is the same in each line."""
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
    )
    return wanted, type, unit, purpose


Asked = Annotated[tuple[Wanted, str | None, str | None, str | None], Depends(_asked)]
Format = Annotated[Literal["csv", "ndjson"], Query(alias="format", description="A table, or a line of JSON a matter.")]


@functools.cache
def router() -> APIRouter:
    """The paths of matters."""
    routes = http.router("/audit/v1", "audit")

    @routes.get("/incidents", **documents.answers(Matters))
    async def list_matters(
        runtime: http.Serving,
        staff: http.Staff,
        asked: Asked,
        as_of: AsOf = None,
        known_at: KnownAt = None,
        limit: Limit = 50,
        cursor: Cursor = None,
        log_size: Size = None,
    ) -> Response:
        """Matters as they were, the newest first, for units that had a part in them then.

        `as_of` says what had happened by then, `known_at` what had been recorded by then, and who had a part. A cursor
        keeps its `log_size`; send the rest with it again. A search for words is an event, with its purpose; texts that
        come or are erased change what it finds.
        """
        before, kept = paging.place_of(cursor, int, int) if cursor is not None else (None, None)
        must_agree(log_size, kept)
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            size = await size_of(connection, log_size if kept is None else kept)
            axes = Axes(size, text_of(as_of), text_of(known_at))
            wanted = await _checked(connection, ctx, asked)
            units = READ_MATTER.units(ctx)
            items, next_, complete = await listing.page(connection, wanted, axes, units, before, limit)
            basis = await stated(connection, size, axes.as_of, axes.known_at)
        await _record(runtime, Caller(actor=staff), asked, len(items))
        cursor = None if next_ is None else paging.cursor_of(next_, size)
        return http.json_response({**basis, "complete": complete, "items": items, "next": cursor})

    table = {
        KINDS["csv"]: documents.text("number,incident_id,…"),
        KINDS["ndjson"]: documents.text('{"number": "town-east-2026-00042", …}'),
    }

    @routes.get("/incidents/export", **documents.answers_content("The list, whole.", table))
    async def export_matters(
        runtime: http.Serving,
        staff: http.Staff,
        asked: Asked,
        format_: Format = "csv",
        as_of: AsOf = None,
        known_at: KnownAt = None,
        log_size: Size = None,
    ) -> Response:
        """The whole list as a file, with the same filters. Each line carries the basis on which it rests."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            axes = Axes(await size_of(connection, log_size), text_of(as_of), text_of(known_at))
            wanted = await _checked(connection, ctx, asked)
            basis = await stated(connection, axes.size, axes.as_of, axes.known_at)
        await _record(runtime, Caller(actor=staff), asked, None)
        lines = _lines(runtime, wanted, axes, READ_MATTER.units(ctx), _WRITERS[format_], basis)
        headers = {"Content-Disposition": f'attachment; filename="matters.{format_}"'}
        return StreamingResponse(lines, media_type=KINDS[format_], headers=headers)

    return routes


async def _checked(
    connection: AsyncConnection, ctx: Ctx, asked: tuple[Wanted, str | None, str | None, str | None]
) -> Wanted:
    """The filters with all units below the named one, and all versions of the named type.

    Raises `Malformed` for a code that neither exists nor stands in the record.
    """
    wanted, type_, unit, _ = asked
    await must_stand_in_events(connection, ctx.offices, type=type_, unit=unit, post=wanted.post)
    listed = ctx.offices.lists.categories
    for kind, value, known in (("level", wanted.level, ()), ("category", wanted.category, listed)):
        if value is not None and value not in known and not await listing.stands_in_marks(connection, kind, value):
            must_be_known(kind, value, known or await listing.values_of(connection, kind))
    if wanted.clock is not None and not await listing.has_clock(connection, wanted.clock):
        must_be_known("clock", wanted.clock, await listing.clocks(connection))
    units = frozenset(ctx.offices.below(unit)) if unit is not None else None
    return replace(wanted, units=units, types=types_of(type_))


async def _record(
    runtime: Runtime, caller: Caller, asked: tuple[Wanted, str | None, str | None, str | None], found: int | None
) -> None:
    """Records a search for words, before anything is shown."""
    wanted, _, _, purpose = asked
    if not wanted.words:
        return
    fact = OperationSearched(purpose=Typed(text=purpose or ""), words=Typed(text=wanted.words), found=found or 0)

    async def act(session: Session, ctx: Ctx) -> Answer:
        await operations.record(session, ctx, fact)
        return Answer({})

    await commands.transact(runtime, caller, act)


async def _lines(
    runtime: Runtime, wanted: Wanted, axes: Axes, units: Units, writer: "Writer", basis: dict[str, Any]
) -> AsyncIterator[bytes]:
    """The list in parts. Each part is read by itself, so the memory is that of one, however long the list is."""
    before: int | None = None
    yield writer.head(basis)
    while True:
        async with runtime.database.read() as connection:
            items, before, _ = await listing.page(connection, wanted, axes, units, before, BATCH)
        yield b"".join(writer.line(item, basis) for item in items)
        if before is None:
            return


class Writer:
    """A form of the file."""

    def head(self, basis: dict[str, Any]) -> bytes:
        """What comes first."""
        return b""

    def line(self, item: dict[str, Any], basis: dict[str, Any]) -> bytes:
        """A matter, with its line end."""
        return orjson.dumps({**item, **basis}) + b"\n"


class Table(Writer):
    """CSV for office programs."""

    def head(self, basis: dict[str, Any]) -> bytes:
        """The names of the columns."""
        return sheets.BOM.encode() + _row([*COLUMNS, "clocks", *basis])

    def line(self, item: dict[str, Any], basis: dict[str, Any]) -> bytes:
        """A matter as a row."""
        clocks = "; ".join(
            f"{name}: {'breached, ' if clock['breached'] else ''}{clock['state']}"
            for name, clock in item["clocks"].items()
        )
        return _row([*(item[name] for name in COLUMNS), clocks, *basis.values()])


_WRITERS: dict[str, Writer] = {"csv": Table(), "ndjson": Writer()}


def _row(cells: list[Any]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerow(["" if cell is None else sheets.plain(str(cell)) for cell in cells])
    return written.getvalue().encode()
