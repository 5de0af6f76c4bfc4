"""Events of `operation` streams, which every service has: keys, reads that are recorded, refusals and repairs."""

from typing import Literal

from schemas.catalogue import event
from schemas.fields import (
    Code,
    Day,
    Digest,
    Fact,
    Figure,
    Instant,
    PolicyRef,
    Post,
    StreamId,
    UnitCode,
    Uuid,
    WebhookError,
    Words,
)

SIGNS = "publish"
"""The service that holds the keys of posts and of the bulletin. Their events count only from it."""


Addressee = Literal["peoples_congress", "cppcc", "ombudsman", "audit_office", "court", "public"]
"""Who watches over offices from outside: offices and bodies, and the public; never a person."""


@event("operation.key_made")
class OperationKeyMade(Fact):
    """A key was made for an integration. An integration has its own identity, and all its keys belong to it."""

    key: StreamId
    integration: StreamId
    name: Code
    unit: UnitCode
    scope: Code
    digest: Digest


@event("operation.key_revoked")
class OperationKeyRevoked(Fact):
    """A key was revoked."""

    key: StreamId
    unit: UnitCode
    reason: Words | None = None


@event("operation.import_begun")
class OperationImportBegun(Fact):
    """A file of reports for a unit began to be taken in, by a mapping of this name and digest."""

    run: StreamId
    unit: UnitCode
    form: Literal["csv", "xlsx", "ndjson"]
    mapping: Code
    sha256: Digest


@event("operation.import_ended")
class OperationImportEnded(Fact):
    """A file of reports was taken in, or broke off. Of its rows, `repeated` ones were taken in before."""

    run: StreamId
    unit: UnitCode
    outcome: Literal["done", "broken_off"]
    rows: Figure
    received: Figure
    repeated: Figure
    refused: Figure


@event("operation.form_opened")
class OperationFormOpened(Fact):
    """A unit takes reports by its public form from now on, or says something else above it."""

    unit: UnitCode
    introduction: Words | None = None


@event("operation.form_closed")
class OperationFormClosed(Fact):
    """A unit takes no reports by its public form any more."""

    unit: UnitCode
    reason: Words


@event("operation.statement_key_made")
class OperationStatementKeyMade(Fact):
    """The bulletin got a key that signs statements: its thumbprint (RFC 7638), and the 32 bytes of its public half."""

    key: Digest
    public: Digest


@event("operation.statement_key_revoked")
class OperationStatementKeyRevoked(Fact):
    """A key of the bulletin counts for nothing any more, also for what it signed before."""

    key: Digest
    reason: Words


@event("operation.post_key_made")
class OperationPostKeyMade(Fact):
    """A post got a key that signs what it decides: its thumbprint (RFC 7638), and the 32 bytes of its public half.

    `seal` is a digest of all this and of the time, under the deployment's secret. Without it nobody believes the key.
    """

    key: Digest
    post: Post
    public: Digest
    seal: Digest | None = None


@event("operation.post_key_revoked")
class OperationPostKeyRevoked(Fact):
    """A key of a post ended. What it signed before stays valid, and what it signs from then on counts for nothing.

    `seal` is as in `operation.post_key_made`, and nobody believes an end without it.
    """

    key: Digest
    reason: Words
    seal: Digest | None = None


@event("operation.record_read")
class OperationRecordRead(Fact):
    """A citizen's words on a record were read: as a part of the work on the matter, or for the purpose.

    A post's further readings for the same purpose on the same day are not recorded.
    """

    record: StreamId
    works: bool
    """Whether the reader's unit worked on the matter."""
    purpose: Words | None = None


@event("operation.archive_sealed")
class OperationArchiveSealed(Fact):
    """The file of a matter was sealed as a package of this digest (that of its `tagmanifest-sha256.txt`).

    It rests on the first `log_size` events of the log. It lacks the parts `missing`, for these `reasons`. By the pack
    `kept_by` it is kept until and with the day `kept_until`, without one for ever. Without `kept_by`, no pack says how
    long.
    """

    record: StreamId
    sha256: Digest
    log_size: Figure
    missing: tuple[Code, ...] = ()
    reasons: Words | None = None
    kept_until: Day | None = None
    kept_by: PolicyRef | None = None


@event("operation.archive_read")
class OperationArchiveRead(Fact):
    """The sealed archive of a matter was consulted, for a purpose. `sha256` is that of its seal."""

    record: StreamId
    sha256: Digest
    purpose: Words


@event("operation.timeline_exported")
class OperationTimelineExported(Fact):
    """The masked record of a matter was written for an office or body outside, or for the public.

    `sha256` is that of the file, which rests on the first `log_size` events of the log.
    """

    record: StreamId
    addressee: Addressee
    purpose: Words
    sha256: Digest
    log_size: Figure


@event("operation.statistics_circulated")
class OperationStatisticsCirculated(Fact):
    """The table of a year, of a unit and those below it, was circulated to `units` for the yearly assessment.

    It rests on the first `log_size` events of the log, and `sha256` is the digest of its rows. Praise and shortcomings
    are those of offices.
    """

    unit: UnitCode
    year: Figure
    units: tuple[UnitCode, ...]
    log_size: Figure
    sha256: Digest
    praise: Words | None = None
    shortcomings: Words | None = None


@event("operation.analysis_commented")
class OperationAnalysisCommented(Fact):
    """A post wrote its comment on the analysis of a unit's matters from one month to another, such as `2026-03`.

    With `category`, the analysis is on this subject. The writer saw the first `log_size` events of the log.
    """

    unit: UnitCode
    first_month: Code
    last_month: Code
    category: Code | None = None
    log_size: Figure
    text: Words


