"""The units that take part in each incident, as a service knows them: two tables, folded from triage's events."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlalchemy import Column, ColumnElement, Index, Integer, MetaData, Table, Text, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.standing import Change
from services.kernel.core.standings import Moment, Standing, Units
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

ChangeOf = Callable[[Any], Change | None]
"""The changes that an event's data makes."""


def tables(metadata: MetaData) -> None:
    """Adds the tables `standings` and `standing_units` to a service's metadata.

    `verifying` and `helping` hold codes with a space around each, `past` a `unit@version@recordedtime` for each unit
    that has no part any more. `standing_units` finds the incidents in which a unit takes part or took part.
    """
    Table(
        "standings",
        metadata,
        Column("incident_id", key(), primary_key=True),
        Column("accountable", key()),
        Column("assigned", key()),
        Column("verifying", Text, nullable=False),
        Column("helping", Text, nullable=False),
        Column("past", Text, nullable=False),
        Column("merged_version", Integer),
        Column("merged_at", key(27)),
        Column("merged_into", key()),
    )
    Table(
        "standing_units",
        metadata,
        Column("incident_id", key(), primary_key=True),
        Column("unit", key(), primary_key=True),
        Index(None, "unit"),
    )


def views(metadata: MetaData, change_of: ChangeOf) -> tuple[View, View]:
    """The two views; `change_of` reads triage's events."""

    def keys(event: Event) -> list[Key]:
        return [(event.stream,)] if change_of(event.data) else []

    def apply(key: Key, row: Row | None, event: Event) -> Row | None:
        change = change_of(event.data)
        standing = standing_in(row) if row else Standing()
        return _row(key[0], standing.after(change, Moment(event.version, event.recorded_text))) if change else row

    def unit_keys(event: Event) -> list[Key]:
        change = change_of(event.data)
        return [(event.stream, change.unit)] if change and change.unit else []

    def unit(key: Key, row: Row | None, event: Event) -> Row:
        return {"incident_id": key[0], "unit": key[1]}

    return (
        View(metadata.tables["standings"], keys, apply, ("incident",), one_stream=True),
        View(metadata.tables["standing_units"], unit_keys, unit, ("incident",), one_stream=True),
    )


def _row(incident: str, standing: Standing) -> Row:
    merged = standing.merged
    return {
        "incident_id": incident,
        "accountable": standing.accountable,
        "assigned": standing.assigned,
        "verifying": _codes(standing.verifying),
        "helping": _codes(standing.helping),
        "past": " ".join(f"{unit}@{version}@{at}" for unit, (version, at) in sorted(standing.past.items())),
        "merged_version": merged.version if merged else None,
        "merged_at": merged.at if merged else None,
        "merged_into": standing.into,
    }


def _codes(units: Iterable[str]) -> str:
    return "".join(f" {unit} " for unit in sorted(units))


def standing_in(row: Mapping[str, Any]) -> Standing:
    """The standing in a row of `standings`."""
    past = (entry.split("@") for entry in row["past"].split())
    return Standing(
        accountable=row["accountable"],
        assigned=row["assigned"],
        verifying=frozenset(row["verifying"].split()),
        helping=frozenset(row["helping"].split()),
        past={unit: Moment(int(version), at) for unit, version, at in past},
        merged=Moment(row["merged_version"], row["merged_at"]) if row["merged_at"] else None,
        into=row["merged_into"],
    )


async def read(connection: AsyncConnection, metadata: MetaData, incidents: Iterable[str]) -> dict[str, Standing]:
    """The standings of incidents, and of the incidents where they go on.

    Incidents that this service does not know are absent.
    """
    table, found = metadata.tables["standings"], dict[str, Standing]()
    asked, wanted = set[str](), set(incidents)
    while wanted := wanted - asked:
        asked |= wanted
        rows = await connection.execute(select(table).where(table.c.incident_id.in_(sorted(wanted))))
        found |= {row["incident_id"]: standing_in(dict(row)) for row in rows.mappings()}
        wanted = {standing.into for standing in found.values() if standing.into}
    return found


def concerns(metadata: MetaData, incident: ColumnElement[str], units: Units) -> ColumnElement[bool]:
    """Whether one of `units` has a part in an incident, or had one when it was merged."""
    if units is None:
        return true()
    standings, of = metadata.tables["standings"], metadata.tables["standing_units"]
    named = literal("% ") + of.c.unit + literal(" %")
    beside = or_(standings.c.verifying.like(named), standings.c.helping.like(named))
    # For each row that is looked at, since a list looks at few: a unit above may have a part in every matter there is.
    chosen = (
        select(of.c.incident_id)
        .join(standings, standings.c.incident_id == of.c.incident_id)
        .where(
            of.c.incident_id == incident,
            of.c.unit.in_(sorted(units)),
            or_(standings.c.accountable == of.c.unit, standings.c.assigned == of.c.unit, beside),
        )
    )
    return chosen.correlate_except(of, standings).exists()
