"""Rebuilds a service's views from the topics alone, and compares them with the present views, row by row.

Nothing is decided again. Own events come back from the service's own topics; events of others are projected.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Table, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event
from services.kernel.delivery import recovery
from services.kernel.delivery.log import Record
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import unit_of_work
from services.kernel.store import migrations, sql
from services.kernel.store.database import Database
from services.kernel.store.session import Session

BATCH = 500
POLL = 0.05


class Difference(NamedTuple):
    """A row that differs between the two databases; None if one of them lacks it."""

    table: str
    key: tuple[Any, ...]
    live: Mapping[str, Any] | None
    replayed: Mapping[str, Any] | None


class NotYet(Exception):
    """The topics do not hold all of a service's events yet. The text says what to do."""


async def replay(live: Runtime, into: Database, wait: float = 30.0) -> list[Difference]:
    """Rebuilds the views of `live`'s service in the empty database `into`, and returns the differences.

    The service may go on: both are compared as of the moment at which this begins. Waits up to `wait` seconds until the
    outbox rows of that moment are on their topics, then raises `NotYet`. Content and evidence files are not rebuilt.
    """
    fresh = Runtime(live.service, live.settings, into, live.time_source, live.log, live.secret)
    await migrations.upgrade(into, live.service)
    async with live.database.moment() as moment:
        await _sent(live, moment, wait)
        await know_discarded(fresh, moment)
        await _own(fresh, live, moment)
        await _foreign(fresh, moment)
        found: list[Difference] = []
        for table in dict.fromkeys((*(view.table for view in live.service.views), *live.service.rebuilt)):
            found += [difference async for difference in _compare(table, moment, into)]
    return found


async def _sent(live: Runtime, moment: AsyncConnection, wait: float) -> None:
    """Waits until the outbox rows of that moment are on their topics."""
    outbox = live.tables["outbox"]
    last = (await moment.execute(select(func.max(outbox.c.seq)))).scalar() or 0
    until = asyncio.get_running_loop().time() + wait
    while True:
        async with live.database.read() as connection:
            chosen = select(func.count()).select_from(outbox).where(outbox.c.seq <= last)
            count = (await connection.execute(chosen)).scalar_one()
        if not count:
            return
        if asyncio.get_running_loop().time() > until:
            raise NotYet(
                f"{live.service.name}: {count} records still wait for their topics after {wait:g} s; a replay compares "
                "with the topics. Start the service, or bring the brokers back, then try again"
            )
        await asyncio.sleep(POLL)


async def _own(fresh: Runtime, live: Runtime, moment: AsyncConnection) -> None:
    discarded = await recovery.discarded(live, moment)
    ends = await fresh.log.ends(catalogue.event_topics(fresh.service.name))
    for partition, end in ends.items():
        async for records in fresh.log.read(partition, 0, end):
            await _take_back(fresh, await _of_the_moment(live, moment, records), discarded)


async def _of_the_moment(
    live: Runtime, moment: AsyncConnection, records: Sequence[Record]
) -> list[tuple[Record, Event]]:
    """The records without the events that the service has appended since the moment."""
    found = [(record, event) for record in records if (event := recovery.own(record))]
    then = await _held(live, moment, [event.id for _, event in found])
    later = [event.id for _, event in found if event.id not in then]
    async with live.database.read() as connection:
        since = await _held(live, connection, later)
    return [(record, event) for record, event in found if event.id not in since]


async def _held(live: Runtime, connection: AsyncConnection, ids: Sequence[str]) -> set[str]:
    events = live.tables["events"]
    (found,) = await sql.fetch(
        connection, [sql.Query(select(events.c.event_id).where(sql.is_one_of(events.c.event_id, "ids")), {"ids": ids})]
    )
    return {id_ for (id_,) in found}


async def _take_back(fresh: Runtime, found: Sequence[tuple[Record, Event]], discarded: set[str]) -> None:
    async with fresh.database.transaction() as connection:
        stored = await recovery.stored_under(fresh, connection, [event for _, event in found])
        compared = recovery.compare(found, stored, discarded)
        session = Session(fresh.service, fresh.settings, connection, fresh.time_source.now())
        await recovery.take_back(session, [event for _, event in compared.missing])
        await session.flush()


async def know_discarded(fresh: Runtime, moment: AsyncConnection) -> None:
    """Tells the unit of work what a person set aside for good, so that it takes in the event in its place."""
    table = fresh.tables["dead_letters"]
    rows = (await moment.execute(select(table).where(table.c.state == "discarded"))).mappings().all()
    async with fresh.database.transaction() as connection:
        await sql.insert(connection, table, [dict(row) for row in rows])


async def _foreign(fresh: Runtime, moment: AsyncConnection) -> None:
    work = unit_of_work(fresh)
    work.replaying = True
    taken = await work.taken(moment)
    for partition in await fresh.log.ends(fresh.service.topics):
        async for records in fresh.log.read(partition, 0, taken.get(partition, 0)):
            await work.handle(records)


async def _compare(table: Table, live: AsyncConnection, replayed: Database) -> AsyncIterator[Difference]:
    """Every row of either database that the other lacks or holds differently, once."""
    async with replayed.read() as rebuilt:
        async for key, row, other in _beside(table, live, rebuilt):
            if row != other:
                yield Difference(table.name, key, row, other)
        async for key, row, other in _beside(table, rebuilt, live):
            if other is None:
                yield Difference(table.name, key, None, row)


async def _beside(
    table: Table, one: AsyncConnection, other: AsyncConnection
) -> AsyncIterator[tuple[tuple[Any, ...], Any, Any]]:
    """(primary key, row in `one`, row in `other` or None), for every row of `one`, read in batches."""
    keys = list(table.primary_key.columns)
    last: tuple[Any, ...] | None = None
    while True:
        chosen = select(table).order_by(*keys).limit(BATCH)
        page = chosen if last is None else chosen.where(tuple_(*keys) > tuple_(*last))
        rows = _by_key(table, await one.execute(page))
        if not rows:
            return
        twins = _by_key(table, await other.execute(select(table).where(tuple_(*keys).in_(list(rows)))))
        for key, row in rows.items():
            yield key, row, twins.get(key)
        last = next(reversed(rows))


def _by_key(table: Table, result: Any) -> dict[tuple[Any, ...], dict[str, Any]]:
    names = [column.name for column in table.primary_key.columns]
    return {tuple(row[name] for name in names): dict(row) for row in result.mappings()}
