"""The rights over drills: leaders and administrators of the unit that leads it, or above."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.audit.drills.commands import BeginDrill, EndDrill, JudgeDrill, NoteInject
from services.kernel.access.rights import Read, Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected

READ_DRILL = Read("read-drill")
"""Drills of units of the reader."""
LEADERS = ("chief", "admin")


@dataclass(frozen=True, slots=True)
class Drilled:
    """A drill on which somebody acts."""

    unit: str
    """The unit that leads it."""
    ended: bool = False


def _leading(drilled: Drilled, ctx: Ctx) -> tuple[str, ...]:
    return (drilled.unit,)


def _refusal(drilled: Drilled, ctx: Ctx, verb: str) -> Rejected | None:
    if verb == "judge-drill" and not drilled.ended:
        return Rejected("the drill goes on; end it before it is scored", code="drill-goes-on")
    if verb in ("note-inject", "end-drill") and drilled.ended:
        return Rejected("this drill has ended", code="drill-ended")
    return None


RIGHTS: Mapping[type[Command], Right[Any]] = {
    BeginDrill: Right("begin-drill", LEADERS, _leading),
    NoteInject: Right("note-inject", LEADERS, _leading, _refusal),
    EndDrill: Right("end-drill", LEADERS, _leading, _refusal),
    JudgeDrill: Right("judge-drill", LEADERS, _leading, _refusal),
}
