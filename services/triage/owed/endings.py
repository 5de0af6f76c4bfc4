"""The end of a matter by its pack: who looks at it afterwards, which parts its file lacks, who evaluates it. Pure."""

from collections.abc import Mapping
from typing import Literal

from schemas import triage
from schemas.fields import Fact, Typed
from services.kernel.access.approving import nearest
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed, Unavailable
from services.kernel.core.units import LoadedPack
from services.triage.commands import Close, Resolve
from services.triage.levels import moves
from services.triage.state import State


def resolved(state: State, command: Resolve, ctx: Ctx) -> Decided:
    """The handling is complete. If the pack asks for a post of its own for the follow-up, or something is planned,
    there is one.
    """
    pack = _pack(state, ctx)
    if command.follows_up is not None:
        _must_read_it(command.follows_up, state, ctx)
    asked = pack is not None and pack.model.follow_up is not None and pack.model.follow_up.dedicated_post.value
    planned = state.answering.outcome == "planned"
    post = command.follows_up or (ctx.actor.post if asked or planned else None)
    return _by(pack, triage.IncidentResolved(reason=Typed(text=command.reason), follows_up=post), ctx)


def _must_read_it(post: str, state: State, ctx: Ctx) -> None:
    """Raises `Malformed` for a post that could not read the matter which it is to follow."""
    ctx.offices.post(post, "follows_up")
    reading = dict.fromkeys((*ctx.offices.above(state.unit), *ctx.offices.above(state.assigned or state.unit)))
    if (unit := post.partition("@")[2]) not in reading:
        raise Malformed(
            f"follows_up: {unit} has no part in {state.id}; name a post of {', '.join(reading)}",
            code="follow-up-elsewhere",
            field="follows_up",
            post=post,
            known=list(reading),
        )


def closed(state: State, command: Close, ctx: Ctx) -> Decided:
    """The end of the work. It says what the file lacks of the pack's parts, and who evaluates the handling.

    Raises `Malformed` for a part that the pack does not have.
    """
    pack = _pack(state, ctx)
    parts = [part.code for part in pack.model.archive.parts] if pack and pack.model.archive else []
    if unknown := [part for part in command.parts if part not in parts]:
        raise Malformed(
            f"the file of this matter has no part {unknown[0]}; its parts are {', '.join(parts) or 'not named'}",
            code="file-part-unknown",
            field="parts",
            part=unknown[0],
            known=parts,
        )
    missing = tuple(part for part in parts if part not in command.parts)
    done = triage.IncidentClosed(
        reason=Typed(text=command.reason), missing=missing, evaluated_by=_evaluates(state, pack, ctx)
    )
    return _by(pack, done, ctx)


ENDS: Mapping[type[Fact], Literal["resolved", "closed", "dismissed", "merged"]] = {
    triage.IncidentResolved: "resolved",
    triage.IncidentClosed: "closed",
    triage.IncidentDismissed: "dismissed",
    triage.IncidentMerged: "merged",
}


def withdrawn(state: State, decided: Decided) -> list[Fact]:
    """The withdrawal of each proposal that still waits for approval, if the events end the matter."""
    facts = [item.data if isinstance(item, Occurred) else item for item in decided]
    cause = next((ENDS[type(fact)] for fact in facts if type(fact) in ENDS), None)
    waiting = [one.number for one in state.proposals if one.state == "proposed"]
    return [triage.IncidentProposalWithdrawn(proposal=number, cause=cause) for number in waiting] if cause else []


def _evaluates(state: State, pack: LoadedPack | None, ctx: Ctx) -> tuple[str, ...]:
    rule = pack.model.review.evaluation if pack else None
    if rule is None or pack is None:
        return ()
    level = state.level or pack.model.lowest
    asked = rule.levels is None or level in rule.levels
    return tuple(nearest(rule.who, state.unit, ctx.offices)) if asked else ()


def _pack(state: State, ctx: Ctx) -> LoadedPack | None:
    """The pack of the matter; None if there is none yet, since that keeps no matter open."""
    try:
        return moves.of_matter(state, ctx)
    except Unavailable:
        return None


def _by(pack: LoadedPack | None, fact: Fact, ctx: Ctx) -> Decided:
    return [Occurred(fact, policy=pack.ref, basis=ctx.offices.basis) if pack else fact]
