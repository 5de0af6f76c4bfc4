"""A month of a duty desk over HTTP."""

import functools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from schemas.fields import Month
from services.audit.basis import OnAxes, stated
from services.audit.naming import offices_at
from services.audit.statistics import counting, desk_month, periods, tables
from services.audit.statistics.asking import OfUnit, present, unit_of
from services.audit.statistics.desk_answers import DeskMonth
from services.audit.statistics.desk_month import OF_DESK, OF_DUTY, OF_MATTERS
from services.audit.statistics.figures import NAMES, Text, by_group, described, own_of
from services.audit.statistics.periods import month_of
from services.kernel.core.suppression import SMALL
from services.kernel.serving import documents, http

HANDLING = tuple(NAMES[name] for name in ("opened", "in_time", "signed_in_time", "first_answer_p50", "lag_p50"))
"""What the view says of handling."""
OfMonth = Annotated[Month | None, Query(description="The month. By default the present one.")]


@functools.cache
def router() -> APIRouter:
    """The path of the duty desk's month."""
    routes = http.router("/audit/v1", "audit")

    @routes.get("/statistics/duty-desk", **documents.answers(DeskMonth))
    async def read_duty_desk(
        runtime: http.Serving, staff: http.Staff, basis: OnAxes, unit: OfUnit = None, month: OfMonth = None
    ) -> Response:
        """A month of a unit's duty desk: duties, reports and receipts by post, gaps, and what was not passed on.

        `omitted` counts confirmed findings alone: a report reached an own channel and was not passed on. What nobody
        found outside is none.
        """
        async with runtime.database.read() as connection:
            ctx = await runtime.context(connection, staff)
            code = unit_of(ctx, unit)
            axes = await basis.axes(connection)
            offices = await offices_at(connection, axes, ctx.offices)
            zone = offices.zone_of(code)
            name = month or month_of(present(ctx.now, basis), zone)
            (span,) = periods.months(name, name, zone)
            posts = await desk_month.counted(connection, code, span, axes)
            omissions = await desk_month.omitted(connection, code, span, axes)
            asked = tables.wanted(offices, code, [span], units=[code])
            found = await counting.matters(connection, asked, axes)
            told = await stated(connection, axes)
        rows, desk = desk_month.table(posts, omissions)
        own = {unit_: tally for unit_, tally in own_of(found, 0).items() if unit_ == code}
        body = {
            "unit": code,
            "month": name,
            "zone": str(zone),
            "smallest": SMALL,
            "figures": [*_described(), *map(described, HANDLING)],
            "rows": [{"post": post, "cells": tables.cells(row)} for post, row in rows.items()],
            "desk": tables.cells(desk),
            "matters": tables.cells(by_group(own, [code], HANDLING).rows[code]),
        }
        return http.json_response({**told, **body})

    return routes


def _described() -> Iterator[dict[str, Any]]:
    several: tuple[Mapping[str, tuple[Text, Text]], ...] = (OF_DUTY, OF_MATTERS, OF_DESK)
    for name, (title, formula) in (pair for some in several for pair in some.items()):
        told = {"title": title.zh, "title_en": title.en, "formula": formula.zh, "formula_en": formula.en}
        yield {"name": name, "kind": "count", **told}
