"""What the paths of statistics share: the unit and the period of a question, and the basis of its answer."""

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import Annotated, Any

from fastapi import Query

from schemas.fields import Code, Month, UnitCode
from services.audit.basis import Basis
from services.audit.rights import READ_STATISTICS
from services.audit.statistics import periods
from services.audit.statistics.periods import MOST, length, month_of
from services.kernel.core.decider import Ctx
from services.kernel.core.problems import Malformed
from services.kernel.serving.paging import must_be_known

OfUnit = Annotated[UnitCode | None, Query(description="The unit, with those below it. By default the caller's own.")]
From = Annotated[
    Month | None, Query(alias="from", description="The first month. By default January of the last month's year.")
]
To = Annotated[Month | None, Query(description="The last month. By default the present one.")]
OfCategory = Annotated[Code | None, Query(description="Only matters of this category, or one below it.")]


def unit_of(ctx: Ctx, unit: str | None) -> str:
    """The unit that is asked about.

    Raises `Malformed` for an unknown one, and `Forbidden` for one of which the caller does not read.
    """
    found = unit or ctx.actor.unit or ""
    must_be_known("unit", found, ctx.offices.ever)
    READ_STATISTICS.require(found, ctx)
    return found


def present(now: datetime, basis: Basis) -> datetime:
    """The instant of a question: now, or the earlier of its axes."""
    return min(now, basis.as_of or now, basis.known_at or now)


def months_of(
    now: datetime, zone: tzinfo, basis: Basis, first: str | None, last: str | None
) -> Sequence[periods.Month]:
    """The months of a period in the unit's zone. Raises `Malformed` if it is none, or too long."""
    last = last or max(month_of(present(now, basis), zone), first or "")
    first = first or f"{last[:4]}-01"
    number = length(first, last)
    if number < 1:
        raise Malformed(
            f"to: {last} is before {first}, where the time begins; exchange them",
            code="ends-before-it-begins",
            field="to",
            begins=first,
            ends=last,
        )
    if number > MOST:
        raise Malformed(
            f"from: {first} to {last} are {number} months; ask for at most {MOST}",
            code="period-too-long",
            field="from",
            months=number,
            most=MOST,
        )
    return periods.months(first, last, zone)


def period(months: Sequence[periods.Month], zone: tzinfo, unit: str) -> dict[str, Any]:
    """What each answer says of its unit and period."""
    return {
        "unit": unit,
        "first_month": months[0].name,
        "last_month": months[-1].name,
        "zone": str(zone),
    }
