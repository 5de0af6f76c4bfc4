"""Events of `report` streams: the report as it came in, when the office knew, and what is kept."""

from schemas.catalogue import event
from schemas.fields import (
    Code,
    Digest,
    Erasure,
    Fact,
    Figure,
    Instant,
    MediaType,
    StreamId,
    Token,
    UnitCode,
    Uuid,
    Words,
)
from schemas.handing import Handed
from schemas.words import Cause


@event("report.received")
class ReportReceived(Fact):
    """Someone reported a concern to an office. From `discovered_at` on the office knew of it.

    `written_at` is when it was written on paper, if it was entered from paper. `entered_late` marks a discovery so old
    that somebody probably enters it from paper now. `duplicate` is a keyed digest of integration, source and external
    id. It stays after an erasure, so that a repeated delivery is still a duplicate. `sent` is a digest of the sent
    content; it tells a repetition from another report. `match_key` is a keyed digest of the subject, and finds the
    report's incident. A report without it has a matter of its own. `place_key` is one of the place, by which reports of
    one place are counted. `by` is a digest of the person of staff who entered it; a report of an integration has none.
    `handed` says which deployment handed the matter over.
    """

    unit: UnitCode
    channel: Code
    discovered_at: Instant
    written_at: Instant | None = None
    entered_late: bool = False
    subject: Words
    text: Words
    source: Code | None = None
    external_id: Words | None = None
    duplicate: Digest | None = None
    sent: Digest | None = None
    match_key: Digest | None = None
    place_key: Digest | None = None
    url: Words | None = None
    place: Words | None = None
    category: Code | None = None
    request: Words | None = None
    reply_ref: Words | None = None
    masked: dict[Code, Figure] = {}  # noqa: RUF012, pydantic copies it
    receipt: Digest
    by: Digest | None = None
    handed: Handed | None = None


@event("report.reach_measured")
class ReportReachMeasured(Fact):
    """How far a matter had spread at a time, as totals. It never says who spread it."""

    clicks: Figure | None = None
    comments: Figure | None = None
    mainstream_sites: Figure | None = None
    shares: Figure | None = None
    measured_at: Instant


@event("report.evidence_attached")
class ReportEvidenceAttached(Fact):
    """A file was added to a report under a random reference. `sha256` shows whether the file is unaltered.

    Of a file that came with boxes to cover, only the covered one was ever stored, and `sha256` is its digest: from one
    of the original, what lies below the boxes could be guessed. `covered` is the number of boxes by what is below, and
    `by` a digest of the person of staff who drew them.
    """

    file: Token
    media_type: MediaType
    size: Figure
    sha256: Digest
    note: Words | None = None
    covered: dict[Code, Figure] | None = None
    by: Digest | None = None


@event("report.refused")
class ReportRefused(Fact):
    """The office decided, with a reason, that a report gets no answer. `by` is a digest of the person."""

    reason: Words
    by: Digest | None = None


@event("report.helpfulness_given")
class ReportHelpfulnessGiven(Fact):
    """The asker said whether an answer of the office helped. Only the receipt tells that it was the asker.

    `incident` is the matter that was answered, `answer` the event of the answer.
    """

    incident: StreamId
    answer: Uuid
    helps: bool
    reason: Words | None = None


@event("report.erasure_asked")
class ReportErasureAsked(Fact):
    """Somebody asked to delete the words and files of a report. Another person of a unit above must confirm it."""

    cause: Cause
    reason: Words
    by: Digest


@event("report.erased")
class ReportErased(Erasure):
    """The words and files of a report are to be deleted everywhere. The marker that refuses late copies stays."""

    files: tuple[Token, ...] = ()
    cause: Cause = "asked"
    reason: Words | None = None
    by: Digest | None = None
