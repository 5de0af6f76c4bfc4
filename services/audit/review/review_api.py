"""Reviews over HTTP: the draft, its text, adoption, evaluation and lessons, and the report as HTML, DOCX and PDF."""

import asyncio
import functools
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import UnitCode
from schemas.titles import Language
from services.audit import queries
from services.audit.basis import Basis, OnAxes, Paged, instant_of, stated
from services.audit.histories import histories as histories_of
from services.audit.naming import offices_at
from services.audit.queries import Axes
from services.audit.reach import must_reach
from services.audit.review import answers, printing, reading, seen
from services.audit.review.commands import (
    AdoptReview,
    AssignLesson,
    ConveneEvaluation,
    DropLesson,
    EditReview,
    FinishLesson,
    FollowUpLesson,
    RecordEvaluation,
)
from services.audit.review.decider import DECIDER, reviewed
from services.audit.review.rights import READ_REVIEW, RIGHTS, LessonState
from services.audit.review.streams import review_of
from services.kernel.access.rights import may
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands, documents, http
from services.kernel.serving.answers import Done
from services.kernel.serving.paging import Number, must_be_known
from services.kernel.serving.problems import language_of, spoken
from services.kernel.store import numbers, words
from services.kernel.store.session import Session

Id = Annotated[str, Depends(http.stream_id("incident"))]
Lang = Annotated[
    Language | None, Query(description="The language of the review. By default the best one of `Accept-Language`.")
]
Edition = Annotated[Number | None, Query(description="This text. By default the newest one.")]
_one_at_a_time = asyncio.Semaphore(1)
"""Setting a report on paper takes a second and some memory."""


