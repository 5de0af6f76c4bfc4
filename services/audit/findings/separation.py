"""Attempts of one person to take two parts that a rule keeps apart, which were refused."""

from collections.abc import Iterator

from schemas.operation import OperationSeparationRefused
from services.audit.findings.matter import Found, Record


def separation_attempts(record: Record) -> Iterator[Found]:
    """Somebody would have approved or checked what the same person wrote. It is held against the unit of the post."""
    for one in record.of(OperationSeparationRefused):
        unit = one.event.unit or record.accountable(one.event.recorded)
        if unit:
            yield Found(
                "separation_attempt",
                "both_parts",
                unit,
                one.event.id,
                one.data.rule,
                (one,),
                policy=record.ref(None),
                done_at=one.event.recorded,
            )
