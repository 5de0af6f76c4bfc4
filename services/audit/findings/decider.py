"""The rules of a finding's stream. It stands by its rule; or it is proposed, and an auditor decides."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from schemas import findings as f
from schemas.envelope import Event
from schemas.fields import Fact, Typed
from services.audit.findings import readings
from services.audit.findings.commands import (
    ConfirmFinding,
    EndHearing,
    LapseFinding,
    OfAuditor,
    ProposeFinding,
    RaiseFinding,
    RejectFinding,
    StateView,
)
from services.audit.findings.rights import RIGHTS, Judged, Stage
from services.audit.findings.rules import PROPOSALS
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider, Occurred
from services.kernel.core.problems import Malformed, Unavailable


@dataclass(frozen=True, slots=True)
class State:
    """A finding so far; without `made`, there is none yet."""

    made: f.FindingMade | None = None
    policy: str | None = None
    stage: Stage | None = None
    hear_by: datetime | None = None
    by: str | None = None
    """Digest of the person who proposed it; None if the rules did."""
    heard: f.FindingOfficeHeard | None = None
    asked: f.FindingDecisionAsked | None = None
    lapsed: f.FindingLapsed | None = None

    @property
    def unit(self) -> str | None:
        """The unit that answers for the words of the stream."""
        return self.made.unit if self.made else None

    @property
    def is_open(self) -> bool:
        """Whether a decision is still to come."""
        return self.stage in ("proposed", "heard")


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    match event.data:
        case f.FindingComputed() as data:
            return State(data, event.policy, "stands")
        case f.FindingProposed() as data:
            return State(data, event.policy, "proposed", data.hear_by, data.by)
        case f.FindingOfficeHeard() as data:
            return replace(state, stage="heard", heard=data)
        case f.FindingDecisionAsked() as data:
            return replace(state, asked=data)
        case f.FindingConfirmed():
            return replace(state, stage="upheld", asked=None)
        case f.FindingRejected():
            return replace(state, stage="rejected", asked=None)
        case f.FindingLapsed() as data:
            return replace(state, stage="lapsed", lapsed=data)
    return state


def judged(state: State, ctx: Ctx) -> Judged:
    """What the table of rights looks at. `ctx.seen` holds `stream`, and `handled`."""
    assert state.made is not None, "a stream without a finding is refused before"
    heard, asked = state.heard, state.asked
    return Judged(
        state.made.unit,
        state.stage,
        state.hear_by,
        asked=asked.by if asked else None,
        asked_confirms=bool(asked and asked.confirms),
        said=heard.by if heard else None,
        by=ctx.by(ctx.seen["stream"]),
        proposed_by=state.by,
        handled=bool(ctx.seen.get("handled")),
    )


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command. The loop needs none."""
    if right := RIGHTS.get(type(command)):
        right.require(_subject(state, command, ctx), ctx)


def _subject(state: State, command: Command, ctx: Ctx) -> Judged:
    if isinstance(command, ProposeFinding):
        by = ctx.by(ctx.seen["stream"])
        return Judged(command.unit, by=by, handled=bool(ctx.seen.get("handled")))
    return judged(state, ctx)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The events of a command. What the loop sends is never refused; what is so already gives none.

    For staff, `ctx.seen` holds `stream`, the finding's; `handled`, whether the actor worked on the matter; and, for a
    proposal, `positions`, the position of each event of the matter's record, with `log_size`.
    """
    authorize(state, command, ctx)
    if right := RIGHTS.get(type(command)):
        right.refuse(_subject(state, command, ctx), ctx)
    match command:
        case RaiseFinding():
            return _raised(state, command, ctx)
        case LapseFinding():
            stands = state.made is not None and state.by is None and state.stage not in ("lapsed", "rejected")
            return _of_unit(state, [f.FindingLapsed(cause=command.cause, event=command.event)]) if stands else []
        case EndHearing():
            over = state.stage == "proposed" and state.hear_by is not None and state.hear_by < command.until
            unheard = f.FindingOfficeHeard(unit=state.unit or "", answered=False)
            return _of_unit(state, [unheard]) if over else []
        case ProposeFinding():
            return _proposed(command, ctx)
        case StateView():
            said = f.FindingOfficeHeard(
                unit=state.unit or "",
                answered=True,
                text=Typed(text=command.text),
                by=ctx.by(ctx.seen["stream"]),
            )
            return [said]
        case ConfirmFinding() | RejectFinding():
            return _decided(state, command, ctx)
    raise TypeError(f"a finding knows no {type(command).__name__}")


def _raised(state: State, command: RaiseFinding, ctx: Ctx) -> Decided:
    """A finding that is there stays as it is. One that lapsed comes back; a rejected one does not."""
    if state.stage not in (None, "lapsed"):
        return []
    said = {name: getattr(command.made, name) for name in f.FindingMade.model_fields}
    fact: Fact
    if command.made.finding in PROPOSALS:
        fact = f.FindingProposed(**said, hear_by=hear_by(command.made.unit, ctx))
    else:
        fact = f.FindingComputed(**said)
    return [Occurred(fact, policy=command.policy, unit=command.made.unit)]


def hear_by(unit: str, ctx: Ctx) -> datetime:
    """Until when a unit is heard, by its pack or our own reading."""
    pack = None
    with suppress(Unavailable):
        pack = ctx.offices.pack(unit)
    time, _, _ = readings.of_pack("hearing", pack)
    return ctx.now + cast("timedelta", time)


def _proposed(command: ProposeFinding, ctx: Ctx) -> Decided:
    positions = ctx.seen["positions"]
    ctx.offices.unit(command.unit)
    if strangers := sorted(set(command.events) - set(positions)):
        raise Malformed(
            f"events: the record of {command.incident} has no {', '.join(strangers)}; take ids from its timeline",
            code="events-unknown",
            field="events",
            given=strangers,
        )
    return [
        f.FindingProposed(
            incident=command.incident,
            record=command.incident,
            unit=command.unit,
            finding=command.finding,
            sign="reviewer",
            rule="reading.reviewer",
            events=tuple(f.Behind(event=one, position=positions[one]) for one in dict.fromkeys(command.events)),
            log_size=ctx.seen["log_size"],
            hear_by=hear_by(command.unit, ctx),
            reason=Typed(text=command.reason),
            by=ctx.by(ctx.seen["stream"]),
        )
    ]


def _decided(state: State, command: OfAuditor, ctx: Ctx) -> Decided:
    """A unit above decides at once. On the root's own, the first word asks, and another person's same word decides."""
    assert state.made is not None, "a stream without a finding is refused before"
    by, reason, unit = ctx.by(ctx.seen["stream"]), Typed(text=command.reason), ctx.actor.unit or ""
    confirms = isinstance(command, ConfirmFinding)
    agreed = state.asked is not None and state.asked.confirms == confirms and state.asked.by != by
    if ctx.offices.parent(state.made.unit) is None and not agreed:
        return [f.FindingDecisionAsked(confirms=confirms, reason=reason, by=by)]
    decided = f.FindingConfirmed if confirms else f.FindingRejected
    return [decided(unit=unit, reason=reason, by=by)]


def _of_unit(state: State, facts: list[Fact]) -> Decided:
    return [Occurred(fact, unit=state.unit) for fact in facts]


DECIDER = Decider("finding", State, evolve, decide, authorize)
