"""The rights over findings: the unit is heard, an auditor of a unit above decides, and at the root two of them do.

Nobody decides who worked on the matter, by person or by post, and nobody before the unit was heard.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from services.audit.findings.commands import ConfirmFinding, ProposeFinding, RejectFinding, StateView
from services.kernel.access.rights import Read, Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected

Stage = Literal["stands", "proposed", "heard", "upheld", "rejected", "lapsed"]
READ_FINDING = Read("read-finding")
"""Findings against units of the reader."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A finding on which somebody acts; without a stage, one that is to be proposed."""

    unit: str
    stage: Stage | None = None
    hear_by: datetime | None = None
    asked: str | None = None
    """Digest of the person of the root who decided first."""
    asked_confirms: bool = False
    said: str | None = None
    """Digest of the person who spoke for the unit."""
    by: str = ""
    """Digest of the person who acts."""
    proposed_by: str | None = None
    """Digest of the person who proposed it by hand."""
    handled: bool = False
    """Whether the person or the post that acts worked on the matter."""


def _own(judged: Judged, ctx: Ctx) -> tuple[str, ...]:
    return (judged.unit,)


def _above(judged: Judged, ctx: Ctx) -> tuple[str, ...]:
    return (ctx.offices.parent(judged.unit) or judged.unit,)


def _can_be_stated(judged: Judged, ctx: Ctx, verb: str) -> Rejected | None:
    if ctx.actor.unit != judged.unit:
        return Rejected(
            f"{judged.unit} speaks for itself; you act for {ctx.actor.unit}",
            code="unit-speaks-itself",
            unit=judged.unit,
        )
    if judged.stage == "heard" and judged.said is not None:
        return Rejected("the unit has said what it has to say already", code="office-heard", unit=judged.unit)
    return _open(judged)


def _can_be_decided(judged: Judged, ctx: Ctx, verb: str) -> Rejected | None:
    if refusal := _open(judged):
        return refusal
    if judged.stage == "proposed":
        return Rejected(
            f"{judged.unit} was not heard yet; wait for its answer, or until {judged.hear_by}",
            code="office-not-heard",
            unit=judged.unit,
            until=judged.hear_by,
        )
    if judged.handled or judged.by == judged.said:
        return Rejected("you worked on this matter; another auditor must decide", code="handled-by-you")
    if judged.by == judged.proposed_by:
        return Rejected("you proposed this; another auditor must decide", code="finding-proposed-by-you")
    if judged.asked == judged.by and judged.asked_confirms == (verb == "confirm-finding"):
        return Rejected("you decided so already; another person must agree", code="finding-asked-by-you")
    return None


def _can_be_proposed(judged: Judged, ctx: Ctx, verb: str) -> Rejected | None:
    if judged.handled:
        return Rejected("you worked on this matter; another auditor must decide", code="handled-by-you")
    return None


def _open(judged: Judged) -> Rejected | None:
    if judged.stage == "stands":
        return Rejected("this finding stands by its rule; nobody decides on it", code="finding-computed")
    if judged.stage in ("upheld", "rejected"):
        return Rejected(f"this finding was {judged.stage} already", code="finding-decided", state=judged.stage)
    if judged.stage == "lapsed":
        return Rejected("the record shows this finding no more", code="finding-lapsed")
    return None


RIGHTS: Mapping[type[Command], Right[Any]] = {
    ProposeFinding: Right("propose-finding", ("auditor",), _above, _can_be_proposed),
    StateView: Right("state-view", ("chief", "approver"), _own, _can_be_stated),
    ConfirmFinding: Right("confirm-finding", ("auditor",), _above, _can_be_decided),
    RejectFinding: Right("reject-finding", ("auditor",), _above, _can_be_decided),
}
