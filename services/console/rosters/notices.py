"""Notices to posts: of what they were told, what became of it, and the places to which it goes."""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.calls import part
from services.console.labels import BECAME, NOTICES
from services.console.page import render
from services.console.site import Id, Signed, Site, titles
from services.console.verbs import Asked
from services.console.words import N_, translations

ROWS = 50


def router(site: Site) -> APIRouter:
    """The pages of notices and of addresses."""
    pages = APIRouter()

    @pages.get("/notices")
    async def notices(
        request: Request, me: Signed, unit: str = "", state: str = "", rule: str = "", cursor: str | None = None
    ) -> Response:
        """The notices to the posts of a unit and those below it, the newest first."""
        code = unit or me.unit
        chosen = {"unit": code, "state": state, "rule": rule}
        found = await me.calls.get("/escalation/v1/outgoing-notices", **chosen, limit=ROWS, cursor=cursor)
        packs = await part(site.packs(me.language))
        further = urlencode({**chosen, "cursor": found["next"]}) if found["next"] else ""
        pack = titles(*(packs.value or ()))
        shown: dict[str, Any] = {"found": found, "pack": pack, "further": further, "chosen": chosen}
        return await render(request, "notices.html", **shown, unit=code, kinds=NOTICES, became=BECAME)

    @pages.get("/addresses")
    async def addresses(request: Request, me: Signed, unit: str = "", done: str = "") -> Response:
        """The places to which notices for posts go. No address is shown."""
        code = unit or me.unit
        found = await me.calls.get("/escalation/v1/addresses", unit=code)
        return await render(request, "addresses.html", found=found, unit=code, done=done)

    @pages.get("/addresses/new")
    async def form(request: Request, me: Signed, unit: str = "") -> Response:
        """The form of a new address."""
        return await verbs.form(request, me, _new(me, unit or me.unit))

    @pages.post("/addresses/new")
    async def add(request: Request, me: Signed, unit: str = "") -> Response:
        """Adds an address."""
        return await verbs.act(request, me, _new(me, unit or me.unit))

    @pages.get("/addresses/{place}/end")
    async def ending(request: Request, me: Signed, place: Id, unit: str = "") -> Response:
        """Asks once more before an address is forgotten."""
        return await verbs.form(request, me, _end(unit or me.unit, place))

    @pages.post("/addresses/{place}/end")
    async def end(request: Request, me: Signed, place: Id, unit: str = "") -> Response:
        """Forgets an address."""
        return await verbs.act(request, me, _end(unit or me.unit, place))

    def _new(me: Any, unit: str) -> Asked:
        said = translations(me.language).gettext
        spoken = [("zh", said(N_("中文"))), ("en", said(N_("英文")))]
        choices = {"posts": me.offices.posts(unit), "language": spoken}
        operation = verbs.operation(site, "escalation", "addresses")
        return Asked(operation, "set-address", f"addresses?unit={unit}", choices=choices)

    def _end(unit: str, place: str) -> Asked:
        operation = verbs.operation(site, "escalation", "addresses/{place}/end")
        return Asked(operation, "end-address", f"addresses?unit={unit}", ids={"place": place})

    return pages