Period = Literal[
    "today",
    "yesterday",
    "last_7_days",
    "last_30_days",
    "this_week",
    "last_week",
    "this_month",
    "last_month",
    "this_quarter",
    "last_quarter",
    "this_year",
    "last_year",
]
"""A span of whole days before the one on which somebody asks. A week begins on Monday."""


class Question(Fact):
    """What is asked of the list of matters: codes, and a period in which matters were opened."""

    unit: UnitCode | None = None
    post: Post | None = None
    type: Code | None = None
    level: Code | None = None
    category: Code | None = None
    state: Code | None = None
    clock: Code | None = None
    clock_state: Code | None = None
    drill: bool | None = None
    period: Period | None = None


@event("operation.query_saved")
class OperationQuerySaved(Fact):
    """A unit keeps a question under a title; with the id of one that it keeps, in its place."""

    query: StreamId
    unit: UnitCode
    title: Words
    asks: Question


@event("operation.query_dropped")
class OperationQueryDropped(Fact):
    """A unit keeps a question no more."""

    query: StreamId
    unit: UnitCode


@event("operation.subscription_made")
class OperationSubscriptionMade(Fact):
    """A unit, or an integration of it, gets events from the log's `position` on at an address: all, or these types.

    With `drills`, it gets those of exercises, too.
    """

    subscription: StreamId
    unit: UnitCode
    integration: StreamId | None = None
    address: Words
    types: tuple[Code, ...] = ()
    position: Figure
    drills: bool = False


@event("operation.subscription_ended")
class OperationSubscriptionEnded(Fact):
    """A subscription ended. Nothing more is sent."""

    subscription: StreamId
    unit: UnitCode


@event("operation.subscription_renewed")
class OperationSubscriptionRenewed(Fact):
    """A subscription got another secret. The former one counts for nothing more."""

    subscription: StreamId
    unit: UnitCode


@event("operation.subscription_replayed")
class OperationSubscriptionReplayed(Fact):
    """What a subscription gets is sent again, from the log's `position` on; also after it was disabled."""

    subscription: StreamId
    unit: UnitCode
    position: Figure


@event("operation.subscription_disabled")
class OperationSubscriptionDisabled(Fact):
    """Nothing is sent any more, since the receiver took nothing for days, or wants nothing.

    The event at the log's `position` was not taken.
    """

    subscription: StreamId
    unit: UnitCode
    position: Figure
    cause: WebhookError


@event("operation.similar_asked")
class OperationSimilarAsked(Fact):
    """Somebody asked for matters of a unit that are like a text, and was offered these. The text is not kept."""

    unit: UnitCode
    offered: tuple[StreamId, ...]
    above: tuple[UnitCode, ...] = ()
    """The units above that have something similar."""


@event("operation.suggested")
class OperationSuggested(Fact):
    """Somebody was shown, for the first time, which category and unit the nearest earlier matters suggest for one."""

    incident: StreamId
    category: Code | None = None
    unit: UnitCode | None = None


@event("operation.searched")
class OperationSearched(Fact):
    """Somebody searched among matters. A search that reads words names its purpose.

    `found` counts what was shown: a page, or a whole file.
    """

    purpose: Words | None = None
    words: Words | None = None
    place: Words | None = None
    found: Figure


@event("operation.access_refused")
class OperationAccessRefused(Fact):
    """A post asked for something that its role may not do. Refusals are added up per post, act and minute."""

    act: Code
    unit: UnitCode | None = None
    roles: tuple[Code, ...] = ()
    minute: Instant
    count: Figure


@event("operation.separation_refused")
class OperationSeparationRefused(Fact):
    """A post asked for two parts that a rule keeps apart, such as to approve what the same person wrote.

    `record` is the statement or the incident, `refusal` the code of the refusal. One event a minute is enough for each
    post and record.
    """

    record: StreamId
    refusal: Code
    rule: Code


@event("operation.redriven")
class OperationRedriven(Fact):
    """A dead letter was given to its consumer again."""

    dead_letter: Uuid
    reason: Words


@event("operation.discarded")
class OperationDiscarded(Fact):
    """A dead letter was set aside for good. Its raw bytes stay in the table of dead letters."""

    dead_letter: Uuid
    digest: Digest | None = None
    """SHA-256 of the record's bytes. By it, a restored store knows what was set aside after the backup."""
    reason: Words


@event("operation.message_set_aside")
class OperationMessageSetAside(Fact):
    """Messages of another system's topic were no reports that its integration may send: their places, and why.

    `count` messages between `offset` and `last` had this cause, of those that were read together.
    """

    topic: Code
    partition: Figure
    offset: Figure
    last: Figure
    count: Figure
    cause: Code
    key: StreamId
    unit: UnitCode


@event("operation.mails_set_aside")
class OperationMailsSetAside(Fact):
    """Mails to a unit's mailbox were no reports, so they lie in a folder of it: how many had this cause.

    A kill between the event and the folder counts them twice. Nothing tells what they held or who sent them.
    """

    unit: UnitCode
    cause: Code
    count: Figure


@event("operation.topic_lost")
class OperationTopicLost(Fact):
    """Another system's topic lacks what was to be read `next`: it `expired`, or the topic is `another` one.

    It holds the offsets from `first` to before `end` now, and is read from there.
    """

    topic: Code
    partition: Figure
    next: Figure
    first: Figure
    end: Figure
    cause: Literal["expired", "another"]


@event("operation.recovered")
class OperationRecovered(Fact):
    """Events that the store lacked were taken from the owner's own topic, after a restore or on an operator's word."""

    topic: Code
    events: Figure
    first: Digest
    cause: Literal["restored", "ordered"] = "restored"
    reason: Words | None = None
    at: Instant
