"""Channels, what is to go to them, and what became of it: tables as folds of publish's own events. Pure."""

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    and_,
    func,
)

from schemas.channels import ChannelChanged, ChannelEnded, ChannelPlaced
from schemas.envelope import Event
from schemas.fields import instant
from schemas.ingest import ReportErased, ReportReceived, ReportRefused
from schemas.publish import (
    StatementCorrected,
    StatementDelivered,
    StatementDeliveryFailed,
    StatementDeliveryRetried,
    StatementNoticePublished,
    StatementPublished,
    StatementWithdrawn,
)
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View


def tables(metadata: MetaData) -> None:
    """Adds the tables.

    `channels` has each channel; `state` is open, ended or gone, `ended_at` its last end, and `secret_version` the event
    that last gave it a secret. `deliveries` has each
    release for each channel to which it goes; `next_at` is when it is sent, null if not by itself, `at` when the
    release was published, and `retried_at` when somebody last asked for another try.
    `questions` are the reports that named a place to which their answer is returned; the place is in no table here.
    `postings` has each answer that was posted there. `channel_secrets` are settings and no fold: the secrets of
    webhooks, sealed.
    """
    Table(
        "channels",
        metadata,
        Column("id", key(), primary_key=True),
        Column("revision", Integer, nullable=False),
        Column("unit", key(), nullable=False),
        Column("code", key(40), nullable=False),
        Column("kind", key(16), nullable=False),
        Column("title", key(120), nullable=False),
        Column("address_ref", key(36), nullable=False),
        Column("state", key(16), nullable=False),
        Column("placed_at", key(27), nullable=False),
        Column("ended_at", key(27)),
        Column("secret_version", Integer, nullable=False),
        Index(None, "unit", "code"),
    )
    Table(
        "deliveries",
        metadata,
        Column("statement_id", key(), primary_key=True),
        Column("release", Integer, primary_key=True),
        Column("channel", key(), primary_key=True),
        Column("at", key(27), nullable=False),
        Column("tries", Integer, nullable=False),
        Column("tried_at", key(27)),
        Column("delivered", Boolean, nullable=False),
        Column("error", key(16)),
        Column("next_at", key(27)),
        Column("retried_at", key(27)),
        Column("address_ref", key(36)),
        Index(None, "next_at"),
        Index(None, "at", "statement_id", "channel"),
    )
    Table(
        "questions",
        metadata,
        Column("report_id", key(), primary_key=True),
        Column("channel", key(100), nullable=False),
    )
    Table(
        "postings",
        metadata,
        Column("statement_id", key(), primary_key=True),
        Column("release", Integer, primary_key=True),
        Column("report_id", key(), primary_key=True),
        Column("at", key(27), nullable=False),
        Column("address_ref", key(36)),
    )
    Table(
        "channel_secrets",
        metadata,
        Column("channel", key(), primary_key=True),
        Column("sealed", LargeBinary, nullable=False),
    )


def is_left_behind(deliveries: FromClause, channels: FromClause) -> ColumnElement[bool]:
    """Whether a channel ended since its release was published, or somebody last asked to try it again.

    A channel that is placed again gets what is published from then on.
    """
    asked = func.coalesce(deliveries.c.retried_at, deliveries.c.at)
    return and_(channels.c.ended_at.is_not(None), asked <= channels.c.ended_at)


def views(metadata: MetaData) -> tuple[View, ...]:
    """The folds that fill them."""
    of = metadata.tables
    return (
        View(of["channels"], _channel_keys, _channel, ("channel",), one_stream=True),
        View(of["deliveries"], _delivery_keys, _delivery, ("statement",), one_stream=True),
        View(of["questions"], _question_keys, _question, ("report",), one_stream=True),
        View(of["postings"], _posting_keys, _posting, ("statement",), one_stream=True),
    )


def _channel_keys(event: Event) -> list[Key]:
    return [(event.stream,)]


def _channel(key: Key, row: Row | None, event: Event) -> Row | None:
    match event.data:
        case ChannelPlaced() as data:
            row = {
                "id": key[0],
                "revision": row["revision"] if row else 0,
                "unit": data.unit,
                "code": data.code,
                "kind": data.kind,
                "title": data.title,
                "address_ref": data.address.ref,
                "state": "open",
                "placed_at": event.recorded_text,
                "ended_at": row["ended_at"] if row else None,
                "secret_version": event.version,
            }
        case ChannelChanged() as data if row:
            row = row | {"title": data.title or row["title"]}
            row |= {"address_ref": data.address.ref} if data.address else {}
            row |= {"secret_version": event.version} if data.secret_renewed else {}
        case ChannelEnded() as data if row:
            row = row | {"state": "gone" if data.cause == "gone" else "ended", "ended_at": event.time_text}
    return row and row | {"revision": row["revision"] + int(event.actor != "system")}


def _delivery_keys(event: Event) -> list[Key]:
    match event.data:
        case (StatementPublished() | StatementNoticePublished() | StatementCorrected() | StatementWithdrawn()) as data:
            return [(event.stream, event.version, channel) for channel in data.channels]
        case StatementDelivered(channel=str() as channel) as data:
            return [(event.stream, data.release, channel)]
        case StatementDeliveryFailed() | StatementDeliveryRetried() as data:
            return [(event.stream, data.release, data.channel)]
    return []


def _delivery(key: Key, row: Row | None, event: Event) -> Row | None:
    tried = {"tries": getattr(event.data, "attempt", 0), "tried_at": event.time_text, "next_at": None}
    match event.data:
        case StatementPublished() | StatementNoticePublished() | StatementCorrected() | StatementWithdrawn():
            at = event.time_text
            waits = {"at": at, "tries": 0, "tried_at": None, "delivered": False, "error": None, "next_at": at}
            waits |= {"retried_at": None}
            return {"statement_id": key[0], "release": key[1], "channel": key[2], **waits, "address_ref": None}
        case StatementDelivered() as data if row:
            address = data.address.ref if data.address else None
            return row | tried | {"delivered": True, "error": None, "address_ref": address}
        case StatementDeliveryFailed() as data if row:
            next_at = instant(data.next_at) if data.next_at else None
            return row | tried | {"error": data.error, "next_at": next_at}
        case StatementDeliveryRetried() if row:
            return row | {"next_at": event.time_text, "retried_at": event.time_text}
    return row


def _question_keys(event: Event) -> list[Key]:
    """Most reports name no place, and cost nothing here."""
    match event.data:
        case ReportReceived(reply_ref=reference) if reference is not None and not event.drill:
            return [(event.stream,)]
        case ReportRefused() | ReportErased() if not event.drill:
            return [(event.stream,)]
    return []


def _question(key: Key, _: Row | None, event: Event) -> Row | None:
    match event.data:
        case ReportReceived() as data:
            return {"report_id": key[0], "channel": data.channel}
    return None


def _posting_keys(event: Event) -> list[Key]:
    match event.data:
        case StatementDelivered(report=str() as report) as data:
            return [(event.stream, data.release, report)]
    return []


def _posting(key: Key, _: Row | None, event: Event) -> Row | None:
    address = event.data.address.ref if event.data.address else None
    return {
        "statement_id": key[0],
        "release": key[1],
        "report_id": key[2],
        "at": event.time_text,
        "address_ref": address,
    }
