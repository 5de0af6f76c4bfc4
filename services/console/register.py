"""The register of reports: each report to the office, with the state of its reply."""

from fastapi import APIRouter, Request, Response

from services.console.calls import parts
from services.console.desk import Filter, address
from services.console.labels import REPLIES
from services.console.page import render
from services.console.site import Signed, Site
from services.console.words import N_, translations

ROWS = 100
FILTERS = {"unit": N_("单位"), "channel": N_("渠道"), "reply": N_("答复")}
"""What narrows the register: parameter of the address -> its title."""


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
        asked = {of: request.query_params.get(of, "") for of in FILTERS}
        given: dict[str, str | None] = {of: code if code in dict(choices[of]) else "" for of, code in asked.items()}
        filters = [
            Filter(of, text(title), choices[of], given[of] or "", address("register", **given | {of: None}))
            for of, title in FILTERS.items()
        ]
        (found,) = await parts(me.calls.get("/triage/v1/reports", limit=ROWS, cursor=cursor, **given))
        further = (found.value or {}).get("next")
        return await render(
            request,
            "register.html",
            found=found,
            channels=channels,
            filters=filters,
            chosen=[one for one in filters if one.value],
            next_at=address("register", **given, cursor=further),
        )

    return pages
