"""Events of `report` streams: what came in, when the office knew, and what is kept of it."""

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
    Words,
)
from schemas.words import Cause


@event("report.received")
class ReportReceived(Fact):
    """Someone reported a concern to an office; from `discovered_at` on the office knew of it.

    `entered_late` where the deployment takes so old a discovery for paper that somebody enters now.
    `duplicate` is a keyed digest of integration, source and external id, kept after erasure so that a repeated
    delivery stays a duplicate; `sent`, of what came under them, tells a repetition from another report. `match_key`
    is a keyed digest of what the report is about, and finds its incident; a report without it is about something of
    its own.
    """

    unit: UnitCode
    channel: Code
    discovered_at: Instant
    entered_late: bool = False
    subject: Words
    text: Words
    source: Code | None = None
    external_id: Words | None = None
    duplicate: Digest | None = None
    sent: Digest | None = None
    match_key: Digest | None = None
    url: Words | None = None
    place: Words | None = None
    category: Code | None = None
    request: Words | None = None
    reply_ref: Words | None = None
    masked: dict[Code, Figure] = {}  # noqa: RUF012, pydantic copies it
    receipt: Digest


@event("report.reach_measured")
class ReportReachMeasured(Fact):
    """How far a matter had spread at a time, as totals; never who spread it."""

    clicks: Figure | None = None
    comments: Figure | None = None
    mainstream_sites: Figure | None = None
    measured_at: Instant


@event("report.evidence_attached")
class ReportEvidenceAttached(Fact):
    """A file was added to a report; it lies under a random reference, `sha256` tells whether it is unaltered."""

    file: Token
    media_type: MediaType
    size: Figure
    sha256: Digest
    note: Words | None = None


@event("report.refused")
class ReportRefused(Fact):
    """The office decided, with a reason, that a report gets no answer."""

    reason: Words


@event("report.helpfulness_given", planned=True)
class ReportHelpfulnessGiven(Fact):
    """The asker, known by the receipt alone, said whether an answer helped."""

    statement: StreamId
    helps: bool
    reason: Words | None = None


@event("report.erasure_asked")
class ReportErasureAsked(Fact):
    """Somebody asked to delete the words and files of a report; another person of a unit above has to confirm it."""

    cause: Cause
    reason: Words
    by: Digest


@event("report.erased")
class ReportErased(Erasure):
    """The words and files of a report are to be deleted everywhere; the marker that refuses late copies stays."""

    files: tuple[Token, ...] = ()
    cause: Cause = "asked"
    reason: Words | None = None
    by: Digest | None = None
