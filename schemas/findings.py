"""Events of `finding` streams: what the record says against an office, and what auditors decided on it.

A finding is about a unit and its acts, never about somebody who spoke. Each has a stream of its own.
"""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import Code, Digest, Fact, Figure, Instant, StreamId, UnitCode, Uuid, Words

Computed = Literal[
    "late_report",
    "late_reply",
    "ineffective_handling",
    "answer_apart",
    "receipt_missed",
    "duty_gap",
    "separation_attempt",
    "corrected_late",
    "erased_in_limit",
]
"""What stands by its rule alone."""
Proposed = Literal["omitted_report", "concealed_report", "non_cooperation", "perfunctory_answer"]
"""What an auditor decides after the office was heard."""
FindingKind = Literal[Computed, Proposed]
FindingSign = Literal[
    "limit_passed",
    "never_reported",
    "changed_after_limit",
    "known_before",
    "grade_lowered",
    "known_elsewhere",
    "supervised",
    "came_back",
    "returned_late",
    "returned_again",
    "silent",
    "notice_unanswered",
    "same_text",
    "no_fact",
    "both_parts",
    "reviewer",
]
"""By what a finding shows: one kind may have several signs. `reviewer` proposed it by hand."""
Lapse = Literal["annulled", "not_so"]
"""Why a finding stands no more: the breach behind it was annulled, or the record as it is now shows none."""


class Behind(Fact):
    """An event on which a finding rests, with its position in audit's order."""

    event: Uuid
    position: Figure


class FindingMade(Fact):
    """What the record shows about `unit`, in the matter `incident`; without a matter, at its desk or in its posts.

    `record` is the stream whose record was read. `rule` is the place in the pack of the event's `policy`; without a
    pack it names a reading of our own. `clock`, `due` and `done_at` are the limit, when it was due, and when the act
    was recorded; `count` is how many or how much was found, and `beyond` the number from which on it counts. `since` is
    when it began. `incomplete` says that the breach behind it was decided while events were missing.
    """

    incident: StreamId | None = None
    record: StreamId
    unit: UnitCode
    finding: FindingKind
    sign: FindingSign
    rule: Code
    clock: Code | None = None
    since: Instant | None = None
    due: Instant | None = None
    done_at: Instant | None = None
    count: Figure | None = None
    beyond: Figure | None = None
    incomplete: bool = False
    events: tuple[Behind, ...]
    log_size: Figure


@event("finding.computed")
class FindingComputed(FindingMade):
    """The record shows this by a rule, and it stands while the events behind it do."""


@event("finding.proposed")
class FindingProposed(FindingMade):
    """The record suggests this, or an auditor does with a reason. The office may say what it has to say by `hear_by`.

    `by` is a keyed digest of stream and person, and missing where the rules proposed it.
    """

    finding: FindingKind
    hear_by: Instant
    reason: Words | None = None
    by: Digest | None = None


@event("finding.office_heard")
class FindingOfficeHeard(Fact):
    """The office said what it has to say, or it said nothing by the end of its limit: then there is no text."""

    unit: UnitCode
    answered: bool
    text: Words | None = None
    by: Digest | None = None


@event("finding.decision_asked")
class FindingDecisionAsked(Fact):
    """An auditor of the root judged a finding about the root, and another person there must agree."""

    confirms: bool
    reason: Words
    by: Digest


@event("finding.confirmed")
class FindingConfirmed(Fact):
    """An auditor of a unit above found that the proposal holds; of the root's own, two persons did."""

    unit: UnitCode
    reason: Words
    by: Digest


@event("finding.rejected")
class FindingRejected(Fact):
    """An auditor of a unit above found that the proposal does not hold; of the root's own, two persons did."""

    unit: UnitCode
    reason: Words
    by: Digest


@event("finding.lapsed")
class FindingLapsed(Fact):
    """The finding stands no more, since the record changed: `event` says so, if it is a single one."""

    cause: Lapse
    event: Behind | None = None
