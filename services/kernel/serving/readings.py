"""Reading what citizens wrote is an event: who read which record, and what for.

Whoever works on the matter reads it as a part of that work. Everybody else names a purpose; without one, the words are
withheld. A post that reads a record for one purpose again on the same day (UTC) makes no second event.
"""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import delete, select

from schemas.fields import Typed, instant
from schemas.operation import OperationRecordRead
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.ids import derived
from services.kernel.core.problems import Malformed, Unavailable
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store import sql
from services.kernel.store.session import Session

Purpose = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=1000,
        description="What a citizen's words are read for, by somebody who does not work on the matter.",
    ),
]


async def read(runtime: Runtime, actor: Actor, record: str, purpose: str | None, *, works: bool) -> bool:
    """Whether the actor may see the words of a record now. If so, it is recorded first.

    `works` says whether the actor's unit works on the matter. While nothing can be recorded, no words are shown.
    """
    told = (purpose or "").strip()
    if not works and not told:
        return False
    day = instant(runtime.time_source.now())[:10]
    key = derived("reading", day, record, actor.post, actor.unit or "", told)
    table = runtime.tables["readings"]
    async with runtime.database.read() as connection:
        if (await connection.execute(select(table.c.key).where(table.c.key == key))).first():
            return True

    async def act(session: Session, ctx: Ctx) -> Answer:
        if await sql.add_missing(session.connection, table, [{"key": key, "day": day}]):
            fact = OperationRecordRead(record=record, works=works, purpose=Typed(text=told) if told else None)
            await operations.record(session, ctx, fact)
            await session.connection.execute(delete(table).where(table.c.day < day))
        return Answer({})

    try:
        await transact(runtime, Caller(actor=actor), act)
    except Unavailable:
        return False
    return True


def withheld(words: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A record without these words, and a field that says so."""
    return {**words, **{name: None for name in names if name in words}, "withheld": True}


def purpose_needed() -> Malformed:
    """What is said where nothing can be shown without the words."""
    return Malformed(
        "purpose: your unit does not work on this matter; say what you read a citizen's words for",
        code="reading-needs-purpose",
        field="purpose",
    )
