"""The offices' accounts in public: figures of each unit and month with their formulas, as a page and as CSV.

Small numbers are left out, so that nobody works them out either. Exercises are not counted, and no person is.
"""

import csv
import functools
import io
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from services.kernel.core.problems import Malformed
from services.kernel.core.units import Offices
from services.kernel.serving import documents, http, sheets
from services.kernel.serving.documents import DescribedRoute
from services.publish.accounts.ledger import Figures, Ledger, Ledgers
from services.publish.bulletin.counted import CHARTS, DAYS, FIGURES, HIDDEN, HOURS, OTHER
from services.publish.bulletin.pages import DRAWN, PAGE, Lang, language
from services.publish.bulletin.shown import moment, month_title, zone_name
from services.publish.bulletin.site import Site, answer
from services.publish.bulletin.words import translations

SHEET = {"text/csv": documents.text("month,unit,…")}
TALL, WIDE, STEP = 120, 44, 52
"""Of a chart: the height of its highest bar, the width of a bar, and from bar to bar."""
Unit = Annotated[str | None, Query(max_length=64, description="The unit, with those below it. By default all.")]
Year = Annotated[str | None, Query(max_length=4, description="The year, such as `2026`. By default the last one.")]


@functools.cache
def router() -> APIRouter:
    """`/bulletin/accountability`, public."""
    api = http.router("", "accountability", DescribedRoute)

    @api.get("/bulletin/accountability", **DRAWN)
    async def show_accounts(
        runtime: http.Serving, request: Request, unit: Unit = None, year: Year = None, lang: Lang = None
    ) -> Response:
        """The figures of the months that are over, each with its formula, with charts."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            try:
                site = Site(runtime.settings, offices, language(lang))
            except Malformed:
                return Site(runtime.settings, offices).missing()
            ledger = await runtime.part(Ledgers).of(connection, offices, _year(year))
        chosen = unit or (offices.root if offices.units else "")
        if ledger is None or (unit is not None and unit not in ledger.of):
            return site.missing()
        return site.page(
            request,
            "accountability.html",
            "accountability",
            **_values(site, offices, ledger, chosen),
            zone=zone_name(offices.zone, site.language),
            narrowed={"unit": unit, "year": year},
        )

    @api.get(
        "/bulletin/accountability.csv", **documents.or_missing(documents.answers_content("The table.", SHEET), PAGE)
    )
    async def read_accounts(runtime: http.Serving, request: Request, year: Year = None, lang: Lang = None) -> Response:
        """The figures of all units in a year, one a line. What is not shown is an empty value."""
        async with runtime.database.read() as connection:
            offices = await runtime.offices(connection)
            site = Site(runtime.settings, offices, language(lang))
            ledger = await runtime.part(Ledgers).of(connection, offices, _year(year))
        if ledger is None:
            return site.missing()
        response = answer(request, _sheet(site, offices, ledger), sheets.KIND, site.language)
        response.headers["Content-Disposition"] = f'attachment; filename="accountability-{ledger.year}.csv"'
        return response

    return api


def _year(typed: str | None) -> int | None:
    return int(typed) if typed and typed.isascii() and typed.isdigit() else None if typed is None else -1


def _number(figures: Figures, name: str) -> float | None:
    if name in ("share", "median"):
        return figures.share if name == "share" else figures.median
    return figures.counts[name]


def _written(site: Site, name: str, number: float | None) -> str:
    """A number for readers."""
    gettext = translations(site.language).gettext
    if number is None:
        return str(gettext(HIDDEN))
    if name == "share":
        return f"{number:.0%}"
    if name == "median":
        days = number >= 172_800
        return str(gettext(DAYS if days else HOURS)) % {"count": f"{number / (86_400 if days else 3600):.1f}"}
    return str(number)


def _values(site: Site, offices: Offices, ledger: Ledger, unit: str) -> dict[str, Any]:
    gettext = translations(site.language).gettext
    rows: Sequence[Figures] = ledger.of.get(unit, ())
    months = [month_title(month.name, site.language) for month in ledger.months]
    figures = [
        {
            "name": name,
            "title": gettext(title),
            "formula": gettext(formula),
            "cells": [_written(site, name, _number(row, name)) for row in rows],
            "bars": _bars(site, name, rows) if name in CHARTS else [],
        }
        for name, (title, formula) in FIGURES.items()
    ]
    whole = offices.units and unit == offices.root
    return {
        "unit": unit,
        "unit_name": offices.ever[unit].name if unit in offices.ever else site.name,
        "units": [(code, offices.ever[code].name) for code in ledger.of],
        "root": offices.root if offices.units else "",
        "year": ledger.year,
        "years": [str(year) for year in ledger.years],
        "months": months,
        "short": [str(int(month.name[5:])) for month in ledger.months],
        "figures": figures,
        "categories": [
            (_category(site, offices, code), [_written(site, "category", number) for number in numbers])
            for code, numbers in (ledger.categories.items() if whole else ())
        ],
        "until": moment(ledger.until, offices.zone, site.language),
        "wide": STEP * max(len(months), 1),
        "tall": TALL,
    }


def _category(site: Site, offices: Offices, code: str) -> str:
    if known := offices.lists.categories.get(code):
        return known.title_en if site.language == "en" else known.title
    return code or str(translations(site.language).gettext(OTHER))


def _bars(site: Site, name: str, rows: Sequence[Figures]) -> list[dict[str, Any]]:
    """The bars of a chart. A number that is not shown has none."""
    numbers = [_number(row, name) for row in rows]
    most = 1.0 if name == "share" else max((number for number in numbers if number), default=1)
    bars = []
    for at, number in enumerate(numbers):
        high = round(TALL * (number or 0) / most)
        left = at * STEP + (STEP - WIDE) // 2
        place = {"left": left, "middle": left + WIDE // 2, "wide": WIDE, "high": high, "top": 20 + TALL - high}
        bars.append(place | {"hidden": number is None, "label": "" if number is None else _label(name, number)})
    return bars


def _label(name: str, number: float) -> str:
    if name == "share":
        return f"{number:.0%}"
    return f"{number / 3600:.0f}" if name == "median" else str(number)


def _sheet(site: Site, offices: Offices, ledger: Ledger) -> bytes:
    gettext = translations(site.language).gettext
    written = io.StringIO()
    sheet = csv.writer(written)
    until = ledger.until.isoformat().replace("+00:00", "Z")
    sheet.writerow(["month", "unit", "unit_name", "figure", "title", "category", "value", "formula", "computed_until"])

    def add(month: str, unit: str, name: str, number: float | None, category: str = "") -> None:
        title, formula = (gettext(text) for text in FIGURES[name])
        value = "" if number is None else f"{number:.4f}" if name == "share" else str(round(number))
        line = [month, unit, offices.ever[unit].name, name, title, category, value, formula, until]
        sheet.writerow([sheets.plain(cell) for cell in line])

    for unit, rows in ledger.of.items():
        for row in rows:
            for name in FIGURES:
                add(row.month.name, unit, name, _number(row, name))
    for code, numbers in ledger.categories.items():
        for month, number in zip(ledger.months, numbers, strict=True):
            add(month.name, offices.root, "opened", number, _category(site, offices, code))
    return (sheets.BOM + written.getvalue()).encode()
