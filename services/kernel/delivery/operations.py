"""The view of operators: refusals, dead letters, parked streams, and events that are written again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Table, and_, delete, exists, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event, digest
from schemas.fields import Fact, instant, parse_instant
from schemas.operation import OperationAccessRefused, OperationSeparationRefused
from services.kernel import metrics
from services.kernel.core.decider import Actor, Ctx
from services.kernel.core.ids import DerivedIds, derived
from services.kernel.core.problems import Forbidden, Problem
from services.kernel.delivery.log import Record
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import sql
from services.kernel.store.session import Session, partition_of

ATTENTION = ("dead_letters", "parked")
"""The kinds of work that may wait for a person."""
logger = structlog.get_logger()


def operation_stream(service: str, ctx: Ctx, *more: str) -> str:
    """A service's operation stream of the day, which is short enough to be read at once."""
    return f"operation-{derived('operation', service, ctx.now.date().isoformat(), *more)}"


async def record(session: Session, ctx: Ctx, *facts: Fact) -> Event:
    """Appends operational events in the session's transaction, and returns the last one.

    All processes of a service share one stream a day. Whoever appends to it holds a lock, so that nobody collides.
    """
    stream = await hold(session, ctx)
    if session.streams[stream].held:
        # An operator's word on a held stream must be recorded, too.
        stream = operation_stream(session.service.name, ctx, "beside")
        if stream not in session.streams:
            await session.load_head(stream)
    return session.append(stream, facts, ctx)[-1]


async def hold(session: Session, ctx: Ctx) -> str:
    """Takes the lock of the stream of the day until the transaction ends, and returns the stream.

    Take it before reading what an operational event depends on: two who both read first overwrite each other.
    """
    stream = operation_stream(session.service.name, ctx)
    if stream not in session.streams:
        await sql.lock(session.connection, sql.Hold("operation", [stream]))
        await session.load_head(stream)
    return stream


async def refuse(runtime: Runtime, actor: Actor, problem: Forbidden) -> None:
    """Records a missing right: the first one at once, the others of its minute as one event afterwards.

    Raises `Unavailable` if no event may be written yet.
    """
    runtime.must_have_recovered()
    act = str(problem.members.get("act", "act")).replace(" ", "_")[:100]
    table = runtime.tables["refusals"]
    async with runtime.database.transaction() as connection:
        ctx = await runtime.context(connection, actor)
        session = Session(runtime.service, runtime.settings, connection, ctx.now)
        minute = ctx.now.replace(second=0, microsecond=0)
        key = derived("refusal", actor.post, actor.unit or "", act)
        row = {
            "key": key,
            "minute": instant(minute),
            "post": actor.post,
            "unit": actor.unit,
            "roles": ",".join(sorted(actor.roles)),
            "act": act,
            "count": 0,
        }
        if await sql.add_missing(connection, table, [row]):
            await record(session, ctx, _refused(row, 1))
            await session.flush()
        else:
            mine = (table.c.key == key, table.c.minute == instant(minute))
            await connection.execute(update(table).where(*mine).values(count=table.c.count + 1))
    runtime.appended(session.appended, session.began)


SEPARATED = frozenset({"drafted-by-you", "written-by-you", "proposed-by-you"})
"""Refusals of somebody who wrote a text and would approve or check it."""


async def separate(runtime: Runtime, actor: Actor, problem: Problem) -> None:
    """Records that somebody asked for two parts that a rule keeps apart: once a minute for each post and record.

    Raises `Unavailable` if no event may be written yet.
    """
    runtime.must_have_recovered()
    async with runtime.database.transaction() as connection:
        ctx = await runtime.context(connection, actor)
        minute = instant(ctx.now.replace(second=0, microsecond=0))
        cause = f"{problem.code}|{actor.post}|{problem.record}|{minute}"
        await sql.lock(connection, sql.Hold("separation", [derived("separation", cause)]))
        session = Session(runtime.service, runtime.settings, connection, ctx.now)
        if await session.holding([DerivedIds(runtime.service.name, cause).new("")]):
            return
        rule = str(problem.members["rule"])
        fact = OperationSeparationRefused(record=problem.record or "", refusal=problem.code, rule=rule)
        await record(session, replace(ctx, ids=DerivedIds(runtime.service.name, cause)), fact)
        await session.flush()
    runtime.appended(session.appended, session.began)


def _refused(row: Any, count: int) -> OperationAccessRefused:
    return OperationAccessRefused(
        act=row["act"],
        unit=row["unit"],
        roles=tuple(filter(None, row["roles"].split(","))),
        minute=parse_instant(row["minute"]),
        count=count,
    )


