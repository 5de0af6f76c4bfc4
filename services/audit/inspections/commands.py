"""Commands on inspections."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.fields import Day, IncidentRef, StreamId, UnitCode, WrittenInstant
from services.kernel.core.commands import Command, example

Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]
Remark = Annotated[int, Field(ge=1, le=1000)]


class OpenInspection(
    Command,
    json_schema_extra=example(unit="town-east", since="2026-01-01", until="2026-03-31", scope="一季度来件办理与答复"),
):
    """Begin to look into the work of an office."""

    unit: UnitCode
    """The office."""
    since: Day
    """The first day that is looked into."""
    until: Day
    """The last one."""
    scope: Said
    """What is looked into."""
    superior: Said | None = None
    """Who inspects, where the office is the root and a superior outside of the deployment looks into its work."""


class MakeRemark(
    Command,
    json_schema_extra=example(text="三件来件超过时限才答复", remedy="补充答复", due="2026-05-01T10:00:00Z"),
):
    """Say what was found, and what is to be done about it by when."""

    text: Said
    """What was found."""
    remedy: Said
    """What the office is to do."""
    due: WrittenInstant
    """By when, later than now."""
    incident: IncidentRef | None = None
    """The matter in which it was found."""
    finding: StreamId | None = None
    """The finding on which it rests."""


class ReportRemedy(Command, json_schema_extra=example(remark=1, text="已补充答复三件，修订交接表")):
    """Say what the office did about a remark."""

    remark: Remark
    """The remark's number."""
    text: Said
    """What was done."""


class AcceptRemedy(Command, json_schema_extra=example(remark=1)):
    """Hold that a remark is remedied."""

    remark: Remark
    """The remark's number."""


class ReturnRemedy(Command, json_schema_extra=example(remark=1, reason="一件尚未答复", due="2026-05-20T10:00:00Z")):
    """Hold that a remark is not remedied yet."""

    remark: Remark
    """The remark's number."""
    reason: Said
    """What is missing."""
    due: WrittenInstant
    """By when it is due now, later than now."""


class WithdrawRemark(Command, json_schema_extra=example(remark=1, reason="该件不属东镇办理")):
    """Take a remark back."""

    remark: Remark
    """The remark's number."""
    reason: Said
    """Why it does not hold."""


class EndInspection(Command, json_schema_extra=example(conclusion="问题已整改")):
    """End the inspection, when every remark was remedied or withdrawn."""

    conclusion: Said
    """What the inspection came to."""


OfRemark = ReportRemedy | AcceptRemedy | ReturnRemedy | WithdrawRemark
Dated = MakeRemark | ReturnRemedy
