"""Commands on findings. What the loop sends has no row of rights; people send the others."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.fields import IncidentRef, UnitCode, Uuid
from schemas.findings import Behind, FindingKind, FindingMade, Lapse
from services.kernel.core.commands import Command, example

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]


class RaiseFinding(Command):
    """The record shows a finding."""

    made: FindingMade
    policy: str | None = None


class LapseFinding(Command):
    """The record shows it no more."""

    cause: Lapse
    event: Behind | None = None


class EndHearing(Command):
    """The limit of the hearing may have passed. `until` is up to when everything is known."""

    until: datetime


class ProposeFinding(
    Command,
    json_schema_extra=example(
        incident="incident-01890a5d-ac96-774b-bcce-b302099a8057",
        unit="town-east",
        finding="concealed_report",
        events=["01890a5d-b2a1-7cc0-9d2e-4f6a8b0c1d2e"],
        reason="首报时间与村委会记录不符",
    ),
):
    """Propose a finding by hand, with the events behind it. The unit is then heard."""

    incident: IncidentRef
    """The matter."""
    unit: UnitCode
    """The unit against which it is."""
    finding: FindingKind
    """What the record shows."""
    events: Annotated[tuple[Uuid, ...], Field(min_length=1, max_length=50)]
    """The events behind it, of the matter's record."""
    reason: Reason
    """Why this is so."""


class StateView(Command, json_schema_extra=example(text="当日通信中断，已电话报告县值班室。")):
    """Say what the unit has to say on a finding, before anybody decides."""

    text: Reason
    """What the unit says."""


class ConfirmFinding(Command, json_schema_extra=example(reason="值班记录与上报时间相互印证。")):
    """Find that the proposal holds. At the root, two persons do."""

    reason: Reason
    """Why it holds."""


class RejectFinding(Command, json_schema_extra=example(reason="通信中断属实，已有电话记录。")):
    """Find that the proposal does not hold. At the root, two persons do."""

    reason: Reason
    """Why it does not hold."""


OfAuditor = ConfirmFinding | RejectFinding
