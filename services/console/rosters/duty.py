"""Duty: the week of a roster, the printed duty sheet, and what is done at a desk."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response

from schemas.fields import instant
from services.console import frame, verbs
from services.console.access.staff import Staff
from services.console.calls import parts
from services.console.forms import Control, shown_time
from services.console.page import Reader, reader, render
from services.console.rosters.week import bounds, monday, next_duty, week
from services.console.site import Signed, Site, titles
from services.console.verbs import Asked, Body
from services.console.words import N_, typed_day, typed_moment

OPEN = 30
"""Open matters on the page of a hand-over,"""
ON_SHEET = 12
"""and on a duty sheet: more would take a second page."""


def router(site: Site) -> APIRouter:
    """The pages of the roster."""
    pages = APIRouter()

    @pages.get("/roster")
    async def roster(request: Request, me: Signed, unit: str = "", day: str = "", done: str = "") -> Response:
        """A week of a unit's roster: by default of the post's own unit, and the week of today."""
        shown = await _week(request, me, unit or me.unit, day)
        return await render(request, "roster.html", **shown, done=done)

    @pages.get("/roster/sheet")
    async def sheet(request: Request, me: Signed, unit: str = "", day: str = "") -> Response:
        """The duty sheet of a week, one page of paper: plan, how to reach the posts, what is open, what was said."""
        code = unit or me.unit
        shown = await _week(request, me, code, day)
        matters, places = await parts(_open(me), me.calls.get("/escalation/v1/addresses", unit=code))
        posts = sorted({*shown["week"].rows, *(one["post"] for one in shown["found"]["reachability"])})
        pack = titles(*(await site.packs(me.language)))
        more: dict[str, Any] = {"matters": matters, "places": places, "posts": posts, "pack": pack, "open_": ON_SHEET}
        return await render(request, "sheet.html", **shown, **more, printed=instant(site.now()))

    @pages.get("/roster/{verb}")
    async def form(request: Request, me: Signed, verb: str) -> Response:
        """The form of a verb at the desk."""
        return await verbs.form(request, me, await _asked(request, me, verb))

    @pages.post("/roster/{verb}")
    async def act(request: Request, me: Signed, verb: str) -> Response:
        """Sends the verb."""
        asked = await _asked(request, me, verb)
        answer = await verbs.act(request, me, asked)
        frame.forget(site, str(asked.present["unit"]))
        return answer

    async def _week(request: Request, me: Staff, unit: str, day: str) -> dict[str, Any]:
        look = await reader(request)
        first = monday(typed_day(day) or look.now.astimezone(look.zone).date())
        since, until = bounds(first, look.zone)
        span = {"since": since.isoformat(), "until": until.isoformat()}
        found = await me.calls.get("/escalation/v1/roster", unit=unit, **span)
        pack = titles(await site.pack_of(unit, language=me.language))
        shift = timedelta(days=7)
        return {
            "found": found,
            "unit": unit,
            "week": week(found, first, look.zone, look.now),
            "first": first,
            "before": first - shift,
            "after": first + shift,
            "today": look.now.astimezone(look.zone).date(),
            "periods": pack["periods"],
            "notes": [one for one in found["duties"] if one["handed_over"] or one["note_missing"]],
            "typed": lambda written: shown_time(written, look.zone),
        }

    def _open(me: Staff) -> Any:
        return me.calls.get("/triage/v1/desk/open", limit=OPEN)

    async def _asked(request: Request, me: Staff, verb: str) -> Asked:
        unit = request.query_params.get("unit") or me.unit
        roster = await me.calls.get("/escalation/v1/roster", unit=unit)
        operation = (
            verbs.operation(site, "escalation", "roster", "put")
            if verb == "plan-duties"
            else verbs.operation(site, "escalation", f"roster/{verb}")
        )
        beside: dict[str, Any] = {"found": roster, "unit": unit, "following": next_duty(roster, site.now())}
        if verb in ("hand-over", "sign-on"):
            matters, packs = await parts(_open(me), site.packs(me.language))
            beside |= {"matters": matters, "pack": titles(*(packs.value or ()))}
        return Asked(
            operation,
            verb,
            f"roster?unit={unit}{await _week_of(request)}",
            choices={"units": me.offices.names(drill=me.offices.drills(unit)), "posts": _posts(me, unit)},
            version=str(roster["revision"]),
            present={"unit": unit},
            adapt=lambda body, made, _, look: _with_effect(verb, roster, me, body, made, look),
            template="at_desk.html",
            beside=beside,
        )

    return pages


async def _week_of(request: Request) -> str:
    """The part of an address that names the week of the duty a form is about; empty for the week of today.

    Whoever plans the next week on a Sunday sees the next week afterwards, and not one without their entry.
    """
    sent, look = await request.form(), await reader(request)
    for name in ("since", "duties.0.since"):
        begin = typed_moment(str(sent.get(name) or request.query_params.get(name, "")), look.zone, look.now)
        if begin is not None:
            return f"&day={datetime.fromisoformat(begin).astimezone(look.zone).date()}"
    return ""


def _posts(me: Staff, unit: str) -> list[tuple[str, str]]:
    """The posts that can be on duty at a desk: of its unit, and of those above it."""
    found: list[tuple[str, str]] = []
    at: str | None = unit
    while at in me.offices.units:
        found += me.offices.posts(at)
        at = me.offices.units[at]["parent"]
    return found


def _with_effect(
    verb: str, roster: Mapping[str, Any], me: Staff, body: Body, made: list[Control], look: Reader
) -> tuple[Body, list[Control]]:
    """Faults at what would be written down and would change nothing."""
    if verb == "plan-duties":
        duties = body.get("duties", ())
        return body, [_plan_of(one, duties, roster, look) if one.name == "duties" else one for one in made]
    faults = {}
    if verb == "name-substitute" and body.get("substitute") == body.get("post"):
        faults["substitute"] = N_("替班岗位就是原定岗位，这样填没有作用")
    if verb == "hand-over" and body.get("to") == me.post:
        faults["to"] = N_("接班岗位就是本岗位，这样填没有作用")
    return body, [one.at_fault(look.gettext(faults[one.name])) if one.name in faults else one for one in made]


def _plan_of(one: Control, duties: Any, roster: Mapping[str, Any], look: Reader) -> Control:
    known = {
        (duty["post"], shown_time(duty["since"], look.zone)): (shown_time(duty["until"], look.zone), duty["substitute"])
        for duty in roster["duties"]
    }
    for duty in duties:
        since, until = (shown_time(duty[name], look.zone) for name in ("since", "until"))
        told = {"since": since}
        if duty.get("substitute") == duty["post"]:
            return one.at_fault(look.gettext(N_("%(since)s 的班次：替班岗位就是值班岗位，这样填没有作用")) % told)
        if known.get((duty["post"], since)) == (until, duty.get("substitute")):
            return one.at_fault(look.gettext(N_("%(since)s 的班次已经这样排了，再填没有作用，请删去")) % told)
    return one
