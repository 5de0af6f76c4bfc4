"""The rules of an inspection's stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from schemas import inspections as i
from schemas.envelope import Event
from schemas.fields import Typed
from services.audit.inspections.commands import (
    AcceptRemedy,
    Dated,
    EndInspection,
    MakeRemark,
    OfRemark,
    OpenInspection,
    ReportRemedy,
    ReturnRemedy,
    WithdrawRemark,
)
from services.audit.inspections.rights import RIGHTS, Inspected
from services.kernel.core.acts import must_be_ahead
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx, Decided, Decider
from services.kernel.core.problems import Malformed, Rejected

Stage = Literal["due", "reported", "remedied", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark so far."""

    stage: Stage
    due: datetime
    by: str | None = None
    """Digest of the person who reported the last remedy."""


@dataclass(frozen=True, slots=True)
class State:
    """An inspection so far; without `opened`, there is none yet."""

    opened: i.InspectionOpened | None = None
    by_unit: str | None = None
    remarks: Mapping[int, Remark] = field(default_factory=dict)
    ended: bool = False

    @property
    def unit(self) -> str | None:
        """The unit that answers for the words of the stream."""
        return self.opened.unit if self.opened else None


def evolve(state: State, event: Event) -> State:
    """The state after the event."""
    match event.data:
        case i.InspectionOpened() as data:
            return State(data, event.unit)
        case i.InspectionRemarkMade() as data:
            return _with(state, data.remark, Remark("due", data.due))
        case i.InspectionRemedyReported() as data:
            return _with(state, data.remark, replace(state.remarks[data.remark], stage="reported", by=data.by))
        case i.InspectionRemedyAccepted() as data:
            return _with(state, data.remark, replace(state.remarks[data.remark], stage="remedied"))
        case i.InspectionRemedyReturned() as data:
            return _with(state, data.remark, Remark("due", data.due))
        case i.InspectionRemarkWithdrawn() as data:
            return _with(state, data.remark, replace(state.remarks[data.remark], stage="withdrawn"))
        case i.InspectionEnded():
            return replace(state, ended=True)
    return state


def _with(state: State, number: int, remark: Remark) -> State:
    return replace(state, remarks={**state.remarks, number: remark})


def inspected(state: State) -> Inspected:
    """What the table of rights looks at."""
    assert state.opened is not None, "a stream without an inspection is refused before"
    stages = [remark.stage for remark in state.remarks.values()]
    waiting, reported = stages.count("due"), stages.count("reported")
    return Inspected(state.opened.unit, state.by_unit, state.ended, waiting + reported, waiting, reported)


def authorize(state: State, command: Command, ctx: Ctx) -> None:
    """Raises `Forbidden` if the actor has no right to the command."""
    RIGHTS[type(command)].require(_subject(state, command), ctx)


def _subject(state: State, command: Command) -> Inspected:
    return Inspected(command.unit) if isinstance(command, OpenInspection) else inspected(state)


def decide(state: State, command: Command, ctx: Ctx) -> Decided:
    """The events of a command. `ctx.seen` holds `stream`, the inspection's.

    For a remark that rests on a finding, it holds `finding_unit`: the unit of that finding, or None if there is none.
    """
    authorize(state, command, ctx)
    RIGHTS[type(command)].refuse(_subject(state, command), ctx)
    if isinstance(command, Dated):
        must_be_ahead(command.due, ctx.now)
    match command:
        case OpenInspection():
            return _opened(command, ctx)
        case MakeRemark():
            return _remarked(state, command, ctx)
        case ReportRemedy() | AcceptRemedy() | ReturnRemedy() | WithdrawRemark():
            return _of_remark(state, command, ctx)
        case EndInspection():
            return [i.InspectionEnded(conclusion=Typed(text=command.conclusion))]
    raise TypeError(f"an inspection knows no {type(command).__name__}")


def _opened(command: OpenInspection, ctx: Ctx) -> Decided:
    ctx.offices.unit(command.unit)
    if command.until < command.since:
        raise Malformed(
            f"until: {command.until} lies before {command.since}; the first day comes first",
            code="ends-before-it-begins",
            field="until",
            begins=command.since,
            ends=command.until,
        )
    is_root = ctx.offices.parent(command.unit) is None
    if is_root == (command.superior is None):
        raise Malformed(
            "superior: name who inspects the root, since nobody of the deployment stands above it"
            if is_root
            else f"superior: a unit above {command.unit} inspects it; leave this out",
            code="superior-of-root",
            field="superior",
            unit=command.unit,
        )
    superior = Typed(text=command.superior) if command.superior else None
    said = {"unit": command.unit, "since": command.since, "until": command.until}
    return [i.InspectionOpened(**said, scope=Typed(text=command.scope), superior=superior)]


def _remarked(state: State, command: MakeRemark, ctx: Ctx) -> Decided:
    if command.finding is not None and ctx.seen["finding_unit"] != state.unit:
        raise Malformed(
            f"finding: {command.finding} is no finding about {state.unit}",
            code="finding-of-other",
            field="finding",
            unit=state.unit,
        )
    return [
        i.InspectionRemarkMade(
            remark=len(state.remarks) + 1,
            incident=command.incident,
            finding=command.finding,
            text=Typed(text=command.text),
            remedy=Typed(text=command.remedy),
            due=command.due,
        )
    ]


def _of_remark(state: State, command: OfRemark, ctx: Ctx) -> Decided:
    number, by = command.remark, ctx.by(ctx.seen["stream"])
    remark = state.remarks.get(number)
    if remark is None:
        raise Malformed(
            f"remark: there is no remark {number}; there are {len(state.remarks)}",
            code="remark-unknown",
            field="remark",
            count=len(state.remarks),
        )
    wanted = {"ReportRemedy": ("due",), "WithdrawRemark": ("due", "reported")}
    if remark.stage not in wanted.get(type(command).__name__, ("reported",)):
        raise Rejected(
            f"remark {number} is {remark.stage}, so this cannot be done now",
            code="remark-elsewhere",
            remark=number,
            state=remark.stage,
        )
    match command:
        case ReportRemedy():
            return [i.InspectionRemedyReported(remark=number, text=Typed(text=command.text), by=by)]
        case AcceptRemedy():
            if remark.by == by:
                raise Rejected("you reported this remedy; another person must judge it", code="remedy-by-you")
            return [i.InspectionRemedyAccepted(remark=number, by=by)]
        case ReturnRemedy():
            reason = Typed(text=command.reason)
            return [i.InspectionRemedyReturned(remark=number, reason=reason, due=command.due)]
        case WithdrawRemark():
            return [i.InspectionRemarkWithdrawn(remark=number, reason=Typed(text=command.reason))]


DECIDER = Decider("inspection", State, evolve, decide, authorize)
