"""Public forms of units: which are open, the address to give out, and what stands above them."""

from collections.abc import Mapping
from typing import Any

import segno
from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.access.staff import Staff
from services.console.calls import Answer, Refused
from services.console.page import render
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked

FORMS = "/ingest/v1/forms"
PATHS: Mapping[str, str] = {"open-form": "forms", "close-form": "forms/{unit}/close"}
"""Verb -> its path in the API of ingest."""


def router(site: Site) -> APIRouter:
    """The pages of public forms."""
    pages = APIRouter()

    @pages.get("/forms")
    async def listed(request: Request, me: Signed) -> Response:
        """The forms of the administrator's unit and of those below it."""
        found = await _forms(me)
        rows = [(one, found.get(one["unit"])) for _, one in me.offices.tree() if _is_own(me, one["unit"])]
        return await render(request, "forms.html", rows=rows, address=address)

    @pages.get("/forms/{unit}")
    async def show(request: Request, me: Signed, unit: Id, done: str = "") -> Response:
        """The form of a unit, with its address as text and as a picture for posters."""
        _must_be_own(me, unit)
        one, at = (await _forms(me)).get(unit), address(unit)
        drawn = segno.make(at, error="m").svg_data_uri(scale=4)
        return await render(request, "form.html", unit=unit, one=one, address=at, drawn=drawn, done=done)

    @pages.get("/forms/{unit}/{verb}")
    async def form(request: Request, me: Signed, unit: Id, verb: str) -> Response:
        """The form of a verb."""
        return await verbs.form(request, me, await _asked(me, unit, verb))

    @pages.post("/forms/{unit}/{verb}")
    async def act(request: Request, me: Signed, unit: Id, verb: str) -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(me, unit, verb))

    def address(unit: str) -> str:
        return site.settings.link(f"form/{unit}")

    async def _asked(me: Staff, unit: str, verb: str) -> Asked:
        _must_be_own(me, unit)
        if verb not in PATHS:
            raise Refused(Answer(404, {}))
        one = (await _forms(me)).get(unit)
        opens = verb == "open-form"
        return Asked(
            verbs.operation(site, "ingest", PATHS[verb]),
            verb,
            f"forms/{unit}",
            ids={"unit": unit},
            without=("unit",),
            fixed={"unit": unit} if opens else {},
            present={"introduction": one["introduction"] or ""} if opens and one else {},
            named=me.offices.unit(unit),
        )

    return pages


async def _forms(me: Staff) -> Mapping[str, Mapping[str, Any]]:
    """Unit -> its form, of those that ever had one. Raises `Refused` for who does not administer."""
    if "admin" not in me.roles:
        raise Refused(Answer(403, {}))
    return {one["unit"]: one for one in (await me.calls.get(FORMS))["items"]}


def _is_own(me: Staff, unit: str) -> bool:
    return unit in me.offices.below(me.unit) and me.offices.drills(unit) == me.is_drill


def _must_be_own(me: Staff, unit: str) -> None:
    if unit not in me.offices.units or not _is_own(me, unit):
        raise Refused(Answer(404, {}))
