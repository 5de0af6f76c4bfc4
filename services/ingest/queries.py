"""What answers of ingest read: a report as a resource, the owner of a key, files that must go."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import catalogue
from schemas.envelope import Event
from schemas.fields import instant
from schemas.ingest import (
    ReportErased,
    ReportErasureAsked,
    ReportEvidenceAttached,
    ReportHelpfulnessGiven,
    ReportReachMeasured,
    ReportReceived,
    ReportRefused,
)
from services.ingest.views import (
    ANSWERS,
    API_KEYS,
    BELONGINGS,
    EVIDENCE,
    EXTENSIONS,
    KEY_USES,
    METADATA,
    RECEIPTS,
    REFUSED,
)
from services.kernel.core.units import LoadedPack, Offices
from services.kernel.serving import paging
from services.kernel.store.words import resolve

ERASED = catalogue.type_of(ReportErased)


async def events_of(connection: AsyncConnection, stream: str) -> list[Event]:
    """The events of one stream, in order."""
    events = METADATA.tables["events"]
    chosen = select(events.c.bytes).where(events.c.stream_id == stream).order_by(events.c.version)
    return [Event.parse(bytes_) for bytes_ in (await connection.execute(chosen)).scalars()]


async def report(connection: AsyncConnection, events: list[Event]) -> dict[str, Any]:
    """One report from its events, with its words. Times are UTC; `received_at` is when it was recorded."""
    words = await resolve(connection, METADATA, [ref for event in events for ref in event.words.values()])
    body: dict[str, Any] = {"state": "received", "reach": [], "evidence": [], "helpfulness": []}
    for event in events:
        facts = event.data.model_dump(mode="json", exclude_none=True)
        facts |= {name: words(ref) for name, ref in event.words.items()}
        match event.data:
            case ReportReceived():
                for digest in ("match_key", "place_key", "duplicate", "sent", "receipt", "by"):
                    facts.pop(digest, None)
                body.update(id=event.stream, received_at=instant(event.recorded), **facts)
            case ReportReachMeasured():
                body["reach"].append(facts)
            case ReportEvidenceAttached():
                facts.pop("by", None)
                body["evidence"].append({**facts, "attached_at": instant(event.recorded)})
            case ReportHelpfulnessGiven():
                body["helpfulness"].append({**facts, "at": instant(event.recorded)})
            case ReportRefused():
                body.update(state="refused", refused=facts["reason"])
            case ReportErasureAsked():
                body.update(erasure_asked=facts["cause"])
            case ReportErased():
                body.pop("erasure_asked", None)
                body.update(state="erased", erased=facts["cause"])
    body["version"] = body["revision"] = sum(event.actor != "system" for event in events)
    return body


async def by_receipt(connection: AsyncConnection, receipt: str, offices: Offices) -> dict[str, Any] | None:
    """What the sender of a report reads with the digest of its receipt; None if there is no such receipt.

    It holds no internal words: of a limit that was extended, only the text that was written for the sender. What was
    written for other senders, before the report came to their matter, is not shown.
    """
    id_ = await of_receipt(connection, receipt)
    if id_ is None:
        return None
    events = await events_of(connection, id_)
    found = await report(connection, events)
    judged = {event.data.answer: event.data.helps for event in events if _judges(event)}
    rows = [] if found["state"] == "erased" else await _extensions(connection, id_)
    words = await resolve(connection, METADATA, [row["notice_ref"] for row in rows])
    return {
        "state": found["state"],
        "received_at": found["received_at"],
        "answers": [{"at": row.at, "helps": judged.get(row.event)} for row in await answers(connection, id_)],
        "extensions": [
            {
                "title_zh": _title(row["clock"], offices.packs.get(row["policy"])),
                **{name: row[name] for name in ("previous", "due", "at")},
                "text": words(row["notice_ref"]) if row["at"] >= row["joined_at"] else None,
            }
            for row in rows
        ],
    }


def _judges(event: Event) -> bool:
    return isinstance(event.data, ReportHelpfulnessGiven)


async def of_receipt(connection: AsyncConnection, receipt: str) -> str | None:
    """The report with the digest of this receipt; None if there is none."""
    chosen = select(RECEIPTS.c.report_id).where(RECEIPTS.c.receipt == receipt)
    return (await connection.execute(chosen)).scalar()


async def answers(connection: AsyncConnection, report: str) -> Sequence[Any]:
    """The answers to a report, in order, as `event`, `incident_id` and `at`.

    These are what was said on a matter while the report belonged to it, and what was said in public on the matters to
    which it belongs now. What was said to other askers before it came is no answer to it.
    """
    of = BELONGINGS.c
    while_there = and_(ANSWERS.c.at >= of.joined_at, or_(of.left_at.is_(None), ANSWERS.c.at <= of.left_at))
    chosen = (
        select(ANSWERS)
        .join(BELONGINGS, of.incident_id == ANSWERS.c.incident_id)
        .where(of.report_id == report, or_(while_there, and_(ANSWERS.c.public, of.left_at.is_(None))))
    )
    return (await connection.execute(chosen.order_by(ANSWERS.c.at, ANSWERS.c.event))).all()


async def _extensions(connection: AsyncConnection, report: str) -> Sequence[Any]:
    """The extensions of the matters to which a report belongs now, in order, with when the report came to them."""
    theirs = EXTENSIONS.join(BELONGINGS, BELONGINGS.c.incident_id == EXTENSIONS.c.incident_id)
    chosen = select(EXTENSIONS, BELONGINGS.c.joined_at).select_from(theirs)
    chosen = chosen.where(BELONGINGS.c.report_id == report, BELONGINGS.c.left_at.is_(None))
    return (await connection.execute(chosen.order_by(EXTENSIONS.c.at, EXTENSIONS.c.event))).mappings().all()


def _title(clock: str, pack: LoadedPack | None) -> str | None:
    """The title of a limit, in the words of its pack."""
    name = clock.partition("#")[0]
    return next((spec.title_zh for spec in pack.model.clocks if spec.name == name), None) if pack else None


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
    joined = API_KEYS.outerjoin(KEY_USES, KEY_USES.c.id == API_KEYS.c.id)
    joined = joined.outerjoin(REFUSED, REFUSED.c.integration == API_KEYS.c.integration)
    chosen = (
        select(
            *columns,
            KEY_USES.c.used_at,
            func.coalesce(REFUSED.c.count, 0).label("refused"),
            REFUSED.c.code.label("refusal"),
            REFUSED.c.at.label("refused_at"),
        )
        .select_from(joined)
        .where(API_KEYS.c.unit.in_(sorted(units)))
        .order_by(API_KEYS.c.id)
        .limit(limit + 1)
    )
    if cursor is not None:
        chosen = chosen.where(API_KEYS.c.id > paging.place_of(cursor, str)[0])
    rows = [dict(row) for row in (await connection.execute(chosen)).mappings()]
    return paging.page(rows, limit, lambda row: (row["id"],))


async def is_erased(connection: AsyncConnection, report: str) -> bool:
    """Whether the words of a report were erased."""
    events = METADATA.tables["events"]
    chosen = select(events.c.seq).where(events.c.stream_id == report, events.c.type == ERASED).limit(1)
    return (await connection.execute(chosen)).first() is not None


async def erased_since(connection: AsyncConnection, since: datetime) -> dict[str, ReportReceived]:
    """The first events of reports that came in since then and were erased, by the report's id, which tells the time."""
    events = METADATA.tables["events"]
    stamp = f"{int(since.timestamp() * 1000):012x}"
    first = f"report-{stamp[:8]}-{stamp[8:]}"
    ids = select(events.c.stream_id).where(
        events.c.stream_id >= first, events.c.stream_id < "report.", events.c.type == ERASED
    )
    erased = (await connection.execute(ids)).scalars().all()
    return {id_: (await events_of(connection, id_))[0].data for id_ in erased}


async def erased_files(connection: AsyncConnection) -> Sequence[str]:
    """The evidence files of erased reports."""
    return (await connection.execute(select(EVIDENCE.c.file).where(EVIDENCE.c.erased))).scalars().all()


async def kept_files(connection: AsyncConnection) -> Sequence[str]:
    """The evidence files of all other reports."""
    return (await connection.execute(select(EVIDENCE.c.file).where(EVIDENCE.c.erased.is_(False)))).scalars().all()
