"""The one way to run a command: load, decide, append, remember the answer, all in one transaction or not at all."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from services.kernel.core.decider import SYSTEM, Actor, Ctx
from services.kernel.core.problems import Malformed, NotFound, Problem, Stale, Unavailable, VersionRequired
from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.serving.idempotency import Key, Memory
from services.kernel.store import failures, numbers
from services.kernel.store.session import Conflict, Held, Session

ATTEMPTS = 8
AFTER_LIMIT = 5.0


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller, and the conditions of the request."""

    actor: Actor = SYSTEM
    request: str = field(default_factory=uuid7)
    """The events carry it as `causationid`."""
    version: int | None = None
    """The version that the officer saw (`If-Match`)."""
    key: Key | None = None
    after: tuple[str, int] | None = None
    """`stream@version` that the service must have taken in before it decides."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a command. `body` is the JSON for the client."""

    body: Mapping[str, Any]
    status: int = 200
    version: int | None = None
    events: tuple[Event, ...] = ()

    def dump(self) -> bytes:
        """For the memory of idempotency keys."""
        return orjson.dumps({"status": self.status, "version": self.version, "body": self.body})

    @classmethod
    def load(cls, stored: bytes) -> "Answer":
        """The inverse of `dump`. A remembered answer has no events."""
        return cls(**orjson.loads(stored))


Act = Callable[[Session, Ctx], Awaitable[Answer]]
Prepare = Callable[[Session, Ctx], Awaitable[Ctx]]
See = Callable[[AsyncConnection, Any], Awaitable[Mapping[str, Any]]]


async def execute(
    runtime: Runtime,
    caller: Caller,
    stream: str,
    command: Any,
    *,
    new: bool = False,
    staff: bool = False,
    see: See | None = None,
    prepare: Prepare | None = None,
    status: int = 200,
) -> Answer:
    """Runs one command on one stream and answers `{"number", "id", "version", "revision", "events"}`.

    `staff` commands must name the version that the caller saw. If another command names one, it counts too. `see` reads
    the facts that the decision needs from the service's views. `prepare` then adds to the context what the transaction
    itself may have to make. Without the right to the command, nothing is made.
    """

    async def act(session: Session, ctx: Ctx) -> Answer:
        if new:
            session.begin(stream)
        else:
            await session.load([stream])
            if session.streams[stream].held:
                raise Held(stream)
            if session.streams[stream].version == 0:
                raise NotFound(f"there is no {stream}", what=stream)
            if session.streams[stream].number is None:
                named = await numbers.of_streams(session.connection, runtime.service.metadata, _named(stream))
                session.streams[stream].number = named.get(stream)
        if see is not None:
            ctx = with_seen(ctx, await see(session.connection, session.streams[stream].state))
        if prepare is not None:
            session.authorize(stream, command, ctx)
            ctx = await prepare(session, ctx)
        return answer(session, stream, decide(session, stream, command, ctx, caller, staff=staff), status)

    return await transact(runtime, caller, act)


def decide(
    session: Session, stream: str, command: Any, ctx: Ctx, caller: Caller, *, staff: bool = False
) -> list[Event]:
    """Judges the rights, then the version that the caller saw, then the command by the rules of its stream.

    In this order, a caller without the right learns of no version and no state.
    """
    session.authorize(stream, command, ctx)
    if staff or caller.version is not None:
        must_have_seen(stream, session.streams[stream].revision, caller)
    try:
        return session.decide(stream, command, ctx)
    except Problem as problem:
        problem.record = stream
        raise


def must_have_seen(record: str, newest: int, caller: Caller) -> None:
    """Raises unless the caller saw the newest version of a record. The version counts the decisions of staff."""
    if caller.version is None:
        raise VersionRequired(
            f'send If-Match with the version of {record} that you saw, for example If-Match: "{newest}"',
            record=record,
            version=newest,
            revision=newest,
        )
    if caller.version != newest:
        raise Stale(
            f"{record} is at version {newest}, you saw {caller.version}. Read it again and decide anew",
            record=record,
            version=newest,
            revision=newest,
            seen=caller.version,
        )


