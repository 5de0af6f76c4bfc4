"""The loop that reads the mailboxes of units. It runs in the leader, one task for each mailbox.

The inbox itself says what is still to be done. A mail leaves it last: after its report is durable, its files are added,
and its receipt is sent. A kill in between reads it again, and by its id it is the same report. At worst the reply comes
twice, with the same Message-ID. Nothing of a sender is logged or stored.
"""

import asyncio
import io
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.message import EmailMessage
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError

from schemas.operation import OperationMailsSetAside
from services.ingest import additions, evidence, intake, queries, recognition
from services.ingest.evidence_files import blobs_of
from services.ingest.form.pace import Pace
from services.ingest.intake import Prepared
from services.ingest.mail import codec
from services.ingest.mail.codec import Aside, File, Mail, Missed
from services.ingest.mail.mailboxes import Mailbox, load
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Problem, Rejected, TooLarge, Unavailable
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.logging import Lasting, brief
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store import failures
from services.kernel.store.lease import Superseded
from services.kernel.store.session import Session
from services.kernel.tasks import side_by_side, to_the_end
from services.kernel.uploads import contents
from services.kernel.uploads.taking import Sent

if TYPE_CHECKING:
    from services.ingest.mail.inbox import Head, Inbox

T = TypeVar("T")
GROUP, GROUP_BYTES = 50, 8_000_000
"""So many mails, or bytes of them, are read at once. One larger mail comes alone."""
REST, LONGEST = 2.0, 300.0
"""Seconds before another try. They double up to the longest."""
CLEAR = timedelta(hours=1)
"""From one look at the done mails to the next."""
REPLIES, PER_SECONDS = 20, 3600
"""So many replies one address gets in an hour. Two machines that answer each other stop at that."""
LATE = timedelta(days=1)
"""So long a reply is tried whose addressee's server takes no mail."""
PAGES = 30
"""The most pages of a document that anybody sends."""
THREADS = ThreadPoolExecutor(4, "mail")
FILES = ThreadPoolExecutor(1, "mail-files")
"""Draws what anybody sends, one file at a time, so that files of staff and integrations never wait for it."""
logger = structlog.get_logger()


class NoUnit(Exception):
    """The unit of a mailbox does not exist."""


class Waiting(NamedTuple):
    """A reply that is to be sent, since when."""

    letter: EmailMessage
    since: datetime


class Taken(NamedTuple):
    """A mail whose report is durable. `is_new` is false if it was so before."""

    head: "Head"
    mail: Mail
    report: str
    receipt: str
    is_new: bool


