"""The position of other services' streams in a consumer, and the decision on each event that comes.

An event that follows is accepted. A repeated one changes nothing. One that is too early waits with its stream, and so
does one whose key or pack has not come. One that is forged, broken or unknown is set aside and stops only its own
stream.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event, Undecodable, UnknownType, digest
from schemas.fields import instant
from services.kernel.access.checkpoints import Kept, is_judged
from services.kernel.access.signatures import Awaited, Unproven, must_be_sealed, prove
from services.kernel.core.units import Offices
from services.kernel.delivery import operations
from services.kernel.delivery.log import Record
from services.kernel.delivery.records import UNWRITTEN
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import checkpoints, sql
from services.kernel.store.offices import PROVING, of_key, with_events
from services.kernel.store.session import Session
from services.kernel.store.sql import Write


class Poison(Exception):
    """A pure function failed on this record. It is never retried, but set aside with its raw bytes."""

    def __init__(self, record: Record, event: Event | None, reason: str, error: str) -> None:
        super().__init__(f"{record.topic}/{record.partition}@{record.offset}: {reason}: {error}")
        self.record, self.event, self.reason, self.error = record, event, reason, error


@dataclass(slots=True)
class Cursor:
    """How far a stream was taken in.

    `blocked` says why it waits: gap, or the reason of a dead letter.
    """

    version: int = 0
    digest: str | None = None
    blocked: str | None = None


@dataclass(slots=True)
class Intake:
    """The results of one transaction on its records."""

    accepted: list[tuple[Event, Record]] = field(default_factory=list)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    waiting: dict[str, dict[int, Event]] = field(default_factory=dict)
    """Parked events of blocked streams, by version."""
    parked: list[Event] = field(default_factory=list)
    """Events of streams that wait. The same transaction may drain some of them."""
    waits: list[Event] = field(default_factory=list)
    """Events that wait from this transaction on."""
    drained: list[Event] = field(default_factory=list)
    """Events that were parked before and are now taken in."""
    moved: list[Event] = field(default_factory=list)
    """Events that were parked before and are set aside at their turn."""
    aside: list[dict[str, Any]] = field(default_factory=list)
    duplicates: int = 0
    proving: Offices | None = None
    """The offices by which signed events are checked. Read only if there are any."""
    log: Kept | None = None
    """What is kept of the log of all events, with the checkpoints of this transaction. Read only if one comes."""
    further: list[Event] = field(default_factory=list)
    """Keys and packs that this transaction takes in."""


def _is_readable(event: Event) -> bool:
    try:
        _ = event.data
    except (UnknownType, Undecodable):
        return False
    return True


class Streams:
    """The streams that one service takes in. Their changes within a transaction are kept in its `Intake`."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.consumer = runtime.service.name
        self.tables = runtime.tables

    async def standing(self, connection: AsyncConnection, cursors: Sequence[Mapping[str, Any]]) -> Intake:
        """An intake with these rows of `stream_cursor`, and with the parked events of blocked streams."""
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
                waiting = intake.waiting.setdefault(event.stream, {})
                if event.version not in waiting or event.is_canonical:
                    waiting[event.version] = event
        return intake

    async def judge(self, session: Session, intake: Intake, event: Event, record: Record) -> None:
        """Takes the event in, drops it, parks it or sets it aside, depending on the position of its stream.

        Bytes that no service writes are set aside, since nobody could verify a record that holds them. Their stream
        does not wait for them: the right bytes may still come.
        """
        if await self._is_unwritten(session, event):
            self._set_unwritten_aside(intake, record, event)
            return
        cursor = intake.cursors.setdefault(event.stream, Cursor())
        await self.know_proof(session.connection, intake, event)
        if event.version <= cursor.version and await self.altered(session, event, cursor):
            if not await self._replaces_discarded(session, event, cursor):
                self.set_aside(intake, record, event, "fork", f"version {event.version} came with other bytes")
                return
            cursor.version, cursor.digest = event.version - 1, event.previous
        if event.version <= cursor.version:
            intake.duplicates += 1
        elif cursor.blocked and not (cursor.blocked in ("gap", "awaited") and event.version == cursor.version + 1):
            self._park(intake, event, cursor.blocked)
        elif event.version > cursor.version + 1:
            self._park(intake, event, "gap")
        else:
            # What waits in its place for a key that no post has must not keep it out.
            cursor.blocked = "gap" if cursor.blocked else None
            if self._accept(intake, event, record):
                await self.drain(session, intake, event.stream, record)

    async def _is_unwritten(self, session: Session, event: Event) -> bool:
        return not event.is_canonical and not await self.must_keep(session, event)

    async def must_keep(self, session: Session, event: Event) -> bool:
        """Whether these bytes have a place that they cannot lose, though no service writes such bytes."""
        return False

    def _set_unwritten_aside(self, intake: Intake, record: Record, event: Event) -> None:
        sentence = UNWRITTEN.format(event.version, event.stream)
        self.set_aside(intake, record, event, "unwritten", sentence, stops=False)

    async def altered(self, session: Session, event: Event, cursor: Cursor) -> bool:
        """Whether a version that was taken in before now comes with other bytes.

        Lower versions are not compared here.
        """
        return event.version == cursor.version and event.digest != cursor.digest

    async def _replaces_discarded(self, session: Session, event: Event, cursor: Cursor) -> bool:
        """Whether the cursor stands on a forged record that was discarded, so that this event takes its place."""
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
        try:
            self.prove(intake, event)
        except Unproven as error:
            self.set_aside(intake, record, event, "unproven", str(error))
            return False
        except Awaited as error:
            self.set_aside(intake, record, event, "awaited", str(error))
            return False
        cursor.version, cursor.digest = event.version, event.digest
        intake.changed.add(event.stream)
        intake.accepted.append((event, record))
        if event.type in PROVING and _is_readable(event):
            intake.further.append(event)
        return True

    async def know_proof(self, connection: AsyncConnection, intake: Intake, event: Event) -> None:
        """Reads the offices, as they are now, if events of such streams are signed, and what is kept of the log."""
        if intake.proving is None and event.kind in self.runtime.service.signatures:
            intake.proving = await self.runtime.offices(connection, now=True)
        if intake.log is None and is_judged(event):
            intake.log = await checkpoints.kept(connection, self.tables)

    def prove(self, intake: Intake, event: Event) -> None:
        """Raises `Unproven` or `Awaited` for an event that does not prove what it claims: a signed one, or a key."""
        if of_key(event) and _is_readable(event):
            must_be_sealed(event, self.runtime.keys.digest)
        if is_judged(event):
            assert intake.log is not None, "`know_proof` comes first"
            intake.log = intake.log.after(event, self.runtime.keys.digest)
        claims_of = self.runtime.service.signatures.get(event.kind)
        # A service that keeps also what it cannot read keeps that as it is.
        claims = claims_of(event) if claims_of and _is_readable(event) else None
        if claims is None:
            return
        assert intake.proving is not None, "`know_proof` comes first"
        offices = with_events(intake.proving, intake.further) if intake.further else intake.proving
        prove(claims, event, offices)

    async def admit(self, session: Session, intake: Intake) -> None:
        """Takes in events that waited for the keys and packs of this transaction. Nothing else is taken in beside it.

        An event that failed at its turn was set aside anew.
        """
        if not intake.further or not self.runtime.service.signatures:
            return
        failed = {event.digest for event in intake.moved}
        letters, connection = self.tables["dead_letters"], session.connection
        mine = (letters.c.consumer == self.consumer, letters.c.reason == "awaited", letters.c.state == "open")
        chosen = select(letters.c.id, letters.c.bytes).where(*mine).order_by(letters.c.stream_id, letters.c.version)
        before = {id_: Event.parse(bytes_) for id_, bytes_ in (await connection.execute(chosen)).all()}
        now = {row["id"]: Event.parse(row["bytes"]) for row in intake.aside if row["reason"] == "awaited"}
        record = next(record for event, record in intake.accepted if event is intake.further[-1])
        for id_, event in (before | now).items():
            if event.digest not in failed:
                if await self._awaits(connection, intake, event):
                    continue
                intake.aside = [row for row in intake.aside if row["id"] != id_]
                await self.stand(connection, intake, event.stream)
                await self.judge(session, intake, event, record._replace(value=event.bytes, traceparent=None))
            if id_ in before:
                await connection.execute(update(letters).where(letters.c.id == id_).values(state="redriven"))

    async def _awaits(self, connection: AsyncConnection, intake: Intake, event: Event) -> bool:
        await self.know_proof(connection, intake, event)
        try:
            self.prove(intake, event)
        except Awaited:
            return True
        except Unproven:
            return False
        return False

    async def stand(self, connection: AsyncConnection, intake: Intake, stream: str) -> None:
        """Adds a stream to the intake, with its parked events."""
        if stream not in intake.cursors:
            place = (self.tables["stream_cursor"], [(self.consumer, stream)])
            (rows,) = await sql.rows_of(connection, [place])
            further = await self.standing(connection, rows)
            intake.cursors |= further.cursors
            intake.waiting |= further.waiting

    def read(self, event: Event) -> None:
        """Reads the data once, so that unreadable data is found before anything is decided."""
        _ = event.data

    async def drain(self, session: Session, intake: Intake, stream: str, record: Record) -> None:
        """Takes in parked events that now follow. The stream is free when none is left.

        If one cannot be taken in, it is set aside at the place of `record`, which led to it.
        """
        cursor, waiting = intake.cursors[stream], intake.waiting.get(stream, {})
        while cursor.blocked == "gap" and (event := waiting.pop(cursor.version + 1, None)):
            place = record._replace(value=event.bytes, traceparent=None)
            if await self._is_unwritten(session, event):
                self._set_unwritten_aside(intake, place, event)
                intake.moved.append(event)
                continue
            taken = self._accept(intake, event, place)
            (intake.drained if taken else intake.moved).append(event)
        if cursor.blocked == "gap" and all(version <= cursor.version for version in waiting):
            # The events that are left were sent again while the stream waited.
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
        """Sets a parked event aside that fails at its turn."""
        if poison is not None and poison.event is not None:
            intake.moved.append(poison.event)
            self.set_aside(intake, poison.record, poison.event, poison.reason, poison.error)

    def set_aside(
        self, intake: Intake, record: Record, event: Event | None, reason: str, error: str, *, stops: bool = True
    ) -> None:
        """Adds a record to the dead letters. Its stream waits for it, unless it does not stop it."""
        if event is not None and stops:
            cursor = intake.cursors.setdefault(event.stream, Cursor())
            cursor.blocked = reason
            intake.changed.add(event.stream)
        now = self.runtime.time_source.now()
        intake.aside.append(operations.dead_letter(self.consumer, record, event, reason, error, now))

    async def set_down(self, session: Session, intake: Intake) -> None:
        """Writes the positions of streams, the parked events and the dead letters."""
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
