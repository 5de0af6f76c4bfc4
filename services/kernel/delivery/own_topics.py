"""A service's own topics: up to where they were compared with its store, and whether anybody else writes to them.

Nobody but the owner's relay should. While the topics grow by what it sent and nothing more, they are as the store says.
"""

from collections import Counter
from typing import Any

from sqlalchemy import select

from schemas import catalogue
from services.kernel.delivery import offsets
from services.kernel.delivery.log import Partition, Record
from services.kernel.delivery.offsets import Progress
from services.kernel.delivery.runtime import Runtime
from services.kernel.store import sql
from services.kernel.store.session import OWNER


def of(service: str) -> tuple[str, ...]:
    """The topics that a service writes."""
    return (*catalogue.event_topics(service), catalogue.content_topic(service))


async def look(runtime: Runtime) -> Progress:
    """Up to where the topics were verified, and where they end. Raises `LogGone`."""
    table = runtime.tables["consumer_offset"]
    return await offsets.look(runtime.database, table, OWNER, runtime.log, of(runtime.service.name))


async def known(runtime: Runtime) -> set[str]:
    """The topics, also of others, of which the store has something: they existed before."""
    table, events = runtime.tables["consumer_offset"], runtime.tables["events"]
    async with runtime.database.read() as connection:
        found = set((await connection.execute(select(table.c.topic).where(table.c.next > 0))).scalars())
        for topic in catalogue.event_topics(runtime.service.name):
            of_kind = events.c.stream_id.startswith(f"{topic.rpartition('.')[2]}-", autoescape=True)
            if (await connection.execute(select(events.c.seq).where(of_kind).limit(1))).first():
                found.add(topic)
    return found


def mark(last: Record) -> dict[str, Any]:
    """The row that says that a partition was verified up to this record."""
    place = {"consumer": OWNER, "topic": last.topic, "partition": last.partition}
    return {**place, "next": last.offset + 1, "last": offsets.last_of(last)}


class Growth:
    """How far the topics have grown beside what this process' relay sent: from what is verified, before it starts."""

    def __init__(self, runtime: Runtime, verified: Progress) -> None:
        self._runtime = runtime
        self._ends = {part: offset.next for part, offset in verified.taken.items()}
        self._sent = Counter(runtime.sent)

    async def begin(self) -> bool:
        """Counts from now on; False while the relay is sending, since where the topics end cannot be told then."""
        if (seen := await self._quiet()) is None:
            return False
        self._ends, self._sent = seen
        return True

    async def is_ours(self) -> bool | None:
        """Whether the topics hold what the relay wrote and nothing else; None while it is sending.

        Where it is so, they are noted as verified up to there. Raises `LogGone`.
        """
        if (seen := await self._quiet()) is None:
            return None
        ends, sent = seen
        if any(end != self._ends.get(part, 0) + sent[part] - self._sent[part] for part, end in ends.items()):
            return False
        if grown := {part: end for part, end in ends.items() if end != self._ends.get(part, 0)}:
            last = await self._runtime.log.before(grown)
            async with self._runtime.database.transaction() as connection:
                rows = [mark(record) for _, record in sorted(last.items())]
                await sql.upsert(connection, self._runtime.tables["consumer_offset"], rows)
        self._ends, self._sent = seen
        return True

    async def _quiet(self) -> tuple[dict[Partition, int], Counter[Partition]] | None:
        """The ends, and what had been sent by then."""
        runtime, sent = self._runtime, Counter(self._runtime.sent)
        ends = dict(await runtime.log.ends(of(runtime.service.name)))
        return None if runtime.sending or sent != runtime.sent else (ends, sent)
