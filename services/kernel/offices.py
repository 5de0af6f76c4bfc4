"""The tree of units and the policy pack in force for each: what every service knows of the offices.

Both come as events of triage; every service keeps them in two views of its own and reads them as one snapshot.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import instant
from schemas.triage import PolicyPackAssigned, UnitPlaced
from services.kernel.columns import key
from services.kernel.policy import LoadedPack
from services.kernel.problems import Malformed, Unavailable
from services.kernel.views import Key, Row, View


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as it stands at a time."""

    code: str
    kind: str
    name: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class Offices:
    """Units and packs at one moment. `basis` names the versions of triage's streams that it stands on."""

    units: Mapping[str, Unit] = field(default_factory=dict)
    assigned: Mapping[str, str] = field(default_factory=dict)
    """Unit -> policy reference."""
    packs: Mapping[str, LoadedPack] = field(default_factory=dict)
    basis: tuple[str, ...] = ()

    def known(self) -> None:
        """Raises `Unavailable` as long as the units have not come from triage."""
        if not self.units:
            raise Unavailable("the units have not come from triage yet; try again in a moment", 2)

    def unit(self, code: str, field: str = "unit") -> Unit:
        """The unit, or `Malformed` with the field's name where no unit has this code; `Unavailable` before any came."""
        self.known()
        found = self.units.get(code)
        if found is None:
            raise Malformed(f"no unit has the code {code!r}; known are {', '.join(sorted(self.units))}", field=field)
        return found

    def parent(self, code: str) -> str | None:
        unit = self.units.get(code)
        return unit.parent if unit else None

    def above(self, code: str) -> tuple[str, ...]:
        """The unit itself and those above it, upward."""
        chain: list[str] = []
        at: str | None = code
        while at is not None and at not in chain:
            chain.append(at)
            at = self.parent(at)
        return tuple(chain)

    def within(self, code: str, root: str | None) -> bool:
        """Whether the unit is `root` or stands below it."""
        return root is not None and root in self.above(code)

    def below(self, root: str) -> frozenset[str]:
        """`root` and every unit below it."""
        return frozenset(code for code in self.units if self.within(code, root))

    def pack(self, code: str) -> LoadedPack:
        """The pack in force for the unit: its own, or that of the nearest unit above.

        Raises `Unavailable` where none is assigned or this service does not have the file of that digest.
        """
        for unit in self.above(code):
            if ref := self.assigned.get(unit):
                if pack := self.packs.get(ref):
                    return pack
                raise Unavailable(
                    f"the pack {ref} in force for {unit} is not among this service's policies; "
                    "give it the same policy folder as triage"
                )
        raise Unavailable(f"no policy pack is in force for {code} yet")


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
