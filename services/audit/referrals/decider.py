"""The rules of a referral's stream."""

from dataclasses import dataclass, replace

from schemas import referrals as r
from schemas.envelope import Event
from schemas.fields import Typed
from services.audit.findings.decider import hear_by
from services.audit.referrals.commands import (
    DropReferral,
    NoteReceipt,
    PassOn,
    PraiseWork,
    ProposeReferral,
    StateOwnView,
)
from services.audit.referrals.rights import RIGHTS, STAGES, Referred, Stage
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider
from services.kernel.core.problems import Malformed


@dataclass(frozen=True, slots=True)
class State:
    """A referral so far; without `proposed`, there is none yet."""

    proposed: r.ReferralProposed | None = None
    stage: Stage | None = None
    heard_by: frozenset[str] = frozenset()
    """Digests of the persons who spoke for the post."""
    spoke: bool = False
    """Whether the post itself spoke."""

    @property
    def unit(self) -> str | None:
        """The unit that answers for the words of the stream."""
        return self.proposed.unit if self.proposed else None


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    stage = STAGES.get(type(event.data), state.stage)
    match event.data:
        case r.ReferralProposed() as data:
            return State(data, stage)
        case r.ReferralPostHeard() as data if state.proposed is not None:
            itself = event.actor == f"{state.proposed.post}@{state.proposed.unit}"
            return replace(state, stage=stage, heard_by=state.heard_by | {data.by}, spoke=state.spoke or itself)
    return replace(state, stage=stage)


def referred(state: State, ctx: Ctx) -> Referred:
    """What the table of rights looks at. `ctx.seen` holds `stream`, and `standing`, the findings that stand now."""
    said = state.proposed
    assert said is not None, "a stream without a referral is refused before"
    rests = said.kind == "praise" or not set(said.findings).isdisjoint(ctx.seen["standing"])
    by = ctx.by(ctx.seen["stream"])
    heard = state.heard_by, state.spoke
    return Referred(said.unit, said.post, said.kind, state.stage, said.hear_by, said.by, by, *heard, rests)


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command."""
    RIGHTS[type(command)].require(_subject(state, command, ctx), ctx)


def _subject(state: State, command: Command, ctx: Ctx) -> Referred:
    if isinstance(command, ProposeReferral):
        return Referred(command.unit, command.post, command.kind)
    return referred(state, ctx)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The events of a command.

    `ctx.seen` holds `stream`, and `standing`: finding -> its unit, of the findings that are named and stand now.
    """
    authorize(state, command, ctx)
    RIGHTS[type(command)].refuse(_subject(state, command, ctx), ctx)
    by = ctx.by(ctx.seen["stream"])
    match command:
        case ProposeReferral():
            return [_proposed(command, by, ctx)]
        case StateOwnView():
            return [r.ReferralPostHeard(text=Typed(text=command.text), by=by)]
        case PassOn():
            return [r.ReferralPassedOn(body=command.body, reason=Typed(text=command.reason), by=by)]
        case PraiseWork():
            return [r.ReferralPraised(reason=Typed(text=command.reason), by=by)]
        case DropReferral():
            return [r.ReferralDropped(reason=Typed(text=command.reason), by=by)]
        case NoteReceipt():
            return [r.ReferralReceiptNoted(text=Typed(text=command.text))]
    raise TypeError(f"a referral knows no {type(command).__name__}")


def _proposed(command: ProposeReferral, by: str, ctx: Ctx) -> r.ReferralProposed:
    ctx.offices.unit(command.unit)
    ctx.offices.post(f"{command.post}@{command.unit}", "post")
    findings = tuple(dict.fromkeys(command.findings))
    strangers = [one for one in findings if ctx.seen["standing"].get(one) != command.unit]
    if strangers or (command.kind == "neglect" and not findings):
        raise Malformed(
            f"findings: {', '.join(strangers)} are no findings about {command.unit} that stand"
            if strangers
            else "findings: name at least one finding that stands; neglect rests on the record alone",
            code="findings-needed",
            field="findings",
            unit=command.unit,
        )
    return r.ReferralProposed(
        unit=command.unit,
        post=command.post,
        kind=command.kind,
        incident=command.incident,
        findings=findings,
        reason=Typed(text=command.reason),
        hear_by=hear_by(command.unit, ctx) if command.kind == "neglect" else None,
        by=by,
    )


DECIDER = Decider("referral", State, evolve, decide, authorize)
