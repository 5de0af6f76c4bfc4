"""What every service knows of the offices: the tree of units, and the policy pack in force for each.

Both come as events of triage; every service keeps them in two views of its own and reads them as one snapshot.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import instant
from schemas.offices import PolicyPackAssigned, UnitPlaced
from services.kernel.core.units import LoadedPack, Offices, Unit
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def tables(metadata: MetaData) -> None:
    """Adds the two tables, `units` and `packs_assigned`, to a service's metadata."""
    Table(
        "units",
        metadata,
        Column("unit", key(64), primary_key=True),
        Column("since", key(27), primary_key=True),
        Column("until", key(27)),
        Column("kind", key(16), nullable=False),
        Column("name", key(100), nullable=False),
        Column("parent", key(64)),
        Column("stream_id", key(64), nullable=False),
        Column("version", Integer, nullable=False),
    )
    Table(
        "packs_assigned",
        metadata,
        Column("unit", key(64), primary_key=True),
        Column("since", key(27), primary_key=True),
        Column("policy", key(200), nullable=False),
        Column("stream_id", key(64), nullable=False),
        Column("version", Integer, nullable=False),
    )


def views(metadata: MetaData) -> tuple[View, View]:
    """The views of every service: the unit tree and the packs assigned."""
    units, assigned = metadata.tables["units"], metadata.tables["packs_assigned"]
    return View(units, _unit_keys, _place), View(assigned, _pack_keys, _assign)


def _unit_keys(event: Event) -> list[Key]:
    if event.kind != "unit" or not isinstance(event.data, UnitPlaced):
        return []
    return [(event.data.unit, instant(event.data.since))]


def _place(key: Key, row: Row | None, event: Event) -> Row | None:
    data: UnitPlaced = event.data
    if row is not None and row["version"] > event.version:
        return row
    return {
        "unit": data.unit,
        "since": instant(data.since),
        "until": instant(data.until) if data.until else None,
        "kind": data.kind,
        "name": data.name,
        "parent": data.parent,
        "stream_id": event.stream,
        "version": event.version,
    }


def _pack_keys(event: Event) -> list[Key]:
    if event.kind != "policy" or not isinstance(event.data, PolicyPackAssigned):
        return []
    return [(event.data.unit, instant(event.data.since))]


def _assign(key: Key, row: Row | None, event: Event) -> Row | None:
    data: PolicyPackAssigned = event.data
    return {
        "unit": data.unit,
        "since": instant(data.since),
        "policy": data.policy,
        "stream_id": event.stream,
        "version": event.version,
    }


async def snapshot(
    connection: AsyncConnection, metadata: MetaData, packs: Mapping[str, LoadedPack], now: datetime
) -> Offices:
    """The offices as they stand at `now`, from the service's own views."""
    units_table, assigned_table = metadata.tables["units"], metadata.tables["packs_assigned"]
    at = instant(now)
    units: dict[str, Unit | None] = {}
    assigned: dict[str, str] = {}
    basis: dict[str, int] = {}
    for row in (await connection.execute(select(units_table).order_by(units_table.c.since))).mappings():
        basis[row["stream_id"]] = max(basis.get(row["stream_id"], 0), row["version"])
        if row["since"] <= at:
            units[row["unit"]] = _unit(row) if row["until"] is None or row["until"] > at else None
    for row in (await connection.execute(select(assigned_table).order_by(assigned_table.c.since))).mappings():
        basis[row["stream_id"]] = max(basis.get(row["stream_id"], 0), row["version"])
        if row["since"] <= at:
            assigned[row["unit"]] = row["policy"]
    return Offices(
        units={code: unit for code, unit in units.items() if unit is not None},
        assigned=assigned,
        packs=packs,
        basis=tuple(f"{stream}@{version}" for stream, version in sorted(basis.items())),
    )


def _unit(row: Any) -> Unit:
    return Unit(row["unit"], row["kind"], row["name"], row["parent"])
