"""Events of `inspection` streams: a unit above looks into the work of an office, and each remark is followed up.

An inspection is about an office and its matters, never about somebody who spoke.
"""

from schemas.catalogue import event
from schemas.fields import Day, Digest, Fact, Figure, Instant, StreamId, UnitCode, Words


@event("inspection.opened")
class InspectionOpened(Fact):
    """The unit of the event looks into the work of `unit` from the day `since` to the day `until`, both included.

    `superior` names who inspects where that is nobody of the deployment: only the root's own unit is inspected so.
    """

    unit: UnitCode
    since: Day
    until: Day
    scope: Words
    superior: Words | None = None


@event("inspection.remark_made")
class InspectionRemarkMade(Fact):
    """What was found, and what is to be done about it by `due`. Remarks are numbered from 1 on.

    `finding` and `incident` are what it rests on, if it is a finding of the record or a matter.
    """

    remark: Figure
    incident: StreamId | None = None
    finding: StreamId | None = None
    text: Words
    remedy: Words
    due: Instant


@event("inspection.remedy_reported")
class InspectionRemedyReported(Fact):
    """The office says what it did about a remark. `by` is a keyed digest of stream and person."""

    remark: Figure
    text: Words
    by: Digest


@event("inspection.remedy_accepted")
class InspectionRemedyAccepted(Fact):
    """The inspecting unit holds that the remark is remedied."""

    remark: Figure
    by: Digest


@event("inspection.remedy_returned")
class InspectionRemedyReturned(Fact):
    """The inspecting unit holds that it is not remedied, and why. It is due anew."""

    remark: Figure
    reason: Words
    due: Instant


@event("inspection.remark_withdrawn")
class InspectionRemarkWithdrawn(Fact):
    """The remark does not hold, and why."""

    remark: Figure
    reason: Words


@event("inspection.ended")
class InspectionEnded(Fact):
    """Every remark was remedied or withdrawn, and this is the conclusion."""

    conclusion: Words
