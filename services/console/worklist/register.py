"""The register of reports: each report to the office, with the state of its reply."""

from datetime import datetime, time, timedelta

from fastapi import APIRouter, Request, Response

from schemas.fields import instant
from services.console.calls import parts
from services.console.labels import REPLIES
from services.console.page import render
from services.console.site import Signed, Site
from services.console.words import N_, translations, typed_day
from services.console.worklist.desk import address, filters, nothing

ROWS = 100
FILTERS = {"unit": N_("单位"), "channel": N_("渠道"), "reply": N_("答复")}
"""What narrows the register: parameter of the address -> its title."""
DAYS = {"from": N_("收到时间从"), "to": N_("到")}
"""The first and the last day of receipt, in the zone of the unit: parameter of the address -> its title."""


def router(site: Site) -> APIRouter:
    """The page of the register."""
    pages = APIRouter()

    @pages.get("/register")
    async def register(request: Request, me: Signed, cursor: str | None = None) -> Response:
        """Reports, newest first."""
        text, is_english = translations(me.language).gettext, me.language == "en"
        known = (await parts(me.calls.get("/triage/v1/lists")))[0].value or {}
        channels = {one["code"]: one["title_en"] if is_english else one["title"] for one in known.get("channels", ())}
        choices = {
            "unit": me.offices.names(),
            "channel": [*channels.items()],
            "reply": [(code, text(title)) for code, (_, title) in REPLIES.items()],
        }
        ways = filters(request, me, "register", FILTERS | DAYS, choices)
        given = {one.name: one.value for one in ways}
        first, last = (typed_day(given[of]) for of in DAYS)
        zone = await site.zone(me.unit)
        span = {
            "from": first and instant(datetime.combine(first, time(), zone)),
            "to": last
            and instant(datetime.combine(last + timedelta(days=1), time(), zone) - timedelta(microseconds=1)),
        }
        is_reversed, is_unknown = bool(first and last and last < first), any(one.is_unknown for one in ways)
        (found,) = await parts(
            nothing()
            if is_reversed or is_unknown
            else me.calls.get("/triage/v1/reports", limit=ROWS, cursor=cursor, **given | span)
        )
        further = (found.value or {}).get("next")
        return await render(
            request,
            "register.html",
            found=found,
            is_reversed=is_reversed,
            channels=channels,
            is_unknown=is_unknown,
            filters=ways,
            next_at=address("register", **given, cursor=further),
        )

    return pages
