"""Events of `clock`, `roster`, `surge` and `post` streams: what was due, met, missed, passed upward and told.

Each incident has one clock stream. A milestone is recorded even if no clock runs yet. All milestones together give the
clocks, so the order of their arrival changes nothing.
"""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import (
    Code,
    Digest,
    Done,
    Fact,
    Figure,
    Instant,
    LevelKnown,
    PolicyRef,
    Post,
    PostCode,
    StreamId,
    UnitCode,
    Uuid,
    Words,
)
from schemas.publish import UsedFact
from schemas.titles import Language

Rung = Literal["reminder", "supervision", "circular"]
ReportForm = Literal["call", "written", "written_with_plan"]
"""How a report is made. `written_with_plan` is a written report with a response plan."""
WayToTell = Literal["call", "message", "letter", "in_person"]
"""How the asker of a matter is told something."""
Way = Literal["mail", "webhook", "wecom", "dingtalk", "feishu"]
"""The kind of channel of an outgoing notice."""
SendingError = Literal["not_taken", "unreadable", "expired"]
"""Why a place has no notice: it did not take it, or its address cannot be read; or it did not take it within a day, and
the notice is not sent any more."""
Asking = Literal["statement", "explanation", "reply", "measure"]
"""What waits for approval."""


@event("clock.milestone_reached")
class ClockMilestoneReached(Fact):
    """An event that starts or meets clocks, or says by which pack they run.

    `happened_at` is when it happened, `recorded_at` when somebody recorded it; `event` is the event that says so. For a
    grading, `known_at` is since when the level was known, if anything but the grading says so. `levels` are all levels
    that facts had proposed by then, and since when. `incident` is another incident. It is the one under which this was
    done, the one that was merged into this one or split off from it, or the one from which this one was split off. For
    reports and receipts, `to` is the addressee's code, `form` the report's form and `hop` the hop for which it was
    meant; `unit` is who reported, or where the addressee confirmed. `category` and `channel` are those of the
    report that opened the matter; `category` is also one into which the matter was put later. For what is public,
    `statement` is the statement, `facts` are the facts on which it rests since then, and `until` is when it promises
    the next one. For a revised fact, `facts` is that fact.
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
    policy: PolicyRef | None = None
    levels: tuple[LevelKnown, ...] = ()
    incident: StreamId | None = None
    to: PostCode | None = None
    form: ReportForm | None = None
    hop: Code | None = None
    category: Code | None = None
    channel: Code | None = None
    statement: StreamId | None = None
    facts: tuple[UsedFact, ...] = ()
    until: Instant | None = None


@event("clock.started")
class ClockStarted(Fact):
    """A time limit runs: who owes what by when. `clock` is the pack's name, with a round if it runs again.

    `provisional` means that `due` rests on days of a year that nobody has announced. Once they are announced, a further
    event of this type gives the final one. `counts_work` means that `due` depends on which days are working days, and
    `due_is_late` that what is done at that very instant is late, since the day is over. `warns` is when the unit is
    warned. With `paused_at`, the clock stands still since then, and `due` moves by as long as that lasts. `policy` is
    the earlier pack by which the clock goes on after the matter moved to another one.
    """

    clock: Code
    unit: UnitCode
    since: Instant
    due: Instant
    first_answer: bool = False
    provisional: bool = False
    counts_work: bool = False
    due_is_late: bool = False
    warns: tuple[Instant, ...] = ()
    paused_at: Instant | None = None
    policy: PolicyRef | None = None


@event("clock.warned")
class ClockWarned(Fact):
    """The charged unit was warned that a limit is near."""

    clock: Code
    unit: UnitCode
    due: Instant


@event("clock.met")
class ClockMet(Fact):
    """The owed act was recorded. `late` means after the limit; then the breach stays.

    `happened_at` is when it was done, if it was entered later. The recording counts, unless an auditor finds otherwise.
    """

    clock: Code
    met_at: Instant
    late: bool
    happened_at: Instant | None = None


@event("clock.breached")
class ClockBreached(Fact):
    """A limit passed, and the owed act is missing.

    The event's `time` is the due instant, `detected_at` when it was seen.

    `incomplete` means that a stream of the incident was parked for an hour, and the breach was decided nevertheless.
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
    """An auditor of the root found that the root's breach does not stand. Another auditor of the root must confirm.

    The root has no unit above it. `by` is a keyed digest of stream and person. It shows whether one person did two
    acts, and follows nobody.
    """

    clock: Code
    reason: Words
    by: Digest


