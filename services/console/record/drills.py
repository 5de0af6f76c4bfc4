"""Drills: what was rehearsed, each mark with its events, and how the years compare."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import parts
from services.console.labels import CRITERIA, DRILL_STATES, OUTCOMES
from services.console.page import reader, render
from services.console.record.fresh import fresh
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked
from services.console.words import N_, translations
from services.console.worklist.desk import address, filters, nothing

PATH, ROWS, ALL = "/audit/v1/drills", 50, 500
FILTERS = {"unit": N_("单位"), "scenario": N_("情景"), "state": N_("状态")}
"""What narrows the list: parameter of the address -> its title."""
LED = ("note-inject",)
"""Verbs of the command that leads a drill. A person has no use for them."""


def router(site: Site) -> APIRouter:
    """The pages of drills."""
    pages = APIRouter()

    @pages.get("/record/drills")
    async def listed(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """Drills of the office and those below it with their scores, in the order in which they began."""
        text, units = translations(me.language).gettext, me.offices.below(me.unit)
        known = (await me.calls.get(PATH, limit=ALL))["items"]
        titles = {one["scenario"]: _title(one, me) for one in known}
        choices = {
            "unit": [one for one in me.offices.names() if one[0] in units],
            "scenario": sorted(titles.items()),
            "state": [(code, text(title)) for code, (_, _, title) in DRILL_STATES.items()],
        }
        ways = filters(request, me, "record/drills", FILTERS, choices)
        given, is_unknown = {one.name: one.value for one in ways}, any(one.is_unknown for one in ways)
        (found,) = await parts(nothing() if is_unknown else me.calls.get(PATH, limit=ROWS, cursor=cursor, **given))
        return await render(
            request,
            "drills.html",
            found=found,
            filters=ways,
            is_unknown=is_unknown,
            stages=DRILL_STATES,
            outcomes=OUTCOMES,
            titles=titles,
            next_at=address("record/drills", **given, cursor=(found.value or {}).get("next")),
        )

    @pages.get("/record/drills/{id}")
    async def show(request: Request, me: Signed, id: Id, done: str = "") -> Response:
        """One drill: its plan, its injects, and what became of all that was expected."""
        one = await fresh(me, f"{PATH}/{id}", _is_shown, waits=bool(done))
        text, is_chinese = translations(me.language).gettext, me.language == "zh"
        own = {each["criterion"]: each["title" if is_chinese else "title_en"] for each in one["criteria"]}
        titles = own | {code: text(title) for code, title in CRITERIA.items()}
        marks: dict[str, list[Mapping[str, Any]]] = {code: [] for code in titles}
        for mark in one["marks"]:
            marks[mark["criterion"]].append(mark)
        return await render(
            request,
            "drill.html",
            one=one,
            done=done,
            is_chinese=is_chinese,
            is_waiting=not _is_shown(one),
            stages=DRILL_STATES,
            outcomes=OUTCOMES,
            titles=titles,
            marks=marks,
            may=[verb for verb in one["may"] if verb not in LED],
        )

    @pages.get("/record/drills/{id}/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """The form of a verb."""
        return await verbs.form(request, me, await _asked(request, me, id, verb))

    @pages.post("/record/drills/{id}/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(request, me, id, verb))

    async def _asked(request: Request, me: Staff, id: str, verb: str) -> Asked:
        operation = verbs.operation(site, "audit", f"drills/{{id}}/{verb}")
        one, look = await me.calls.get(f"{PATH}/{id}"), await reader(request)
        return Asked(
            operation,
            verb,
            f"record/drills/{one['id']}",
            ids={"id": one["id"]},
            version=str(one["revision"]),
            named=look.gettext(N_("演练：%(title)s")) % {"title": _title(one, me)},
        )

    return pages


def _title(one: Mapping[str, Any], me: Staff) -> str:
    return str(one["title" if me.language == "zh" else "title_en"])


def _is_shown(one: Mapping[str, Any]) -> bool:
    """Whether the answer shows every decision, but for a second score. The record takes a moment."""
    sent = sum(inject["sent_at"] is not None for inject in one["injects"])
    shown = 1 + sent + (one["ended_at"] is not None) + (one["totals"] is not None)
    return one["totals"] is not None or shown >= int(one["revision"])
