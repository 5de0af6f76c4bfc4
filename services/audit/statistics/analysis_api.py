"""The analysis of a period or a subject over HTTP, and the comment that a named post writes on it."""

import functools
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.fields import Typed
from schemas.operation import OperationAnalysisCommented
from services.audit.basis import Basis, OnAxes, stated
from services.audit.matters.listing import must_stand
from services.audit.naming import offices_at
from services.audit.queries import Axes, head
from services.audit.rights import COMMENT_ANALYSIS
from services.audit.statistics import analysis, periods, tables
from services.audit.statistics.analysis import TITLES, Chapter
from services.audit.statistics.analysis_answers import Analysis, Comment
from services.audit.statistics.asking import (
    From,
    OfCategory,
    OfUnit,
    To,
    months_of,
    period,
    unit_of,
)
from services.audit.statistics.commands import WriteComment
from services.audit.statistics.figures import Text, described
from services.audit.statistics.newest import newest
from services.kernel.core.decider import Ctx
from services.kernel.core.suppression import SMALL
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import documents, http
from services.kernel.serving.commands import Answer, transact
from services.kernel.store import words
from services.kernel.store.session import Session

TYPES = upcast.types_of(OperationAnalysisCommented)


@functools.cache
def router() -> APIRouter:
    """The paths of analyses."""
    routes = http.router("/audit/v1", "audit")

    @routes.get("/statistics/analysis", **documents.answers(Analysis))
    async def read_analysis(
        runtime: http.Serving,
        staff: http.Staff,
        basis: OnAxes,
        unit: OfUnit = None,
        from_: From = None,
        to: To = None,
        category: OfCategory = None,
    ) -> Response:
        """The analysis of a period, or of a subject in it, by chapters: what was reported and what the offices did.

        Terms are titles of the deployment's categories. There is nothing on the people who spoke, or their mood.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            code = unit_of(ctx, unit)
            await must_stand(connection, ctx.offices, category=category)
            axes = await basis.axes(connection)
            offices = await offices_at(connection, axes, ctx.offices)
            zone = offices.zone_of(code)
            months = months_of(ctx.now, zone, basis, from_, to)
            wanted = tables.wanted(offices, code, months, category=category)
            counts = await analysis.counted(connection, wanted, periods.before(months, zone), zone, axes)
            asked = {"unit": code, "first_month": months[0].name, "last_month": months[-1].name, "category": category}
            comments = await _comments(runtime, connection, asked, axes)
            told = await stated(connection, axes)
        made = [_chapter(one) for one in analysis.chapters(counts, wanted, zone, offices)]
        title, said = TITLES["comment"]
        made.append({**_named("comment", title, said), "comments": comments})
        body = {**period(months, zone, code), "category": category, "smallest": SMALL, "chapters": made}
        return http.json_response({**told, **body})

    @routes.post("/statistics/analysis/comments", **documents.answers(Comment, 201))
    async def comment_analysis(runtime: http.Serving, body: WriteComment, caller: http.Command) -> Response:
        """Write the comment of an analysis, under the post's name. It is an event; a later one stands beside it."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, caller.actor)
            code = unit_of(ctx, body.unit)
            COMMENT_ANALYSIS.require(code, ctx)
            months_of(ctx.now, ctx.offices.zone_of(code), Basis(), body.first_month, body.last_month)
            await must_stand(connection, ctx.offices, category=body.category)
            size, _ = await head(connection)
        fact = OperationAnalysisCommented(
            unit=body.unit,
            first_month=body.first_month,
            last_month=body.last_month,
            category=body.category,
            log_size=size,
            text=Typed(text=body.text),
        )

        async def act(session: Session, ctx: Ctx) -> Answer:
            event = await operations.record(session, ctx, fact)
            return Answer({"event": event.bytes.decode()})

        answer = await transact(runtime, caller, act)
        event = Event.parse(answer.body["event"].encode())
        async with runtime.database.read() as connection:
            (told,) = await _told(runtime, connection, [event])
        return http.json_response(told, status=201)

    return routes


def _chapter(chapter: Chapter) -> dict[str, Any]:
    more = dict(chapter.more)
    if "before" in more:
        more["before"] = tables.cells(more["before"])
    return {
        **_named(chapter.name, chapter.title, chapter.said),
        "figures": [described(figure) for figure in chapter.figures],
        "rows": tables.rows(chapter.table),
        "whole": tables.cells(chapter.table.whole),
        **more,
    }


def _named(name: str, title: Text, said: Text) -> dict[str, Any]:
    told = {"name": name, "title": title.zh, "title_en": title.en, "said": said.zh, "said_en": said.en}
    return {**told, "figures": [], "rows": [], "whole": {}, "peak": [], "before": {}, "comments": []}


async def _comments(
    runtime: Runtime, connection: AsyncConnection, asked: Mapping[str, Any], axes: Axes
) -> list[dict[str, Any]]:
    """The comments on this very period, unit and category, the newest first."""

    def is_on_it(event: Event) -> bool:
        return all(getattr(event.data, name) == value for name, value in asked.items())

    return await _told(runtime, connection, await newest(connection, TYPES, axes, is_on_it))


async def _told(runtime: Runtime, connection: AsyncConnection, events: list[Event]) -> list[dict[str, Any]]:
    refs = [ref for event in events for ref in event.words.values()]
    read = await words.resolve(connection, runtime.service.metadata, refs)
    return [
        {
            "event": event.id,
            "at": event.time_text,
            "by": event.actor,
            "log_size": event.data.log_size,
            "text": read(event.words.get("text")),
        }
        for event in events
    ]
