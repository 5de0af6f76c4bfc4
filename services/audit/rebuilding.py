"""Builds audit's tables anew from the topics, beside the present ones, while audit goes on; then exchanges the two.

The positions are those of the log, so the new tree has the roots that were signed. Nothing is exchanged otherwise.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import structlog
from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.envelope import Event
from services.audit import views
from services.audit.log import growing
from services.audit.projection import AuditWork, Head, learn
from services.kernel.delivery import recovery
from services.kernel.delivery.log import OffsetOutOfRange, Partition
from services.kernel.delivery.runtime import Runtime
from services.kernel.proof.replay import know_discarded
from services.kernel.store import beside, migrations
from services.kernel.store.beside import NotBuilt
from services.kernel.store.database import Database
from services.kernel.store.session import Session
from services.kernel.tlog import Refused

PAGE = 100
"""Own events that are read at once. One of them may name thousands of others."""
SOON = 5.0
"""A round of building that takes less than so many seconds may be the last one, in which audit waits."""
ROUNDS = 20
logger = structlog.get_logger()

Tell = Callable[[int, int], None]
"""Is told how many events stand in the new tables, and how many are to."""


class Rebuilt(NamedTuple):
    """The result of a building that was exchanged."""

    events: int
    seconds: float


async def rebuild(live: Runtime, tell: Tell = lambda done, of: None) -> Rebuilt:
    """Builds and exchanges. Audit may serve meanwhile; at the end it waits for less than a few seconds.

    Words, drafts, keys and what else no event brings back stay as they are. Raises `NotBuilt` and `LogGone`; then the
    present tables are as before. It needs as much space again as audit's tables take.
    """
    began = time.monotonic()
    async with beside.place(live.database) as database:
        building = _Building(live, database, tell)
        await building.begin()
        for _ in range(ROUNDS):
            started = time.monotonic()
            await building.round()
            if time.monotonic() - started < SOON:
                break
        else:
            raise NotBuilt(f"audit takes events in faster than they are built; {ROUNDS} rounds did not reach it")
        await building.exchange()
        return Rebuilt(building.size, time.monotonic() - began)


def tables_of(audit: Runtime) -> list[Table]:
    """The tables that are built anew and exchanged."""
    rebuilt = (*(view.table for view in audit.service.views), *audit.service.rebuilt)
    return list(dict.fromkeys((*rebuilt, views.SIZES, views.HEAD, views.LINKED_TYPES)))


class _Building:
    def __init__(self, live: Runtime, database: Database, tell: Tell) -> None:
        self.live, self.tell = live, tell
        self.fresh = Runtime(live.service, live.settings, database, live.time_source, live.log, live.secret)
        self.work = AuditWork(self.fresh)
        self.work.replaying = True
        self.own = 0
        """The highest `seq` of audit's own events that were taken back."""
        self.size = 0
        self.tables = tables_of(live)

    async def begin(self) -> None:
        await migrations.upgrade(self.fresh.database, self.live.service)
        async with self.live.database.read() as connection:
            if (head := await _head(connection)).size < head.next:
                raise NotBuilt(
                    f"audit regains {head.next - head.size} positions after a restore now; wait until it has them all"
                )
            await know_discarded(self.fresh, connection)
        await learn(self.fresh)

    async def round(self) -> None:
        """Builds up to what audit has taken in now."""
        await self._build(*await beside.patiently(self._settled))

    async def _settled(self) -> tuple[int, dict[Partition, int], Head]:
        async with self.live.database.transaction() as connection:
            await beside.settled(connection, self.live.tables["events"])
            return await self._reached(connection)

    async def _reached(self, connection: AsyncConnection) -> tuple[int, dict[Partition, int], Head]:
        events = self.live.tables["events"]
        last = (await connection.execute(select(func.max(events.c.seq)))).scalar() or 0
        return last, await self.work.taken(connection), await _head(connection)

    async def _build(
        self, last: int, taken: dict[Partition, int], head: Head, own: AsyncConnection | None = None
    ) -> None:
        """Takes in audit's own events up to number `last`, then the records before the offsets `taken`.

        The own events name the positions of all others, so they come first.
        """
        if own is None:
            async with self.live.database.read() as connection:
                await self._take_back(connection, last)
        else:
            await self._take_back(own, last)
        async with self.fresh.database.read() as connection:
            before = await self.work.taken(connection)
        spans = {part: (before.get(part, 0), end) for part, end in taken.items() if before.get(part, 0) < end}
        try:
            async for records in self.live.log.read_together(spans):
                await self.work.handle(records)
                self.size += len(records)
                self.tell(min(self.size, head.size), head.size)
        except OffsetOutOfRange as error:
            raise NotBuilt(f"{error}. Only whole topics give the whole record") from error

    async def _take_back(self, connection: AsyncConnection, last: int) -> None:
        events = self.live.tables["events"]
        chosen = select(events.c.seq, events.c.bytes).order_by(events.c.seq).limit(PAGE)
        while rows := (await connection.execute(chosen.where(events.c.seq > self.own, events.c.seq <= last))).all():
            async with self.fresh.database.transaction() as beside_:
                session = Session(self.live.service, self.live.settings, beside_, self.live.time_source.now())
                await recovery.take_back(session, [Event.parse(row.bytes) for row in rows])
                await session.flush()
            self.own = rows[-1].seq

    async def exchange(self) -> None:
        await beside.prepare(self.fresh.database, self.tables)
        events = self.live.tables["events"]
        stops = (views.HEAD, events)
        await beside.exchange(self.live.database, self.fresh.database, self.tables, stops, self._last)

    async def _last(self, connection: AsyncConnection) -> None:
        """Builds what came in meanwhile, and compares. `connection` reads the present tables."""
        last, taken, head = await self._reached(connection)
        await self._build(last, taken, head, connection)
        async with self.fresh.database.read() as beside_:
            new = await _head(beside_)
            if (new.size, new.next, new.logged) != (head.size, head.next, head.logged):
                raise NotBuilt(
                    f"the topics give {new.size} of {new.next} positions, and audit has {head.size} of {head.next}. "
                    "`huiying check` says which events are missing; events that wait as dead letters are to be "
                    "redriven or discarded first"
                )
            await _must_have_the_roots(connection, beside_)
        self.size = head.size
        logger.info("audit.rebuilt", events=head.size)


async def _head(connection: AsyncConnection) -> Head:
    row = (await connection.execute(select(views.HEAD))).mappings().first()
    return Head(row["size"], row["next"], row["logged"], row["complete_until"]) if row else Head(0, 0, 0, None)


async def _must_have_the_roots(present: AsyncConnection, new: AsyncConnection) -> None:
    """Compares the new tree with the newest checkpoint that was signed. Raises `NotBuilt`."""
    chosen = select(views.CHECKPOINTS.c.size, views.CHECKPOINTS.c.root)
    signed = (await present.execute(chosen.order_by(views.CHECKPOINTS.c.size.desc()).limit(1))).first()
    if signed is None:
        return
    try:
        root = (await growing.root(new, signed.size)).hex()
    except Refused as error:
        root = str(error)
    if root != signed.root:
        raise NotBuilt(
            f"the topics give the root {root} for the first {signed.size} events, and {signed.root} was signed. "
            "The topics were altered: `huiying check` and `huiying verify record` name the place"
        )