async def in_thread(work: Callable[..., T], *given: Any) -> T:
    """What `work` returns, which blocks."""
    return await asyncio.get_running_loop().run_in_executor(THREADS, work, *given)


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled. Without mailboxes in the settings it ends at once."""
    boxes = load(runtime.settings)
    own = frozenset(box.address.lower() for box in boxes.values())
    await side_by_side(keep(Reader(runtime, unit, box, own)) for unit, box in boxes.items())


async def keep(reader: "Reader") -> None:
    """Reads one mailbox for ever. What is away raises an alarm, and is tried again after longer and longer."""
    from services.ingest.mail.inbox import Away

    runtime, alarm, pause = reader.runtime, f"mail.{reader.unit}", REST
    waits = Lasting("mail.wait", service=runtime.service.name, unit=reader.unit)
    while True:
        try:
            why = await reader.read()
        except Superseded:
            raise
        except (Away, NoUnit) as error:
            why = str(error)
        except (Unavailable, DBAPIError, OSError) as error:
            if isinstance(error, DBAPIError) and failures.is_defect(error):
                raise
            why = brief(error)
        if why:
            runtime.alarms[alarm] = f"the mailbox of {reader.unit}: {why}. Mails stay in the inbox"
            waits.told(why)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)
        else:
            runtime.alarms.pop(alarm, None)
            waits.over()
            pause = REST
            await asyncio.sleep(reader.box.poll_seconds)


class Reader:
    """Takes in what comes to the mailbox of a unit."""

    def __init__(self, runtime: Runtime, unit: str, box: Mailbox, own: frozenset[str] = frozenset()) -> None:
        self.runtime, self.unit, self.box = runtime, unit, box
        self.waiting: dict[int, Waiting] = {}
        """Replies that could not be sent yet, by the number of the mail, which stays in the inbox so long."""
        self._own, self._actor = own | {box.address.lower()}, codec.sender(unit)
        self._pace = Pace(REPLIES, PER_SECONDS)
        self._validity = 0
        self._cleared: datetime | None = None
        self._forgotten: set[str] = set()
        """Erased reports whose mails are gone."""

    async def read(self) -> str:
        """Takes in all that is in the inbox now. Returns why replies wait, if any do. Raises `Away` or `NoUnit`."""
        from services.ingest.mail.inbox import Inbox

        name = await self._unit_name()
        inbox = Inbox(self.box)
        try:
            if (validity := await in_thread(inbox.open)) != self._validity:
                self._validity, self.waiting = validity, {}
            heads = await in_thread(inbox.heads)
            new = [head for head in heads if head.uid not in self.waiting]
            why = await self._send(inbox)
            for group in _groups(new, self.box.most_bytes):
                why = await self._take(inbox, group, name, why)
            await self._clear(inbox)
            await in_thread(inbox.close)
        finally:
            inbox.cut()
        return why

    async def _unit_name(self) -> str:
        async with self.runtime.database.read() as connection:
            units = (await self.runtime.offices(connection)).units
        if self.unit not in units:
            raise NoUnit(f"there is no unit {self.unit}; correct the file of HUIYING_MAILBOXES and restart")
        return units[self.unit].name

    async def _take(self, inbox: "Inbox", heads: Sequence["Head"], name: str, why: str) -> str:
        """Takes in a group of mails, and moves each to where it belongs.

        `why` replies wait already, if they do. Returns why they still do.
        """
        fitting = [head for head in heads if head.size <= self.box.most_bytes]
        aside: dict[int, str] = {head.uid: "too-large" for head in heads if head.size > self.box.most_bytes}
        raw = await in_thread(inbox.contents, [head.uid for head in fitting])
        parsed = await in_thread(self._parsed, raw)
        mails: list[tuple[Head, Mail]] = []
        for head in fitting:
            match parsed.get(head.uid):
                case Mail() as mail:
                    mails.append((head, mail))
                case Aside(cause):
                    aside[head.uid] = cause
        taken = list[Taken]()
        for (head, _), outcome in zip(mails, await self._received(mails), strict=True):
            if isinstance(outcome, Taken):
                taken.append(outcome)
            else:
                aside[head.uid] = outcome
        failpoint("mail.reported")
        erased = [one for one in taken if not one.is_new and await self._is_erased(one.report)]
        kept = [one for one in taken if one not in erased]
        now, replies = self.runtime.time_source.now(), dict[int, Waiting]()
        for one in kept:
            if (letter := await self._attached(one, name)) is not None:
                replies[one.head.uid] = Waiting(letter, now)
        failpoint("mail.attached")
        self.waiting |= replies
        why = why or await self._send(inbox)
        failpoint("mail.replied")
        await in_thread(inbox.delete, [one.head.uid for one in erased])
        await in_thread(inbox.move, [one.head.uid for one in kept if one.head.uid not in replies], self.box.done)
        failpoint("mail.moved")
        await self._set_aside(inbox, aside)
        new = sum(one.is_new for one in taken)
        logger.info("mail.taken", unit=self.unit, reports=new, repeated=len(taken) - new, aside=len(aside))
        return why

    def _parsed(self, raw: Mapping[int, bytes]) -> dict[int, Mail | Aside]:
        found: dict[int, Mail | Aside] = {}
        for uid, content in raw.items():
            try:
                found[uid] = codec.read(content, self.box.lists)
            except Exception as error:  # noqa: BLE001  a mail holds up no other one
                found[uid] = Aside(self._defect(error))
        return found

    def _defect(self, error: Exception) -> str:
        """Logs where an error arose. Its sentence could hold a part of the mail."""
        known = RuntimeError(type(error).__name__).with_traceback(error.__traceback__)
        failures.defect(known, service=self.runtime.service.name, unit=self.unit, record="mail")
        return "defect"

    async def _received(self, mails: Sequence[tuple["Head", Mail]]) -> list[Taken | str]:
        """For each mail its report, or why there is none. If a group fails for a defect, each is tried by itself."""
        outcomes = await asyncio.gather(*(self._receive(*one) for one in mails), return_exceptions=True)
        found = list[Taken | str]()
        for one, outcome in zip(mails, outcomes, strict=True):
            if isinstance(outcome, Taken | str):
                found.append(outcome)
                continue
            if not isinstance(outcome, Exception) or _is_elsewhere(outcome):
                raise outcome
            if len(mails) > 1:
                found += await self._received([one])
            else:
                found.append(self._defect(outcome))
        return found

    async def _receive(self, head: "Head", mail: Mail) -> Taken | str:
        now, keyed = self.runtime.time_source.now(), self.runtime.keys.digest
        try:
            report = codec.report(mail, self.unit, min(head.arrived or now, now), keyed)
            prepared: Prepared = intake.prepare(report, self._actor, self.runtime)
            answer = await self.runtime.part(intake.Together).receive(prepared, Caller(actor=self._actor))
        except Rejected as problem:
            if problem.code != "id-taken":
                return problem.code
            # The same mail, read by an earlier version of this program, or dated otherwise by its server.
            first = problem.members["report_id"]
            return Taken(head, mail, first, intake.receipt(keyed, first), is_new=False)
        except Problem as problem:
            if problem.status >= 500:
                raise
            return problem.code
        return Taken(head, mail, answer.body["report_id"], answer.body["receipt"], answer.status == 201)

    async def _is_erased(self, report: str) -> bool:
        async with self.runtime.database.read() as connection:
            return await queries.is_erased(connection, report)

    async def _attached(self, taken: Taken, name: str) -> EmailMessage | None:
        """Adds the files of a mail to its report. Returns the reply; None if none is to be sent."""
        added, missed = 0, Counter[Missed](taken.mail.missed)
        for file in taken.mail.files:
            kind = await self._attach(taken, file)
            if kind is None:
                added += 1
            else:
                missed[kind] += 1
        to = taken.mail.answerable
        if taken.head.answered or to is None or to.address.lower() in self._own:
            return None
        if self._pace.wait(to.address.lower()) is not None:
            logger.warning("mail.replies_enough", unit=self.unit)
            return None
        from services.ingest.mail import reply

        keyed, link = self.runtime.keys.digest, self.runtime.settings.link("receipt")
        digest = keyed("mail-reply", codec.external_id(taken.mail, keyed))[:40]
        try:
            return reply.message(to, reply.Told(taken.receipt, added, missed), self.box, name, link, digest)
        except Exception as error:  # noqa: BLE001  the library raises anything at an address that is wrong enough
            self._defect(error)
            return None

    async def _attach(self, taken: Taken, file: File) -> Missed | None:
        """Adds a file, once however often the mail is read. Returns why it was not taken; None if it was."""
        settings = self.runtime.settings
        limits = evidence.limits(settings)
        kind = contents.recognised(io.BytesIO(file.content)) or file.named
        if kind == contents.ARCHIVE:
            return "archive"
        if kind not in limits:
            return "other"
        if len(file.content) > limits[kind]:
            return "large"
        fewer = settings.model_copy(update={"evidence_pages": min(PAGES, settings.evidence_pages)})
        keep = partial(evidence.keep, listed=self.runtime.lists.telephones, threads=FILES)
        try:
            with tempfile.TemporaryFile() as content:
                content.write(file.content)
                upload = await keep(Sent(content, kind, file.charset, None), None, blobs_of(self.runtime), fewer)
            key = f"mail {codec.external_id(taken.mail, self.runtime.keys.digest)} {upload.blob.sha256}"
            caller = Caller(actor=self._actor)
            await to_the_end(additions.add(self.runtime, f"/mail/{self.unit}", taken.report, caller, upload, key))
        except TooLarge:
            return "large"
        except Problem as problem:
            if problem.status >= 500:
                raise
            return "archive" if problem.code == "archive-not-taken" else "other"
        except Exception as error:
            if _is_elsewhere(error):
                raise
            self._defect(error)
            return "other"
        return None

    async def _send(self, inbox: "Inbox") -> str:
        """Sends the replies that wait, and moves their mails to `done`. Returns why all others wait, if they do."""
        from services.ingest.mail import reply

        if not self.waiting:
            return ""
        numbers = list(self.waiting)
        sent, why = await in_thread(reply.send, self.box.smtp, [self.waiting[number].letter for number in numbers])
        failpoint("mail.sent")
        late = self.runtime.time_source.now() - LATE
        ended = [number for number, is_settled in zip(numbers, sent, strict=True) if is_settled]
        if not why:
            ended += [number for number in numbers if number not in ended and self.waiting[number].since < late]
        for number in ended:
            del self.waiting[number]
        await in_thread(inbox.answered, ended)
        failpoint("mail.answered")
        await in_thread(inbox.move, ended, self.box.done)
        return why

    async def _set_aside(self, inbox: "Inbox", aside: Mapping[int, str]) -> None:
        """Records how many mails are no reports and why, then moves them."""
        if not aside:
            return
        facts = [
            OperationMailsSetAside(unit=self.unit, cause=cause, count=count)
            for cause, count in sorted(Counter(aside.values()).items())
        ]

        async def act(session: Session, ctx: Ctx) -> Answer:
            await operations.record(session, ctx, *facts)
            return Answer({})

        await transact(self.runtime, Caller(), act)
        failpoint("mail.told")
        await in_thread(inbox.move, list(aside), self.box.aside)

    async def _clear(self, inbox: "Inbox") -> None:
        """From time to time deletes done mails that are old, and those whose reports were erased."""
        now, day = self.runtime.time_source.now(), timedelta(days=1)
        days = self.box.done_days * day
        if self._cleared is not None and now - self._cleared < CLEAR:
            return
        # To the day, as the server counts days.
        await in_thread(inbox.open_done, (now - days).date())
        async with self.runtime.database.read() as connection:
            erased = await queries.erased_since(connection, now - days - 2 * day)
        source = f"{codec.SOURCE}{self.unit}"
        gone = {
            id_: received
            for id_, received in erased.items()
            if received.source == source and id_ not in self._forgotten
        }
        digests = {received.duplicate for received in gone.values()}
        dates = {received.discovered_at.date() for received in gone.values()}
        for date in sorted(dates):
            numbers = await in_thread(inbox.arrived_between, date - day, date + 2 * day)
            for at in range(0, len(numbers), GROUP):
                raw = await in_thread(inbox.contents, numbers[at : at + GROUP])
                await in_thread(inbox.delete, await in_thread(self._among, raw, digests))
        self._forgotten |= gone.keys()
        self._cleared = now

    def _among(self, raw: Mapping[int, bytes], digests: set[str | None]) -> list[int]:
        """The mails whose reports have these digests."""
        keyed, now = self.runtime.keys.digest, self.runtime.time_source.now()
        return [
            uid
            for uid, mail in self._parsed(raw).items()
            if isinstance(mail, Mail)
            and recognition.duplicate(codec.report(mail, self.unit, now, keyed), self._actor, keyed) in digests
        ]


def _groups(heads: Sequence["Head"], most: int) -> Iterable[list["Head"]]:
    """The mails in groups that are read at once. One that is too large is not read, so it weighs nothing."""
    group, size = list["Head"](), 0
    for head in heads:
        weighs = head.size if head.size <= most else 0
        if group and (len(group) == GROUP or size + weighs > GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(head)
        size += weighs
    if group:
        yield group


def _is_elsewhere(error: BaseException) -> bool:
    """Whether the store or a disk failed, which is no fault of a mail."""
    return isinstance(error, Unavailable | OSError) or (isinstance(error, DBAPIError) and not failures.is_defect(error))
