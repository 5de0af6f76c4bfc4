"""What answers about a unit's desk read: duties, gaps, what is held, and what a special period would change."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant, parse_instant
from schemas.pack.office import Roster
from services.escalation.duty import outlook
from services.escalation.duty.coverage import Span
from services.escalation.duty.desk import LATE, AtDesk, Shift
from services.escalation.duty.roster import FARTHEST, stream_of_unit
from services.escalation.queries import rows_of
from services.escalation.rights import AT_DESK
from services.escalation.views import GAPS, HELD, METADATA, REACHABILITY, ROSTER, ROSTERS
from services.kernel.access.rights import may
from services.kernel.core.decider import Ctx
from services.kernel.store.views import Row
from services.kernel.store.words import resolve

TWO_DAYS, WEEK = timedelta(days=2), timedelta(days=7)
LAST = "9999"
"""After every instant as it is written."""


class Desk(NamedTuple):
    """A unit's desk, as the API shows it."""

    body: Row
    revision: int
    shifts: tuple[Shift, ...]


LATELY = timedelta(days=31)
"""How far back a roster is read if the reader names no time. It grows for years."""


async def desk(
    connection: AsyncConnection, unit: str, ctx: Ctx, since: datetime | None = None, until: datetime | None = None
) -> Desk:
    """The roster of a unit: its duties in order of time, who is on duty, gaps, and what is held.

    It shows the duties and gaps that end after `since` and begin before `until`.
    """
    since = since or ctx.now - LATELY
    first, last = instant(since), instant(until) if until else LAST
    # Who is on duty, and who may sign on, is said whatever the reader asks for.
    lately = (ROSTER.c.unit == unit, ROSTER.c.until > instant(min(since, ctx.now - LATE)))
    near = await rows_of(connection, select(ROSTER).where(*lately).order_by(ROSTER.c.since, ROSTER.c.post))
    asked = [row for row in near if row["until"] > first and row["since"] < last]
    rows = [row for row in asked if row["cancelled"] is None]
    open_ = (GAPS.c.unit == unit, GAPS.c.closed.is_(None), GAPS.c.until > first, GAPS.c.since < last)
    gaps = select(GAPS).where(*open_).order_by(GAPS.c.since, GAPS.c.until)
    held = select(HELD).where(HELD.c.unit == unit, HELD.c.taken_at.is_(None)).order_by(HELD.c.since)
    tested = select(REACHABILITY).where(REACHABILITY.c.unit == unit).order_by(REACHABILITY.c.post)
    number = select(ROSTERS.c.revision).where(ROSTERS.c.stream_id == stream_of_unit(unit))
    revision = (await connection.execute(number)).scalar()
    words = await resolve(connection, METADATA, [row["note_ref"] for row in rows])
    shifts = tuple(_shift(row) for row in near if row["cancelled"] is None)
    officer = ctx.offices.officer(unit)
    is_desk = revision is not None or officer is not None
    ahead = Span(max(since, ctx.now), min(until or ctx.now + TWO_DAYS, ctx.now + FARTHEST))
    at = AtDesk.of(unit, shifts, ctx)
    body = {
        "unit": unit,
        "version": revision or 0,
        "revision": revision or 0,
        "officer": officer,
        "on_duty": sorted({one.by for one in shifts if one.by and one.on_duty(ctx.now)}),
        "duties": [
            {
                **{name: row[name] for name in _OF_DUTY},
                "note": words(row["note_ref"]),
                "incidents": row["incidents"].split(),
            }
            for row in rows
        ],
        "cancelled": [
            {"post": row["post"], "since": row["since"], "until": row["until"], "at": row["cancelled"]}
            for row in asked
            if row["cancelled"]
        ],
        "gaps": [
            {name: row[name] for name in ("since", "until", "cause", "post", "found_ahead", "found")}
            for row in await rows_of(connection, gaps)
        ],
        "uncovered": _spans(outlook.uncovered(shifts, unit, ahead, ctx))
        if is_desk and ahead.since < ahead.until
        else [],
        "periods": [
            {
                "unit": one.unit,
                "period": one.code,
                "since": instant(one.since),
                "until": instant(one.until) if one.until else None,
            }
            for one in ctx.offices.periods_of(unit)
            if (one.until is None or one.until > since) and (until is None or one.since < until)
        ],
        "asks": _asked(outlook.rules(unit, ctx)),
        "held": [
            {"incident_id": row["incident_id"], "since": row["since"], "told": row["told"]}
            for row in await rows_of(connection, held)
        ],
        "reachability": [
            {name: row[name] for name in ("post", "way", "reached", "at")} for row in await rows_of(connection, tested)
        ],
        "may": may(AT_DESK.values(), at, ctx),
    }
    return Desk(body, revision or 0, tuple(_shift(row) for row in rows))


_OF_DUTY = ("post", "since", "until", "planned_until", "substitute", "by", "signed_on", "handed_over", "handed_to",
            "open", "ended", "note_missing")  # fmt: skip


def _shift(row: Row) -> Shift:
    def at(name: str) -> datetime | None:
        return parse_instant(row[name]) if row[name] else None

    since, until = parse_instant(row["since"]), parse_instant(row["until"])
    signed_on, handed_over = at("signed_on"), at("handed_over")
    return Shift(row["post"], since, until, row["substitute"], row["by"], signed_on, handed_over, row["ended"])


def _asked(asked: Roster | None) -> Row | None:
    if asked is None:
        return None
    hours = asked.coverage.value
    return {
        "hours": _hours(hours),
        "windows": [{"since": f"{one.from_:%H:%M}", "until": f"{one.to:%H:%M}"} for one in asked.windows],
        "special": [{"period": one.period, "hours": _hours(one.hours)} for one in asked.special],
    }


def _hours(length: timedelta | None) -> float | None:
    return None if length is None else length / timedelta(hours=1)


def _spans(found: Iterable[Span]) -> list[Row]:
    return [{"since": instant(one.since), "until": instant(one.until)} for one in found]


async def effect(connection: AsyncConnection, unit: str, code: str, since: datetime, ctx: Ctx) -> Row:
    """What a special period of the unit would change in a week: at its desk and those below it, and for its limits."""
    during = Span(since, since + WEEK)
    below = ctx.offices.below(unit)
    begun = set(await connection.scalars(select(ROSTERS.c.unit).where(ROSTERS.c.unit.in_(below))))
    desks = sorted((begun | {one for one in below if ctx.offices.officer(one)}) & set(ctx.offices.units))
    still = (ROSTER.c.unit.in_(desks), ROSTER.c.until > instant(during.since), ROSTER.c.cancelled.is_(None))
    shifts = defaultdict[str, list[Shift]](list)
    for row in await rows_of(connection, select(ROSTER).where(*still)):
        shifts[row["unit"]].append(_shift(row))
    changes = [(one, outlook.change(shifts[one], one, code, during, ctx)) for one in desks]
    pack = outlook.pack_of(unit, ctx)
    limits = outlook.limits_of(pack.model, code) if pack else ()
    return {
        "unit": unit,
        "period": code,
        "since": instant(during.since),
        "until": instant(during.until),
        "desks": [
            {
                "unit": one,
                "hours": _hours(changed.hours),
                "hours_then": _hours(changed.hours_then),
                "uncovered": _spans(changed.uncovered),
            }
            for one, changed in changes
            if changed is not None
        ],
        "limits": [{"rule": name, "title": title} for name, title in limits],
        "known_at_arrival": pack is not None and outlook.known_at_arrival(pack.model, code),
    }
