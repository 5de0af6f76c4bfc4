"""Duty: who is on duty now and next, the plan, signing on, handing over, gaps."""

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.page import render
from services.console.site import Signed, Site
from services.console.verbs import Asked


def router(site: Site) -> APIRouter:
    """The pages of the roster."""
    pages = APIRouter()

    @pages.get("/roster")
    async def roster(request: Request, me: Signed, unit: str = "", done: str = "") -> Response:
        """The roster of a unit: by default of the post's own."""
        shown = unit or me.unit
        found = await me.calls.get("/escalation/v1/roster", unit=shown)
        return await render(request, "roster.html", found=found, unit=shown, done=done)

    @pages.get("/roster/{verb}")
    async def form(request: Request, me: Signed, verb: str) -> Response:
        """The form of a verb at the desk."""
        return await verbs.form(request, me, await _asked(me, verb, request.query_params.get("unit") or me.unit))

    @pages.post("/roster/{verb}")
    async def act(request: Request, me: Signed, verb: str) -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(me, verb, request.query_params.get("unit") or me.unit))

    async def _asked(me: Signed, verb: str, unit: str) -> Asked:
        roster = await me.calls.get("/escalation/v1/roster", unit=unit)
        operation = (
            verbs.operation(site, "escalation", "roster", "put")
            if verb == "plan-duties"
            else verbs.operation(site, "escalation", f"roster/{verb}")
        )
        return Asked(
            operation,
            verb,
            f"roster?unit={unit}",
            choices={"units": me.offices.names(), "posts": me.offices.posts(unit)},
            version=str(roster["revision"]),
            present={"unit": unit},
        )

    return pages
