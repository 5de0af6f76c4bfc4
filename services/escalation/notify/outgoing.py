"""What posts are to be told, and what became of it: tables as folds of escalation's own events. Pure.

An outgoing notice is the event that calls for it, and has its id. Each attempt is an event too. So a replay knows what
was delivered, and nothing is sent again.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from schemas import escalation as e
from schemas.envelope import Event
from schemas.fields import instant
from services.kernel.core.ids import stream_of
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

NOTICE = "notice"
"""The limit of a superior's notice."""
MILESTONES = {"opened": "new", "assigned": "assigned"}
"""Milestones of a matter of which the unit is told -> rule."""


def tables(metadata: MetaData) -> None:
    """Adds the tables of outgoing notices, of attempts, and of the addresses of posts.

    `posts` of a notice are told if it names any; else the posts and bodies `who`; else who is on duty in the unit. Both
    have spaces between them. `what` is a code: what waits for approval, why there is a gap, or where a surge is.
    `incident_id` is null for a notice that belongs to no matter, and `unit` where the limit `clock` knows it.
    `addresses` are settings and no fold of events; `sealed` opens only in its own row. An attempt is `over` when a
    place did not take a notice within its time; `error` says why it has none.
    """
    Table(
        "outgoing",
        metadata,
        Column("notice", key(36), primary_key=True),
        Column("incident_id", key()),
        Column("rule", key(16), nullable=False),
        Column("unit", key()),
        Column("who", Text, nullable=False),
        Column("posts", Text, nullable=False),
        Column("clock", key(100)),
        Column("what", key(100)),
        Column("reports", Integer),
        Column("due", key(27)),
        Column("until", key(27)),
        Column("at", key(27), nullable=False),
        Column("drill", Boolean, nullable=False),
        Index(None, "at"),
    )
    Table(
        "attempts",
        metadata,
        Column("notice", key(36), primary_key=True),
        Column("place", key(36), primary_key=True),
        Column("count", Integer, nullable=False),
        Column("delivered", Boolean, nullable=False),
        Column("over", Boolean, nullable=False),
        Column("at", key(27), nullable=False),
        Column("post", key(130), nullable=False),
        Column("way", key(16), nullable=False),
        Column("error", key(16)),
    )
    Table(
        "addresses",
        metadata,
        Column("place", key(36), primary_key=True),
        Column("post", key(130), nullable=False),
        Column("way", key(16), nullable=False),
        Column("language", key(2), nullable=False),
        Column("since", key(27), nullable=False),
        Column("sealed", LargeBinary, nullable=False),
        Index(None, "post"),
    )


def views(metadata: MetaData) -> tuple[View, View]:
    """The views of notices and of attempts."""
    return (
        View(metadata.tables["outgoing"], _keys, _row, ("clock", "roster", "surge"), one_stream=True),
        View(metadata.tables["attempts"], _attempt_keys, _attempt_row, ("clock", "post"), one_stream=True),
    )


def _notice(event: Event) -> dict[str, Any] | None:
    """What the event has to tell, and to whom; None for other events."""
    match event.data:
        case e.ClockMilestoneReached(milestone=milestone, incident=None, unit=str(unit)) if milestone in MILESTONES:
            return {"rule": MILESTONES[milestone], "unit": unit}
        case e.ClockWarned() as data:
            return _of_limit("warn", data.clock, data.due, data.unit)
        case e.ClockBreached() as data:
            return _of_limit("breach", data.clock, data.due, data.unit)
        case e.ClockReminderSent() as data:
            # `due` of a rung is the rung's own time.
            return _of_limit("rung", data.clock, unit=data.told)
        case e.ClockNoticeGiven() as data:
            return _of_limit("due", NOTICE, data.due, data.to)
        case e.ClockLimitSet() | e.ClockExtended() as data:
            return _of_limit("due", data.clock, data.due)
        case e.ClockDeferred() as data:
            return _of_limit("due", data.clock, data.review)
        case e.ClockExtensionRefused() | e.ClockDeferralRefused() as data:
            return _of_limit("due", data.clock)
        case e.ClockReportedUpward() as data:
            return {"rule": "hop", "unit": data.to, "who": data.addressee}
        case e.ClockOfficeInformed() as data:
            return {"rule": "informed", "unit": data.to, "who": data.addressee}
        case e.ClockApprovalAwaited() as data:
            return {"rule": "approval", "unit": data.unit, "who": " ".join(data.who), "what": data.of}
        case e.ClockExtensionRequested() as data:
            return _of_limit("approval", data.clock, data.due) | {"what": "extension"}
        case e.ClockDeferralRequested() as data:
            return _of_limit("approval", data.clock, data.review) | {"what": "deferral"}
        case e.ClockDecisionProposed() as data:
            others = " ".join(post for post in data.took_part if post != event.actor)
            return {"rule": "approval", "unit": data.unit, "posts": others} if others else None
        case e.RosterDutyGapFound() as data:
            span = {"due": instant(data.since), "until": instant(data.until)}
            return {"rule": "gap", "unit": data.unit, "posts": " ".join(data.told), "what": data.cause, **span}
        case e.RosterReportHeld() as data:
            return {"rule": "held", "unit": data.unit, "posts": data.told or "", "incident_id": data.incident}
        case e.SurgeNoticed() as data:
            where = {"incident_id": data.incident, "what": data.category or data.by, "reports": data.reports}
            return {"rule": "surge", "unit": data.unit, "posts": data.told or "", **where}
    return None


def _of_limit(rule: str, clock: str, due: datetime | None = None, unit: str | None = None) -> dict[str, Any]:
    return {"rule": rule, "unit": unit, "clock": clock, "due": instant(due) if due else None}


def _keys(event: Event) -> list[Key]:
    return [(event.id,)] if _notice(event) else []


def _row(key: Key, row: Row | None, event: Event) -> Row:
    blank = dict.fromkeys(("unit", "clock", "what", "reports", "due", "until"))
    incident = stream_of("incident", event.stream) if event.kind == "clock" else None
    place = {"notice": key[0], "incident_id": incident, "who": "", "posts": ""}
    return {**blank, **place, "at": event.recorded_text, "drill": event.drill, **(_notice(event) or {})}


def _attempt_keys(event: Event) -> list[Key]:
    match event.data:
        case e.Attempt() as data:
            return [(data.notice, data.place)]
    return []


def _attempt_row(key: Key, row: Row | None, event: Event) -> Row:
    taken = isinstance(event.data, e.ClockNoticeDelivered | e.PostNoticeDelivered)
    delivered = taken or bool(row and row["delivered"])
    over = getattr(event.data, "error", None) == "expired" or bool(row and row["over"])
    told = {"count": (row["count"] if row else 0) + 1, "delivered": delivered, "over": over}
    error = None if delivered else getattr(event.data, "error", None)
    tried = {"post": event.data.post, "way": event.data.way, "error": error}
    return {"notice": key[0], "place": key[1], **told, **tried, "at": event.recorded_text}


def next_at(count: int, last: datetime, steps: tuple[Any, ...]) -> datetime:
    """When to try again after so many attempts: each step once, then the last one always."""
    return last + steps[min(count, len(steps)) - 1] if count else last
