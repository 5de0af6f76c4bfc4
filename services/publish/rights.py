"""The rights over a statement in each of its phases.

Officers of a unit that works on the matter, or helps, draft. A statement speaks for one of the units that work on it,
from its draft on. Only an officer of this unit submits, approves, publishes, corrects or withdraws it. So nobody speaks
for somebody else's office.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.pack.approval import ApprovalStep
from services.kernel.access.rights import Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected
from services.kernel.core.standings import Reading, Units
from services.kernel.core.units import LoadedPack
from services.kernel.rules.conditions import Context, holds
from services.publish.commands import Approve, Correct, Draft, Publish, Reject, Revise, Submit, Withdraw

Refusal = Rejected | None


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as publish has seen it."""

    id: str
    version: int
    unit: str
    """The accountable unit."""
    assigned: str | None = None
    level: str | None = None
    rank: int | None = None
    """For a merged incident: level and rank of the incident where it goes on, if these are higher."""
    merged_into: str | None = None
    drill: bool = False
    facts: frozenset[str] = frozenset()
    """Keys of the established facts."""
    helping: frozenset[str] = frozenset()
    """Units that help in the handling. No statement speaks for them."""

    @property
    def units(self) -> tuple[str, ...]:
        """The units that work on it."""
        return (self.unit,) if self.assigned in (None, self.unit) else (self.unit, self.assigned)


@dataclass(frozen=True, slots=True)
class Statement:
    """The facts on which the rights over a statement depend.

    `phase` is new, drafted, submitted, approved, published or withdrawn.
    """

    phase: str = "new"
    unit: str = ""
    """The unit that speaks."""
    writers: frozenset[str] = frozenset()
    """Digests of all persons who wrote on the text."""
    level: str | None = None
    steps: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
    """Digests of the persons who agreed to the submitted text, one for each finished step, then of those who corrected
    the published text.
    """


class Case(NamedTuple):
    """A statement, its matter, the matter's pack in force, and the digest of the person who acts."""

    statement: Statement
    incident: Incident
    pack: LoadedPack
    by: str

    @property
    def outgrown(self) -> bool:
        """Whether the matter now needs another chain than the one that was fixed at the submission."""
        said, incident = self.statement, self.incident
        if said.level is None or said.steps != tuple(step.code for step in chain_of(self.pack, said.level)):
            return True
        return incident.rank is not None and incident.rank > self.pack.model.level(said.level).rank

    @property
    def due(self) -> ApprovalStep | None:
        """The step of the chain that must agree next."""
        said = self.statement
        if said.phase != "submitted" or self.outgrown:
            return None
        return chain_of(self.pack, said.level)[len(said.approvers)]

    @property
    def separates(self) -> bool:
        """Whether the pack requires different persons for different duties."""
        approval = self.pack.model.approval
        return approval is not None and approval.separation.value == "by_person"


def chain_of(pack: LoadedPack, level: str | None) -> tuple[ApprovalStep, ...]:
    """The steps that a statement needs at a level; none if the pack has no chain for it."""
    chains = pack.model.approval.chains if pack.model.approval else ()
    context = Context(level=level)
    return next((one.steps for one in chains if one.of == "statement" and holds(one.when, context)), ())


def _drafting(case: Case, ctx: Ctx) -> Sequence[str]:
    return (*case.incident.units, *sorted(case.incident.helping))


def _writing(case: Case, ctx: Ctx) -> Sequence[str]:
    """After the submission, only the statement's own unit changes it: a revision cancels all approvals.

    The same holds after a merger, which ends the parts of the units.
    """
    shared = case.statement.phase == "drafted" and case.incident.merged_into is None
    return _drafting(case, ctx) if shared else _speaking(case, ctx)


def _speaking(case: Case, ctx: Ctx) -> Sequence[str]:
    return (case.statement.unit,)


def _agreeing(case: Case, ctx: Ctx) -> tuple[str, ...]:
    return case.due.who if case.due else ("approver", "chief")


def _is_new(case: Case, ctx: Ctx, verb: str) -> Refusal:
    incident = case.incident
    if case.statement.phase != "new":
        return Rejected("this statement is drafted already; revise it", code="already-drafted")
    if incident.merged_into:
        return Rejected(
            f"{incident.id} goes on as {incident.merged_into}; draft the statement there",
            code="merged",
            incident=incident.id,
            into=incident.merged_into,
            act=verb,
        )
    return None


