"""The answers at a step of the chain: agreed, cannot judge, sent back. Pure."""

from schemas.approval import Step
from schemas.fields import Fact, Typed
from schemas.publish import StatementApproved, StatementReferred, StatementRejected
from services.kernel.access.approving import must_be_answered, taking_part
from services.kernel.core.decider import Ctx
from services.kernel.rules.approval import Agreement, asked_anew, place
from services.publish.commands import Approve, CannotJudge, Reject
from services.publish.rights import Case, unpassed
from services.publish.state import State


def approve(state: State, command: Approve, case: Case, ctx: Ctx) -> Fact:
    due, chosen = case.due, next(case.answers(ctx))
    assert due is not None, "the table of rights allows an approval only when a step is due"
    barred = state.desks | state.course.posts if case.separates else ()
    rule = place(case.pack, state.course.chain, due.step)
    took_part = taking_part(due, chosen, command.took_part, barred, ctx, rule=rule, pack=case.pack.name)
    given = Agreement(step=due.step, who=chosen.who, by=case.by)
    course = state.course.with_agreement(given)
    following = course.due
    if refusal := unpassed(case, state.checks.waits_for(chosen.who, course)):
        raise refusal
    return StatementApproved(
        step=due.step,
        who=chosen.who,
        post=chosen.post,
        took_part=took_part,
        last=following is None,
        next=asked_anew(due, following),
        secret=command.secret,
        major_information=command.major_information,
        reason=None if command.reason is None else Typed(text=command.reason),
        by=case.by,
    )


def refer(state: State, command: CannotJudge, case: Case, ctx: Ctx) -> Fact:
    """Puts the post that the pack names in the place of the one that cannot judge."""
    assert case.due is not None and case.judge is not None, "the table of rights asks for both"
    judged = [Step(code=case.due.step, who=(case.judge,))]
    must_be_answered(judged, state.unit, ctx.offices, rule="approval.cannot_judge", pack=case.pack.name)
    one = next(one for one in case.answers(ctx) if one.who != case.judge)
    reason = Typed(text=command.reason)
    return StatementReferred(step=case.due.step, who=one.who, post=one.post, to=case.judge, reason=reason, by=case.by)


def reject(state: State, command: Reject, case: Case) -> Fact:
    """Sends the text back."""
    due = state.course.due
    assert due is not None, "a submitted statement has a step that is due"
    return StatementRejected(
        step=due.step,
        secret=command.secret,
        major_information=command.major_information,
        reason=Typed(text=command.reason),
        by=case.by,
    )
