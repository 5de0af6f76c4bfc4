"""The mails that became reports are deleted after some days, and where their words are erased."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from services.ingest import queries, recognition
from services.ingest.mail import codec
from services.ingest.mail.codec import Mail
from services.ingest.mail.mailboxes import Mailbox
from services.ingest.mail.reading import groups, parsed
from services.ingest.mail.threads import in_thread
from services.kernel.delivery.runtime import Runtime

if TYPE_CHECKING:
    from services.ingest.mail.inbox import Inbox

CLEAR = timedelta(hours=1)
"""From one look at the done mails to the next."""


class Done:
    """The folder `done` of a mailbox."""

    def __init__(self, runtime: Runtime, unit: str, box: Mailbox, defect: Callable[[Exception], str]) -> None:
        self._runtime, self._unit, self._box, self._defect = runtime, unit, box, defect
        self._actor = codec.sender(unit)
        self._cleared: datetime | None = None
        self._forgotten: set[str] = set()
        """Erased reports whose mails are gone."""

    async def clear(self, inbox: "Inbox", waiting: Collection[str]) -> None:
        """From time to time deletes done mails that are old, and those whose reports were erased.

        The mails of the reports that are `waiting` are not in this folder yet.
        """
        now, day = self._runtime.time_source.now(), timedelta(days=1)
        days = self._box.done_days * day
        if not inbox.keeps_marks or (self._cleared is not None and now - self._cleared < CLEAR):
            return
        # To the day, as the server counts days.
        await in_thread(inbox.open_done, (now - days).date())
        async with self._runtime.database.read() as connection:
            erased = await queries.erased_since(connection, now - days - 2 * day)
        source = f"{codec.SOURCE}{self._unit}"
        gone = {
            id_: received
            for id_, received in erased.items()
            if received.source == source and id_ not in self._forgotten
        }
        digests = {received.duplicate for received in gone.values()}
        last = {id_: received.discovered_at.date() + day for id_, received in gone.items()}
        for date_ in sorted({one - ago * day for one in last.values() for ago in range(3)}):
            for group in groups(await in_thread(inbox.done_on, date_), self._box.most_bytes):
                fitting = [head.uid for head in group if head.size <= self._box.most_bytes]
                raw = await in_thread(inbox.contents, fitting)
                await in_thread(inbox.delete, await in_thread(self._among, raw, digests))
            self._forgotten |= {id_ for id_, one in last.items() if one == date_}.difference(waiting)
        self._cleared = now

    def _among(self, raw: Mapping[int, bytes], digests: set[str | None]) -> list[int]:
        """The mails whose reports have these digests."""
        keyed, now = self._runtime.keys.digest, self._runtime.time_source.now()
        return [
            uid
            for uid, mail in parsed(raw, self._box.lists, self._defect).items()
            if isinstance(mail, Mail)
            and recognition.duplicate(codec.report(mail, self._unit, now, keyed), self._actor, keyed) in digests
        ]
