"""Publish's own figures for `/metrics`: releases that channels did not take."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from prometheus_client import Gauge
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant
from services.kernel import metrics
from services.kernel.delivery.runtime import Runtime
from services.publish.delivering.views import is_left_behind
from services.publish.sending.outgoing import CHANNELS, DELIVERIES, VALID
from services.publish.views import statements

LOOKED_AT = VALID + timedelta(days=7)
"""A release that was given up is told for so long after its publication. By then somebody has posted it by hand."""


async def read(runtime: Runtime, connection: AsyncConnection) -> Mapping[Gauge, float]:
    """All of them."""
    service, of, now = runtime.service.name, DELIVERIES.c, runtime.time_source.now()
    counts = {
        "waiting": _current().where(of.next_at.is_not(None), of.tries > 0, ~is_left_behind(DELIVERIES, CHANNELS)),
        "given_up": _current().where(of.next_at.is_(None), of.at >= instant(now - LOOKED_AT)),
    }
    return {
        metrics.UNDELIVERED.labels(service, state): (await connection.execute(count)).scalar_one()
        for state, count in counts.items()
    }


def _current() -> Select[Any]:
    """Releases that still hold, which an open webhook does not have."""
    return (
        select(func.count())
        .select_from(DELIVERIES)
        .join(CHANNELS, CHANNELS.c.id == DELIVERIES.c.channel)
        .join(statements, statements.c.id == DELIVERIES.c.statement_id)
        .where(CHANNELS.c.kind == "webhook", CHANNELS.c.state == "open", DELIVERIES.c.delivered.is_(False))
        .where(statements.c.release == DELIVERIES.c.release)
    )