@event("clock.breach_annulled")
class ClockBreachAnnulled(Fact):
    """A breach does not stand: the owed act was recorded in time and arrived late, or an auditor found so.

    For an auditor, `by` is a keyed digest of stream and person.
    """

    clock: Code
    cause: Literal["recorded_in_time", "start_changed", "reviewed"]
    reason: Words | None = None
    by: Digest | None = None


@event("clock.limit_set")
class ClockLimitSet(Fact):
    """A person set the limit of this matter, where the pack leaves it to a person. `previous` was the pack's own."""

    clock: Code
    due: Instant
    previous: Instant | None = None
    reason: Words


@event("clock.extension_requested")
class ClockExtensionRequested(Fact):
    """The unit asked for more time. `by` is a keyed digest of stream and person; nobody grants their own request."""

    clock: Code
    due: Instant
    reason: Words
    by: Digest


@event("clock.extension_refused")
class ClockExtensionRefused(Fact):
    """The post or body that the pack names refused more time; `post` is as in `clock.extended`."""

    clock: Code
    post: Post
    reason: Words


@event("clock.extended")
class ClockExtended(Fact):
    """The post or body that the pack names granted more time.

    `original` was the due instant before any extension. `notice` is what the asker of the matter is told. `post`
    decided; if somebody acted for it by a delegation, it is the post that delegated.
    """

    clock: Code
    post: Post
    due: Instant
    previous: Instant
    original: Instant
    reason: Words
    notice: Words


@event("clock.asker_told")
class ClockAskerTold(Fact):
    """The unit told the asker of the matter that the limit was extended. Until then it owes this notice."""

    clock: Code
    way: WayToTell


@event("clock.paused")
class ClockPaused(Fact):
    """The clock stands still for a reason that the pack names. `due` was its due instant by then."""

    clock: Code
    reason: Code
    text: Words | None = None
    due: Instant


@event("clock.resumed")
class ClockResumed(Fact):
    """The clock runs again. Its due instant moves by as long as it stood still."""

    clock: Code


@event("clock.deferral_requested")
class ClockDeferralRequested(Fact):
    """The unit asked to defer what cannot be solved yet, with a plan, until a review.

    `by` is a keyed digest of stream and person; nobody grants their own request.
    """

    clock: Code
    plan: Words
    review: Instant
    by: Digest


@event("clock.deferral_refused")
class ClockDeferralRefused(Fact):
    """The post or body that the pack names refused a deferral. The limit runs on; `post` is as in `clock.extended`."""

    clock: Code
    post: Post
    reason: Words


@event("clock.deferred")
class ClockDeferred(Fact):
    """The post or body that the pack names granted a deferral. A clock of its own runs until the review.

    `post` is as in `clock.extended`.
    """

    clock: Code
    post: Post
    review: Instant
    reason: Words


@event("clock.cancelled")
class ClockCancelled(Fact):
    """A clock no longer applies, for example after a regrading."""

    clock: Code
    cause: Literal[
        "regraded",
        "classified",
        "categorized",
        "deferred",
        "merged",
        "closed",
        "dismissed",
        "reassigned",
        "policy_moved",
        "grown",
        "screened",
        "start_changed",
    ]


@event("clock.reminder_sent")
class ClockReminderSent(Fact):
    """A rung of the ladder was reached for an overdue clock: reminder, supervision, or circular.

    `next_at` is when the next rung follows. The last rung has none.
    """

    clock: Code
    rung: Rung
    unit: UnitCode
    told: UnitCode
    due: Instant
    next_at: Instant | None = None


@event("clock.reminder_spared")
class ClockReminderSpared(Fact):
    """A rung of the ladder was reached, but nobody was told, since the office had answered or explained.

    `next_at` is when the next rung follows. The last rung has none.
    """

    clock: Code
    rung: Rung
    unit: UnitCode
    due: Instant
    next_at: Instant | None = None


@event("clock.reported_upward")
class ClockReportedUpward(Done):
    """A unit reported the matter to a post or body, `addressee`, of the unit `to`.

    `hop` is the hop of the pack for which it is meant. `unverified` means that the facts were not established yet.
    `proposal` is the handling that the reporting unit proposes. With `notice`, it is the report back to that notice.
    With `review`, it is the written report at the end of the matter, and `edition` is the text of that review.
    """

    report: Uuid
    unit: UnitCode
    to: UnitCode
    addressee: PostCode
    form: ReportForm
    hop: Code | None = None
    level: Code | None = None
    unverified: bool
    text: Words | None = None
    proposal: Words | None = None
    notice: Uuid | None = None
    review: StreamId | None = None
    edition: Figure | None = None


