"""All rules, and what they find in a record. Pure: the order in which the events were taken in changes nothing."""

from collections.abc import Callable, Iterator, Mapping
from typing import get_args

from schemas.findings import FindingMade, Proposed
from services.audit.findings import answering, duty, erasing, handling, limits, reporting, separation
from services.audit.findings.matter import Found, Record

PROPOSALS: tuple[str, ...] = get_args(Proposed)
"""The kinds that an auditor decides on."""
RULES: tuple[Callable[[Record], Iterator[Found]], ...] = (
    limits.late_reports,
    limits.missed_receipts,
    limits.late_replies,
    limits.late_corrections,
    reporting.omitted_reports,
    reporting.changed_after_limit,
    reporting.known_before,
    reporting.grade_lowered,
    reporting.known_elsewhere,
    handling.supervised,
    handling.came_back,
    handling.returned,
    handling.silent,
    answering.same_texts,
    answering.without_fact,
    answering.apart,
    erasing.erased_in_limit,
    separation.separation_attempts,
    duty.duty_gaps,
)


def judge(record: Record) -> Mapping[str, Found]:
    """The stream of each finding -> what was found, in order of the streams."""
    found = {one.stream(record.id): one for rule in RULES for one in rule(record)}
    return dict(sorted(found.items()))


def made(record: Record, found: Found, size: int) -> FindingMade:
    """The data of a finding's event, without its type."""
    return FindingMade(
        incident=record.incident,
        record=record.id,
        unit=found.unit,
        finding=found.kind,
        sign=found.sign,
        rule=found.rule,
        clock=found.clock,
        since=found.since,
        due=found.due,
        done_at=found.done_at,
        count=found.count,
        beyond=found.beyond,
        incomplete=found.incomplete,
        events=tuple(one.behind for one in found.events),
        log_size=size,
    )
