"""The acts by which a matter is worked off: explained, replied to, solved. A note on the work is none of them.

An act may be entered later than it happened, with the reason. Then the event's time is when it happened.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from schemas import triage
from schemas.fields import Typed
from services.kernel.core.decider import Ctx, Decided, Occurred
from services.kernel.core.problems import Malformed
from services.triage import commands as c
from services.triage.state import Series, State

SERIES: Mapping[type[c.Act], Series] = {
    c.Grade: "level",
    c.Classify: "answer_kind",
    c.Resolve: "phase",
    c.Close: "phase",
    c.Reopen: "phase",
}
"""Of these, one that is entered later follows the others of its series."""


def decided(command: c.Act, ctx: Ctx) -> Decided:
    """The event of the act."""
    match command:
        case c.Explain():
            return [explained(command.text, command.to)]
        case c.Reply():
            return [triage.IncidentReplied(text=Typed(text=command.text))]
        case c.Solve():
            return [triage.IncidentSolved(text=Typed(text=command.text))]
        case c.ExplainDelay():
            return [triage.IncidentDelayExplained(text=Typed(text=command.text))]
        case c.ReceiveMaterial():
            ctx.offices.unit(command.unit)
            sent = triage.IncidentMaterialReceived(unit=command.unit, signed=command.signed, sealed=command.sealed)
            return [sent]
    raise TypeError(f"no rule for {type(command).__name__}")


def explained(text: str, to: triage.Asked) -> triage.IncidentExplained:
    """An explanation that was given."""
    return triage.IncidentExplained(text=Typed(text=text), to=to)


def entered(state: State, command: c.Act, decided: Decided, ctx: Ctx) -> Decided:
    """The events of a command, with the time at which the act happened and why it is entered later, if it is."""
    at = happened(state, command, ctx)
    if at is None or command.late_reason is None:
        return decided
    reason = Typed(text=command.late_reason)
    items = (item if isinstance(item, Occurred) else Occurred(item) for item in decided)
    return [_late(item, at, reason) for item in items]


def _late(item: Occurred, at: datetime, reason: Typed) -> Occurred:
    if not isinstance(item.data, triage.Act) or item.data.late_reason is not None:
        return item
    return replace(item, data=item.data.model_copy(update={"late_reason": reason}), time=at)


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
    series = SERIES.get(type(command))
    last = state.last.get(series) if series else None
    if last is not None and command.happened_at < last:
        raise Malformed(
            f"happened_at: a later decision of this kind is on record, of {last.isoformat()}; enter a time after it",
            code="before-last-judgement",
            field="happened_at",
            incident=state.id,
            at=last,
        )
    return command.happened_at