async def sum_refusals(runtime: Runtime) -> None:
    """Writes one event for each key's further refusals of a past minute."""
    table = runtime.tables["refusals"]
    async with runtime.database.transaction() as connection:
        ctx = await runtime.context(connection)
        session = Session(runtime.service, runtime.settings, connection, ctx.now)
        # Delete and return, do not read: then this waits for a refusal that is still being counted.
        over = delete(table).where(table.c.minute < instant(ctx.now - timedelta(minutes=1))).returning(table)
        for row in (await connection.execute(over)).mappings().all():
            if row["count"]:
                await record(session, ctx, _refused(row, row["count"]))
        await session.flush()
    runtime.appended(session.appended, session.began)


async def attention(runtime: Runtime) -> dict[str, int]:
    """The number of things of each kind in `ATTENTION` that wait for a person."""
    dead_letters, cursor = runtime.tables["dead_letters"], runtime.tables["stream_cursor"]
    async with runtime.database.read() as connection:
        aside = select(func.count()).select_from(dead_letters).where(dead_letters.c.state == "open")
        waiting = select(func.count()).select_from(cursor).where(cursor.c.blocked.is_not(None))
        return {
            kind: (await connection.execute(count)).scalar_one()
            for kind, count in zip(ATTENTION, (aside, waiting), strict=True)
        }


CAUSES = (
    "undecodable",
    "unwritten",
    "unknown_type",
    "poison",
    "held",
    "fork",
    "ahead",
    "forged",
    "unproven",
    "awaited",
)
"""The reasons of dead letters: why a record is set aside."""


def lacking(tables: Mapping[str, Table], consumer: str) -> ColumnElement[bool]:
    """The condition on `dead_letters` that a consumer still lacks what was set aside.

    An event that came in bytes which no service writes may have come rightly since.
    """
    letters, cursor = tables["dead_letters"].c, tables["stream_cursor"].c
    mine = (cursor.consumer == consumer, cursor.stream_id == letters.stream_id)
    came = exists().where(*mine, cursor.version >= letters.version)
    is_open = and_(letters.consumer == consumer, letters.state == "open")
    return and_(is_open, or_(letters.reason != "unwritten", ~came))


def dead_letter(
    consumer: str, record: Record, event: Event | None, reason: str, error: str, now: datetime
) -> dict[str, Any]:
    """A row of the dead letters. The same bytes in the same place have the same id, so a repetition adds nothing."""
    assert reason in CAUSES, reason
    place = (consumer, record.topic, str(record.partition), str(record.offset), digest(record.value or b""))
    return {
        "id": derived("dead_letters", *place),
        "consumer": consumer,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "stream_id": event.stream if event else None,
        "version": event.version if event else None,
        "correlation": event.correlation if event else None,
        "reason": reason,
        "error": error[:1000],
        "since": instant(now),
        "state": "open",
        "key": record.key,
        "bytes": record.value,
    }


def alarm(service: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Logs records that were set aside. What waits for a key mostly goes on by itself."""
    for row in rows:
        if row["reason"] == "awaited":
            logger.info("record.waits", **{k: row[k] for k in ("consumer", "id", "error", "topic")})
            continue
        metrics.DEAD_LETTERS.labels(service, row["reason"]).inc()
        logger.error("record.dead_lettered", **{k: row[k] for k in ("consumer", "id", "reason", "error", "topic")})


async def resend(runtime: Runtime, streams: Sequence[str] | None = None) -> int:
    """Puts stored events and their words into the outbox again, all or some streams. Returns the number of events.

    Consumers drop what they have already.
    """
    events, outbox = runtime.tables["events"], runtime.tables["outbox"]
    chosen = select(events.c.seq, events.c.bytes).order_by(events.c.seq).limit(1000)
    if streams is not None:
        chosen = chosen.where(events.c.stream_id.in_(list(streams)))
    count, last = 0, 0
    while True:
        async with runtime.database.transaction() as connection:
            found = (await connection.execute(chosen.where(events.c.seq > last))).all()
            again = [Event.parse(bytes_) for _, bytes_ in found]
            refs = await _kept(runtime, connection, [ref for event in again for ref in event.words.values()])
            content = catalogue.content_topic(runtime.service.name)
            rows = [_waiting(runtime, content, ref, ref=ref) for ref in refs]
            rows += [_waiting(runtime, event.topic, event.partitionkey, event_id=event.id) for event in again]
            await sql.insert(connection, outbox, rows)
        count += len(again)
        if not found:
            break
        last = found[-1].seq
    runtime.wake.set()
    return count


async def _kept(runtime: Runtime, connection: AsyncConnection, refs: Sequence[str]) -> list[str]:
    """The references whose words were not erased, in order."""
    (found,) = await sql.rows_of(connection, [(runtime.tables["contents"], [(ref,) for ref in refs])])
    kept = {row["ref"] for row in found}
    return [ref for ref in refs if ref in kept]


def _waiting(runtime: Runtime, topic: str, key: str, ref: str | None = None, event_id: str | None = None) -> Any:
    number = partition_of(key, runtime.settings.partitions)
    since = instant(runtime.time_source.now())
    return {"event_id": event_id, "ref": ref, "topic": topic, "partition": number, "key": key, "since": since}
