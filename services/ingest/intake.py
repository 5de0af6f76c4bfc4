"""From a report as it was sent to its first event: masked, given its digests, and told from a repetition.

Nothing typed leaves `prepare` unmasked. A single report and a batch go the same way from there.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, TypeVar

from sqlalchemy import select

from schemas import catalogue
from schemas.fields import Fact
from schemas.ingest import ReportReceived
from services.ingest.commands import ReceiveReport, Report
from services.ingest.decider import DECIDER
from services.ingest.masking import MARKERS, Kind, is_post_number, mask, normalise
from services.ingest.views import EXTERNAL_IDS
from services.kernel.core.commands import Command
from services.kernel.core.decider import Actor, Ctx, Decided
from services.kernel.core.problems import Malformed, Problem
from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store import sql
from services.kernel.store.session import Session

Keyed = Callable[..., str]
C = TypeVar("C", bound=Command)
AT_ONCE = 200
"""Single reports that one transaction takes."""
CODES = ("channel", "source", "category")


class Prepared(NamedTuple):
    """A report that may become the stream `id`."""

    id: str
    receipt: str
    command: ReceiveReport


def receipt(keyed: Keyed, report_id: str) -> str:
    """The short code by which the asker is known later, and by nothing else: `ABCD-EFGH-IJKL`."""
    code = base64.b32encode(bytes.fromhex(keyed("receipt-of", report_id)[:20])).decode()
    return f"{code[:4]}-{code[4:8]}-{code[8:12]}"


def masked(command: C, fact: type[Fact]) -> tuple[C, dict[str, int]]:
    """The command with the words that `fact` will hold masked, and how many numbers of each kind were.

    The number of a post stays readable as an external id; in free text it could be somebody's card.
    """
    counts: Counter[str] = Counter()
    fresh = {}
    for name in catalogue.words_of(fact):
        text = getattr(command, name)
        if text is not None and not (name == "external_id" and is_post_number(text)):
            found = mask(text)
            if found.counts:
                fresh[name] = found.text
                counts.update(found.counts)
    return (command.model_copy(update=fresh) if fresh else command), dict(counts)


@lru_cache(4096)
def _is_plain(code: str) -> bool:
    return not mask(code).counts


def _leads_to_person(url: str | None) -> bool:
    """Whether the masked address is that of somebody's page, or asks for somebody; that of a post is not."""
    return url is not None and (MARKERS[Kind.PROFILE] in url or f"={MARKERS[Kind.ACCOUNT]}" in url)


def prepare(report: Report, actor: Actor, keyed: Keyed) -> Prepared:
    """Masks a report and makes its digests. Raises `Malformed` where a code holds what would have to be masked.

    The matter is the address, or else the subject: no matter is ever found by the page of a person.
    """
    for name in CODES:
        if (code := getattr(report, name)) is not None and not _is_plain(code):
            raise Malformed(
                f"{name} is a code of a list; this one looks like somebody's number or address",
                code="code-looks-personal",
                field=name,
            )
    clean, counts = masked(report, ReportReceived)
    about = normalise(clean.subject) if report.url is None or _leads_to_person(clean.url) else report.url
    duplicate = None
    if report.source is not None and report.external_id is not None:
        duplicate = keyed("duplicate", actor.post, report.source, report.external_id)
    id_ = f"report-{uuid7()}"
    code = receipt(keyed, id_)
    command = ReceiveReport(
        report=clean,
        matter=keyed("matter", report.unit, about),
        duplicate=duplicate,
        receipt=keyed("receipt", code),
        masked=counts,
    )
    return Prepared(id_, code, command)


async def receive(session: Session, reports: Sequence[tuple[Prepared, Ctx]]) -> list[Answer | Problem]:
    """What becomes of each report, in order: 201, 200 for an exact repetition, or the problem that it has.

    Judged first, then its external id is reserved, then appended; so a refused report reserves nothing.
    """
    facts = [_judge(report.command, ctx) for report, ctx in reports]
    first = await _reserve(
        session, [report for (report, _), judged in zip(reports, facts, strict=True) if not isinstance(judged, Problem)]
    )
    outcomes: list[Answer | Problem] = []
    for (report, ctx), judged in zip(reports, facts, strict=True):
        known = first.get(report.command.duplicate or "", report.id)
        if isinstance(judged, Problem):
            outcomes.append(judged)
        elif known != report.id:
            outcomes.append(Answer({"report_id": known, "receipt": receipt(ctx.keyed, known)}, 200))
        else:
            session.begin(report.id)
            session.append(report.id, judged, ctx)
            outcomes.append(Answer({"report_id": report.id, "receipt": report.receipt}, 201))
    return outcomes


class Together:
    """Stores reports that are sent at the same time in one transaction: while one commits, the next ones gather.

    Nobody waits for others to come: what is there is stored at once, and what comes meanwhile goes into the next one.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting: list[tuple[Prepared, Caller, asyncio.Future[Answer]]] = []
        self._storing: asyncio.Task[None] | None = None

    async def receive(self, report: Prepared, caller: Caller) -> Answer:
        """As `receive` of one report in a transaction of its own; raises the problem that it has."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((report, caller, answer))
        if self._storing is None:
            self._storing = asyncio.create_task(self._store())
        return await answer

    async def _store(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            try:
                outcomes = await self._transact([(report, caller) for report, caller, _ in batch])
            except Exception as error:  # noqa: BLE001  whoever waits gets it
                outcomes = [error] * len(batch)
            for (_, _, answer), outcome in zip(batch, outcomes, strict=True):
                if answer.done():
                    continue  # whoever asked has gone
                if isinstance(outcome, Answer):
                    answer.set_result(outcome)
                else:
                    answer.set_exception(outcome)
        self._storing = None

    async def _transact(self, reports: Sequence[tuple[Prepared, Caller]]) -> Sequence[Answer | Exception]:
        outcomes: list[Answer | Problem] = []

        async def act(session: Session, ctx: Ctx) -> Answer:
            asked = [(report, replace(ctx, actor=caller.actor, cause=caller.request)) for report, caller in reports]
            outcomes[:] = await receive(session, asked)
            return Answer({})

        await transact(self._runtime, Caller(), act)
        return outcomes


def _judge(command: ReceiveReport, ctx: Ctx) -> Decided | Problem:
    try:
        return DECIDER.decide(DECIDER.initial_state(), command, ctx)
    except Problem as problem:
        return problem


async def _reserve(session: Session, reports: Sequence[Prepared]) -> Mapping[str, str]:
    """Duplicate digest -> the report that holds it, of those with an external id."""
    wanted: dict[str, str] = {}
    for report in reports:
        if report.command.duplicate is not None:
            wanted.setdefault(report.command.duplicate, report.id)
    if not wanted:
        return wanted
    rows = [{"duplicate": duplicate, "report_id": wanted[duplicate]} for duplicate in sorted(wanted)]
    added = await sql.add_missing(session.connection, EXTERNAL_IDS, rows)
    taken = [duplicate for duplicate in wanted if (duplicate,) not in added]
    if taken:
        chosen = select(EXTERNAL_IDS).where(EXTERNAL_IDS.c.duplicate.in_(taken))
        wanted.update({row.duplicate: row.report_id for row in await session.connection.execute(chosen)})
    return wanted
