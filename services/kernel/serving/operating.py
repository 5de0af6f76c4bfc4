"""What an operator sees and does through HTTP, the same in every service: how it runs, and what it set aside."""

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy import func, select, tuple_
from sqlalchemy.exc import DBAPIError

from schemas.envelope import Event
from schemas.fields import UUID, Instant
from services.kernel.access.erasure import Reason
from services.kernel.access.operating import DISCARD, LIST, LOOK, REDRIVE
from services.kernel.access.rights import Right
from services.kernel.core.commands import Command, example
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound, Problem, Rejected
from services.kernel.delivery import repairs
from services.kernel.delivery.intake import Poison
from services.kernel.delivery.log import LogGone
from services.kernel.delivery.records import is_content
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import PURE, unit_of_work
from services.kernel.logging import brief
from services.kernel.masking import mask
from services.kernel.serving import documents, http, paging
from services.kernel.serving.answers import Answered, Page
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.serving.gauges import LOOK_SECONDS
from services.kernel.serving.paging import Cursor, Limit
from services.kernel.serving.problems import language_of
from services.kernel.store import failures
from services.kernel.store.session import OWNER, Session

SHOWN = 4_000
"""The most characters of a record that are shown."""
Cause = Literal[
    "undecodable", "unwritten", "unknown_type", "poison", "held", "fork", "ahead", "forged", "unproven", "awaited"
]
LetterId = Annotated[str, Path(pattern=f"^{UUID}$", description="The dead letter's id.")]


class Settle(Command, json_schema_extra=example(reason="版本已更新")):
    """A word on a dead letter."""

    reason: Reason
    """Why. It becomes part of the record."""


class Waiting(Answered):
    """Things that wait."""

    count: int
    """How many."""
    since: Instant | None
    """Since when the first of them waits; null if none does."""


class Operation(
    Answered,
    json_schema_extra=example(
        service="triage",
        ready=True,
        reason=None,
        release="1.0",
        term=3,
        dead_letters={"count": 0, "since": None},
        parked={"count": 0, "since": None},
        outbox={"count": 0, "since": None},
        behind=0,
        last_event_at="2026-03-02T01:00:00.000000Z",
    ),
):
    """How a service runs."""

    service: str
    """Its name."""
    ready: bool
    """Whether it takes commands."""
    reason: str | None
    """Why it takes none, and what to do."""
    release: str
    """The release of the program."""
    term: int | None
    """The term of its leader, which each new leader raises; null embedded."""
    dead_letters: Waiting
    """Records that were set aside."""
    parked: Waiting
    """Streams that stand still: events of them wait for others."""
    outbox: Waiting
    """Events that the event log has not acknowledged."""
    behind: int | None
    """Records of others that it has not taken in; null if the event log does not answer."""
    last_event_at: Instant | None
    """When it recorded its last event."""


class DeadLetter(Answered):
    """A record that a service set aside."""

    id: str
    """Its id."""
    cause: Cause
    """Why it was set aside."""
    error: str
    """What happened."""
    topic: str
    """The topic from which it came."""
    stream: str | None
    """Its stream, if it could be read."""
    version: int | None
    """Its place in the stream."""
    since: Instant
    """Since when it waits."""


_LETTER = {
    "id": "01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e",
    "cause": "unknown_type",
    "error": "this version does not know huiying.report.reach_measured.v2",
    "topic": "ingest.report",
    "stream": "report-01890a5d-ac96-774b-bcce-b302099a8057",
    "version": 2,
    "since": "2026-03-02T01:00:00.000000Z",
}


class DeadLetters(Page, json_schema_extra=example(causes={"unknown_type": 1}, items=[_LETTER], next=None)):
    """Dead letters that are open, oldest first."""

    causes: dict[Cause, int]
    """How many there are of each cause, whatever the filter is."""
    items: tuple[DeadLetter, ...]
    """The entries of this page."""


class WholeLetter(
    DeadLetter,
    json_schema_extra=example(
        **_LETTER,
        state="open",
        type="huiying.report.reach_measured.v2",
        size=812,
        content='{"specversion": "1.0"}',
        may=["redrive", "discard"],
    ),
):
    """A dead letter, with what is in it."""

    state: Literal["open", "redriven", "discarded", "recovered"]
    """Whether somebody has settled it."""
    type: str | None
    """The type of its event, if it could be read."""
    size: int
    """Its bytes."""
    content: str | None
    """The beginning of the record, masked; null for a record of words, which are shown to nobody here."""
    may: tuple[Literal["redrive", "discard"], ...]
    """What you may do with it."""


