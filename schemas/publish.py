"""Events of `statement` streams: what the office says, who approved it, and what it corrected.

`by` is a keyed digest of statement and person. It shows whether one person did two acts on it.
"""

from typing import ClassVar, Literal

from schemas.approval import Step
from schemas.catalogue import event
from schemas.fields import (
    Code,
    Digest,
    Fact,
    Figure,
    Instant,
    MediaType,
    Post,
    PublishedText,
    PublishedTitle,
    SaltHex,
    SignatureHex,
    StreamId,
    Token,
    UnitCode,
    WebhookError,
    Words,
)
from schemas.numbers import Numbered

StatementKind = Literal["status", "facts"]
StatementForm = Literal[
    "notice", "reply", "interim_reply", "progress", "clarification", "press_text", "closing_account"
]
"""What a statement is for its readers. Its kind says on what it rests."""


def usual_form(kind: StatementKind) -> StatementForm:
    """The form of a statement whose drafter, or whose event of an earlier version, names none."""
    return "reply" if kind == "facts" else "interim_reply"


Persons = Literal["none", "to_cover", "covered"]
"""Of a picture: nobody in it can be recognised, somebody can be, or an officer covered whoever could be."""


class Attachment(Fact):
    """A file that is in public with a statement, under a random reference. `sha256` is of its bytes, `title` says what
    it shows. With `title_salt`, everybody can compare the title with what was submitted.
    """

    file: Token
    media_type: MediaType
    size: Figure
    sha256: Digest
    title: PublishedTitle
    title_salt: SaltHex | None = None


class UsedFact(Fact):
    """A fact on which a text rests, and the version of the incident that established or last revised it."""

    key: Code
    incident: StreamId
    version: Figure


class Signature(Fact):
    """A post signed with its key. `schemas.deeds` says what exactly.

    `post` is the actor. Only of what was published by itself at an instant the actor is the system, and `post` ordered
    it.
    """

    key: Digest
    post: Post
    value: SignatureHex


class Approval(Fact):
    """An answer to a submission, as the publication carries it: agreed, or referred `to` somebody.

    `version` is the place of the answer's event. The other fields are as in that event.
    """

    act: Literal["approved", "referred"]
    version: Figure
    at: Instant
    step: Code
    who: Code
    post: Post
    to: Code | None = None
    took_part: tuple[Post, ...] = ()
    by: Digest
    signature: Signature


class Submission(Fact):
    """What the approvals of a publication agreed to: the event that submitted it, and the salted digests of its words.

    With the salts everybody can compare them with the text in public. `writers` wrote the text, and `separated` means
    that none of them may agree, and nobody twice.
    """

    version: Figure
    title: Digest
    text: Digest
    title_salt: SaltHex
    text_salt: SaltHex
    writers: tuple[Digest, ...]
    separated: bool


@event("statement.drafted")
class StatementDrafted(Numbered):
    """A statement on an incident was begun. It speaks for `unit` and rests on the established `facts`.

    People name it by its `number`. `secret` and `major_information` are what the drafter says of it: it touches a
    secret, or is major information. `prepared` means that the rules began it and nobody has written it yet. `waived`
    are figures that need no fact: a line for each reason, the figures and the reason with tabs between them. Without
    `form` it has the usual one of its kind. `next_at` is when the next statement on the matter is promised.
    """

    MARK: ClassVar[str] = "S"

    incident: StreamId
    kind: StatementKind
    form: StatementForm | None = None
    title: Words
    draft: Words
    facts: tuple[Code, ...] = ()
    secret: bool = False
    major_information: bool = False
    prepared: bool = False
    waived: Words | None = None
    next_at: Instant | None = None
    by: Digest


@event("statement.notice_drafted")
class StatementNoticeDrafted(Numbered):
    """A notice was begun: it speaks for `unit`, is about no matter and rests on no facts.

    Everything else is as in `statement.drafted`, and so is what follows until its publication.
    """

    MARK: ClassVar[str] = "S"

    title: Words
    draft: Words
    secret: bool = False
    major_information: bool = False
    by: Digest


