"""The way from a sent report to its first event: masking, digests, and the check for a repetition.

No typed word leaves `prepare` unmasked. From there on, single reports and batches go the same way.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, TypeVar

from sqlalchemy import select

from schemas import catalogue
from schemas.fields import Fact, instant
from schemas.handing import Handed
from schemas.ingest import ReportReceived
from schemas.receipts import receipt_of
from services.ingest import decider, recognition
from services.ingest.commands import ReceiveReport, Report
from services.ingest.form import codec as form
from services.ingest.mail import codec as mail
from services.ingest.messages import codec as peers
from services.ingest.recognition import Keyed
from services.ingest.views import EXTERNAL_IDS, SOURCES
from services.kernel.core.commands import Command
from services.kernel.core.decider import Actor, Ctx, Occurred
from services.kernel.core.problems import Malformed, Problem, Rejected
from services.kernel.core.uuid7 import uuid7
from services.kernel.delivery.runtime import Runtime
from services.kernel.delivery.tracing import ASKED, TOGETHER, Asked
from services.kernel.masking import Listed, is_post_number, mask
from services.kernel.serving.commands import Answer, Caller, transact
from services.kernel.store import sql
from services.kernel.store.session import Session
from services.kernel.store.sql import Write

C = TypeVar("C", bound=Command)
MAX_GROUP = 200
"""One transaction takes at most this many single reports."""
CODES = ("channel", "source", "category")


class Prepared(NamedTuple):
    """A report that may become the stream `id`."""

    id: str
    receipt: str
    command: ReceiveReport


def receipt(keyed: Keyed, report_id: str) -> str:
    """A short code for the sender, of the form `ABCD-EFGH-IJKL`. The sender later shows it and needs nothing else."""
    return receipt_of(keyed("receipt-of", report_id))


def masked(command: C, fact: type[Fact], listed: Listed = frozenset()) -> tuple[C, dict[str, int]]:
    """The command with masked words, for the words that `fact` will hold, and the number of masked places of each kind.

    A post's number stays readable as an external id. In free text it could be somebody's card.
    """
    counts: Counter[str] = Counter()
    fresh = {}
    for name in catalogue.words_of(fact):
        text = getattr(command, name)
        if text is not None and not (name == "external_id" and is_post_number(text)):
            found = mask(text, listed)
            if found.counts:
                fresh[name] = found.text
                counts.update(found.counts)
    return (command.model_copy(update=fresh) if fresh else command), dict(counts)


@lru_cache(4096)
def _is_plain(code: str) -> bool:
    return not mask(code).counts


def prepare(report: Report, actor: Actor, runtime: Runtime, handed: Handed | None = None) -> Prepared:
    """Masks a report and makes its digests. Raises `Malformed` if a code holds something that would be masked.

    What another deployment `handed` over is a matter of its own, whatever its subject.
    """
    for name in CODES:
        if (code := getattr(report, name)) is not None and not _is_plain(code):
            raise Malformed(
                f"{name} takes a code of a list; this looks like somebody's number or address",
                code="code-looks-personal",
                field=name,
            )
    owned = (form.belongs, mail.belongs, peers.belongs)
    if report.source is not None and not all(belongs(report.source, actor) for belongs in owned):
        raise _taken_by_another(report.source)
    clean, counts = masked(report, ReportReceived, runtime.lists.telephones)
    keyed = runtime.keys.digest
    duplicate = recognition.duplicate(report, actor, keyed)
    id_ = f"report-{uuid7()}"
    code = receipt(keyed, id_)
    command = ReceiveReport(
        report=clean,
        match_key=None if handed else recognition.match_key(report, clean, runtime.lists, keyed),
        place_key=recognition.place_key(report, keyed),
        duplicate=duplicate,
        sent=recognition.sent(report, duplicate, keyed) if duplicate else None,
        receipt=keyed("receipt", code),
        masked=counts,
        late_entry=runtime.settings.late_entry,
        by=keyed("by", id_, actor.person) if actor.person is not None else None,
        handed=handed,
    )
    return Prepared(id_, code, command)


OWNERS = select(SOURCES.c.source, SOURCES.c.integration).where(sql.is_one_of(SOURCES.c.source, "sources"))
HOLDERS = select(EXTERNAL_IDS).where(sql.is_one_of(EXTERNAL_IDS.c.duplicate, "duplicates"))


class Taken(NamedTuple):
    """The report that holds an external id. The fields are columns of `EXTERNAL_IDS`, after its key."""

    report_id: str
    sent: str
    discovered_at: str


async def receive(session: Session, reports: Sequence[tuple[Prepared, Ctx]]) -> list[Answer | Problem]:
    """The result for each report, in order: 201, 200 for an exact repetition, or a problem.

    A new source goes to the integration that names it first, and an external id to the report. A refused report takes
    neither. If another transaction takes one of them in between, the session raises a conflict when it writes.
    """
    facts = [_judge(report.command, ctx) for report, ctx in reports]
    owners, holders = await _taken(session, [_received(fact) for fact in facts if isinstance(fact, Occurred)])
    sources, ids = dict[str, str](), dict[str, Taken]()
    outcomes: list[Answer | Problem] = []
    for (report, ctx), fact in zip(reports, facts, strict=True):
        if isinstance(fact, Problem):
            outcomes.append(fact)
            continue
        received = _received(fact)
        source, duplicate = received.source, received.duplicate
        if source is not None and source not in owners and not ctx.actor.is_staff:
            owners[source] = sources[source] = ctx.actor.post
        if problem := _foreign(source, ctx.actor, owners):
            outcomes.append(problem)
        elif duplicate in holders:
            outcomes.append(_again(report.command, received, holders[duplicate], ctx))
        else:
            if duplicate is not None:
                taken = Taken(report.id, received.sent or "", instant(received.discovered_at))
                holders[duplicate] = ids[duplicate] = taken
            session.begin(report.id).drill = ctx.offices.drills(received.unit)
            session.append(report.id, [fact], ctx)
            outcomes.append(Answer({"report_id": report.id, "receipt": report.receipt}, 201))
    session.claimed += [
        Write(SOURCES, [{"source": source, "integration": owner} for source, owner in sorted(sources.items())]),
        Write(EXTERNAL_IDS, [{"duplicate": digest, **taken._asdict()} for digest, taken in sorted(ids.items())]),
    ]
    return outcomes


async def _taken(session: Session, reports: Sequence[ReportReceived]) -> tuple[dict[str, str], dict[str | None, Taken]]:
    """Source -> the integration that owns its code, and duplicate digest -> the report that holds the external id."""
    sources = {report.source for report in reports if report.source is not None}
    if not sources:
        return {}, {}
    duplicates = {report.duplicate for report in reports if report.duplicate is not None}
    owned, held = await sql.fetch(
        session.connection,
        [sql.Query(OWNERS, {"sources": sorted(sources)}), sql.Query(HOLDERS, {"duplicates": sorted(duplicates)})],
    )
    return dict(owned), {digest: Taken(*holder) for digest, *holder in held}


def _again(command: ReceiveReport, received: ReportReceived, known: Taken, ctx: Ctx) -> Answer | Problem:
    """The answer to a known external id. An earlier discovery is no repetition, since it moves limits."""
    if received.sent == known.sent and instant(received.discovered_at) >= known.discovered_at:
        return Answer({"report_id": known.report_id, "receipt": receipt(ctx.keyed, known.report_id)}, 200)
    source, external_id = command.report.source, command.report.external_id
    return Rejected(
        f"{source} has sent other content under the external_id {external_id}: {known.report_id}. Nothing of this one "
        "was kept; send it under another id, or add to the first report",
        code="id-taken",
        report_id=known.report_id,
        source=source,
        external_id=external_id,
    )


class _Waiting(NamedTuple):
    report: Prepared
    caller: Caller
    answer: asyncio.Future[Answer]
    asked: Asked | None


class Together:
    """Stores reports that arrive at the same time in one transaction. While one commits, the next ones gather.

    No report waits for others to come. Those that are there are stored at once, and later ones go into the next
    transaction.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting: list[_Waiting] = []
        self._storing: asyncio.Task[None] | None = None

    async def receive(self, report: Prepared, caller: Caller) -> Answer:
        """Like `receive` for one report in its own transaction. Raises the report's problem."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(report, caller, answer, ASKED.get()))
        if self._storing is None:
            self._storing = asyncio.create_task(self._store())
        return await answer

    async def _store(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
            try:
                outcomes = await self._transact(batch)
            except Exception as error:  # noqa: BLE001  whoever waits gets it
                outcomes = [error] * len(batch)
            for one, outcome in zip(batch, outcomes, strict=True):
                if one.answer.done():
                    continue  # the caller has gone
                if isinstance(outcome, Answer):
                    one.answer.set_result(outcome)
                else:
                    one.answer.set_exception(outcome)
        self._storing = None

    async def _transact(self, batch: Sequence[_Waiting]) -> Sequence[Answer | Exception]:
        outcomes: list[Answer | Problem] = []

        async def act(session: Session, ctx: Ctx) -> Answer:
            asked = [(one.report, replace(ctx, actor=one.caller.actor, cause=one.caller.request)) for one in batch]
            outcomes[:] = await receive(session, asked)
            return Answer({})

        TOGETHER.set({one.caller.request: one.asked for one in batch})
        await transact(self._runtime, Caller(), act)
        return outcomes


def _judge(command: ReceiveReport, ctx: Ctx) -> Occurred | Problem:
    try:
        return decider.receive(command, ctx)
    except Problem as problem:
        return problem


def _received(fact: Occurred) -> ReportReceived:
    assert isinstance(fact.data, ReportReceived)
    return fact.data


def _foreign(source: str | None, actor: Actor, owners: Mapping[str, str]) -> Problem | None:
    """The problem if a source belongs to another integration. Officers use sources that belong to nobody."""
    owner = owners.get(source or "", actor.post)
    if owner == actor.post:
        return None
    return _taken_by_another(source)


def _taken_by_another(source: str | None) -> Malformed:
    return Malformed(
        f"source: {source!r} belongs to another integration; use a code of your own",
        code="source-taken",
        field="source",
        source=source,
    )
