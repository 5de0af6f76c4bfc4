"""The HTTP paths of trainings."""

import functools
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy import select

from schemas import catalogue
from schemas import drills as d
from schemas.envelope import Event
from schemas.fields import UnitCode
from services.audit.basis import OnAxes, Paged, stated
from services.audit.histories import Filters, folded, histories, page
from services.audit.naming import offices_at
from services.audit.trainings import answers
from services.audit.trainings.commands import RecordTraining, WithdrawTraining
from services.audit.trainings.decider import DECIDER, Held
from services.audit.trainings.rights import READ_TRAINING
from services.audit.trainings.views import STAGES
from services.audit.views import TRAININGS
from services.kernel.core.decider import Ctx
from services.kernel.serving import commands, documents, http
from services.kernel.serving.answers import Done
from services.kernel.serving.paging import must_be_known
from services.kernel.store import sql, words
from services.kernel.store.session import Session

Id = Annotated[str, Depends(http.stream_id("training"))]
PAGE = 500


@functools.cache
def router() -> APIRouter:
    """The paths of trainings."""
    api = http.router("/audit/v1", "audit")

    @api.get("/trainings", **documents.answers(answers.Trainings))
    async def list_trainings(
        runtime: http.Serving,
        staff: http.Staff,
        at: Paged,
        unit: Annotated[UnitCode | None, Query(description="Only of this unit, or one below it.")] = None,
        year: Annotated[int | None, Query(ge=1970, le=2999, description="Only of this year.")] = None,
    ) -> Response:
        """Trainings of units of the caller, the last recorded first."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            axes = await at.axes(connection)
            then = await offices_at(connection, axes, ctx.offices)
            units = READ_TRAINING.within(unit, ctx, then)
            wanted = [] if units is None else [TRAININGS.c.unit.in_(sorted(units))]
            if year is not None:
                wanted.append(TRAININGS.c.day.between(f"{year}-01-01", f"{year}-12-31"))
            ids, last = await page(
                connection, TRAININGS, STAGES, Filters(wanted), axes, at.place, at.limit, backwards=True
            )
            basis = await stated(connection, axes)
            of = await histories(connection, ids, axes)
            refs = [ref for events in of.values() for event in events for ref in event.words.values()]
            read = await words.resolve(connection, runtime.service.metadata, refs)
        items = [_shown(events, read) for events in of.values()]
        return http.json_response({**basis, "items": items, "next": at.next(last, axes)})

    @api.get("/trainings/posts", **documents.answers(answers.TrainedPosts))
    async def list_trained_posts(
        runtime: http.Serving,
        staff: http.Staff,
        at: OnAxes,
        unit: Annotated[UnitCode, Query(description="The unit whose posts are listed.")],
        year: Annotated[int, Query(ge=1970, le=2999, description="The year that is counted.")],
    ) -> Response:
        """When each post of a unit was last trained, and how often in a year."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            READ_TRAINING.require(unit, ctx)
            axes = await at.axes(connection)
            above = [TRAININGS.c.unit.in_([one for one in ctx.offices.ever if ctx.offices.within(unit, one)])]
            found, place = list[d.TrainingRecorded](), None
            while True:
                ids, place = await page(connection, TRAININGS, STAGES, Filters(above), axes, place, PAGE)
                states = [folded(DECIDER, events) for events in (await histories(connection, ids, axes)).values()]
                found += [state.recorded for state in states if not state.withdrawn]
                if place is None:
                    break
            basis = await stated(connection, axes)
        present = [f"{code}@{unit}" for code, post in ctx.offices.posts.get(unit, {}).items() if not post.members]
        items = _posts(present, found, unit, year)
        return http.json_response({**basis, "unit": unit, "year": year, "items": items})

    @api.post("/trainings", **documents.answers(Done, 201))
    async def record_training(runtime: http.Serving, body: RecordTraining, caller: http.Command) -> Response:
        """Record a course, a lecture or a drill, with the posts that took part. No person is named."""

        async def act(session: Session, ctx: Ctx) -> commands.Answer:
            stream = ctx.ids.new("training")
            session.begin(stream)
            session.authorize(stream, body, ctx)
            if body.drill is not None:
                ctx = commands.with_seen(ctx, await _of_drill(session, body.drill, body.unit))
            return commands.answer(session, stream, session.decide(stream, body, ctx), 201)

        return http.reply(await commands.transact(runtime, caller, act))

    @api.post("/trainings/{id}/withdraw-training", **documents.answers(Done))
    async def withdraw_training(
        runtime: http.Serving, id: Id, body: WithdrawTraining, caller: http.Command
    ) -> Response:
        """Take a wrong entry back. It stays on record and counts no more."""
        return http.reply(await commands.execute(runtime, caller, id, body, staff=True))

    return api


async def _of_drill(session: Session, drill: str, unit: str) -> dict[str, Any]:
    """What the decision reads of a drill. Nobody else records its training in the meantime."""
    await sql.lock(session.connection, sql.Hold("trainings", [drill]))
    of, held = TRAININGS.c, None
    if catalogue.kind_of(drill) == "drill":
        await session.load([drill])
        state = session.streams[drill].state
        held = Held(state.began, state.ended) if state.began else None
    chosen = select(of.training_id).where(of.drill == drill, of.unit == unit, of.stage == "recorded")
    return {"drill": held, "trained": (await session.connection.execute(chosen.limit(1))).first() is not None}


def _shown(events: Sequence[Event], read: Any) -> dict[str, Any]:
    first, state = events[0], folded(DECIDER, events)
    withdrawn = next((event.data for event in events if isinstance(event.data, d.TrainingWithdrawn)), None)
    return {
        "id": first.stream,
        **state.recorded.model_dump(include={"unit", "kind", "on", "minutes", "given_by", "drill"}),
        "title": read(state.recorded.title.ref),
        "posts": list(state.recorded.posts),
        "recorded_at": first.recorded_text,
        "recorded_by": first.actor,
        "withdrawn": state.withdrawn,
        "reason": withdrawn and read(withdrawn.reason.ref),
        "version": len(events),
    }


def _posts(present: Sequence[str], found: Sequence[d.TrainingRecorded], unit: str, year: int) -> list[dict[str, Any]]:
    """Each post of the unit with its trainings."""
    of: dict[str, list[d.TrainingRecorded]] = {post: [] for post in present}
    for one in found:
        for post in one.posts:
            if post.endswith(f"@{unit}"):
                of.setdefault(post, []).append(one)
    items = []
    for post, all_ in sorted(of.items()):
        within = [one for one in all_ if one.on.startswith(f"{year}-")]
        last = max((one.on for one in all_), default=None)
        items.append(
            {"post": post, "times": len(within), "minutes": sum(one.minutes for one in within), "last_on": last}
        )
    return items