@event("statement.revised")
class StatementRevised(Fact):
    """The text was changed before approval, and the title if `title` is there. Earlier approvals are void.

    `waived` is as in `statement.drafted`; without it, the waivers stay. So do the form without `form`, and the promise
    without `next_at`.
    """

    form: StatementForm | None = None
    title: Words | None = None
    draft: Words
    facts: tuple[Code, ...] | None = None
    secret: bool | None = None
    major_information: bool | None = None
    waived: Words | None = None
    next_at: Instant | None = None
    by: Digest


@event("statement.file_attached")
class StatementFileAttached(Fact):
    """A file was put to a statement: to its draft, which voids all approvals, or to a correction that is to come.

    A document has `pages`. Of a picture, `persons` says whether somebody in it can be recognised.
    """

    file: Token
    media_type: MediaType
    size: Figure
    sha256: Digest
    title: Words
    persons: Persons | None = None
    pages: Figure | None = None
    by: Digest


@event("statement.file_covered")
class StatementFileCovered(Fact):
    """An officer covered the persons in a picture: so many `areas` of it are black now. The picture before is deleted.

    `stored` is the reference of the new bytes; `file` stays the name of the picture.
    """

    file: Token
    stored: Token
    size: Figure
    sha256: Digest
    areas: Figure
    by: Digest


@event("statement.file_detached")
class StatementFileDetached(Fact):
    """A file that was never in public was taken from a statement, and deleted."""

    file: Token
    by: Digest


@event("statement.submitted")
class StatementSubmitted(Fact):
    """The text went to the approval chain that the pack chooses for it. Without steps, the pack asks for no approval.

    The steps stay fixed until the text is submitted again. `unit` speaks, and its posts and those above agree: to
    `title` and `text`, in which the facts stand for their markers; without these, to the draft as it is. `used` are the
    facts on which the text rests, `gates` what must be checked before the last approval: `who` of each is who checks,
    nobody for what the record itself tells.
    """

    unit: UnitCode
    level: Code | None = None
    chain: Code | None = None
    steps: tuple[Step, ...]
    title: Words | None = None
    text: Words | None = None
    used: tuple[UsedFact, ...] = ()
    gates: tuple[Step, ...] = ()
    by: Digest


@event("statement.checked")
class StatementChecked(Fact):
    """A person checked a submission at a gate, and passed it or sent the text back with a reason.

    `post` is the post that checked, `items` are the lines of the pack's list that hold, `submission` is the version of
    the submission that was checked.
    """

    gate: Code
    passed: bool
    items: tuple[Code, ...] = ()
    submission: Figure
    post: Post
    reason: Words | None = None
    by: Digest


@event("statement.approved")
class StatementApproved(Fact):
    """A post or body of a step agreed; `last` means that the chain is complete.

    `who` is the addressee of the pack, `post` the post that decided. If another post acted for it, that was by a
    delegation. `took_part` names the members of a body who decided. If the step is done by this, `next` are the posts
    and bodies of the following one. An approver may mark the text as `secret` or as `major_information`. `subject` is
    the digest of what was decided on, see `schemas.deeds`.
    """

    step: Code
    who: Code
    post: Post
    took_part: tuple[Post, ...] = ()
    last: bool
    next: tuple[Code, ...] = ()
    secret: bool = False
    major_information: bool = False
    reason: Words | None = None
    by: Digest
    subject: Digest | None = None
    signature: Signature | None = None


@event("statement.referred")
class StatementReferred(Fact):
    """An approver could not judge the text at a step, with a reason. `to` decides in place of `who`.

    `post` and `subject` are as in `statement.approved`.
    """

    step: Code
    who: Code
    post: Post
    to: Code
    reason: Words
    by: Digest
    subject: Digest | None = None
    signature: Signature | None = None


@event("statement.rejected")
class StatementRejected(Fact):
    """One step of the chain sent the text back, with a reason. Marks and `subject` are as in `statement.approved`."""

    step: Code
    secret: bool = False
    major_information: bool = False
    reason: Words
    by: Digest
    subject: Digest | None = None
    signature: Signature | None = None


