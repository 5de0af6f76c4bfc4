"""Events of `clock`, `roster` and `surge` streams: what was due when, what was met, missed and passed upward.

There is one clock stream an incident. A milestone is recorded even where no clock runs yet; clocks are derived from
all milestones together, so that the order in which they arrive changes nothing.
"""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import Code, Digest, Fact, Figure, Instant, Post, StreamId, UnitCode, Uuid, Words

Rung = Literal["reminder", "supervision", "circular"]


@event("clock.milestone_reached")
class ClockMilestoneReached(Fact):
    """Something happened by which clocks start or are met.

    `happened_at` is when it happened, `recorded_at` when it was written down; `event` is the event that says so.
    `known_at`, of a grading, is the first fact by which the level could be known, where one is on record. `incident` is
    another incident, under which it was done, or of which it tells: the one that was absorbed, that was split off, or
    that this one was split off from.
    """

    milestone: Code
    happened_at: Instant
    recorded_at: Instant
    event: Uuid
    unit: UnitCode | None = None
    level: Code | None = None
    rank: Figure | None = None
    answer_kind: Code | None = None
    known_at: Instant | None = None
    incident: StreamId | None = None


@event("clock.started")
class ClockStarted(Fact):
    """A time limit runs: who owes what by when. `clock` is the pack's name, with a round where it runs again."""

    clock: Code
    unit: UnitCode
    since: Instant
    due: Instant
    first_answer: bool = False


@event("clock.met")
class ClockMet(Fact):
    """What was owed was recorded. `late` where that was after the limit; then the breach stays."""

    clock: Code
    met_at: Instant
    late: bool


@event("clock.breached")
class ClockBreached(Fact):
    """A limit passed without what was owed. The event's `time` is the due instant, `detected_at` when it was seen.

    `incomplete` where a stream of the incident stood parked for an hour and the breach was decided all the same.
    `next_at` is when the first rung of the ladder follows.
    """

    clock: Code
    unit: UnitCode
    due: Instant
    detected_at: Instant
    incomplete: bool = False
    next_at: Instant | None = None


@event("clock.annulment_asked")
class ClockAnnulmentAsked(Fact):
    """An auditor of the root, which no unit stands above, found that its breach does not stand; another one confirms.

    `by` is a keyed digest of stream and person: it tells whether two acts were one person's, and follows nobody.
    """

    clock: Code
    reason: Words
    by: Digest


@event("clock.breach_annulled")
class ClockBreachAnnulled(Fact):
    """A breach does not stand: what was owed had been recorded in time and arrived late, or a reviewer found so.

    `by`, of a reviewer's, is a keyed digest of stream and person.
    """

    clock: Code
    cause: Literal["recorded_in_time", "start_changed", "reviewed"]
    reason: Words | None = None
    by: Digest | None = None


@event("clock.extended")
class ClockExtended(Fact):
    """A limit was moved where the pack allows it."""

    clock: Code
    due: Instant
    previous: Instant
    reason: Words


@event("clock.cancelled")
class ClockCancelled(Fact):
    """A clock no longer applies, for example after a regrading."""

    clock: Code
    cause: Literal["regraded", "merged", "closed", "dismissed", "reassigned", "start_changed"]


@event("clock.reminder_sent")
class ClockReminderSent(Fact):
    """A rung of the ladder was reached for an overdue clock: reminder, supervision, or circular.

    `next_at` is when the next rung follows; absent after the last.
    """

    clock: Code
    rung: Rung
    unit: UnitCode
    told: UnitCode
    due: Instant
    next_at: Instant | None = None


@event("clock.reminder_spared")
class ClockReminderSpared(Fact):
    """A rung of the ladder was reached and nobody was told: the office had answered or explained by then.

    `next_at` is when the next rung follows; absent after the last.
    """

    clock: Code
    rung: Rung
    unit: UnitCode
    due: Instant
    next_at: Instant | None = None


@event("clock.reported_upward")
class ClockReportedUpward(Fact):
    """A unit reported the matter to the one above; `unverified` where the facts were not established yet."""

    report: Uuid
    unit: UnitCode
    to: UnitCode
    level: Code | None = None
    unverified: bool
    text: Words | None = None


@event("clock.receipt_given")
class ClockReceiptGiven(Fact):
    """The unit above confirmed that it has a report."""

    report: Uuid
    unit: UnitCode


@event("clock.receipt_refused")
class ClockReceiptRefused(Fact):
    """The unit above sent a report back, with a reason."""

    report: Uuid
    unit: UnitCode
    reason: Words


@event("clock.notice_delivered", planned=True)
class ClockNoticeDelivered(Fact):
    """A notice reached the place where the duty post reads it."""

    notice: Uuid
    unit: UnitCode
    way: Code


@event("clock.notice_failed", planned=True)
class ClockNoticeFailed(Fact):
    """A notice did not get through."""

    notice: Uuid
    unit: UnitCode
    way: Code
    error: Code


@event("roster.duty_planned")
class RosterDutyPlanned(Fact):
    """A post is on duty for a unit from `since` until `until`."""

    unit: UnitCode
    post: Post
    since: Instant
    until: Instant


@event("roster.duty_handed_over", planned=True)
class RosterDutyHandedOver(Fact):
    """The duty passed to the next post, with a note on what is open."""

    unit: UnitCode
    post: Code
    to: Code
    note: Words | None = None


@event("roster.duty_gap_found", planned=True)
class RosterDutyGapFound(Fact):
    """Nobody was planned for a time that the pack wants covered."""

    unit: UnitCode
    since: Instant
    until: Instant


@event("roster.reachability_tested", planned=True)
class RosterReachabilityTested(Fact):
    """A duty post was called to see whether it answers."""

    unit: UnitCode
    post: Code
    reached: bool


@event("surge.noticed", planned=True)
class SurgeNoticed(Fact):
    """Many more reports than usual came in about a subject."""

    unit: UnitCode
    category: Code | None = None
    reports: Figure
    usual: float
    since: Instant
    incidents: tuple[StreamId, ...] = ()
