"""Finding matters over HTTP: similar ones, the suggestion of a category and a unit, and search.

Nothing here decides. `POST incidents/{id}/link` does, and `merge` and `split`.
"""

import functools
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import Code, IncidentId, Number, Typed, UnitCode, instant
from schemas.operation import OperationSearched, OperationSimilarAsked, OperationSuggested
from services.kernel.core.commands import Command, example
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed, NotFound
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.masking import mask
from services.kernel.serving import commands, documents, http
from services.kernel.serving.commands import Answer, Caller
from services.kernel.serving.paging import At, Cursor, Limit, must_be_a_time, must_be_known
from services.kernel.store import standings
from services.kernel.store.session import Session
from services.kernel.store.views import Row
from services.triage.alike import linked, search, similar, similar_answers, suggesting
from services.triage.answers import State
from services.triage.rights import ASK_SIMILAR, READ_MATTER
from services.triage.seen import rows_of
from services.triage.views import INCIDENTS, METADATA

MOST = 20
"""At most so many similar matters are offered at once."""
Id = Annotated[IncidentId, Depends(http.stream_id("incident"))]
Few = Annotated[int, Query(ge=1, le=MOST, description="The most matters that are offered.")]


class AskSimilar(
    Command,
    json_schema_extra=example(
        unit="town-east", subject="卫生院门前路灯不亮", text="已经四天不亮了。", place="卫生院门前"
    ),
):
    """Ask for known matters that are like a report which was not sent in yet. Personal data in it is masked first."""

    unit: UnitCode
    """The unit among whose matters, and those of units below it, is looked."""
    subject: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    """The concern in short."""
    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]
    """The text. It is not kept."""
    place: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)] | None = None
    """The place."""
    category: Code | None = None
    """The category."""


