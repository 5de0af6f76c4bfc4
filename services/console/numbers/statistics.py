"""Numbers on pages: statistics with charts, the month of a duty desk, the table of a year, and analyses."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import Answer, Refused, part_of_path, parts
from services.console.numbers.charts import chart, figures, title_of, written
from services.console.page import Reader, reader, render
from services.console.record.axes import Axes, axes
from services.console.site import Signed, Site, titles
from services.console.verbs import Asked
from services.console.words import N_

PATH = "/audit/v1/statistics"
BY = {
    "unit": N_("单位"),
    "month": N_("月份"),
    "level": N_("等级"),
    "category": N_("类别"),
    "subcategory": N_("细类"),
    "pack": N_("制度"),
}
"""By what numbers are told apart."""
CHARTS = ("opened", "in_time", "first_answer_p50", "signed_in_time", "helped")
"""The figures with a chart of their own. All stand in the table."""
ACROSS = 14
"""So many groups fit into the table of all figures; for more of them, it shows the whole alone."""
SOON, STEP = 3.0, 0.1
"""So many seconds a page waits for the record to hold what was just done, and how often it asks."""
CIRCULATES = ("chief", "auditor")
FIELDS = ("unit", "by", "from", "to", "category", "pack")
"""What the address of the page passes on."""


def router(site: Site) -> APIRouter:
    """The pages of numbers."""
    pages = APIRouter()

    @pages.get("/statistics")
    async def statistics(request: Request, me: Signed) -> Response:
        """The numbers of a unit and those below it, with charts."""
        look, at = await reader(request), await _axes(request)
        asked = _asked(request, FIELDS, at)
        answer = await me.calls.get(PATH, **asked)
        name_of = await _names(site, me, answer["by"], look)
        known = figures(answer)
        columns = _columns(answer["rows"], name_of, look)
        columns = columns if len(columns) <= ACROSS else []
        above = {row["group"] for row in answer["rows"] if row["own"]}
        with_below = _with_below(name_of, above, look)
        return await render(
            request,
            "statistics.html",
            answer=answer,
            units=_units(me),
            ways=BY,
            charts=[
                chart(known[name], answer["rows"], with_below, look, is_time=answer["by"] == "month") for name in CHARTS
            ],
            columns=[name for name, _ in columns],
            table=[
                (
                    title_of(figure, look),
                    title_of(figure, look, "formula"),
                    [
                        written(cells[name], figure["kind"], look)
                        for cells in (*(one for _, one in columns), answer["whole"])
                    ],
                )
                for name, figure in known.items()
            ],
            file=f"statistics/file?{urlencode(asked)}",
            axes=at,
        )

    @pages.get("/statistics/file")
    async def file(request: Request, me: Signed) -> Response:
        """The same as a table for office programs."""
        asked = _asked(request, FIELDS, await _axes(request))
        found = await me.calls.fetch(f"{PATH}/export?{urlencode(asked)}")
        if found.status_code >= 400:
            await me.calls.get(PATH, **asked)
        kept = {name: found.headers[name] for name in ("content-disposition", "content-type") if name in found.headers}
        return Response(found.content, found.status_code, headers=kept)

    @pages.get("/statistics/duty-desk")
    async def duty_desk(request: Request, me: Signed) -> Response:
        """A month of a duty desk, by post."""
        look, at = await reader(request), await _axes(request)
        answer = await me.calls.get(f"{PATH}/duty-desk", **_asked(request, ("unit", "month"), at))
        known = figures(answer)
        of_posts = [name for name in known if any(name in row["cells"] for row in answer["rows"])]
        return await render(
            request,
            "duty_desk.html",
            answer=answer,
            axes=at,
            units=_units(me),
            posts=[
                (me.offices.post(row["post"]), [written(row["cells"][name], "count", look) for name in of_posts])
                for row in answer["rows"]
            ],
            columns=[title_of(known[name], look) for name in of_posts],
            desk=[_line(known[name], cell, look) for name, cell in answer["desk"].items()],
            matters=[_line(known[name], cell, look) for name, cell in answer["matters"].items()],
            formulas=[(title_of(known[name], look), title_of(known[name], look, "formula")) for name in of_posts],
        )

    @pages.get("/statistics/year")
    async def year(request: Request, me: Signed) -> Response:
        """The table of a year, and the tables that were circulated."""
        at = await _axes(request)
        answer = await me.calls.get(f"{PATH}/year", **_asked(request, ("unit", "year"), at))
        (told,) = await parts(me.calls.get(f"{PATH}/circulations"))
        return await _yearly(request, me, answer, (told.value or {}).get("items", ()), at)

    @pages.get("/statistics/circulations/{event}")
    async def circulation(request: Request, me: Signed, event: str, done: str = "") -> Response:
        """A table as it was circulated."""
        return await _yearly(request, me, await _circulation(me, part_of_path(event), SOON if done else 0), (), None)

    @pages.get("/statistics/circulate")
    async def circulating(request: Request, me: Signed) -> Response:
        """The form in which the table of a year is circulated."""
        return await verbs.form(request, me, await _circulated(request, me))

    @pages.post("/statistics/circulate")
    async def circulate(request: Request, me: Signed) -> Response:
        """Circulates it."""
        return await verbs.act(request, me, await _circulated(request, me))

    @pages.get("/statistics/analysis")
    async def analysis(request: Request, me: Signed) -> Response:
        """The analysis of a period or a subject, by chapters."""
        look, at = await reader(request), await _axes(request)
        asked = _asked(request, ("unit", "from", "to", "category"), at)
        answer = await me.calls.get(f"{PATH}/analysis", **asked)
        categories, units = await _names(site, me, "category", look), await _names(site, me, "unit", look)
        channels = await _channels(me, look)
        names = {"channels": channels, "terms": categories, "topics": categories, "focus": categories, "place": units}
        chapters = [_chapter(one, names.get(one["name"], str), look, me) for one in answer["chapters"]]
        subject = answer["category"] and categories(answer["category"])
        span = {"first_month": answer["first_month"], "last_month": answer["last_month"]}
        form = urlencode({"unit": answer["unit"], **span, "category": answer["category"] or ""})
        return await render(
            request,
            "analysis.html",
            answer=answer,
            units=_units(me),
            categories=await _choices(me, look),
            chapters=chapters,
            subject=subject,
            comments=f"statistics/comment?{form}" if set(CIRCULATES) & set(me.roles) else "",
            axes=at,
        )

    @pages.get("/statistics/comment")
    async def commenting(request: Request, me: Signed) -> Response:
        """The form of a comment."""
        return await verbs.form(request, me, await _commented(request, me))

    @pages.post("/statistics/comment")
    async def comment(request: Request, me: Signed) -> Response:
        """Writes it."""
        return await verbs.act(request, me, await _commented(request, me))

    async def _yearly(
        request: Request, me: Staff, answer: Mapping[str, Any], told: Sequence[Any], at: Axes | None
    ) -> Response:
        look = await reader(request)
        known, rows = figures(answer), answer["rows"]
        (columns, table), with_below = _year_table(me, answer, look), _with_those_below(me, answer, look)
        is_over = answer["year"] < look.now.astimezone(ZoneInfo(answer["zone"])).year
        return await render(
            request,
            "year.html",
            answer=answer,
            axes=at,
            units=_units(me),
            columns=columns,
            names=[me.offices.unit(row["unit"]) for row in rows],
            table=table,
            found=[", ".join(f"{look.title(kind)} {count}" for kind, count in row["findings"].items()) for row in rows],
            charts=[chart(known[name], rows, with_below, look, key="unit") for name in ("opened", "in_time", "helped")],
            told=told,
            circulates=bool(set(CIRCULATES) & set(me.roles)) and answer["circulated"] is None and is_over,
        )

    async def _circulated(request: Request, me: Staff) -> Asked:
        """Of the table on whose page it was chosen, which the form shows; without one, the form asks which."""
        if not set(CIRCULATES) & set(me.roles):
            raise Refused(Answer(403, {}))
        form = Asked(
            verbs.operation(site, "audit", "statistics/circulations"),
            "circulate-statistics",
            "statistics/year",
            choices={"unit": _units(me)},
            present={"unit": me.unit},
            onward="statistics/circulations/{event}",
            template="year_circulate.html",
        )
        given = {name: value for name in ("unit", "year") if (value := request.query_params.get(name, ""))}
        if len(given) < 2:
            return form
        look, answer = await reader(request), await me.calls.get(f"{PATH}/year", **given)
        columns, table = _year_table(me, answer, look)
        is_empty = all(cell["state"] == "empty" for row in answer["rows"] for cell in row["cells"].values())
        return replace(
            form,
            back=f"statistics/year?{urlencode(given)}",
            without=("unit", "year"),
            fixed={"unit": answer["unit"], "year": answer["year"]},
            named=f"{me.offices.unit(answer['unit'])} {answer['year']}",
            beside={"columns": columns, "table": table, "is_empty": is_empty},
        )

    async def _commented(request: Request, me: Staff) -> Asked:
        if not set(CIRCULATES) & set(me.roles):
            raise Refused(Answer(403, {}))
        names = ("unit", "first_month", "last_month", "category")
        given = {name: request.query_params[name] for name in names if request.query_params.get(name)}
        back = {"unit": given.get("unit", ""), "from": given.get("first_month", ""), "to": given.get("last_month", "")}
        return Asked(
            verbs.operation(site, "audit", "statistics/analysis/comments"),
            "comment-analysis",
            f"statistics/analysis?{urlencode({**back, 'category': given.get('category', '')})}",
            without=names,
            fixed=given,
            named=me.offices.unit(given.get("unit", me.unit)),
        )

    return pages


async def _circulation(me: Staff, event: str, seconds: float) -> Any:
    """A table that was circulated. Right after that it is asked for again: the record takes a moment to hold it."""
    last = time.monotonic() + seconds
    while True:
        answer = await me.calls.send("GET", f"{PATH}/circulations/{event}")
        if answer.ok:
            return answer.body
        if time.monotonic() >= last:
            raise Refused(answer)
        await asyncio.sleep(STEP)


async def _axes(request: Request) -> Axes:
    """The axes of the page. Raises `Refused` for what is no time: numbers of now would pass for those of then."""
    if (at := axes(request, await reader(request))).faults:
        raise Refused(Answer(422, {"detail": at.faults[0]}))
    return at


def _asked(request: Request, names: Sequence[str], at: Axes) -> dict[str, str]:
    """What the address asks, without what is empty."""
    given = {name: request.query_params.get(name, "") for name in names} | dict(at.asked)
    return {name: value for name, value in given.items() if value}


def _units(me: Staff) -> list[tuple[str, str]]:
    """The unit of the post and those below it, with their names."""
    below = me.offices.below(me.unit)
    return [one for one in me.offices.names(drill=me.is_drill) if one[0] in below]


async def _choices(me: Staff, look: Reader) -> list[tuple[str, str]]:
    (lists,) = await parts(me.calls.get("/triage/v1/lists"))
    return [(one["code"], title_of(one, look)) for one in (lists.value or {}).get("categories", ())]


async def _channels(me: Staff, look: Reader) -> Callable[[str], str]:
    (lists,) = await parts(me.calls.get("/triage/v1/lists"))
    known = {one["code"]: title_of(one, look) for one in (lists.value or {}).get("channels", ())}
    return lambda code: known.get(code, code)


async def _names(site: Site, me: Staff, by: str, look: Reader) -> Callable[[str], str]:
    """The names of groups for people."""
    without = look.gettext(N_("未填"))
    if by == "unit":
        return me.offices.unit
    known: dict[str, str] = {}
    if by in ("category", "subcategory"):
        known = dict(await _choices(me, look))
    elif by == "level":
        (packs,) = await parts(site.packs(me.language))
        known = titles(*(packs.value or ()))["levels"]
    return lambda code: known.get(code, code) or without


def _with_those_below(me: Staff, answer: Mapping[str, Any], look: Reader) -> Callable[[str], str]:
    units = {row["unit"] for row in answer["rows"]}
    return _with_below(me.offices.unit, {code for code in units if units & me.offices.below(code) - {code}}, look)


def _year_table(
    me: Staff, answer: Mapping[str, Any], look: Reader
) -> tuple[list[str], list[tuple[str, str, list[str]]]]:
    """The columns of the table of a year, and its lines."""
    rows, name_of = answer["rows"], _with_those_below(me, answer, look)
    table = [
        (
            title_of(figure, look),
            title_of(figure, look, "formula"),
            [written(row["cells"][name], figure["kind"], look) for row in rows],
        )
        for name, figure in figures(answer).items()
    ]
    return [name_of(row["unit"]) for row in rows], table


def _with_below(name_of: Callable[[str], str], above: Collection[str], look: Reader) -> Callable[[str], str]:
    """The names of groups, which say of a unit that those below it are counted with it."""
    told = look.gettext(N_("%(unit)s（含下级）"))
    return lambda code: told % {"unit": name_of(code)} if code in above else name_of(code)


def _columns(rows: Sequence[Any], name_of: Callable[[str], str], look: Reader) -> list[tuple[str, Mapping[str, Any]]]:
    """The name and the cells of each column. A unit with others below it has one with them, and one of its own."""
    named, own = (
        _with_below(name_of, {row["group"] for row in rows if row["own"]}, look),
        look.gettext(N_("%(unit)s本级")),
    )
    found = list[tuple[str, Mapping[str, Any]]]()
    for row in rows:
        found.append((named(row["group"]), row["cells"]))
        if row["own"]:
            found.append((own % {"unit": name_of(row["group"])}, row["own"]))
    return found


def _line(figure: Mapping[str, Any], cell: Mapping[str, Any], look: Reader) -> tuple[str, str, str]:
    return title_of(figure, look), title_of(figure, look, "formula"), written(cell, figure["kind"], look)


def _chapter(one: Mapping[str, Any], name_of: Callable[[str], str], look: Reader, me: Staff) -> dict[str, Any]:
    """A chapter for the page. The overview has no groups."""
    is_time, known = one["name"] in ("volume", "trend"), figures(one)
    charts = [chart(figure, one["rows"], name_of, look, is_time=is_time) for figure in one["figures"]]
    lines = [_line(known[name], cell, look) for name, cell in one["whole"].items()] if one["name"] == "overview" else []
    return {
        "name": one["name"],
        "title": title_of(one, look),
        "said": title_of(one, look, "said"),
        "lines": lines,
        "charts": [] if lines else charts,
        "peak": [name_of(group) for group in one["peak"]],
        "before": [
            (name_of(row["group"]), written(one["before"][row["group"]], "count", look))
            for row in one["rows"]
            if row["group"] in one["before"]
        ],
        "comments": [{**told, "post": me.offices.post(told["by"])} for told in one["comments"]],
    }
