"""The loop that reads the mailboxes of units. It runs in the leader, one task for each mailbox.

The inbox itself says what is still to be done. A mail leaves it last: after its report is durable, its files are added,
and its receipt is sent. A kill in between reads it again, and by its id it is the same report. At worst the reply comes
twice, with the same Message-ID. A mail that ends the process is marked, and is set aside the third time. Nothing of a
sender is logged or stored.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import structlog
from sqlalchemy.exc import DBAPIError

from schemas.operation import OperationMailsSetAside
from services.ingest import intake, queries
from services.ingest.form.pace import Pace
from services.ingest.intake import Prepared
from services.ingest.mail import codec, files, noted
from services.ingest.mail.codec import Aside, Mail
from services.ingest.mail.done import Done
from services.ingest.mail.files import Files, Filing, is_elsewhere
from services.ingest.mail.mailboxes import Mailbox, load
from services.ingest.mail.reading import groups, parsed
from services.ingest.mail.replies import Replies
from services.ingest.mail.threads import in_thread
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Forbidden, Problem, Rejected
from services.kernel.delivery import operations
from services.kernel.delivery.runtime import Runtime
from services.kernel.failpoints import failpoint
from services.kernel.logging import Lasting, brief
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store import failures
from services.kernel.store.lease import Superseded
from services.kernel.store.session import Session
from services.kernel.tasks import side_by_side

if TYPE_CHECKING:
    from services.ingest.mail.inbox import Head, Inbox

REST, LONGEST = 2.0, 300.0
"""Seconds before another try. They double up to the longest."""
FILING = 60.0
"""Seconds. After so long with files, new mails come first again."""
FEW = 10
"""Up to so many mails of a day may be set aside without an alarm, however few are reports."""
OF_SETTINGS = ("not-listed", "source-taken", "code-looks-personal")
"""Refusals that are about who sends and the codes that the settings give, so no mail is the cause."""
logger = structlog.get_logger()


class NotSetUp(Exception):
    """No mail of the mailbox can become a report, whatever it says."""


class Taken(NamedTuple):
    """A mail whose report is durable. `is_new` is false if it was so before."""

    head: "Head"
    mail: Mail
    report: str
    receipt: str
    is_new: bool


async def run(runtime: Runtime) -> None:
    """The loop, until cancelled. Without mailboxes in the settings it ends at once.

    What it told operators goes with it: the next leader looks anew.
    """
    boxes = load(runtime.settings)
    own = frozenset(box.address.lower() for box in boxes.values())
    await noted.begin(runtime, boxes)
    try:
        await side_by_side(keep(Reader(runtime, unit, box, own)) for unit, box in boxes.items())
    finally:
        for about in [about for about in runtime.alarms if about.startswith("mail.")]:
            del runtime.alarms[about]


async def keep(reader: "Reader") -> None:
    """Reads one mailbox for ever. What is away raises an alarm, and is tried again after longer and longer."""
    from services.ingest.mail.inbox import Away, SignInRefused

    runtime, alarm, pause = reader.runtime, f"mail.{reader.unit}", REST
    waits = Lasting("mail.wait", service=runtime.service.name, unit=reader.unit)
    while True:
        was_read = False
        try:
            why = await reader.read()
            was_read = True
        except Superseded:
            raise
        except SignInRefused as error:
            why, pause = str(error), LONGEST
        except (Away, NotSetUp) as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001  a server that answers anything holds up no other mailbox
            why = brief(error) if is_elsewhere(error) else f"a {reader.defect(error)}, which the log shows"
        await _note(reader, why, was_read=was_read)
        if why:
            runtime.alarms[alarm] = f"the mailbox of {reader.unit}: {why}. Mails stay in the inbox"
            waits.told(why)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)
        else:
            runtime.alarms.pop(alarm, None)
            waits.over()
            pause = REST
            await asyncio.sleep(0 if reader.has_more else reader.box.poll_seconds)


async def _note(reader: "Reader", why: str, *, was_read: bool) -> None:
    """Notes for people how the mailbox is. A store that is away holds nothing up for it."""
    runtime, unit = reader.runtime, reader.unit
    lasting = [said for name, said in runtime.alarms.items() if name.startswith(f"mail.{unit}.")]
    with suppress(Problem, DBAPIError, OSError):
        if was_read:
            await noted.was_read(runtime, unit, reader.tally["reports"], reader.tally["aside"])
            reader.tally.clear()
        await noted.troubled(runtime, unit, why or "; ".join(lasting) or None)


class Reader:
    """Takes in what comes to the mailbox of a unit."""

    def __init__(self, runtime: Runtime, unit: str, box: Mailbox, own: frozenset[str] = frozenset()) -> None:
        self.runtime, self.unit, self.box = runtime, unit, box
        self.filing = dict[int, Filing]()
        """Mails whose files are still to be added, by their numbers."""
        self.tally = Counter[str]()
        """New reports and mails set aside that are not noted yet."""
        self.has_more = False
        """Whether the time was over before all files were added."""
        self.replies = Replies(runtime, unit, box, own, self.defect)
        self._files, self._bytes = Files(runtime, unit, self.defect), Pace(files.BYTES, files.PER_SECONDS)
        self._actor = codec.sender(unit)
        self._validity = 0
        self._harmless = set[int]()
        """Mails that were read without harm, whatever their marks say."""
        self._day, self._counts = date.min, Counter[str]()
        self._unread = 0
        self._told_aside = set[int]()
        """Mails that are recorded as set aside, and are still in the inbox."""
        self._done = Done(runtime, unit, box, self.defect)

    async def read(self) -> str:
        """Takes in all that is in the inbox now. Returns why replies wait, if any do. Raises `Away` or `NotSetUp`."""
        from services.ingest.mail.inbox import Inbox

        name = await self._unit_name()
        inbox = Inbox(self.box)
        try:
            if (validity := await in_thread(inbox.open)) != self._validity:
                self._validity = validity
                self.replies.forget()
                self.filing.clear()
                self._harmless.clear()
                self._told_aside.clear()
            self._alarm(
                "marks", "" if inbox.keeps_marks else "the server keeps no marks, so nothing is deleted in done"
            )
            self._unread = 0
            heads = await in_thread(inbox.heads)
            new = [head for head in heads if head.uid not in self.replies.waiting and head.uid not in self.filing]
            self._harmless &= {head.uid for head in heads}
            self._told_aside &= {head.uid for head in heads}
            new = [head._replace(begun=0) if head.uid in self._harmless else head for head in new]
            why = await self.replies.send(inbox)
            for group in groups(sorted(new, key=lambda head: head.begun), self.box.most_bytes):
                why = await self._take(inbox, group, name, why)
            self._alarm(
                "unread", f"the server cannot read {self._unread} of the mails; look into it" if self._unread else ""
            )
            why = await self._file(inbox, name, why)
            waiting = {one.report for one in self.replies.waiting.values()}
            await self._done.clear(inbox, waiting | {one.report for one in self.filing.values()})
            await in_thread(inbox.close)
        finally:
            inbox.cut()
        return why

    def _alarm(self, about: str, why: str) -> None:
        """Raises an alarm that lasts, or ends it."""
        key = f"mail.{self.unit}.{about}"
        if why:
            self.runtime.alarms[key] = f"the mailbox of {self.unit}: {why}"
        else:
            self.runtime.alarms.pop(key, None)

    async def _unit_name(self) -> str:
        async with self.runtime.database.read() as connection:
            offices = await self.runtime.offices(connection)
        if self.unit not in offices.units:
            raise NotSetUp(f"there is no unit {self.unit}; correct the file of HUIYING_MAILBOXES and restart")
        if codec.CHANNEL not in offices.lists.channels:
            raise NotSetUp(f"the list of channels has no code {codec.CHANNEL}; add it to channels.yaml and restart")
        return offices.units[self.unit].name

    async def _take(self, inbox: "Inbox", heads: Sequence["Head"], name: str, why: str) -> str:
        """Takes in a group of mails, and moves each to where it belongs.

        `why` replies wait already, if they do. Returns why they still do.
        """
        fitting = [head for head in heads if head.size <= self.box.most_bytes and head.begun < 2]
        aside: dict[int, str] = {head.uid: "too-large" for head in heads if head.size > self.box.most_bytes}
        aside |= {head.uid: "unreadable" for head in heads if head.begun == 2}
        found = await self._parsed_with_marks(inbox, fitting)
        mails: list[tuple[Head, Mail]] = []
        for head in fitting:
            match found.get(head.uid):
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
        ended = list[int]()
        for one in (one for one in taken if one not in erased):
            uid, to = one.head.uid, one.mail.answerable
            if one.mail.files and (one.is_new or not self._files.are_in(one.report)):
                address = to.address.lower() if to else ""
                self.filing[uid] = Filing(one.report, one.receipt, address, one.head.size, one.head.answered)
            elif one.head.answered or not self.replies.add(
                uid, one.mail, one.report, files.told(one.receipt, one.mail), name
            ):
                ended.append(uid)
        why = why or await self.replies.send(inbox)
        failpoint("mail.replied")
        await in_thread(inbox.delete, [one.head.uid for one in erased])
        await in_thread(inbox.finish, ended)
        failpoint("mail.moved")
        await self._set_aside(inbox, aside)
        new = sum(one.is_new for one in taken)
        logger.info("mail.taken", unit=self.unit, reports=new, repeated=len(taken) - new, aside=len(aside))
        self._count(len(taken), len(aside))
        self.tally.update(reports=new, aside=len(aside))
        return why

    async def _file(self, inbox: "Inbox", name: str, why: str) -> str:
        """Adds the files of mails, for a while, and replies to those that have all of them."""
        until, self.has_more = time.monotonic() + FILING, False
        for uid, filing in list(self.filing.items()):
            if time.monotonic() > until:
                self.has_more = True
                break
            if not filing.ended and self._bytes.wait(filing.address, filing.size) is not None:
                continue
            mail = (await self._parsed(await in_thread(inbox.contents, [uid]))).get(uid)
            if not isinstance(mail, Mail):
                del self.filing[uid]
                continue
            told = await self._files.add(filing, mail, until)
            if inbox.is_stale() and await in_thread(inbox.open) != self._validity:
                self.filing.clear()
                break
            if told is None:
                self.has_more = True
                break
            failpoint("mail.attached")
            del self.filing[uid]
            if filing.is_answered or not self.replies.add(uid, mail, filing.report, told, name):
                await in_thread(inbox.finish, [uid])
            else:
                why = why or await self.replies.send(inbox)
        return why

    async def _parsed_with_marks(self, inbox: "Inbox", heads: Sequence["Head"]) -> dict[int, Mail | Aside]:
        """What the mails are. They carry a mark so long, so that one that ends the process is known by it."""
        from services.ingest.mail.inbox import ALONE, READING, Away

        raw = await in_thread(inbox.contents, [head.uid for head in heads])
        self._unread += len(heads) - len(raw)
        await in_thread(inbox.begin, list(raw), ALONE if any(head.begun for head in heads) else READING)
        found = await self._parsed(raw)
        self._harmless |= found.keys()
        if inbox.is_stale() and await in_thread(inbox.open) != self._validity:
            raise Away("the server numbered the mails anew meanwhile")
        await in_thread(inbox.end, list(raw))
        return found

    async def _parsed(self, raw: Mapping[int, bytes]) -> dict[int, Mail | Aside]:
        return await in_thread(parsed, raw, self.box.lists, self.defect)

    def _count(self, taken: int, aside: int) -> None:
        """Raises an alarm on a day on which most mails are set aside, which may be a fault of the settings."""
        if (day := self.runtime.time_source.now().date()) != self._day:
            self._day = day
            self._counts.clear()
        self._counts.update(taken=taken, aside=aside)
        most = max(self._counts["taken"], FEW)
        self._alarm(
            "aside",
            f"most mails of today are set aside; look into {self.box.aside}" if self._counts["aside"] > most else "",
        )

    def defect(self, error: Exception) -> str:
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
            if not isinstance(outcome, Exception) or isinstance(outcome, NotSetUp) or is_elsewhere(outcome):
                raise outcome
            if len(mails) > 1:
                found += await self._received([one])
            else:
                found.append(self.defect(outcome))
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
            if isinstance(problem, Forbidden) or problem.code in OF_SETTINGS:
                raise NotSetUp(f"the settings let no mail become a report: {problem.code}") from None
            return problem.code
        return Taken(head, mail, answer.body["report_id"], answer.body["receipt"], answer.status == 201)

    async def _is_erased(self, report: str) -> bool:
        async with self.runtime.database.read() as connection:
            return await queries.is_erased(connection, report)

    async def _set_aside(self, inbox: "Inbox", aside: Mapping[int, str]) -> None:
        """Records how many mails are no reports and why, then moves them. One that cannot be moved is recorded once."""
        if not aside:
            return
        if causes := Counter(cause for uid, cause in aside.items() if uid not in self._told_aside):
            facts = [
                OperationMailsSetAside(unit=self.unit, cause=cause, count=count)
                for cause, count in sorted(causes.items())
            ]

            async def act(session: Session, ctx: Ctx) -> Answer:
                await operations.record(session, ctx, *facts)
                return Answer({})

            await transact(self.runtime, Caller(), act)
            self._told_aside |= aside.keys()
        failpoint("mail.told")
        await in_thread(inbox.end, list(aside))
        await in_thread(inbox.move, list(aside), self.box.aside)
