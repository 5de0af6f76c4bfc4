"""The acts by which a matter is worked off: explained, replied to, solved. A note on the work is none of them.

An act may be entered later than it happened, with the reason. Then the event's time is when it happened.
"""

from collections.abc import Mapping
from datetime import datetime

from schemas import triage
from schemas.fields import Typed, parse_instant
from services.kernel.core.acts import Act
from services.kernel.core.decider import Ctx, Decided
from services.kernel.core.problems import Malformed
from services.triage import commands as c
from services.triage.owed.answering_commands import ExplainToOffice, LeaveUnsolved, OrderExplanation
from services.triage.state import Series, State

SERIES: Mapping[type[Act], Series] = {
    c.Grade: "level",
    c.Classify: "answer_kind",
    c.Resolve: "phase",
    c.Close: "phase",
    c.Reopen: "phase",
}
"""Of these, one that is entered later follows the others of its series."""
ANSWERING = (c.Explain, c.Reply, c.Solve, c.ReceiveMaterial, LeaveUnsolved, OrderExplanation, ExplainToOffice)
"""A reopening asks for these anew: what was done before it completes nothing after it."""


def decided(command: Act, ctx: Ctx) -> Decided:
    """The event of the act."""
    match command:
        case c.Explain():
            return [explained(command.text, command.to)]
        case c.Reply():
            return [triage.IncidentReplied(text=Typed(text=command.text))]
        case c.Solve():
            return [triage.IncidentSolved(text=Typed(text=command.text), outcome=command.outcome)]
        case c.ExplainDelay():
            return [triage.IncidentDelayExplained(text=Typed(text=command.text))]
    raise TypeError(f"no rule for {type(command).__name__}")


def explained(text: str, to: triage.Asked) -> triage.IncidentExplained:
    """An explanation that was given."""
    return triage.IncidentExplained(text=Typed(text=text), to=to)


def happened(state: State, command: Act, ctx: Ctx) -> datetime | None:
    """When the act happened, if it is entered later; None if it happens now."""
    at = command.done_at(ctx.now)
    if at is None:
        return None
    known = min((one for one in (state.discovered_at, state.registered_at) if one), default=None)
    if known is not None and at < known:
        raise Malformed(
            f"happened_at: nothing was done on {state.id} before it was known, at {known.isoformat()}",
            code="before-discovery",
            field="happened_at",
            incident=state.id,
            at=known,
        )
    must_follow(at, _answers(state, command))
    series = SERIES.get(type(command))
    last = state.last.get(series) if series else None
    if last is not None and at < last:
        raise Malformed(
            f"happened_at: a later decision of this kind is on record, of {last.isoformat()}; enter a time after it",
            code="before-last-judgement",
            field="happened_at",
            incident=state.id,
            at=last,
        )
    reopened = state.last.get("phase")
    if reopened is not None and at < reopened and state.phase == "open" and isinstance(command, ANSWERING):
        raise Malformed(
            f"happened_at: {state.id} was reopened at {reopened.isoformat()}, and what was done before answers nothing "
            "that is owed since; note it as handling",
            code="before-reopening",
            field="happened_at",
            incident=state.id,
            at=reopened,
        )
    return at


def _answers(state: State, command: Act) -> datetime | None:
    """When that happened which the act answers; None if it answers nothing."""
    match command:
        case c.Accept() | c.Return():
            return state.last.get("assigned")
        case c.FollowUp():
            return state.last.get("resolved")
        case c.ConcludeVerification() if since := state.verification.since:
            return parse_instant(since)
    return None


def must_follow(at: datetime | None, first: datetime | None) -> None:
    """Raises `Malformed` if an act is entered as done before that happened which it answers."""
    if at is not None and first is not None and at < first:
        raise Malformed(
            f"happened_at: what this act answers happened at {first.isoformat()}; enter a time that is not before it",
            code="before-what-it-answers",
            field="happened_at",
            at=first,
        )
