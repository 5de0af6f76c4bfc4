"""Audit's own figures for `/metrics`: how far the log is signed and cosigned, and what subscribers did not take;
and how old the newest backup is.
"""

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from prometheus_client import Gauge
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.audit.log import witnessing
from services.audit.views import CHECKPOINTS, COSIGNATURES, HEAD, PEER_PROGRESS, PROGRESS, SUBSCRIPTIONS
from services.kernel import metrics
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import backups
from services.kernel.serving.gauges import age


async def read(runtime: Runtime, connection: AsyncConnection) -> Mapping[Gauge, float]:
    """All of them. Without a witness in the settings, nothing is known of cosigned checkpoints."""
    service, now = runtime.service.name, runtime.time_source.now()

    async def one(chosen: Any) -> Any:
        return (await connection.execute(chosen)).scalar()

    signed = await one(select(func.max(CHECKPOINTS.c.size))) or 0
    cosigned, since = math.nan, math.nan
    if witnesses := {witness.key.name for witness in witnessing.configured(runtime.settings)}:
        of = COSIGNATURES.c
        cosigned = min([await one(select(func.max(of.size)).where(of.witness == name)) or 0 for name in witnesses])
        at = await one(select(CHECKPOINTS.c.at).where(CHECKPOINTS.c.size == cosigned))
        since = age(now, at) if at else math.nan
    tried = (SUBSCRIPTIONS.c.state == "active", PROGRESS.c.run == SUBSCRIPTIONS.c.run, PROGRESS.c.tries > 0)
    waiting = select(func.count()).join_from(SUBSCRIPTIONS, PROGRESS, PROGRESS.c.id == SUBSCRIPTIONS.c.id).where(*tried)
    disabled = select(func.count()).select_from(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.state == "disabled")
    silent = {
        row.peer: age(now, row.since) if row.since else 0 for row in await connection.execute(select(PEER_PROGRESS))
    }
    backup = {}
    if (folder := runtime.settings.backups) is not None:
        newest = await asyncio.to_thread(backups.newest, folder, runtime.settings.deployment)
        # Backups are made in real time, also where time is moved.
        aged = (datetime.now(UTC) - newest.made).total_seconds() if newest else math.inf
        backup = {
            metrics.BACKUP_AGE.labels(service): aged,
            metrics.BACKUP_LACKS.labels(service, "parts"): newest.lacks if newest else math.nan,
            metrics.BACKUP_LACKS.labels(service, "encryption"): not newest.encrypted if newest else math.nan,
        }
    return {
        **backup,
        **{metrics.PEER_SILENT.labels(service, peer): silent.get(peer, 0) for peer in runtime.lists.peers},
        metrics.UNSIGNED.labels(service): max(0, (await one(select(HEAD.c.size)) or 0) - signed),
        metrics.CHECKPOINT_SIZE.labels(service, "cosigned"): cosigned,
        metrics.CHECKPOINT_AGE.labels(service, "cosigned"): since,
        metrics.UNDELIVERED.labels(service, "waiting"): await one(waiting),
        metrics.UNDELIVERED.labels(service, "given_up"): await one(disabled),
    }
