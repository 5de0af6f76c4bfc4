"""Rebuilds what a service shows from the topics alone, and compares it with what the service shows now, row by row.

Nothing is decided again: own events come back from the service's own topics, those of others are projected.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Table, select, tuple_

from schemas import catalogue
from schemas.fields import Erasure
from services.kernel.delivery import recovery
from services.kernel.delivery.log import Record
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.unit_of_work import unit_of_work
from services.kernel.store import migrations
from services.kernel.store.database import Database
from services.kernel.store.session import Session

BATCH = 500


class Difference(NamedTuple):
    """A row that the two databases do not agree on; None where one of them lacks it."""

    table: str
    key: tuple[Any, ...]
    live: Mapping[str, Any] | None
    replayed: Mapping[str, Any] | None


async def replay(live: Runtime, into: Database) -> list[Difference]:
    """Rebuilds the views of `live`'s service in the empty database `into`, and returns where the two differ.

    The service must be at rest, its outbox empty and its consumers caught up: what is written meanwhile is told as a
    difference. Content and evidence files are not rebuilt.
    """
    fresh = Runtime(live.service, live.settings, into, live.clock, live.log, live.secret)
    await migrations.upgrade(into, live.service)
    await _own(fresh)
    await _foreign(fresh)
    found: list[Difference] = []
    for table in (*(view.table for view in live.service.views), *live.service.rebuilt):
        found += [difference async for difference in _compare(table, live.database, into)]
    return found


async def _own(fresh: Runtime) -> None:
    ends = await fresh.log.ends(catalogue.event_topics(fresh.service.name))
    for partition, end in ends.items():
        async for records in fresh.log.read(partition, 0, end):
            await _take_back(fresh, records)


async def _take_back(fresh: Runtime, records: Sequence[Record]) -> None:
    found = [(record, event) for record in records if (event := recovery.own(record))]
    async with fresh.database.transaction() as connection:
        stored = await recovery.stored_under(fresh, connection, [event for _, event in found])
        missing = recovery.compare(found, stored).missing
        session = Session(fresh.service, fresh.settings, connection, fresh.clock.now())
        session.restore(missing)
        for event in missing:
            if isinstance(event.data, Erasure):
                await session.erase(event.data.refs, announce=False)
        await session.flush()


async def _foreign(fresh: Runtime) -> None:
    work = unit_of_work(fresh)
    work.replaying = True
    for partition, end in (await fresh.log.ends(fresh.service.topics)).items():
        async for records in fresh.log.read(partition, 0, end):
            await work.handle(records)


async def _compare(table: Table, live: Database, replayed: Database) -> AsyncIterator[Difference]:
    """Every row of either database that the other lacks or holds differently, once."""
    async for key, row, other in _beside(table, live, replayed):
        if row != other:
            yield Difference(table.name, key, row, other)
    async for key, row, other in _beside(table, replayed, live):
        if other is None:
            yield Difference(table.name, key, None, row)


async def _beside(table: Table, one: Database, other: Database) -> AsyncIterator[tuple[tuple[Any, ...], Any, Any]]:
    """(primary key, row in `one`, row in `other` or None), for every row of `one`, read in batches."""
    keys = list(table.primary_key.columns)
    last: tuple[Any, ...] | None = None
    while True:
        chosen = select(table).order_by(*keys).limit(BATCH)
        async with one.read() as connection:
            page = chosen if last is None else chosen.where(tuple_(*keys) > tuple_(*last))
            rows = _by_key(table, await connection.execute(page))
        if not rows:
            return
        async with other.read() as connection:
            twins = _by_key(table, await connection.execute(select(table).where(tuple_(*keys).in_(list(rows)))))
        for key, row in rows.items():
            yield key, row, twins.get(key)
        last = next(reversed(rows))


def _by_key(table: Table, result: Any) -> dict[tuple[Any, ...], dict[str, Any]]:
    names = [column.name for column in table.primary_key.columns]
    return {tuple(row[name] for name in names): dict(row) for row in result.mappings()}
