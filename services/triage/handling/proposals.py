"""Measures, explanations and replies that wait for approval, or waited for it. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schemas import triage
from schemas.envelope import Event
from schemas.fields import WordsRef
from services.kernel.access.approving import Answering, answering
from services.kernel.core.decider import Ctx
from services.kernel.rules.approval import Agreement, Course, Due, Referral

MARKS = ("secret", "major_information")
"""What who proposes says of it, and what may choose the approvals."""


class Proposal(BaseModel):
    """One proposal of an incident, with the approvals so far."""

    model_config = ConfigDict(frozen=True)

    number: int
    of: triage.Proposable
    text: WordsRef
    to: triage.Asked | None = None
    course: Course
    by: str
    """The digest of who proposed it."""
    desk: str
    """The post at which it was proposed."""
    unit: str | None
    """The unit that proposed it."""
    at: str
    marks: frozenset[str] = frozenset()
    """`secret`, `major_information`, or both."""
    given_at: datetime | None = None
    """When it was given, if that was before its approvals were entered."""
    late_reason: WordsRef | None = None
    """Why they come later."""
    state: Literal["proposed", "approved", "rejected", "withdrawn"] = "proposed"

    def due(self) -> Due | None:
        """The step that must be agreed next."""
        return self.course.due if self.state == "proposed" else None

    def answers(self, unit: str, ctx: Ctx) -> Iterator[Answering]:
        """The ways in which the actor may answer at the step that is due. `unit` is accountable for the matter."""
        due = self.due()
        return answering(due.who, unit, ctx, due.quorum) if due else iter(())


def after(proposals: tuple[Proposal, ...], event: Event) -> tuple[Proposal, ...]:
    """The proposals of an incident after an event of it."""
    match event.data:
        case triage.IncidentProposed() as data:
            made = Proposal(
                number=data.proposal,
                of=data.of,
                text=data.text,
                to=data.to,
                course=Course(chain=data.chain, steps=data.steps),
                by=data.by,
                desk=event.actor,
                unit=event.unit,
                at=event.recorded_text,
                marks=frozenset(mark for mark in MARKS if getattr(data, mark)),
                given_at=event.time if data.late_reason else None,
                late_reason=data.late_reason,
            )
            return (*proposals, made)
        case triage.IncidentProposalApproved() as data:
            given = Agreement(
                step=data.step,
                who=data.who,
                by=data.by,
                post=data.post,
                acted=event.actor,
                took_part=data.took_part,
                at=event.time_text,
            )
            return tuple(_approved(one, given, data.last) if one.number == data.proposal else one for one in proposals)
        case triage.IncidentProposalReferred() as data:
            passed = Referral(step=data.step, who=data.who, to=data.to, by=data.by, at=event.time_text)
            return tuple(
                one.model_copy(update={"course": one.course.with_referral(passed)})
                if one.number == data.proposal
                else one
                for one in proposals
            )
        case triage.IncidentProposalRejected() | triage.IncidentProposalWithdrawn() as data:
            state = "rejected" if isinstance(data, triage.IncidentProposalRejected) else "withdrawn"
            return tuple(
                one.model_copy(update={"state": state}) if one.number == data.proposal else one for one in proposals
            )
    return proposals


def _approved(proposal: Proposal, given: Agreement, last: bool) -> Proposal:
    state = "approved" if last else proposal.state
    return proposal.model_copy(update={"course": proposal.course.with_agreement(given), "state": state})