def with_seen(ctx: Ctx, seen: Mapping[str, Any]) -> Ctx:
    """The context with facts from the service's views."""
    return replace(ctx, seen=seen)


def answer(session: Session, stream: str, events: list[Event], status: int = 200) -> Answer:
    """The standard answer of a command."""
    number, revision = session.streams[stream].number, session.streams[stream].revision
    brief = [{"id": event.id, "type": event.type, "version": event.version} for event in events]
    body = {"number": number, "id": stream, "version": revision, "revision": revision, "events": brief}
    return Answer(body, status, revision, tuple(events))


async def transact(runtime: Runtime, caller: Caller, act: Act) -> Answer:
    """Runs `act` in a transaction. If a stream has grown in between, runs it again on a fresh state.

    The version that the caller named is compared again each time, so nothing is decided on a page that nobody saw.
    Raises only `Problem`s: `Unavailable` if the store failed.
    """
    try:
        await runtime.ready_to_decide()
        if caller.after:
            await _wait_for(runtime, *caller.after)
        for attempt in range(ATTEMPTS):
            try:
                answer = await _once(runtime, caller, act)
                runtime.failing.over()
                return answer
            except Conflict:
                await asyncio.sleep(0.005 * attempt)
            except Problem as problem:
                await _name(runtime, problem)
                raise
            except DBAPIError as error:
                if not failures.is_overtaken(error):
                    raise
                await asyncio.sleep(0.005 * attempt)
        raise Unavailable("many requests change the record at once; try again", 1, code="changed-by-many")
    except (DBAPIError, OSError) as error:
        raise failures.problem_of(error, runtime.failing) from error


async def _name(runtime: Runtime, problem: Problem) -> None:
    """Lets the sentence name records by their numbers, as people do. Its members keep the ids."""
    if ids := _named(problem.detail, *(value for value in problem.members.values() if isinstance(value, str))):
        async with runtime.database.read() as connection:
            problem.numbers = await numbers.of_streams(connection, runtime.service.metadata, ids)


def _named(*texts: str) -> set[str]:
    return {id_ for text in texts for id_ in numbers.NAMED.findall(text)}


async def _once(runtime: Runtime, caller: Caller, act: Act) -> Answer:
    key, memory = caller.key, Memory(runtime, caller.actor)
    async with runtime.database.transaction() as connection:
        if key is not None:
            await memory.hold(connection, key.text)
            known = (await memory.find(connection, [key])).get(key.text)
            if isinstance(known, Malformed):
                raise known
            if known is not None:
                return Answer.load(known)
        session = Session(runtime.service, runtime.settings, connection, runtime.time_source.now())
        ctx = await runtime.context(connection, caller.actor, caller.request)
        done = await act(session, ctx)
        await session.flush()
        if key is not None and 200 <= done.status < 300:
            await memory.keep(connection, [(key, done.dump())])
        failpoint("command.before_commit")
    failpoint("command.committed")
    runtime.appended(session.appended, session.began)
    return done


async def _wait_for(runtime: Runtime, stream: str, version: int) -> None:
    """Waits until this service has taken in a version of another service's stream, or of its own."""
    cursor, events = runtime.tables["stream_cursor"], runtime.tables["events"]
    until = asyncio.get_running_loop().time() + AFTER_LIMIT
    while True:
        async with runtime.database.read() as connection:
            taken = select(cursor.c.version).where(cursor.c.stream_id == stream)
            own = select(func.max(events.c.version)).where(events.c.stream_id == stream)
            reached = max(
                (await connection.execute(taken)).scalar() or 0,
                (await connection.execute(own)).scalar() or 0,
            )
        if reached >= version:
            return
        if asyncio.get_running_loop().time() > until:
            raise Unavailable(
                f"{runtime.service.name} has not taken in {stream}@{version} yet; try again",
                2,
                code="not-there-yet",
                service=runtime.service.name,
                record=stream,
                version=version,
            )
        await asyncio.sleep(0.02)
