"""Statistics over HTTP. Each answer states its basis, each figure its formula; small numbers are left out."""

import functools
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from schemas.fields import Code
from schemas.titles import Language
from services.audit.basis import Basis, OnAxes, stated
from services.audit.matters import table
from services.audit.matters.listing import must_stand
from services.audit.naming import names_of, offices_at
from services.audit.statistics import tables
from services.audit.statistics.answers import Statistics
from services.audit.statistics.asking import (
    From,
    OfCategory,
    OfUnit,
    To,
    months_of,
    period,
    unit_of,
)
from services.audit.statistics.counting import By
from services.audit.statistics.figures import FIGURES, described
from services.audit.summaries import Names
from services.kernel.core.decider import Actor
from services.kernel.core.suppression import SMALL
from services.kernel.delivery.runtime import Runtime
from services.kernel.serving import documents, http, sheets
from services.kernel.serving.paging import must_be_known
from services.kernel.serving.problems import language_of, spoken


@dataclass(frozen=True, slots=True)
class Asked:
    """The question, as it came."""

    basis: Basis
    unit: str | None
    first: str | None
    last: str | None
    by: By
    level: str | None
    category: str | None
    pack: str | None


async def _asked(
    basis: OnAxes,
    unit: OfUnit = None,
    by: Annotated[By, Query(description="By what the numbers are told apart.")] = "unit",
    from_: From = None,
    to: To = None,
    level: Annotated[Code | None, Query(description="Only matters of this level.")] = None,
    category: OfCategory = None,
    pack: Annotated[
        Code | None, Query(description="Only matters under this pack and version, such as `county-default@2`.")
    ] = None,
) -> Asked:
    return Asked(basis, unit, from_, to, by, level, category, pack)


Lang = Annotated[Language | None, Query(description="The language of words. By default that of `Accept-Language`.")]
Question = Annotated[Asked, Depends(_asked)]


@functools.cache
def router() -> APIRouter:
    """The paths of statistics."""
    routes = http.router("/audit/v1", "audit")

    @routes.get("/statistics", **documents.answers(Statistics))
    async def read_statistics(runtime: http.Serving, staff: http.Staff, asked: Question) -> Response:
        """The numbers of a unit and those below it: how many, how fast, how much in time. Nothing is ranked.

        A matter belongs to the month of its opening, in the unit's zone. What arrives late changes no answer for an
        earlier `known_at`. Exercises are not counted.
        """
        return http.json_response(await _answer(runtime, staff, asked))

    sheet = {sheets.KIND: documents.text("unit,by,group,figure,…")}

    @routes.get("/statistics/export", **documents.answers_content("The table, whole.", sheet))
    async def export_statistics(
        runtime: http.Serving, request: Request, staff: http.Staff, asked: Question, lang: Lang = None
    ) -> Response:
        """The same as a file: a line for each figure of each group, with its formula and the basis.

        A unit with others below it has two lines for a figure: with these, and alone (`own` is true).
        The words of groups are in `lang`, or the best language of `Accept-Language`. Beside UTC stands the time of the
        unit with its zone.
        """
        language, answer = language_of(request), await _answer(runtime, staff, asked)
        async with runtime.database.read() as connection:
            names = await names_of(runtime, connection, answer["log_size"], language)
        named = f"statistics-{answer['unit']}-{answer['first_month']}-{answer['last_month']}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{named}"'}
        return Response(_sheet(answer, names), media_type=sheets.KIND, headers=headers | spoken(language))

    return routes


async def _answer(runtime: Runtime, staff: Actor, asked: Asked) -> dict[str, Any]:
    async with runtime.database.read() as connection:
        ctx = await runtime.context(connection, staff)
        unit = unit_of(ctx, asked.unit)
        await must_stand(connection, ctx.offices, asked.level, asked.category)
        must_be_known("pack", asked.pack, {pack.name for pack in ctx.offices.packs.values()})
        axes = await asked.basis.axes(connection)
        offices = await offices_at(connection, axes, ctx.offices)
        months = months_of(ctx.now, offices.zone_of(unit), asked.basis, asked.first, asked.last)
        wanted = tables.wanted(offices, unit, months, asked.by, asked.level, asked.category, asked.pack)
        found = await tables.counted(connection, wanted, axes)
        basis = await stated(connection, axes)
    made = tables.table(found, wanted, offices)
    return {
        **basis,
        **period(months, offices.zone_of(unit), unit),
        "by": asked.by,
        "level": asked.level,
        "category": asked.category,
        "pack": asked.pack,
        "smallest": SMALL,
        "figures": [described(figure) for figure in FIGURES],
        "rows": tables.rows(made),
        "whole": tables.cells(made.whole),
        "without_reports": tables.without_reports(found, wanted, offices),
    }


COLUMNS = ("unit", "first_month", "last_month", "zone", "by")
BASIS = ("as_of", "known_at", "log_size", "complete_until", "root")


def _sheet(answer: dict[str, Any], names: Names) -> bytes:
    said = ("title", "title_en", "formula", "formula_en")
    basis, zone = {name: answer[name] for name in BASIS}, names.offices.zone_of(answer["unit"])
    columns = [
        *COLUMNS,
        "group",
        "group_title",
        "own",
        "figure",
        "value",
        "of",
        "state",
        *said,
        *table.basis_names(basis),
    ]
    lines = [sheets.BOM, sheets.line(columns)]
    alone = "（本级）" if names.language == "zh" else " (alone)"
    rows = [*answer["rows"], {"group": "*", "cells": answer["whole"], "own": None}]
    for row, part in ((row, part) for row in rows for part in ("cells", "own") if row[part] is not None):
        title = _title(row["group"], answer, names) + (alone if part == "own" else "")
        for figure in answer["figures"]:
            cell = row[part][figure["name"]]
            line = [answer[name] for name in COLUMNS]
            line += [row["group"], title, str(part == "own").lower()]
            line += [figure["name"], cell["value"], cell["of"], cell["state"]]
            lines.append(sheets.line([*line, *(figure[name] for name in said), *table.basis_cells(basis, zone)]))
    return "".join(lines).encode()


def _title(group: str, answer: dict[str, Any], names: Names) -> str:
    """The word of a group."""
    if group == "*":
        return "全部" if names.language == "zh" else "all"
    if not group:
        return "未填" if names.language == "zh" else "not filled in"
    of = table.Of(answer["unit"], None, answer["complete_until"] or "")
    match answer["by"]:
        case "unit":
            return names.unit(group, of) or group
        case "level":
            return names.level(group, of) or group
        case "category" | "subcategory":
            return names.listed(group, of) or group
        case "pack":
            packs = {pack.name: pack.model.title for pack in names.offices.packs.values()}
            return packs.get(group, group) if names.language == "zh" else group
    return group
