"""The press part of a matter: who speaks, press conferences, and what media were given."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from services.console import verbs
from services.console.calls import parts
from services.console.matters.matter import choices_of
from services.console.page import reader, render
from services.console.site import Id, Signed, Site
from services.console.verbs import Asked

GIVEN = ("approved", "published")
"""States of statements whose text is given to media."""
OF_ONE = ("postpone-conference", "cancel-conference", "hold-conference")
"""Verbs on a press conference that was called."""
FIXED = ("speaks", "approves", "interviews")


def router(site: Site) -> APIRouter:
    """The pages. They stand before those of the matter, whose paths would take them in."""
    pages = APIRouter()

    @pages.get("/incidents/{id}/press")
    async def show(request: Request, me: Signed, id: Id, done: str = "") -> Response:
        """Who speaks on the matter, its press conferences, and what media were given."""
        about = await me.calls.get(f"/triage/v1/incidents/{id}")
        press = await me.calls.get(f"/publish/v1/press/{about['id']}")
        return await render(
            request,
            "press.html",
            about=about,
            press=press,
            verbs=[verb for verb in press["may"] if verb not in OF_ONE],
            of_one=[verb for verb in press["may"] if verb in OF_ONE],
            done=done,
        )

    @pages.get("/incidents/{id}/press/{verb}")
    async def form(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """The form of a verb."""
        return await verbs.form(request, me, await _asked(request, me, id, verb))

    @pages.post("/incidents/{id}/press/{verb}")
    async def act(request: Request, me: Signed, id: Id, verb: str) -> Response:
        """Sends the verb."""
        return await verbs.act(request, me, await _asked(request, me, id, verb))

    async def _asked(request: Request, me: Signed, id: Id, verb: str) -> Asked:
        look = await reader(request)
        operation = verbs.operation(site, "publish", f"press/{{id}}/{verb}")
        about = await me.calls.get(f"/triage/v1/incidents/{id}")
        press = await me.calls.get(f"/publish/v1/press/{about['id']}")
        (statements,) = await parts(me.calls.get("/publish/v1/statements", incident=about["id"], limit=50))
        known = (statements.value or {"items": ()})["items"]
        posts = choices_of(me, about, {}, {}, {}, ())["posts"]
        choices: dict[str, Any] = {
            **dict.fromkeys((*FIXED, "spoke"), posts),
            "statement": [
                (one["number"], f"{one['number']} {one['title'] or ''}") for one in known if one["state"] in GIVEN
            ],
            "conference": [
                (one["conference"], f"{me.offices.unit(press['unit'])} {one['place'] or ''} {look.moment(one['at'])}")
                for one in press["conferences"]
                if one["state"] == "called"
            ],
        }
        return Asked(
            operation,
            verb,
            f"incidents/{about['number']}/press",
            ids={"id": about["id"]},
            choices=choices,
            version=str(press["revision"]),
            present=_fixed(press) if verb == "fix-speakers" else {},
            about=about,
        )

    return pages


def _fixed(press: Mapping[str, Any]) -> dict[str, Any]:
    """The posts that are fixed now, as the form begins."""
    return {name: list(press[name]) for name in FIXED}
