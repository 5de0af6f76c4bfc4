"""How each mailbox is, for people: when it was read, what is wrong with it, and how many mails it gave.

The loop notes it and the API reads it, since they may be two processes. It holds no word of a mail or of a server.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant
from services.ingest.mail.mailboxes import Mailbox
from services.ingest.views import MAILBOXES
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import sql

M = MAILBOXES.c


async def begin(runtime: Runtime, boxes: Mapping[str, Mailbox]) -> None:
    """Leaves notes of these mailboxes alone. What was noted of them before stays."""
    async with runtime.database.transaction() as connection:
        known = {row["unit"]: row for row in (await connection.execute(select(MAILBOXES))).mappings()}
        for gone in sorted(known.keys() - boxes.keys()):
            await connection.execute(delete(MAILBOXES).where(M.unit == gone))
        rows = [_row(unit, box) | dict(known.get(unit, {})) | _told(box) for unit, box in boxes.items()]
        await sql.upsert(connection, MAILBOXES, rows)


async def was_read(runtime: Runtime, unit: str, reports: int, aside: int) -> None:
    """Notes that the mailbox was read, and how many mails became reports or were set aside then."""
    now = instant(runtime.time_source.now())
    values: dict[str, Any] = {"read_at": now, "reports": M.reports + reports, "aside": M.aside + aside}
    await _change(runtime, unit, values | ({"aside_at": now} if aside else {}))


async def troubled(runtime: Runtime, unit: str, why: str | None) -> None:
    """Notes what is wrong with the mailbox, and since when; None if nothing is any more."""
    now = instant(runtime.time_source.now())
    since = None if why is None else func.coalesce(M.trouble_at, now)
    await _change(runtime, unit, {"trouble": why, "trouble_at": since})


async def listed(connection: AsyncConnection) -> list[dict[str, Any]]:
    """The mailboxes, in the order of their units."""
    return [dict(row) for row in (await connection.execute(select(MAILBOXES).order_by(M.unit))).mappings()]


async def _change(runtime: Runtime, unit: str, values: Mapping[str, Any]) -> None:
    async with runtime.database.transaction() as connection:
        await connection.execute(update(MAILBOXES).where(M.unit == unit).values(**values))


def _row(unit: str, box: Mailbox) -> dict[str, Any]:
    blank = {"read_at": None, "trouble": None, "trouble_at": None, "reports": 0, "aside": 0, "aside_at": None}
    return {"unit": unit, **_told(box), **blank}


def _told(box: Mailbox) -> dict[str, Any]:
    return {"address": box.address, "aside_in": box.aside}
