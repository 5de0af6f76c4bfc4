"""The acts by which a matter is worked off: explained, replied to, solved. A note on the work is none of them.

An act may be entered later than it happened, with the reason. Then the event's time is when it happened.
"""

from datetime import datetime

from schemas import triage
from schemas.fields import Fact, Typed
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed
from services.triage import commands as c
from services.triage.state import State


def decided(state: State, command: c.Act, ctx: Ctx) -> Decided:
    """The event of the act."""
    return [Occurred(_fact(command), time=happened(state, command, ctx))]


def _fact(command: c.Act) -> Fact:
    late_reason = None if command.late_reason is None else Typed(text=command.late_reason)
    match command:
        case c.Explain():
            return explained(command.text, command.to, late_reason)
        case c.Reply():
            return triage.IncidentReplied(text=Typed(text=command.text), late_reason=late_reason)
        case c.Solve():
            return triage.IncidentSolved(text=Typed(text=command.text), late_reason=late_reason)
        case c.ExplainDelay():
            return triage.IncidentDelayExplained(text=Typed(text=command.text), late_reason=late_reason)
        case c.ReceiveMaterial():
            return triage.IncidentMaterialReceived(
                unit=command.unit, signed=command.signed, sealed=command.sealed, late_reason=late_reason
            )
    raise TypeError(f"no rule for {type(command).__name__}")


def explained(text: str, to: triage.Asked, late_reason: Typed | None = None) -> triage.IncidentExplained:
    """An explanation that was given."""
    return triage.IncidentExplained(text=Typed(text=text), to=to, late_reason=late_reason)


def happened(state: State, command: c.Act, ctx: Ctx) -> datetime | None:
    """When the act happened, if it is entered later; None if it happens now."""
    if command.happened_at is None:
        return None
    if command.happened_at > ctx.now:
        raise Malformed(
            f"happened_at: {command.happened_at.isoformat()} is later than now; enter an act once it was done",
            code="in-the-future",
            field="happened_at",
            at=command.happened_at,
            now=ctx.now,
        )
    if state.discovered_at is not None and command.happened_at < state.discovered_at:
        raise Malformed(
            f"happened_at: nothing was done on {state.id} before it was known, at {state.discovered_at.isoformat()}",
            code="before-discovery",
            field="happened_at",
            incident=state.id,
            at=state.discovered_at,
        )
    return command.happened_at
