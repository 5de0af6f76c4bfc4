"""Escalation's own figures for `/metrics`: limits that are overdue, desks without anybody, notices that nobody took."""

from collections.abc import Mapping
from typing import Any

from prometheus_client import Gauge
from sqlalchemy import Select, and_, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant
from services.escalation.notify.posting import ATTEMPTS, LOOKED_AT, OUTGOING, STEPS
from services.escalation.views import CLOCKS, GAPS, METADATA, MISSED, ROSTER
from services.kernel import metrics
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.gauges import age

UNITS = METADATA.tables["units"]
LATELY = STEPS[-1] * 2
"""A notice that still goes somewhere is tried again within this time."""
CAUSES = ("not_planned", "not_signed_on")


async def read(runtime: Runtime, connection: AsyncConnection) -> Mapping[Gauge, float]:
    """All of them. They name no unit: the console shows each office its own.

    A drill is none of the limits, desks and notices that the operator must see to. A timer that is late is a fault of
    the system, also where it is an exercise's.
    """
    service, now = runtime.service.name, runtime.time_source.now()
    at = instant(now)
    missed = await connection.execute(
        select(func.count(), func.min(CLOCKS.c.due)).where(MISSED, CLOCKS.c.drill.is_(False))
    )
    overdue, first = missed.one()
    late = (await connection.execute(select(func.min(CLOCKS.c.wakes_at)).where(CLOCKS.c.wakes_at < at))).scalar()
    gaps = {row[0]: row[1] for row in await connection.execute(_gaps(at))}
    tried = ATTEMPTS.c.delivered.is_(False), ATTEMPTS.c.notice == OUTGOING.c.notice
    lately = OUTGOING.c.at >= instant(now - LOOKED_AT)
    states = {
        "waiting": and_(ATTEMPTS.c.over.is_(False), ATTEMPTS.c.at >= instant(now - LATELY)),
        "given_up": ATTEMPTS.c.over.is_(True),
    }
    counted = {
        state: (
            await connection.execute(select(func.count()).select_from(OUTGOING).where(lately, *tried, is_so))
        ).scalar()
        for state, is_so in states.items()
    }
    return {
        metrics.OVERDUE.labels(service): overdue,
        metrics.OVERDUE_OLDEST.labels(service): age(now, first) if first else 0,
        metrics.TIMERS_LATE.labels(service): age(now, late) if late else 0,
        **{metrics.GAPS.labels(service, cause): gaps.get(cause, 0) for cause in CAUSES},
        **{metrics.UNDELIVERED.labels(service, state): found or 0 for state, found in counted.items()},
    }


def _gaps(at: str) -> Select[Any]:
    """Desks by cause, without those of offices for exercises. A gap keeps its row when somebody comes after all, so the
    roster is asked, too.
    """
    exercising = (UNITS.c.unit == GAPS.c.unit, UNITS.c.until.is_(None), UNITS.c.drill)
    shift = (ROSTER.c.unit == GAPS.c.unit, ROSTER.c.until > at, ROSTER.c.since <= at, ROSTER.c.cancelled.is_(None))
    planned = and_(*shift, GAPS.c.cause == "not_planned")
    signed_on = and_(*shift, GAPS.c.cause == "not_signed_on", ROSTER.c.post == GAPS.c.post, ROSTER.c.by.is_not(None))
    going_on = (GAPS.c.until > at, GAPS.c.since <= at, GAPS.c.closed.is_(None), GAPS.c.found.is_not(None))
    return (
        select(GAPS.c.cause, func.count(GAPS.c.unit.distinct()))
        .where(*going_on, ~exists().where(planned), ~exists().where(signed_on), ~exists().where(*exercising))
        .group_by(GAPS.c.cause)
    )
