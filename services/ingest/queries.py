"""What answers of ingest read: a report as a resource, the owner of a key, files that must go."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from schemas.fields import instant
from schemas.ingest import (
    ReportErased,
    ReportErasureAsked,
    ReportEvidenceAttached,
    ReportReachMeasured,
    ReportReceived,
    ReportRefused,
)
from services.ingest.views import API_KEYS, EVIDENCE, METADATA
from services.kernel.serving import paging
from services.kernel.store.words import resolve


async def events_of(connection: AsyncConnection, stream: str) -> list[Event]:
    """The events of one stream, in order."""
    events = METADATA.tables["events"]
    chosen = select(events.c.bytes).where(events.c.stream_id == stream).order_by(events.c.version)
    return [Event.parse(bytes_) for bytes_ in (await connection.execute(chosen)).scalars()]


async def report(connection: AsyncConnection, events: list[Event]) -> dict[str, Any]:
    """One report from its events, with its words. Times are UTC; `received_at` is when it was recorded."""
    words = await resolve(connection, METADATA, [ref for event in events for ref in event.words.values()])
    body: dict[str, Any] = {"state": "received", "reach": [], "evidence": []}
    for event in events:
        facts = event.data.model_dump(mode="json", exclude_none=True)
        facts |= {name: words(ref) for name, ref in event.words.items()}
        match event.data:
            case ReportReceived():
                for digest in ("match_key", "duplicate", "sent", "receipt", "by"):
                    facts.pop(digest, None)
                body.update(id=event.stream, received_at=instant(event.recorded), **facts)
            case ReportReachMeasured():
                body["reach"].append(facts)
            case ReportEvidenceAttached():
                body["evidence"].append({**facts, "attached_at": instant(event.recorded)})
            case ReportRefused():
                body.update(state="refused", refused=facts["reason"])
            case ReportErasureAsked():
                body.update(erasure_asked=facts["cause"])
            case ReportErased():
                body.pop("erasure_asked", None)
                body.update(state="erased", erased=facts["cause"])
    body["version"] = body["revision"] = sum(event.actor != "system" for event in events)
    return body


def attached(events: list[Event], file: str) -> ReportEvidenceAttached | None:
    """The report's record of an evidence file; None if it has no such file, or not any more."""
    found: ReportEvidenceAttached | None = None
    for event in events:
        match event.data:
            case ReportEvidenceAttached() if event.data.file == file:
                found = event.data
            case ReportErased():
                found = None
    return found


async def key_of(connection: AsyncConnection, digest: str) -> Any:
    """The row of the key with this digest; None if there is none."""
    return (await connection.execute(select(API_KEYS).where(API_KEYS.c.digest == digest))).first()


async def key(connection: AsyncConnection, id_: str) -> Any:
    """The row of the key with this id; None if there is none."""
    chosen = select(API_KEYS).where(API_KEYS.c.id == id_, API_KEYS.c.digest.is_not(None))
    return (await connection.execute(chosen)).first()


async def keys(
    connection: AsyncConnection, units: frozenset[str], cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """The keys of these units, oldest first, without their digests, and the cursor of the next page."""
    columns = [column for column in API_KEYS.columns if column.name != "digest"]
    chosen = select(*columns).where(API_KEYS.c.unit.in_(sorted(units))).order_by(API_KEYS.c.id).limit(limit + 1)
    if cursor is not None:
        chosen = chosen.where(API_KEYS.c.id > paging.place_of(cursor, str)[0])
    rows = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    return paging.page(rows, limit, lambda row: (row["id"],))


async def erased_files(connection: AsyncConnection) -> Sequence[str]:
    """The evidence files of erased reports."""
    return (await connection.execute(select(EVIDENCE.c.file).where(EVIDENCE.c.erased))).scalars().all()
