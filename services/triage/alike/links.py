"""How two matters belong together, as a person decided, and matters that were offered to a unit above. Pure."""

from schemas import triage
from schemas.fields import Typed
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Rejected
from services.triage import commands as c
from services.triage.state import State


def linked(state: State, command: c.Link, ctx: Ctx) -> Decided:
    """The decision on this incident and another one, `ctx.seen["into"]`. The caller may read that one."""
    other: State = ctx.seen["into"]
    if command.to == state.id:
        raise Rejected(
            f"{state.id} is this incident itself; name another one", code="linked-to-itself", incident=state.id
        )
    if other.merged_into:
        raise Rejected(
            f"{other.id} was itself merged into {other.merged_into}; link to that one",
            code="merged-target",
            incident=other.id,
            into=other.merged_into,
        )
    if other.drill != state.drill:
        raise Rejected("an exercise and a real matter cannot be linked", code="drill-and-real")
    if state.links.get(command.to) == command.kind:
        raise Rejected(
            f"{state.id} and {command.to} are linked as {command.kind} already; choose another kind",
            code="already-linked",
            incident=state.id,
            to=command.to,
            kind=command.kind,
        )
    if command.kind == "part" and state.id in ctx.seen.get("wholes", ()):
        raise Rejected(
            f"{command.to} is a part of {state.id} by way of others; nothing is a part of its own part",
            code="part-of-itself",
            incident=state.id,
            to=command.to,
        )
    return [triage.IncidentLinked(to=command.to, kind=command.kind, reason=Typed(text=command.reason))]


def offered(state: State, command: c.Offer, ctx: Ctx) -> Decided:
    """The offer, to a unit above the accountable one."""
    ctx.offices.unit(command.to, "to")
    above = ctx.offices.above(state.unit)[1:]
    if command.to not in above:
        raise Rejected(
            f"{command.to} is not above {state.unit}; above it {', '.join(above) or 'there is none'}",
            code="offered-aside",
            unit=state.unit,
            to=command.to,
            known=list(above),
        )
    if command.to in state.offered:
        raise Rejected(
            f"{state.id} was offered to {command.to} already; that unit decides",
            code="already-offered",
            incident=state.id,
            to=command.to,
        )
    reason = Typed(text=command.reason) if command.reason else None
    return [Occurred(triage.IncidentOffered(to=command.to, reason=reason), basis=ctx.offices.basis)]