def _is_not_public(case: Case, ctx: Ctx, verb: str) -> Refusal:
    if case.statement.phase in ("drafted", "submitted", "approved"):
        return None
    return Rejected(
        "the statement is published; correct it, so that the earlier text stays visible", code="published-already"
    )


def _still_works(case: Case) -> Refusal:
    unit, incident = case.statement.unit, case.incident
    if unit in incident.units:
        return None
    return Rejected(
        f"{unit} speaks in this statement and no longer works on {incident.id}; "
        f"draft one for {' or '.join(incident.units)}",
        code="no-longer-its-incident",
        unit=unit,
        incident=incident.id,
        known=list(incident.units),
    )


def _can_be_submitted(case: Case, ctx: Ctx, verb: str) -> Refusal:
    phase = case.statement.phase
    if phase != "drafted" and not (phase in ("submitted", "approved") and case.outgrown):
        return Rejected(f"the statement is {phase}; only a draft can be submitted", code="only-drafts", phase=phase)
    return _still_works(case)


def _is_submitted(case: Case, ctx: Ctx, verb: str) -> Refusal:
    phase = case.statement.phase
    if phase == "submitted":
        return None
    return Rejected(
        f"the statement is {phase}; submit it before anybody can {verb} it",
        code="not-submitted",
        phase=phase,
        act=verb,
    )


def _not_outgrown(case: Case) -> Refusal:
    if not case.outgrown:
        return None
    level = case.incident.level or "not graded"
    return Rejected(
        f"this was submitted for the level {case.statement.level}; the matter is {level} now or the pack has changed. "
        "Submit it again for the approvals that it needs now",
        code="chain-outdated",
        submitted=case.statement.level,
        level=level,
    )


def _can_be_approved(case: Case, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _is_submitted(case, ctx, verb) or _not_outgrown(case) or _still_works(case):
        return refusal
    if case.separates and case.by in case.statement.writers:
        return Rejected("you wrote on this text; somebody else must approve it", code="drafted-by-you")
    if case.separates and case.by in case.statement.approvers:
        return Rejected(
            "you approved this text at an earlier step; somebody else must take the next step", code="already-approved"
        )
    return None


def _can_be_published(case: Case, ctx: Ctx, verb: str) -> Refusal:
    phase = case.statement.phase
    if phase in ("published", "withdrawn"):
        return Rejected(
            f"the statement is {phase} already; correct what is published, or draft a new statement",
            code="already-published",
            phase=phase,
        )
    if phase != "approved":
        return Rejected(
            f"the statement is {phase}; it is published only after approval at every step",
            code="not-approved",
            phase=phase,
        )
    return _not_outgrown(case) or _still_works(case)


def _is_public(case: Case, ctx: Ctx, verb: str) -> Refusal:
    """If the pack separates persons: a writer neither corrects nor withdraws.

    A person who approved or corrected it does not correct it.
    """
    said = case.statement
    if said.phase == "withdrawn":
        return Rejected("the statement was withdrawn; say more in a new one", code="withdrawn")
    if said.phase != "published":
        return Rejected(
            f"the statement is {said.phase}; there is nothing in public to {verb}",
            code="not-published",
            phase=said.phase,
            act=verb,
        )
    concerned = said.writers.union(said.approvers) if verb == "correct" else said.writers
    if case.separates and case.by in concerned:
        return Rejected(
            f"you wrote on this statement, approved or corrected it; somebody else must {verb} it",
            code="take-another-person",
            act=verb,
        )
    return None


RIGHTS: Mapping[type[Command], Right[Case]] = {
    Draft: Right("draft", ("handler",), _drafting, _is_new),
    Revise: Right("revise", ("handler",), _writing, _is_not_public),
    Submit: Right("submit", ("handler",), _speaking, _can_be_submitted),
    Approve: Right("approve", _agreeing, _speaking, _can_be_approved),
    Reject: Right("reject", ("approver", "chief"), _speaking, _is_submitted),
    Publish: Right("publish", ("spokesperson",), _speaking, _can_be_published),
    Correct: Right("correct", ("spokesperson",), _speaking, _is_public),
    Withdraw: Right("withdraw", ("spokesperson",), _speaking, _is_public),
}


def reading(statement: Statement, of_incident: Reading | None, overseen: Units) -> Reading | None:
    """How much of a statement a caller may read who oversees these units; None for nothing.

    The unit that speaks always reads its own statements. Other units read as much of them as of the matter.
    """
    return Reading() if overseen is None or statement.unit in overseen else of_incident
