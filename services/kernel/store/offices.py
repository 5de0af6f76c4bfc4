"""What every service knows of the offices: the tree of units, their posts, the policy packs, and revoked tokens.

Triage's events bring all of it but the keys by which posts sign, which publish makes. Each service keeps it in its own
views and reads it as one snapshot.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

import structlog
from sqlalchemy import Boolean, Column, Integer, MetaData, Table, Text, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import upcast
from schemas.envelope import Event
from schemas.fields import instant, parse_instant
from schemas.offices import (
    PolicyPackAssigned,
    PolicyPackLoaded,
    PolicyPeriodClosed,
    PolicyPeriodOpened,
    PolicyValueSet,
    UnitDaysSet,
    UnitDelegationEnded,
    UnitDelegationGiven,
    UnitOfficerNamed,
    UnitPlaced,
    UnitPostPlaced,
    UnitSiteNamed,
    UnitTokenRevoked,
)
from schemas.operation import SIGNS, OperationPostKeyMade, OperationPostKeyRevoked
from schemas.pack.clocks import Window
from services.kernel.core.days import OwnDays, Span
from services.kernel.core.lists import Lists
from services.kernel.core.units import (
    Delegation,
    LoadedPack,
    Offices,
    Post,
    PostKey,
    SetValue,
    SpecialPeriod,
    Unit,
    recorded,
)
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

logger = structlog.get_logger()


def tables(metadata: MetaData) -> None:
    """Adds the tables of units, posts, packs and what is set for them, of the site's name, and of revoked tokens."""
    Table(
        "units",
        metadata,
        Column("unit", key(64), primary_key=True),
        Column("since", key(27), primary_key=True),
        Column("until", key(27)),
        Column("kind", key(16), nullable=False),
        Column("name", key(100), nullable=False),
        Column("parent", key(64)),
        Column("drill", Boolean, nullable=False),
        Column("stream_id", key(64), nullable=False),
        Column("version", Integer, nullable=False),
    )
    Table(
        "posts",
        metadata,
        Column("unit", key(64), primary_key=True),
        Column("code", key(60), primary_key=True),
        Column("since", key(27), primary_key=True),
        Column("until", key(27)),
        Column("title", key(100), nullable=False),
        Column("roles", Text, nullable=False),
        Column("head", Boolean, nullable=False),
        Column("members", Text, nullable=False),
        Column("duty_post", key(130)),
        Column("serves", Text, nullable=False),
        Column("stream_id", key(64), nullable=False),
        Column("version", Integer, nullable=False),
    )
    Table(
        "packs",
        metadata,
        Column("policy", key(200), primary_key=True),
        Column("canonical", Text, nullable=False),
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
    Table(
        "values_set",
        metadata,
        Column("stream_id", key(64), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("unit", key(64), nullable=False),
        Column("pack", key(30), nullable=False),
        Column("place", key(100), nullable=False),
        Column("value", Text, nullable=False),
        Column("since", key(27), nullable=False),
    )
    Table(
        "own_days",
        metadata,
        Column("unit", key(64), primary_key=True),
        Column("version", Integer, primary_key=True),
        Column("since", key(10), nullable=False),
        Column("until", key(10), nullable=False),
        Column("days", key(16)),
        Column("windows", Text),
        Column("stream_id", key(64), nullable=False),
    )
    Table(
        "periods",
        metadata,
        Column("unit", key(64), primary_key=True),
        Column("period", key(100), primary_key=True),
        Column("since", key(27), primary_key=True),
        Column("until", key(27)),
        Column("stream_id", key(64), nullable=False),
        Column("version", Integer, nullable=False),
    )
    Table(
        "delegations",
        metadata,
        Column("delegation", key(36), primary_key=True),
        Column("post", key(130), nullable=False),
        Column("to", key(130), nullable=False),
        Column("since", key(27), nullable=False),
        Column("until", key(27), nullable=False),
        Column("stream_id", key(64), nullable=False),
        Column("version", Integer, nullable=False),
    )
    Table(
        "officers",
        metadata,
        Column("unit", key(64), primary_key=True),
        Column("post", key(130), nullable=False),
        Column("stream_id", key(64), nullable=False),
        Column("version", Integer, nullable=False),
    )
    Table(
        "site_names",
        metadata,
        Column("stream_id", key(64), primary_key=True),
        Column("version", Integer, nullable=False),
        Column("name", key(100), nullable=False),
    )
    Table(
        "post_keys",
        metadata,
        Column("kid", key(64), primary_key=True),
        Column("post", key(130)),
        Column("public", key(64)),
        Column("made_at", key(27)),
        Column("revoked_at", key(27)),
        Column("version", Integer, nullable=False),
    )
    Table("revoked_tokens", metadata, Column("token", key(36), primary_key=True))


def changes(event: Event) -> bool:
    """Whether the event changes the offices."""
    return event.kind in ("unit", "policy") or of_key(event)


def of_key(event: Event) -> bool:
    """Whether the event makes or ends a key of a post."""
    return event.type in KEY_EVENTS and event.service == SIGNS


def views(metadata: MetaData) -> tuple[View, ...]:
    """The views of every service."""
    tables = metadata.tables
    return (
        View(tables["units"], _unit_keys, _place, ("unit",)),
        View(tables["posts"], _post_keys, _place_post, ("unit",)),
        View(tables["packs"], _loaded_keys, _load, ("policy",)),
        View(tables["packs_assigned"], _assigned_keys, _assign, ("policy",)),
        View(tables["values_set"], _value_keys, _value, ("policy",)),
        View(tables["own_days"], _days_keys, _days, ("unit",)),
        View(tables["periods"], _period_keys, _period, ("policy",)),
        View(tables["delegations"], _delegation_keys, _delegation, ("unit",)),
        View(tables["officers"], _officer_keys, _officer, ("unit",)),
        View(tables["site_names"], _name_keys, _name, ("unit",)),
        View(tables["post_keys"], _post_key_keys, _post_key, ("operation",)),
        View(tables["revoked_tokens"], _token_keys, _revoke, ("unit",)),
    )


def _unit_keys(event: Event) -> list[Key]:
    if not isinstance(event.data, UnitPlaced):
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
        "drill": data.drill,
        "stream_id": event.stream,
        "version": event.version,
    }


def _post_keys(event: Event) -> list[Key]:
    if not isinstance(event.data, UnitPostPlaced):
        return []
    return [(event.data.unit, event.data.code, instant(event.data.since))]


def _place_post(key: Key, row: Row | None, event: Event) -> Row | None:
    data: UnitPostPlaced = event.data
    if row is not None and row["version"] > event.version:
        return row
    return {
        "unit": data.unit,
        "code": data.code,
        "since": instant(data.since),
        "until": instant(data.until) if data.until else None,
        "title": data.title,
        "roles": ",".join(data.roles),
        "head": data.head,
        "members": ",".join(data.members),
        "duty_post": data.duty_post,
        "serves": ",".join(data.serves),
        "stream_id": event.stream,
        "version": event.version,
    }


def _loaded_keys(event: Event) -> list[Key]:
    if not isinstance(event.data, PolicyPackLoaded):
        return []
    return [(_ref(event.data),)]


def _ref(pack: PolicyPackLoaded) -> str:
    return f"{pack.pack}@{pack.version}#{pack.digest}"


def _load(key: Key, row: Row | None, event: Event) -> Row | None:
    data: PolicyPackLoaded = event.data
    return {"policy": key[0], "canonical": data.canonical, "stream_id": event.stream, "version": event.version}


def _assigned_keys(event: Event) -> list[Key]:
    if not isinstance(event.data, PolicyPackAssigned):
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


def _value_keys(event: Event) -> list[Key]:
    return [(event.stream, event.version)] if isinstance(event.data, PolicyValueSet) else []


def _value(key: Key, row: Row | None, event: Event) -> Row | None:
    data: PolicyValueSet = event.data
    value = data.value if data.limit is None else data.limit.model_dump(exclude_none=True)
    return {
        "version": event.version,
        "unit": data.unit,
        "pack": data.pack,
        "place": data.place,
        "value": json.dumps(value, sort_keys=True),
        "since": instant(data.since),
        "stream_id": event.stream,
    }


def _days_keys(event: Event) -> list[Key]:
    if not isinstance(event.data, UnitDaysSet):
        return []
    return [(event.data.unit, event.version)]


def _days(key: Key, row: Row | None, event: Event) -> Row | None:
    data: UnitDaysSet = event.data
    windows = None if data.windows is None else ",".join(f"{window.since}-{window.to}" for window in data.windows)
    return {
        "unit": data.unit,
        "version": event.version,
        "since": data.since,
        "until": data.until,
        "days": data.days,
        "windows": windows,
        "stream_id": event.stream,
    }


def _period_keys(event: Event) -> list[Key]:
    if isinstance(event.data, PolicyPeriodOpened | PolicyPeriodClosed):
        return [(event.data.unit, event.data.period, instant(event.data.since))]
    return []


def _period(key: Key, row: Row | None, event: Event) -> Row | None:
    if row is not None and row["version"] > event.version:
        return row
    until = instant(event.data.until) if isinstance(event.data, PolicyPeriodClosed) else None
    unit, period, since = key
    known = {"stream_id": event.stream, "version": event.version}
    return {"unit": unit, "period": period, "since": since, "until": until, **known}


def _delegation_keys(event: Event) -> list[Key]:
    if isinstance(event.data, UnitDelegationGiven | UnitDelegationEnded):
        return [(event.data.delegation,)]
    return []


def _delegation(key: Key, row: Row | None, event: Event) -> Row | None:
    known = {"stream_id": event.stream, "version": event.version}
    match event.data:
        case UnitDelegationGiven() as data:
            since, until = instant(data.since), instant(data.until)
            return {"delegation": key[0], "post": data.post, "to": data.to, "since": since, "until": until, **known}
        case _:
            return None if row is None else row | known | {"until": min(row["until"], event.time_text)}


def _officer_keys(event: Event) -> list[Key]:
    return [(event.data.unit,)] if isinstance(event.data, UnitOfficerNamed) else []


def _officer(key: Key, row: Row | None, event: Event) -> Row | None:
    if row is not None and row["version"] > event.version:
        return row
    return {"unit": key[0], "post": event.data.post, "stream_id": event.stream, "version": event.version}


def _name_keys(event: Event) -> list[Key]:
    return [(event.stream,)] if isinstance(event.data, UnitSiteNamed) else []


def _name(key: Key, row: Row | None, event: Event) -> Row | None:
    if row is not None and row["version"] > event.version:
        return row
    return {"stream_id": key[0], "version": event.version, "name": event.data.name}


PROVING = upcast.types_of(OperationPostKeyMade, PolicyPackLoaded)
"""The types of the events for which a signed event may wait, see `signatures.Awaited`."""
KEY_EVENTS = upcast.types_of(OperationPostKeyMade, OperationPostKeyRevoked)
"""The types of the events that make and end keys of posts."""


def _post_key_keys(event: Event) -> list[Key]:
    return [(event.data.key,)] if of_key(event) else []


def _post_key(key: Key, row: Row | None, event: Event) -> Row | None:
    """Making and revocation may stand in streams of different days, so for a moment a row may know only the second."""
    row = row or {"kid": key[0], "post": None, "public": None, "made_at": None, "revoked_at": None, "version": 0}
    match event.data:
        case OperationPostKeyMade() as data if row["made_at"] is None or event.time_text < row["made_at"]:
            row |= {"post": data.post, "public": data.public, "made_at": event.time_text}
        case OperationPostKeyRevoked() if row["revoked_at"] is None or event.time_text < row["revoked_at"]:
            row |= {"revoked_at": event.time_text}
    return row | {"version": (row["public"] is not None) + 2 * (row["revoked_at"] is not None)}


def _token_keys(event: Event) -> list[Key]:
    return [(event.data.token,)] if isinstance(event.data, UnitTokenRevoked) else []


def _revoke(key: Key, row: Row | None, event: Event) -> Row | None:
    return {"token": key[0]}


Mark = tuple[tuple[str, int, int], ...]
"""Of each table: its name, and the number and the sum of versions of its rows. Each event of an office changes one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The offices as they stood at an instant."""

    offices: Offices
    mark: Mark
    taken: str
    until: str | None
    """The first instant after it at which something begins or ends; None if nothing is to come."""

    def holds(self, mark: Mark, now: datetime) -> bool:
        """Whether the offices are the same at another instant, while the tables have a mark."""
        at = instant(now)
        return mark == self.mark and self.taken <= at and (self.until is None or at < self.until)


async def mark(connection: AsyncConnection, metadata: MetaData) -> Mark:
    """The mark of the tables that a snapshot reads. It costs far less than a snapshot."""
    return tuple((name, *numbers) for name, *numbers in await connection.execute(_marks(metadata)))


def _marks(metadata: MetaData) -> Any:
    found = []
    for name in (
        "units",
        "posts",
        "packs",
        "packs_assigned",
        "values_set",
        "own_days",
        "periods",
        "delegations",
        "officers",
        "site_names",
        "post_keys",
    ):
        table = metadata.tables[name]
        versions = func.coalesce(func.sum(table.c.version), 0)
        found.append(select(literal(name), func.count(), versions).select_from(table))
    return union_all(*found)


async def snapshot(
    connection: AsyncConnection, metadata: MetaData, packs: dict[str, LoadedPack], now: datetime, lists: Lists
) -> Snapshot:
    """The offices at the time `now`, from the service's own views.

    `packs` are those that the process has read before. Further ones are read and added: a pack never changes.
    """
    at = instant(now)
    # First the mark: what is written meanwhile changes it.
    known = await mark(connection, metadata)
    basis: dict[str, int] = {}
    instants: list[str] = []

    async def begun(name: str) -> dict[tuple[Any, ...], Any]:
        """Of the rows that have begun: the one that began last."""
        table = metadata.tables[name]
        identity = [column.name for column in table.primary_key if column.name != "since"]
        found: dict[tuple[Any, ...], Any] = {}
        for row in (await connection.execute(select(table).order_by(table.c.since))).mappings():
            basis[row["stream_id"]] = max(basis.get(row["stream_id"], 0), row["version"])
            instants.extend(_instants(row))
            if row["since"] <= at:
                found[tuple(row[column] for column in identity)] = row
        return found

    def stands(row: Any) -> bool:
        return not row.get("until") or row["until"] > at

    places, assigned = await begun("units"), await begun("packs_assigned")
    units = {unit: _unit(row) for (unit,), row in places.items() if stands(row)}
    posts: dict[str, dict[str, Post]] = {unit: {} for unit in units}
    for (unit, code), row in (await begun("posts")).items():
        if unit in posts and stands(row):
            posts[unit][code] = _post(row)
    values, table = [], metadata.tables["values_set"]
    for row in (await connection.execute(select(table).order_by(table.c.since, table.c.version))).mappings():
        basis[row["stream_id"]] = max(basis.get(row["stream_id"], 0), row["version"])
        instants.extend(_instants(row))
        if row["since"] <= at:
            since = parse_instant(row["since"])
            values.append(SetValue(row["unit"], row["pack"], row["place"], row["value"], since))
    days: dict[str, tuple[Span, ...]] = {}
    own = metadata.tables["own_days"]
    for row in (await connection.execute(select(own).order_by(own.c.version))).mappings():
        basis[row["stream_id"]] = max(basis.get(row["stream_id"], 0), row["version"])
        days[row["unit"]] = (_span(row), *days.get(row["unit"], ()))
    periods, special = [], metadata.tables["periods"]
    for row in (await connection.execute(select(special).order_by(special.c.since, special.c.version))).mappings():
        basis[row["stream_id"]] = max(basis.get(row["stream_id"], 0), row["version"])
        instants.extend(_instants(row))
        until = parse_instant(row["until"]) if row["until"] else None
        periods.append(SpecialPeriod(row["period"], parse_instant(row["since"]), until, row["unit"]))
    delegations = []
    of = metadata.tables["delegations"]
    for row in (await connection.execute(select(of).order_by(of.c.since, of.c.delegation))).mappings():
        basis[row["stream_id"]] = max(basis.get(row["stream_id"], 0), row["version"])
        instants.extend(_instants(row))
        if row["until"] > at:
            since, until = parse_instant(row["since"]), parse_instant(row["until"])
            delegations.append(Delegation(row["post"], row["to"], since, until, row["delegation"]))
    officers, named = dict[str, str](), metadata.tables["officers"]
    for row in (await connection.execute(select(named).order_by(named.c.unit))).mappings():
        basis[row["stream_id"]] = max(basis.get(row["stream_id"], 0), row["version"])
        officers[row["unit"]] = row["post"]
    sites = (await connection.execute(select(metadata.tables["site_names"]))).mappings().all()
    basis |= {row["stream_id"]: row["version"] for row in sites}
    signing = (await connection.execute(select(metadata.tables["post_keys"]))).mappings().all()
    found = Offices(
        units=units,
        assigned={unit: row["policy"] for (unit,), row in assigned.items()},
        packs=await _packs(connection, metadata.tables["packs"], packs),
        lists=lists,
        basis=tuple(f"{stream}@{version}" for stream, version in sorted(basis.items())),
        posts=posts,
        values=tuple(values),
        days={unit: OwnDays(spans) for unit, spans in days.items()},
        periods=tuple(periods),
        delegations=tuple(delegations),
        officers=officers,
        site_name=sites[0]["name"] if sites else None,
        post_keys={row["kid"]: _key_of(row) for row in signing if row["public"]},
        former={unit: _unit(row) for (unit,), row in places.items() if not stands(row)},
    )
    return Snapshot(found, known, at, min((one for one in instants if one > at), default=None))


def with_events(offices: Offices, events: Iterable[Event]) -> Offices:
    """The offices with the keys and packs of further events, which are not in the tables yet."""
    keys, packs = dict(offices.post_keys), dict(offices.packs)
    for event in events:
        match event.data:
            case OperationPostKeyMade() as data:
                keys.setdefault(data.key, PostKey(data.post, data.public, event.time))
            case OperationPostKeyRevoked() as data if data.key in keys:
                keys[data.key] = replace(keys[data.key], revoked_at=keys[data.key].revoked_at or event.time)
            case PolicyPackLoaded() as data:
                with suppress(ValueError):
                    packs.setdefault(_ref(data), recorded(_ref(data), data.canonical))
    return replace(offices, post_keys=keys, packs=packs)


PLACING = upcast.types_of(UnitPlaced, PolicyPackAssigned)
"""The types of the events that make the tree of units and say which pack is in force where."""


class Placements(NamedTuple):
    """What events of these types make: rows by their keys."""

    units: Mapping[Key, Row | None]
    packs: Mapping[Key, Row | None]


def placements(events: Iterable[Event]) -> Placements:
    """The placements by these events, which are in order."""
    units, packs = dict[Key, Row | None](), dict[Key, Row | None]()
    for event in events:
        for key_ in _unit_keys(event):
            units[key_] = _place(key_, units.get(key_), event)
        for key_ in _assigned_keys(event):
            packs[key_] = _assign(key_, packs.get(key_), event)
    return Placements(units, packs)


def as_placed(known: Offices, placed: Placements, until: str) -> Offices:
    """The offices with the tree and the packs in force that these placements alone give them, at an instant.

    Before the first place or pack, the first ones count; without any, those that are known.
    """
    places, assigned = _begun(placed.units.values(), until), _begun(placed.packs.values(), until)
    ended = {unit for unit, row in places.items() if row["until"] and row["until"] <= until}
    if places:
        there = {unit: _unit(row) for unit, row in places.items() if unit not in ended}
        known = replace(known, units=there, former={unit: _unit(places[unit]) for unit in sorted(ended)})
    return replace(known, assigned={unit: row["policy"] for unit, row in assigned.items()}) if assigned else known


def _begun(rows: Iterable[Row | None], until: str) -> dict[str, Row]:
    """Unit -> of its rows that have begun the one that began last."""
    in_turn = sorted((row for row in rows if row is not None), key=lambda row: row["since"])
    first = in_turn[0]["since"] if in_turn else until
    return {row["unit"]: row for row in in_turn if row["since"] <= max(until, first)}


def _key_of(row: Any) -> PostKey:
    revoked_at = parse_instant(row["revoked_at"]) if row["revoked_at"] else None
    return PostKey(row["post"], row["public"], parse_instant(row["made_at"]), revoked_at)


def _instants(row: Any) -> Iterator[str]:
    """When what a row says begins and ends."""
    yield row["since"]
    if until := row.get("until"):
        yield until


def _span(row: Any) -> Span:
    windows = row["windows"]
    parts = None if windows is None else [part.split("-") for part in windows.split(",") if part]
    return Span(
        date.fromisoformat(row["since"]),
        date.fromisoformat(row["until"]),
        row["days"],
        None if parts is None else tuple(Window.model_validate({"from": begin, "to": end}) for begin, end in parts),
    )


async def _packs(connection: AsyncConnection, table: Table, known: dict[str, LoadedPack]) -> dict[str, LoadedPack]:
    refs = (await connection.execute(select(table.c.policy).order_by(table.c.policy))).scalars().all()
    if further := [ref for ref in refs if ref not in known]:
        chosen = select(table.c.policy, table.c.canonical).where(table.c.policy.in_(further))
        for ref, text in await connection.execute(chosen):
            try:
                known[ref] = recorded(ref, text)
            except ValueError:
                # Only the matters of this pack wait.
                logger.exception("pack.unreadable", pack=ref)
    return {ref: known[ref] for ref in refs if ref in known}


def _unit(row: Any) -> Unit:
    return Unit(row["unit"], row["kind"], row["name"], row["parent"], bool(row["drill"]))


def _post(row: Any) -> Post:
    roles, members, serves = (tuple(filter(None, row[name].split(","))) for name in ("roles", "members", "serves"))
    return Post(row["code"], row["title"], frozenset(roles), row["head"], members, row["duty_post"], serves)