@event("statement.scheduled")
class StatementScheduled(Fact):
    """The approved text is to be published at an instant. No limit waits for it. Another one replaces this."""

    at: Instant
    by: Digest


@event("statement.unscheduled")
class StatementUnscheduled(Fact):
    """The approved text is not published by itself any more."""

    by: Digest


@event("statement.published")
class StatementPublished(Fact):
    """The office said this in public, under its own name, on the bulletin. `used` are the facts on which it rests.

    `channels` are the unit's channels to which it goes besides the office's own pages.
    `steps` is the chain of the submission, and `approvals` are the answers to it, so that a reader of this event alone
    can check that every step agreed to this text.
    `next_at` is when the next statement on the matter is promised. `attachments` are in public with the text.
    """

    incident: StreamId
    unit: UnitCode
    kind: StatementKind
    form: StatementForm | None = None
    title: PublishedTitle
    text: PublishedText
    facts: tuple[Code, ...] = ()
    used: tuple[UsedFact, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    channels: tuple[StreamId, ...] = ()
    next_at: Instant | None = None
    by: Digest
    submission: Submission | None = None
    steps: tuple[Step, ...] = ()
    approvals: tuple[Approval, ...] = ()
    signature: Signature | None = None


@event("statement.notice_published")
class StatementNoticePublished(Fact):
    """The office published a notice on the bulletin, under its own name. It is about no matter.

    Its approvals and attachments are as in `statement.published`.
    """

    unit: UnitCode
    title: PublishedTitle
    text: PublishedText
    attachments: tuple[Attachment, ...] = ()
    channels: tuple[StreamId, ...] = ()
    by: Digest
    submission: Submission | None = None
    steps: tuple[Step, ...] = ()
    approvals: tuple[Approval, ...] = ()
    signature: Signature | None = None


SendingError = WebhookError
"""Why a channel has not taken a release. `unreadable`: its address or its secret cannot be read."""


@event("statement.delivered")
class StatementDelivered(Fact):
    """A channel of the unit has a release: the public text of the event `release` of this stream.

    `channel` is the channel, or `report` the report at whose place it was posted, and `via` the channel of that report.
    By hand, `by` is a digest of the person who confirmed it, and `address` is where it stands.
    """

    release: Figure
    channel: StreamId | None = None
    report: StreamId | None = None
    via: Code | None = None
    attempt: Figure = 1
    address: Words | None = None
    by: Digest | None = None


@event("statement.delivery_failed")
class StatementDeliveryFailed(Fact):
    """A channel did not take a release. It is tried again at `next_at`; without that, not by itself."""

    release: Figure
    channel: StreamId
    attempt: Figure
    error: SendingError
    next_at: Instant | None = None


@event("statement.delivery_retried")
class StatementDeliveryRetried(Fact):
    """A release that a channel did not take is to go there again."""

    release: Figure
    channel: StreamId
    by: Digest


@event("statement.corrected")
class StatementCorrected(Fact):
    """The office corrected its own statement, and its title if `title` is there. The earlier text stays visible.

    `used` are the facts on which the text rests now, `waived` is as in `statement.drafted`, `channels` as in
    `statement.published`. `attachments` are all that hold from now on; without them, the earlier ones do.
    """

    title: PublishedTitle | None = None
    text: PublishedText
    reason: PublishedText
    used: tuple[UsedFact, ...] = ()
    waived: Words | None = None
    attachments: tuple[Attachment, ...] | None = None
    channels: tuple[StreamId, ...] = ()
    by: Digest
    signature: Signature | None = None


@event("statement.withdrawn")
class StatementWithdrawn(Fact):
    """The office withdrew its statement, with the reason. The text stays visible as withdrawn.

    `channels` are as in `statement.published`.
    """

    reason: PublishedText
    channels: tuple[StreamId, ...] = ()
    by: Digest
    signature: Signature | None = None
