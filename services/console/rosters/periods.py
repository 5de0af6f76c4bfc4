"""Special periods: which go on, and the switch, with what it changes shown before."""

from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import frame, verbs
from services.console.access.staff import Staff
from services.console.calls import Part, part
from services.console.page import reader, render
from services.console.site import Signed, Site, titles
from services.console.verbs import Asked
from services.console.words import typed_moment


def router(site: Site) -> APIRouter:
    """The pages of special periods."""
    pages = APIRouter()

    @pages.get("/periods")
    async def periods(request: Request, me: Signed, done: str = "") -> Response:
        """The special periods of all units, the newest first."""
        found = await me.calls.get("/triage/v1/periods")
        rows = sorted(found["items"], key=lambda one: one["since"], reverse=True)
        shown = {"rows": rows, "may": found["may"], "titles": titles(*(await site.packs(me.language)))["periods"]}
        return await render(request, "periods.html", **shown, unit=me.unit, done=done)

    @pages.get("/periods/open")
    async def opening(request: Request, me: Signed, unit: str = "", period: str = "", since: str = "") -> Response:
        """The form, with what the period would change once one is chosen."""
        return await verbs.form(request, me, await _opening(request, me, unit or me.unit, period, since))

    @pages.post("/periods/open")
    async def open_(request: Request, me: Signed, unit: str = "", period: str = "", since: str = "") -> Response:
        """Opens a period, or shows what it would change."""
        sent = await request.form()
        typed = [str(sent.get(name, "")) for name in ("unit", "period", "since")]
        asked = await _opening(request, me, typed[0] or unit or me.unit, typed[1] or period, typed[2] or since)
        if sent.get("form.shown") != "yes" or sent.get("form.seen") != asked.beside["seen"]:
            return await verbs.again(request, me, asked)
        answer = await verbs.act(request, me, asked)
        site.on_duty.clear()
        return answer

    @pages.get("/periods/close")
    async def closing(request: Request, me: Signed, unit: str = "", period: str = "") -> Response:
        """The form of an end."""
        return await verbs.form(request, me, await _closing(me, unit or me.unit, period))

    @pages.post("/periods/close")
    async def close(request: Request, me: Signed, unit: str = "", period: str = "") -> Response:
        """Says when a period ends."""
        answer = await verbs.act(request, me, await _closing(me, unit or me.unit, period))
        frame.forget(site, me.unit)
        return answer

    async def _opening(request: Request, me: Staff, unit: str, period: str, since: str) -> Asked:
        look = await reader(request)
        known = titles(await site.pack_of(unit, language=me.language))["periods"]
        effect: Part | None = None
        if period in known:
            asked = {"unit": unit, "period": period, "since": typed_moment(since, look.zone, look.now) or ""}
            effect = await part(me.calls.get("/escalation/v1/roster/period-effect", **asked))
        going = (await me.calls.get("/triage/v1/periods"))["items"]
        goes_on = [one for one in going if one["now"] and one["period"] == period and one["unit"] in _above(me, unit)]
        choices = {"units": me.offices.names(drill=me.offices.drills(unit)), "period": list(known.items())}
        beside = {"effect": effect, "goes_on": goes_on, "known": known, "seen": f"{unit} {period} {since}"}
        operation = verbs.operation(site, "triage", "periods/open")
        present = {"unit": unit, "period": period}
        return Asked(
            operation, "open-period", "periods", choices=choices, present=present, template="period.html", beside=beside
        )

    async def _closing(me: Staff, unit: str, period: str) -> Asked:
        known = titles(await site.pack_of(unit, language=me.language))["periods"]
        choices = {"units": me.offices.names(drill=me.offices.drills(unit)), "period": list(known.items())}
        operation = verbs.operation(site, "triage", "periods/close")
        return Asked(operation, "close-period", "periods", choices=choices, present={"unit": unit, "period": period})

    def _above(me: Staff, unit: str) -> list[str]:
        found: list[str] = []
        at: Any = unit
        while at in me.offices.units:
            found.append(at)
            at = me.offices.units[at]["parent"]
        return found

    return pages
