"""The rights over an incident in each of its states.

Decisions need a role over the accountable unit. Work on the matter needs a role over the accountable or the assigned
unit. A helping unit records its work and decides nothing. The accountable unit alone says that material has come: the
unit that sends it is often the assigned one, which would meet its own limit.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from schemas.pack.approval import Chain
from schemas.pack.verification import Answer
from schemas.titles import titled
from services.kernel.access.approving import answering, own_posts
from services.kernel.access.rights import Read, Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import STAFF_ROLES, Ctx
from services.kernel.core.problems import Rejected, Unavailable
from services.kernel.core.units import LoadedPack
from services.kernel.rules.approval import chain_of, chains, fixed, place
from services.kernel.rules.conditions import Context
from services.kernel.rules.verification import establishing, missing
from services.triage import commands as c
from services.triage.handling import assigning, handing, planning
from services.triage.handling.proposals import Proposal
from services.triage.incident import Incident
from services.triage.offices import office_commands as o
from services.triage.offices.lessons import DeclineNumbered
from services.triage.owed import answering_commands as a
from services.triage.owed import closing_account, explaining, outcomes, screening

Refusal = Rejected | None


def _accountable(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (incident.unit,)


def _above(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (ctx.offices.parent(incident.unit) or incident.unit,)


def _working(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (incident.assigned, incident.unit)


def _handling(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (incident.assigned, incident.unit, *sorted(incident.helping))


def _assigned(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (incident.assigned or incident.unit,)


def _designating(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (incident.dispatch.designates,) if incident.dispatch.designates else _above(incident, ctx)


def _helping(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return sorted(incident.helping) or (incident.unit,)


def _verifying(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    return (incident.assigned, incident.unit, *sorted(incident.verifying))


def _concluding(incident: Incident, ctx: Ctx) -> Sequence[str | None]:
    """Those who may verify; at a level at which a unit above establishes the facts, this unit alone."""
    pack = _pack(incident, ctx)
    above = establishing(pack.model, incident.level, incident.unit, ctx.offices) if pack else None
    return (above,) if above else _verifying(incident, ctx)


def _unless_merged(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if incident.phase == "merged":
        return Rejected(
            f"{incident.id} was merged into {incident.merged_into}; {titled(verb, 'en')} there",
            code="merged",
            incident=incident.id,
            into=incident.merged_into,
            act=verb,
        )
    return None


def _unless_closed(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if incident.phase in ("closed", "dismissed"):
        return _ended(incident, verb)
    return _unless_merged(incident, ctx, verb)


def _can_be_split(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    few = incident.report_count < (1 if incident.registered else 2)
    return _unless_closed(incident, ctx, verb) or (last_report(incident) if few else None)


def _can_be_offered(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _unless_closed(incident, ctx, verb):
        return refusal
    if ctx.offices.parent(incident.unit) is None:
        return Rejected(
            f"no unit is above {incident.unit}, so {incident.id} is offered to none",
            code="nothing-above",
            incident=incident.id,
            unit=incident.unit,
        )
    return None


def _can_be_handed_over(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _open(incident, ctx, verb) or handing.why_not_handed_over(incident, ctx)


def _came_from_elsewhere(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    """Also of a matter that was merged: who handed it over knows it by its own number."""
    return handing.why_not_told(incident, ctx)


def _can_be_merged(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _unless_closed(incident, ctx, verb) or handing.why_not_merged(incident)


def last_report(incident: Incident) -> Rejected:
    """Something stays when reports leave: a report, or the registration."""
    count = incident.report_count
    several = f"of the reports of {incident.id} ({count}), at least one stays; name fewer, or merge it into another"
    return Rejected(
        several if count else f"no report belongs to {incident.id} yet, so none can leave it",
        code="last-report",
        incident=incident.id,
        reports=count,
    )


def _ended(incident: Incident, verb: str) -> Rejected:
    return Rejected(
        f"{incident.id} is {incident.phase}; reopen it first, then {titled(verb, 'en')}",
        code="ended",
        incident=incident.id,
        phase=incident.phase,
        act=verb,
    )


def _open(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if incident.phase == "resolved":
        return _ended(incident, verb)
    return _unless_closed(incident, ctx, verb)


def _once_assigned(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _open(incident, ctx, verb):
        return refusal
    if incident.assigned is None:
        return Rejected(
            f"{incident.id} is assigned to no unit; a duty officer must assign it before anyone can {verb} it",
            code="not-assigned",
            incident=incident.id,
            act=verb,
        )
    return None


def _assignable(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _open(incident, ctx, verb) or assigning.why_not_assigned(incident, ctx)


def _designable(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _open(incident, ctx, verb) or assigning.why_not_designated(incident, ctx)


def _helped(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _open(incident, ctx, verb):
        return refusal
    if not incident.helping:
        return Rejected(
            f"no unit helps with {incident.id}; ask one for help first", code="nobody-helps", incident=incident.id
        )
    return None


def _helped_openly(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _helped(incident, ctx, verb) or assigning.why_no_help(incident, ctx, verb)


def _passable(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _open(incident, ctx, verb):
        return refusal
    return assigning.why_not_assigned(incident, ctx) if incident.dispatch.designates else None


def _returnable(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _once_assigned(incident, ctx, verb) or assigning.why_not_returned(incident, ctx)


def _not_accepted(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _once_assigned(incident, ctx, verb):
        return refusal
    if incident.accepted:
        return Rejected(
            f"{incident.assigned} has accepted {incident.id} already; record the handling, or return it",
            code="already-accepted",
            incident=incident.id,
            unit=incident.assigned,
        )
    return None


def _handling_begun(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _unless_closed(incident, ctx, verb) or planning.why_not_handled(incident, ctx)


def _unsolved(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _open(incident, ctx, verb) or planning.why_not_handled(incident, ctx):
        return refusal
    return outcomes.why_solved(incident)


def _waits(answer: Answer) -> Callable[[Incident, Ctx, str], Refusal]:
    """An answer that may have to wait for verification."""

    def refusal(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
        return _unless_closed(incident, ctx, verb) or unverified(incident, answer, ctx)

    return refusal


def unverified(incident: Incident, answer: Answer, ctx: Ctx) -> Refusal:
    pack = _pack(incident, ctx)
    if pack is None:
        return None
    return missing(pack.model, answer, incident.verification, incident.level, incident.unit, ctx.offices)


def _handled(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _open(incident, ctx, verb):
        return refusal
    if incident.clarifying:
        return Rejected(
            f"what was reported on {incident.id} is not in line with the facts; clarify it in an answer first",
            code="clarification-owed",
            incident=incident.id,
        )
    return outcomes.why_not_resolved(incident) or explaining.why_not_ended(incident, ctx)


def _no_longer_open(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if incident.phase == "open":
        said = {
            "follow-up": f"{incident.id} is still being handled; follow up after it is resolved",
            "reopen": f"{incident.id} is open; only an ended incident can be reopened",
        }
        return Rejected(said[verb], code="still-open", incident=incident.id, act=verb)
    return _unless_merged(incident, ctx, verb)


def _followed(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _no_longer_open(incident, ctx, verb):
        return refusal
    if incident.aftercare.ended:
        return Rejected(
            f"the follow-up of {incident.id} has ended; reopen the matter if it came back",
            code="follow-up-over",
            incident=incident.id,
        )
    return None


def _follower(incident: Incident, ctx: Ctx) -> tuple[str, ...]:
    return (incident.aftercare.follows_up,) if incident.aftercare.follows_up else ()


def _follows(incident: Incident, ctx: Ctx) -> bool:
    return incident.aftercare.follows_up in own_posts(ctx)


def _unhelpful(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if refusal := _unless_merged(incident, ctx, verb):
        return refusal
    if not incident.aftercare.unhelpful:
        return Rejected(
            f"no asker waits for a decision on {incident.id}; each said that the answer helped, or nothing",
            code="nothing-unhelpful",
            incident=incident.id,
        )
    return None


def _resolved(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    if incident.phase == "open":
        return Rejected(
            f"{incident.id} is not resolved; resolve it first, then close it", code="not-resolved", incident=incident.id
        )
    refusal = _unless_closed(incident, ctx, verb) or outcomes.why_not_closed(incident)
    return refusal or explaining.why_not_ended(incident, ctx) or closing_account.why_not_closed(incident, ctx)


def _screenable(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _open(incident, ctx, verb) or screening.why_not_screened(incident, ctx)


def _reviewable(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _unless_closed(incident, ctx, verb) or screening.why_not_reviewed(incident, ctx)


def _orderable(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _unless_closed(incident, ctx, verb) or explaining.why_not_ordered(incident, ctx)


def _explainable(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    return _unless_closed(incident, ctx, verb) or explaining.why_not_explained(incident, ctx)


def context_of(incident: Incident, pack: LoadedPack, ctx: Ctx, marks: frozenset[str]) -> Context:
    """What conditions of chains may look at, by the matter's pack. `marks` are what the proposal says of itself.

    Before its grading, a matter has the lowest level, if the pack says that its duties run until then.
    """
    unit = ctx.offices.ever.get(incident.unit)
    return Context(
        figures=incident.figures.model_copy(update={"reports": incident.report_count}),
        flags=incident.flags,
        periods=ctx.offices.periods_at(incident.unit, ctx.now),
        harm=incident.harm,
        category=incident.category,
        channel=incident.channel,
        unit=unit.kind if unit else None,
        answer_kind=incident.answer_kind,
        level=incident.level or pack.model.lowest,
        doubtful=incident.doubtful,
        secret="secret" in marks,
        major_information="major_information" in marks,
    )


def _pack(incident: Incident, ctx: Ctx) -> LoadedPack | None:
    """The matter's pack; None if it is not at hand."""
    try:
        return ctx.offices.pack_of(incident.policy, incident.unit)
    except Unavailable:
        return None