@event("clock.office_informed")
class ClockOfficeInformed(Done):
    """A unit told another office of the matter, which confirms by a receipt that it knows. It fulfils no report."""

    report: Uuid
    unit: UnitCode
    to: UnitCode
    addressee: PostCode
    text: Words


@event("clock.receipt_given")
class ClockReceiptGiven(Done):
    """The addressee confirmed the arrival of a report or a notice sideways.

    It is the post itself, a member of the body, or its duty post.
    """

    report: Uuid
    unit: UnitCode


@event("clock.receipt_refused")
class ClockReceiptRefused(Done):
    """The addressee sent a report back, with a reason."""

    report: Uuid
    unit: UnitCode
    reason: Words


@event("clock.notice_given")
class ClockNoticeGiven(Done):
    """A unit above gave the unit `to` a notice to correct something, with a limit for the report back."""

    notice: Uuid
    unit: UnitCode
    to: UnitCode
    due: Instant
    text: Words


@event("clock.notice_part_written")
class ClockNoticePartWritten(Done):
    """The unit wrote a part of its answer to a notice, such as what it checked. The latest text of a part counts."""

    notice: Uuid
    unit: UnitCode
    part: Code
    text: Words


@event("clock.decision_proposed")
class ClockDecisionProposed(Done):
    """Several posts decide together, and one of them wrote down what. It is no decision until each of them confirms it.

    `by` is a keyed digest of stream and person; nobody confirms for two posts.
    """

    decision: Uuid
    decides: Literal["report", "meet"]
    yes: bool
    unit: UnitCode
    reason: Words
    took_part: tuple[Post, ...]
    by: Digest


@event("clock.decision_confirmed")
class ClockDecisionConfirmed(Done):
    """One of the posts that decide together agreed. `by` is a keyed digest of stream and person."""

    decision: Uuid
    by: Digest


@event("clock.decision_recorded")
class ClockDecisionRecorded(Done):
    """A decision whether to report the matter upward, or whether to meet. All who took part are named, as posts.

    `decision` names what several posts confirmed, each by an act of its own; one post alone decides without.
    """

    decides: Literal["report", "meet"]
    yes: bool
    unit: UnitCode
    reason: Words
    took_part: tuple[Post, ...]
    decision: Uuid | None = None


@event("clock.lead_asked")
class ClockLeadAsked(Done):
    """The accountable unit asked a post or body of the unit `of` to lead. It leads once it has accepted."""

    unit: UnitCode
    of: UnitCode
    who: PostCode
    reason: Words


@event("clock.lead_accepted")
class ClockLeadAccepted(Done):
    """The unit that was asked leads from now on. The accountable unit stays accountable."""

    unit: UnitCode
    who: PostCode


@event("clock.lead_taken")
class ClockLeadTaken(Done):
    """A unit above took the lead, as the pack says. The accountable unit stays accountable."""

    unit: UnitCode
    who: PostCode
    reason: Words


@event("clock.approval_awaited")
class ClockApprovalAwaited(Fact):
    """A statement or a proposal waits for the posts and bodies `who`, of the unit or of the nearest one above.

    `record` is the statement, or the incident of the `proposal`, and `event` asked them.
    """

    of: Asking
    record: StreamId
    proposal: Figure | None = None
    unit: UnitCode
    who: tuple[Code, ...]
    event: Uuid


class Attempt(Fact):
    """A try to send an outgoing notice to a place of a post. `notice` is the event that it tells of.

    `way` is the kind of channel, and `place` a random id of the setting that holds the address. The address itself
    stands in no event. `attempt` counts from 1.
    """

    notice: Uuid
    unit: UnitCode
    post: Post
    way: Way
    place: Uuid
    attempt: Figure


@event("clock.notice_delivered")
class ClockNoticeDelivered(Attempt):
    """A place of a post took an outgoing notice on a matter."""


@event("clock.notice_failed")
class ClockNoticeFailed(Attempt):
    """A place of a post did not take an outgoing notice, or its address could not be read under this secret."""

    error: SendingError


