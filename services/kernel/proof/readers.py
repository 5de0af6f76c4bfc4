"""Whether the readers of a topic took in all events before their offsets.

If somebody moves an offset by hand, a reader may skip events: no lag shows it, and no stream waits. Events that a
reader has not reached yet are no fault. Discarded and parked events are none either; they are reported elsewhere.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Table, select

from schemas.envelope import Event
from services.kernel.delivery.log import Partition, Record
from services.kernel.delivery.offsets import Offset, Progress
from services.kernel.proof.result import NEVER_TOOK, CheckResult
from services.kernel.store.database import Database

BATCH = 500


class Reader(NamedTuple):
    """A service that reads the topic, and its position before the topic was looked at. Positions only grow."""

    name: str
    database: Database
    tables: Mapping[str, Table]
    standing: Progress


class Readers:
    """The readers of one topic. The check calls it for each event of the owner there, in order of each partition."""

    def __init__(self, topic: str, readers: Sequence[Reader]) -> None:
        self._topic, self._readers = topic, readers
        self._places: dict[str, Partition] = {}
        self._ahead: dict[str, dict[str, int]] = {reader.name: {} for reader in readers}
        """By reader and stream: the lowest version that the reader has not reached."""

    def note(self, record: Record, event: Event) -> None:
        """Notes an event of the owner at this place."""
        place = self._places.setdefault(event.stream, Partition(record.topic, record.partition))
        for reader in self._readers:
            if record.offset >= reader.standing.taken.get(place, Offset(0)).next:
                ahead = self._ahead[reader.name]
                ahead[event.stream] = min(event.version, ahead.get(event.stream, event.version))

    async def check(self, seen: Mapping[str, int], result: CheckResult) -> None:
        """Reports which versions each reader lacks, of those that the topic holds in order."""
        for reader in self._readers:
            ahead = self._ahead[reader.name]
            behind = {
                stream: min(version, ahead.get(stream, version + 1) - 1)
                for stream, version in seen.items()
                if self._places[stream] not in reader.standing.lost
            }
            streams = sorted(stream for stream, version in behind.items() if version)
            for start in range(0, len(streams), BATCH):
                part = streams[start : start + BATCH]
                await self._compare(reader, {stream: behind[stream] for stream in part}, result)

    async def _compare(self, reader: Reader, behind: Mapping[str, int], result: CheckResult) -> None:
        cursor = reader.tables["stream_cursor"]
        mine = (cursor.c.consumer == reader.name, cursor.c.stream_id.in_(list(behind)))
        async with reader.database.read() as connection:
            found = (await connection.execute(select(cursor).where(*mine))).all()
            taken = {row.stream_id: row.version if row.blocked is None else behind[row.stream_id] for row in found}
            lacking = [stream for stream, version in behind.items() if taken.get(stream, 0) < version]
            letters = reader.tables["dead_letters"]
            of_stream = (letters.c.stream_id.in_(lacking), letters.c.reason != "unwritten")
            passed = (*of_stream, letters.c.state == "discarded")
            discarded = (await connection.execute(select(letters.c.stream_id, letters.c.version).where(*passed))).all()
        gone = {tuple(row) for row in discarded}
        for stream in lacking:
            first = next((n for n in range(taken.get(stream, 0) + 1, behind[stream] + 1) if (stream, n) not in gone), 0)
            if first:
                place = f"{self._topic}, partition {self._places[stream].number}"
                sentence = (
                    f"{reader.name} never took {stream} version {first} from {place}: its offset was moved past it"
                )
                where = f"{reader.name} never took events from {place}"
                result.fault(NEVER_TOOK, where, sentence, service=reader.name, topic=self._topic)
