"""The rights over inspections: a unit above inspects, and the office answers for its remedies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.audit.inspections.commands import (
    AcceptRemedy,
    EndInspection,
    MakeRemark,
    OpenInspection,
    ReportRemedy,
    ReturnRemedy,
    WithdrawRemark,
)
from services.kernel.access.rights import Read, Right
from services.kernel.core.commands import Command
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Rejected

READ_INSPECTION = Read("read-inspection")
"""Inspections of units of the reader."""
INSPECTORS = ("chief", "auditor")


@dataclass(frozen=True, slots=True)
class Inspected:
    """An inspection on which somebody acts."""

    unit: str
    """The office."""
    by_unit: str | None = None
    """The unit that inspects; None for one that is to be opened."""
    ended: bool = False
    open_remarks: int = 0
    """Remarks that are neither remedied nor withdrawn."""
    waiting: int = 0
    """Remarks whose remedy is due."""
    reported: int = 0
    """Remarks whose remedy was reported and is to be judged."""


def _office(inspected: Inspected, ctx: Ctx) -> tuple[str, ...]:
    return (inspected.unit,)


def _inspecting(inspected: Inspected, ctx: Ctx) -> tuple[str, ...]:
    return (inspected.by_unit or ctx.offices.parent(inspected.unit) or inspected.unit,)


def _is_open(inspected: Inspected, ctx: Ctx, verb: str) -> Rejected | None:
    if inspected.ended:
        return Rejected("this inspection has ended", code="inspection-ended")
    if verb == "report-remedy" and not inspected.waiting:
        return Rejected("no remedy is due now", code="nothing-to-remedy")
    if verb in ("accept-remedy", "return-remedy") and not inspected.reported:
        return Rejected("the office has reported no remedy that is to be judged", code="no-remedy-reported")
    if verb == "withdraw-remark" and not inspected.open_remarks:
        return Rejected("every remark was remedied or withdrawn already", code="no-open-remark")
    if verb == "end-inspection" and inspected.open_remarks:
        return Rejected(
            f"{inspected.open_remarks} remarks are not remedied yet; accept their remedies, or withdraw them",
            code="remarks-open",
            count=inspected.open_remarks,
        )
    return None


RIGHTS: Mapping[type[Command], Right[Any]] = {
    OpenInspection: Right("open-inspection", INSPECTORS, _inspecting),
    MakeRemark: Right("make-remark", INSPECTORS, _inspecting, _is_open),
    ReportRemedy: Right("report-remedy", ("chief", "approver"), _office, _is_open),
    AcceptRemedy: Right("accept-remedy", INSPECTORS, _inspecting, _is_open),
    ReturnRemedy: Right("return-remedy", INSPECTORS, _inspecting, _is_open),
    WithdrawRemark: Right("withdraw-remark", INSPECTORS, _inspecting, _is_open),
    EndInspection: Right("end-inspection", INSPECTORS, _inspecting, _is_open),
}
