"""What is approved in triage: measures, explanations and replies, where the matter's pack has chains for them. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from schemas import triage
from schemas.approval import Step
from schemas.fields import Done, Fact, Typed
from services.kernel.access.approving import must_be_answered, taking_part
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Rejected
from services.kernel.rules.approval import Agreement, asked_anew, chain_of, chains, fixed, place
from services.triage import commands as c
from services.triage.handling.proposals import MARKS, Proposal
from services.triage.levels import moves
from services.triage.rights import context_of
from services.triage.state import State

OF: Mapping[type[Command], triage.Proposable] = {
    c.ProposeMeasure: "measure",
    c.Explain: "explanation",
    c.Reply: "reply",
}
"""What a command proposes."""


def asked(state: State, command: c.Explain | c.Reply, ctx: Ctx) -> bool:
    """Whether the matter's pack has chains for this. A matter without a pack needs no approval."""
    if state.policy is None and moves.in_force(state.unit, ctx) is None:
        return False
    return bool(chains(moves.of_matter(state, ctx), OF[type(command)]))


def proposed(state: State, command: c.Explain | c.Reply | c.ProposeMeasure, ctx: Ctx) -> Decided:
    """The proposal of a measure, or of what is said. The last approval gives it."""
    pack, of = moves.of_matter(state, ctx), OF[type(command)]
    marks = frozenset(mark for mark in MARKS if getattr(command, mark))
    chain = chain_of(pack, context_of(state, pack, ctx, marks), of)
    if chain is None:
        raise Rejected(
            f"no chain of approvals of the matter's pack holds for this {of}; ask for a pack that says who approves it",
            code="no-chain",
            rule=place(pack),
            pack=pack.name,
        )
    steps = fixed(chain)
    must_be_answered(steps, state.unit, ctx.offices, rule=place(pack, chain.code), pack=pack.name)
    fact = triage.IncidentProposed(
        proposal=len(state.proposals) + 1,
        of=of,
        text=Typed(text=command.text),
        to=command.to if isinstance(command, c.Explain) else None,
        secret=command.secret,
        major_information=command.major_information,
        chain=chain.code,
        steps=steps,
        by=ctx.by(state.id),
    )
    return [Occurred(fact, policy=pack.ref, basis=ctx.offices.basis)]


def decided(state: State, command: c.ApproveProposal | c.RejectProposal | c.CannotJudgeProposal, ctx: Ctx) -> Decided:
    """The decision on a proposal; with the last approval, the measure is approved, or what is said is given."""
    pack, proposal = moves.of_matter(state, ctx), next(one for one in state.proposals if one.number == command.proposal)
    facts = _facts(state, proposal, command, ctx)
    ruled = [Occurred(fact, policy=pack.ref, basis=ctx.offices.basis) for fact in facts]
    # The unit that proposed the words says them.
    said: dict[str, Any] = {"time": proposal.given_at, "unit": proposal.unit}
    return [replace(one, **said) if isinstance(one.data, Done) else one for one in ruled]


def must_be_known(state: State, command: Command) -> None:
    """Raises `Malformed` if a command names a proposal that the incident does not have, but has others."""
    if not isinstance(command, c.ApproveProposal | c.RejectProposal | c.CannotJudgeProposal):
        return
    known = [one.number for one in state.proposals]
    if known and command.proposal not in known:
        raise Malformed(
            f"proposal: {state.id} has no proposal {command.proposal}; it has {', '.join(map(str, known))}",
            code="proposal-unknown",
            field="proposal",
            given=str(command.proposal),
            known=[str(number) for number in known],
        )


def _facts(
    state: State, proposal: Proposal, command: c.ApproveProposal | c.RejectProposal | c.CannotJudgeProposal, ctx: Ctx
) -> list[Fact]:
    due, by = proposal.due(), ctx.by(state.id)
    assert due is not None, "the right needs an open proposal"
    pack = moves.of_matter(state, ctx)
    approval = pack.model.approval
    match command:
        case c.RejectProposal():
            reason = Typed(text=command.reason)
            return [triage.IncidentProposalRejected(proposal=proposal.number, step=due.step, reason=reason, by=by)]
        case c.CannotJudgeProposal():
            assert approval is not None and approval.cannot_judge is not None, "the right asks for it"
            to = approval.cannot_judge.to
            judged = [Step(code=due.step, who=(to,))]
            must_be_answered(judged, state.unit, ctx.offices, rule="approval.cannot_judge", pack=pack.name)
            one = next(one for one in proposal.answers(state.unit, ctx) if one.who != to)
            referred = triage.IncidentProposalReferred(
                proposal=proposal.number,
                step=due.step,
                who=one.who,
                post=one.post,
                to=to,
                reason=Typed(text=command.reason),
                by=by,
            )
            return [referred]
    chosen = next(proposal.answers(state.unit, ctx))
    separates = approval is not None and approval.separation.value == "by_person"
    barred = {proposal.desk, *proposal.course.posts} if separates else set[str]()
    given = Agreement(step=due.step, who=chosen.who, by=by)
    following = proposal.course.with_agreement(given).due
    rule = place(pack, proposal.course.chain, due.step)
    approved = triage.IncidentProposalApproved(
        proposal=proposal.number,
        step=due.step,
        who=chosen.who,
        post=chosen.post,
        took_part=taking_part(due, chosen, command.took_part, barred, ctx, rule=rule, pack=pack.name),
        last=following is None,
        next=asked_anew(due, following),
        reason=None if command.reason is None else Typed(text=command.reason),
        by=by,
    )
    return [approved, *([] if following else [_given(proposal)])]


def _given(proposal: Proposal) -> Fact:
    """What the proposal becomes. It refers to the same words."""
    late = proposal.late_reason
    match proposal.of:
        case "measure":
            return triage.IncidentMeasureApproved(proposal=proposal.number, measure=proposal.text, late_reason=late)
        case "reply":
            return triage.IncidentReplied(text=proposal.text, late_reason=late)
        case "explanation":
            assert proposal.to is not None, "an explanation is given to somebody"
            return triage.IncidentExplained(text=proposal.text, to=proposal.to, late_reason=late)
