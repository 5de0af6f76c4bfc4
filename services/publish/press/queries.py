"""What the press part of a matter is read from, and what commands on it see."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from services.kernel.core.decider import Ctx
from services.kernel.core.ids import stream_of
from services.kernel.store import standings
from services.kernel.store.views import Row
from services.kernel.store.words import resolve, texts
from services.publish.press import told
from services.publish.press.given import Approved
from services.publish.press.rights import READ_PRESS, may
from services.publish.press.speakers import NOBODY
from services.publish.seen import read_incident, read_said
from services.publish.views import METADATA, incidents, state_of, statements


async def press_of(connection: AsyncConnection, ctx: Ctx, incident: str) -> Row | None:
    """The press part of a matter, also an empty one; None if the actor may read nothing of the matter.

    A former unit reads it as it was when that unit's part ended, and may do nothing.
    """
    known = await standings.read(connection, METADATA, [incident])
    matter = await read_incident(connection, incident)
    reads = READ_PRESS.of_matter(known, incident, ctx)
    if matter is None or reads is None:
        return None
    stream, table = stream_of("press", incident), METADATA.tables["events"]
    chosen = select(table.c.bytes).where(table.c.stream_id == stream)
    if reads.until is not None:
        chosen = chosen.where(table.c.recordedtime <= reads.until.at)
    events = [Event.parse(bytes_) for bytes_ in (await connection.execute(chosen.order_by(table.c.version))).scalars()]
    shown = {"fixed": told.fixed(events), "conferences": told.conferences(events), "contacts": told.contacts(events)}
    await _with_words(connection, [row for rows in shown.values() for row in rows])
    speaking = matter.speaking if reads.until is None else NOBODY
    revision = sum(event.actor != "system" for event in events)
    number = select(incidents.c.number).where(incidents.c.id == incident)
    return {
        "id": stream,
        "version": revision,
        "revision": revision,
        "incident_id": incident,
        "incident_number": (await connection.execute(number)).scalar(),
        "unit": matter.unit,
        "speaks": speaking.speaks,
        "approves": speaking.approves,
        "interviews": speaking.interviews,
        **shown,
        "may": [] if reads.until else may(matter, ctx),
    }


async def _with_words(connection: AsyncConnection, rows: list[Row]) -> None:
    """Puts words in the place of their references, and numbers beside statements."""
    refs = [row[name] for row in rows for name in told.WORDS if row.get(name)]
    words = await resolve(connection, METADATA, refs)
    named = {row["statement"] for row in rows if row.get("statement")}
    numbers = select(statements.c.id, statements.c.number).where(statements.c.id.in_(sorted(named)))
    known = {row.id: row.number for row in await connection.execute(numbers)} if named else {}
    for row in rows:
        row.update({name: words(row[name]) for name in told.WORDS if name in row})
        if "statement" in row:
            row["number"] = known.get(row["statement"] or "")


async def for_press(connection: AsyncConnection, incident: str, statement: str | None) -> Mapping[str, Any]:
    """The content of `ctx.seen` for a command on a matter's press part. `statement` is the one that it names."""
    return {
        "stream": stream_of("press", incident),
        "incident": await read_incident(connection, incident),
        "statement": None if statement is None else await _approved(connection, incident, statement),
        "earlier": (await read_said(connection, [incident])).get(incident, ()),
    }


async def _approved(connection: AsyncConnection, incident: str, id_: str) -> Approved | None:
    """The words of a statement on this matter: those in public, or else those that were agreed; None without any."""
    chosen = select(statements).where(statements.c.id == id_, statements.c.incident_id == incident)
    row = (await connection.execute(chosen)).mappings().first()
    if row is None:
        return None
    state = state_of(dict(row))
    title, text = state.agreed_title or state.title, state.agreed_text or state.draft
    words = await texts(connection, METADATA, [one.ref for one in (title, text) if one])
    said = [row["title"] or words.get(title.ref if title else ""), row["text"] or words.get(text.ref if text else "")]
    known = [one for one in said if one is not None]
    return Approved(id_, row["number"] or id_, row["unit"], row["state"], *known) if len(known) == 2 else None
