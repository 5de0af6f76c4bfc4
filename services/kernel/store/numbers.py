"""Which record has which number, and the next number of each series.

A service's table `numbers` is a fold of the first events of records. So it is right after a restore, a recovery and a
replay, too. The owner takes the next number in the transaction of the event: it locks the series until the transaction
ends, and a row that exists already is a conflict.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Index, Integer, MetaData, Select, Table, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.numbers import DRILL, Numbered, Series, parts
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import stream_of
from services.kernel.store import sql
from services.kernel.store.columns import key
from services.kernel.store.sql import Hold, Query, Write
from services.kernel.store.views import Key, Row, View


def table(metadata: MetaData) -> None:
    """Adds the table `numbers` to a service's metadata."""
    Table(
        "numbers",
        metadata,
        Column("unit", key(), primary_key=True),
        Column("year", Integer, primary_key=True),
        Column("mark", key(4), primary_key=True),
        Column("count", Integer, primary_key=True),
        Column("stream_id", key(), nullable=False),
        Index(None, "stream_id"),
    )


def views(metadata: MetaData, own: str | None = None) -> tuple[View, ...]:
    """Its views: of the records of the kind `own`, whose rows are written with their events, and of others.

    If somebody forged a second record with a number, the lower id has it, in whatever order they come.
    """

    def apply(key: Key, row: Row | None, event: Event) -> Row:
        return _row(key, min(event.stream, row["stream_id"]) if row else event.stream)

    def of_others(event: Event) -> list[Key]:
        return _keys(event) if event.kind != own else []

    numbers = metadata.tables["numbers"]
    others = View(numbers, of_others, apply)
    return (others,) if own is None else (View(numbers, _keys, apply, (own,), by_command=True), others)


def _keys(event: Event) -> list[Key]:
    found = parts(number) if (number := number_in(event)) else None
    return [(*found[0], found[1])] if found else []


def number_in(event: Event) -> str | None:
    """The number that an event gives its record."""
    number = event.attributes["data"].get("number") if event.version == 1 else None
    return number if isinstance(number, str) else None


def _row(key: Key, stream: str) -> Row:
    return {**dict(zip(("unit", "year", "mark", "count"), key, strict=True)), "stream_id": stream}


class Counters:
    """The numbers that one transaction of an owner gives."""

    def __init__(self, metadata: MetaData) -> None:
        self._table = metadata.tables.get("numbers")
        self._last: dict[Series, int] = {}
        self._given: list[Row] = []

    async def hold(self, connection: AsyncConnection, units: Iterable[str], ctx: Ctx) -> None:
        """Locks the series of these units until the transaction ends, and reads how far they have come.

        Whoever needs several units holds them at once, so that no two transactions wait for each other in a ring.
        """
        known = {(series.unit, series.year) for series in self._last}
        years = {unit: ctx.now.astimezone(ctx.offices.zone_of(unit)).year for unit in units}
        wanted = [
            Series(unit, year, mark)
            for unit, year in sorted(years.items())
            if (unit, year) not in known
            for mark in ("", DRILL, "S", f"S{DRILL}")
        ]
        if not wanted or self._table is None:
            return
        last = _last(self._table)
        queries = [Query(last, series._asdict()) for series in wanted]
        found = await sql.fetch(connection, queries, Hold("number", {series.unit for series in wanted}))
        self._last |= {series: rows[0][0] or 0 for series, rows in zip(wanted, found, strict=True)}

    def give(self, data: Numbered, stream: str, ctx: Ctx, *, drill: bool) -> Numbered:
        """The data with the next number of its series."""
        year = ctx.now.astimezone(ctx.offices.zone_of(data.unit)).year
        series = Series(data.unit, year, data.MARK + DRILL * drill)
        assert series in self._last, f"hold the numbers of {data.unit} before you open a record"
        count = self._last[series] = self._last[series] + 1
        self._given.append(_row((*series, count), stream))
        return data.model_copy(update={"number": series.number(count)})

    def claims(self) -> list[Write]:
        """The rows of the numbers that were given. If one exists, that is a conflict."""
        return [] if self._table is None else [Write(self._table, self._given)]


def _last(table: Table) -> Select[Any]:
    """The highest count of a series."""
    series = (table.c[name] == bindparam(name, None) for name in Series._fields)
    return select(func.max(table.c.count)).where(*series)


async def streams_of(connection: AsyncConnection, metadata: MetaData, numbers: Sequence[str]) -> Mapping[str, str]:
    """Number -> the record that has it, as far as this service knows it."""
    wanted = {(*found[0], found[1]): number for number in numbers if (found := parts(number))}
    if not wanted:
        return {}
    (rows,) = await sql.rows_of(connection, [(metadata.tables["numbers"], sorted(wanted))])
    return {wanted[row["unit"], row["year"], row["mark"], row["count"]]: row["stream_id"] for row in rows}


NAMED = re.compile(r"\b(?:incident|statement|clock)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
"""An id that people may know by a number. The clocks of an incident have the incident's."""


async def of_streams(connection: AsyncConnection, metadata: MetaData, ids: Iterable[str]) -> Mapping[str, str]:
    """Record -> its number, as far as this service knows it."""
    numbered = {id_: stream_of("incident", id_) if id_.startswith("clock-") else id_ for id_ in ids}
    table = metadata.tables.get("numbers")
    if table is None or not numbered:
        return {}
    found = await connection.execute(select(table).where(table.c.stream_id.in_(sorted({*numbered.values()}))))
    known = {
        row["stream_id"]: Series(row["unit"], row["year"], row["mark"]).number(row["count"]) for row in found.mappings()
    }
    return {id_: known[record] for id_, record in numbered.items() if record in known}
