"""Repairs of dead letters: taken in again, taken in as the service's own, or passed over for good.

A repair locks out the workers of its service, since both write the positions of streams.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError

from schemas import catalogue
from schemas.envelope import Event, Undecodable, digest
from schemas.fields import Typed
from schemas.operation import OperationDiscarded, OperationRedriven
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import NotFound, Rejected
from services.kernel.delivery import recovery
from services.kernel.delivery.intake import Cursor, Intake, Poison
from services.kernel.delivery.log import Record
from services.kernel.delivery.operations import record
from services.kernel.delivery.records import content_row
from services.kernel.delivery.unit_of_work import PURE, UnitOfWork, hold, is_defect
from services.kernel.logging import brief
from services.kernel.store import sql
from services.kernel.store.session import OWNER, Conflict, Session

AGAIN = ("unknown_type", "poison", "held", "unproven", "awaited")
"""Reasons for which records wait that another version, or an operator's word, may let in."""
logger = structlog.get_logger()


async def redrive(
    work: UnitOfWork, session: Session, ctx: Ctx, id_: str, reason: str, behind: Poison | None = None
) -> None:
    """Gives a dead letter to its service again. Raises `Rejected` or `Poison` if it would fail as before.

    `behind` is the `Poison` of an event that waited for the record, see `behind_it`. That event is set aside.
    """
    row = await _open(work, session, id_)
    if row["consumer"] == OWNER and row["reason"] == "ahead":
        raise Rejected(
            f"the record {id_} is on {work.service.name}'s own topic, and its store lacks it: take it in with "
            f"`huiying recover --service {work.service.name}` if it is its own, else discard it",
            code="record-fails-again",
            record=id_,
            error=row["error"],
        )
    if not await _redrive(work, session, row, behind):
        raise Rejected(
            f"the record {id_} fails as before: {row['error']}",
            code="record-fails-again",
            record=id_,
            error=row["error"],
        )
    await _settle(work, session, id_, "redriven")
    await record(session, ctx, OperationRedriven(dead_letter=id_, reason=Typed(text=reason)))


async def discard(
    work: UnitOfWork, session: Session, ctx: Ctx, id_: str, reason: str, behind: Poison | None = None
) -> None:
    """Sets a dead letter aside for good. Its stream goes on after it. For `behind` see `redrive`."""
    row = await _open(work, session, id_)
    await _pass_over(work, session, row, behind)
    await _settle(work, session, id_, "discarded")
    await _release(work, session, [row["stream_id"]])
    what = digest(row["bytes"] or b"")
    await record(session, ctx, OperationDiscarded(dead_letter=id_, digest=what, reason=Typed(text=reason)))


def behind_it(poison: Poison, bytes_: bytes | None) -> bool:
    """Whether the failure is of an event that waited for the record with these bytes.

    Then the record itself can be settled.
    """
    return poison.event is not None and poison.event.bytes != bytes_


async def recover(
    work: UnitOfWork, session: Session, ctx: Ctx, rows: Sequence[Mapping[str, Any]], reason: str
) -> list[Event]:
    """Takes in events that the service's own topic holds and its store lacks: these open rows of one topic, by version.

    Returns the events that were taken in. Events that do not follow the store stay dead letters.
    """
    await sql.lock(session.connection, hold(alone=True))
    records = [_record_of(row) for row in rows]
    found = [(record, event) for record in records if (event := recovery.own(record))]
    stored = await recovery.stored_under(work.runtime, session.connection, [event for _, event in found])
    compared = recovery.compare(found, stored)
    await recovery.must_prove(work.runtime, session.connection, compared)
    taken = [event for _, event in compared.missing]
    if not taken:
        return []
    words = dict(pair for event in taken for pair in recovery.named_words(event.bytes))
    kept = await recovery.fetch_words(work.runtime, words) if words else []
    await sql.add_missing(session.connection, work.tables["contents"], kept)
    await recovery.take_back(session, taken)
    digests = {event.digest for event in taken}
    for row in rows:
        if digest(row["bytes"]) in digests:
            await _settle(work, session, row["id"], "recovered")
    await _settle_words(work, session, words)
    await _release(work, session, [event.stream for event in taken])
    await record(session, ctx, recovery.ordered(rows[0]["topic"], taken, reason, ctx))
    return taken


async def _settle_words(work: UnitOfWork, session: Session, named: Mapping[str, str]) -> None:
    """Words stand beside the events that name them, and are settled with them."""
    topic, table = catalogue.content_topic(work.service.name), work.tables["dead_letters"]
    mine = (table.c.consumer == OWNER, table.c.topic == topic, table.c.reason == "ahead", table.c.state == "open")
    for id_, bytes_ in (await session.connection.execute(select(table.c.id, table.c.bytes).where(*mine))).all():
        if content_row(bytes_)["ref"] in named:
            await _settle(work, session, id_, "recovered")


async def _release(work: UnitOfWork, session: Session, streams: Iterable[str | None]) -> None:
    """Lets streams go on if nothing of them waits for an operator's word any more."""
    dead_letters, cursor = work.tables["dead_letters"], work.tables["stream_cursor"]
    waiting = select(dead_letters.c.stream_id).where(dead_letters.c.consumer == OWNER, dead_letters.c.state == "open")
    mine = (cursor.c.consumer == OWNER, sql.is_one_of(cursor.c.stream_id, "streams"))
    asked = {"streams": sorted({stream for stream in streams if stream})}
    (found,) = await sql.fetch(session.connection, [sql.Query(select(cursor.c.stream_id).where(*mine), asked)])
    held = {stream for (stream,) in found}
    free = held - set((await session.connection.execute(waiting)).scalars())
    await sql.remove(session.connection, cursor, [(OWNER, stream) for stream in sorted(free)])


