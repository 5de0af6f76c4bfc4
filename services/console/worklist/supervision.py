"""Supervision: limits that were not kept and how far the reminders of each went, instructions of leaders, follow-up."""

from datetime import timedelta

from fastapi import APIRouter, Request, Response

from schemas.fields import instant
from services.console.calls import parts
from services.console.page import render
from services.console.site import Signed, Site, titles
from services.console.words import N_
from services.console.worklist.desk import address, filters, nothing

ROWS = 100
FILTERS = {"unit": N_("单位")}
"""What narrows the page: parameter of the address -> its title."""
BACK = timedelta(days=30)
"""So far back the page shows instructions."""
LISTS = ("deferred", "to_correct", "returned", "to_follow_up", "unhelpful")
"""Lists of the desk that a supervisor looks at."""


def router(site: Site) -> APIRouter:
    """The page of supervision."""
    pages = APIRouter()

    @pages.get("/supervision")
    async def supervision(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """What the office and those below it have not done in time, the oldest end first."""
        ways = filters(request, me, "supervision", FILTERS, {"unit": me.offices.names()})
        unit, is_unknown = ways[0].value, ways[0].is_unknown
        since = instant(site.now() - BACK)
        late, told, counts, packs = await parts(
            nothing()
            if is_unknown
            else me.calls.get(
                "/escalation/v1/clocks", state="breached", unit=unit or me.unit, limit=ROWS, cursor=cursor
            ),
            nothing()
            if is_unknown
            else me.calls.get(
                "/audit/v1/events", type="incident.instruction_given", unit=unit, limit=ROWS, **{"from": since}
            ),
            me.calls.get("/triage/v1/desk"),
            site.packs(me.language),
        )
        further = (late.value or {}).get("next")
        return await render(
            request,
            "supervision.html",
            late=late,
            told=told,
            counts=(counts.value or {}).get("lists", {}),
            watched=LISTS,
            pack=titles(*(packs.value or ())),
            is_unknown=is_unknown,
            filters=ways,
            next_at=address("supervision", unit=unit, cursor=further),
        )

    return pages
