"""The rules of a statement: its facts, its approvals, and the texts that stay visible.

`rights` says who may ask for what, and in which phase. `ctx.seen` holds `stream`, the statement's id, and `matter`, the
`Matter` of the statement; None if publish has not seen that incident. It also holds `title` and `text`, the words of
the draft, `agreed_title` and `agreed_text`, those of the submission, and `waived`; None if there are none or they were
erased. `channels` are the channels of the unit that speaks, `earlier` the statements of the matter that are in public,
the newest last. `signer` is the key of the post that acts. `rests_on` are the facts of what is in public. `file_titles`
are the titles of its files by their references; None if one was erased.
"""

from schemas.fields import Fact
from schemas.publish import StatementUnscheduled
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.publish.approving import answering
from services.publish.approving.signing import signed
from services.publish.approving.submission import submit
from services.publish.attaching import attaching
from services.publish.attaching.commands import AttachFile, Covered, DetachFile
from services.publish.checking.check import check
from services.publish.commands import (
    Approve,
    CannotJudge,
    Check,
    Correct,
    Draft,
    Prepare,
    Publish,
    PublishDue,
    Reject,
    Revise,
    Submit,
    Unschedule,
    Withdraw,
)
from services.publish.delivering import deliveries
from services.publish.delivering.commands import Confirm, RecordDelivery, Retry
from services.publish.delivering.rights import DELIVERIES
from services.publish.releasing import release, scheduling
from services.publish.rights import RIGHTS, Case, Incident, unseen
from services.publish.state import State, evolve, initial_state
from services.publish.writing import drafting


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command."""
    if isinstance(command, PublishDue | RecordDelivery):
        return
    if isinstance(command, Confirm | Retry):
        DELIVERIES[type(command)].require(state.unit, ctx)
        return
    RIGHTS[type(command)].require(_case(state, ctx), ctx)


def _case(state: State, ctx: Ctx) -> Case:
    incident: Incident | None = ctx.seen.get("incident")
    if incident is None:
        raise unseen()
    return Case.of(state, incident, ctx.seen["stream"], ctx)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """One event. Raises `Rejected` (409), `Forbidden` (403), or `Malformed` (422) for an unknown incident.

    Each event names the versions of the incident and of the unit tree on which it rests, and the pack in force for the
    accountable unit.
    """
    if isinstance(command, Prepare):
        return drafting.prepare(state, command, ctx)
    if isinstance(command, RecordDelivery | Confirm | Retry):
        return deliveries.decide(state.unit, state.public, command, ctx)
    case = _case(state, ctx)
    if isinstance(command, PublishDue):
        if not scheduling.is_due(state, ctx):
            return []
        RIGHTS[Publish].refuse(case, ctx)
        scheduling.must_still_speak(state, case)
    else:
        right = RIGHTS[type(command)]
        right.require(case, ctx)
        right.refuse(case, ctx)
    fact = signed(_decide(state, command, case, ctx), state, case, ctx)
    about = () if case.is_notice else (f"{case.incident.id}@{case.incident.version}",)
    basis = (*about, *ctx.offices.basis)
    return [Occurred(fact, policy=case.pack.ref, basis=basis, unit=ctx.actor.unit or state.unit)]


def _decide(state: State, command: Command, case: Case, ctx: Ctx) -> Fact:
    match command:
        case Draft():
            return drafting.notice(command, case) if case.is_notice else drafting.draft(command, case, ctx)
        case Revise():
            return drafting.revise(state, command, case, ctx)
        case AttachFile():
            return attaching.attach(state.files, command, case.by)
        case Covered():
            return attaching.cover(state.files, command, case.by)
        case DetachFile():
            return attaching.remove(state.files, command, case.by)
        case Submit():
            return submit(state, case, ctx)
        case Check():
            return check(state, command, case, ctx)
        case Approve():
            return answering.approve(state, command, case, ctx)
        case CannotJudge():
            return answering.refer(state, command, case, ctx)
        case Reject():
            return answering.reject(state, command, case)
        case Publish(at=None):
            return release.publish(state, case.by, case, ctx)
        case Publish():
            return scheduling.schedule(state, command, case, ctx)
        case PublishDue():
            return release.publish(state, state.scheduled_by, case, ctx)
        case Unschedule():
            return StatementUnscheduled(by=case.by)
        case Correct():
            return release.correct(state, command, case, ctx)
        case Withdraw():
            return release.withdraw(state, command, case, ctx)
        case _:
            raise TypeError(f"{type(command).__name__} is no command of a statement")


DECIDER = Decider("statement", initial_state, evolve, decide, authorize)