@functools.cache
def router() -> APIRouter:
    """The paths of finding."""
    routes = http.router("/triage/v1", "triage")

    @routes.get("/incidents/{id}/similar", **documents.answers(similar_answers.Similar))
    async def list_similar(runtime: http.Serving, id: Id, staff: http.Staff, limit: Few = 5) -> Response:
        """Known matters that are like this one, best first, with the words that they share.

        Compared are open, resolved and recently closed matters of the accountable unit and of those below it, by
        subject, text, place, category and time. Of a unit above it is said only that it has something similar.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            row = await _readable(connection, ctx, id)
            asked = await similar.asked_of(connection, row)
            found = await similar.find(runtime, connection, ctx, asked, limit) if asked else similar.Found([], [])
            decided = await linked.decided(connection, id)
        return http.json_response(_shown(found, decided))

    @routes.post("/similar", **documents.answers(similar_answers.Similar))
    async def ask_similar(runtime: http.Serving, body: AskSimilar, caller: http.Command) -> Response:
        """Known matters that are like what is asked, best first, with the words that they share.

        What is asked is masked, compared and not kept. That somebody asked, and which matters were offered, is an
        event.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, caller.actor)
            ctx.offices.unit(body.unit)
            ASK_SIMILAR.require(body.unit, ctx)
            if body.category is not None:
                ctx.offices.lists.category(body.category)
            listed = ctx.offices.lists.telephones
            subject, text = (mask(words, listed).text for words in (body.subject, body.text))
            place = mask(body.place, listed).text if body.place else None
            drill = ctx.offices.drills(body.unit)
            asked = similar.Asked(body.unit, subject, text, place, body.category, drill=drill)
            found = await similar.find(runtime, connection, ctx, asked, 5)
        fact = OperationSimilarAsked(
            unit=body.unit, offered=tuple(near.row["id"] for near in found.near), above=tuple(found.above)
        )
        await record(runtime, caller, fact)
        return http.json_response(_shown(found, {}))

    @routes.get("/search", **documents.answers(similar_answers.Results))
    async def search_matters(
        runtime: http.Serving,
        staff: http.Staff,
        words: Annotated[
            str | None, Query(min_length=2, max_length=200, description="Words that the matter's reports hold, all.")
        ] = None,
        place: Annotated[
            str | None, Query(min_length=2, max_length=200, description="Words of the place of a report, all.")
        ] = None,
        number: Annotated[Number | None, Query(description="The matter's number.")] = None,
        category: Annotated[Code | None, Query(description="Only matters of this category.")] = None,
        unit: Annotated[UnitCode | None, Query(description="Only matters for which this unit is accountable.")] = None,
        state: Annotated[State | None, Query(description="Only matters in this state.")] = None,
        from_: Annotated[At | None, Query(alias="from", description="Only matters opened then or later.")] = None,
        to: Annotated[At | None, Query(description="Only matters opened before.")] = None,
        purpose: Annotated[
            str | None, Query(min_length=1, max_length=1000, description="What for, if words or a place are searched.")
        ] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Matters in which the caller's office, or one below it, has a part, newest first.

        Words are looked for in the masked subjects, texts and places of reports, in the first 4,000 characters of each.
        Every search is an event, with its purpose where words are read.
        """
        if (words or place) and not (purpose or "").strip():
            raise Malformed(
                "purpose: say what the search is for, since it reads words", code="purpose-needed", field="purpose"
            )
        must_be_a_time("to", from_, to)
        wanted = search.Wanted(
            words=words,
            place=place,
            number=number,
            unit=unit,
            category=category,
            state=state,
            opened_from=instant(from_) if from_ else None,
            opened_to=instant(to) if to else None,
        )
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            must_be_known("unit", unit, ctx.offices.ever)
            must_be_known("category", category, await search.categories(connection, ctx, category))
            found = await search.find(connection, ctx, wanted, cursor, limit)
        said = {
            name: Typed(text=one) for name, one in (("purpose", purpose), ("words", words), ("place", place)) if one
        }
        await record(runtime, Caller(actor=staff), OperationSearched(found=len(found.items), **said))
        return http.json_response({"items": found.items, "complete": found.complete, "next": found.further})

    @routes.get("/incidents/{id}/suggestion", **documents.answers(similar_answers.Suggestion))
    async def read_suggestion(runtime: http.Serving, id: Id, staff: http.Staff) -> Response:
        """The category and the unit that most of the ten nearest earlier matters have, and how many of them have it.

        A person decides. Nothing is learned or trained: the matters on which it rests are named. Beside it stands how
        often such a suggestion was right here. The first suggestion for a matter is an event, from which that is known.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            row = await _readable(connection, ctx, id)
            suggestion = await suggesting.suggest(runtime, connection, ctx, row)
            codes = suggesting.codes(suggestion)
            fresh = any(codes.values()) and not await suggesting.known(connection, id)
        if fresh:
            await record(runtime, Caller(actor=staff), OperationSuggested(incident=id, **codes))
        return http.json_response(suggestion)

    return routes


async def record(runtime: Runtime, caller: Caller, fact: Any) -> None:
    """Records that somebody looked, before anything is shown."""

    async def act(session: Session, ctx: Ctx) -> Answer:
        await operations.record(session, ctx, fact)
        return Answer({})

    await commands.transact(runtime, caller, act)


async def _readable(connection: AsyncConnection, ctx: Ctx, id_: str) -> Row:
    """The incident, if the caller may read all of it now."""
    known = await standings.read(connection, METADATA, [id_])
    reading = READ_MATTER.of_matter(known, id_, ctx)
    rows = await rows_of(connection, INCIDENTS, INCIDENTS.c.id == id_)
    if not rows or reading is None or (reading.until is not None and not rows[0]["merged_into"]):
        raise NotFound(f"there is no {id_} that concerns {ctx.actor.unit}", what=id_)
    return rows[0]


def _shown(found: similar.Found, decided: dict[str, str]) -> dict[str, Any]:
    items = [
        {
            "incident_id": near.row["id"],
            "number": near.row.get("number"),
            "score": near.score,
            "shared": near.shared,
            "decided": decided.get(near.row["id"]),
        }
        for near in found.near
    ]
    return {"items": items, "above": found.above}
