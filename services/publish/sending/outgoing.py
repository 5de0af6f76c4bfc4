"""The loop that sends releases to webhooks. It runs in the leader.

What is to be sent, and what a channel took, are folds of events, so a restart sends nothing that is on record. If the
process dies after the sending and before the recording, the message goes out again under the same id, by which its
receiver knows it. Each channel has a worker of its own: one that is slow delays no other. One that took nothing rests.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.fields import instant, parse_instant
from schemas.publish import SendingError
from services.kernel.core.problems import Problem
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.sending import looping, webhook
from services.kernel.sending.webhook import Message
from services.kernel.serving import commands
from services.kernel.serving.commands import Caller
from services.kernel.store.session import OWNER, Held
from services.kernel.store.views import Row
from services.kernel.store.words import texts
from services.publish.attaching.queries import told
from services.publish.bulletin.queries import name_of
from services.publish.delivering.commands import LoseChannel, RecordDelivery
from services.publish.delivering.views import is_left_behind
from services.publish.rows import releases_of
from services.publish.sending import messages, secret_store
from services.publish.views import METADATA, statements

CHANNELS, DELIVERIES = METADATA.tables["channels"], METADATA.tables["deliveries"]
STEPS = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 1800, 3600, 7200, 14400, 28800))
"""The time after each failed try: each step once, then the last one."""
VALID = timedelta(days=3)
"""After this time a release is not sent by itself any more."""
LONGEST_STEP = 3
"""The step that the rest of a channel does not exceed."""
PAGE = 200


class Rest(NamedTuple):
    """A channel that took nothing lately. When its rest is over, one try tells whether it is back."""

    tries: int
    until: datetime


@dataclass(slots=True)
class Known:
    """What this process knows of channels. A new one tries them all."""

    busy: dict[str, "asyncio.Task[None]"] = field(default_factory=dict)
    resting: dict[str, Rest] = field(default_factory=dict)


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled."""
    known = Known()
    try:
        await looping.forever(runtime, "outgoing.waits", lambda: turn(runtime, known))
    finally:
        for task in known.busy.values():
            task.cancel()
        await asyncio.gather(*known.busy.values(), return_exceptions=True)


async def settle(runtime: Runtime, known: Known | None = None, limit: float = 30.0) -> None:
    """Returns when nothing is left to send now. After `limit` seconds it raises `TimeoutError`."""
    known = known or Known()
    async with asyncio.timeout(limit):
        while True:
            await turn(runtime, known)
            if not known.busy:
                return
            await asyncio.wait(known.busy.values())


async def turn(runtime: Runtime, known: Known) -> None:
    """Begins to send what is due now. Raises what a worker raised, such as `Superseded` if another process leads."""
    for channel, task in list(known.busy.items()):
        if task.done():
            del known.busy[channel]
            task.result()
    now = runtime.time_source.now()
    resting = {channel for channel, rest in known.resting.items() if rest.until > now}
    # In a transaction, since only the leader may look.
    async with runtime.database.transaction() as connection:
        due = await _due(connection, now, resting | set(known.busy))
    if due:
        await runtime.ready_to_decide()
    for channel, rows in due.items():
        known.busy[channel] = asyncio.create_task(_work(runtime, known, channel, rows))


async def _due(connection: AsyncConnection, now: datetime, without: set[str]) -> dict[str, list[Row]]:
    """Channel -> its releases that are to be sent now, the earliest first."""
    of = DELIVERIES.c
    chosen = _to_send(now).where(of.channel.not_in(sorted(without)))
    chosen = chosen.order_by(of.next_at, of.statement_id, of.channel).limit(PAGE)
    found: dict[str, list[Row]] = {}
    for row in (await connection.execute(chosen)).mappings():
        found.setdefault(row["channel"], []).append(dict(row))
    return found


