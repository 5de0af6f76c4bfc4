"""Gaps on duty at a unit's desk."""

from collections.abc import Iterator

from schemas.escalation import RosterDutyGapFound
from services.audit.findings.matter import Found, Record


def duty_gaps(record: Record) -> Iterator[Found]:
    """A time of duty that began without anybody. What was found ahead may still be filled, so it is none."""
    for one in record.of(RosterDutyGapFound):
        data = one.data
        if not data.ahead:
            yield Found(
                "duty_gap",
                "limit_passed",
                data.unit,
                one.event.id,
                "roster.coverage" if data.cause == "not_planned" else "roster.sign_on",
                (one,),
                policy=record.ref(one),
                since=data.since,
                due=data.until,
            )
