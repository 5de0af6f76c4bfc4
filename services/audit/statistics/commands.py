"""The requests by which a post circulates a table, or writes its comment."""

from typing import Annotated

from pydantic import Field, StringConstraints

from schemas.fields import Code, Month, UnitCode
from services.kernel.core.commands import Command, example

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]


class CirculateTable(
    Command,
    json_schema_extra=example(
        unit="county", year=2026, praise="城东镇按时答复，予以表扬。", shortcomings="各单位应减少退回。"
    ),
):
    """Circulate the table of a year to the units in it, for the yearly assessment, with praise and shortcomings."""

    unit: UnitCode
    """The unit whose table it is, with those below it."""
    year: Annotated[int, Field(strict=True, ge=2000, le=2999)]
    """The year."""
    praise: Text | None = None
    """What is praised: offices, never persons."""
    shortcomings: Text | None = None
    """What is criticised: offices, never persons."""


class WriteComment(
    Command,
    json_schema_extra=example(
        unit="county", first_month="2026-01", last_month="2026-03", text="一季度道路类事项集中在三月。"
    ),
):
    """Write the comment of an analysis: about matters and offices, not about people who spoke."""

    unit: UnitCode
    """The unit, with those below it."""
    first_month: Month
    """The first month."""
    last_month: Month
    """The last month."""
    category: Code | None = None
    """The category, if the analysis is on one."""
    text: Text
    """The comment."""
