"""Subscriptions and keys of integrations as they are now, folded from events; and how far the sending is, which no
event tells.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from schemas import upcast
from schemas.envelope import Event
from schemas.operation import (
    OperationKeyMade,
    OperationKeyRevoked,
    OperationSubscriptionDisabled,
    OperationSubscriptionEnded,
    OperationSubscriptionMade,
    OperationSubscriptionRenewed,
    OperationSubscriptionReplayed,
)
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

CHANGES = (
    OperationSubscriptionMade,
    OperationSubscriptionEnded,
    OperationSubscriptionRenewed,
    OperationSubscriptionReplayed,
    OperationSubscriptionDisabled,
)
KEY_EVENTS = upcast.types_of(OperationKeyMade, OperationKeyRevoked)
"""The types of events about keys of integrations, which audit follows."""


def tables(metadata: MetaData) -> tuple[Table, Table, Table, Table, Table]:
    """Adds the tables to audit's metadata: subscriptions, keys, secrets, progress, deliveries."""
    return (
        Table(
            "subscriptions",
            metadata,
            Column("id", key(), primary_key=True),
            Column("unit", key(64), nullable=False),
            Column("integration", key()),
            Column("address", key(36), nullable=False),
            Column("types", Text, nullable=False),
            Column("drills", Boolean, nullable=False),
            Column("by", key(130), nullable=False),
            Column("made_at", key(27), nullable=False),
            Column("state", key(20), nullable=False),
            Column("cause", key(40)),
            Column("start", BigInteger, nullable=False),
            Column("run", Integer, nullable=False),
            Column("secret", Integer, nullable=False),
            Index(None, "unit"),
        ),
        Table(
            "integration_keys",
            metadata,
            Column("id", key(), primary_key=True),
            Column("digest", key(64)),
            Column("integration", key()),
            Column("unit", key(64)),
            Column("scope", key(32)),
            Column("revoked_at", key(27)),
            Index(None, "digest"),
            Index(None, "integration"),
        ),
        Table(
            "subscription_secrets",
            metadata,
            Column("id", key(), primary_key=True),
            Column("sealed", LargeBinary, nullable=False),
        ),
        Table(
            "subscription_progress",
            metadata,
            Column("id", key(), primary_key=True),
            Column("run", Integer, nullable=False),
            Column("position", BigInteger, nullable=False),
            Column("tries", Integer, nullable=False),
            Column("since", key(27)),
            Column("next_at", key(27)),
            Column("error", key(40)),
        ),
        Table(
            "subscription_deliveries",
            metadata,
            Column("id", key(), primary_key=True),
            Column("position", BigInteger, primary_key=True, autoincrement=False),
            Column("event", key(36), nullable=False),
            Column("type", key(100), nullable=False),
            Column("tries", Integer, nullable=False),
            Column("error", key(40)),
            Column("at", key(27), nullable=False),
        ),
    )


def _keys(event: Event) -> list[Key]:
    data = event.data
    return [(data.subscription,)] if event.service == "audit" and isinstance(data, CHANGES) else []


def _row(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case OperationSubscriptionMade() as data:
            return {
                "id": key[0],
                "unit": data.unit,
                "integration": data.integration,
                "address": data.address.ref,
                "types": ",".join(data.types),
                "drills": data.drills,
                "by": event.actor,
                "made_at": event.recorded_text,
                "state": "active",
                "cause": None,
                "start": data.position,
                "run": 1,
                "secret": 1,
            }
        case OperationSubscriptionRenewed() if row is not None:
            return {**row, "secret": row["secret"] + 1}
        case OperationSubscriptionReplayed() as data if row is not None and row["state"] != "ended":
            return {**row, "state": "active", "cause": None, "start": data.position, "run": row["run"] + 1}
        case OperationSubscriptionDisabled() as data if row is not None and row["state"] != "ended":
            return {**row, "state": "disabled", "cause": data.cause}
        case OperationSubscriptionEnded() if row is not None:
            return {**row, "state": "ended"}
    return row


def _key_keys(event: Event) -> list[Key]:
    if event.service == "ingest":
        match event.data:
            case OperationKeyMade(key=key) | OperationKeyRevoked(key=key):
                return [(key,)]
    return []


def _key(key: Key, row: Row | None, event: Event) -> Row:
    empty = dict.fromkeys(("digest", "integration", "unit", "scope", "revoked_at"))
    row = row or {"id": key[0], **empty}
    match event.data:
        case OperationKeyMade() as data:
            return {**row, **data.model_dump(include={"digest", "integration", "unit", "scope"})}
        case OperationKeyRevoked():
            return {**row, "revoked_at": row["revoked_at"] or event.recorded_text}
    return row


def views(subscriptions: Table, keys: Table) -> tuple[View, View]:
    """The views of the first two tables."""
    return View(subscriptions, _keys, _row, ("operation",)), View(keys, _key_keys, _key, ("operation",))
