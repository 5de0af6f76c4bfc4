"""What the holder of a receipt may ask and say. The code is enough, and nothing tells who holds it.

The digest of a code is looked up, so a wrong code takes as long as any other one, however much of it is right.
"""

import hashlib
import time
from typing import Any

import orjson

from schemas.receipts import receipt_read
from services.ingest import queries, waiting
from services.ingest.commands import JudgeAnswer
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import commands
from services.kernel.serving.commands import Answer, Caller
from services.kernel.store.session import Session


def unknown() -> NotFound:
    """The refusal of every code that no report has."""
    return NotFound("there is no such receipt; write the code as it was given", code="receipt-unknown")


def digest_of(runtime: Runtime, typed: str) -> str:
    """The digest under which a report with this receipt is found."""
    return runtime.keys.digest("receipt", receipt_read(typed))


async def news(runtime: Runtime, typed: str, known: str, seconds: float) -> tuple[str, dict[str, Any] | None]:
    """The tag of the state and the state; None if the tag is `known`. Then waits so many seconds for another one.

    Raises `NotFound`.
    """
    digest, until = digest_of(runtime, typed), time.monotonic() + seconds
    waits = runtime.part(waiting.Waiting)
    while True:
        async with waits.reading, runtime.database.read() as connection:
            id_ = await queries.of_receipt(connection, digest)
            if id_ is None:
                raise unknown()
            mark = (await waiting.marks(connection, [id_]))[id_] if seconds else ()
            found = await queries.by_receipt(connection, digest, await runtime.offices(connection))
        tag = hashlib.sha256(orjson.dumps(found)).hexdigest()[:32]
        if tag != known:
            return tag, found
        # Who has waited in vain is told so without another look: a thousand may have begun together.
        if not await waits.for_change(id_, mark, until - time.monotonic()):
            return tag, None


async def state(runtime: Runtime, typed: str) -> dict[str, Any]:
    """The state of the report with this receipt. Raises `NotFound`."""
    async with runtime.database.read() as connection:
        offices = await runtime.offices(connection)
        found = await queries.by_receipt(connection, digest_of(runtime, typed), offices)
    if found is None:
        raise unknown()
    return found


async def judge(runtime: Runtime, typed: str, command: JudgeAnswer) -> Answer:
    """The sender says whether the latest answer helped, once for each answer. Raises `NotFound` and `Rejected`."""
    digest = digest_of(runtime, typed)

    async def act(session: Session, ctx: Ctx) -> Answer:
        id_ = await queries.of_receipt(session.connection, digest)
        if id_ is None:
            raise unknown()
        await session.load([id_])
        found = [(row.incident_id, row.event) for row in await queries.answers(session.connection, id_)]
        knowing = commands.with_seen(ctx, {"answer": found[-1] if found else None})
        return commands.answer(session, id_, session.decide(id_, command, knowing))

    return await commands.transact(runtime, Caller(), act)