def _deciding(verb: str, proposal: Proposal) -> Right[Incident]:
    """The right over one proposal: of those who decide the step that is due; to reject, of all its chain."""
    due = proposal.due()
    codes = due.who if due and verb != "reject" else proposal.course.everybody

    def also(incident: Incident, ctx: Ctx) -> bool:
        if due and verb != "reject":
            return any(proposal.answers(incident.unit, ctx))
        return any(answering(codes, incident.unit, ctx, quorum=1))

    def refusal(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
        return _unless_closed(incident, ctx, verb) or _undecidable(proposal, incident, ctx, verb)

    return Right(verb, codes, _accountable, refusal, also)


def outdated(proposal: Proposal, incident: Incident, pack: LoadedPack, ctx: Ctx) -> bool:
    """Whether the matter now needs other approvals than those that were fixed when the proposal was made."""
    return fixed(_chain(proposal, incident, pack, ctx)) != proposal.course.steps


def _chain(proposal: Proposal, incident: Incident, pack: LoadedPack, ctx: Ctx) -> Chain | None:
    return chain_of(pack, context_of(incident, pack, ctx, proposal.marks), proposal.of)


def _undecidable(proposal: Proposal, incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    """Why a proposal cannot be decided so by this person now; None if it can."""
    pack = _pack(incident, ctx)
    if proposal.state != "proposed" or pack is None:
        return Rejected(
            f"proposal {proposal.number} is {proposal.state} already; propose anew what is still wanted",
            code="proposal-decided",
            given=str(proposal.number),
            phase=proposal.state,
        )
    if verb == "reject":
        return None
    if outdated(proposal, incident, pack, ctx):
        chain = _chain(proposal, incident, pack, ctx)
        return Rejected(
            f"proposal {proposal.number} needs other approvals now than when it was made; reject it and propose anew",
            code="proposal-outdated",
            rule=place(pack, chain.code if chain else None),
            pack=pack.name,
            given=str(proposal.number),
        )
    if verb == "approve" and proposal.of != "measure" and (waits := unverified(incident, proposal.of, ctx)):
        return waits
    approval, by = pack.model.approval, ctx.by(incident.id)
    if approval and approval.separation.value == "by_person":
        if by == proposal.by:
            return Rejected(
                "you proposed this; somebody else must approve it",
                code="proposed-by-you",
                rule="approval.separation",
                pack=pack.name,
            )
        if by in proposal.course.persons:
            return Rejected(
                "you approved this text or could not judge it; somebody else must agree now",
                code="already-approved",
                rule="approval.separation",
                pack=pack.name,
            )
    if verb == "cannot-judge":
        if approval is None or approval.cannot_judge is None:
            return Rejected(
                "the matter's pack names nobody for what an approver cannot judge; approve it or reject it",
                code="nobody-judges",
            )
        judge = approval.cannot_judge.to
        if all(one.who == judge for one in proposal.answers(incident.unit, ctx)):
            return Rejected(
                f"what cannot be judged goes to {judge}, as whom you decide here; approve it or reject it",
                code="judged-here",
                rule="approval.cannot_judge",
                pack=pack.name,
                to=judge,
            )
    return None


def _can_propose(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
    pack = _pack(incident, ctx)
    if refusal := _unless_closed(incident, ctx, verb):
        return refusal
    if pack is None or not chains(pack, "measure"):
        return Rejected(
            f"the pack of {incident.id} asks for no approval of measures; take the measure and record it",
            code="measures-unapproved",
            incident=incident.id,
        )
    return None


def _some(verb: str) -> Right[Incident]:
    """The right over any proposal. A decision is judged by the right over the one that it names."""

    def rights(incident: Incident) -> list[Right[Incident]]:
        return [_deciding(verb, one) for one in incident.proposals]

    def also(incident: Incident, ctx: Ctx) -> bool:
        return any(right.holds(incident, ctx) for right in rights(incident))

    def refusal(incident: Incident, ctx: Ctx, verb: str) -> Refusal:
        found = [right.refusal(incident, ctx, verb) for right in rights(incident) if right.holds(incident, ctx)]
        if found:
            return None if None in found else found[0]
        return _unless_closed(incident, ctx, verb) or Rejected(
            f"nothing is proposed on {incident.id} that waits for your approval",
            code="nothing-proposed",
            incident=incident.id,
        )

    return Right(verb, ("approver", "chief"), _accountable, refusal, also)


def right_to(incident: Incident, command: Command) -> Right[Incident] | None:
    """The right that a command needs; None for commands that other events cause."""
    if isinstance(command, c.ApproveProposal | c.RejectProposal | c.CannotJudgeProposal):
        for proposal in incident.proposals:
            if proposal.number == command.proposal:
                return APPROVING[type(command)](proposal)
    return RIGHTS.get(type(command))


APPROVING: Mapping[type[Command], Callable[[Proposal], Right[Incident]]] = {
    c.ApproveProposal: partial(_deciding, "approve"),
    c.RejectProposal: partial(_deciding, "reject"),
    c.CannotJudgeProposal: partial(_deciding, "cannot-judge"),
}
"""Command -> the right over the proposal that it names."""


RIGHTS: Mapping[type[Command], Right[Incident]] = {
    c.Instruct: Right(
        "instruct", ("chief",), _accountable, _unless_closed, assigning.instructs, assigning.who_instructs
    ),
    c.RequestVerification: Right("request-verification", ("duty_officer", "chief"), _accountable, _unless_closed),
    c.RequestHelp: Right("request-help", ("duty_officer", "chief"), _accountable, _open),
    c.EstablishFact: Right("establish-fact", ("verifier",), _verifying, _unless_closed),
    c.ConcludeVerification: Right("conclude-verification", ("verifier",), _concluding, _unless_closed),
    c.Assess: Right("assess", ("duty_officer", "verifier"), _verifying, _unless_closed),
    c.Classify: Right("classify", ("duty_officer",), _accountable, _unless_closed),
    c.Categorize: Right("categorize", ("duty_officer",), _accountable, _unless_closed),
    c.Grade: Right("grade", ("duty_officer",), _accountable, _unless_closed),
    c.SetFlag: Right("set-flag", ("duty_officer",), _accountable, _unless_closed),
    c.ClearFlag: Right("clear-flag", ("duty_officer",), _accountable, _unless_closed),
    c.JudgeHarm: Right("judge-harm", ("duty_officer",), _accountable, _unless_closed),
    c.JudgeDoubt: Right("judge-doubt", ("duty_officer",), _accountable, _unless_closed),
    c.NameTeam: Right("name-team", ("chief",), _accountable, _open),
    c.MakePlan: Right("make-plan", ("handler", "chief"), _working, _open),
    c.StartPlan: Right("start-plan", ("chief",), _accountable, _open),
    c.HoldMeeting: Right("hold-meeting", ("duty_officer", "chief"), _accountable, _unless_closed),
    c.PassUpward: Right("pass-upward", ("chief",), _working, _passable),
    c.Assign: Right("assign", ("duty_officer",), _accountable, _assignable),
    c.Designate: Right("designate", ("chief",), _designating, _designable),
    c.Accept: Right("accept", ("handler",), _assigned, _not_accepted),
    c.Return: Right("return", ("handler",), _assigned, _returnable),
    c.AcceptHelp: Right("accept-help", ("handler",), _helping, _helped_openly),
    c.ReturnHelp: Right("return-help", ("handler",), _helping, _helped_openly),
    c.CompleteHelp: Right("complete-help", ("handler",), _helping, _helped_openly),
    c.Transfer: Right("transfer", ("chief",), _accountable, _open),
    c.HandToPeer: Right("hand-to-peer", ("chief",), _accountable, _can_be_handed_over),
    c.TellPeer: Right("tell-peer", ("chief",), _accountable, _came_from_elsewhere),
    c.MovePolicy: Right("move-policy", ("chief",), _above, _unless_closed),
    c.RecordHandling: Right("record-handling", ("handler",), _handling, _handling_begun),
    c.Explain: Right("explain", ("handler", "approver", "chief"), _working, _waits("explanation")),
    c.Reply: Right("reply", ("handler", "approver", "chief"), _working, _waits("reply")),
    c.Solve: Right("solve", ("handler",), _working, _unsolved),
    a.LeaveUnsolved: Right("leave-unsolved", ("handler",), _working, _unsolved),
    a.Screen: Right("screen", ("duty_officer", "chief"), _accountable, _screenable),
    a.ReviewScreening: Right(
        "review-screening", ("chief",), _accountable, _reviewable, screening.reviews, screening.who_reviews
    ),
    a.OrderExplanation: Right(
        "order-explanation", ("chief",), _accountable, _orderable, explaining.orders, explaining.who_orders
    ),
    a.ExplainToOffice: Right("explain-to-office", ("handler", "chief"), _assigned, _explainable),
    c.ExplainDelay: Right("explain-delay", ("handler", "chief"), _working, _unless_merged),
    c.ReceiveMaterial: Right("receive-material", ("handler", "duty_officer"), _accountable, _unless_closed),
    c.ProposeMeasure: Right("propose-measure", ("handler", "duty_officer"), _working, _can_propose),
    c.ApproveProposal: _some("approve"),
    c.RejectProposal: _some("reject"),
    c.CannotJudgeProposal: _some("cannot-judge"),
    c.Resolve: Right("resolve", ("handler",), _working, _handled),
    c.FollowUp: Right("follow-up", ("handler", "chief"), _working, _followed, _follows, _follower),
    c.DeclineRound: Right("decline-round", ("chief",), _accountable, _unhelpful),
    c.Reopen: Right("reopen", ("chief",), _accountable, _no_longer_open),
    c.Close: Right("close", ("chief",), _accountable, _resolved),
    c.Merge: Right("merge", ("chief",), _accountable, _can_be_merged),
    c.Link: Right("link", ("duty_officer", "chief"), _accountable, _unless_merged),
    c.Offer: Right("offer", ("duty_officer", "chief"), _accountable, _can_be_offered),
    c.Split: Right("split", ("chief",), _accountable, _can_be_split),
}
"""The commands of staff on an incident. Merging needs the right over both incidents."""


def _itself(unit: str, ctx: Ctx) -> Sequence[str | None]:
    return (unit,)


def _unit_above(unit: str, ctx: Ctx) -> Sequence[str | None]:
    return (ctx.offices.parent(unit) or unit,)


def _root(_: object, ctx: Ctx) -> Sequence[str | None]:
    return (ctx.offices.root,)


def _of_post(post: str, ctx: Ctx) -> Sequence[str | None]:
    return (post.partition("@")[2],)


def _holds_it(post: str, ctx: Ctx) -> bool:
    return ctx.actor.post == post


READ_MATTER = Read("read-incident")
"""Matters in which a unit of the reader has a part, or had one; the desk of these units, and figures of their acts."""
REGISTER: Right[str] = Right("register", ("duty_officer", "chief"), lambda unit, ctx: (unit,))
"""Registering a matter of a unit that nobody has reported yet."""
ASK_SIMILAR: Right[str] = Right("ask-similar", STAFF_ROLES, lambda unit, ctx: (unit,))
"""Asking for matters of a unit that are like a text."""

OF_OFFICES: Mapping[type[Command], Right[Any]] = {
    o.PlaceUnit: Right("place-unit", ("admin",), _itself),
    o.EndUnit: Right("end-unit", ("admin",), _unit_above),
    o.PlacePost: Right("place-post", ("admin",), _itself),
    o.EndPost: Right("end-post", ("admin",), _itself),
    o.NameSite: Right("name-site", ("admin",), _root),
    o.RevokeToken: Right("revoke-token", ("admin",), _root),
    o.RecordAccess: Right("record-access", ("admin",), _itself),
    o.NameOfficer: Right("name-officer", ("chief", "admin"), _itself),
    o.SetDays: Right("set-days", ("chief", "admin"), _unit_above),
    o.Delegate: Right("delegate", ("chief",), _of_post, also=_holds_it),
    o.LoadPacks: Right("load-pack", ("chief", "admin"), _root),
    o.AssignPack: Right("assign-pack", ("chief", "admin"), _unit_above),
    o.SetValue: Right("set-value", ("chief", "admin"), _itself),
    o.OpenPeriod: Right("open-period", ("chief",), _itself),
    o.ClosePeriod: Right("close-period", ("chief",), _itself),
    o.RecordLesson: Right("record-lesson", ("duty_officer", "approver", "chief"), _itself),
    DeclineNumbered: Right("decline-lesson", ("chief", "admin"), _root),
}
"""The commands on the offices and their rules, over a unit; delegations over a post, of which also its holder decides.

What binds a unit is set above it: days move limits, and nobody chooses the own rules. At the root, the root does so.
"""

VERBS: Mapping[str, type[Command]] = {right.verb: command for command, right in RIGHTS.items()}
"""The commands by the last part of their path."""