@functools.cache
def router() -> APIRouter:
    """The paths of reviews."""
    routes = http.router("/audit/v1", "audit")

    @routes.get("/incidents/{id}/review", **documents.answers(answers.ReviewShown))
    async def read_review(
        runtime: http.Serving,
        request: Request,
        id: Id,
        staff: http.Staff,
        at: OnAxes,
        edition: Edition = None,
        lang: Lang = None,
    ) -> Response:
        """The review of a matter: its text, what the record shows, evaluations, lessons, and what was sent.

        The draft is there when the matter is over or steady. `may` and `version` are of now, whatever the axes are.
        """
        language = language_of(request)
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            await must_reach(connection, ctx, id, READ_REVIEW)
            axes = await at.axes(connection)
            shown = reading.shown(await reading.review(runtime, connection, id, axes, language, edition), language)
            basis = await stated(connection, axes)
            session = Session(runtime.service, runtime.settings, connection, ctx.now)
            await session.load([shown["id"]])
            now = session.streams[shown["id"]]
            settled = (await seen.proposals(connection, Axes(axes.size), [id])).settled
        shown["lessons"] = [_timed(one, instant_of(basis)) for one in shown["lessons"]]
        verbs = may(list(RIGHTS.values()), reviewed(now.state, settled=settled), ctx)
        body = {**basis, **shown, "version": now.revision, "revision": now.revision, "may": verbs}
        return http.json_response(body, version=now.revision, headers=spoken(language))

    @routes.get("/lessons", **documents.answers(answers.Lessons))
    async def list_lessons_of_reviews(
        runtime: http.Serving,
        request: Request,
        staff: http.Staff,
        at: Paged,
        unit: Annotated[UnitCode | None, Query(description="Only those of this unit, or one below it.")] = None,
        state: Annotated[LessonState | None, Query(description="Only those in this state.")] = None,
        overdue: Annotated[bool, Query(description="Only open ones whose date has passed.")] = False,
        drill: Annotated[bool, Query(description="Those of exercises, instead of all others.")] = False,
    ) -> Response:
        """The lessons of the caller's units from all reviews, in the order in which they were assigned.

        `state` and `overdue` are those on these axes. A cursor keeps its `log_size`; send the other parameters again.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            axes = await at.axes(connection)
            basis = await stated(connection, axes)
            until = instant_of(basis)
            units = READ_REVIEW.within(unit, ctx, await offices_at(connection, axes, ctx.offices))
            items, after = list[tuple[dict[str, Any], int]](), at.place
            while len(items) <= at.limit:
                rows = await reading.lessons(connection, units, drill, axes, after, at.limit + 1)
                items += [
                    one
                    for one in await _items(runtime, connection, rows, axes, until)
                    if state in (None, one[0]["state"]) and (one[0]["overdue"] or not overdue)
                ]
                if len(rows) <= at.limit:
                    break
                after = rows[-1].position
            last = items[at.limit - 1][1] if len(items) > at.limit else None
        shown = [one for one, _ in items[: at.limit]]
        return http.json_response({**basis, "items": shown, "next": at.next(last, axes)})

    async def printed(
        runtime: Runtime,
        request: Request,
        staff: Any,
        id: str,
        form: str,
        edition: int | None,
        at: Basis,
    ) -> Response:
        language = language_of(request)
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            await must_reach(connection, ctx, id, READ_REVIEW)
            axes = await at.axes(connection)
            review = await reading.review(runtime, connection, id, axes, language, edition)
            basis = await stated(connection, axes)
        report = reading.document(review, language, basis)
        media, make = printing.FORMS[form]
        async with _one_at_a_time:
            content = await asyncio.to_thread(make, report)
        name = printing.name_of(review.number or id, language, form)
        shown = "inline" if form == "html" else "attachment"
        headers = {"Content-Disposition": f'{shown}; filename="{name}"', "Cache-Control": "no-store"}
        return Response(content, media_type=media, headers={**headers, **spoken(language)})

    def add_print(form: str, told: str, sample: str) -> None:
        media = printing.FORMS[form][0].partition(";")[0]

        async def print_review(
            runtime: http.Serving,
            request: Request,
            id: Id,
            staff: http.Staff,
            at: OnAxes,
            edition: Edition = None,
            lang: Lang = None,
        ) -> Response:
            return await printed(runtime, request, staff, id, form, edition, at)

        print_review.__doc__ = told
        print_review.__name__ = f"print_review_{form}"
        routes.get(
            f"/incidents/{{id}}/review.{form}",
            **documents.answers_content("The report.", {media: documents.text(sample)}),
        )(print_review)

    add_print("html", "The review as a page that loads nothing, as it prints.", "<!doctype html>…")
    add_print("docx", "The review as a document for a word processor.", "PK…")
    add_print("pdf", "The review on paper, with the glyphs in it.", "%PDF…")

    async def on(runtime: Runtime, caller: commands.Caller, id: str, body: Command) -> Response:
        stream = review_of(id)
        draft = None
        if isinstance(body, AdoptReview):
            async with runtime.database.read() as connection:
                size, _ = await queries.head(connection)
                draft = await reading.draft(runtime, connection, id, size)

        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            await session.load([stream])
            if session.streams[stream].version == 0:
                raise NotFound(
                    f"{id} has no review yet; it is drafted when the matter is over or steady",
                    code="review-not-drafted",
                    what=id,
                )
            size, _ = await queries.head(session.connection)
            ctx = commands.with_seen(ctx, await seen.for_review(session.connection, id, size, draft))
            return commands.answer(session, stream, commands.decide(session, stream, body, ctx, caller, staff=True))

        return http.reply(await commands.transact(runtime, caller, act))

    @routes.post("/incidents/{id}/review/edit-review", **documents.answers(Done))
    async def edit_review(runtime: http.Serving, id: Id, body: EditReview, caller: http.Command) -> Response:
        """Write the text of the review anew, as a whole. Its tables and charts show the record as it is now."""
        return await on(runtime, caller, id, body)

    @routes.post("/incidents/{id}/review/adopt-review", **documents.answers(Done))
    async def adopt_review(runtime: http.Serving, id: Id, body: AdoptReview, caller: http.Command) -> Response:
        """Adopt the newest text, as principal leader or a member of the leading group. A draft becomes a text then."""
        return await on(runtime, caller, id, body)

    @routes.post("/incidents/{id}/review/convene-evaluation", **documents.answers(Done))
    async def convene_evaluation(
        runtime: http.Serving, id: Id, body: ConveneEvaluation, caller: http.Command
    ) -> Response:
        """Call together who evaluates the handling: posts, bodies, departments, experts by function or institution."""
        return await on(runtime, caller, id, body)

    @routes.post("/incidents/{id}/review/record-evaluation", **documents.answers(Done))
    async def record_evaluation(
        runtime: http.Serving, id: Id, body: RecordEvaluation, caller: http.Command
    ) -> Response:
        """Write down the judgement and the conclusion of an evaluation."""
        return await on(runtime, caller, id, body)

    @routes.post("/incidents/{id}/review/assign-lesson", **documents.answers(Done))
    async def assign_lesson(runtime: http.Serving, id: Id, body: AssignLesson, caller: http.Command) -> Response:
        """Turn a lesson into a change of the pack, of a policy or of a service, with an owner and a date."""
        return await on(runtime, caller, id, body)

    @routes.post("/incidents/{id}/review/follow-up-lesson", **documents.answers(Done))
    async def follow_up_lesson(runtime: http.Serving, id: Id, body: FollowUpLesson, caller: http.Command) -> Response:
        """Write down how far a change is."""
        return await on(runtime, caller, id, body)

    @routes.post("/incidents/{id}/review/finish-lesson", **documents.answers(Done))
    async def finish_lesson(runtime: http.Serving, id: Id, body: FinishLesson, caller: http.Command) -> Response:
        """The change was made. One of the pack is settled by the version that answers its numbered proposal."""
        return await on(runtime, caller, id, body)

    @routes.post("/incidents/{id}/review/drop-lesson", **documents.answers(Done))
    async def drop_lesson(runtime: http.Serving, id: Id, body: DropLesson, caller: http.Command) -> Response:
        """The change is not made, for a reason."""
        return await on(runtime, caller, id, body)

    return routes


def _timed(lesson: dict[str, Any], until: str) -> dict[str, Any]:
    return {**lesson, "overdue": lesson["state"] == "open" and lesson["due"] < until}


async def _items(
    runtime: Runtime, connection: AsyncConnection, rows: list[Any], axes: Axes, until: str
) -> list[tuple[dict[str, Any], int]]:
    histories = await histories_of(connection, sorted({row.review_id for row in rows}), axes)
    metadata = runtime.service.metadata
    known = await numbers.of_streams(connection, metadata, {row.incident_id for row in rows})
    read = await words.resolve(
        connection, metadata, [ref for events in histories.values() for one in events for ref in one.words.values()]
    )
    proposals = await seen.proposals(connection, axes, {row.incident_id for row in rows})
    items = list[tuple[dict[str, Any], int]]()
    for row in rows:
        events, state = histories[row.review_id], DECIDER.initial_state()
        for event in events:
            state = DECIDER.evolve(state, event)
        item = reading.lesson(events, row.lesson, state, proposals, read)
        item |= {"incident_id": row.incident_id, "number": known.get(row.incident_id)}
        items.append((_timed(item, until), row.position))
    return items
