"""The checks before the approval of a proposal, as they stand for the actor. Pure."""

from typing import Any

from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Unavailable
from services.kernel.serving.approvals import gate, gates
from services.triage.handling.proposals import Proposal
from services.triage.incident import Incident
from services.triage.rights import outdated, unverified


def of_proposal(proposal: Proposal, incident: Incident, ctx: Ctx) -> list[dict[str, Any]]:
    """The checks in the form of answers; none if the matter's pack is not at hand."""
    try:
        pack = ctx.offices.pack_of(incident.policy, incident.unit)
    except Unavailable:
        return []
    rules, approval, by, helpers = pack.model, pack.model.approval, ctx.by(incident.id), incident.dispatch.helpers
    waits = proposal.of != "measure" and rules.verification is not None and proposal.of in rules.verification.before
    separates = approval is not None and approval.separation.value == "by_person"
    return gates(
        proposal.marks,
        verification=gate(waits, proposal.of != "measure" and unverified(incident, proposal.of, ctx)),
        material=gate(bool(rules.answering.material and helpers), any(share.material_at is None for share in helpers)),
        chain=gate(True, outdated(proposal, incident, pack, ctx)),
        separation=gate(separates, by == proposal.by or by in proposal.course.persons),
    )