@event("roster.duty_planned")
class RosterDutyPlanned(Fact):
    """A post is on duty for a unit from `since` until `until`; `substitute` may sign on in its place."""

    unit: UnitCode
    post: Post
    since: Instant
    until: Instant
    substitute: Post | None = None


@event("roster.duty_cancelled")
class RosterDutyCancelled(Fact):
    """A planned duty was taken off the roster before it began."""

    unit: UnitCode
    post: Post
    since: Instant
    until: Instant
    reason: Words


@event("roster.substitute_named")
class RosterSubstituteNamed(Fact):
    """Another post may sign on to the duty that begins at `since`."""

    unit: UnitCode
    post: Post
    since: Instant
    substitute: Post
    reason: Words


@event("roster.signed_on")
class RosterSignedOn(Fact):
    """The duty was taken up by `by`: the planned post or its substitute. It takes over the matters `held` for it."""

    unit: UnitCode
    post: Post
    since: Instant
    by: Post
    held: tuple[StreamId, ...] = ()


@event("roster.duty_handed_over")
class RosterDutyHandedOver(Fact):
    """The duty passed to the post `to`, with a note and the list of what is open.

    `open` says how many matters of the unit are open, and `incidents` names them, at most 500.
    """

    unit: UnitCode
    post: Post
    since: Instant
    to: Post
    note: Words
    open: Figure
    incidents: tuple[StreamId, ...] = ()


@event("roster.duty_ended")
class RosterDutyEnded(Fact):
    """The time of a duty is over. `note_missing` says that it was taken up and not handed over with a note."""

    unit: UnitCode
    post: Post
    since: Instant
    until: Instant
    signed_on: bool
    note_missing: bool


@event("roster.duty_gap_found")
class RosterDutyGapFound(Fact):
    """The pack asks for duty, and nobody is planned, or who was planned did not sign on.

    It is found 24 hours `ahead`, and again when it begins. `post` is who did not sign on. `told` are the posts to be
    told: the unit's head and its information officer.
    """

    unit: UnitCode
    since: Instant
    until: Instant
    cause: Literal["not_planned", "not_signed_on"]
    ahead: bool
    post: Post | None = None
    told: tuple[Post, ...] = ()


@event("roster.duty_gap_closed")
class RosterDutyGapClosed(Fact):
    """A gap that was found ahead is gone before it began, since the plan or what the pack asks for changed."""

    unit: UnitCode
    since: Instant
    until: Instant


@event("roster.report_held")
class RosterReportHeld(Fact):
    """A report came in while nobody was on duty. It waits for the next post on duty; `told` is the unit's head."""

    unit: UnitCode
    incident: StreamId
    report: StreamId
    told: Post | None = None


@event("roster.reachability_tested")
class RosterReachabilityTested(Fact):
    """A duty post was called, to see whether it answers."""

    unit: UnitCode
    post: Post
    way: WayToTell
    reached: bool


@event("surge.noticed")
class SurgeNoticed(Fact):
    """Far more reports than usual came to an office on one matter, in one category, or from one place.

    It counts reports of the office's own channels from `since` until `until`, and compares them with the usual number
    for as long a time. `told` is the post that is warned, and may give the matter more people. It names no person. A
    `place` is the keyed digest of its words; `incident` is then the latest matter from there, which says the place.
    """

    unit: UnitCode
    by: Literal["matter", "category", "place"]
    incident: StreamId | None = None
    category: Code | None = None
    place: Digest | None = None
    reports: Figure
    usual: float
    since: Instant
    until: Instant
    told: Post | None = None
    source: Literal["reports_received"] = "reports_received"


@event("post.address_set")
class PostAddressSet(Fact):
    """An address was added to which notices for a post go. The address itself stands in no event.

    `place` is the random id of the setting that holds it.
    """

    post: Post
    way: Way
    place: Uuid
    language: Language


@event("post.address_ended")
class PostAddressEnded(Fact):
    """An address of a post was forgotten. Nothing more goes there."""

    post: Post
    way: Way
    place: Uuid


@event("post.notice_delivered")
class PostNoticeDelivered(Attempt):
    """A place of a post took an outgoing notice that belongs to no matter, such as one on a gap on duty."""


@event("post.notice_failed")
class PostNoticeFailed(Attempt):
    """A place of a post did not take an outgoing notice that belongs to no matter, as in `clock.notice_failed`."""

    error: SendingError
