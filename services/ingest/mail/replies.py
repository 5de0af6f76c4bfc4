"""The replies of a mailbox: who gets one, when it is sent, and how often it is tried. All of it is only in memory."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, NamedTuple

import structlog

from services.ingest import queries
from services.ingest.form.pace import Pace
from services.ingest.mail import codec
from services.ingest.mail.codec import Mail, Told
from services.ingest.mail.mailboxes import Mailbox
from services.ingest.mail.threads import in_thread
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint

if TYPE_CHECKING:
    from services.ingest.mail.inbox import Inbox
    from services.ingest.mail.reply import Letter

HOUR, LATE = timedelta(hours=1), timedelta(days=1)
"""So long a reply is tried that is not taken."""
EACH, ALL = 20, 200
"""So many replies one address gets in an hour, and all together. Two machines that answer each other stop at that."""
MOST = ALL * (LATE // HOUR)
"""The most replies that can be sent before they are late."""
logger = structlog.get_logger()


class Waiting(NamedTuple):
    """A reply that is to be sent, since when, and about which report."""

    letter: "Letter"
    report: str
    since: datetime


class Replies:
    """The replies that wait, by the number of the mail, which stays in the inbox so long."""

    def __init__(
        self, runtime: Runtime, unit: str, box: Mailbox, own: frozenset[str], defect: Callable[..., str]
    ) -> None:
        self.waiting = dict[int, Waiting]()
        self._runtime, self._unit, self._box = runtime, unit, box
        self._own, self._defect = own | {box.address.lower()}, defect
        self._replied = set[int]()
        """Mails that were replied to, while the server does not know it."""
        self._pace = Pace(EACH, HOUR.total_seconds())
        self._hour, self._sent = runtime.time_source.now(), 0

    def forget(self) -> None:
        """The numbers mean other mails now."""
        self.waiting.clear()
        self._replied.clear()

    def add(self, uid: int, mail: Mail, report: str, told: Told, name: str) -> bool:
        """Lets a reply to a mail wait. False if none is to be sent."""
        to = mail.answerable
        if to is None or uid in self._replied:
            return False
        local, _, host = to.address.lower().partition("@")
        if f"{local}@{host}" in self._own or "." not in host.strip("."):
            return False
        if len(self.waiting) >= MOST or self._pace.wait(f"{local.partition('+')[0]}@{host}") is not None:
            logger.warning("mail.replies_enough", unit=self._unit)
            return False
        from services.ingest.mail import reply

        keyed, link = self._runtime.keys.digest, self._runtime.settings.link("receipt")
        digest = keyed("mail-reply", self._unit, codec.external_id(mail, keyed))[:40]
        try:
            made = reply.message(to, told, self._box, name, link, digest)
            made["Date"] = format_datetime(self._runtime.time_source.now())
            letter = reply.letter(made)
        except Exception as error:  # noqa: BLE001  the library raises anything at an address that is wrong enough
            self._defect(error)
            return False
        self.waiting[uid] = Waiting(letter, report, self._runtime.time_source.now())
        return True

    async def send(self, inbox: "Inbox") -> str:
        """Sends what waits, and moves the mails to `done`. Returns why all others wait, if they do.

        A mail whose report was erased meanwhile is deleted. What was not taken is tried last the next time.
        """
        from services.ingest.mail import reply

        now = self._runtime.time_source.now()
        if now - self._hour >= HOUR:
            self._hour, self._sent = now, 0
        numbers = list(self.waiting)[: ALL - self._sent]
        async with self._runtime.database.read() as connection:
            erased = [uid for uid in numbers if await queries.is_erased(connection, self.waiting[uid].report)]
        await in_thread(inbox.delete, erased)
        self._drop(erased)
        numbers = [uid for uid in numbers if uid not in erased]
        beyond = set(self.waiting) - set(numbers)
        settled, why = dict[int, bool | None](), ""
        if numbers:
            letters = [self.waiting[uid].letter for uid in numbers]
            sent = await in_thread(reply.send, self._box.smtp, letters)
            failpoint("mail.sent")
            settled, why = dict(zip(numbers, sent.settled, strict=True)), sent.why
            for code, count in sent.refused.items():
                logger.warning("mail.refused", unit=self._unit, code=code, count=count)
        ended = [uid for uid, is_settled in settled.items() if is_settled]
        tried = [uid for uid, is_settled in settled.items() if is_settled is False]
        late = [uid for uid in (*tried, *beyond) if self.waiting[uid].since < now - LATE]
        for uid in tried:
            self.waiting[uid] = self.waiting.pop(uid)
        if late:
            logger.warning("mail.replies_late", unit=self._unit, count=len(late))
        self._sent += len(ended)
        ended += late
        self._drop(ended)
        self._replied.update(ended)
        await in_thread(inbox.answered, ended)
        failpoint("mail.answered")
        await in_thread(inbox.finish, ended)
        self._replied.difference_update(ended)
        return why or (f"{ALL} replies were sent within the hour; the others wait" if beyond - set(late) else "")

    def _drop(self, numbers: Sequence[int]) -> None:
        for uid in numbers:
            del self.waiting[uid]