async def unpark(work: UnitOfWork) -> int:
    """Redrives events that this service could not read, failed on, or could not decide since a stream was held.

    It is called at the start, perhaps after an upgrade, and when a stream goes on. Returns how many were taken in. The
    others stay dead letters, so that no record can stop the service.
    """
    table = work.tables["dead_letters"]
    chosen = select(table.c.id).where(
        table.c.consumer == work.consumer,
        table.c.reason.in_(("unknown_type", "poison", "held", "awaited")),
        table.c.state == "open",
    )
    async with work.runtime.database.read() as connection:
        waiting = (await connection.execute(chosen.order_by(table.c.stream_id, table.c.version))).scalars().all()
    return sum([await _redriven(work, id_) for id_ in waiting])


async def _redriven(work: UnitOfWork, id_: str) -> bool:
    """Whether the record could be taken in, in its own transaction."""
    behind: Poison | None = None
    while True:
        bytes_ = None
        try:
            async with work.runtime.database.transaction() as connection:
                session = Session(work.service, work.runtime.settings, connection, work.runtime.time_source.now())
                row = await _open(work, session, id_)
                bytes_ = row["bytes"]
                if not await _redrive(work, session, row, behind):
                    return False
                await _settle(work, session, id_, "redriven")
                await session.flush()
                return True
        except Conflict:
            continue
        except (Rejected, Poison, DBAPIError, *PURE) as error:
            if isinstance(error, Poison) and behind is None and behind_it(error, bytes_):
                behind = error
                continue
            if not isinstance(error, Rejected | Poison) and not is_defect(error):
                raise
            logger.warning("record.fails_again", consumer=work.consumer, id=id_, error=brief(error))
            return False


async def _open(work: UnitOfWork, session: Session, id_: str) -> Mapping[str, Any]:
    """The record's row, locked: nobody else settles it until the transaction ends."""
    await sql.lock(session.connection, hold(alone=True))
    table = work.tables["dead_letters"]
    found = (await session.connection.execute(select(table).where(table.c.id == id_))).mappings().first()
    if found is None:
        raise NotFound(f"no record {id_} is in {work.service.name}'s dead letters", what=id_)
    row = dict(found)
    if row["state"] != "open":
        raise Rejected(f"the record {id_} was {row['state']} already", code="record-settled", record=id_)
    return row


async def _settle(work: UnitOfWork, session: Session, id_: str, state: str) -> None:
    table = work.tables["dead_letters"]
    await session.connection.execute(update(table).where(table.c.id == id_).values(state=state))


async def _redrive(work: UnitOfWork, session: Session, row: Mapping[str, Any], behind: Poison | None) -> bool:
    """Takes the record in; the caller flushes. False if it fails as before."""
    again = _record_of(row)
    try:
        event = Event.parse(again.value)
    except Undecodable:
        return False
    if row["consumer"] != work.consumer:
        return False
    intake = await _freed(work, session, event, behind)
    await work.judge(session, intake, event, again)
    if event in intake.parked or any(aside["bytes"] == event.bytes for aside in intake.aside):
        return False
    # If the record was taken in already, its stream is free, too.
    await work.drain(session, intake, event.stream, again)
    work.move(intake, behind)
    await work.conclude(session, intake)
    return True


async def _pass_over(work: UnitOfWork, session: Session, row: Mapping[str, Any], behind: Poison | None) -> None:
    """Lets the record's stream go on after it; the caller flushes.

    If another event waits under the same version, the record was forged, and the other event takes its place.
    """
    if row["stream_id"] is None or row["reason"] == "unwritten" or row["consumer"] != work.consumer:
        return
    event = Event.parse(row["bytes"])
    intake = await _freed(work, session, event, behind)
    cursor = intake.cursors[event.stream]
    rival = intake.waiting.get(event.stream, {}).get(event.version, event)
    if (
        row["reason"] in ("poison", "unknown_type", "unproven", "awaited")
        and event.version == cursor.version + 1
        and rival.digest == event.digest
    ):
        cursor.version, cursor.digest = event.version, event.digest
    await work.drain(session, intake, event.stream, _record_of(row))
    work.move(intake, behind)
    await work.conclude(session, intake)


async def _freed(work: UnitOfWork, session: Session, event: Event, behind: Poison | None) -> Intake:
    """An intake whose stream waits only for its next version. An event that fails after it does not wait."""
    place = (work.tables["stream_cursor"], [(work.consumer, event.stream)])
    (cursors,) = await sql.rows_of(session.connection, [place])
    intake = await work.standing(session.connection, cursors)
    await work.know_proof(session.connection, intake, event)
    intake.cursors.setdefault(event.stream, Cursor()).blocked = "gap"
    intake.changed.add(event.stream)
    if behind is not None and behind.event is not None:
        intake.waiting.get(behind.event.stream, {}).pop(behind.event.version, None)
    return intake


def _record_of(row: Mapping[str, Any]) -> Record:
    return Record(row["topic"], row["partition"], row["offset"], row["key"], row["bytes"])
