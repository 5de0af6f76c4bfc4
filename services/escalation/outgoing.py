"""What posts are to be told, and what became of it: tables as folds of escalation's own events. Pure.

An outgoing notice is the event that calls for it, and has its id. Each attempt is an event too. So a replay knows what
was delivered, and nothing is sent again.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from schemas import escalation as e
from schemas.envelope import Event
from schemas.fields import instant
from services.kernel.core.ids import stream_of
from services.kernel.core.units import Offices
from services.kernel.store.columns import key
from services.kernel.store.views import Key, Row, View

MILESTONES = {"opened": "new", "assigned": "assigned"}
"""Milestones of a matter of which the unit is told -> rule."""
HEADS = frozenset({"rung"})
"""Rules by which the unit's head is told besides the post on duty."""


def tables(metadata: MetaData) -> None:
    """Adds the tables of outgoing notices, of attempts, and of the addresses of posts.

    `posts` of a notice, with a space between them, are told if it names any; else the addressee of a report; else who
    is on duty in the unit. `addresses` are settings and no fold of events; `sealed` opens only in its own row.
    """
    Table(
        "outgoing",
        metadata,
        Column("notice", key(36), primary_key=True),
        Column("incident_id", key(), nullable=False),
        Column("rule", key(16), nullable=False),
        Column("unit", key(), nullable=False),
        Column("addressee", key(60)),
        Column("posts", Text, nullable=False),
        Column("clock", key(100)),
        Column("due", key(27)),
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
        Column("at", key(27), nullable=False),
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
        View(metadata.tables["outgoing"], _keys, _row, one_stream=True),
        View(metadata.tables["attempts"], _attempt_keys, _attempt_row, one_stream=True),
    )


def _notice(event: Event) -> dict[str, Any] | None:
    """What the event has to tell, and to whom; None for other events."""
    match event.data:
        case e.ClockMilestoneReached(milestone=milestone, incident=None, unit=str(unit)) if milestone in MILESTONES:
            return {"rule": MILESTONES[milestone], "unit": unit}
        case e.ClockWarned() as data:
            return {"rule": "warn", "unit": data.unit, "clock": data.clock, "due": instant(data.due)}
        case e.ClockBreached() as data:
            return {"rule": "breach", "unit": data.unit, "clock": data.clock, "due": instant(data.due)}
        case e.ClockReminderSent() as data:
            return {"rule": "rung", "unit": data.told, "clock": data.clock, "due": instant(data.due)}
        case e.ClockReportedUpward() as data:
            return {"rule": "hop", "unit": data.to, "addressee": data.addressee}
        case e.ClockDecisionProposed() as data:
            others = " ".join(post for post in data.took_part if post != event.actor)
            return {"rule": "approval", "unit": data.unit, "posts": others} if others else None
    return None


def _keys(event: Event) -> list[Key]:
    return [(event.id,)] if event.kind == "clock" and _notice(event) else []


def _row(key: Key, row: Row | None, event: Event) -> Row:
    blank = {"addressee": None, "posts": "", "clock": None, "due": None}
    place = {"notice": key[0], "incident_id": stream_of("incident", event.stream)}
    return {**blank, **place, "at": event.recorded_text, "drill": event.drill, **(_notice(event) or {})}


def _attempt_keys(event: Event) -> list[Key]:
    match event.data:
        case e.ClockNoticeDelivered() | e.ClockNoticeFailed() as data:
            return [(data.notice, data.place)]
    return []


def _attempt_row(key: Key, row: Row | None, event: Event) -> Row:
    delivered = isinstance(event.data, e.ClockNoticeDelivered) or bool(row and row["delivered"])
    count = (row["count"] if row else 0) + 1
    return {"notice": key[0], "place": key[1], "count": count, "delivered": delivered, "at": event.recorded_text}


def told(notice: Row, offices: Offices, duties: Iterable[Row]) -> tuple[str, ...]:
    """The posts that are told. `duties` are those that the unit planned.

    While nobody has signed on, those are told who are to come, and the unit's head. The head also hears of each rung.
    """
    if notice["posts"]:
        return tuple(notice["posts"].split())
    unit, at = notice["unit"], notice["at"]
    if notice["addressee"] and (receivers := offices.receivers(unit, notice["addressee"])):
        return tuple(sorted(receivers))
    planned = [duty for duty in duties if duty["unit"] == unit and at < duty["until"]]
    there = [duty["by"] for duty in planned if _is_there(duty, at)]
    heads = [f"{post.code}@{unit}" for post in offices.posts.get(unit, {}).values() if post.head]
    if not there:
        expected = (post for duty in planned if duty["since"] <= at for post in _expected(duty, at))
        return tuple(dict.fromkeys([*expected, *heads]))
    return tuple(dict.fromkeys([*there, *(heads if notice["rule"] in HEADS else ())]))


def _is_there(duty: Row, at: str) -> bool:
    """Whether the duty was taken up and not handed over yet. It can be taken up before its begin."""
    signed, over = duty["signed_on"], duty["handed_over"]
    return signed is not None and signed <= at and (over is None or at < over)


def _expected(duty: Row, at: str) -> list[str]:
    """Who is to come to a duty on which nobody is: the planned post and its substitute, or to whom it was handed."""
    over = duty["handed_over"] is not None and duty["handed_over"] <= at
    return [post for post in ([duty["handed_to"]] if over else [duty["post"], duty["substitute"]]) if post]


def next_at(count: int, last: datetime, steps: tuple[Any, ...]) -> datetime:
    """When to try again after so many attempts: each step once, then the last one always."""
    return last + steps[min(count, len(steps)) - 1] if count else last
