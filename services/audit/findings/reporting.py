"""What was not passed on, or was hidden from those above. All of this is only proposed."""

from collections.abc import Iterator
from typing import get_args

from schemas import escalation as e
from schemas import ingest as i
from schemas import triage as t
from schemas.findings import FindingKind, FindingSign
from schemas.pack.reports import Hop
from schemas.pack.source import Around
from services.audit.findings.matter import (
    Breach,
    Found,
    Placed,
    Record,
    hop_of,
    named,
    reported,
    reported_in_run,
    together,
)

ENDS = (t.IncidentResolved, t.IncidentClosed, t.IncidentDismissed)
CONCEALED, OMITTED = "reading.concealed", "reading.omitted"


def omitted_reports(record: Record) -> Iterator[Found]:
    """A matter that came through an own channel, was owed upward, and ended, or was circulated, without a report."""
    came = record.first(i.ReportReceived)
    if came is None:
        return
    for breach in _upward(record):
        if reported_in_run(record, breach.data.clock, hop_of(record.pack(breach.breached), breach.name)):
            continue
        circular = [one for one in breach.rungs if one.data.rung == "circular"]
        ended = [one for one in record.of(*ENDS) if one.order > breach.breached.order]
        if told := (ended or circular)[:1]:
            yield _proposal(record, breach, "omitted_report", "never_reported", OMITTED, (came, breach.breached, *told))


def changed_after_limit(record: Record) -> Iterator[Found]:
    """A fact that was changed after the limit for the report upward, while those above knew nothing of the matter."""
    for breach in _upward(record):
        hop = hop_of(record.pack(breach.breached), breach.name)
        sent = [one.event.recorded for one in reported(record, breach.name, hop)]
        for one in record.of(t.IncidentFactRevised):
            if one.event.recorded > breach.data.due and (not sent or one.event.recorded < min(sent)):
                yield _proposal(
                    record,
                    breach,
                    "concealed_report",
                    "changed_after_limit",
                    CONCEALED,
                    (breach.breached, one),
                    anchor=one,
                )


def known_before(record: Record) -> Iterator[Found]:
    """A matter that was written down only after the limit for its report upward had passed."""
    opened = record.opened
    if opened is None or not opened.data.entered_late:
        return
    for breach in _upward(record):
        if breach.data.unit == opened.data.unit and breach.data.due < opened.event.recorded:
            yield _proposal(record, breach, "concealed_report", "known_before", CONCEALED, (opened, breach.breached))


def grade_lowered(record: Record) -> Iterator[Found]:
    """A grade that was lowered while a report upward was owed and not yet late, so that it was owed no more.

    It is held against the unit that lowered it. If those above knew of the matter, nothing was hidden from them.
    """
    started = dict[str, Placed]()
    lowered: Placed | None = None
    for one in record.events:
        match one.data:
            case e.ClockStarted(clock=clock):
                started[clock] = one
            case t.IncidentRegraded() as data if data.taken_from is None and data.rank < data.previous_rank:
                lowered = one
            case t.IncidentRegraded():
                lowered = None
            case e.ClockCancelled(clock=clock, cause="regraded") if lowered and clock in started:
                begun = started[clock]
                hop, at = hop_of(record.pack(begun), named(clock)), lowered.event.recorded
                if not hop or not begun.event.recorded <= at < begun.data.due:
                    continue
                by, sent = lowered.event.unit, reported_in_run(record, clock, hop)
                if by and not _knew(record, hop, begun, lowered) and all(one.order > lowered.order for one in sent):
                    yield Found(
                        "concealed_report",
                        "grade_lowered",
                        by,
                        lowered.event.id + named(clock),
                        CONCEALED,
                        (begun, lowered, one),
                        policy=record.ref(begun),
                        clock=clock,
                        due=begun.data.due,
                        done_at=at,
                    )


def _knew(record: Record, hop: Hop, begun: Placed, lowered: Placed) -> bool:
    """Whether who lowered the grade is a unit above the one that owed the report, or may be the addressee."""
    owing, by, offices = begun.data.unit, lowered.event.unit, record.offices
    if by == owing:
        return hop.at == "unit" and lowered.event.actor in offices.receivers(owing, hop.to)
    return by in offices.above(owing) or hop.at in get_args(Around)


def known_elsewhere(record: Record) -> Iterator[Found]:
    """A matter that another unit wrote down first, and of which this one says afterwards that it knew before."""
    reports = list(record.of(i.ReportReceived))
    if not reports:
        return
    first = reports[0]
    for breach in _upward(record):
        for one in reports[1:]:
            knew, unit = one.data.discovered_at, one.data.unit
            if unit == breach.data.unit != first.data.unit and knew < min(first.data.discovered_at, breach.data.due):
                yield _proposal(
                    record,
                    breach,
                    "concealed_report",
                    "known_elsewhere",
                    CONCEALED,
                    (first, one, breach.breached),
                    anchor=one,
                )


def _upward(record: Record) -> Iterator[Breach]:
    """The reports upward of which the limit passed."""
    return (one for one in record.breaches if hop_of(record.pack(one.breached), one.name))


def _proposal(
    record: Record,
    breach: Breach,
    kind: FindingKind,
    sign: FindingSign,
    rule: str,
    events: tuple[Placed, ...],
    anchor: Placed | None = None,
) -> Found:
    data, own = breach.data, breach.breached.event.id
    return Found(
        kind,
        sign,
        data.unit,
        own + anchor.event.id if anchor else own,
        rule,
        together(events),
        policy=record.ref(breach.breached),
        clock=data.clock,
        due=data.due,
        done_at=breach.met.data.met_at if breach.met else None,
        incomplete=data.incomplete,
    )