class Settled(Answered, json_schema_extra=example(id=_LETTER["id"], state="redriven", taken=1)):
    """A dead letter is settled."""

    id: str
    """Its id."""
    state: Literal["redriven", "discarded"]
    """What became of it."""
    taken: int
    """How many records that had waited behind it were taken in then."""


def add_routes(api: APIRouter, service: str) -> None:
    """Adds the paths to a service's API."""

    @api.get("/operation", name=f"read operation of {service}", **documents.answers(Operation))
    async def read_operation(request: Request, runtime: http.Serving, staff: http.Staff) -> Response:
        """How the service runs, and what waits in it, for administrators and auditors."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
        LOOK.require(staff.unit or "", ctx)
        return http.json_response(await _operation(runtime, language_of(request)))

    @api.get("/dead-letters", name=f"list letters of {service}", **documents.answers(DeadLetters))
    async def list_dead_letters(
        runtime: http.Serving,
        staff: http.Staff,
        cause: Annotated[Cause | None, Query(description="Only those that were set aside for this reason.")] = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """The records that the service set aside and nobody settled, oldest first, for the root of the tree."""
        table = runtime.tables["dead_letters"]
        order, is_open = (table.c.since, table.c.id), table.c.state == "open"
        chosen = select(table).where(is_open).order_by(*order).limit(limit + 1)
        if cause is not None:
            chosen = chosen.where(table.c.reason == cause)
        if cursor is not None:
            chosen = chosen.where(tuple_(*order) > paging.place_of(cursor, str, str))
        async with runtime.database.read() as connection:
            LIST.require(None, await runtime.context(connection, staff))
            counted = select(table.c.reason, func.count()).where(is_open).group_by(table.c.reason)
            causes = {row[0]: row[1] for row in await connection.execute(counted)}
            rows = [dict(row) for row in (await connection.execute(chosen)).mappings()]
        page, further = paging.page(rows, limit, lambda row: (row["since"], row["id"]))
        return http.json_response({"causes": causes, "items": [_letter(row) for row in page], "next": further})

    @api.get("/dead-letters/{letter}", name=f"read letter of {service}", **documents.answers(WholeLetter))
    async def read_dead_letter(runtime: http.Serving, letter: LetterId, staff: http.Staff) -> Response:
        """A record that was set aside, with what is in it, for the root of the tree."""
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            LIST.require(None, ctx)
            row = await _row(runtime, connection, letter)
        return http.json_response(_whole(row, ctx))

    @api.post("/dead-letters/{letter}/redrive", name=f"redrive letter of {service}", **documents.answers(Settled))
    async def redrive_dead_letter(
        runtime: http.Serving, letter: LetterId, body: Settle, caller: http.Command
    ) -> Response:
        """Gives a record to the service again. If it fails as before, it stays what it is."""
        return http.json_response(await _settle(runtime, caller, letter, body.reason, REDRIVE, discard=False))

    @api.post("/dead-letters/{letter}/discard", name=f"discard letter of {service}", **documents.answers(Settled))
    async def discard_dead_letter(
        runtime: http.Serving, letter: LetterId, body: Settle, caller: http.Command
    ) -> Response:
        """Sets a record aside for good. Its stream goes on after it.

        A record on the service's own topic is discarded on the command line: all services must know that it is forged.
        """
        return http.json_response(await _settle(runtime, caller, letter, body.reason, DISCARD, discard=True))


async def settle(runtime: Runtime, caller: Caller, id_: str, reason: str, *, discard: bool) -> None:
    """Redrives or discards one dead letter. Raises `Problem`s, or what the service failed on.

    Records that may go on then are taken by `repairs.unpark`.
    """
    work, table = unit_of_work(runtime), runtime.tables["dead_letters"]
    async with runtime.database.read() as connection:
        bytes_ = (await connection.execute(select(table.c.bytes).where(table.c.id == id_))).scalar()
    behind: Poison | None = None

    async def act(session: Session, ctx: Ctx) -> Answer:
        await (repairs.discard if discard else repairs.redrive)(work, session, ctx, id_, reason, behind)
        return Answer({})

    try:
        await transact(runtime, caller, act)
    except Poison as poison:
        if not repairs.behind_it(poison, bytes_):
            raise
        behind = poison
        await transact(runtime, caller, act)


async def _settle(
    runtime: Runtime, caller: Caller, id_: str, reason: str, right: Right[None], *, discard: bool
) -> Mapping[str, Any]:
    async with runtime.database.read() as connection:
        right.require(None, await runtime.context(connection, caller.actor))
        row = await _row(runtime, connection, id_)
    if discard and row["consumer"] == OWNER:
        raise Rejected(
            f"the record {id_} is on {runtime.service.name}'s own topic; discard it with `huiying redrive {id_} "
            f"--service {runtime.service.name} --discard`, so that all services know that it is forged",
            code="record-on-own-topic",
            record=id_,
            service=runtime.service.name,
        )
    try:
        await settle(runtime, caller, id_, reason, discard=discard)
    except (Poison, *PURE) as error:
        said = error.error if isinstance(error, Poison) else brief(error)
        raise Rejected(
            f"the record {id_} fails as before: {said}", code="record-fails-again", record=id_, error=said
        ) from None
    taken = await repairs.unpark(unit_of_work(runtime))
    return {"id": id_, "state": "discarded" if discard else "redriven", "taken": taken}


async def _row(runtime: Runtime, connection: Any, id_: str) -> Mapping[str, Any]:
    table = runtime.tables["dead_letters"]
    row = (await connection.execute(select(table).where(table.c.id == id_))).mappings().first()
    if row is None:
        raise NotFound(f"no record {id_} is in {runtime.service.name}'s dead letters", what=id_)
    return dict(row)


def _letter(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "cause": row["reason"],
        "error": mask(row["error"]).text,
        "topic": row["topic"],
        "stream": row["stream_id"],
        "version": row["version"],
        "since": row["since"],
    }


def _whole(row: Mapping[str, Any], ctx: Ctx) -> dict[str, Any]:
    bytes_ = bytes(row["bytes"] or b"")
    may = [right.verb for right in (REDRIVE, DISCARD) if row["state"] == "open" and right.holds(None, ctx)]
    if row["consumer"] == OWNER:
        may = [verb for verb in may if verb != "discard" and row["reason"] != "ahead"]
    return _letter(row) | {
        "state": row["state"],
        "type": Event.parse(bytes_).type if row["stream_id"] else None,
        "size": len(bytes_),
        "content": None if is_content(row["topic"]) else mask(bytes_.decode(errors="replace")[:SHOWN]).text,
        "may": may,
    }


async def _operation(runtime: Runtime, language: Any) -> dict[str, Any]:
    tables = runtime.tables
    letters, parked, outbox, events = (tables[name] for name in ("dead_letters", "parked", "outbox", "events"))
    counts: Mapping[str, Any] = {
        "dead_letters": select(func.count(), func.min(letters.c.since)).where(letters.c.state == "open"),
        "parked": select(func.count(parked.c.stream_id.distinct()), func.min(parked.c.since)),
        "outbox": select(func.count(), func.min(outbox.c.since)),
    }
    reason = None
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            await runtime.ready_to_serve()
    except Problem as problem:
        reason = str(problem.body(language)["detail"])
    except (DBAPIError, OSError) as error:
        reason = str(failures.problem_of(error, runtime.failing).body(language)["detail"])
    async with runtime.database.read() as connection:
        found = {name: (await connection.execute(query)).one() for name, query in counts.items()}
        last = select(events.c.recordedtime).order_by(events.c.seq.desc()).limit(1)
        at = (await connection.execute(last)).scalar()
        term = (await connection.execute(select(tables["lease"].c.term))).scalar()
    return {
        "service": runtime.service.name,
        "ready": reason is None,
        "reason": reason,
        "release": version("huiying"),
        "term": term,
        **{name: {"count": count, "since": since} for name, (count, since) in found.items()},
        "behind": await _behind(runtime),
        "last_event_at": at,
    }


async def _behind(runtime: Runtime) -> int | None:
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            found = await unit_of_work(runtime).look(fast=True)
    except (DBAPIError, OSError, LogGone):
        return None
    return sum(end - next_ for next_, end in found.behind().values())