def _to_send(now: datetime) -> Select[Any]:
    of, channel, cursor = DELIVERIES.c, CHANNELS.c, METADATA.tables["stream_cursor"].c
    # What became of these could not be recorded before an operator's word, so they would go out without end.
    held = select(cursor.stream_id).where(cursor.consumer == OWNER, cursor.blocked.is_not(None))
    return (
        select(DELIVERIES, channel.address_ref.label("place"))
        .join(CHANNELS, channel.id == of.channel)
        .join(statements, statements.c.id == of.statement_id)
        .where(channel.kind == "webhook", channel.state == "open", of.next_at <= instant(now))
        .where(~is_left_behind(DELIVERIES, CHANNELS))
        # Of an earlier release nothing is sent any more: the newer one says what holds.
        .where(of.delivered.is_(False), statements.c.release == of.release, of.statement_id.not_in(held))
    )


async def _still_due(runtime: Runtime, row: Row) -> Row | None:
    """The delivery as it stands now; None if it is not to be sent any more.

    Those before it took their time. Meanwhile the text may have been withdrawn, the channel ended, or another process
    may lead.
    """
    of = DELIVERIES.c
    chosen = _to_send(runtime.time_source.now()).where(
        of.statement_id == row["statement_id"], of.release == row["release"], of.channel == row["channel"]
    )
    # In a transaction, since only the leader may look.
    async with runtime.database.transaction() as connection:
        found = (await connection.execute(chosen)).mappings().first()
    return None if found is None else dict(found)


async def _work(runtime: Runtime, known: Known, channel: str, rows: Sequence[Row]) -> None:
    """Sends the releases of one channel in order, until one is not taken."""
    for row in rows:
        try:
            now_due = await _still_due(runtime, row)
            error = await _deliver(runtime, now_due) if now_due else None
        except (Problem, Held, DBAPIError, OSError):
            error = "unreachable"  # of our own store: the message goes out again, under the same id
        if error is None:
            if now_due:
                known.resting.pop(channel, None)
            continue
        tries = known.resting[channel].tries + 1 if channel in known.resting else 0
        known.resting[channel] = Rest(tries, runtime.time_source.now() + STEPS[min(tries, LONGEST_STEP)])
        return


async def _deliver(runtime: Runtime, row: Row) -> SendingError | None:
    """One try, and its record."""
    async with runtime.database.read() as connection:
        address = (await texts(connection, METADATA, [row["place"]])).get(row["place"])
        secret = await secret_store.read(connection, runtime.keys, row["channel"])
        body = await _body(runtime, connection, row)
    delivery = messages.delivery_id(row["statement_id"], row["release"], row["channel"])
    now = runtime.time_source.now()
    error: SendingError | None = "unreadable"
    if address is not None and secret is not None:
        private = runtime.settings.channels_private
        error = await webhook.send(address, secret, Message(delivery, body), now, private=private)
    failpoint("delivery.sent")
    if error == "gone":
        await commands.execute(runtime, Caller(), row["channel"], LoseChannel())
    record = RecordDelivery(release=row["release"], channel=row["channel"], error=error, next_at=_next(row, error, now))
    await commands.execute(runtime, Caller(), row["statement_id"], record)
    return error


def _next(row: Row, error: SendingError | None, now: datetime) -> datetime | None:
    """When to try again; None if not by itself."""
    at = now + STEPS[min(row["tries"], len(STEPS) - 1)]
    return at if error not in (None, "gone") and at < parse_instant(row["at"]) + VALID else None


async def _body(runtime: Runtime, connection: AsyncConnection, row: Row) -> bytes:
    chosen = select(statements).where(statements.c.id == row["statement_id"])
    said: dict[str, Any] = dict((await connection.execute(chosen)).mappings().one())
    release = {}
    number, title, text = 0, "", ""
    files = list[Row]()
    for one in await releases_of(connection, [said["id"]]):
        if one["version"] <= row["release"]:
            release, number, title, text = one, number + 1, one["title"] or title, one["text"] or text
            files = told(one["attachments"]) if one["attachments"] else files
    unit = {"code": said["unit"], "name": await name_of(connection, said["unit"], said["published_at"])}
    link = runtime.settings.link
    held = () if release["kind"] == "withdrawal" else files
    attached = [
        {name: one[name] for name in ("title", "media_type", "size", "sha256")}
        | {"url": link(f"bulletin/files/{one['file']}")}
        for one in held
    ]
    return messages.compose(
        said, release, number, title, text, unit, link(f"bulletin/statements/{said['id']}"), attached
    )
