"""The rights over trainings: leaders and administrators of the unit, or above, keep them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.audit.trainings.commands import RecordTraining, WithdrawTraining
from services.kernel.access.rights import Read, Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected

READ_TRAINING = Read("read-training")
"""Trainings of units of the reader."""
KEEPERS = ("chief", "admin")


@dataclass(frozen=True, slots=True)
class Trained:
    """A training on which somebody acts."""

    unit: str
    withdrawn: bool = False


def _unit(trained: Trained, ctx: Ctx) -> tuple[str, ...]:
    return (trained.unit,)


def _refusal(trained: Trained, ctx: Ctx, verb: str) -> Rejected | None:
    return Rejected("this entry was withdrawn already", code="training-withdrawn") if trained.withdrawn else None


RIGHTS: Mapping[type[Command], Right[Any]] = {
    RecordTraining: Right("record-training", KEEPERS, _unit),
    WithdrawTraining: Right("withdraw-training", KEEPERS, _unit, _refusal),
}
