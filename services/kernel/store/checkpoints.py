"""The tables in which every service keeps the keys of the log of all events, and its newest checkpoint."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.checkpoints import CHECKPOINTS, CheckpointKeyMade, CheckpointKeyRevoked, CheckpointSigned
from schemas.envelope import Event
from services.kernel.access.checkpoints import Kept
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

KIND = "checkpoint"


def tables(metadata: MetaData) -> None:
    """Adds the tables."""
    Table(
        "log_keys",
        metadata,
        Column("key", key(64), primary_key=True),
        Column("use", key(16), nullable=False),
        Column("name", key(200), nullable=False),
        Column("made_at", key(27), nullable=False),
        Column("revoked_at", key(27)),
    )
    Table(
        "log_kept",
        metadata,
        Column("stream_id", key(64), primary_key=True),
        Column("origin", key(200), nullable=False),
        Column("size", BigInteger, nullable=False),
        Column("root", key(64), nullable=False),
        Column("at", key(27), nullable=False),
    )


def views(metadata: MetaData) -> tuple[View, ...]:
    """The views of every service."""
    return (
        View(metadata.tables["log_keys"], _key_keys, _key, (KIND,)),
        View(metadata.tables["log_kept"], _kept_keys, _kept, (KIND,), one_stream=True),
    )


async def kept(connection: AsyncConnection, tables: Mapping[str, Table]) -> Kept:
    """What this service keeps of the log."""
    keys = tables["log_keys"]
    chosen = select(keys).where(keys.c.use == "log").order_by(keys.c.made_at, keys.c.key)
    rows = (await connection.execute(chosen)).mappings().all()
    newest = (await connection.execute(select(tables["log_kept"]))).mappings().first()
    found = Kept(rows[0]["name"] if rows else None, {row["key"]: row["revoked_at"] is None for row in rows})
    if newest is None:
        return found
    return Kept(found.origin, found.keys, newest["size"], bytes.fromhex(newest["root"]))


def _key_keys(event: Event) -> list[Key]:
    told = event.stream == CHECKPOINTS and isinstance(event.data, CheckpointKeyMade | CheckpointKeyRevoked)
    return [(event.data.key,)] if told else []


def _key(key: Key, row: Row | None, event: Event) -> Row | None:
    """Both stand on one stream, so a key is made before it ends. It ends once."""
    match event.data:
        case CheckpointKeyMade() as data if row is None:
            known: dict[str, Any] = {"use": data.use, "name": data.origin, "made_at": event.time_text}
            return {"key": key[0], **known, "revoked_at": None}
        case CheckpointKeyRevoked() if row is not None and row["revoked_at"] is None:
            return row | {"revoked_at": event.time_text}
    return row


def _kept_keys(event: Event) -> list[Key]:
    return [(event.stream,)] if event.stream == CHECKPOINTS and isinstance(event.data, CheckpointSigned) else []


def _kept(key: Key, row: Row | None, event: Event) -> Row | None:
    data: CheckpointSigned = event.data
    return {
        "stream_id": event.stream,
        "origin": data.origin,
        "size": data.size,
        "root": data.root,
        "at": event.recorded_text,
    }
