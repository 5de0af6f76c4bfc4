"""Where the streams of other services stand for a consumer, and what becomes of each event that comes.

An event that follows is accepted. A repeated one changes nothing, one that is too early waits with its stream, and one
that is forged, broken or not understood is set aside and holds its own stream up, nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event, Undecodable, UnknownType, digest
from schemas.fields import instant
from services.kernel.delivery import operations
from services.kernel.delivery.log import Record
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import sql
from services.kernel.store.session import Session
from services.kernel.store.sql import Write


class Poison(Exception):
    """A pure function failed on this record. Never retried; set aside with its raw bytes."""

    def __init__(self, record: Record, event: Event | None, reason: str, error: str) -> None:
        super().__init__(f"{record.topic}/{record.partition}@{record.offset}: {reason}: {error}")
        self.record, self.event, self.reason, self.error = record, event, reason, error


@dataclass(slots=True)
class Cursor:
    """How far a stream was taken in; `blocked` says why it waits: gap, fork, poison, unknown_type, held."""

    version: int = 0
    digest: str | None = None
    blocked: str | None = None


@dataclass(slots=True)
class Intake:
    """What one transaction found in its records."""

    accepted: list[tuple[Event, Record]] = field(default_factory=list)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    waiting: dict[str, dict[int, Event]] = field(default_factory=dict)
    """Parked events of blocked streams, by version."""
    parked: list[Event] = field(default_factory=list)
    """Found to wait; some of them may be drained in the same transaction."""
    waits: list[Event] = field(default_factory=list)
    """Waiting from this transaction on."""
    drained: list[Event] = field(default_factory=list)
    """Parked before, and taken in."""
    moved: list[Event] = field(default_factory=list)
    """Parked before, and set aside when their turn came."""
    aside: list[dict[str, Any]] = field(default_factory=list)
    duplicates: int = 0


class Streams:
    """The streams that one service takes in. What happens within a transaction is kept in its `Intake`."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.consumer = runtime.service.name
        self.tables = runtime.tables

    async def standing(self, connection: AsyncConnection, cursors: Sequence[Mapping[str, Any]]) -> Intake:
        """An intake that knows these rows of `stream_cursor`, and what waits of the streams that are blocked."""
        intake = Intake(
            cursors={row["stream_id"]: Cursor(row["version"], row["digest"] or None, row["blocked"]) for row in cursors}
        )
        blocked = [stream for stream, cursor in intake.cursors.items() if cursor.blocked]
        if blocked:
            parked = self.tables["parked"]
            rows = await connection.execute(
                select(parked.c.bytes).where(parked.c.consumer == self.consumer, parked.c.stream_id.in_(blocked))
            )
            for (bytes_,) in rows:
                event = Event.parse(bytes_)
                intake.waiting.setdefault(event.stream, {})[event.version] = event
        return intake

    async def judge(self, session: Session, intake: Intake, event: Event, record: Record) -> None:
        """Takes the event in, drops it, lets it wait or sets it aside, by where its stream stands."""
        cursor = intake.cursors.setdefault(event.stream, Cursor())
        if event.version <= cursor.version and await self.altered(session, event, cursor):
            if not await self._replaces_discarded(session, event, cursor):
                self.set_aside(intake, record, event, "fork", f"version {event.version} came with other bytes")
                return
            cursor.version, cursor.digest = event.version - 1, event.previous
        if event.version <= cursor.version:
            intake.duplicates += 1
        elif cursor.blocked and not (cursor.blocked == "gap" and event.version == cursor.version + 1):
            self._park(intake, event, cursor.blocked)
        elif event.version > cursor.version + 1:
            self._park(intake, event, "gap")
        else:
            self._accept(intake, event, record)
            self.drain(intake, event.stream, record)

    async def altered(self, session: Session, event: Event, cursor: Cursor) -> bool:
        """Whether a version that was taken in before comes with other bytes. Lower versions are not compared here."""
        return event.version == cursor.version and event.digest != cursor.digest

    async def _replaces_discarded(self, session: Session, event: Event, cursor: Cursor) -> bool:
        """Whether the cursor stands on a discarded record in whose place this event belongs: that one was forged."""
        if event.version != cursor.version:
            return False
        table = self.tables["dead_letters"]
        chosen = select(table.c.bytes).where(
            table.c.consumer == self.consumer,
            table.c.stream_id == event.stream,
            table.c.version == event.version,
            table.c.state == "discarded",
        )
        passed = (await session.connection.execute(chosen)).scalars()
        return any(
            digest(bytes_) == cursor.digest and Event.parse(bytes_).previous == event.previous for bytes_ in passed
        )

    def _accept(self, intake: Intake, event: Event, record: Record) -> bool:
        cursor = intake.cursors[event.stream]
        if event.previous != cursor.digest:
            message = f"version {event.version} does not follow the version {cursor.version} that was taken in"
            self.set_aside(intake, record, event, "fork", message)
            return False
        try:
            self.read(event)
        except UnknownType as error:
            self.set_aside(intake, record, event, "unknown_type", str(error))
            return False
        except Undecodable as error:
            self.set_aside(intake, record, event, "poison", str(error))
            return False
        cursor.version, cursor.digest = event.version, event.digest
        intake.changed.add(event.stream)
        intake.accepted.append((event, record))
        return True

    def read(self, event: Event) -> None:
        """Reads the data once, so that what cannot be read is found before anything is decided."""
        _ = event.data

    def drain(self, intake: Intake, stream: str, record: Record) -> None:
        """Takes parked events that now follow; the stream is free when none is left.

        One that cannot be taken in is set aside where `record` lies, upon which it was looked at.
        """
        cursor, waiting = intake.cursors[stream], intake.waiting.get(stream, {})
        while cursor.blocked == "gap" and (event := waiting.pop(cursor.version + 1, None)):
            taken = self._accept(intake, event, record._replace(value=event.bytes))
            (intake.drained if taken else intake.moved).append(event)
        if cursor.blocked == "gap" and all(version <= cursor.version for version in waiting):
            # What is left was sent again while the stream waited.
            intake.drained += waiting.values()
            waiting.clear()
            cursor.blocked = None
            intake.changed.add(stream)

    def _park(self, intake: Intake, event: Event, reason: str) -> None:
        cursor = intake.cursors[event.stream]
        cursor.blocked = cursor.blocked or reason
        intake.changed.add(event.stream)
        intake.waiting.setdefault(event.stream, {})[event.version] = event
        intake.parked.append(event)

    def move(self, intake: Intake, poison: Poison | None) -> None:
        """Sets a parked event aside that fails in its turn."""
        if poison is not None and poison.event is not None:
            intake.moved.append(poison.event)
            self.set_aside(intake, poison.record, poison.event, poison.reason, poison.error)

    def set_aside(self, intake: Intake, record: Record, event: Event | None, reason: str, error: str) -> None:
        if event is not None:
            cursor = intake.cursors.setdefault(event.stream, Cursor())
            cursor.blocked = reason
            intake.changed.add(event.stream)
        now = self.runtime.time_source.now()
        intake.aside.append(operations.dead_letter(self.consumer, record, event, reason, error, now))

    async def set_down(self, session: Session, intake: Intake) -> None:
        """Writes where streams stand, what waits, and what was set aside."""
        connection = session.connection
        cursors = [
            {
                "consumer": self.consumer,
                "stream_id": stream,
                "version": intake.cursors[stream].version,
                "digest": intake.cursors[stream].digest or "",
                "blocked": intake.cursors[stream].blocked,
            }
            for stream in sorted(intake.changed)
        ]
        session.also.append(Write(self.tables["stream_cursor"], cursors, replaces=True))
        parked = self.tables["parked"]
        now = instant(self.runtime.time_source.now())
        gone = {(event.stream, event.version) for event in intake.drained}
        moved = {(event.stream, event.version, event.digest) for event in intake.moved}
        waits = {
            (event.stream, event.version, event.digest): event
            for event in intake.parked
            if (event.stream, event.version) not in gone and (event.stream, event.version, event.digest) not in moved
        }
        rows = {
            key: {
                "consumer": self.consumer,
                "stream_id": event.stream,
                "version": event.version,
                "digest": event.digest,
                "correlation": event.correlation,
                "since": now,
                "bytes": event.bytes,
            }
            for key, event in waits.items()
        }
        new = await sql.add_missing(connection, parked, [rows[key] for key in sorted(rows)])
        intake.waits += [waits[key] for key in sorted(waits) if (self.consumer, *key) in new]
        for stream, version in sorted(gone):
            await connection.execute(
                delete(parked).where(
                    parked.c.consumer == self.consumer, parked.c.stream_id == stream, parked.c.version == version
                )
            )
        await sql.remove(connection, parked, [(self.consumer, *key) for key in sorted(moved)])
        aside = {row["id"]: row for row in intake.aside}
        new = await sql.add_missing(connection, self.tables["dead_letters"], [aside[id_] for id_ in sorted(aside)])
        intake.aside = [row for id_, row in aside.items() if (id_,) in new]
