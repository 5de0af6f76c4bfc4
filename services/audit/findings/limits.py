"""What follows from a limit alone: late reports and answers, receipts that nobody gave, corrections that came late."""

from collections.abc import Iterator

from schemas import escalation as e
from schemas.findings import FindingKind
from schemas.pack.clocks import ClockRule
from schemas.pack.reports import FULFILS
from services.audit.findings.matter import Breach, Found, Placed, Record, clock_of, hop_of, reported_in_run, together

ANSWERING = frozenset(
    {
        "explained",
        "replied",
        "published",
        "status_published",
        "facts_published",
        "account_published",
        "conference_held",
    }
)
"""Acts by which an office answers."""
OF_REPORTS = ("bulletin", "written_report")
PROMISED, UPDATE = "promised_update", "statement_update"


def answers(clock: ClockRule | None) -> bool:
    """Whether the limit is one for an answer."""
    return clock is not None and (clock.first_answer or not ANSWERING.isdisjoint(clock.to))


def late_reports(record: Record) -> Iterator[Found]:
    """A report upward that was not sent by its limit, or was sent back.

    If it was sent in time and nobody confirmed it, the receipt is missed, and that is the addressee's.
    """
    for breach in record.breaches:
        hop = hop_of(record.pack(breach.breached), breach.name)
        if (hop or breach.name in OF_REPORTS) and not _waits(record, breach):
            yield _of(record, breach, "late_report", f"reports.{breach.name}" if hop else _place(breach.name))


def missed_receipts(record: Record) -> Iterator[Found]:
    """A report upward that was sent in time and that its addressee neither confirmed nor sent back by the limit."""
    for breach in record.breaches:
        pack = record.pack(breach.breached)
        hop = hop_of(pack, breach.name)
        sent = _waits(record, breach) if hop or breach.name in OF_REPORTS else None
        if sent is not None:
            place = f"reports.{breach.name}" if hop else _place(breach.name)
            yield _of(record, breach, "receipt_missed", place, unit=sent.data.to, also=(sent,))


def late_replies(record: Record) -> Iterator[Found]:
    """An answer to the asker or the public that came after its limit, or not at all."""
    for breach in record.breaches:
        if answers(clock_of(record.pack(breach.breached), breach.name)):
            yield _of(record, breach, "late_reply", f"clocks.{breach.name}")
        elif breach.name == PROMISED:
            yield _of(record, breach, "late_reply", "publication.progress")


def late_corrections(record: Record) -> Iterator[Found]:
    """A statement that was neither corrected nor followed by a new one in time after a fact in it was revised."""
    for breach in record.breaches:
        if breach.name == UPDATE:
            yield _of(record, breach, "corrected_late", "publication.update")


def _place(name: str) -> str:
    return "review.written_report" if name == "written_report" else name


def _waits(record: Record, breach: Breach) -> Placed | None:
    """The last report of this run in a form that fulfils it, which nobody had confirmed or sent back by the limit."""
    hop, due = hop_of(record.pack(breach.breached), breach.name), breach.data.due
    forms = FULFILS[hop.form if hop else "written"]
    answered = {
        one.data.report for one in record.of(e.ClockReceiptGiven, e.ClockReceiptRefused) if one.event.recorded <= due
    }
    waiting = [
        one
        for one in reported_in_run(record, breach.data.clock, hop)
        if one.event.recorded <= due and one.data.form in forms and one.data.report not in answered
    ]
    return waiting[-1] if waiting else None


def _of(
    record: Record,
    breach: Breach,
    kind: FindingKind,
    rule: str,
    *,
    unit: str | None = None,
    also: tuple[Placed, ...] = (),
) -> Found:
    data = breach.data
    return Found(
        kind,
        "limit_passed",
        unit or data.unit,
        breach.breached.event.id,
        rule,
        together(breach.events, also),
        policy=record.ref(breach.breached),
        clock=data.clock,
        due=data.due,
        done_at=breach.met.data.met_at if breach.met else None,
        incomplete=data.incomplete,
    )
